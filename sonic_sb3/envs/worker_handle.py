"""
The parent's side of one worker: it talks to it, and brings it back when it dies or freezes.

What was asked of a worker since its last snapshot is kept; a new process gets the snapshot and is
asked the same again, so that nobody can tell the difference.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing import forkserver, reduction
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import cloudpickle
import numpy as np
import numpy.typing as npt

from sonic_sb3.envs.core_proof import ProofResult
from sonic_sb3.envs.shared_batch import BatchShape, SharedBatch
from sonic_sb3.envs.timed_pipe import receive_bytes, send_bytes, wait_for_message
from sonic_sb3.envs.worker import OK, STEP, EnvFn, run_worker
from sonic_sb3.errors import SonicError, WorkerError

logger = logging.getLogger(__name__)

MAX_RESTARTS_IN_A_ROW = 10
_MAX_PATIENCE = 4
_FIRST_PAUSE_S = 0.02  # before the second restart in a row; doubles, to ten seconds in all
_FORK_SERVER_DIED = 255  # what multiprocessing then says of the processes that it had started
# What changes an env, and so has to be asked again of a new process.
_CHANGING = frozenset({"reset", "set_attr", "env_method", "set_snapshots"})
# What an env or a question to it may raise, told as it is.
_REFUSALS = (SonicError, AttributeError, TypeError)
# What the workers of this process proved of the fast core, by ROM.
_known_proofs: dict[str, ProofResult] = {}


class _GivenUpError(WorkerError):
    """A worker that is gone for good."""


class _LostWorkerError(Exception):
    """The process died, or did not answer in time."""


@dataclass
class WorkerHandle:
    """
    One worker process and the envs it has.

    :param context: Of multiprocessing.
    :param env_fns: Make its envs.
    :param env_indices: Which envs of the vec env these are.
    :param n_stack: Observations to stack.
    :param reply_timeout_s: After so long without an answer it counts as frozen.
    """

    context: Any
    env_fns: Sequence[EnvFn]
    env_indices: range
    n_stack: int
    reply_timeout_s: float
    n_restarts: int = 0
    spaces: Any = None
    _process: BaseProcess | None = None
    _pipe: Connection | None = None
    _batch: tuple[SharedBatch, BatchShape] | None = None
    _snapshot: list[dict[str, Any]] | None = None
    # Commands since the snapshot as they were sent, a step as the array of its actions. `None`: it
    # cannot be restarted.
    _journal: list[Any] | None = field(default_factory=list)
    # Attributes that were set, by env and name: no snapshot knows of them.
    _attributes: dict[tuple[int, str], bytes] = field(default_factory=dict)
    # A question to be asked again of a new process, for it is not in the journal.
    _question: bytes | None = None
    _owes_answer: bool = False
    # Ctrl-C came in the middle of a message or restart: nothing more would be understood.
    _is_torn: bool = False
    _is_closed: bool = False
    # How many times the time limit it is given now.
    _patience: int = 1

    def start(self) -> None:
        """Begin the process; :meth:`wait_until_ready` must follow."""
        with contextlib.suppress(_LostWorkerError):  # which then finds none, and tries again
            self._start()

    def _start(self) -> None:
        parent_pipe, worker_pipe = self.context.Pipe()
        own_fns = cloudpickle.dumps(list(self.env_fns))
        first = self.env_indices.start
        args = (worker_pipe, parent_pipe, own_fns, first, self.n_stack, _known_proofs)
        process = self.context.Process(target=run_worker, args=args, daemon=True)
        _wake_fork_server()
        try:
            process.start()
        except (EOFError, OSError) as error:
            raise _LostWorkerError(f"could not be started ({error!r})") from error
        # Only now: a signal may come at any time, and what was not started cannot be joined.
        self._process, self._pipe = process, parent_pipe
        self._is_torn = False
        worker_pipe.close()

    def wait_until_ready(self) -> None:
        """Wait for its envs to be made. :raises SonicError: What the envs themselves raise."""
        if self._process is None:
            self._restart(_LostWorkerError("could not be started"))
            return
        try:
            self._read_greeting()
        except _LostWorkerError as lost:
            self._check_could_begin(lost)
            self._restart(lost)

    def share(self, batch: SharedBatch, shape: BatchShape) -> None:
        """Give it the memory that all workers write to."""
        self._batch = (batch, shape)
        try:
            self._send_batch()
            self._receive()
        except _LostWorkerError as lost:
            self._restart(lost)

    def send(self, command: str, *args: Any) -> None:
        """Ask for something; :meth:`receive` gets the answer."""
        packed = cloudpickle.dumps((command, *args))  # first: what cannot be sent was never asked
        self.settle()
        if command == "set_attr" or (command == "env_method" and args[1] == "set_wrapper_attr"):
            self._remember_attribute(command, args, packed)
        self._question = packed
        if command in _CHANGING:
            self._question = None
            self._write_down(packed)
        self._owes_answer = True
        self._try_to_send(packed)

    def send_step(self, actions: npt.NDArray[Any]) -> None:
        """Ask for a step. :param actions: Of its own envs, one row each."""
        self.settle()
        assert self._batch is not None
        self._batch[0].actions[self.rows] = actions
        self._question = None
        self._write_down(actions.copy())
        self._owes_answer = True
        self._try_to_send(STEP)

    def settle(self) -> None:
        """
        Take an answer that nobody waited for in the end: Ctrl-C came, or another worker's error.
        """
        if self._is_closed:
            raise WorkerError(f"expected open envs: {self._names} closed already")
        if not self._owes_answer:
            return
        try:
            self.receive()
        except _GivenUpError:
            raise
        except _REFUSALS as error:
            logger.debug("an answer of %s that nobody waited for: %s", self._names, repr(error))

    def receive(self) -> Any:
        """The answer to what was asked last. :raises SonicError: What the env raised."""
        try:
            answer = self._receive_or_restart()
        except Exception:  # Ctrl-C is none
            self._owes_answer = False
            raise
        self._owes_answer = False
        return answer

    def keep_snapshot(self) -> None:
        """Take a new snapshot, from which a restart will begin."""
        if self._journal is None:
            return
        self.send("get_snapshots")
        try:
            self._snapshot = self.receive()
            self._journal.clear()
        except _GivenUpError:
            raise  # its old state would not fit the other workers'
        except SonicError as error:
            # As text: who keeps the message must not keep the error, which holds on to everything.
            logger.warning("workers of these envs cannot be restarted: %s", str(error))
            self._journal = None

    def adopt_snapshot(self, snapshots: list[dict[str, Any]]) -> None:
        """Put states back that :meth:`keep_snapshot` took, also in another process."""
        self.send("set_snapshots", snapshots)
        self.receive()
        self._snapshot = snapshots
        if self._journal is not None:
            self._journal.clear()

    @property
    def snapshot(self) -> list[dict[str, Any]]:
        """The last snapshot. :raises WorkerError: These envs have none."""
        if self._snapshot is None:
            raise WorkerError(
                "these envs cannot be saved: a wrapper does not tell its state, expected a class "
                "attribute snapshot_attributes"
            )
        return self._snapshot

    @property
    def rows(self) -> slice:
        """Its envs' rows in everything that has one row per env."""
        return slice(self.env_indices.start, self.env_indices.stop)

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return None if self._process is None else self._process.pid

    def ask_to_close(self) -> None:
        """Tell it to end by itself, if it was started at all."""
        self._is_closed = True
        if self._pipe is not None:
            self._try_to_send(cloudpickle.dumps(("close",)))

    def end(self, timeout_s: float = 0.0) -> None:
        """Wait for its end, then make sure of it. :param timeout_s: How long to wait."""
        if self._process is not None:
            self._process.join(timeout_s)
            if self._process.is_alive():
                self._process.kill()
                _wake_fork_server()
                self._process.join()
            self._process.close()
            self._process = None
        if self._pipe is not None:
            self._pipe.close()

    # -- inside ---------------------------------------------------------------------------------

    def _write_down(self, entry: Any) -> None:
        if self._journal is not None:
            self._journal.append(entry)

    def _remember_attribute(self, command: str, args: tuple[Any, ...], packed: bytes) -> None:
        env_index, name = args[:2]
        if command == "env_method":
            name = args[2][0] if args[2] else args[3].get("name")
        self._attributes.pop((env_index, str(name)), None)  # so that the last set stands last
        self._attributes[env_index, str(name)] = packed

    def _try_to_send(self, packed: bytes) -> None:
        assert self._pipe is not None
        was_torn, self._is_torn = self._is_torn, True
        # If it is gone or frozen, waiting for the answer will tell.
        with contextlib.suppress(OSError):
            send_bytes(self._pipe, packed, self._timeout_s)
        self._is_torn = was_torn

    def _receive_or_restart(self) -> Any:
        try:
            return self._receive()
        except _LostWorkerError as lost:
            answer = self._restart(lost)
        if self._question is None:
            return answer
        self._try_to_send(self._question)
        return self._receive_or_restart()

    def _receive(self) -> Any:
        assert self._pipe is not None
        if self._is_torn:
            raise _LostWorkerError("was interrupted")
        try:
            wait_for_message(self._pipe, self._timeout_s)
            self._is_torn = True
            message = receive_bytes(self._pipe, self._timeout_s)
            self._is_torn = False
        except TimeoutError as error:
            raise _LostWorkerError(f"did not answer for {self._timeout_s:g} s") from error
        except (EOFError, OSError) as error:
            raise _LostWorkerError(self._describe_death()) from error
        if message[:1] == OK:
            return pickle.loads(message[1:])
        failure, text = pickle.loads(message[1:])
        if isinstance(failure, _REFUSALS):
            raise failure
        raise WorkerError(f"an env failed in its worker:\n{text}")

    def _read_greeting(self) -> None:
        self.spaces, proofs = self._receive()
        _known_proofs.update(proofs)

    def _send_batch(self) -> None:
        assert self._batch is not None
        assert self._pipe is not None
        assert self._process is not None
        batch, shape = self._batch
        self._try_to_send(cloudpickle.dumps(("attach", shape)))
        with contextlib.suppress(OSError):
            reduction.send_handle(self._pipe, batch.fd, self._process.pid)

    def _check_could_begin(self, lost: _LostWorkerError) -> None:
        """A process that Python itself ended before it had anything to do would do so again."""
        assert self._process is not None
        code = self._process.exitcode or 0
        if 0 < code < _FORK_SERVER_DIED:
            raise WorkerError(
                f"the worker of {self._names} {lost} before it could begin; what it printed stands "
                'above. A script that makes envs needs `if __name__ == "__main__":` around what it '
                "runs, because workers import it"
            )

    def _restart(self, lost: _LostWorkerError) -> Any:
        """Start anew until it works. :returns: The answer to the journal's last command."""
        if self._journal is None:
            raise _GivenUpError(f"the worker of {self._names} {lost} and cannot be restarted")
        for attempt in range(MAX_RESTARTS_IN_A_ROW):
            if attempt > 0:
                # A fork server that was killed refuses until it is seen to be gone, which on a busy
                # machine outlasts ten tries without a pause.
                time.sleep(_FIRST_PAUSE_S * 2 ** (attempt - 1))
            logger.warning("the worker of %s %s: it is restarted", self._names, str(lost))
            self.n_restarts += 1
            # A machine that is too busy to answer in time is given more of it.
            self._patience = min(2**attempt, _MAX_PATIENCE)
            try:
                self.end()
                self._start()
                self._read_greeting()
                return None if self._batch is None else self._replay()
            except _LostWorkerError as lost_again:
                lost = lost_again
            except KeyboardInterrupt:
                self._is_torn = True
                raise
            finally:
                self._patience = 1
        raise _GivenUpError(
            f"the worker of {self._names} {lost}; given up after {MAX_RESTARTS_IN_A_ROW} restarts "
            "in a row; what it printed last stands above"
        )

    def _replay(self) -> Any:
        assert self._journal is not None
        assert self._batch is not None
        self._send_batch()
        self._receive()
        for packed in self._attributes.values():
            self._try_to_send(packed)
            with contextlib.suppress(*_REFUSALS):
                self._receive()
        if self._snapshot is not None:
            self._try_to_send(cloudpickle.dumps(("set_snapshots", self._snapshot)))
            self._receive()
        answer = None
        for index, entry in enumerate(self._journal):
            if isinstance(entry, np.ndarray):
                self._batch[0].actions[self.rows] = entry
                self._try_to_send(STEP)
            else:
                self._try_to_send(entry)
            try:
                answer = self._receive()
            except _REFUSALS:
                # What failed before fails again; only the last answer is still waited for.
                if index == len(self._journal) - 1:
                    raise
        return answer

    def _describe_death(self) -> str:
        assert self._process is not None
        self._process.join(1.0)
        code = self._process.exitcode
        if code is not None and code < 0:
            known = -code in set(signal.Signals)  # real-time signals have no names
            return f"was killed by {signal.Signals(-code).name if known else f'signal {-code}'}"
        return f"died with exit code {code}"

    @property
    def _timeout_s(self) -> float:
        return self.reply_timeout_s * self._patience

    @property
    def _names(self) -> str:
        first, last = self.env_indices.start, self.env_indices.stop - 1
        return f"env {first}" if first == last else f"envs {first} to {last}"


def _wake_fork_server() -> None:
    """The server starts all workers and tells how they ended; stopped, it would do neither."""
    pid = getattr(forkserver._forkserver, "_forkserver_pid", None)
    if pid is not None:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGCONT)
