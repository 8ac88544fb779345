"""Messages with a limit on the whole of them: a process may be stopped in the middle of one."""

from __future__ import annotations

import multiprocessing
import os
import struct
import time
from multiprocessing.connection import Connection

import pytest

from sonic_sb3.envs.timed_pipe import receive_bytes, send_bytes


@pytest.fixture
def pipes() -> tuple[Connection, Connection]:
    return multiprocessing.Pipe()


@pytest.mark.parametrize("n_bytes", [0, 1, 40_000, 150_000])
def test_messages_are_those_of_multiprocessing(
    n_bytes: int, pipes: tuple[Connection, Connection]
) -> None:
    mine, theirs = pipes
    message = os.urandom(n_bytes)
    theirs.send_bytes(message)
    assert receive_bytes(mine, 1.0) == message
    send_bytes(mine, message, 1.0)
    assert theirs.recv_bytes() == message
    assert os.get_blocking(mine.fileno())


def test_a_message_that_stops_in_the_middle(pipes: tuple[Connection, Connection]) -> None:
    mine, theirs = pipes
    os.write(theirs.fileno(), struct.pack("!i", 100_000) + b"beginning")
    started_s = time.monotonic()
    with pytest.raises(TimeoutError):
        receive_bytes(mine, 0.2)
    with pytest.raises(TimeoutError):
        send_bytes(mine, bytes(10_000_000), 0.2)
    assert time.monotonic() - started_s < 2
    theirs.close()
    with pytest.raises((EOFError, ConnectionError)):
        receive_bytes(mine, 0.2)
    with pytest.raises(ConnectionError):
        send_bytes(mine, bytes(10_000_000), 0.2)
