"""How a study is doing: numbers out of its storage, a live table in a terminal, lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.live import Live
from rich.table import Table

from sonic_sb3.tuning.slots import SlotState
from sonic_sb3.tuning.storage import STORAGE_ERRORS
from sonic_sb3.tuning.study import CANDIDATE, COUNTED, FAILURE, SLOT, OpenStudy

_S_BETWEEN_READS = 2.0
_N_BEST = 5


@dataclass(frozen=True)
class StudyState:
    """
    A study at one moment.

    :param trials: All trials.
    :param slots: All slots that were begun.
    :param n_trials: How many the study shall have.
    :param n_timesteps: Of one trial, all its seeds.
    """

    trials: list[FrozenTrial]
    slots: list[SlotState]
    n_trials: int
    n_timesteps: int

    def count(self, state: TrialState) -> int:
        """Trials in a state."""
        return sum(trial.state == state for trial in self.trials)

    @property
    def n_finished(self) -> int:
        """Trials that count, and those of a confirmation that failed for good."""
        counted = [t.user_attrs.get(SLOT) for t in self.trials if t.state in COUNTED]
        finished = {slot.slot for slot in self.slots if slot.is_finished}
        return len(counted) + len(finished - set(counted))

    @property
    def n_held(self) -> int:
        """Trials that somebody is at work on."""
        return sum(slot.is_held for slot in self.slots)

    @property
    def best(self) -> list[FrozenTrial]:
        """The best completed trials."""
        completed = [t for t in self.trials if t.state == TrialState.COMPLETE]
        return sorted(completed, key=lambda t: (-float(t.value or 0.0), t.number))[:_N_BEST]

    @property
    def share_done(self) -> float:
        """How much of the study is done, 0..1; running trials count by their timesteps."""
        running = sum(
            min(1.0, slot.n_timesteps / self.n_timesteps)
            for slot in self.slots
            if not slot.is_finished and slot.slot < self.n_trials
        )
        return min(1.0, (self.n_finished + running) / self.n_trials)


def read_state(study: OpenStudy, n_trials: int) -> StudyState:
    """
    Read how a study is doing.

    :param study: The study.
    :param n_trials: How many trials it shall have.
    """
    n_seeds = 1 if study.settings.candidates else study.settings.n_seeds
    return StudyState(
        study.trials(), study.slots.read(), n_trials, study.settings.n_timesteps * n_seeds
    )


@dataclass
class ProgressDisplay:
    """
    Shows a study while workers are at it. A context manager.

    :param study: The study.
    :param n_trials: How many trials it shall have.
    :param title: Above the table.
    """

    study: OpenStudy
    n_trials: int
    title: str
    _live: Live | None = None
    _read_s: float = 0.0
    _started_s: float = field(default_factory=time.monotonic)
    _share_at_start: float | None = None
    _told: set[int] = field(default_factory=set)

    def __enter__(self) -> Self:
        state = read_state(self.study, self.n_trials)
        self._told = {t.number for t in state.trials if t.state.is_finished()}
        if sys.stderr.isatty():
            self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._read_s = 0.0
        try:
            # What ended the work is what the user must read, not that the storage is away too.
            with contextlib.suppress(*STORAGE_ERRORS):
                self.look()
        finally:
            if self._live is not None:
                self._live.stop()

    def look(self) -> None:
        """Read the storage, if that was not just done, and show what is new."""
        if time.monotonic() - self._read_s < _S_BETWEEN_READS:
            return
        self._read_s = time.monotonic()
        state = read_state(self.study, self.n_trials)
        if self._share_at_start is None:
            self._share_at_start = state.share_done
        if self._live is not None:
            self._live.update(self._make_table(state), refresh=True)
            return
        for trial in state.trials:
            if trial.state.is_finished() and trial.number not in self._told:
                self._told.add(trial.number)
                line = f"{state.n_finished}/{self.n_trials} {describe_trial(trial)}"
                print(f"{line}; {self._eta(state)}", flush=True)

    def _make_table(self, state: StudyState) -> Table:
        table = Table(title=f"{self.title}: {state.n_finished} of {self.n_trials} trials")
        for column in ("trial", "value", "completed", "progress", "parameters"):
            table.add_column(column, overflow="fold")
        for trial in state.best:
            table.add_row(str(trial.number), *describe_value(trial), describe_params(trial))
        table.caption = (
            f"running {state.n_held}, pruned {state.count(TrialState.PRUNED)}, "
            f"failed {state.count(TrialState.FAIL)}, {self._eta(state)}"
        )
        return table

    def _eta(self, state: StudyState) -> str:
        gained = state.share_done - (self._share_at_start or 0.0)
        if state.share_done >= 1.0:
            return "done"
        if gained <= 0.0:
            return "ETA unknown"
        left_s = (1.0 - state.share_done) * (time.monotonic() - self._started_s) / gained
        return f"ETA {format_duration(left_s)}"


def format_duration(seconds: float) -> str:
    """Hours and minutes, or minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d} h" if hours else f"{minutes}:{rest:02d} min"


def describe_trial(trial: FrozenTrial) -> str:
    """A finished trial in a line."""
    what = f"trial {trial.number}"
    if CANDIDATE in trial.user_attrs:
        what += f" (trial {trial.user_attrs[CANDIDATE]} again, slot {trial.user_attrs.get(SLOT)})"
    if trial.state == TrialState.FAIL:
        return f"{what} failed: {trial.user_attrs.get(FAILURE, 'no reason known')}"
    value = "none" if trial.value is None else f"{trial.value:.4f}"
    return f"{what} {trial.state.name.lower()}, value {value}: {describe_params(trial)}"


def describe_value(trial: FrozenTrial) -> tuple[str, str, str]:
    """Value, completion rate and progress of a trial, as text."""
    results = [
        result
        for name, result in trial.user_attrs.items()
        if name.startswith("seed_") and isinstance(result, dict)
    ]
    shares = []
    for key in ("completion", "progress"):
        values = [r[key] for r in results if r.get(key) is not None]
        shares.append(f"{sum(values) / len(values):.1%}" if values else "")
    return ("" if trial.value is None else f"{trial.value:.4f}", shares[0], shares[1])


def describe_params(trial: FrozenTrial) -> str:
    """A trial's parameters, as text."""
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in trial.params.items()
    )
