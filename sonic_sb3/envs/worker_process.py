"""One worker process and the pipe to it: messages, answers, and how it ended."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
from collections.abc import Iterator
from multiprocessing import forkserver, reduction
from typing import Any

from sonic_sb3.envs.timed_pipe import receive_bytes, send_bytes, wait_for_message
from sonic_sb3.envs.worker import OK, run_worker
from sonic_sb3.errors import SonicError, WorkerError

# What an env, or a question to it, may raise that is told as it is.
REFUSALS = (SonicError, AttributeError, TypeError)
_FORK_SERVER_DIED = 255  # what multiprocessing then says of the processes that it had started


class LostWorkerError(Exception):
    """The process died, or did not answer in time."""


class WorkerProcess:
    """
    A process that runs :func:`sonic_sb3.envs.worker.run_worker`.

    :param context: Of multiprocessing.
    :param arguments: Of ``run_worker``, after the pipe's two ends.
    :param imports_main: Run the user's script in it too, as multiprocessing does for what is
        defined there. It may import torch, which makes a worker seven times as large.
    :raises LostWorkerError: It could not be started.
    """

    def __init__(self, context: Any, arguments: tuple[Any, ...], *, imports_main: bool) -> None:
        self._pipe, worker_pipe = context.Pipe()
        self._process = context.Process(
            target=run_worker, args=(worker_pipe, self._pipe, *arguments), daemon=True
        )
        _wake_fork_server()
        try:
            with contextlib.nullcontext() if imports_main else _hidden_main():
                self._process.start()
        except (EOFError, OSError) as error:
            raise LostWorkerError(f"could not be started ({error!r})") from error
        worker_pipe.close()

    @property
    def pid(self) -> int | None:
        """Of the process."""
        pid: int | None = self._process.pid
        return pid

    @property
    def ended_in_python(self) -> bool:
        """Whether Python itself ended it with an error, as no signal does."""
        return 0 < (self._process.exitcode or 0) < _FORK_SERVER_DIED

    def send(self, message: bytes, timeout_s: float) -> None:
        """Send a message. If it is gone or frozen, waiting for the answer will tell."""
        with contextlib.suppress(OSError):
            send_bytes(self._pipe, message, timeout_s)

    def send_descriptor(self, descriptor: int) -> None:
        """Send a file descriptor, after the message that announces it."""
        with contextlib.suppress(OSError):
            reduction.send_handle(self._pipe, descriptor, self._process.pid)

    def wait_for_answer(self, timeout_s: float) -> None:
        """Wait for an answer to begin. :raises LostWorkerError: None does in time."""
        try:
            wait_for_message(self._pipe, timeout_s)
        except TimeoutError as error:
            raise LostWorkerError(f"did not answer for {timeout_s:g} s") from error

    def read_answer(self, timeout_s: float) -> Any:
        """
        The next answer.

        :param timeout_s: For all of it.
        :raises LostWorkerError: None comes.
        :raises SonicError: What the env raised; also ``AttributeError`` and ``TypeError``.
        """
        try:
            message = receive_bytes(self._pipe, timeout_s)
        except TimeoutError as error:
            raise LostWorkerError(f"did not answer for {timeout_s:g} s") from error
        except (EOFError, OSError) as error:
            raise LostWorkerError(self._describe_death()) from error
        if message[:1] == OK:
            return pickle.loads(message[1:])
        packed, text = pickle.loads(message[1:])
        try:
            failure = pickle.loads(packed)
        except Exception:  # a class whose constructor does not take what its errors keep
            failure = None
        if isinstance(failure, SonicError):
            raise failure
        if isinstance(failure, REFUSALS):
            failure.add_note(f"in the worker of an env:\n{text}")
            raise failure
        raise WorkerError(f"an env failed in its worker:\n{text}")

    def end(self, timeout_s: float = 0.0) -> None:
        """Wait for its end, then make sure of it. :param timeout_s: How long to wait."""
        self._process.join(timeout_s)
        if self._process.is_alive():
            self._process.kill()
            _wake_fork_server()
            self._process.join()
        self._process.close()
        self._pipe.close()

    def _describe_death(self) -> str:
        self._process.join(1.0)
        code = self._process.exitcode
        if code is not None and code < 0:
            known = -code in set(signal.Signals)  # real-time signals have no names
            return f"was killed by {signal.Signals(-code).name if known else f'signal {-code}'}"
        return f"died with exit code {code}"


@contextlib.contextmanager
def _hidden_main() -> Iterator[None]:
    """Let multiprocessing find no script that a new process would have to import."""
    main = sys.modules["__main__"]
    hidden: dict[str, Any] = {
        k: main.__dict__[k] for k in ("__spec__", "__file__") if k in main.__dict__
    }
    main.__dict__.update(__spec__=None)
    main.__dict__.pop("__file__", None)
    try:
        yield
    finally:
        main.__dict__.update(hidden)


def _forget_fork_server() -> None:
    """In a forked process: the server is the parent's child, and says nothing to anybody else."""
    server: Any = forkserver._forkserver
    if getattr(server, "_forkserver_pid", None) is not None:
        with contextlib.suppress(OSError):
            os.close(server._forkserver_alive_fd)
        server.__init__()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_fork_server)


def _wake_fork_server() -> None:
    """The server starts all workers and tells how they ended; stopped, it would do neither."""
    pid = getattr(forkserver._forkserver, "_forkserver_pid", None)
    if pid is not None:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGCONT)
