"""How runs go over their training: curves with bands over seeds, shares of actions, ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sonic_sb3.compared_runs import RunRecord
from sonic_sb3.episode_tables import Column, EpisodeTable
from sonic_sb3.report.measures import Groups
from sonic_sb3.seed_statistics import band
from sonic_sb3.statistics import bounds_of

WINDOW_EPISODES = 100
N_POINTS = 121
N_ACTION_BINS = 40
AXES = {"timesteps": "timesteps", "minutes": "minutes of training"}


@dataclass(frozen=True)
class Line:
    """
    The running mean of one run.

    :param run: Its label.
    :param x: (n_episodes,) timesteps or minutes.
    :param y: (n_episodes,) mean of the last :data:`WINDOW_EPISODES` episodes.
    """

    run: str
    x: Column
    y: Column


@dataclass(frozen=True)
class Curve:
    """
    A measure of an arm over its training.

    :param arm: Its name.
    :param x: (n_points,) timesteps or minutes.
    :param mean: (n_points,) over runs, NaN where not all of them have a value.
    :param low: Lower bound of the 95 % band; ``None`` for a single run.
    :param high: Upper bound.
    :param lines: The runs.
    """

    arm: str
    x: Column
    mean: Column
    low: Column | None
    high: Column | None
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class ActionMix:
    """
    Which share of the timesteps each action took, over training.

    :param arm: Its name.
    :param edges: (n_bins + 1,) timesteps.
    :param shares: (n_bins, n_actions), rows summing to 1, NaN where nothing is known.
    :param names: (n_actions,) of the actions.
    """

    arm: str
    edges: Column
    shares: Column
    names: tuple[str, ...]


@dataclass(frozen=True)
class Ends:
    """
    Where the episodes of an arm ended on a level.

    :param x: (n_episodes,) pixels.
    :param y: (n_episodes,) pixels.
    :param end_reason: (n_episodes,).
    """

    x: Column
    y: Column
    end_reason: npt.NDArray[np.str_]


def running_mean(values: Column, window: int = WINDOW_EPISODES) -> Column:
    """Mean of each value and those before it, at most a window of them; absent ones are skipped."""
    there = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(there, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(there)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    n = counts[ends] - counts[starts]
    means: Column = np.where(n > 0, (sums[ends] - sums[starts]) / np.maximum(n, 1), np.nan)
    return means


def line_of(record: RunRecord, measure: str, axis: str) -> Line | None:
    """
    One run's running mean.

    :param record: The run.
    :param measure: A column of its episodes.
    :param axis: A key of :data:`AXES`.
    :returns: ``None`` where its training lacks the measure.
    """
    table = record.training
    if measure not in table.values:
        return None
    x = table.timesteps if axis == "timesteps" else table.seconds / 60
    there = np.isfinite(x)
    if not there.any():
        return None
    return Line(record.label, x[there], running_mean(table.values[measure])[there])


def curves_of(groups: Groups, measure: str, axis: str) -> list[Curve]:
    """
    Curves of all arms on one grid.

    :param groups: Arms.
    :param measure: A column of their episodes.
    :param axis: A key of :data:`AXES`.
    """
    lines = {
        arm: [line for record in records if (line := line_of(record, measure, axis)) is not None]
        for arm, records in groups.items()
    }
    ends = [line.x[-1] for of_arm in lines.values() for line in of_arm]
    if not ends:
        return []
    grid = np.linspace(0, max(ends), N_POINTS)
    bounds = bounds_of(measure)
    return [_curve(arm, grid, of_arm, bounds) for arm, of_arm in lines.items() if of_arm]


def _curve(arm: str, grid: Column, lines: Sequence[Line], limits: tuple[float, float]) -> Curve:
    rows = np.array([_on_grid(line, grid) for line in lines])
    everywhere = np.isfinite(rows).all(axis=0)
    mean = np.where(everywhere, rows.mean(axis=0), np.nan)
    bounds = band(rows, limits)
    low, high = bounds if bounds is not None else (None, None)
    return Curve(arm, grid, mean, low, high, tuple(lines))


def _on_grid(line: Line, grid: Column) -> Column:
    """The newest value at each point; NaN before the first episode and after the last one."""
    newest = np.searchsorted(line.x, grid, side="right") - 1
    values = line.y[np.maximum(newest, 0)]
    # A grid point that is a run's very end must not be lost to rounding.
    is_within = (newest >= 0) & (grid <= line.x[-1] * (1 + 1e-12))
    on_grid: Column = np.where(is_within, values, np.nan)
    return on_grid


def action_mix(arm: str, records: Sequence[RunRecord], names: Sequence[str]) -> ActionMix | None:
    """
    Shares of the actions over training, all runs of an arm together, as far as all of them go.

    :param arm: Its name.
    :param records: Its runs.
    :param names: Of the actions.
    :returns: ``None`` where no run tells.
    """
    counts = [(r.training.timesteps, _counts_of(r.training, len(names))) for r in records]
    known = [(timesteps, c) for timesteps, c in counts if c is not None and len(timesteps)]
    if not known:
        return None
    # As far as all of them go: beyond, the mix would be another one because a run has left it.
    edges = np.linspace(0, min(timesteps[-1] for timesteps, _ in known), N_ACTION_BINS + 1)
    sums = sum(_spread(timesteps, of_episodes, edges) for timesteps, of_episodes in known)
    totals = np.sum(sums, axis=1, keepdims=True)
    shares = np.where(totals > 0, sums / np.maximum(totals, 1e-9), np.nan)
    return ActionMix(arm, edges, shares, tuple(names))


def _spread(timesteps: Column, counts: Column, edges: Column) -> Column:
    """Counts per bin, those of each episode spread evenly over its own timesteps."""
    ends = np.concatenate([[0.0], timesteps])
    sums = np.concatenate([np.zeros((1, counts.shape[1])), np.cumsum(counts, axis=0)])
    at_edges = np.column_stack([np.interp(edges, ends, column) for column in sums.T])
    in_bins: Column = np.diff(at_edges, axis=0)
    return in_bins


def _counts_of(table: EpisodeTable, n_actions: int) -> Column | None:
    counts = table.action_counts
    return counts if counts is not None and counts.shape[1] == n_actions else None


def ends_of(tables: Sequence[EpisodeTable | None], level: str) -> Ends:
    """Where episodes on a level ended, as far as they tell."""
    xs, ys, reasons = [], [], []
    for table in tables:
        if table is None or not {"x", "y"} <= set(table.values):
            continue
        kept = (table.level == level) & np.isfinite(table.values["x"])
        kept &= np.isfinite(table.values["y"])
        xs.append(table.values["x"][kept])
        ys.append(table.values["y"][kept])
        reasons.append(table.end_reason[kept])
    if not xs:
        return Ends(np.zeros(0), np.zeros(0), np.zeros(0, "U1"))
    return Ends(np.concatenate(xs), np.concatenate(ys), np.concatenate(reasons))
