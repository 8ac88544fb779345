"""What all commands share: options and one-line errors with status 2."""

from __future__ import annotations

import argparse
import errno
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TextIO

from sonic_sb3.errors import SettingsError, SonicError
from sonic_sb3.plain_text import printable, without_password
from sonic_sb3.stop_signals import StoppedBySignal

# What is wrong with a path that a user gave, or with what lies there; the rest are our mistakes.
_PATH_ERRORS = {
    errno.ENAMETOOLONG: "a shorter path",
    errno.EACCES: "the permission to read (or write) it",
    errno.EPERM: "the permission to read (or write) it",
    errno.EROFS: "a folder that can be written to",
    errno.EISDIR: "a file",
    errno.ENOTDIR: "a folder",
}


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Names defaults once, and only those that say something."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        says_so = "(default:" in (action.help or "")
        if says_so or action.default is None or action.default in (False, []):
            return action.help
        return super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, as all errors of this package."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"formatter_class": _HelpFormatter, "allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        message = without_password(message)
        raise SettingsError(f"{message}; `python -m {self.prog} --help` lists the options")


def make_parser(name: str, description: str) -> Parser:
    """
    A parser for ``python -m sonic_sb3.NAME``.

    :param name: The command.
    :param description: What it does, in a sentence.
    """
    return Parser(
        prog=f"sonic_sb3.{name}",
        description=description,
    )


def whole(least: int, most: int = 10**12, off: int | None = None) -> Callable[[str], int]:
    """
    The type of an option that takes a whole number, also written ``1e6``.

    :param least: The smallest that makes sense.
    :param most: The largest.
    :param off: A number outside of both that switches something off.
    """

    def read(text: str) -> int:
        try:
            value = int(text) if text.strip("+-").isdigit() else float(text)
        except ValueError:
            value = float("nan")
        if value == off or (value == value // 1 and least <= value <= most):
            return int(value)
        expected = f"at least {least:,}" if most == 10**12 else f"{least:,} to {most:,}"
        expected += "" if off is None else f", or {off}"
        raise argparse.ArgumentTypeError(f"expected a whole number, {expected}, got {text}")

    return read


def run_command(main: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None) -> int:
    """
    Run a command's body; a user's mistake becomes one line on standard error.

    :param main: The body.
    :param argv: Options; ``None`` for those of the process.
    :returns: The exit status: 2 after a mistake, 130 after Ctrl-C, 143 after SIGTERM, 141 where
        the output was closed.
    """
    try:
        status = main(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        if _is_open(sys.stdout):
            raise  # another pipe than the one to whoever reads the output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE  # they have seen enough, as `head` does
    except SonicError as error:
        print(f"error: {printable(' '.join(str(error).split()))}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in _PATH_ERRORS or error.filename is None:
            raise
        expected = _PATH_ERRORS[error.errno]
        path = printable(f"{error.filename!s:.200}")
        print(f"error: {path}: expected {expected}, got: {error.strerror}", file=sys.stderr)
        return 2
    except StoppedBySignal as stop:
        advice = f"; {stop.advice}" if stop.advice else ""
        print(f"stopped by {stop}{advice}", file=sys.stderr)
        return 128 + stop.number
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return status


def _is_open(stream: TextIO) -> bool:
    """Whether there is still somebody at the other end."""
    poll = select.poll()
    poll.register(stream.fileno(), select.POLLOUT)
    return not any(event & select.POLLERR for _, event in poll.poll(0))
