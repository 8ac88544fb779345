"""Short-lived pictures: sparkle, dust, shots, explosions."""

from __future__ import annotations

import math

from pangolin.art.draw import palette as pal
from pangolin.art.draw.canvas import Canvas, Pixels, outlined


def draw_sparkle(frame: int) -> Pixels:
    """A star that opens and fades where a ring was taken."""
    canvas = Canvas(16, 16)
    reach, waist = ((4.5, 1.6), (7.4, 1.8), (5.5, 0.9))[frame]
    for x, y, size in ((8.0, 8.0, 1.0), (3.0, 3.5, 0.4), (12.8, 12.2, 0.4)):
        if size < 1 and frame == 0:
            continue
        points = []
        for k in range(8):
            radius = (reach if k % 2 == 0 else waist) * size
            angle = k * math.pi / 4
            points.append((x + radius * math.cos(angle), y + radius * math.sin(angle)))
        canvas.paint(canvas.polygon(points, 0.3), pal.YELLOW)
        canvas.paint(canvas.ellipse(x, y, waist * size * 1.3, waist * size * 1.3), pal.WHITE)
    if frame == 2:
        canvas.big[canvas.ellipse(8, 8, 2.2, 2.2)] = 0
    return canvas.reduced(0.4)


def draw_dust(frame: int) -> Pixels:
    """A puff of dust that opens and breaks up."""
    canvas = Canvas(16, 16)
    puffs = (
        [(8, 11, 3.2)],
        [(5.5, 10, 3.4), (10.5, 9.5, 3.8), (8, 6.5, 2.8)],
        [(4, 7, 2.2), (11.5, 6, 2.6), (8, 11.5, 1.8)],
    )[frame]
    for x, y, radius in puffs:
        canvas.paint(canvas.ellipse(x, y, radius, radius), pal.GREY)
        canvas.paint(canvas.ellipse(x - 0.7, y - 0.8, radius - 0.8, radius - 0.8), pal.WHITE)
    if frame == 2:
        canvas.big[canvas.ellipse(12, 6.6, 1.2, 1.2)] = 0
    return canvas.reduced()


def draw_shot(frame: int) -> Pixels:
    """A glowing drop, pulsing."""
    canvas = Canvas(8, 8)
    canvas.paint(canvas.ellipse(4, 4, 3.9, 3.9), pal.RED)
    canvas.paint(canvas.ellipse(3.8, 3.8, 2.9, 2.9), pal.YELLOW)
    size = (1.3, 2.1)[frame]
    canvas.paint(canvas.ellipse(3.6, 3.6, size, size), pal.WHITE)
    return canvas.reduced()


def draw_explosion(frame: int) -> Pixels:
    """A flash, a fireball, a hollow ball, smoke."""
    canvas = Canvas(32, 32)
    if frame == 0:
        _star(canvas, 10.0, pal.YELLOW)
        _star(canvas, 7.0, pal.WHITE)
    elif frame == 1:
        _blobs(canvas, 6.0, 6.6, pal.RED)
        _blobs(canvas, 5.2, 5.2, pal.ORANGE)
        _blobs(canvas, 4.0, 4.2, pal.YELLOW)
        canvas.paint(canvas.ellipse(15, 15, 4, 4), pal.WHITE)
    elif frame == 2:
        _blobs(canvas, 9.4, 5.4, pal.RED_DARK)
        _blobs(canvas, 9.2, 4.4, pal.RED)
        _blobs(canvas, 8.6, 3.0, pal.ORANGE)
        canvas.big[canvas.ellipse(16, 16, 6.0, 6.0)] = 0
    else:
        _blobs(canvas, 11.2, 3.2, pal.IRON)
        _blobs(canvas, 11.0, 2.2, pal.STEEL)
        canvas.big[canvas.ellipse(16, 16, 9.0, 9.0)] = 0
    return outlined(canvas.reduced(), pal.INK) if frame == 1 else canvas.reduced()


def _star(canvas: Canvas, reach: float, colour: int) -> None:
    points = []
    for k in range(16):
        radius = reach * (1.45 if k % 2 == 0 else 0.75)
        points.append(
            (16 + radius * math.cos(k * math.pi / 8), 16 + radius * math.sin(k * math.pi / 8))
        )
    canvas.paint(canvas.polygon(points), colour)


def _blobs(canvas: Canvas, distance: float, radius: float, colour: int) -> None:
    for k in range(7):
        angle = 2 * math.pi * k / 7 + 0.3
        x, y = 16 + distance * math.cos(angle), 16 + distance * math.sin(angle)
        size = radius * (1.0 if k % 2 else 0.85)
        canvas.paint(canvas.ellipse(x, y, size, size), colour)
