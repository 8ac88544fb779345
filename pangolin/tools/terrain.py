"""Draws terrain into bitmaps: what is solid on each layer, and the angle of each surface pixel.

Angles are 0..255 anticlockwise: 0 a floor, 64 a wall to the right, 128 a ceiling, 192 a wall to
the left. Everything a level file draws ends here; blocks.py and paint.py cut it up.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Point = tuple[float, float]

FLAT, RIGHT_WALL, CEILING, LEFT_WALL = 0, 64, 128, 192


def angle_of_heading(dx: float, dy: float) -> int:
    """Angle of a surface walked along (dx, dy) with the solid on the right hand; y grows down."""
    return round(math.atan2(-dy, dx) * 128 / math.pi) % 256


def angle_of_normal(nx: float, ny: float) -> int:
    """Angle of a surface whose normal out of the solid is (nx, ny); y grows down."""
    return round(math.atan2(-ny, nx) * 128 / math.pi - 64) % 256


@dataclass(frozen=True)
class Arc:
    """A part of a circle in a path: centre, radius, start and end in degrees (y grows down)."""

    x: float
    y: float
    radius: float
    start: float
    end: float

    def points(self) -> list[Point]:
        n = max(8, int(abs(self.end - self.start) * math.pi / 180 * self.radius * 2))
        steps = (self.start + (self.end - self.start) * i / n for i in range(n + 1))
        return [
            (
                self.x + self.radius * math.cos(math.radians(a)),
                self.y + self.radius * math.sin(math.radians(a)),
            )
            for a in steps
        ]


def dense(points: Sequence[Point], step: float = 0.5) -> list[Point]:
    """The polyline with a point at least every step pixels."""
    out: list[Point] = [points[0]]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        n = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / step))
        out.extend((x0 + (x1 - x0) * i / n, y0 + (y1 - y0) * i / n) for i in range(1, n + 1))
    return out


class Terrain:
    """The bitmaps of one act, each (height, width)."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        shape = (height, width)
        self.solid: tuple[Mask, Mask] = (np.zeros(shape, np.bool_), np.zeros(shape, np.bool_))
        self.oneway: Mask = np.zeros(shape, np.bool_)
        self.angle: tuple[Bytes, Bytes] = (np.zeros(shape, np.uint8), np.zeros(shape, np.uint8))
        self.has_angle: tuple[Mask, Mask] = (np.zeros(shape, np.bool_), np.zeros(shape, np.bool_))

    def fill_columns(
        self, path: Sequence[Point], below: bool, thick: int | None, kind: str
    ) -> None:
        """Solid under (or over) a path that goes from left to right.

        :param thick: pixels of solid, None for all the way to the level's edge
        :param kind: ``solid`` or ``oneway``
        """
        points = dense(path)
        xs = np.array([p[0] for p in points])
        ys = np.array([p[1] for p in points])
        first, last = math.ceil(xs[0] - 0.5), math.ceil(xs[-1] - 0.5)
        for x in range(max(first, 0), min(last, self.width)):
            y = round(float(np.interp(x + 0.5, xs, ys)))
            top, bottom = (y, self.height) if below else (0, y)
            if thick is not None:
                top, bottom = (y, y + thick) if below else (y - thick, y)
            self._set_column(x, max(top, 0), min(bottom, self.height), kind)
        self.stamp_path(points, reverse=not below)

    def _set_column(self, x: int, top: int, bottom: int, kind: str) -> None:
        if kind == "oneway":
            self.oneway[top:bottom, x] = True
            return
        for solid in self.solid:
            solid[top:bottom, x] = True

    def stamp_path(
        self, points: Sequence[Point], reverse: bool, layers: Iterable[int] = (0, 1)
    ) -> None:
        """Remembers the angle along a path; reverse where the solid is on the left hand."""
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            dx, dy = (x0 - x1, y0 - y1) if reverse else (x1 - x0, y1 - y0)
            if dx or dy:
                self.stamp((x0 + x1) / 2, (y0 + y1) / 2, angle_of_heading(dx, dy), layers)

    def stamp(self, x: float, y: float, angle: int, layers: Iterable[int] = (0, 1)) -> None:
        col, row = math.floor(x), math.floor(y)
        if 0 <= col < self.width and 0 <= row < self.height:
            for layer in layers:
                self.angle[layer][row, col] = angle
                self.has_angle[layer][row, col] = True

    def rectangle(self, x0: int, y0: int, x1: int, y1: int, kind: str) -> None:
        """A rectangle of ``solid``, ``oneway`` or ``air``, right and bottom edges excluded."""
        area = (slice(max(y0, 0), max(y1, 0)), slice(max(x0, 0), max(x1, 0)))
        if kind == "oneway":
            self.oneway[area] = True
        else:
            for solid in self.solid:
                solid[area] = kind == "solid"
        if kind == "air":
            self.oneway[area] = False
        for has_angle in self.has_angle:
            has_angle[area] = False

    def polygon(self, corners: Sequence[Point], kind: str) -> None:
        """A filled polygon of ``solid`` or ``air``."""
        xs, ys = [p[0] for p in corners], [p[1] for p in corners]
        x0, x1 = max(0, math.floor(min(xs))), min(self.width, math.ceil(max(xs)))
        y0, y1 = max(0, math.floor(min(ys))), min(self.height, math.ceil(max(ys)))
        gx, gy = np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5)
        inside = np.zeros(gx.shape, np.bool_)
        area = 0.0
        for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
            area += ax * by - bx * ay
            if ay != by:
                crosses = (ay > gy) != (by > gy)
                inside ^= crosses & (gx < (bx - ax) * (gy - ay) / (by - ay) + ax)
        for solid in self.solid:
            solid[y0:y1, x0:x1][inside] = kind == "solid"
        clockwise = area > 0
        self.stamp_path(dense([*corners, corners[0]]), reverse=clockwise == (kind == "air"))

    def tube(self, path: Sequence[Point], width: float) -> None:
        """Carves a corridor with round walls through whatever is solid."""
        points = np.array(dense(path, 1.0))
        half = width / 2
        pad = int(half) + 3
        for chunk in np.array_split(points, max(1, len(points) // 64)):
            x0 = max(0, int(chunk[:, 0].min()) - pad)
            x1 = min(self.width, int(chunk[:, 0].max()) + pad)
            y0 = max(0, int(chunk[:, 1].min()) - pad)
            y1 = min(self.height, int(chunk[:, 1].max()) + pad)
            gx, gy = np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5)
            dist = np.min(
                np.hypot(gx[..., None] - chunk[:, 0], gy[..., None] - chunk[:, 1]), axis=-1
            )
            for solid in self.solid:
                solid[y0:y1, x0:x1][dist < half] = False
        self._stamp_tube(points, half)

    def _stamp_tube(self, points: npt.NDArray[np.float64], half: float) -> None:
        fine = dense([(float(x), float(y)) for x, y in points], 0.5)
        for (x0, y0), (x1, y1) in itertools.pairwise(fine):
            length = math.hypot(x1 - x0, y1 - y0)
            ux, uy = (x1 - x0) / length, (y1 - y0) / length
            for nx, ny in ((uy, -ux), (-uy, ux)):
                wall_x, wall_y = x0 - nx * half, y0 - ny * half
                self.stamp(wall_x, wall_y, angle_of_normal(nx, ny))

    def loop(self, cx: int, cy: int, radius: int, thick: int) -> None:
        """A ring to run round: its right half is ground on layer 0, its left half on layer 1."""
        outer = radius + thick
        x0, x1 = max(0, cx - outer - 1), min(self.width, cx + outer + 1)
        y0, y1 = max(0, cy - outer - 1), min(self.height, cy + outer + 1)
        gx, gy = np.meshgrid(np.arange(x0, x1) + 0.5 - cx, np.arange(y0, y1) + 0.5 - cy)
        dist = np.hypot(gx, gy)
        foot = (gy > radius * 0.6) & (dist >= radius) & (np.abs(gx) < radius * 0.8)
        ring = ((dist >= radius) & (dist < outer)) | foot
        overlap = 20  # both layers keep the top, where the player changes over
        halves = (
            (gx >= 0) | ((gx >= -overlap) & (gy < 0)),
            (gx < 0) | ((gx < overlap) & (gy < 0)),
        )
        for layer, half in enumerate(halves):
            self.solid[layer][y0:y1, x0:x1] |= ring & half & (gy < radius)
        n = int(radius * 14)
        for i in range(n):
            a = 2 * math.pi * i / n
            x, y = cx + (radius + 0.5) * math.sin(a), cy + (radius + 0.5) * math.cos(a)
            in_layer = [x >= cx - overlap, x < cx + overlap]
            if y > cy:
                in_layer = [x >= cx, x < cx]
            layers = [k for k in (0, 1) if in_layer[k]]
            self.stamp(x, y, round(i * 256 / n) % 256, layers)
