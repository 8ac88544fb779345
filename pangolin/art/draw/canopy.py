"""CanopyZone: a jungle canopy; bark underfoot, leaves on top, hazy tree crowns behind."""

from __future__ import annotations

import math

import numpy as np

from pangolin.art.draw.canvas import Canvas, Pixels, Point, outlined
from pangolin.art.draw.tiles import Tiling, stamp

# Terrain line.
INK, BARK_DEEP, BARK_DARK, BARK, BARK_LIGHT, PALE = 1, 2, 3, 4, 5, 6
LEAF_DEEP, LEAF_DARK, LEAF, LEAF_LIGHT, BLADE = 7, 8, 9, 10, 11
PETAL_DARK, PETAL, BLUE, SKY = 12, 13, 14, 15
# Background line: sky, far crowns (light to dark), hanging leaves, near bushes.
MIST, MIST_LOW, FAR_TOP, FAR, FAR_DARK = 1, 2, 3, 4, 5
LEAVES_LIT, LEAVES, LEAVES_DEEP = 6, 8, 10
NEAR_LIT, NEAR, NEAR_DARK, NEAR_DEEP, BEAM = 7, 11, 12, 14, 13
BANDS = [
    {"y0": 0, "y1": 48, "speed": 0.25},
    {"y0": 48, "y1": 140, "speed": 0.125},
    {"y0": 140, "y1": 256, "speed": 0.375},
]


def fill() -> Pixels:
    """Bark: wavy upright ridges with two slits, dark and quiet."""
    canvas = Tiling(32, 32)
    canvas.paint(canvas.ys >= 0, BARK_DARK)
    for ridge in range(4):
        canvas.paint(canvas.path(_wave(ridge * 8 + 0.4, ridge), 1.3), BARK_DEEP)
        canvas.paint(canvas.path(_wave(ridge * 8 + 2.4, ridge), 1.6), BARK)
    for x, y in ((8.2, 9.0), (24.4, 24.0)):
        canvas.paint(canvas.blob(x, y, 2.8, 4.6), BARK_DARK)
        canvas.paint(canvas.blob(x, y, 1.9, 3.4), BARK_DEEP)
        canvas.paint(canvas.blob(x + 0.5, y + 0.5, 1.2, 2.6), BARK_DARK)
    return canvas.reduced()


def _wave(x: float, ridge: int) -> list[Point]:
    """A line down the tile that meets itself below."""
    return [
        (x + 1.3 * math.sin(2 * math.pi * (y / 32 + ridge * 0.29)), float(y))
        for y in range(-2, 36, 2)
    ]


def surface() -> Pixels:
    """Leaves over the bark: blades above, a bright carpet, scalloped fringe, shadow."""
    canvas = Tiling(32, 16, wrap_y=False)
    lobes = [(2, 10.4, 3.4), (7, 9.2, 3.2), (12, 11.4, 3.6), (17.5, 9.6, 3.2), (22.5, 11.0, 3.5),
             (28, 9.4, 3.5)]  # fmt: skip
    for x, y, size in lobes:
        canvas.paint(canvas.blob(x + 0.6, y + 1.8, size + 0.3, size), INK)
    canvas.paint((canvas.ys > 4) & (canvas.ys < 9), LEAF_DARK)
    for x, y, size in lobes:
        canvas.paint(canvas.blob(x, y, size, size), LEAF_DEEP)
        canvas.paint(canvas.blob(x - 0.4, y - 0.9, size - 0.3, size - 0.3), LEAF_DARK)
        canvas.paint(canvas.blob(x - 0.9, y - 2.2, size - 1.0, size - 1.3), LEAF)
    canvas.paint((canvas.ys > 4) & (canvas.ys < 7), LEAF)
    for x, tip, height in ((1.5, 0.5, 4), (5, 6.5, 3), (9, 8.2, 3.6), (14, 15.5, 3), (19, 18.0, 4),
                           (24, 25.5, 3), (28.5, 27.6, 3.4)):  # fmt: skip
        blade = [(x - 1.4, 6.0), (tip, 5.0 - height), (x + 1.4, 6.0)]
        canvas.paint(canvas.shape(blade, 0.25), LEAF_LIGHT)
    canvas.paint((canvas.ys > 4) & (canvas.ys < 5), BLADE)
    canvas.paint((canvas.ys > 5) & (canvas.ys < 6), LEAF_LIGHT)
    return canvas.reduced()


def background() -> Pixels:
    """Hanging leaves, misty crowns, near bushes with trunks."""
    picture = np.full((256, 512), MIST, np.uint8)
    _hanging(picture)
    _far_crowns(picture)
    _near_bushes(picture)
    return picture


def _hanging(picture: Pixels) -> None:
    canvas = Tiling(64, 48, wrap_y=False)
    canvas.paint(canvas.path([(22, 0), (23.5, 25), (22, 42)], 1.8), LEAVES)
    for y in range(26, 42, 6):
        canvas.paint(canvas.blob(24.2, y, 2.2, 1.3, -30), LEAVES)
        canvas.paint(canvas.blob(20.8, y + 3, 2.2, 1.3, 30), LEAVES)
    for rim, colour, drop, count in ((FAR, FAR_DARK, 25.0, 5), (LEAVES_LIT, LEAVES, 18.0, 6),
                                     (LEAVES, LEAVES_DEEP, 9.0, 4)):  # fmt: skip
        canvas.paint(canvas.ys < drop, colour)
        for k in range(count):
            x = (k + 0.5 * (drop % 2)) * 64 / count
            tilt = 24 * math.sin(k * 2.3 + drop)
            length = 8.5 + 2.5 * math.cos(k * 1.7 + drop)
            canvas.paint(canvas.blob(x, drop, 5.6, length, tilt), rim)
            canvas.paint(canvas.blob(x + 1.0, drop - 1.2, 5.3, length - 0.4, tilt), colour)
    for left in range(0, 512, 64):
        stamp(picture, canvas.reduced(), left, 0)


def _far_crowns(picture: Pixels) -> None:
    picture[48:] = MIST
    picture[66:140] = MIST_LOW
    picture[66, ::2] = MIST
    picture[64, 1::4] = MIST_LOW
    picture[68, 3::4] = MIST
    canvas = Tiling(128, 96, wrap_y=False)
    tall = ((14, 26, 1.0), (50, 34, 0.8), (82, 22, 1.1), (112, 36, 0.75))
    for x, y, size in tall:
        _tree(canvas, x, y, size, FAR_TOP, FAR_TOP)
    low = ((32, 46, 1.0), (66, 54, 0.8), (98, 44, 1.05))
    for x, y, size in low:
        _tree(canvas, x, y, size, FAR, FAR_TOP)
    for k in range(6):
        rise = 12 * (0.8 + 0.45 * math.sin(k * 2.1 + 3))
        canvas.paint(canvas.blob(k * 21.3, 84, 13.0, rise), FAR)
    for k in range(6):
        rise = 10 * (0.8 + 0.45 * math.sin(k * 2.6 + 1))
        canvas.paint(canvas.blob(k * 21.3 + 9, 90, 13.0, rise), FAR_DARK)
    canvas.paint(canvas.ys > 89, FAR_DARK)
    pixels = canvas.reduced()
    for x in range(0, 512, 128):
        stamp(picture, pixels, x, 48)


def _tree(canvas: Tiling, x: float, y: float, size: float, colour: int, lit: int) -> None:
    """A far tree: a slim forked trunk under a crown of four lumps."""
    canvas.paint(canvas.path([(x, y), (x - 0.5, 100)], [2.2 * size, 3.6 * size]), colour)
    canvas.paint(canvas.path([(x, y + 18 * size), (x + 8 * size, y + 4)], 1.5), colour)
    lumps = ((0, 0, 13, 7.5), (-9, 4, 9, 5), (9, 3, 9.5, 5.5), (2, -5, 8, 5))
    for dx, dy, rx, ry in lumps:
        canvas.paint(canvas.blob(x + dx * size, y + dy * size, rx * size, ry * size), lit)
    for dx, dy, rx, ry in lumps:
        low = canvas.blob(x + (dx + 1) * size, y + (dy + 1.6) * size, rx * size - 1, ry * size - 1)
        canvas.paint(low, colour)


def _near_bushes(picture: Pixels) -> None:
    picture[140:] = FAR_DARK
    canvas = Tiling(256, 116, wrap_y=False)
    rim_layers = ((NEAR_LIT, NEAR, 36.0, 7, 27.0, 0.0), (NEAR, NEAR_DARK, 66.0, 6, 22.0, 17.0))
    for rim, colour, base, count, reach, shift in rim_layers:
        for k in range(count):
            x = shift + k * 256 / count
            _fan(canvas, x, base + 4, reach * (0.8 + 0.3 * math.sin(k * 2.2 + shift)), rim, colour)
        canvas.paint(canvas.ys > base + 3, colour)
    for k in range(8):
        canvas.paint(canvas.blob(k * 32, 96, 21, (9, 5, 7, 4)[k % 4]), NEAR_DEEP)
    canvas.paint(canvas.ys > 95, NEAR_DEEP)
    pixels = canvas.reduced()
    for x in (0, 256):
        stamp(picture, pixels, x, 140)


def _fan(canvas: Tiling, x: float, y: float, reach: float, rim: int, colour: int) -> None:
    """A fan of broad leaves, each with a lit upper edge."""
    for degrees in (20, 160, 48, 132, 78, 104):
        angle = math.radians(degrees)
        length = reach * (0.75 + 0.35 * math.sin(angle))
        bend = (x + length * 0.6 * math.cos(angle), y - length * 0.8 * math.sin(angle))
        tip = (x + length * 1.1 * math.cos(angle), y - length * 0.95 * math.sin(angle) + 3)
        leaf = [(x, y), bend, tip]
        canvas.paint(canvas.path(leaf, [3.0, 7.0, 1.0]), rim)
        lower = [(a + 0.9, b + 1.2) for a, b in leaf]
        canvas.paint(canvas.path(lower, [3.0, 6.4, 1.0]), colour)


def decor() -> dict[str, Pixels]:
    """Plants that stand on the ground; the lower edge is the ground line."""
    return {
        "fern": _fern(),
        "flower": _flower(),
        "mushroom": _mushroom(),
        "palm": _palm(),
        "bush": _bush(),
        "totem": _totem(),
    }


def _fern() -> Pixels:
    canvas = Canvas(32, 24)
    for reach, height, colour in ((-14, 9, LEAF_DARK), (14, 9, LEAF_DARK), (-10, 16, LEAF),
                                  (10, 16, LEAF), (-3, 20, LEAF_LIGHT), (4, 19, LEAF)):  # fmt: skip
        tip = (16 + reach, 24 - height + abs(reach) * 0.25)
        bend = (16 + reach * 0.5, 22 - height)
        canvas.paint(canvas.line([(16, 24), bend, tip], [3.4, 3.0, 1.0]), INK)
        canvas.paint(canvas.line([(16, 24), bend, tip], [2.2, 1.9, 0.8]), colour)
    return outlined(canvas.reduced(), LEAF_DEEP)


def _flower() -> Pixels:
    canvas = Canvas(24, 40)
    canvas.paint(canvas.line([(12, 40), (10.5, 28), (12, 14)], 2.4), LEAF_DARK)
    for side in (-1, 1):
        leaf = [(12, 36), (12 + side * 6, 28), (12 + side * 9.5, 30)]
        canvas.paint(canvas.line(leaf, [2.0, 4.0, 1.2]), LEAF)
    for k in range(5):
        angle = math.radians(90 + 72 * k)
        x, y = 12 + 5 * math.cos(angle), 11 - 5 * math.sin(angle)
        canvas.paint(canvas.ellipse(x, y, 4.4, 4.4), INK)
        canvas.lit(canvas.ellipse(x, y, 3.7, 3.7), (PETAL_DARK, PETAL, PETAL), 1.2)
    canvas.paint(canvas.ellipse(12, 11, 2.9, 2.9), INK)
    canvas.lit(canvas.ellipse(12, 11, 2.3, 2.3), (PALE, BLADE, BLADE), 0.8)
    return outlined(canvas.reduced(), LEAF_DEEP)


def _mushroom() -> Pixels:
    canvas = Canvas(32, 32)
    for x, base, size in ((20.0, 32.0, 1.0), (9.0, 32.0, 0.6)):
        stem = [(x, base), (x - 1, base - 14 * size)]
        canvas.paint(canvas.line(stem, 6.4 * size), INK)
        canvas.lit(canvas.line(stem, 4.8 * size), (BARK, PALE, BLADE), 1.0)
        cap = canvas.ellipse(x, base - 15 * size, 11 * size, 9.5 * size) & (
            canvas.ys < base - 13 * size
        )
        canvas.lit(cap, (PETAL_DARK, PETAL, PETAL), 1.6)
        for dx, dy in ((-4, -18), (2.5, -20), (6, -16)):
            spot = canvas.ellipse(x + dx * size, base + dy * size, 1.9 * size, 1.5 * size)
            canvas.paint(spot, BLADE, cap)
    return outlined(canvas.reduced(), INK)


def _palm() -> Pixels:
    canvas = Canvas(64, 96)
    trunk = [(30, 96), (27, 70), (29, 46), (34, 26)]
    canvas.paint(canvas.line(trunk, [11, 8.6, 7.8, 7]), INK)
    body = canvas.line(trunk, [9.4, 7.0, 6.2, 5.4])
    canvas.lit(body, (BARK_DARK, BARK, BARK_LIGHT), 1.8)
    for y in range(34, 96, 8):
        canvas.paint(canvas.line([(20, y), (30, y + 2.5), (40, y)], 1.2), BARK_DEEP, body)
    fronds = [(-27, 20), (27, 18), (-30, 4), (29, 2), (-20, -12), (20, -13), (2, -18)]
    for index, (dx, dy) in enumerate(fronds):
        bend = (34 + dx * 0.55, 24 + dy * 0.4 - 12)
        tip = (34 + dx, 24 + dy)
        canvas.paint(canvas.line([(34, 25), bend, tip], [4.0, 8.4, 1.6]), LEAF_DEEP)
        shade = (LEAF_DARK, LEAF_DARK, LEAF, LEAF, LEAF, LEAF_LIGHT, LEAF_LIGHT)[index]
        canvas.paint(canvas.line([(34, 25), bend, tip], [2.4, 6.4, 0.9]), shade)
        canvas.paint(canvas.line([(34, 25), bend, tip], 0.9), LEAF_DEEP)
    for x, y in ((31, 30), (37, 30)):
        canvas.paint(canvas.ellipse(x, y, 3.4, 3.4), INK)
        canvas.lit(canvas.ellipse(x, y, 2.6, 2.6), (BARK_DARK, BARK_LIGHT, PALE), 1.0)
    return outlined(canvas.reduced(), LEAF_DEEP)


def _bush() -> Pixels:
    canvas = Canvas(48, 32)
    lumps = [(10, 24, 9), (38, 24, 9), (24, 18, 13), (16, 26, 10), (33, 27, 10)]
    for x, y, size in lumps:
        canvas.paint(canvas.ellipse(x, y, size + 0.9, size * 0.9 + 0.9), LEAF_DEEP)
        canvas.lit(canvas.ellipse(x, y, size, size * 0.9), (LEAF_DEEP, LEAF_DARK, LEAF), 2.4)
    for x, y in ((18, 10), (30, 13), (10, 20), (36, 20), (24, 22)):
        canvas.paint(canvas.ellipse(x, y, 2.0, 1.6), PETAL)
        canvas.paint(canvas.ellipse(x - 0.4, y - 0.4, 0.9, 0.9), BLADE)
    return outlined(canvas.reduced(), INK)


def _totem() -> Pixels:
    canvas = Canvas(32, 64)
    for index, y in enumerate((6, 25, 44)):
        half = (10, 11.5, 13)[index]
        box = [(16 - half, y), (16 + half, y), (16 + half, y + 17), (16 - half, y + 17)]
        canvas.paint(canvas.polygon(box, 1.6), INK)
        canvas.lit(canvas.polygon(box, 0.7), (BARK_DARK, BARK, BARK_LIGHT), 2.0)
        for side in (-1, 1):
            canvas.paint(canvas.ellipse(16 + side * 5, y + 6, 3.0, 2.8), INK)
            canvas.paint(canvas.ellipse(16 + side * 5, y + 6.4, 1.7, 1.5), BLADE)
        mouth = [(11, y + 12.5), (14, y + 14), (18, y + 14), (21, y + 12.5)]
        canvas.paint(canvas.line(mouth, 1.8), INK)
    canvas.paint(canvas.line([(8, 4), (16, 1.5), (24, 4)], 3.4), LEAF)
    return outlined(canvas.reduced(), INK)
