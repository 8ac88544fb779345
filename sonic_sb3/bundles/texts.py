"""Texts that strangers wrote: what may be in them, and how to show them in a terminal."""

from __future__ import annotations

import csv
import io
import math
import re

from sonic_sb3.errors import BundleError
from sonic_sb3.plain_text import is_plain

# `<b>`, `</b>`, `<!--`, `<?php`, `<script`: a card is Markdown and its few tables need none of it.
_HTML = re.compile(r"<[A-Za-z/!?]")
# `[text](target)`, and `[label]: target` at a line's beginning, also in quotations and lists.
_LINK = re.compile(
    r"\]\(\s*<?([^)\s>]*)"
    r"|^[ \t>*+\-0-9.)]*\[(?:[^\[\]\\]|\\[\s\S]){1,999}\]:\s*<?(\S+)",
    re.MULTILINE,
)
_RELATIVE = re.compile(r"[\w.=+-]+(/[\w.=+-]+)*")
_MAX_CELL = 10_000


def decode(content: bytes, name: str) -> str:
    """
    Read a text that a terminal shows as it is written.

    :param content: UTF-8.
    :param name: Of the file, for messages.
    :raises BundleError: It is not UTF-8, or holds control characters, which can hide or fake text.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"{name}: expected text in UTF-8 ({error.reason})") from error
    for character in set(text):
        if character not in "\n\t" and not is_plain(character):
            raise BundleError(
                f"{name}: expected plain text, it holds the control character {character!a}"
            )
    return text


def check_markdown(content: bytes, name: str) -> str:
    """
    Accept Markdown without HTML, whose links lead to the web or into the bundle.

    :param content: UTF-8.
    :param name: Of the file, for messages.
    :raises BundleError: It holds HTML, control characters or another kind of link.
    """
    text = decode(content, name)
    if match := _HTML.search(text):
        got = text[match.start() : match.start() + 20]
        raise BundleError(f"{name}: expected Markdown without HTML, got {got!a}")
    for groups in _LINK.findall(text):
        target = groups[0] or groups[1]
        if not target.startswith(("https://", "http://", "#")) and not (
            _RELATIVE.fullmatch(target) and ".." not in target
        ):
            raise BundleError(
                f"{name}: expected links to https:// or to files beside it, got {target[:60]!a}"
            )
    return text


def check_table(content: bytes, name: str) -> None:
    """
    Accept a CSV whose numbers are finite and whose texts no spreadsheet takes for a formula.

    :param content: UTF-8.
    :param name: Of the file, for messages.
    :raises BundleError: A cell is neither.
    """
    text = decode(content, name)
    try:
        for row in csv.reader(io.StringIO(text), strict=True):
            for cell in row:
                _check_cell(cell, name)
    except csv.Error as error:
        raise BundleError(f"{name}: expected a table of comma-separated values: {error}") from error


def _check_cell(cell: str, name: str) -> None:
    if len(cell) > _MAX_CELL:
        raise BundleError(f"{name}: expected cells of at most {_MAX_CELL} characters")
    try:
        number = float(cell)
    except ValueError:
        if cell.lstrip().startswith(("=", "+", "-", "@", "\t")):
            raise BundleError(
                f"{name}: expected numbers and texts, got the formula {cell[:40]!a}"
            ) from None
        return
    if not math.isfinite(number):
        raise BundleError(f"{name}: expected finite numbers, got {cell[:40]!a}")
