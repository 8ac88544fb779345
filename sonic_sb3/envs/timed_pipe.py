"""
Messages of :mod:`multiprocessing.connection` with a time limit on the whole of them.

``Connection.poll`` only waits for the first byte: a process that is stopped in the middle of a
message would be waited for without end, and so would one that does not read what it is sent.
"""

from __future__ import annotations

import os
import select
import struct
import time
from multiprocessing.connection import Connection

_SHORT_BYTES = 32_768  # fits into any socket's buffer, which is empty when we send
_CHUNK_BYTES = 1 << 20


def wait_for_message(pipe: Connection, timeout_s: float) -> None:
    """Wait for a message to begin. :raises TimeoutError: None does in time."""
    _wait(pipe.fileno(), select.POLLIN, time.monotonic() + timeout_s)


def receive_bytes(pipe: Connection, timeout_s: float) -> bytes:
    """
    The next message.

    :param pipe: Where it comes from.
    :param timeout_s: For all of it.
    :raises TimeoutError: It is not there in time.
    :raises EOFError: The other end is closed.
    """
    deadline_s = time.monotonic() + timeout_s
    (n_bytes,) = struct.unpack("!i", _read(pipe.fileno(), 4, deadline_s))
    if n_bytes == -1:  # 2 GiB and more
        (n_bytes,) = struct.unpack("!Q", _read(pipe.fileno(), 8, deadline_s))
    return _read(pipe.fileno(), n_bytes, deadline_s)


def send_bytes(pipe: Connection, message: bytes, timeout_s: float) -> None:
    """
    Send a message.

    :param pipe: Where it goes.
    :param message: What.
    :param timeout_s: For all of it.
    :raises TimeoutError: The other end did not take it in time.
    :raises OSError: The other end is closed.
    """
    if len(message) <= _SHORT_BYTES:
        pipe.send_bytes(message)
        return
    deadline_s = time.monotonic() + timeout_s
    is_large = len(message) > 0x7FFFFFFF
    head = struct.pack("!iQ", -1, len(message)) if is_large else struct.pack("!i", len(message))
    descriptor = pipe.fileno()
    os.set_blocking(descriptor, False)
    try:
        for part in (head, message):
            rest = memoryview(part)
            while rest:
                _wait(descriptor, select.POLLOUT, deadline_s)
                try:
                    rest = rest[os.write(descriptor, rest[:_CHUNK_BYTES]) :]
                except BlockingIOError:
                    continue
    finally:
        os.set_blocking(descriptor, True)


def _read(descriptor: int, n_bytes: int, deadline_s: float) -> bytes:
    parts = []
    while n_bytes > 0:
        _wait(descriptor, select.POLLIN, deadline_s)
        part = os.read(descriptor, min(n_bytes, _CHUNK_BYTES))
        if not part:
            raise EOFError
        parts.append(part)
        n_bytes -= len(part)
    return b"".join(parts)


def _wait(descriptor: int, event: int, deadline_s: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(max(0.0, deadline_s - time.monotonic()) * 1000):
        raise TimeoutError
