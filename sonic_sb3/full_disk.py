"""A full disk or a lost permission: the run stops with a message, or waits until it can write."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Literal, TypeVar

from sonic_sb3.errors import CannotWriteError

OnFullDisk = Literal["stop", "wait"]

logger = logging.getLogger(__name__)
T = TypeVar("T")

# What somebody may put right while the run waits.
_CURABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS})
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0
_choice: ContextVar[OnFullDisk] = ContextVar("on_full_disk", default="stop")


@contextmanager
def on_full_disk(choice: OnFullDisk) -> Iterator[None]:
    """
    Decide what :func:`write_patiently` does within this block.

    :param choice: ``stop`` raises at once, ``wait`` tries again until it works.
    """
    token = _choice.set(choice)
    try:
        yield
    finally:
        _choice.reset(token)


def write_patiently(path: Path, write: Callable[[], T]) -> T:
    """
    Write something, where asked again and again with growing pauses; it is said once.

    :param path: What is written, for messages.
    :param write: Writes it; called again after a failure, so it goes on where it was or from the
        start.
    :returns: What ``write`` returned.
    :raises CannotWriteError: It cannot be written, and waiting was not asked for or cannot help.
    """
    pause_s = _FIRST_PAUSE_S
    has_told = False
    while True:
        try:
            result = write()
        except OSError as error:
            if _choice.get() == "stop" or error.errno not in _CURABLE:
                raise cannot_write(path, error) from error
            if not has_told:
                logger.warning("cannot write %s: %s; waiting until it works", path, _why(error))
                has_told = True
        else:
            if has_told:
                logger.warning("%s is written, going on", path)
            return result
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def cannot_write(path: Path, error: OSError) -> CannotWriteError:
    """The error for a file that could not be written. :param error: Why."""
    return CannotWriteError(
        f"cannot write {path}: {_why(error)}; what was there before is intact", path
    )


def _why(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
