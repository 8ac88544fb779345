"""The numbers of an arm: its runs taken together, over seeds and levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from sonic_sb3.compared_runs import RunRecord
from sonic_sb3.report.measures import GOALS, METRICS, SHARES, Groups, Number
from sonic_sb3.report.run_numbers import mean_of
from sonic_sb3.seed_statistics import (
    Interval,
    Scores,
    has_rliable,
    improvement_interval,
    iqm,
    iqm_interval,
    median_coverage,
    median_reached,
    median_reached_interval,
    probability_of_improvement,
    rate_interval,
)
from sonic_sb3.statistics import bounds_of, mean_interval


def arm_numbers(arm: str, numbers: Sequence[Number]) -> list[Number]:
    """
    The numbers of an arm.

    :param arm: Its name.
    :param numbers: Those of its runs.
    """
    by_measure: dict[tuple[str, str], list[Number]] = {}
    for number in numbers:
        by_measure.setdefault((number.measure, number.level), []).append(number)
    # A training of which the end is not known must not pull down those that are whole.
    known = [[n for n in ns if not n.is_partial] or ns for ns in by_measure.values()]
    return [_arm_number(arm, of_runs) for of_runs in known]


def _arm_number(arm: str, numbers: Sequence[Number]) -> Number:
    first = numbers[0]
    value, interval, method = _over_seeds(first.measure, numbers)
    if interval is None:
        method += "; one seed: no interval"
    return Number(
        arm=arm,
        run="",
        measure=first.measure,
        value=value,
        interval=interval,
        n_seeds=len(numbers),
        n_episodes=sum(n.n_episodes for n in numbers),
        method=method,
        sources=tuple(source for n in numbers for source in n.sources),
        level=first.level,
        n_reached=_n_reached(numbers) if first.measure in GOALS else None,
    )


def _n_reached(numbers: Sequence[Number]) -> int:
    return sum(math.isfinite(n.value) for n in numbers)


def _over_seeds(measure: str, numbers: Sequence[Number]) -> tuple[float, Interval | None, str]:
    """Value, interval and method."""
    values = [n.value for n in numbers]
    if measure in GOALS:
        method = f"median over seeds, {_n_reached(numbers)} of {len(values)} got there"
        if len(values) > 1:
            covers = median_coverage(len(values))
            method += f"; interval between two of the seeds, covers {covers:.0%}"
        return median_reached(values), median_reached_interval(values), method
    mean = float(np.mean(values))
    if measure in SHARES:
        n_episodes = sum(n.n_episodes for n in numbers)
        n_completed = round(sum(n.value * n.n_episodes for n in numbers))
        method = "mean over seeds, what Student's over seeds or Wilson's of all episodes covers"
        return mean, rate_interval(values, n_completed, n_episodes), method
    return mean, mean_interval(values, bounds_of(measure)), "mean over seeds, Student's over seeds"


def score_matrix(
    records: Sequence[RunRecord], metric: str, levels: Sequence[str]
) -> tuple[Scores, list[RunRecord]]:
    """
    Mean of a metric for each run and level.

    :param records: Runs of an arm.
    :param metric: One of :data:`METRICS`.
    :param levels: Columns, in this order.
    :returns: (n_runs, n_levels), and its runs: those that have all of it.
    """
    rows, used = [], []
    for record in records:
        if record.final is None or metric not in record.final.values:
            continue
        values = record.final.values[metric]
        with np.errstate(all="ignore"):
            row = [mean_of(values[record.final.level == level]) for level in levels]
        if np.isfinite(row).all():
            rows.append(row)
            used.append(record)
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(levels)), used


def common_levels(groups: Groups) -> list[str]:
    """The levels on which every evaluated run was evaluated."""
    sets = _level_sets(groups)
    return sorted(set.intersection(*sets)) if sets else []


def evaluated_levels(groups: Groups) -> list[str]:
    """The levels on which any run was evaluated."""
    return sorted(set().union(*_level_sets(groups)))


def _level_sets(groups: Groups) -> list[set[str]]:
    return [
        set(r.final.level.tolist()) for rs in groups.values() for r in rs if r.final is not None
    ]


def aggregate_numbers(groups: Groups, metric: str) -> list[Number]:
    """
    IQM of each arm in each metric, and how probably one arm beats another in the chosen one.

    :param groups: Arms.
    :param metric: The chosen metric.
    :returns: Nothing where rliable is not installed.
    """
    levels = common_levels(groups)
    if not has_rliable() or not levels:
        return []
    numbers = [
        number
        for arm, records in groups.items()
        for name in METRICS
        for number in _iqm_number(arm, records, name, levels)
    ]
    for (arm_x, of_x), (arm_y, of_y) in combinations(groups.items(), 2):
        numbers += _improvement_number((arm_x, of_x), (arm_y, of_y), metric, levels)
    return numbers


def _iqm_number(
    arm: str, records: Sequence[RunRecord], metric: str, levels: Sequence[str]
) -> list[Number]:
    scores, used = score_matrix(records, metric, levels)
    if not used:
        return []
    method = "rliable's IQM over seeds and levels, Student's with the bootstrap's standard error"
    interval = iqm_interval(scores, bounds_of(metric))
    return [
        Number(
            arm, "", f"iqm_{metric}", iqm(scores), interval, len(used),
            _count(used), method, _sources(used),
        )
    ]  # fmt: skip


def _improvement_number(
    first: tuple[str, Sequence[RunRecord]],
    second: tuple[str, Sequence[RunRecord]],
    metric: str,
    levels: Sequence[str],
) -> list[Number]:
    x, used_x = score_matrix(first[1], metric, levels)
    y, used_y = score_matrix(second[1], metric, levels)
    if not used_x or not used_y:
        return []
    used = [*used_x, *used_y]
    method = f"rliable's probability that a run of {first[0]} beats one of {second[0]}, Newcombe's"
    probability = probability_of_improvement(x, y)
    interval = improvement_interval(probability, len(x), len(y))
    return [
        Number(
            f"{first[0]} > {second[0]}", "", f"improvement_{metric}",
            probability, interval, len(used), _count(used), method, _sources(used),
        )
    ]  # fmt: skip


def _count(records: Sequence[RunRecord]) -> int:
    return sum(len(r.final) for r in records if r.final is not None)


def _sources(records: Sequence[RunRecord]) -> tuple[Path, ...]:
    return tuple(r.final.path for r in records if r.final is not None and r.final.path)
