"""The curled pangolin: a ball of plates around a spiral tail, and the spin dash with its dust."""

from __future__ import annotations

import math

from pangolin.art.draw import palette as pal
from pangolin.art.draw.canvas import Canvas, Mask, Pixels, Point, outlined

FRAMES = 8
RADIUS = 12.6
PLATES = 9


def draw_ball(frame: int) -> Pixels:
    """One of eight frames of the ball, each turned 45 degrees clockwise from the last."""
    canvas = Canvas(32, 32)
    _ball(canvas, (16.0, 16.0), RADIUS, -2 * math.pi * frame / FRAMES)
    return outlined(canvas.reduced(), pal.INK)


def draw_spindash(frame: int) -> Pixels:
    """The ball spinning on the spot, low, with dust kicked up behind it."""
    canvas = Canvas(32, 32)
    for puff in range(3):
        age = (frame + puff * 4 / 3) % 4 / 4
        x, y = 10.0 - 8.0 * age - puff * 0.4, 28.6 - 9 * age * (0.4 + 0.3 * puff)
        size = 1.4 + 2.0 * (1 - abs(2 * age - 1))
        canvas.paint(canvas.ellipse(x, y, size + 0.7, size + 0.7), pal.GREY)
        canvas.paint(canvas.ellipse(x - 0.3, y - 0.4, size, size), pal.WHITE)
    _ball(canvas, (18.0, 18.8), 12.0, -2 * math.pi * (frame * 2 + 0.5) / FRAMES)
    streak = canvas.ellipse(18, 18.8, 12, 12) & ~canvas.ellipse(18, 18.8, 10.8, 10.8)
    canvas.paint(streak & (canvas.xs + canvas.ys < 33), pal.SCALE_SHINE)
    return outlined(canvas.reduced(), pal.INK)


def _ball(canvas: Canvas, middle: Point, radius: float, turn: float) -> None:
    cx, cy = middle
    disc = canvas.ellipse(cx, cy, radius, radius)
    canvas.paint(disc, pal.BROWN)
    plate = radius * 0.42
    for index in range(PLATES + 1):
        angle = turn + 2 * math.pi * index / PLATES
        _plate(canvas, _polar(middle, radius * 0.74, angle), plate, angle, disc)
    inner = canvas.ellipse(cx, cy, radius * 0.62, radius * 0.62)
    canvas.paint(inner, pal.BROWN)
    face = canvas.ellipse(cx, cy, radius * 0.55, radius * 0.55)
    canvas.paint(face, pal.SKIN_MID)
    tail = [
        _polar(middle, radius * (0.66 - 0.60 * k / 14), turn + 0.3 + k * 0.42) for k in range(15)
    ]
    widths = [radius * (0.42 - 0.016 * k) for k in range(15)]
    canvas.paint(canvas.line(tail, [w + 1.6 for w in widths]), pal.BROWN, face | inner)
    canvas.paint(canvas.line(tail, widths), pal.SCALE_MID)
    for k in range(0, 15, 2):
        x, y = tail[k]
        size = widths[k] * 0.5
        canvas.paint(canvas.ellipse(x, y, size, size), pal.SCALE_DARK)
        canvas.paint(canvas.ellipse(x - 0.3, y - 0.4, size * 0.75, size * 0.75), pal.SCALE_LIGHT)
    gloss = canvas.ellipse(cx - radius * 0.38, cy - radius * 0.5, radius * 0.34, radius * 0.2, 38)
    canvas.paint(gloss & (canvas.big == pal.SCALE_LIGHT), pal.SCALE_SHINE)
    shade = disc & ~canvas.ellipse(cx - 1.4, cy - 1.8, radius, radius)
    canvas.paint(shade, pal.SCALE_DARK)


def _plate(canvas: Canvas, at: Point, size: float, angle: float, disc: Mask) -> None:
    x, y = at
    canvas.paint(canvas.ellipse(x, y, size, size), pal.BROWN, disc)
    lead = _polar(at, -0.9, angle - 1.2)
    canvas.paint(canvas.ellipse(*lead, size - 0.6, size - 0.6), pal.SCALE_MID, disc)
    spot = canvas.ellipse(lead[0] - 0.9, lead[1] - 1.1, size * 0.5, size * 0.5)
    canvas.paint(spot, pal.SCALE_LIGHT, disc)


def _polar(middle: Point, distance: float, angle: float) -> Point:
    """The point at a distance; angles grow counter-clockwise on the screen."""
    return middle[0] + distance * math.cos(angle), middle[1] - distance * math.sin(angle)
