"""The objects' sheet: rings, springs, spikes, platforms, posts, enemies, smoke."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pangolin.art.draw import palette as pal
from pangolin.art.draw.canvas import Canvas, Pixels, outlined, save_png
from pangolin.art.draw.effects import draw_dust, draw_explosion, draw_shot, draw_sparkle
from pangolin.art.draw.enemies import draw_flyer, draw_walker
from pangolin.art.draw.machines import draw_conveyor, draw_crusher, draw_fan
from pangolin.art.draw.posts import draw_checkpoint, draw_goal, draw_life

SHEET_WIDTH = 256
STUFF = (pal.STUFF_DARK, pal.STUFF_MID, pal.STUFF_LIGHT)
METAL = (pal.STEEL, pal.SILVER, pal.WHITE)


def draw_ring(frame: int) -> Pixels:
    """A turning gold ring: broad, slanted, edge on, slanted the other way."""
    canvas = Canvas(16, 16)
    rx = (7.0, 5.2, 2.0, 5.2)[frame]
    canvas.paint(canvas.ellipse(8, 8, rx, 7), pal.YELLOW)
    side = -1 if frame == 3 else 1
    canvas.paint(
        canvas.ellipse(8, 8, rx, 7) & ~canvas.ellipse(8 - 1.0 * side, 7.3, rx, 6.6), pal.ORANGE
    )
    if frame != 2:
        hole = rx - 3.1
        canvas.paint(canvas.ellipse(8, 8, hole + 0.7, 4.5), pal.ORANGE)
        canvas.paint(canvas.ellipse(8.3, 8.5, hole + 0.6, 4.3), pal.YELLOW)
        canvas.big[canvas.ellipse(8, 8, hole, 3.9)] = 0
    glint = canvas.ellipse(8 - rx * 0.62, 4.4, 1.3, 1.6) & (canvas.big > 0)
    canvas.paint(glint, pal.WHITE)
    return outlined(canvas.reduced(), pal.INK)


def _spring(canvas: Canvas, top: float, bright: bool) -> None:
    """A spring standing on the lower edge of the 32x16 box at the canvas's middle."""
    x0, y0 = canvas.width / 2 - 16, canvas.height / 2 - 8
    coil = [(x0 + 9 + 14 * (k % 2), y0 + top + 5 + k * (8.4 - top) / 4) for k in range(5)]
    canvas.paint(canvas.line(coil, 3.6), pal.INK)
    canvas.paint(canvas.line(coil, 1.8), pal.SILVER)
    base = [(x0 + 5, y0 + 13), (x0 + 27, y0 + 13), (x0 + 27, y0 + 15), (x0 + 5, y0 + 15)]
    canvas.paint(canvas.polygon(base, 1.0), pal.INK)
    canvas.paint(canvas.polygon(base), pal.STEEL)
    canvas.paint(canvas.line([base[0], base[1]], 0.9), pal.SILVER)
    y = y0 + top
    cap = [(x0 + 3, y + 1.5), (x0 + 29, y + 1.5), (x0 + 29, y + 4.5), (x0 + 3, y + 4.5)]
    canvas.paint(canvas.polygon(cap, 1.9), pal.INK)
    canvas.paint(canvas.polygon(cap, 1.0), pal.ORANGE if bright else pal.RED)
    canvas.paint(canvas.line([(x0 + 3, y + 1.2), (x0 + 29, y + 1.2)], 1.4), pal.YELLOW)
    canvas.paint(canvas.line([(x0 + 4, y + 1.0), (x0 + 14, y + 1.0)], 1.0), pal.WHITE)
    canvas.paint(canvas.line([(x0 + 3, y + 5.0), (x0 + 29, y + 5.0)], 1.0), pal.RED_DARK)


def draw_spring_up(frame: int) -> Pixels:
    """A spring facing up: at rest, and stretched."""
    canvas = Canvas(32, 16)
    _spring(canvas, (3.0, 0.4)[frame], frame == 1)
    return canvas.reduced()


def draw_spring_side(frame: int) -> Pixels:
    """A spring facing right."""
    canvas = Canvas(16, 32, -90)
    _spring(canvas, (3.0, 0.4)[frame], frame == 1)
    return canvas.reduced()


def draw_spring_diag(frame: int) -> Pixels:
    """A spring facing up and right."""
    canvas = Canvas(32, 32, -45)
    _spring(canvas, (3.0, 0.4)[frame], frame == 1)
    return canvas.reduced()


def _spikes(turn_deg: float) -> Pixels:
    canvas = Canvas(32, 32, turn_deg)
    for index in range(4):
        x = 4 + 8 * index
        spike = [(x - 3.1, 27.0), (x - 0.7, 2.0), (x + 0.7, 2.0), (x + 3.1, 27.0)]
        canvas.paint(canvas.polygon(spike, 0.9), pal.INK)
        canvas.paint(canvas.polygon(spike, 0.15), pal.WHITE)
        shade = [(x + 0.8, 27.0), (x + 0.4, 9.0), (x + 3.2, 27.0)]
        canvas.paint(canvas.polygon(shade), pal.SILVER)
    foot = [(1, 27.5), (31, 27.5), (31, 31), (1, 31)]
    canvas.paint(canvas.polygon(foot, 1.0), pal.INK)
    canvas.paint(canvas.polygon(foot), pal.STEEL)
    canvas.paint(canvas.line([(1, 27.6), (31, 27.6)], 1.2), pal.SILVER)
    return canvas.reduced()


def draw_spikes_up(frame: int) -> Pixels:
    """Spikes pointing up."""
    return _spikes(0.0 + frame)


def draw_spikes_side(frame: int) -> Pixels:
    """Spikes pointing right."""
    return _spikes(-90.0 + frame)


def draw_platform(frame: int) -> Pixels:
    """A moving platform: a slab with a bright upper edge and a rivet at each end."""
    canvas = Canvas(64, 16)
    slab = [(3, 2.5), (61, 2.5), (61, 8.5), (53, 13), (11, 13), (3, 8.5)]
    canvas.paint(canvas.polygon(slab, 2.4), pal.INK)
    canvas.paint(canvas.polygon(slab, 1.5), pal.STUFF_MID)
    canvas.paint(canvas.polygon([(2, 9), (62, 9), (53, 14.4), (11, 14.4)]), pal.STUFF_DARK)
    canvas.paint(canvas.line([(3, 2.4 + frame), (61, 2.4 + frame)], 3.0), pal.STUFF_LIGHT)
    canvas.paint(canvas.line([(3, 1.6), (61, 1.6)], 1.1), pal.WHITE)
    for x in (18.5, 32.0, 45.5):
        canvas.paint(canvas.line([(x, 4.6), (x, 12)], 1.0), pal.INK)
    for x in (7.5, 56.5):
        canvas.paint(canvas.ellipse(x, 7.2, 2.2, 2.2), pal.INK)
        canvas.paint(canvas.ellipse(x, 7.2, 1.5, 1.5), pal.YELLOW)
    return canvas.reduced()


def draw_crumble(frame: int) -> Pixels:
    """A crumbling ledge: whole but cracked, and about to fall."""
    canvas = Canvas(32, 16)
    stones = [(1, 1, 11, 11), (12, 1, 20, 13), (21, 1, 31, 10)]
    for index, (x0, y0, x1, y1) in enumerate(stones):
        drop = frame * (1 if index == 1 else 0.4)
        box = [(x0 + 1, y0 + 1 + drop), (x1 - 1, y0 + 1 + drop),
               (x1 - 1.5, y1 - 1 + drop), (x0 + 2.5, y1 + drop)]  # fmt: skip
        canvas.paint(canvas.polygon(box, 1.4), pal.INK)
        canvas.lit(canvas.polygon(box, 0.5), STUFF, 1.3)
        top = [(x0 + 1, y0 + 1 + drop), (x1 - 1, y0 + 1 + drop)]
        canvas.paint(canvas.line(top, 1.6), pal.STUFF_LIGHT)
    cracks = [[(5, 1), (7, 5), (5, 9)], [(15, 2), (17, 6), (15, 8), (16, 13)], [(27, 2), (25, 7)]]
    for crack in cracks[: 2 + frame]:
        canvas.paint(canvas.line(crack, 0.9 + 0.7 * frame), pal.INK)
    return canvas.reduced()


def draw_wall(frame: int) -> Pixels:
    """A breakable wall of cracked blocks, marked with a spiral that asks for a ball."""
    canvas = Canvas(32, 64)
    for row in range(4):
        y = row * 16 + frame
        split = (11, 21)[row % 2]
        for x0, x1 in ((0, split), (split, 32)):
            box = [
                (x0 + 1.5, y + 1.5),
                (x1 - 1.5, y + 1.5),
                (x1 - 1.5, y + 14.5),
                (x0 + 1.5, y + 14.5),
            ]
            canvas.paint(canvas.polygon(box, 1.5), pal.INK)
            canvas.lit(canvas.polygon(box, 0.6), STUFF, 1.5)
    crack = [(17, 2), (13, 9), (19, 16), (14, 24), (10, 30)]
    lower = [(16, 62), (20, 55), (14, 48), (18, 41), (22, 36)]
    for line in (crack, lower):
        canvas.paint(canvas.line(line, [2.0, 1.8, 1.6, 1.4, 1.0]), pal.INK)
    canvas.paint(canvas.ellipse(16, 32, 9.5, 9.5), pal.INK)
    canvas.paint(canvas.ellipse(16, 32, 8.5, 8.5), pal.YELLOW)
    canvas.paint(canvas.ellipse(16.6, 32.6, 7.6, 7.6), pal.ORANGE)
    spiral = [_spiral_point(16, 32, k) for k in range(16)]
    canvas.paint(canvas.line(spiral, 1.6), pal.RED_DARK)
    return canvas.reduced()


def _spiral_point(x: float, y: float, step: int) -> tuple[float, float]:
    angle, radius = 0.55 * step, 6.6 - 0.42 * step
    return x + radius * float(np.cos(angle)), y + radius * float(np.sin(angle))


def draw_fragment(frame: int) -> Pixels:
    """A piece of a broken wall."""
    canvas = Canvas(16, 16)
    shapes = (
        [(3, 4), (10, 2), (13, 8), (9, 13), (4, 11)],
        [(5, 3), (12, 5), (12, 11), (6, 13), (3, 8)],
    )
    canvas.lit(canvas.polygon(shapes[frame], 0.5), STUFF, 1.6)
    return outlined(canvas.reduced(), pal.INK)


Item = tuple[Callable[[int], Pixels], int, str]
ITEMS: dict[str, Item] = {
    "ring": (draw_ring, 4, "player"),
    "sparkle": (draw_sparkle, 3, "player"),
    "dust": (draw_dust, 3, "player"),
    "life": (draw_life, 1, "player"),
    "spring_up": (draw_spring_up, 2, "objects"),
    "spring_side": (draw_spring_side, 2, "objects"),
    "spring_diag": (draw_spring_diag, 2, "objects"),
    "spikes_up": (draw_spikes_up, 1, "objects"),
    "spikes_side": (draw_spikes_side, 1, "objects"),
    "platform": (draw_platform, 1, "objects"),
    "crumble": (draw_crumble, 2, "objects"),
    "wall": (draw_wall, 1, "objects"),
    "fragment": (draw_fragment, 2, "objects"),
    "fan": (draw_fan, 2, "objects"),
    "conveyor": (draw_conveyor, 2, "objects"),
    "crusher": (draw_crusher, 1, "objects"),
    "checkpoint": (draw_checkpoint, 2, "objects"),
    "goal": (draw_goal, 4, "objects"),
    "walker": (draw_walker, 2, "objects"),
    "flyer": (draw_flyer, 2, "objects"),
    "shot": (draw_shot, 2, "objects"),
    "explosion": (draw_explosion, 4, "objects"),
}


def write(folder: Path) -> None:
    """Writes ``objects.png`` and ``objects.json``."""
    strips = {
        name: np.hstack([draw(frame) for frame in range(count)])
        for name, (draw, count, _) in ITEMS.items()
    }
    placed: dict[str, tuple[int, int]] = {}
    x = y = shelf = 0
    for name, strip in sorted(strips.items(), key=lambda item: -item[1].shape[0]):
        if x + strip.shape[1] > SHEET_WIDTH:
            x, y, shelf = 0, y + shelf, 0
        placed[name] = (x, y)
        x, shelf = x + strip.shape[1], max(shelf, strip.shape[0])
    sheet = np.zeros((y + shelf, SHEET_WIDTH), np.uint8)
    index: dict[str, object] = {}
    for name, (_, count, _line) in ITEMS.items():
        x, y = placed[name]
        height, width = strips[name].shape
        sheet[y : y + height, x : x + width] = strips[name]
        index[name] = [x, y, width // count, height, count]
    index["palette"] = {name: line for name, (_, _, line) in ITEMS.items()}
    save_png(folder / "objects.png", sheet, pal.OBJECTS["CanopyZone"])
    lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in index.items()]
    (folder / "objects.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
