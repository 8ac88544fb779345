"""Texts for terminals, tables and file names, those of strangers made fit for them."""

from __future__ import annotations

import re
import unicodedata

MAX_LENGTH = 200
_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^\s]*@")


def printable(value: object) -> str:
    """
    A stranger's text for a terminal: one line, without control characters.

    :param value: Anything; its text is shown.
    """
    return "".join(c if is_plain(c) else "\N{REPLACEMENT CHARACTER}" for c in str(value))


def is_plain(character: str) -> bool:
    """Whether a character only shows itself."""
    # Cc: terminal escapes. Cf: invisible, among them those that reverse the reading direction.
    # Zl, Zp: line ends that only some programs know.
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def one_line(value: object) -> str:
    """
    As :func:`printable`, cut to :data:`MAX_LENGTH` characters: a name, for tables and files.

    :param value: Anything; its text is taken.
    """
    return printable(str(value)[:MAX_LENGTH])


def without_password(text: str) -> str:
    """A message or an address, dots in the place of the passwords that URLs in it hold."""
    return _PASSWORD.sub(r"\1...@", text)


def counted(n: int, noun: str) -> str:
    """
    A number of things in words: ``1 seed``, ``5 seeds``.

    :param n: How many.
    :param noun: One of them, of a regular plural.
    """
    return f"{n} {noun}{'' if n == 1 else 's'}"
