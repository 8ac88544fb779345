"""SkylineZone: rooftops and sky ruins at dusk; purple masonry, lamplit ledges, far towers."""

from __future__ import annotations

from pangolin.art.draw.canvas import Canvas, Pixels, outlined
from pangolin.art.draw.tiles import Tiling, bands, stamp

# Terrain line.
INK, BRICK_DEEP, BRICK_DARK, BRICK, BRICK_LIGHT, PALE = 1, 2, 3, 4, 5, 6
TILE_DEEP, TILE_DARK, TILE, TILE_LIGHT, WHITE = 7, 8, 9, 10, 11
SLATE, COPPER, MINT, LAMP = 12, 13, 14, 15
# Background line: dusk from the top down, clouds, far towers, near roofs.
SKY = (1, 2, 3, 5, 6, 7, 8)
CLOUD, FAR, FAR_LIGHT, WINDOW_FAR, NEAR, NEAR_LIGHT, WINDOW = 9, 10, 14, 8, 11, 12, 13
BANDS = [
    {"y0": 0, "y1": 96, "speed": 0.0625},
    {"y0": 96, "y1": 168, "speed": 0.125},
    {"y0": 168, "y1": 256, "speed": 0.3125},
]


def fill() -> Pixels:
    """Brickwork: courses of eight pixels, every other one shifted."""
    canvas = Tiling(32, 32)
    canvas.paint(canvas.ys >= 0, INK)
    for course in range(4):
        y = course * 8
        for k in range(2):
            x = k * 16 + (course % 2) * 8
            brick = [(x + 1, y + 1), (x + 15, y + 1), (x + 15, y + 7), (x + 1, y + 7)]
            mask = canvas.shape([(a, b) for a, b in brick], 0.4)
            lighter = (course * 3 + k * 5) % 7 == 3
            ramp = (
                (BRICK_DEEP, BRICK_DARK, BRICK) if lighter else (BRICK_DEEP, BRICK_DARK, BRICK_DARK)
            )
            canvas.lit(mask, ramp, 1.0)
    return canvas.reduced()


def surface() -> Pixels:
    """A tiled ledge: a bright lip, round roof tiles, dentils in shadow."""
    canvas = Tiling(32, 16, wrap_y=False)
    canvas.paint((canvas.ys > 4) & (canvas.ys < 11), TILE_DARK)
    for k in range(4):
        x = 4 + 8 * k
        tile = canvas.blob(x, 8.6, 3.9, 4.2) & (canvas.ys > 5)
        canvas.paint(canvas.blob(x, 9.4, 4.0, 4.4) & (canvas.ys > 6), INK)
        canvas.lit(tile, (TILE_DEEP, TILE_DARK, TILE), 1.5)
    canvas.paint((canvas.ys > 4) & (canvas.ys < 5), WHITE)
    canvas.paint((canvas.ys > 5) & (canvas.ys < 7), TILE_LIGHT)
    canvas.paint((canvas.ys > 7) & (canvas.ys < 8), TILE)
    for k in range(4):
        x = 8 * k
        seam = (abs(canvas.xs - x) < 1) | (abs(canvas.xs - x - 32) < 1)
        canvas.paint(seam & (canvas.ys > 8) & (canvas.ys < 12), INK)
    return canvas.reduced()


def background() -> Pixels:
    """Dusk sky with a low sun and cloud bars, far towers, near roofs."""
    tops = (0, 22, 40, 56, 68, 78, 87)
    picture = bands(512, list(zip(tops, SKY, strict=True)), 256)
    _sun(picture)
    _clouds(picture)
    _far_city(picture)
    _near_roofs(picture)
    return picture


def _sun(picture: Pixels) -> None:
    canvas = Canvas(64, 48)
    canvas.paint(canvas.ellipse(32, 46, 27, 27), CLOUD)
    for k in range(3):
        canvas.big[(canvas.ys > 28 + 7 * k) & (canvas.ys < 29.2 + 7 * k + k * 0.8)] = 0
    stamp(picture, canvas.reduced(), 304, 48)


def _clouds(picture: Pixels) -> None:
    canvas = Canvas(96, 16)
    for x0, x1, y in ((10, 70, 9), (24, 86, 12), (30, 60, 6)):
        canvas.paint(canvas.line([(x0, y), (x1, y)], [2, 2]), SKY[4])
    pixels = canvas.reduced()
    for x, y in ((16, 32), (208, 16), (400, 32), (120, 56)):
        stamp(picture, pixels, x, y)


def _far_city(picture: Pixels) -> None:
    picture[96:168] = SKY[6]
    canvas = Tiling(256, 72, wrap_y=False)
    towers = [(0, 24, 30), (24, 16, 14), (40, 24, 38), (64, 32, 22), (96, 16, 6), (112, 24, 34),
              (136, 32, 26), (168, 16, 16), (184, 24, 40), (208, 24, 20),
              (232, 24, 32)]  # fmt: skip
    for x, width, top in towers:
        box = [(x, top), (x + width, top), (x + width, 80), (x, 80)]
        canvas.paint(canvas.polygon(box), FAR)
        canvas.paint((canvas.xs > x) & (canvas.xs < x + 1.5) & (canvas.ys > top), FAR_LIGHT)
        if width == 16:
            roof = [(x, top), (x + 8, top - 6), (x + 16, top)]
            canvas.paint(canvas.polygon(roof), FAR)
        for wy in range(top + 6, 66, 8):
            for wx in range(x + 5, x + width - 3, 8):
                if (wx * 3 + wy * 5) % 7 < 3:
                    window = (
                        (canvas.xs > wx)
                        & (canvas.xs < wx + 2)
                        & (canvas.ys > wy)
                        & (canvas.ys < wy + 3)
                    )
                    warm = (wx * 5 + wy * 3) % 11 < 3
                    canvas.paint(window, WINDOW_FAR if warm else FAR_LIGHT)
    for x in (0, 256):
        stamp(picture, canvas.reduced(), x, 96)


def _near_roofs(picture: Pixels) -> None:
    picture[168:] = FAR
    canvas = Tiling(256, 88, wrap_y=False)
    for x, width, top in ((0, 64, 30), (64, 40, 46), (104, 72, 24), (176, 32, 40), (208, 48, 34)):
        canvas.paint((canvas.xs > x) & (canvas.xs < x + width) & (canvas.ys > top), NEAR)
        canvas.paint(
            (canvas.xs > x) & (canvas.xs < x + width) & (abs(canvas.ys - top) < 1), NEAR_LIGHT
        )
    for x in (124, 148):
        canvas.paint((abs(canvas.xs - x) < 4) & (canvas.ys > 4) & (canvas.ys < 26), NEAR)
        canvas.paint((abs(canvas.xs - x) < 5.5) & (abs(canvas.ys - 5) < 1.6), NEAR)
    tank = canvas.polygon([(16, 10), (28, 4), (40, 10), (40, 26), (16, 26)])
    canvas.paint(tank, NEAR)
    for x in (18, 38):
        canvas.paint((abs(canvas.xs - x) < 1) & (canvas.ys > 24) & (canvas.ys < 31), NEAR)
    for x, top in ((84, 22), (226, 12)):
        canvas.paint((abs(canvas.xs - x) < 0.8) & (canvas.ys > top) & (canvas.ys < 48), NEAR)
        for k in range(3):
            canvas.paint(
                (abs(canvas.xs - x) < 7 - 2 * k) & (abs(canvas.ys - top - 4 - 4 * k) < 0.7), NEAR
            )
    for wx, wy in (
        (10, 44),
        (46, 44),
        (114, 40),
        (138, 40),
        (160, 56),
        (222, 50),
        (240, 50),
        (74, 60),
    ):
        window = (canvas.xs > wx) & (canvas.xs < wx + 5) & (canvas.ys > wy) & (canvas.ys < wy + 8)
        canvas.paint(window, NEAR_LIGHT)
    for x in (0, 256):
        stamp(picture, canvas.reduced(), x, 168)


def decor() -> dict[str, Pixels]:
    """Roof furniture and ruins; the lower edge is the ground line."""
    return {
        "antenna": _antenna(),
        "chimney": _chimney(),
        "lamp": _lamp(),
        "column": _column(),
        "tank": _tank(),
        "flag": _flag(),
    }


def _antenna() -> Pixels:
    canvas = Canvas(32, 64)
    canvas.paint(canvas.line([(16, 64), (16, 4)], 4.0), INK)
    canvas.paint(canvas.line([(16, 64), (16, 4)], 2.2), PALE)
    for y, half in ((8, 7), (16, 10), (24, 13)):
        canvas.paint(canvas.line([(16 - half, y), (16 + half, y)], 3.2), INK)
        canvas.paint(canvas.line([(16 - half, y), (16 + half, y)], 1.6), PALE)
    canvas.paint(canvas.ellipse(16, 3.5, 2.4, 2.4), TILE)
    canvas.paint(canvas.polygon([(9, 64), (16, 52), (23, 64)], 0.5), INK)
    canvas.lit(canvas.polygon([(11, 64), (16, 55), (21, 64)]), (BRICK, BRICK_LIGHT, PALE), 1.0)
    return outlined(canvas.reduced(), INK)


def _chimney() -> Pixels:
    canvas = Canvas(32, 48)
    box = [(7, 12), (25, 12), (25, 49), (7, 49)]
    canvas.paint(canvas.polygon(box, 1.0), INK)
    body = canvas.polygon(box)
    canvas.lit(body, (TILE_DEEP, TILE_DARK, TILE), 1.6)
    for y in range(18, 49, 6):
        canvas.paint(canvas.line([(7, y), (25, y)], 1.0), TILE_DEEP, body)
        x = 13 if y % 12 else 19
        canvas.paint(canvas.line([(x, y), (x, y + 6)], 1.0), TILE_DEEP, body)
    rim = [(5, 5), (27, 5), (27, 11), (5, 11)]
    canvas.paint(canvas.polygon(rim, 1.0), INK)
    canvas.lit(canvas.polygon(rim), (BRICK, BRICK_LIGHT, PALE), 1.4)
    canvas.paint((abs(canvas.ys - 3.2) < 1.2) & (abs(canvas.xs - 16) < 7), INK)
    return outlined(canvas.reduced(), INK)


def _lamp() -> Pixels:
    canvas = Canvas(24, 64)
    canvas.paint(canvas.line([(12, 64), (12, 16)], 4.4), INK)
    canvas.paint(canvas.line([(12, 64), (12, 16)], 2.6), COPPER)
    canvas.paint(canvas.line([(11.2, 64), (11.2, 16)], 1.0), MINT)
    canvas.paint(canvas.polygon([(7, 64), (12, 57), (17, 64)], 0.8), INK)
    canvas.paint(canvas.polygon([(8, 64), (12, 58.5), (16, 64)]), COPPER)
    canvas.paint(canvas.polygon([(5, 8), (19, 8), (16, 19), (8, 19)], 1.4), INK)
    canvas.lit(
        canvas.polygon([(5, 8), (19, 8), (16, 19), (8, 19)], 0.2), (TILE_LIGHT, LAMP, WHITE), 1.8
    )
    canvas.paint(canvas.polygon([(4, 7), (20, 7), (12, 1.4)], 0.8), INK)
    canvas.paint(canvas.polygon([(5, 6.6), (19, 6.6), (12, 2)]), COPPER)
    return outlined(canvas.reduced(), INK)


def _column() -> Pixels:
    canvas = Canvas(32, 80)
    shaft = [(8, 14), (11, 9), (16, 13), (19, 7), (24, 11), (24, 72), (8, 72)]
    canvas.paint(canvas.polygon(shaft, 1.0), INK)
    body = canvas.polygon(shaft)
    canvas.lit(body, (BRICK, BRICK_LIGHT, PALE), 2.2)
    for x in (12.0, 16.0, 20.0):
        canvas.paint(canvas.line([(x, 14), (x, 72)], 1.0), BRICK, body)
    for y, half in ((74.5, 12.0), (78.5, 14.0)):
        canvas.paint(canvas.line([(16 - half, y), (16 + half, y)], 5.0), INK)
        canvas.paint(canvas.line([(16 - half, y), (16 + half, y)], 3.2), BRICK_LIGHT)
        canvas.paint(canvas.line([(16 - half, y - 1), (16 + half, y - 1)], 1.0), PALE)
    crack = [(22, 26), (18, 32), (20, 38), (15, 44)]
    canvas.paint(canvas.line(crack, 1.1), INK, body)
    vine = [(9, 72), (12, 60), (9, 50), (13, 40)]
    canvas.paint(canvas.line(vine, 1.6), COPPER)
    for x, y in vine:
        canvas.paint(canvas.ellipse(x + 1, y, 2.0, 1.5), MINT)
    return outlined(canvas.reduced(), INK)


def _tank() -> Pixels:
    canvas = Canvas(48, 72)
    for x in (12, 24, 36):
        canvas.paint(canvas.line([(x, 44), (x + (x - 24) * 0.2, 72)], 4.6), INK)
        canvas.paint(canvas.line([(x, 44), (x + (x - 24) * 0.2, 72)], 2.6), SLATE)
    canvas.paint(canvas.line([(11, 50), (37, 68)], 1.6), INK)
    canvas.paint(canvas.line([(37, 50), (11, 68)], 1.6), INK)
    box = [(8, 18), (40, 18), (40, 46), (8, 46)]
    canvas.paint(canvas.polygon(box, 1.6), INK)
    body = canvas.polygon(box, 0.6)
    canvas.lit(body, (SLATE, COPPER, MINT), 2.6)
    for x in range(12, 40, 5):
        canvas.paint(canvas.line([(x, 18), (x, 46)], 1.0), SLATE, body)
    for y in (24, 40):
        canvas.paint(canvas.line([(8, y), (40, y)], 1.8), INK)
    canvas.paint(canvas.polygon([(5, 18), (43, 18), (24, 4)], 1.4), INK)
    canvas.lit(
        canvas.polygon([(6, 17.6), (42, 17.6), (24, 4.6)], 0.4), (TILE_DEEP, TILE_DARK, TILE), 2.2
    )
    return outlined(canvas.reduced(), INK)


def _flag() -> Pixels:
    canvas = Canvas(40, 64)
    canvas.paint(canvas.line([(6, 64), (6, 4)], 4.2), INK)
    canvas.paint(canvas.line([(6, 64), (6, 4)], 2.4), PALE)
    cloth = [(8, 7), (18, 5), (28, 9), (38, 6), (34, 14), (38, 23), (28, 26), (18, 22), (8, 25)]
    canvas.paint(canvas.polygon(cloth, 1.0), INK)
    canvas.lit(canvas.polygon(cloth), (TILE_DEEP, TILE_DARK, TILE), 2.0)
    canvas.paint(canvas.ellipse(20, 14.5, 4.4, 4.4), PALE)
    canvas.paint(canvas.ellipse(6, 3.6, 2.8, 2.8), LAMP)
    return outlined(canvas.reduced(), INK)
