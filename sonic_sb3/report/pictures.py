"""Curves, profiles, intervals and action shares as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, PercentFormatter

from sonic_sb3.report.curves import AXES, WINDOW_EPISODES, ActionMix, Curve
from sonic_sb3.report.measures import MEASURES, Number
from sonic_sb3.report.style import action_colours, arm_style, default_style, shorten, to_png
from sonic_sb3.seed_statistics import Scores, band, profile

_RATES = ("completion", "progress")
_LABELS = {"completion": "completed", "progress": "progress", "episode_return": "return"}
N_THRESHOLDS = 101


def draw_curves(curves: Mapping[str, Mapping[str, Sequence[Curve]]]) -> bytes:
    """
    Learning curves: a row per measure, a column per axis.

    :param curves: Measure -> axis -> curves of the arms; all arms in the same order.
    """
    axes_names = [axis for axis in AXES if any(axis in by_axis for by_axis in curves.values())]
    with default_style():
        figure = Figure(figsize=(5.4 * len(axes_names), 3.1 * len(curves)), layout="constrained")
        grid = figure.subplots(len(curves), len(axes_names), squeeze=False)
        for row, (measure, by_axis) in zip(grid, curves.items(), strict=True):
            for plot, axis in zip(row, axes_names, strict=True):
                _draw_curves(plot, by_axis.get(axis, ()), measure, axis)
        _legend(figure, grid[0, 0])
        return to_png(figure)


def _draw_curves(plot: Axes, curves: Sequence[Curve], measure: str, axis: str) -> None:
    for index, curve in enumerate(curves):
        style = arm_style(index)
        for line in curve.lines:
            plot.plot(line.x, line.y, linewidth=0.6, alpha=0.35, **style)
        if curve.low is not None and curve.high is not None:
            plot.fill_between(
                curve.x, curve.low, curve.high, color=style["color"], alpha=0.18, linewidth=0
            )
        plot.plot(curve.x, curve.mean, linewidth=2, label=curve.arm, **style)
    if measure in _RATES:
        plot.set_ylim(-0.02, 1.02)
        plot.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    if axis == "timesteps":
        plot.xaxis.set_major_formatter(EngFormatter(sep=""))
    plot.set_xlim(left=0)
    plot.set_xlabel(AXES[axis])
    plot.set_ylabel(f"{_LABELS[measure]}, mean of {WINDOW_EPISODES}")
    plot.grid(alpha=0.3)


def _legend(figure: Figure, plot: Axes) -> None:
    handles, labels = plot.get_legend_handles_labels()
    if handles:
        columns = min(3, len(labels))
        labels = [shorten(label) for label in labels]
        figure.legend(handles, labels, loc="outside upper center", ncols=columns, frameon=False)


def draw_profile(scores: Mapping[str, Scores], metric: str) -> tuple[bytes, list[list[object]]]:
    """
    Performance profile of all arms.

    :param scores: Arm -> (n_runs, n_levels).
    :param metric: What the scores are.
    :returns: The PNG, and rows arm, threshold, share, low, high.
    """
    values = np.concatenate([s.ravel() for s in scores.values()])
    low, high = (0.0, 1.0) if metric in _RATES else (min(0.0, values.min()), values.max())
    thresholds = np.linspace(low, high, N_THRESHOLDS)
    rows: list[list[object]] = []
    with default_style():
        figure = Figure(figsize=(7, 3.8), layout="constrained")
        plot = figure.subplots()
        for index, (arm, of_arm) in enumerate(scores.items()):
            style = arm_style(index)
            shares = profile(of_arm, thresholds)
            bounds = band(of_arm, lambda resampled: profile(resampled, thresholds))
            plot.step(thresholds, shares, where="post", label=arm, linewidth=2, **style)
            if bounds is not None:
                plot.fill_between(
                    thresholds, *bounds, step="post", color=style["color"], alpha=0.18, linewidth=0
                )
            for k, threshold in enumerate(thresholds):
                interval = ["", ""] if bounds is None else [bounds[0][k], bounds[1][k]]
                rows.append([arm, threshold, shares[k], *interval])
        plot.set_xlabel(f"threshold of {MEASURES[metric].label}")
        plot.set_ylabel("share of seeds and levels above")
        plot.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        plot.set_ylim(-0.02, 1.02)
        plot.grid(alpha=0.3)
        _legend(figure, plot)
        return to_png(figure), rows


def draw_actions(mixes: Sequence[ActionMix]) -> bytes:
    """Shares of actions over training, stacked, a panel per arm: a collapse is one broad band."""
    n_columns = min(2, len(mixes))
    n_rows = -(-len(mixes) // n_columns)
    with default_style():
        figure = Figure(figsize=(5.6 * n_columns, 3.0 * n_rows + 0.3), layout="constrained")
        plots = figure.subplots(n_rows, n_columns, squeeze=False)
        for plot, mix in zip(plots.flat, mixes, strict=False):
            _draw_mix(plot, mix)
        for plot in plots.flat[len(mixes) :]:
            plot.set_axis_off()
        return to_png(figure)


def _draw_mix(plot: Axes, mix: ActionMix) -> None:
    bottom = np.zeros(len(mix.shares))
    widths = np.diff(mix.edges)
    colours = action_colours(mix.names)
    for k in sorted(range(len(mix.names)), key=lambda k: _side(mix.names[k])):
        heights = np.nan_to_num(mix.shares[:, k])
        plot.bar(
            mix.edges[:-1], heights, widths, bottom, align="edge", color=colours[k],
            label=shorten(mix.names[k], 16), linewidth=0,
        )  # fmt: skip
        bottom += heights
    plot.set_xlim(mix.edges[0], mix.edges[-1])
    plot.set_ylim(0, 1)
    plot.xaxis.set_major_formatter(EngFormatter(sep=""))
    plot.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    plot.set_title(shorten(mix.arm), fontsize="medium")
    plot.set_xlabel("timesteps")
    plot.set_ylabel("share of timesteps")
    handles, labels = plot.get_legend_handles_labels()
    plot.legend(
        handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5),
        fontsize="x-small", frameon=False,
    )  # fmt: skip


def draw_intervals(numbers: Sequence[Number]) -> bytes:
    """
    Arms beside each other: value, interval, and each seed as a dot.

    :param numbers: Of arms and of their runs, of a few measures.
    """
    measures = list(dict.fromkeys(n.measure for n in numbers))
    arms = list(dict.fromkeys(n.arm for n in numbers))
    height = 0.42 * len(arms) + 1.1
    with default_style():
        figure = Figure(figsize=(2 + 2.9 * len(measures), height), layout="constrained")
        plots = figure.subplots(1, len(measures), squeeze=False, sharey=True)
        for plot, measure in zip(plots.flat, measures, strict=True):
            for number in numbers:
                if number.measure == measure and np.isfinite(number.value):
                    _draw_number(plot, number, arms.index(number.arm))
            plot.set_xlabel(MEASURES[measure].label)
            plot.set_yticks(range(len(arms)), [shorten(arm) for arm in arms])
            plot.set_ylim(len(arms) - 0.5, -0.5)
            plot.grid(alpha=0.3, axis="x")
            if measure in _RATES:
                plot.set_xlim(-0.03, 1.03)
                plot.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        return to_png(figure)


def _draw_number(plot: Axes, number: Number, row: int) -> None:
    colour = arm_style(row)["color"]
    if number.run:
        plot.plot(number.value, row + 0.18, "o", color=colour, alpha=0.5, markersize=4)
        return
    if number.interval is not None:
        plot.barh(
            row - 0.1, number.interval[1] - number.interval[0], 0.36, number.interval[0],
            color=colour, alpha=0.35,
        )  # fmt: skip
    plot.plot([number.value] * 2, [row - 0.28, row + 0.08], color=colour, linewidth=2.5)


def _side(name: str) -> int:
    """Stacked from the bottom: what goes left, what does neither, what goes right."""
    words = name.upper()
    return 0 if "LEFT" in words else 2 if "RIGHT" in words else 1
