"""Curves, profiles, intervals and action shares as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, PercentFormatter

from sonic_sb3.report.action_names import side_of
from sonic_sb3.report.curves import AXES, WINDOW_EPISODES, ActionMix, Curve
from sonic_sb3.report.measures import MEASURES, Number
from sonic_sb3.report.style import (
    action_colours,
    arm_style,
    default_style,
    legend_label,
    shorten,
    to_png,
)
from sonic_sb3.seed_statistics import Scores, profile, profile_band

_RATES = ("completion", "progress")
_LABELS = {"completion": "completed", "progress": "progress", "episode_return": "return"}
N_THRESHOLDS = 101
_WIDTH = 4.8  # inches: readable on a telephone
_LEGEND_WIDTH, _LEGEND_HANDLE = 56, 6  # characters that fit beside each other, and a line's sample


def draw_curves(curves: Mapping[str, Sequence[Curve]], axis: str, arms: Sequence[str]) -> bytes:
    """
    Learning curves, a plot per measure.

    :param curves: Measure -> curves of arms.
    :param axis: What they go over, a key of ``AXES``.
    :param arms: All arms, which have the same colours in all pictures of a report.
    """
    with default_style():
        figure = Figure(figsize=(_WIDTH, 2.7 * len(curves) + 0.4), layout="constrained")
        plots = figure.subplots(len(curves), 1, squeeze=False, sharex=True)
        for plot, (measure, of_arms) in zip(plots.flat, curves.items(), strict=True):
            _draw_curves(plot, of_arms, measure, axis, arms)
        plots[-1, 0].set_xlabel(AXES[axis])
        _legend(figure, list(plots.flat))
        return to_png(figure)


def _draw_curves(
    plot: Axes, curves: Sequence[Curve], measure: str, axis: str, arms: Sequence[str]
) -> None:
    for curve in curves:
        style = arm_style(arms.index(curve.arm))
        for line in curve.lines:
            plot.plot(line.x, line.y, linewidth=0.6, alpha=0.35, **style)
        if curve.low is not None and curve.high is not None:
            plot.fill_between(
                curve.x, curve.low, curve.high, color=style["color"], alpha=0.18, linewidth=0
            )
        plot.plot(curve.x, curve.mean, linewidth=2, label=legend_label(curve.arm), **style)
    if measure in _RATES:
        plot.set_ylim(-0.02, 1.02)
        plot.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    if axis == "timesteps":
        plot.xaxis.set_major_formatter(EngFormatter(sep=""))
    plot.set_xlim(left=0)
    plot.set_ylabel(f"{_LABELS[measure]}, mean of {WINDOW_EPISODES}")
    plot.grid(alpha=0.3)


def _legend(figure: Figure, plots: Sequence[Axes]) -> None:
    handles: dict[Any, Any] = {}
    for plot in plots:
        for handle, label in zip(*plot.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if handles:
        names = [shorten(label.strip()) for label in handles]
        longest = max(map(len, names)) + _LEGEND_HANDLE
        figure.legend(
            list(handles.values()),
            names,
            loc="outside upper center",
            ncols=max(1, min(3, len(names), _LEGEND_WIDTH // longest)),
            frameon=False,
        )


def draw_profile(
    scores: Mapping[str, Scores], metric: str, arms: Sequence[str]
) -> tuple[bytes, list[list[object]]]:
    """
    Performance profile of all arms.

    :param scores: Arm -> (n_runs, n_levels).
    :param metric: What the scores are.
    :param arms: As for :func:`draw_curves`.
    :returns: The PNG, and rows arm, threshold, share, low, high.
    """
    values = np.concatenate([s.ravel() for s in scores.values()])
    low, high = (0.0, 1.0) if metric in _RATES else (min(0.0, values.min()), values.max())
    thresholds = np.linspace(low, high, N_THRESHOLDS)
    rows: list[list[object]] = []
    with default_style():
        figure = Figure(figsize=(_WIDTH, 3.2), layout="constrained")
        plot = figure.subplots()
        for arm, of_arm in scores.items():
            style = arm_style(arms.index(arm))
            shares = profile(of_arm, thresholds)
            bounds = profile_band(shares, len(of_arm))
            plot.step(
                thresholds, shares, where="post", label=legend_label(arm), linewidth=2, **style
            )
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
        _legend(figure, [plot])
        return to_png(figure), rows


def draw_actions(mix: ActionMix) -> bytes:
    """Shares of an arm's actions over training, stacked: a collapse is one broad band."""
    with default_style():
        figure = Figure(figsize=(_WIDTH, 2.9), layout="constrained")
        plot = figure.subplots()
        bottom = np.zeros(len(mix.shares))
        colours = action_colours(mix.names)
        for k in sorted(range(len(mix.names)), key=lambda k: side_of(mix.names[k])):
            heights = np.nan_to_num(mix.shares[:, k])
            plot.bar(
                mix.edges[:-1],
                heights,
                np.diff(mix.edges),
                bottom,
                align="edge",
                color=colours[k],
                label=legend_label(shorten(mix.names[k], 16)),
                linewidth=0,
            )
            bottom += heights
        _label_mix(plot, mix)
        return to_png(figure)


def _label_mix(plot: Axes, mix: ActionMix) -> None:
    plot.set_xlim(mix.edges[0], mix.edges[-1])
    plot.set_ylim(0, 1)
    plot.xaxis.set_major_formatter(EngFormatter(sep=""))
    plot.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    plot.set_title(shorten(mix.arm), fontsize="medium")
    plot.set_xlabel("timesteps")
    plot.set_ylabel("share of timesteps")
    handles, labels = plot.get_legend_handles_labels()
    plot.legend(
        handles[::-1],
        labels[::-1],
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        fontsize="x-small",
        frameon=False,
    )


def draw_intervals(numbers: Sequence[Number], arms: Sequence[str]) -> bytes:
    """
    Arms beside each other in one measure: value, interval, and each seed as a dot.

    :param numbers: Of arms and of their runs.
    :param arms: All arms, in their order.
    """
    with default_style():
        figure = Figure(figsize=(_WIDTH, 0.42 * len(arms) + 0.9), layout="constrained")
        plot = figure.subplots()
        for number in numbers:
            if np.isfinite(number.value):
                _draw_number(plot, number, arms.index(number.arm))
        plot.set_xlabel(MEASURES[numbers[0].measure].label)
        plot.set_yticks(range(len(arms)), [shorten(arm, 22) for arm in arms])
        plot.set_ylim(len(arms) - 0.5, -0.5)
        plot.grid(alpha=0.3, axis="x")
        plot.use_sticky_edges = False  # a bar's end would be the plot's
        plot.margins(x=0.08)
        if numbers[0].measure in _RATES:
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
