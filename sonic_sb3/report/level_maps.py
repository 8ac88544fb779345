"""Maps of levels: where agents die, where they stall, drawn over the level's picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib.image
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sonic_sb3.episode_tables import Column
from sonic_sb3.games import INTEGRATIONS_DIR, catalogue
from sonic_sb3.report.curves import Ends
from sonic_sb3.report.style import default_style, shorten, to_png

MAP_SCALE = 4  # a pixel of a picture in maps/ stands for so many of the level's, each way
_CELL_PX = 48
_STRIP_PX = 224  # the height of an empty strip: a screen's
_DEATHS = ("life_lost", "game_over")
_STALLS = ("time_limit",)
_KINDS = (
    ("died", _DEATHS, "X", "#e3001b"),
    ("stalled (time limit)", _STALLS, "o", "#ff9f1c"),
    ("completed", ("completed",), "^", "#12a150"),
)


def picture_path(game_id: str, level: str) -> Path | None:
    """The picture of a level; ``None`` where this package has none."""
    path = INTEGRATIONS_DIR / game_id / "maps" / f"{level}.png"
    # The names may come from a stranger's run.
    is_inside = path.resolve().is_relative_to(INTEGRATIONS_DIR.resolve())
    return path if is_inside and path.is_file() else None


def draw_level(
    game_id: str, level: str, training: Mapping[str, Ends], final: Mapping[str, Ends]
) -> bytes:
    """
    One level, a strip per arm.

    :param game_id: The game.
    :param level: The level.
    :param training: Arm -> where its training episodes ended, pale.
    :param final: Arm -> where its evaluation episodes ended. The area of a mark is the share of
        the arm's episodes that ended there.
    """
    path = picture_path(game_id, level)
    picture = None if path is None else matplotlib.image.imread(path)
    width, height = _extent(picture, [*training.values(), *final.values()])
    arms = list(training)
    strip = max(1.15, min(2.4, 13 * height / width))
    with default_style():
        figure = Figure(figsize=(13, (strip + 0.55) * len(arms) + 0.5), layout="constrained")
        plots = figure.subplots(len(arms), 1, squeeze=False, sharex=True)
        for plot, arm in zip(plots.flat, arms, strict=True):
            if picture is not None:
                extent = (0, width, height, 0)
                plot.imshow(picture, extent=extent, aspect="auto", alpha=0.8)
            _mark_loops(plot, game_id, level)
            _mark(plot, training[arm], height, is_final=False)
            _mark(plot, final[arm], height, is_final=True)
            plot.set_xlim(0, width)
            plot.set_ylim(height * 1.05, 0)
            plot.set_yticks([])
            plot.set_title(f"{shorten(arm)}: {_tally(final[arm])}", fontsize="medium", loc="left")
        plots[-1, 0].set_xlabel(f"x in {shorten(level)}, pixels")
        _legend_of_kinds(figure)
        return to_png(figure)


def _extent(picture: npt.NDArray[np.float32] | None, ends: list[Ends]) -> tuple[float, float]:
    """Width and height of the level, pixels."""
    if picture is not None:
        return picture.shape[1] * MAP_SCALE, picture.shape[0] * MAP_SCALE
    xs, ys = (np.concatenate([getattr(e, name) for e in ends]) for name in ("x", "y"))
    if len(xs) == 0:
        return 320.0, float(_STRIP_PX)
    return max(320.0, xs.max() * 1.03), max(float(_STRIP_PX), ys.max() * 1.1)


def _mark_loops(plot: Axes, game_id: str, level: str) -> None:
    game = catalogue().get(game_id)
    for start, end in game.loops_px.get(level, ()) if game is not None else ():
        plot.axvspan(start, end, color="#3b82f6", alpha=0.15, linewidth=0, zorder=1)
        plot.text((start + end) / 2, 0, "loop", ha="center", va="top", fontsize="small", zorder=5)


def _mark(plot: Axes, ends: Ends, height: float, is_final: bool) -> None:
    for _, reasons, marker, colour in _KINDS:
        chosen = np.isin(ends.end_reason, reasons)
        y = np.clip(ends.y[chosen], 0, height)  # who falls out of the level is drawn at its edge
        x, y, counts = _gather(ends.x[chosen], y)
        smallest, largest = (40, 900) if is_final else (8, 500)
        plot.scatter(
            x,
            y,
            s=smallest + largest * counts / max(1, len(ends.x)),
            marker=marker,
            color=colour,
            alpha=0.85 if is_final else 0.3,
            edgecolors="white" if is_final else "none",
            linewidths=0.8,
            zorder=4 if is_final else 3,
        )


def _gather(x: Column, y: Column) -> tuple[Column, Column, Column]:
    """Ends that lie close together as one, in their middle, and how many they are."""
    cells = np.column_stack([x // _CELL_PX, y // _CELL_PX])
    _, which, counts = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    which = which.ravel()
    n = len(counts)
    return (
        np.bincount(which, x, n) / counts,
        np.bincount(which, y, n) / counts,
        counts.astype(np.float64),
    )


def _tally(ends: Ends) -> str:
    if len(ends.x) == 0:
        return "not evaluated here"
    counts = [f"{np.isin(ends.end_reason, reasons).sum()} {label}" for label, reasons, *_ in _KINDS]
    return f"{len(ends.x)} evaluation episodes, {', '.join(counts)}"


def _legend_of_kinds(figure: Figure) -> None:
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=label)
        for label, _, marker, colour in _KINDS
    ]
    figure.legend(
        handles=handles, loc="outside upper center", ncols=5, frameon=False, fontsize="small"
    )
