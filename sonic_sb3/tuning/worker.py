"""
A worker: one process that takes slot after slot of a study and works on each slot's trial.

It may be killed at any moment. Its thread says that it is alive, and ends it when its parent is
gone or its slot was given to another.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from sonic_sb3.errors import CannotWriteError, SonicError, StudyError
from sonic_sb3.machine import give_back_memory
from sonic_sb3.stop_signals import StoppedBySignal, stop_signals

if TYPE_CHECKING:
    from optuna.trial import Trial, TrialState

    from sonic_sb3.tuning.slots import Lease
    from sonic_sb3.tuning.trial_run import TrialRun

MAX_DEATHS = 25
MAX_FAILURES = 5
MAX_CONFIRMATION_FAILURES = 2
EXIT_HOPELESS = 3
EXIT_AWAY = 4
_S_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class WorkerOrder:
    """
    What a worker is told.

    :param owner: Its name, unique among all workers of all times.
    :param url: Of the storage, without a password.
    :param name: Of the study.
    :param n_trials: How many trials the study shall have.
    :param first_new_trial: Number of the first trial that began after this command.
    :param folder: Of the study.
    :param snapshot_freq: Rollouts between snapshots; ``None`` for about every two minutes.
    :param device: As torch names it.
    :param grace_s: After so long without a sign of life a trial is handed on.
    """

    owner: str
    url: str
    name: str
    n_trials: int
    first_new_trial: int
    folder: Path
    snapshot_freq: int | None
    device: str
    grace_s: float


def run_worker(order: WorkerOrder, last_words: Connection) -> None:
    """
    Work until the study has all its trials; the target of a process.

    :param order: What to do.
    :param last_words: Gets a line when it is of no use to start another worker.
    """
    # Ctrl-C is for the parent, which ends its workers.
    os.setsid()
    _write_to(order.folder / "workers" / f"{order.owner}.log")
    status = 0
    from sonic_sb3.tuning.storage import StorageAwayError

    with stop_signals():
        try:
            _Worker(order).work()
        except StoppedBySignal as stop:
            status = 128 + stop.number
        except StorageAwayError as error:
            print(error, file=sys.stderr)
            last_words.send(" ".join(str(error).split()))
            status = EXIT_AWAY
        except SonicError as error:
            last_words.send(" ".join(str(error).split()))
            status = EXIT_HOPELESS
        except BaseException:
            traceback.print_exc()
            status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # Whatever libraries do at exit, they may not keep a worker from ending.
    os._exit(status)


def _write_to(path: Path) -> None:
    """What the process prints goes to a file, for the terminal shows a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


class _Worker:
    """The life of a worker."""

    def __init__(self, order: WorkerOrder) -> None:
        from sqlalchemy.engine import make_url

        from sonic_sb3.tuning.study import open_study

        self._order = order
        self._study = open_study(make_url(order.url), order.name, order.grace_s)
        self._space = self._study.settings.make_space()
        self._pulse = _Pulse(self, order)

    def work(self) -> None:
        """Take slots until there are none."""
        self._pulse.start()
        lease = None
        try:
            while True:
                self._check_failures()
                lease = self._study.slots.claim(self._order.owner, self._order.n_trials)
                if lease is not None:
                    self._work_on(lease)
                elif self._study.slots.are_finished(self._order.n_trials):
                    return
                else:
                    time.sleep(_S_BETWEEN_LOOKS)  # others are at work; they may die
        except StoppedBySignal:
            self._pulse.lease = None
            if lease is not None:
                self._study.slots.give_back(lease)
            self._study.slots.give_back_all(self._order.owner)
            raise

    def _check_failures(self) -> None:
        """:raises StudyError: One trial after the other failed since this command was started."""
        from optuna.trial import TrialState

        from sonic_sb3.tuning.study import FAILURE

        new = self._study.trials()[self._order.first_new_trial :]
        finished = [t for t in new if t.state.is_finished()]
        last = finished[-MAX_FAILURES:]
        if len(last) < MAX_FAILURES or any(t.state != TrialState.FAIL for t in last):
            return
        # Bad points fail in seconds and are drawn anew, while good ones take their minutes.
        longest = max((t.duration for t in last if t.duration), default=timedelta())
        begun = [t.datetime_start for t in new if t.state == TrialState.RUNNING]
        if not any(at is not None and datetime.now() - at > 2 * longest for at in begun):
            raise StudyError(
                f"the last {MAX_FAILURES} trials failed, the last one for: "
                f"{last[-1].user_attrs.get(FAILURE)}; repair that and start the same command again"
            )

    def _work_on(self, lease: Lease) -> None:
        self._pulse.lease = lease
        try:
            trial = self._study.open_trial(lease)
            if trial is None:
                self._study.slots.finish(lease)
            elif lease.n_deaths >= MAX_DEATHS:
                self._fail(lease, trial, f"{lease.n_deaths} workers died of it, one by one")
            else:
                self._run(lease, trial)
        finally:
            self._pulse.lease = None
            give_back_memory()

    def _run(self, lease: Lease, trial: Trial) -> None:
        import optuna
        from optuna.trial import TrialState

        from sonic_sb3.tuning.storage import STORAGE_ERRORS

        try:
            value = self._make_run(lease, trial).run()
        except optuna.TrialPruned:
            self._tell(lease, trial, None, TrialState.PRUNED)
        except CannotWriteError:
            # Nor is a full disk. All workers end, and what is saved stays.
            self._study.slots.give_back(lease)
            raise
        except (*STORAGE_ERRORS, EOFError, ConnectionError):
            # The database or a process went away, which is not the trial's fault: this worker ends
            # and another one goes on with it.
            raise
        except Exception as error:
            traceback.print_exc()
            reason = " ".join(str(error).split()) or "no message"
            self._fail(lease, trial, f"{type(error).__name__}: {reason[:500]}")
        else:
            self._tell(lease, trial, value, TrialState.COMPLETE)

    def _make_run(self, lease: Lease, trial: Trial) -> TrialRun:
        from sonic_sb3.tuning.trial_run import TrialRun

        settings = self._study.settings
        point = self._space.suggest(trial)

        def count(n_timesteps: int) -> None:
            lease.n_timesteps = n_timesteps

        return TrialRun(
            settings=settings,
            trial=trial,
            point=point,
            hyperparameters=self._space.make(settings.algo, point, settings.hyperparameters),
            seeds=self._study.seeds_of_slot(lease.slot),
            folder=self._order.folder,
            snapshot_freq=self._order.snapshot_freq,
            device=self._order.device,
            on_step=count,
        )

    def _tell(self, lease: Lease, trial: Trial, value: float | None, state: TrialState) -> None:
        """Tell the result, if the slot is still ours to tell."""
        if not self._study.slots.renew(lease):
            return
        trial.study.tell(trial, value, state=state)
        self._study.slots.finish(lease)

    def _fail(self, lease: Lease, trial: Trial, reason: str) -> None:
        """
        The trial failed; its slot is given back and gets another one. A slot of a confirmation gets
        the very same one, which is tried once more and then counts as what it is.
        """
        from optuna.trial import TrialState

        from sonic_sb3.tuning.study import FAILURE, SLOT
        from sonic_sb3.tuning.trial_run import drop_snapshots, trial_folder

        if not self._study.slots.renew(lease):
            return
        trial.set_user_attr(FAILURE, reason)
        trial.study.tell(trial, state=TrialState.FAIL)
        drop_snapshots(trial_folder(self._order.folder, trial.number))
        of_slot = [t for t in self._study.trials() if t.user_attrs.get(SLOT) == lease.slot]
        if self._study.settings.candidates and len(of_slot) >= MAX_CONFIRMATION_FAILURES:
            self._study.slots.finish(lease)
            return
        self._study.slots.start_anew(lease)
        self._study.slots.give_back(lease)

    def renew(self, lease: Lease) -> bool:
        """Say that the work on a slot goes on. :returns: Whether it is still ours."""
        return self._study.slots.renew(lease)


class _Pulse(threading.Thread):
    """
    Renews the lease and watches the parent.

    :param worker: Whose pulse it is.
    :param order: What it was told.
    """

    def __init__(self, worker: _Worker, order: WorkerOrder) -> None:
        super().__init__(daemon=True)
        self._worker = worker
        self._order = order
        # Not getppid(): that is the fork server, which outlives the command.
        self._parent = multiprocessing.parent_process()
        self.lease: Lease | None = None

    def run(self) -> None:
        """Until the process ends."""
        renewed_s = time.monotonic()
        every_s = min(5.0, self._order.grace_s / 6)
        n_written = 0
        while True:
            time.sleep(0.5)
            if self._parent is not None and not self._parent.is_alive():
                _stop()
                return
            lease = self.lease
            if lease is None:
                continue
            # Progress is told soon: a worker that dies without any counts against its trial.
            due_s = every_s if lease.n_timesteps == n_written else min(2.0, every_s)
            if time.monotonic() - renewed_s < due_s:
                continue
            n_written = lease.n_timesteps
            try:
                is_ours = self._worker.renew(lease)
            except Exception:
                traceback.print_exc()  # the database is away; it may come back in time
                continue
            renewed_s = time.monotonic()
            if not is_ours and self.lease is lease:
                print(f"slot {lease.slot} was given to another worker", file=sys.stderr)
                _stop()
                return


def _stop() -> None:
    """Let the main thread save and end."""
    os.kill(os.getpid(), signal.SIGTERM)
