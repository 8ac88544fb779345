"""Ctrl-C and SIGTERM: the first asks to save and end, the second ends at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StoppedBySignal(BaseException):
    """
    Raised wherever the main thread is when the first signal comes.

    :param number: Which signal; the process should end with 128 + number.

    ``advice`` is how to go on, where whoever was stopped knows.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number
        self.advice = ""


@contextmanager
def stop_signals() -> Iterator[None]:
    """Within this block, SIGINT and SIGTERM raise :class:`StoppedBySignal`."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread only
        return
    was_stopped = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal was_stopped
        if was_stopped:
            os._exit(128 + number)
        was_stopped = True
        raise StoppedBySignal(number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class StopRequest:
    """Whether a signal has asked to end: ``number`` is that signal's, else ``None``."""

    number: int | None = None


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """
    Within this block, SIGINT and SIGTERM only leave a note, for a loop that looks at it.

    The second signal ends the process at once.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # Python delivers signals to the main thread only
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if request.number is not None:
            os._exit(128 + number)
        request.number = number

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
