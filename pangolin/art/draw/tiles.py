"""Periodic pictures and their cost in 8x8 tiles."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pangolin.art.draw.canvas import Canvas, Mask, Pixels, Point

TILE = 8


class Tiling(Canvas):
    """A canvas that repeats: what leaves on one side comes in on the other."""

    def __init__(self, width: int, height: int, wrap_y: bool = True) -> None:
        super().__init__(width, height)
        self._steps_y = (-1, 0, 1) if wrap_y else (0,)

    def wrapped(self, mask_at: Callable[[float, float], Mask]) -> Mask:
        """The union of a shape's copies; ``mask_at`` draws it moved by dx and dy pixels."""
        union = np.zeros_like(self.big, dtype=bool)
        for dy in self._steps_y:
            for dx in (-1, 0, 1):
                union |= mask_at(dx * self.width, dy * self.height)
        return union

    def blob(self, x: float, y: float, rx: float, ry: float, tilt_deg: float = 0.0) -> Mask:
        """A wrapped ellipse."""
        return self.wrapped(lambda dx, dy: self.ellipse(x + dx, y + dy, rx, ry, tilt_deg))

    def shape(self, points: Sequence[Point], grow: float = 0.0) -> Mask:
        """A wrapped polygon."""
        return self.wrapped(
            lambda dx, dy: self.polygon([(x + dx, y + dy) for x, y in points], grow)
        )

    def path(self, points: Sequence[Point], widths: float | Sequence[float]) -> Mask:
        """A wrapped polyline."""
        return self.wrapped(lambda dx, dy: self.line([(x + dx, y + dy) for x, y in points], widths))


def unique_tiles(pixels: Pixels) -> int:
    """How many different 8x8 tiles a picture has, flips counted as the same tile."""
    seen: set[bytes] = set()
    for y in range(0, pixels.shape[0], TILE):
        for x in range(0, pixels.shape[1], TILE):
            tile = pixels[y : y + TILE, x : x + TILE]
            seen.add(min(t.tobytes() for t in (tile, tile[::-1], tile[:, ::-1], tile[::-1, ::-1])))
    return len(seen)


def bands(width: int, edges: list[tuple[int, int]], height: int) -> Pixels:
    """Flat colour bands with a dithered row pair at each border.

    :param edges: (first row, palette index) from the top down
    """
    picture = np.zeros((height, width), np.uint8)
    for index, (top, colour) in enumerate(edges):
        picture[top:] = colour
        if index and top >= 2:
            before = edges[index - 1][1]
            picture[top, ::2] = before
            picture[top - 1, 1::4] = colour
            picture[top + 1, 3::4] = before
    return picture


def stamp(picture: Pixels, piece: Pixels, x: int, y: int) -> None:
    """Pastes a piece's opaque pixels, wrapping in x."""
    height, width = piece.shape
    columns = (x + np.arange(width)) % picture.shape[1]
    bottom = min(y + height, picture.shape[0])
    piece = piece[: bottom - y]
    target = picture[y:bottom]
    target[:, columns] = np.where(piece > 0, piece, target[:, columns])
