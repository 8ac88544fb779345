"""Posts and signs: checkpoint, goal, and the pangolin's head for the lives counter."""

from __future__ import annotations

import math

from pangolin.art.draw import palette as pal
from pangolin.art.draw.canvas import Canvas, Pixels, outlined
from pangolin.art.draw.rig import Pose, draw_head_only


def draw_checkpoint(frame: int) -> Pixels:
    """A lantern on a pole: dark, and lit."""
    canvas = Canvas(16, 48)
    canvas.paint(canvas.line([(8, 18), (8, 45)], 4.6), pal.INK)
    canvas.paint(canvas.line([(8, 18), (8, 45)], 2.8), pal.STEEL)
    canvas.paint(canvas.line([(7.2, 18), (7.2, 45)], 1.0), pal.WHITE)
    for y in (24.0, 34.0):
        canvas.paint(canvas.line([(6, y), (10, y)], 2.4), pal.INK)
        canvas.paint(canvas.line([(6, y), (10, y)], 1.0), pal.SILVER)
    foot = [(3.5, 44.5), (12.5, 44.5), (14, 46.6), (2, 46.6)]
    canvas.paint(canvas.polygon(foot, 1.2), pal.INK)
    canvas.lit(canvas.polygon(foot, 0.3), (pal.IRON, pal.STEEL, pal.SILVER), 0.9)
    globe = (pal.RED_DARK, pal.RED, pal.RED) if frame == 0 else (pal.ORANGE, pal.YELLOW, pal.WHITE)
    canvas.paint(canvas.ellipse(8, 11, 7.2, 7.2), pal.INK)
    canvas.lit(canvas.ellipse(8, 11, 6.3, 6.3), globe, 2.2)
    canvas.paint(canvas.ellipse(5.8, 8.4, 1.5, 1.2), pal.WHITE)
    canvas.paint(canvas.polygon([(5, 3.6), (11, 3.6), (8, 0.8)], 1.0), pal.INK)
    canvas.paint(canvas.polygon([(5.6, 3.4), (10.4, 3.4), (8, 1.4)]), pal.SILVER)
    canvas.paint(canvas.line([(4.6, 17.4), (11.4, 17.4)], 2.0), pal.INK)
    canvas.paint(canvas.line([(5, 17.2), (11, 17.2)], 0.9), pal.SILVER)
    return outlined(canvas.reduced(), pal.INK)


def draw_goal(frame: int) -> Pixels:
    """The goal sign: beetle side, turning, edge on, pangolin side."""
    canvas = Canvas(32, 48)
    canvas.paint(canvas.line([(16, 28), (16, 46)], 4.8), pal.INK)
    canvas.paint(canvas.line([(16, 28), (16, 46)], 3.0), pal.STEEL)
    canvas.paint(canvas.line([(15.2, 28), (15.2, 46)], 1.0), pal.WHITE)
    half = (14.2, 9.0, 2.4, 14.2)[frame]
    for grow, colour in ((0.0, pal.INK), (0.9, pal.YELLOW), (2.6, pal.INK)):
        box = canvas.polygon(_board(16, 15.5, half - grow, 14.2 - grow))
        canvas.paint(box, colour)
    if frame == 2:
        canvas.paint(canvas.line([(16, 4), (16, 27)], 2.0), pal.ORANGE)
        return canvas.reduced()
    inside = canvas.polygon(_board(16, 15.5, max(half - 3.4, 0.8), 10.8))
    canvas.paint(inside, pal.RED if frame < 2 else pal.WHITE)
    if frame < 2:
        _beetle_face(canvas, half / 14.2)
    else:
        _ball_icon(canvas)
    return canvas.reduced()


def _board(x: float, y: float, half_width: float, half_height: float) -> list[tuple[float, float]]:
    cut = min(3.0, half_width * 0.4)
    return [
        (x - half_width + cut, y - half_height), (x + half_width - cut, y - half_height),
        (x + half_width, y - half_height + 3), (x + half_width, y + half_height - 3),
        (x + half_width - cut, y + half_height), (x - half_width + cut, y + half_height),
        (x - half_width, y + half_height - 3), (x - half_width, y - half_height + 3),
    ]  # fmt: skip


def _beetle_face(canvas: Canvas, squash: float) -> None:
    canvas.paint(canvas.ellipse(16, 17.5, 7.4 * squash, 6.2), pal.INK)
    canvas.paint(canvas.ellipse(16, 17.5, 6.4 * squash, 5.3), pal.FOE_MID)
    for side in (-1, 1):
        horn = [(16 + side * 4.5 * squash, 13), (16 + side * 6.5 * squash, 9.4),
                (16 + side * 4.5 * squash, 7.4)]  # fmt: skip
        canvas.paint(canvas.line(horn, [2.2, 1.9, 1.4]), pal.WHITE)
        x = 16 + side * 2.9 * squash
        canvas.paint(canvas.ellipse(x, 16.5, 1.9 * squash, 2.1), pal.WHITE)
        canvas.paint(canvas.ellipse(x, 17.0, 0.9 * squash + 0.2, 1.2), pal.INK)
    canvas.paint(canvas.line([(16 - 3 * squash, 20.8), (16 + 3 * squash, 20.8)], 1.0), pal.INK)


def _ball_icon(canvas: Canvas) -> None:
    canvas.paint(canvas.ellipse(16, 15.5, 9.4, 9.4), pal.INK)
    canvas.paint(canvas.ellipse(16, 15.5, 8.5, 8.5), pal.YELLOW)
    canvas.paint(canvas.ellipse(16.8, 16.4, 7.6, 7.6), pal.ORANGE)
    spiral = []
    for k in range(18):
        radius = 7.2 - 0.4 * k
        spiral.append((16 + radius * math.cos(0.5 * k), 15.5 + radius * math.sin(0.5 * k)))
    canvas.paint(canvas.line(spiral, 1.7), pal.RED_DARK)
    canvas.paint(canvas.ellipse(12.4, 10.6, 1.9, 1.2, 40), pal.WHITE)


def draw_life(frame: int) -> Pixels:
    """The pangolin's head, 16x16, for the lives counter."""
    return draw_head_only(Pose(head=(float(frame), 0.0)))
