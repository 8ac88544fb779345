"""
The parent's side of one worker: it talks to it, and brings it back when it dies or freezes.

What was asked of a worker since its last snapshot is kept; a new process gets the snapshot and is
asked the same again, so that nobody can tell the difference.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cloudpickle
import numpy as np
import numpy.typing as npt

from sonic_sb3.envs.core_proof import ProofResult
from sonic_sb3.envs.shared_batch import BatchShape, SharedBatch
from sonic_sb3.envs.worker import STEP, EnvFn
from sonic_sb3.envs.worker_journal import CHANGING, MAX_ENTRIES, Snapshots, WorkerJournal
from sonic_sb3.envs.worker_process import REFUSALS, LostWorkerError, WorkerProcess
from sonic_sb3.errors import WorkerError

logger = logging.getLogger(__name__)

MAX_RESTARTS_IN_A_ROW = 10
_MAX_PATIENCE = 4
_FIRST_PAUSE_S = 0.02  # before the second restart in a row; doubles, to ten seconds in all
# What the workers of this process proved of the fast core, by ROM.
_known_proofs: dict[str, ProofResult] = {}


class _GivenUpError(WorkerError):
    """A worker that is gone for good."""


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
    _process: WorkerProcess | None = None
    _batch: tuple[SharedBatch, BatchShape] | None = None
    # `None`: it cannot be restarted.
    _journal: WorkerJournal | None = field(default_factory=WorkerJournal)
    # To be asked again of a new process, for a mere question is not in the journal.
    _question: bytes | None = None
    _owes_answer: bool = False
    # While a message is under way, or a restart: stopped there, as by Ctrl-C, nothing that comes
    # after would be understood.
    _is_torn: bool = False
    _is_closed: bool = False
    # How many times the time limit it is given now.
    _patience: int = 1

    # -- the process ----------------------------------------------------------------------------

    def start(self) -> None:
        """Begin the process; :meth:`wait_until_ready` must follow."""
        with contextlib.suppress(LostWorkerError):  # which then finds none, and tries again
            self._start()

    def wait_until_ready(self) -> None:
        """Wait for its envs to be made. :raises SonicError: What the envs themselves raise."""
        if self._process is None:
            self._restart(LostWorkerError("could not be started"))
        else:
            try:
                self._read_greeting(self._process)
            except LostWorkerError as lost:
                self._check_could_begin(self._process, lost)
                self._restart(lost)
        self._is_torn = False

    def share(self, batch: SharedBatch, shape: BatchShape) -> None:
        """Give it the memory that all workers write to."""
        self._batch = (batch, shape)
        try:
            self._send_batch(self._running())
        except LostWorkerError as lost:
            self._restart(lost)
        self._is_torn = False

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return None if self._process is None else self._process.pid

    def ask_to_close(self) -> None:
        """Tell it to end by itself, if it was started at all."""
        self._is_closed = True
        # One that does not read what it was sent would keep us waiting.
        if self._process is not None and not self._is_torn:
            self._process.send(cloudpickle.dumps(("close",)), self._timeout_s)

    def end(self, timeout_s: float = 0.0) -> None:
        """Wait for its end, then make sure of it. :param timeout_s: How long to wait."""
        if self._process is not None:
            self._process.end(timeout_s)
            self._process = None

    # -- questions and answers ------------------------------------------------------------------

    def send(self, command: str, *args: Any) -> None:
        """Ask for something; :meth:`receive` gets the answer."""
        message = cloudpickle.dumps((command, *args))  # first: what cannot be sent was never asked
        self.settle()
        is_changing = command in CHANGING
        if is_changing and self._journal is not None and len(self._journal.entries) >= MAX_ENTRIES:
            self.keep_snapshot()
        self._is_torn, was_torn = True, self._is_torn
        if is_changing and self._journal is not None:
            self._journal.add_command(message, command, args)
        self._ask(message, None if is_changing else message, was_torn)

    def send_step(self, actions: npt.NDArray[Any]) -> None:
        """Ask for a step. :param actions: Of its own envs, one row each."""
        self.settle()
        assert self._batch is not None
        self._is_torn, was_torn = True, self._is_torn
        self._batch[0].actions[self.rows] = actions
        if self._journal is not None:
            self._journal.add_step(actions)
        self._ask(STEP, None, was_torn)

    def settle(self) -> None:
        """
        Take an answer that nobody waited for in the end: Ctrl-C came, or another worker's error.

        :raises WorkerError: It is gone for good.
        """
        self._check_open()
        if not self._owes_answer:
            return
        try:
            self.receive()
        except _GivenUpError:
            raise
        except REFUSALS as error:
            logger.debug("an answer of %s that nobody waited for: %s", self._names, repr(error))

    def receive(self) -> Any:
        """The answer to what was asked last. :raises SonicError: What the env raised."""
        self._check_open()
        if not self._owes_answer:
            raise WorkerError(f"expected a question to {self._names} first, none is open")
        try:
            answer = self._receive_or_restart()
        except _GivenUpError:
            self._owes_answer = False
            self._is_torn = True  # whoever asks again begins with a new process
            raise
        except Exception:  # Ctrl-C is none
            self._owes_answer = False
            self._is_torn = False
            raise
        self._owes_answer = False
        self._is_torn = False
        return answer

    # -- snapshots ------------------------------------------------------------------------------

    def keep_snapshot(self, must_succeed: bool = True) -> None:
        """
        Take a new snapshot, from which a restart will begin.

        :param must_succeed: Else, an env that cannot tell its state goes without restarts from now
            on; without it, the old snapshot is kept.
        """
        if self._journal is None:
            return
        self.send("get_snapshots")
        try:
            self._journal.begin_at(self.receive())
        except _GivenUpError:
            raise  # its old state would not fit the other workers'
        except REFUSALS as error:
            if must_succeed:
                # As text: who keeps the message must not keep the error, which holds on to much.
                logger.warning("workers of these envs cannot be restarted: %s", str(error))
                self._journal = None

    def adopt_snapshot(self, snapshots: Snapshots) -> None:
        """Put states back that :meth:`keep_snapshot` took, also in another process."""
        self.send("set_snapshots", snapshots)
        self.receive()
        if self._journal is not None:
            self._journal.begin_at(snapshots)

    @property
    def snapshot(self) -> Snapshots:
        """The last snapshot. :raises WorkerError: These envs have none."""
        if self._journal is None or self._journal.snapshots is None:
            raise WorkerError(
                "these envs cannot be saved: a wrapper does not tell its state, expected a class "
                "attribute snapshot_attributes"
            )
        return self._journal.snapshots

    @property
    def rows(self) -> slice:
        """Its envs' rows in everything that has one row per env."""
        return slice(self.env_indices.start, self.env_indices.stop)

    # -- inside ---------------------------------------------------------------------------------

    def _start(self) -> None:
        own_fns = cloudpickle.dumps(list(self.env_fns))
        arguments = (own_fns, self.env_indices.start, self.n_stack, _known_proofs)
        # What is defined in the user's script may need what else happens there, as a registration.
        imports_main = b"__main__" in own_fns
        self._process = WorkerProcess(self.context, arguments, imports_main=imports_main)

    def _check_open(self) -> None:
        if self._is_closed:
            raise WorkerError(f"expected open envs: {self._names} closed already")

    def _running(self) -> WorkerProcess:
        assert self._process is not None
        return self._process

    def _ask(self, message: bytes, question: bytes | None, was_torn: bool) -> None:
        self._question = question
        self._owes_answer = True
        if not was_torn:
            self._running().send(message, self._timeout_s)
        self._is_torn = was_torn

    def _receive_or_restart(self) -> Any:
        for _ in range(MAX_RESTARTS_IN_A_ROW):
            try:
                if self._is_torn:
                    raise LostWorkerError("was interrupted")
                process = self._running()
                process.wait_for_answer(self._timeout_s)
                self._is_torn = True
                return process.read_answer(self._timeout_s)
            except LostWorkerError as error:
                lost = error
            answer = self._restart(lost)
            if self._question is None:
                return answer
            self._running().send(self._question, self._timeout_s)
            self._is_torn = False
        raise _GivenUpError(
            f"the worker of {self._names} {lost}, {MAX_RESTARTS_IN_A_ROW} times in a row when it "
            "was asked the same; what it printed last stands above"
        )

    def _read_greeting(self, process: WorkerProcess) -> None:
        self.spaces, proofs = process.read_answer(self._timeout_s)
        _known_proofs.update(proofs)

    def _send_batch(self, process: WorkerProcess) -> None:
        assert self._batch is not None
        batch, shape = self._batch
        process.send(cloudpickle.dumps(("attach", shape)), self._timeout_s)
        process.send_descriptor(batch.fd)
        process.read_answer(self._timeout_s)

    def _check_could_begin(self, process: WorkerProcess, lost: LostWorkerError) -> None:
        """A process that Python itself ended before it had anything to do would do so again."""
        if process.ended_in_python:
            raise WorkerError(
                f"the worker of {self._names} {lost} before it could begin; what it printed stands "
                'above. A script that makes envs needs `if __name__ == "__main__":` around what it '
                "runs, because workers import it"
            )

    def _restart(self, lost: LostWorkerError) -> Any:
        """
        Start anew until it works; it counts as torn until the caller knows what to make of it.

        :returns: The answer to the journal's last command.
        """
        if self._journal is None:
            raise _GivenUpError(f"the worker of {self._names} {lost} and cannot be restarted")
        self._is_torn = True
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
                process = self._running()
                self._read_greeting(process)
                return None if self._batch is None else self._replay(process, self._journal)
            except LostWorkerError as lost_again:
                lost = lost_again
            finally:
                self._patience = 1
        raise _GivenUpError(
            f"the worker of {self._names} {lost}; given up after {MAX_RESTARTS_IN_A_ROW} restarts "
            "in a row; what it printed last stands above"
        )

    def _replay(self, process: WorkerProcess, journal: WorkerJournal) -> Any:
        assert self._batch is not None
        self._send_batch(process)
        for message in journal.attribute_messages():
            process.send(message, self._timeout_s)
            try:
                process.read_answer(self._timeout_s)
            except REFUSALS as error:
                logger.debug("refused as before: %s", repr(error))
        if (message_of_snapshot := journal.snapshot_message()) is not None:
            process.send(message_of_snapshot, self._timeout_s)
            try:
                process.read_answer(self._timeout_s)
            except REFUSALS as error:
                raise _GivenUpError(
                    f"the worker of {self._names} lost its state: {error}"
                ) from error
        answer = None
        for index, entry in enumerate(journal.entries):
            if isinstance(entry, np.ndarray):
                self._batch[0].actions[self.rows] = entry
                entry = STEP
            process.send(entry, self._timeout_s)
            try:
                answer = process.read_answer(self._timeout_s)
            except REFUSALS:
                # What failed before fails again; only the last answer is still waited for.
                if index == len(journal.entries) - 1 and self._question is None:
                    raise
        return answer

    @property
    def _timeout_s(self) -> float:
        return self.reply_timeout_s * self._patience

    @property
    def _names(self) -> str:
        first, last = self.env_indices.start, self.env_indices.stop - 1
        return f"env {first}" if first == last else f"envs {first} to {last}"
