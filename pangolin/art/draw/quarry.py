"""QuarryZone: crystal quarry and caves; cut ochre stone, teal crystals, mine gear."""

from __future__ import annotations

import math

import numpy as np

from pangolin.art.draw.canvas import Canvas, Pixels, Point, outlined
from pangolin.art.draw.tiles import Tiling, stamp

# Terrain line.
INK, ROCK_DEEP, ROCK_DARK, ROCK, ROCK_LIGHT, PALE = 1, 2, 3, 4, 5, 6
RUST, OCHRE, SAND, SAND_LIGHT, WHITE = 7, 8, 9, 10, 11
TEAL_DEEP, TEAL, TEAL_LIGHT, GLASS = 12, 13, 14, 15
# Background line.
DARK, CAVE, HAZE, WALL_DARK, WALL, WALL_LIGHT, VIOLET = 1, 2, 4, 3, 5, 6, 7
GLOW_DEEP, GLOW_DARK, GLOW, GLOW_LIGHT = 8, 9, 10, 11
NEAR, ROOF, ROOF_LIT = 13, 14, 15
BANDS = [
    {"y0": 0, "y1": 56, "speed": 0.375},
    {"y0": 56, "y1": 152, "speed": 0.125},
    {"y0": 152, "y1": 256, "speed": 0.25},
]


def fill() -> Pixels:
    """Rough-cut blocks with a lit upper left edge."""
    canvas = Tiling(32, 32)
    canvas.paint(canvas.ys >= 0, INK)
    blocks: list[list[Point]] = [
        [(2, -1), (12, -2), (14, 9), (9, 13), (1, 11)],
        [(14, -1.5), (26, 1.5), (30, 8), (24, 14), (16, 10)],
        [(28, 1.5), (33, -0.5), (34, -0.5), (32.5, 9), (31.5, 9)],
        [(1, 13), (9, 15), (12, 22), (5, 27), (-3, 24), (-4, 16)],
        [(11, 14), (16, 11.5), (24, 16), (23, 25), (14, 23)],
        [(26, 15), (31, 10.5), (33, 13), (28, 24), (25, 25)],
        [(7, 28.5), (13, 24.5), (22, 27), (21, 32), (13, 29), (5, 30)],
        [(24, 27), (29, 25.5), (36, 28.5), (33, 30), (27, 32.3), (22.5, 31)],
    ]
    for index, block in enumerate(blocks):
        mask = canvas.shape(block, -0.0)
        ramp = (ROCK_DEEP, ROCK_DARK, ROCK) if index % 3 else (ROCK_DEEP, ROCK_DARK, ROCK_DARK)
        canvas.lit(mask, ramp, 1.3)
    return canvas.reduced()


def surface() -> Pixels:
    """A sandy ledge: pebbles above, a bright lip, planed stone below, teeth of shadow."""
    canvas = Tiling(32, 16, wrap_y=False)
    for x, size in ((4, 2.2), (13.5, 1.6), (21, 2.6), (29, 1.5)):
        canvas.paint(canvas.blob(x, 4.6, size, size), INK)
        canvas.paint(canvas.blob(x, 4.8, size - 0.7, size - 0.7), SAND_LIGHT)
    canvas.paint((canvas.ys > 4) & (canvas.ys < 12), OCHRE)
    canvas.paint((canvas.ys > 4) & (canvas.ys < 5), WHITE)
    canvas.paint((canvas.ys > 5) & (canvas.ys < 7), SAND_LIGHT)
    canvas.paint((canvas.ys > 7) & (canvas.ys < 9), SAND)
    for x0, x1, depth in ((0, 7, 13), (7, 15, 11), (15, 21, 14), (21, 28, 12), (28, 32, 11)):
        stone = (canvas.xs > x0) & (canvas.xs < x1) & (canvas.ys > 9) & (canvas.ys < depth)
        canvas.paint(stone, OCHRE)
        canvas.paint(stone & (canvas.xs > x1 - 2), RUST)
        canvas.paint(stone & (canvas.xs < x0 + 1), SAND)
        canvas.paint(stone & (canvas.ys > depth - 1), RUST)
        under = (canvas.xs > x0) & (canvas.xs < x1) & (canvas.ys >= depth)
        canvas.paint(under & (canvas.ys < depth + 2), INK)
    for x in (7, 15, 21, 28):
        canvas.paint((abs(canvas.xs - x) < 0.5) & (canvas.ys > 8) & (canvas.ys < 12), INK)
    return canvas.reduced()


def background() -> Pixels:
    """Stalactites, a far cave with glowing crystals, near pillars and a mine trestle."""
    picture = np.full((256, 512), CAVE, np.uint8)
    _ceiling(picture)
    _far_cave(picture)
    _near_rocks(picture)
    return picture


def _ceiling(picture: Pixels) -> None:
    canvas = Tiling(128, 56, wrap_y=False)
    back = [(20, 12, 34), (42, 14, 44), (66, 10, 30), (90, 12, 38), (114, 13, 32), (2, 9, 26)]
    for x, half, tip in back:
        canvas.paint(
            canvas.shape([(x - half, 6), (x + half, 6), (x + 1, tip), (x - 1, tip)]), WALL_DARK
        )
    spikes = [(8, 14, 40), (30, 9, 28), (52, 16, 49), (78, 10, 30), (98, 13, 42), (119, 8, 26)]
    for x, half, tip in spikes:
        whole = [(x - half, 8), (x + half, 8), (x + 1.2, tip), (x - 1.2, tip)]
        canvas.paint(canvas.shape(whole), NEAR)
        canvas.paint(canvas.shape([(x - half, 8), (x - half * 0.35, 8), (x - 1, tip)]), GLOW_DEEP)
    canvas.paint(canvas.ys < 12, NEAR)
    for k in range(6):
        canvas.paint(canvas.blob(k * 21.3 + 6, 11, 12, 4 + 2 * math.sin(k * 2.0)), NEAR)
        canvas.paint(canvas.blob(k * 21.3, 3, 13, 5), DARK)
    canvas.paint(canvas.ys < 4, DARK)
    for x in range(0, 512, 128):
        stamp(picture, canvas.reduced(), x, 0)


def _far_cave(picture: Pixels) -> None:
    canvas = Tiling(128, 96, wrap_y=False)
    _ridge(canvas, 22.0, (10, 4, 14, 6, 12, 2), (WALL_DARK, WALL_DARK), 0.0)
    _ridge(canvas, 48.0, (8, 18, 6, 15, 10), (HAZE, GLOW_DEEP), 6.0)
    crystals = [(24, 76, 26, -9), (47, 77, 24, 9), (30, 78, 38, -3), (39, 78, 46, 3),
                (89, 80, 28, -7), (106, 80, 22, 8), (98, 80, 40, 2)]  # fmt: skip
    for x, base, tall, lean in crystals:
        _crystal(canvas, x, base, tall, lean)
    _ridge(canvas, 76.0, (5, 10, 3, 8, 6, 11, 4, 8), (WALL, VIOLET), 3.0)
    _ridge(canvas, 86.0, (4, 8, 3, 9, 5, 7), (CAVE, CAVE), 9.0)
    canvas.paint(canvas.ys > 87, CAVE)
    for x in range(0, 512, 128):
        stamp(picture, canvas.reduced(), x, 56)


def _ridge(
    canvas: Tiling, base: float, peaks: tuple[int, ...], colours: tuple[int, int], shift: float
) -> None:
    """A jagged ridge with lit left faces: peaks above the base, valleys on it."""
    face, shade = colours
    canvas.paint(canvas.ys > base - 0.5, face)
    step = canvas.width / len(peaks)
    for k, peak in enumerate(peaks):
        x = shift + k * step
        top = (x + step * 0.4, base - peak)
        canvas.paint(canvas.shape([(x, base), top, (x + step, base)]), face)
        if shade != face:
            low = base + 4.0 + peak * 0.6
            facet = [top, (x + step, base), (x + step * 0.8, low), (x + step * 0.5, base + 2)]
            canvas.paint(canvas.shape(facet), shade)


def _crystal(canvas: Tiling, x: float, base: float, tall: float, lean: float) -> None:
    tip = (x + lean, base - tall)
    left, right = (x - 4.5, base), (x + 4.5, base)
    shoulder_l, shoulder_r = (tip[0] - 4.2, tip[1] + 7), (tip[0] + 4.2, tip[1] + 7)
    canvas.paint(canvas.shape([left, shoulder_l, tip, shoulder_r, right]), GLOW_DEEP)
    canvas.paint(
        canvas.shape([left, shoulder_l, tip, (x + lean * 0.9, tip[1] + 8), (x, base)]), GLOW_DARK
    )
    canvas.paint(
        canvas.shape([left, shoulder_l, (tip[0] - 1.4, tip[1] + 8), (x - 2.4, base)]), GLOW
    )


def _near_rocks(picture: Pixels) -> None:
    picture[152:] = CAVE
    canvas = Tiling(256, 104, wrap_y=False)
    for x, half, top in ((28, 17, 10), (66, 12, 30), (120, 20, 4), (200, 15, 16), (234, 12, 34)):
        rock = [(x - half, 110), (x - half * 0.7, top + 14), (x - half * 0.3, top),
                (x + half * 0.4, top + 3), (x + half * 0.75, top + 18),
                (x + half, 110)]  # fmt: skip
        canvas.paint(canvas.shape(rock), ROOF_LIT)
        canvas.paint(canvas.shape([(a + 1.5, b + 1.5) for a, b in rock]), NEAR)
        facet = [(x - half * 0.3, top + 2), (x - half * 0.55, top + 16), (x - half * 0.2, top + 30),
                 (x + half * 0.1, top + 14)]  # fmt: skip
        canvas.paint(canvas.shape(facet), WALL)
    canvas.paint(canvas.path([(138, 48), (194, 48)], 1.5), ROOF_LIT)
    canvas.paint(canvas.path([(136, 50), (196, 50)], 3.0), DARK)
    for x in (146, 166, 186):
        canvas.paint(canvas.path([(x, 50), (x, 104)], 3.4), DARK)
        canvas.paint(canvas.path([(x - 9, 68), (x, 54), (x + 9, 68)], 1.6), DARK)
    canvas.paint(canvas.shape([(156, 36), (178, 36), (175, 45), (159, 45)]), DARK)
    for x in (161, 173):
        canvas.paint(canvas.blob(x, 46.5, 2.2, 2.2), DARK)
    canvas.paint(canvas.shape([(158, 36), (162, 31), (168, 34), (172, 30), (176, 36)]), GLOW_DARK)
    _ridge(canvas, 72.0, (6, 14, 4, 10) * 2, (NEAR, NEAR), 5.0)
    _ridge(canvas, 90.0, (5, 9, 3, 8) * 2, (DARK, DARK), 0.0)
    for x in (0, 256):
        stamp(picture, canvas.reduced(), x, 152)


def decor() -> dict[str, Pixels]:
    """Mine pieces and crystals; the lower edge is the ground line."""
    return {
        "crystals": _crystals(48, 48, 1.0),
        "crystal_small": _crystals(24, 24, 0.5),
        "cart": _cart(),
        "lantern": _lantern(),
        "props": _props(),
        "rubble": _rubble(),
    }


def _crystals(width: int, height: int, size: float) -> Pixels:
    canvas = Canvas(width, height)
    shafts = [(12, 24, -7, 4.5), (36, 26, 8, 4.8), (24, 42, 1, 6.5),
              (17, 16, -8, 3.2), (32, 15, 6, 3.4)]  # fmt: skip
    for shaft in shafts:
        x, tall, lean, half = (value * size for value in shaft)
        base = height + 1.0
        tip = (x + lean, base - tall)
        edge_l, edge_r = (
            (tip[0] - half * 0.9, tip[1] + 7 * size),
            (tip[0] + half * 0.9, tip[1] + 7 * size),
        )
        whole: list[Point] = [(x - half, base), edge_l, tip, edge_r, (x + half, base)]
        canvas.paint(canvas.polygon(whole, 1.0), INK)
        canvas.paint(canvas.polygon(whole), TEAL)
        middle = (tip[0] + half * 0.2, tip[1] + 8 * size)
        canvas.paint(
            canvas.polygon([middle, tip, edge_r, (x + half, base), (x + half * 0.3, base)]),
            TEAL_DEEP,
        )
        canvas.paint(canvas.polygon([edge_l, tip, middle]), GLASS)
        canvas.paint(
            canvas.line(
                [(edge_l[0] + 1.2, edge_l[1] + 1), (x - half + 1.4, base)], 1.3 * size + 0.4
            ),
            TEAL_LIGHT,
        )
    return canvas.reduced()


def _cart() -> Pixels:
    canvas = Canvas(48, 40)
    for x, y, size in ((14, 12, 6), (24, 9, 7), (34, 12, 6)):
        lump = [
            (x - size, y + 4),
            (x - 2, y - size),
            (x + size * 0.6, y - size * 0.5),
            (x + size, y + 4),
        ]
        canvas.paint(canvas.polygon(lump, 0.9), INK)
        canvas.lit(canvas.polygon(lump), (TEAL_DEEP, TEAL, TEAL_LIGHT), 1.4)
    tub = [(4, 14), (44, 14), (39, 31), (9, 31)]
    canvas.paint(canvas.polygon(tub, 1.9), INK)
    canvas.lit(canvas.polygon(tub, 0.9), (ROCK_DARK, ROCK, ROCK_LIGHT), 2.0)
    canvas.paint(canvas.line([(4, 14.5), (44, 14.5)], 3.0), SAND)
    canvas.paint(canvas.line([(4, 13.6), (44, 13.6)], 1.0), SAND_LIGHT)
    for x in (14, 24, 34):
        canvas.paint(canvas.line([(x, 17), (x + (24 - x) * 0.15, 30)], 1.2), INK)
    for x in (14, 34):
        canvas.paint(canvas.ellipse(x, 34.5, 5.4, 5.4), INK)
        canvas.lit(canvas.ellipse(x, 34.5, 4.4, 4.4), (ROCK_DARK, ROCK, PALE), 1.2)
        canvas.paint(canvas.ellipse(x, 34.5, 1.5, 1.5), INK)
    return outlined(canvas.reduced(), INK)


def _lantern() -> Pixels:
    canvas = Canvas(24, 56)
    canvas.paint(canvas.line([(6, 56), (6, 6), (17, 6)], 5.0), INK)
    canvas.paint(canvas.line([(6, 56), (6, 6), (17, 6)], 3.2), RUST)
    canvas.paint(canvas.line([(5.2, 56), (5.2, 5.2), (17, 5.2)], 1.1), SAND)
    canvas.paint(canvas.line([(6, 16), (14, 7)], 1.8), RUST)
    canvas.paint(canvas.line([(17, 7), (17, 11)], 1.2), INK)
    canvas.paint(canvas.ellipse(17, 17, 6.0, 7.0), INK)
    canvas.lit(canvas.ellipse(17, 17, 4.9, 5.9), (SAND, SAND_LIGHT, WHITE), 1.6)
    for y in (11.4, 22.6):
        canvas.paint(canvas.line([(13.5, y), (20.5, y)], 2.0), INK)
    return outlined(canvas.reduced(), INK)


def _props() -> Pixels:
    canvas = Canvas(64, 72)
    for x in (9, 55):
        canvas.paint(canvas.line([(x, 72), (x, 10)], 9.6), INK)
        body = canvas.line([(x, 72), (x, 10)], 7.8)
        canvas.lit(body, (RUST, OCHRE, SAND), 1.5)
        for y in (24, 44, 60):
            canvas.paint(canvas.line([(x - 1, y), (x + 1, y + 7)], 1.0), RUST, body)
    canvas.paint(canvas.line([(4, 7), (60, 7)], 11.0), INK)
    beam = canvas.line([(4, 7), (60, 7)], 9.2)
    canvas.lit(beam, (RUST, OCHRE, SAND_LIGHT), 1.4)
    for line in ([(14, 24), (24, 13)], [(50, 24), (40, 13)]):
        canvas.paint(canvas.line(line, 5.6), INK)
        canvas.paint(canvas.line(line, 3.8), OCHRE)
    for x in (9, 55):
        canvas.paint(canvas.ellipse(x, 7, 1.8, 1.8), INK)
    return outlined(canvas.reduced(), INK)


def _rubble() -> Pixels:
    canvas = Canvas(40, 24)
    for x, y, size in ((9, 19, 7), (30, 18, 8), (19, 13, 8), (21, 21, 6)):
        rock = [(x - size, y + size * 0.7), (x - size * 0.7, y - size * 0.4), (x, y - size),
                (x + size * 0.8, y - size * 0.3), (x + size, y + size * 0.7)]  # fmt: skip
        canvas.paint(canvas.polygon(rock, 1.0), INK)
        canvas.lit(canvas.polygon(rock), (ROCK_DARK, ROCK, ROCK_LIGHT), 2.0)
    canvas.paint(canvas.polygon([(18, 11), (20, 7), (22, 11), (20, 13)]), TEAL_LIGHT)
    return outlined(canvas.reduced(), INK)
