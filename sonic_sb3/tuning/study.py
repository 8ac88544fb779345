"""
A study in its storage: made or joined, its trials proposed slot by slot, and told.

A trial is made in one transaction together with the number of its slot, so that whoever takes the
slot over finds it. Optuna's own queue of waiting trials is not used.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage, RDBStorage, get_storage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.engine import URL

from sonic_sb3.errors import StudyError
from sonic_sb3.tuning.settings import (
    Candidate,
    StudySettings,
    check_same_study,
    read_study_settings,
)
from sonic_sb3.tuning.slots import (
    Lease,
    SlotTable,
    forget_rows,
    read_settings_record,
    record_settings,
)
from sonic_sb3.tuning.storage import NoStudyError, open_storage, show_url

GRACE_S = 300.0
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)
# Names of a trial's user attributes.
SLOT = "slot"
CANDIDATE = "candidate"
FAILURE = "failure"

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class OpenStudy:
    """
    A study that can be worked on.

    :param name: Its name.
    :param settings: What it is.
    :param storage: Where it is.
    :param study_id: Its number there.
    :param slots: Who works on what.
    """

    name: str
    settings: StudySettings
    storage: BaseStorage
    study_id: int
    slots: SlotTable

    def trials(self) -> list[FrozenTrial]:
        """All trials, by number."""
        return self.storage.get_all_trials(self.study_id, deepcopy=False)

    def load(self, slot: int = 0, n_failed: int = 0) -> Study:
        """
        Optuna's view, with a sampler whose random numbers belong to the slot alone.

        :param slot: Whose trial is to be proposed.
        :param n_failed: How many of the slot's trials failed before it.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.load_study(
                study_name=self.name,
                storage=self.storage,
                sampler=_make_sampler(self.settings, slot, n_failed),
                pruner=_make_pruner(self.settings),
            )

    def open_trial(self, lease: Lease) -> Trial | None:
        """
        The trial of a slot: the one that a predecessor left, or a new one.

        :param lease: Of the slot.
        :returns: ``None`` where it is finished already.
        """
        mine = [t for t in self.trials() if t.user_attrs.get(SLOT) == lease.slot]
        if any(t.state in COUNTED for t in mine):
            return None
        running = [t for t in mine if t.state == TrialState.RUNNING]
        study = self.load(lease.slot, sum(t.state == TrialState.FAIL for t in mine))
        if running:
            return Trial(study, running[0]._trial_id)
        template = optuna.trial.create_trial(
            state=TrialState.RUNNING, **self._attributes(lease.slot, is_first=not mine)
        )
        return Trial(study, self.storage.create_new_trial(self.study_id, template))

    def _attributes(self, slot: int, is_first: bool) -> dict[str, Any]:
        first_points = self.settings.first_points
        if not self.settings.candidates:
            given = first_points[slot] if is_first and slot < len(first_points) else {}
            return {"user_attrs": {SLOT: slot}, "system_attrs": {"fixed_params": given}}
        candidate = self.settings.candidate_of(slot)
        return {
            "user_attrs": {SLOT: slot, CANDIDATE: candidate.trial},
            "system_attrs": {"fixed_params": candidate.params},
        }

    def seeds_of_slot(self, slot: int) -> list[int]:
        """The seeds that a slot's trial is trained with."""
        seeds = self.settings.training_seeds
        if not self.settings.candidates:
            return seeds
        return [seeds[slot // len(self.settings.candidates)]]

    def close(self) -> None:
        """Let go of the database."""
        self.storage.remove_session()
        self.slots.engine.dispose()


def _make_sampler(settings: StudySettings, slot: int, n_failed: int) -> Any:
    seed = int(np.random.SeedSequence([settings.seed, slot, n_failed]).generate_state(1)[0])
    if settings.sampler == "random" or settings.candidates:
        return optuna.samplers.RandomSampler(seed=seed)
    if settings.sampler == "gp":
        return optuna.samplers.GPSampler(seed=seed)
    return optuna.samplers.TPESampler(
        seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=10
    )


def _make_pruner(settings: StudySettings) -> Any:
    n_reports = settings.n_reports
    if settings.pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(
            # Before a third of a training the curves of these games cannot be told apart. One more
            # makes it one bracket with one rung: nothing is pruned when nearly all is paid for.
            min_resource=n_reports // 3 + 1,
            max_resource=n_reports,
            reduction_factor=3,
        )
    if settings.pruner == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=n_reports // 4)
    if settings.pruner == "wilcoxon":
        return optuna.pruners.WilcoxonPruner(p_threshold=0.1, n_startup_steps=2)
    return optuna.pruners.NopPruner()


def create_or_join(
    url: URL, name: str, settings: StudySettings, asked: Mapping[str, Any], grace_s: float = GRACE_S
) -> OpenStudy:
    """
    Begin a study, or join the one that has its name.

    :param url: Of the storage.
    :param name: Of the study.
    :param settings: Of a new study.
    :param asked: The settings that an existing one must agree with.
    :param grace_s: After so long without a sign of life a worker's trial is handed on.
    :raises StudyError: It is another study, or the storage cannot be reached.
    """
    storage = open_storage(url)
    try:
        study_id = storage.create_new_study([StudyDirection.MAXIMIZE], name)
        # SQLite gives a new study the number of one that was deleted, whose rows would be its own.
        forget_rows(storage.engine, study_id)
    except DuplicatedStudyError:
        study_id = storage.get_study_id_from_name(name)
    recorded = read_settings_record(storage.engine, study_id)
    if recorded is None:
        if storage.get_n_trials(study_id) > 0:
            raise _not_ours(name, url)
        recorded = record_settings(storage.engine, study_id, settings.model_dump(mode="json"))
    found = read_study_settings(recorded, f"study {name!r}")
    check_same_study(found, asked, name)
    storage.set_study_user_attr(study_id, "sonic_sb3", recorded)  # for Optuna's dashboard
    return _make_open_study(name, found, storage, study_id, grace_s)


def open_study(url: URL, name: str, grace_s: float = GRACE_S) -> OpenStudy:
    """
    Open a study that is there.

    :param url: Of the storage.
    :param name: Of the study.
    :param grace_s: As :func:`create_or_join`.
    :raises StudyError: There is none, or it was not made by this package.
    """
    storage = open_storage(url, creates=False)
    try:
        study_id = storage.get_study_id_from_name(name)
    except KeyError:
        names = sorted(study.study_name for study in storage.get_all_studies())
        known = ", ".join(n for n in names if ".confirm-" not in n) or "none"
        raise NoStudyError(
            f"no study {name!r} in {show_url(url)}: it has {known}; name one with --study-name"
        ) from None
    recorded = read_settings_record(storage.engine, study_id)
    if recorded is None and storage.get_n_trials(study_id) == 0:
        # Whoever began it was killed, or is just about to write what it is.
        raise NoStudyError(f"study {name!r} in {show_url(url)} has no settings and no trial yet")
    if recorded is None:
        raise _not_ours(name, url)
    settings = read_study_settings(recorded, f"study {name!r}")
    return _make_open_study(name, settings, storage, study_id, grace_s)


def _make_open_study(
    name: str, settings: StudySettings, storage: RDBStorage, study_id: int, grace_s: float
) -> OpenStudy:
    slots = SlotTable(storage.engine, study_id, grace_s)
    # Optuna's cache of finished trials; it must see every trial that is made.
    return OpenStudy(name, settings, get_storage(storage), study_id, slots)


def best_candidates(trials: list[FrozenTrial], n: int) -> tuple[Candidate, ...]:
    """
    The completed trials with the highest values, of equals the first.

    :param trials: Of a study.
    :param n: At most so many.
    """
    completed = [t for t in trials if t.state == TrialState.COMPLETE]
    ranked = sorted(completed, key=lambda t: (-float(t.value or 0.0), t.number))
    return tuple(Candidate(trial=t.number, params=t.params) for t in ranked[:n])


def _not_ours(name: str, url: URL) -> StudyError:
    return StudyError(
        f"study {name!r} in {show_url(url)} was not made by `python -m sonic_sb3.tune`: "
        "expected another --study-name"
    )
