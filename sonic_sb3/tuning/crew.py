"""The parent of local workers: it starts them, replaces the dead, and ends them all."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sonic_sb3.errors import StudyError
from sonic_sb3.tuning.storage import STORAGE_ERRORS
from sonic_sb3.tuning.study import OpenStudy
from sonic_sb3.tuning.worker import (
    EXIT_AWAY,
    EXIT_HOPELESS,
    MAX_DEATHS,
    WorkerOrder,
    run_worker,
)

_S_BETWEEN_LOOKS = 0.5
_S_TO_SAVE = 60.0
_MIN_LIFE_S = 20.0
_MAX_SHORT_LIVES = MAX_DEATHS + 5  # one after the other, of any worker: a trial fails before
_PATIENCE_S = 600.0  # with a database that is away
_S_BEFORE_KNOCKING = 5.0


@dataclass(frozen=True)
class CrewOrder:
    """
    What the parent does.

    :param n_workers: Processes.
    :param n_trials: Of the study.
    :param url: Of the storage, without a password.
    :param folder: Of the study.
    :param snapshot_freq: Rollouts between snapshots.
    :param device: As torch names it.
    :param grace_s: After so long without a sign of life a trial is handed on.
    :param deadline_s: On :func:`time.monotonic`; ``None`` for never.
    """

    n_workers: int
    n_trials: int
    url: str
    folder: Path
    snapshot_freq: int | None = None
    device: str = "auto"
    grace_s: float = 300.0
    deadline_s: float | None = None


@dataclass
class _Absence:
    """Since when the storage has not answered."""

    first_s: float = -math.inf
    last_s: float = -math.inf

    def last(self, now_s: float) -> float:
        """Note that it was away now. :returns: For how many seconds it has been."""
        if now_s - self.last_s > 12 * _S_BEFORE_KNOCKING:
            self.first_s = now_s
        self.last_s = now_s
        return now_s - self.first_s


@dataclass
class _Member:
    """A worker process."""

    owner: str
    process: Any
    last_words: Connection
    started_s: float


class Crew:
    """
    Workers of one study.

    :param study: The study.
    :param order: What to do.
    """

    def __init__(self, study: OpenStudy, order: CrewOrder) -> None:
        self._study = study
        self._order = order
        self._members: list[_Member] = []
        self._n_trials_before = len(study.trials())
        self._n_short_lives = 0
        self._away = _Absence()
        self.n_deaths = 0

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that are alive."""
        return [m.process.pid for m in self._members if m.process.is_alive()]

    def work(self, look: Callable[[], None]) -> bool:
        """
        Let the workers work until the study has its trials or time is up.

        :param look: Called now and then, to show how it goes.
        :returns: Whether the study has its trials.
        :raises StudyError: A worker said that it is of no use to go on.
        """
        try:
            for _ in range(self._order.n_workers):
                self._start()
            while self._members:
                with _storage_may_be_away():
                    look()
                deadline_s = self._order.deadline_s
                if deadline_s is not None and time.monotonic() >= deadline_s:
                    return False
                time.sleep(_S_BETWEEN_LOOKS)
                for member in list(self._members):
                    if not member.process.is_alive():
                        self._replace(member)
            return True
        finally:
            self._end()
            with _storage_may_be_away():
                look()

    def _start(self) -> None:
        context = _worker_context()
        receiver, sender = context.Pipe(duplex=False)
        owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        order = WorkerOrder(
            owner,
            self._order.url,
            self._study.name,
            self._order.n_trials,
            self._n_trials_before,
            self._order.folder,
            self._order.snapshot_freq,
            self._order.device,
            self._order.grace_s,
        )
        process = context.Process(target=run_worker, args=(order, sender), name=owner)
        # A worker has no session of its own at once; until then it must not hear Ctrl-C.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            process.start()
        finally:
            signal.signal(signal.SIGINT, before)
        sender.close()
        self._members.append(_Member(owner, process, receiver, time.monotonic()))

    def _replace(self, member: _Member) -> None:
        self._members.remove(member)
        code = member.process.exitcode
        is_away = code == EXIT_AWAY
        if code == EXIT_HOPELESS or (
            is_away and self._away.last(time.monotonic()) > max(_PATIENCE_S, self._order.grace_s)
        ):
            words = member.last_words.recv() if member.last_words.poll() else "a worker gave up"
            raise StudyError(f"{words}; its output is in {self._log(member)}")
        member.last_words.close()
        if code == 0:
            return
        if is_away:  # a database that is restarted comes back
            time.sleep(_S_BEFORE_KNOCKING)
            self._start()
            return
        self.n_deaths += 1
        with _storage_may_be_away():
            self._study.slots.give_back_all(member.owner)
        is_short = time.monotonic() - member.started_s < _MIN_LIFE_S
        self._n_short_lives = self._n_short_lives + 1 if is_short else 0
        if self._n_short_lives > _MAX_SHORT_LIVES * self._order.n_workers:
            raise StudyError(
                f"workers die as soon as they are started (exit code {code}): what the last one "
                f"said is in {self._log(member)}"
            )
        self._start()

    def _log(self, member: _Member) -> Path:
        return self._order.folder / "workers" / f"{member.owner}.log"

    def _end(self) -> None:
        """Let the workers save and end; who takes too long is killed."""
        try:
            for member in self._members:
                if member.process.is_alive():
                    os.kill(member.process.pid, signal.SIGTERM)
            deadline_s = time.monotonic() + _S_TO_SAVE
            for member in self._members:
                member.process.join(max(0.0, deadline_s - time.monotonic()))
        finally:
            for member in self._members:
                if member.process.is_alive():
                    member.process.kill()
                    member.process.join()
                with _storage_may_be_away():
                    self._study.slots.give_back_all(member.owner)
            self._members.clear()


def _storage_may_be_away() -> contextlib.suppress:
    """A database that is restarted ends no study: workers begin anew, leases run out."""
    return contextlib.suppress(*STORAGE_ERRORS)


def _worker_context() -> Any:
    """Start method: a fork server that imported torch once, so that a new worker starts fast."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sonic_sb3.tuning.trial_run"])
    return context
