"""What the numbers of a report mean, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sonic_sb3.compared_runs import RunRecord
from sonic_sb3.errors import SettingsError, unknown_name
from sonic_sb3.seed_statistics import Interval

Groups = Mapping[str, Sequence[RunRecord]]  # arms
COMPLETION_GOAL = 0.95
GOAL_WINDOW_EPISODES = 100
MIN_EVALUATION_EPISODES = 20
NOT_REACHED = "not reached"
METRICS = ("completion", "progress", "contest_score", "episode_return")


@dataclass(frozen=True)
class Measure:
    """
    What a number means.

    :param label: For tables.
    :param pattern: How to write it.
    :param meaning: A sentence for the definitions.
    """

    label: str
    pattern: str
    meaning: str


_PERCENT, _WHOLE, _TENTHS = "{:.1%}", "{:,.0f}", "{:.1f}"
_FINAL = "evaluation at the end"
_GOAL = (
    f"the first moment when {COMPLETION_GOAL:.0%} of the last {GOAL_WINDOW_EPISODES} training "
    f"episodes, or of an evaluation during training of at least {MIN_EVALUATION_EPISODES} episodes,"
    " were completed; of an arm the median over seeds, a seed that never got there counting as "
    "later than all others"
)
MEASURES = {
    "completion": Measure("completed", _PERCENT, f"share of completed episodes, {_FINAL}"),
    "progress": Measure("progress", _PERCENT, f"mean way along the level, {_FINAL}"),
    "past_loop": Measure(
        "past the loop",
        _PERCENT,
        f"share of episodes that ended behind the level's first loop, {_FINAL}",
    ),
    "contest_score": Measure("contest score", _WHOLE, f"mean of the contest's points, {_FINAL}"),
    "completion_time_s": Measure(
        "seconds when completed", _TENTHS, f"mean game time of completed episodes alone, {_FINAL}"
    ),
    "episode_return": Measure("return", "{:.2f}", f"mean sum of the learner's rewards, {_FINAL}"),
    "timesteps_to_goal": Measure("timesteps to 95 %", _WHOLE, f"timesteps until {_GOAL}"),
    "minutes_to_goal": Measure(
        "minutes to 95 %",
        _TENTHS,
        f"minutes of training, by the clock, with whatever ran beside it, until {_GOAL}",
    ),
    "training_score": Measure(
        "contest score in training",
        _WHOLE,
        "mean of the contest's points over all episodes of training, the contest's own measure",
    ),
    "last_completion": Measure(
        "completed, last 100 of training",
        _PERCENT,
        f"share of the last {GOAL_WINDOW_EPISODES} training episodes that were completed",
    ),
    "third_progress": Measure(
        "progress, third tenth", _PERCENT, "mean way of the episodes that ended in the third tenth"
    ),
    "last_progress": Measure(
        "progress, last tenth", _PERCENT, "mean way of the episodes that ended in the last tenth"
    ),
    "last_left": Measure(
        "actions to the left, last tenth",
        _PERCENT,
        "share of actions that point left, of the episodes that ended in the last tenth",
    ),
    "last_commonest": Measure(
        "commonest action, last tenth",
        _PERCENT,
        "share of the action that was taken most, of the episodes that ended in the last tenth",
    ),
}
# Of the evaluation at the end.
EVALUATED = (
    "completion",
    "progress",
    "past_loop",
    "contest_score",
    "completion_time_s",
    "episode_return",
)
# Of episodes: who counts them knows how sure the number is.
SHARES = ("completion", "past_loop", "last_completion")
GOALS = ("timesteps_to_goal", "minutes_to_goal")
# Of a training's course: they tell whether a policy collapsed, in a table of their own.
COURSE = ("third_progress", "last_progress", "last_left", "last_commonest")


@dataclass(frozen=True)
class Number:
    """
    One number of a report.

    :param arm: Whose.
    :param run: The run's label; empty where it is the arm's.
    :param measure: A key of :data:`MEASURES`, or ``iqm_...``, ``improvement_...``.
    :param value: Infinite where a goal was never reached.
    :param interval: 95 %; ``None`` where one seed gives none.
    :param n_seeds: How many runs.
    :param n_episodes: How many episodes of them.
    :param method: Where value and interval come from, in words.
    :param sources: The files.
    :param level: The level; empty where it is all of them.
    :param n_reached: Of a goal, how many runs got there.
    :param is_partial: Of a training that is not known to its end.
    """

    arm: str
    run: str
    measure: str
    value: float
    interval: Interval | None
    n_seeds: int
    n_episodes: int
    method: str
    sources: tuple[Path, ...]
    level: str = ""
    n_reached: int | None = None
    is_partial: bool = False


def metric_of(groups: Groups, wanted: str | None) -> str:
    """
    The measure by which arms are compared.

    :param groups: Arms.
    :param wanted: A user's choice; ``None`` for the contest's points, or the return of games
        without them.
    :raises SonicError: There is no such measure, or no run, or some run, lacks it.
    """
    if wanted is not None and wanted not in METRICS:
        raise unknown_name("metric", wanted, METRICS)
    evaluated = [r for records in groups.values() for r in records if r.final is not None]
    if wanted is None:
        has_points = bool(evaluated) and all(
            r.final is not None and "contest_score" in r.final.values for r in evaluated
        )
        return "contest_score" if has_points else "episode_return"
    lacking = [r for r in evaluated if r.final is not None and wanted not in r.final.values]
    if lacking or not evaluated:
        names = ", ".join(sorted({str(r.path) for r in lacking})) or "every run (none is evaluated)"
        raise SettingsError(f"--metric {wanted}: expected runs that have it, not {names}")
    return wanted


def format_value(measure: str, value: float) -> str:
    """A number as people read it."""
    base = measure.removeprefix("iqm_")
    pattern = _PERCENT if measure.startswith("improvement_") else MEASURES[base].pattern
    return NOT_REACHED if math.isinf(value) else pattern.format(value)


def format_interval(number: Number) -> str:
    """Its interval as people read it, and of a goal how many runs got there, if not all or none."""
    if number.interval is None:
        return "" if number.run else "one seed: no interval"
    if number.n_reached in range(1, number.n_seeds):
        low, high = (format_value(number.measure, bound) for bound in number.interval)
        return f"{low} .. {high}; {number.n_reached} of {number.n_seeds} reached it"
    if all(math.isinf(bound) for bound in number.interval):
        return ""
    low, high = (format_value(number.measure, bound) for bound in number.interval)
    return f"{low} .. {high}"
