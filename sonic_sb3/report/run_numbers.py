"""The numbers of one run: of its evaluation at the end, and of its training."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from sonic_sb3.compared_runs import RunRecord, resume_times
from sonic_sb3.episode_tables import Column, EpisodeTable
from sonic_sb3.games import catalogue
from sonic_sb3.report.action_names import known_action_names, side_of
from sonic_sb3.report.measures import (
    COMPLETION_GOAL,
    EVALUATED,
    GOAL_WINDOW_EPISODES,
    MEASURES,
    MIN_EVALUATION_EPISODES,
    SHARES,
    Number,
)
from sonic_sb3.statistics import bounds_of, mean_interval, wilson_interval


def run_numbers(arm: str, record: RunRecord, *, by_level: bool = False) -> list[Number]:
    """
    All numbers of one run.

    :param arm: Its arm.
    :param record: The run.
    :param by_level: Those of its evaluation for each level too.
    """
    numbers = [
        *_final_numbers(arm, record, record.final, ""),
        *_training_numbers(arm, record),
    ]
    if record.final is not None and by_level:
        for level in sorted(set(record.final.level.tolist())):
            numbers += _final_numbers(arm, record, _of_level(record.final, level), level)
    return numbers


def mean_of(values: Column) -> float:
    """Mean of the values that are there; NaN of none."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else math.nan


def _of_level(table: EpisodeTable, level: str) -> EpisodeTable:
    kept = table.level == level
    return EpisodeTable(
        path=table.path,
        level=table.level[kept],
        end_reason=table.end_reason[kept],
        values={name: column[kept] for name, column in table.values.items()},
        action_counts=None if table.action_counts is None else table.action_counts[kept],
        timesteps=table.timesteps[kept],
        seconds=table.seconds[kept],
    )


def _final_numbers(
    arm: str, record: RunRecord, table: EpisodeTable | None, level: str
) -> list[Number]:
    if table is None or table.path is None:
        return []
    values = dict(table.values)
    if "completion" in values and "game_time_s" in values:
        values["completion_time_s"] = values["game_time_s"][values["completion"] == 1]
    values["past_loop"] = _is_past_loop(record.env_id, table)
    numbers = []
    for measure in EVALUATED:
        sample = values.get(measure, np.zeros(0))
        sample = sample[np.isfinite(sample)]
        if len(sample) == 0:
            continue
        interval = mean_interval(sample.tolist(), bounds_of(measure))
        method = "mean over episodes, Student's over episodes"
        if measure in SHARES:
            interval = wilson_interval(int(sample.sum()), len(sample))
            method = "share of episodes, Wilson's interval"
        numbers.append(
            Number(
                arm, record.label, measure, float(sample.mean()), interval, 1, len(sample), method,
                (table.path,), level,
            )
        )  # fmt: skip
    return numbers


def _is_past_loop(game_id: str, table: EpisodeTable) -> Column:
    """(n_episodes,) 1, 0, or NaN where the level has no loop that is known."""
    game = catalogue().get(game_id)
    loops = {} if game is None else game.loops_px
    ends = np.array([loops[v][0][1] if loops.get(v) else math.nan for v in table.level.tolist()])
    x = table.values.get("x", np.full(len(table), np.nan))
    return np.where(np.isfinite(ends) & np.isfinite(x), x >= ends, np.nan)


def _training_numbers(arm: str, record: RunRecord) -> list[Number]:
    table, path = record.training, record.training.path
    if path is None:
        return []

    def number(measure: str, value: float, n: int, method: str, *sources: Path) -> Number:
        return Number(
            arm, record.label, measure, value, None, 1, n, method, sources or (path,),
            is_partial=not record.is_whole,
        )  # fmt: skip

    numbers = []
    if "completion" in table.values:
        timesteps, minutes, source, method = time_to_goal(record)
        if not record.is_whole and math.isinf(timesteps):
            timesteps = minutes = math.nan  # nobody knows yet
        numbers.append(number("timesteps_to_goal", timesteps, len(table), method, source))
        if not math.isnan(minutes):
            # An evaluation knows no time, and when a run waited stands in its manifest.
            manifest = [record.path / "manifest.json"] if resume_times(record.manifest) else []
            sources = dict.fromkeys([source, path, *manifest])
            numbers.append(number("minutes_to_goal", minutes, len(table), method, *sources))
        last = table.values["completion"][-GOAL_WINDOW_EPISODES:]
        method = "share of the last rows"
        numbers.append(number("last_completion", mean_of(last), len(last), method))
    if "contest_score" in table.values:
        points = table.values["contest_score"]
        numbers.append(number("training_score", mean_of(points), len(points), "mean of all rows"))
    for measure, value, n in _course(record):
        numbers.append(number(measure, value, n, MEASURES[measure].meaning))
    return [n for n in numbers if not math.isnan(n.value)]


def _course(record: RunRecord) -> list[tuple[str, float, int]]:
    """Measure, value and number of episodes, of the tenths of training."""
    table = record.training
    if len(table) == 0:
        return []
    tenth = np.ceil(10 * table.timesteps / table.timesteps[-1])
    found = []
    progress = table.values.get("progress")
    if progress is not None:
        for measure, number in (("third_progress", 3), ("last_progress", 10)):
            of_tenth = progress[tenth == number]
            found.append((measure, mean_of(of_tenth), len(of_tenth)))
    if table.action_counts is not None:
        counts = table.action_counts[tenth == 10]
        shares = counts.sum(axis=0) / max(1.0, counts.sum())
        if (names := known_action_names(record)) is not None:
            is_left = [side_of(name) == 0 for name in names]
            found.append(("last_left", float(shares[is_left].sum()), len(counts)))
        found.append(("last_commonest", float(shares.max()), len(counts)))
    return found


def time_to_goal(record: RunRecord) -> tuple[float, float, Path, str]:
    """
    When a run first completed its levels reliably; :data:`MEASURES` says what that means.

    :param record: A run whose training episodes tell completion.
    :returns: Timesteps, minutes (NaN where unknown), the file that shows it, and where in it;
        infinite where it never did.
    """
    table = record.training
    assert table.path is not None
    found = [(math.inf, math.inf, table.path, "never reached")]
    row = first_reliable_row(np.nan_to_num(table.values["completion"]))
    if row is not None:
        at = (float(table.timesteps[row]), float(table.seconds[row]) / 60)
        found.append((*at, table.path, f"episode {row + 1} of the file"))
    history = record.history
    if history is not None and "completion" in history.values:
        successes = history.values["completion"]
        rates = successes.mean(axis=1)
        reached = np.flatnonzero(
            (rates >= COMPLETION_GOAL) & (successes.shape[1] >= MIN_EVALUATION_EPISODES)
        )
        for index in reached[:1].tolist():
            timesteps = float(history.timesteps[index])
            minutes = math.nan
            if len(table):
                minutes = float(np.interp(timesteps, table.timesteps, table.seconds)) / 60
            found.append((timesteps, minutes, history.path, f"evaluation {index + 1} of the file"))
    return min(found, key=lambda f: f[0])


def first_reliable_row(completion: Column) -> int | None:
    """The first episode at which enough of the last :data:`GOAL_WINDOW_EPISODES` were completed."""
    sums = np.concatenate([[0.0], np.cumsum(completion)])
    in_window = sums[GOAL_WINDOW_EPISODES:] - sums[:-GOAL_WINDOW_EPISODES]
    rows = np.flatnonzero(in_window >= COMPLETION_GOAL * GOAL_WINDOW_EPISODES - 1e-9)
    return int(rows[0]) + GOAL_WINDOW_EPISODES - 1 if len(rows) else None
