"""What all pictures share: size, colours, and bytes that depend on the data alone."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib.style
from matplotlib.figure import Figure

from sonic_sb3.report.action_names import side_of

# Okabe and Ito's colours, which colour-blind people can tell apart too.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a7a7a", "#000000")
_DASHES = ("-", "--", ":", "-.")
_LEFT, _RIGHT = ("#8c1c13", "#bf4342", "#e07a5f", "#f2b5a7"), (
    "#023e8a",
    "#0077b6",
    "#48cae4",
    "#a8dff0",
)  # fmt: skip
_OTHER = ("#606c38", "#a3b18a", "#d4c95f", "#8a817c", "#bcb8b1", "#dad7cd", "#5e548e", "#9f86c0")
DPI = 150


def arm_style(index: int) -> dict[str, Any]:
    """Colour and dashes of the arm with this number, as keywords of matplotlib."""
    dashes = _DASHES[index // len(_COLOURS) % len(_DASHES)]
    return {"color": _COLOURS[index % len(_COLOURS)], "linestyle": dashes}


def action_colours(names: Sequence[str]) -> list[str]:
    """A colour for each action: to the left red, to the right blue, others green and grey."""
    palettes = (_LEFT, _OTHER, _RIGHT)
    n_used = [0, 0, 0]
    colours = []
    for name in names:
        side = side_of(name)
        colours.append(palettes[side][n_used[side] % len(palettes[side])])
        n_used[side] += 1
    return colours


@contextmanager
def default_style() -> Iterator[None]:
    """Matplotlib's own defaults, whatever the user's settings file says."""
    with matplotlib.style.context("default", after_reset=True):
        yield


def to_png(figure: Figure) -> bytes:
    """A figure as PNG; the same figure gives the same bytes."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return file.getvalue()


def legend_label(text: str) -> str:
    """A name for a legend: matplotlib leaves out those that begin with ``_``."""
    return f" {text}"


def shorten(text: str, n: int = 34) -> str:
    """A name for a picture; matplotlib would read its ``$`` as mathematics."""
    text = "".join(c if c.isprintable() else " " for c in text).replace("$", "\\$")
    return text if len(text) <= n else text[: n - 1] + "…"
