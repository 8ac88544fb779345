"""What came of a study: its best trials, as the study saw them and as fresh seeds confirm them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from sonic_sb3.atomic_files import replacing
from sonic_sb3.errors import StudyError
from sonic_sb3.statistics import bounds_of, mean_interval
from sonic_sb3.tuning.plan import StudyPlace, no_completed
from sonic_sb3.tuning.settings import Candidate
from sonic_sb3.tuning.storage import NoStudyError
from sonic_sb3.tuning.study import (
    CANDIDATE,
    FAILURE,
    SLOT,
    OpenStudy,
    best_candidates,
    open_study,
)

_CONFIRMATION = re.compile(r"\.confirm-(\d+)-(\d+)x(\d+)")


@dataclass(frozen=True)
class Figure:
    """
    A mean over trainings.

    :param values: One per training.
    :param objective: What they are.
    """

    values: tuple[float, ...]
    objective: str

    @property
    def mean(self) -> float:
        """The mean."""
        return float(np.mean(self.values))

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its 95 % interval, where there are two trainings or more."""
        return mean_interval(self.values, bounds_of(self.objective))

    def __str__(self) -> str:
        text = f"{self.mean:.4f}"
        if self.interval is not None:
            text += f" ({self.interval[0]:.4f} .. {self.interval[1]:.4f})"
        return f"{text}, n={len(self.values)}"


@dataclass(frozen=True)
class Contender:
    """
    One of the best trials.

    :param candidate: Which.
    :param found: Its value in the study, which chance has helped: it is the best of many.
    :param confirmed: Its value with fresh seeds; ``None`` where that was not tried, or not yet.
    :param seeds: The fresh seeds.
    :param completion: Completion rate with the fresh seeds, or where there are none in the study.
    :param n_failed: How many trainings with fresh seeds ended in an error, each time.
    """

    candidate: Candidate
    found: Figure
    confirmed: Figure | None
    seeds: tuple[int, ...]
    completion: float | None
    n_failed: int = 0

    @property
    def confirmation(self) -> str:
        """What fresh seeds gave, in words."""
        words = "not confirmed" if self.confirmed is None else str(self.confirmed)
        return f"{words}, {self.n_failed} failed" if self.n_failed else words


def seed_results(trial: FrozenTrial) -> list[dict[str, Any]]:
    """The results of a trial's seeds, in their order."""
    names = sorted(
        (name for name in trial.user_attrs if re.fullmatch(r"seed_\d+", name)),
        key=lambda name: int(name.removeprefix("seed_")),
    )
    return [trial.user_attrs[name] for name in names]


def find_confirmation(study: OpenStudy, place: StudyPlace) -> OpenStudy | None:
    """
    The newest confirmation that is complete, else the newest that was begun.

    :param study: The study.
    :param place: Where it is.
    """
    found: list[tuple[tuple[int, ...], str]] = []
    for other in study.storage.get_all_studies():
        rest = other.study_name.removeprefix(place.name)
        match = _CONFIRMATION.fullmatch(rest)
        if match and other.study_name.startswith(place.name):
            found.append((tuple(int(group) for group in match.groups()), other.study_name))
    opened = []
    for _, name in sorted(found, reverse=True):
        with suppress(NoStudyError):  # whoever began it was killed before it was anything
            opened.append(open_study(place.url, name))
    # One of a study that was deleted, whose name this one has now, says nothing of it.
    identity = study.settings.identity
    confirmations = [one for one in opened if one.settings.identity == identity]
    complete = [one for one in confirmations if _is_complete(one)]
    kept = next(iter([*complete, *confirmations]), None)
    for one in opened:
        if one is not kept:
            one.close()
    return kept


def _is_complete(confirmation: OpenStudy) -> bool:
    settings = confirmation.settings
    return confirmation.slots.are_finished(len(settings.candidates) * settings.n_seeds)


def rank(study: OpenStudy, confirmation: OpenStudy | None, top: int = 3) -> list[Contender]:
    """
    The best trials: by fresh seeds where they were confirmed, else by the study's own value. Those
    that only came after the confirmation follow, not confirmed.

    :param study: The study.
    :param confirmation: Of :func:`find_confirmation`.
    :param top: How many, where there is no confirmation.
    :raises StudyError: No trial was completed.
    """
    trials = {t.number: t for t in study.trials() if t.state == TrialState.COMPLETE}
    again = [] if confirmation is None else confirmation.trials()
    failed = [] if confirmation is None else _failed_candidates(confirmation)
    again = [t for t in again if t.state == TrialState.COMPLETE]
    best = best_candidates(list(trials.values()), top)
    confirmed = () if confirmation is None else confirmation.settings.candidates
    known = {candidate.trial for candidate in confirmed}
    candidates = [*confirmed, *(one for one in best if one.trial not in known)]
    if not candidates:
        raise StudyError(no_completed(study))
    contenders = []
    objective = study.settings.objective
    for candidate in candidates:
        trial = trials[candidate.trial]
        repeats = [t for t in again if t.user_attrs.get(CANDIDATE) == candidate.trial]
        fresh = [result for t in repeats for result in seed_results(t)]
        results = seed_results(trial)
        rates = [r["completion"] for r in fresh or results if r["completion"] is not None]
        contenders.append(
            Contender(
                candidate,
                Figure(tuple(float(r["value"]) for r in results), objective),
                Figure(tuple(float(r["value"]) for r in fresh), objective) if fresh else None,
                tuple(int(r["seed"]) for r in fresh),
                float(np.mean(rates)) if rates else None,
                failed.count(candidate.trial),
            )
        )
    return sorted(
        contenders,
        key=lambda c: (
            c.confirmed is None,
            c.n_failed,  # what trains two times of three is not the best, however well it does then
            -(c.confirmed.mean if c.confirmed else 0.0),
            -c.found.mean,
            c.candidate.trial,
        ),
    )


def _failed_candidates(confirmation: OpenStudy) -> list[int]:
    """The candidate of each slot that was given up."""
    trials = confirmation.trials()
    completed = {t.user_attrs.get(SLOT) for t in trials if t.state == TrialState.COMPLETE}
    slots = [slot.slot for slot in confirmation.slots.read() if slot.is_finished]
    return [
        confirmation.settings.candidate_of(slot).trial for slot in slots if slot not in completed
    ]


def describe_contenders(contenders: Sequence[Contender]) -> list[str]:
    """Lines with both figures of each of the best trials."""
    lines = []
    for contender in contenders:
        lines.append(
            f"trial {contender.candidate.trial}: fresh seeds {contender.confirmation}; "
            f"in the study {contender.found}"
        )
    unconfirmed = [c for c in contenders if c.confirmed is None and c.n_failed == 0]
    best = contenders[0] if contenders else None
    if best is not None and best.confirmed is not None:
        lines += [
            f"trial {c.candidate.trial} has a better value in the study and was not confirmed: "
            "`python -m sonic_sb3.tune confirm` does it"
            for c in unconfirmed
            if c.found.mean > best.found.mean
        ]
    return lines


def write_trials_csv(path: Path, study: OpenStudy) -> None:
    """
    Write a row per trial: state, value, parameters, seeds' values, failures.

    :param path: The file to make or replace.
    :param study: The study.
    """
    names = list(study.settings.space)
    head = ["trial", "slot", "state", "value", "completion", "progress", "seed_values"]
    head += ["n_reports", "started", "finished", "failure", *names]
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for trial in study.trials():
            results = seed_results(trial)
            writer.writerow(
                [
                    trial.number,
                    trial.user_attrs.get("slot"),
                    trial.state.name,
                    trial.value,
                    *(_mean(results, key) for key in ("completion", "progress")),
                    " ".join(str(r["value"]) for r in results),
                    len(trial.intermediate_values),
                    trial.datetime_start,
                    trial.datetime_complete,
                    trial.user_attrs.get(FAILURE),
                    *(trial.params.get(name) for name in names),
                ]
            )


def _mean(results: list[dict[str, Any]], key: str) -> float | None:
    values = [r[key] for r in results if r.get(key) is not None]
    return float(np.mean(values)) if values else None
