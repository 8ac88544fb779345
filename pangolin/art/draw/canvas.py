"""Indexed canvas with vector shapes: drawn at eight times the size, reduced by majority vote.

Shapes are masks over the large canvas, so edges stay hard and every pixel of the result is one of
the sixteen palette indices; nothing is ever blended.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pangolin.art.draw.palette import Colour

Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]
Point = tuple[float, float]

SCALE = 8


class Canvas:
    """A transparent indexed canvas with an affine rotation about a point.

    :param width: width in pixels of the finished picture
    :param height: height in pixels of the finished picture
    :param turn_deg: counter-clockwise turn of everything drawn
    :param zoom: finished pixels to a unit of the drawing (a figure drawn larger)
    """

    def __init__(self, width: int, height: int, turn_deg: float = 0.0, zoom: int = 1) -> None:
        self.width = width
        self.height = height
        self.zoom = zoom
        self.unit = SCALE * zoom
        self.big = np.zeros((height * self.unit, width * self.unit), np.uint8)
        self._cos = math.cos(math.radians(turn_deg))
        self._sin = math.sin(math.radians(turn_deg))
        self.turn_deg = turn_deg
        self.centre = (width / 2, height / 2)
        ys, xs = np.mgrid[0 : height * self.unit, 0 : width * self.unit]
        self.xs = (xs + 0.5) / self.unit
        self.ys = (ys + 0.5) / self.unit

    def place(self, point: Point) -> Point:
        """Where a point of the drawing lies on the canvas after the turn."""
        dx, dy = point[0] - self.centre[0], point[1] - self.centre[1]
        return (
            self.centre[0] + dx * self._cos + dy * self._sin,
            self.centre[1] - dx * self._sin + dy * self._cos,
        )

    def ellipse(self, x: float, y: float, rx: float, ry: float, tilt_deg: float = 0.0) -> Mask:
        """Mask of an ellipse; ``tilt_deg`` turns it counter-clockwise."""
        cx, cy = self.place((x, y))
        angle = math.radians(tilt_deg + self.turn_deg)
        dx, dy = self.xs - cx, self.ys - cy
        u = dx * math.cos(angle) - dy * math.sin(angle)
        v = dx * math.sin(angle) + dy * math.cos(angle)
        return np.asarray((u / rx) ** 2 + (v / ry) ** 2 <= 1)

    def polygon(self, points: Sequence[Point], grow: float = 0.0) -> Mask:
        """Mask of a polygon, widened by ``grow`` pixels all round."""
        corners = [self._big_point(p) for p in points]
        image = Image.new("1", (self.width * self.unit, self.height * self.unit))
        pen = ImageDraw.Draw(image)
        pen.polygon(corners, fill=1)
        if grow > 0:
            self._stroke(pen, [*corners, corners[0]], [2 * grow] * (len(corners) + 1))
        return np.array(image, dtype=bool)

    def line(self, points: Sequence[Point], widths: float | Sequence[float]) -> Mask:
        """Mask of a polyline with round joints; one width, or one per point (a taper)."""
        if isinstance(widths, (int, float)):
            widths = [float(widths)] * len(points)
        image = Image.new("1", (self.width * self.unit, self.height * self.unit))
        self._stroke(ImageDraw.Draw(image), [self._big_point(p) for p in points], widths)
        return np.array(image, dtype=bool)

    def paint(self, mask: Mask, index: int, within: Mask | None = None) -> None:
        """Fills a mask (cut by another) with a palette index."""
        self.big[mask if within is None else mask & within] = index

    def edge(self, mask: Mask, index: int) -> None:
        """Fills a mask only where something is painted: parts a shape from those behind it."""
        self.big[mask & (self.big > 0)] = index

    def lit(self, mask: Mask, ramp: Sequence[int], rim: float = 1.3) -> None:
        """Fills a mask with (dark, middle, light): dark to the lower right, light upper left."""
        dark, middle, light = ramp
        step = round(rim * self.unit)
        self.big[mask] = middle
        self.big[mask & ~shifted(mask, -step, -step)] = dark
        self.big[mask & ~shifted(mask, step, step)] = light

    def reduced(self, threshold: float = 0.5) -> Pixels:
        """The finished picture: each pixel is the index that fills most of its 8x8 block.

        :param threshold: share of a block that must be opaque for the pixel to be opaque
        """
        zoom = self.zoom
        blocks = self.big.reshape(self.height * zoom, SCALE, self.width * zoom, SCALE)
        counts = np.stack([(blocks == index).sum((1, 3)) for index in range(32)], axis=-1)
        winner = counts[..., 1:].argmax(-1) + 1
        clear = counts[..., 0] > SCALE * SCALE * (1 - threshold)
        return np.where(clear, 0, winner).astype(np.uint8)

    def _big_point(self, point: Point) -> Point:
        x, y = self.place(point)
        return x * self.unit, y * self.unit

    def _stroke(
        self, pen: ImageDraw.ImageDraw, corners: Sequence[Point], widths: Sequence[float]
    ) -> None:
        for (x0, y0), (x1, y1), w0, w1 in zip(
            corners[:-1], corners[1:], widths[:-1], widths[1:], strict=True
        ):
            steps = max(2, int(math.hypot(x1 - x0, y1 - y0) / 3))
            for step in range(steps + 1):
                t = step / steps
                radius = (w0 + (w1 - w0) * t) * self.unit / 2
                x, y = x0 + (x1 - x0) * t, y0 + (y1 - y0) * t
                pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)


def shifted(mask: Mask, dx: int, dy: int) -> Mask:
    """The mask moved by whole big pixels; what comes in from outside is empty."""
    moved = np.zeros_like(mask)
    height, width = mask.shape
    moved[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = mask[
        max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)
    ]
    return moved


def outlined(pixels: Pixels, index: int) -> Pixels:
    """The picture with a one-pixel outline on its transparent edge."""
    solid = pixels > 0
    ring = np.zeros_like(solid)
    ring[1:] |= solid[:-1]
    ring[:-1] |= solid[1:]
    ring[:, 1:] |= solid[:, :-1]
    ring[:, :-1] |= solid[:, 1:]
    return np.where(ring & ~solid, index, pixels).astype(np.uint8)


def rows(text: str, colours: dict[str, int]) -> Pixels:
    """Pixels from a hand-written mask: one character a pixel, dots and blanks transparent."""
    lines = text.strip("\n").split("\n")
    width = max(len(line) for line in lines)
    return np.array(
        [[colours.get(char, 0) for char in line.ljust(width)] for line in lines], np.uint8
    )


def save_png(path: Path, pixels: Pixels, palette: Sequence[Colour]) -> None:
    """Writes an indexed PNG whose index 0 is transparent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    indexed = Image.frombytes("P", (pixels.shape[1], pixels.shape[0]), pixels.tobytes())
    flat = [channel for colour in palette for channel in colour]
    indexed.putpalette(flat + [0] * (768 - len(flat)))
    indexed.save(path, transparency=0, optimize=True)
