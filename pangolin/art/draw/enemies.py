"""The two enemies: a horned beetle that walks, a wasp that hovers and shoots."""

from __future__ import annotations

from pangolin.art.draw import palette as pal
from pangolin.art.draw.canvas import Canvas, Pixels, outlined

SHELL = (pal.FOE_DARK, pal.FOE_MID, pal.FOE_LIGHT)


def draw_walker(frame: int) -> Pixels:
    """The beetle, facing left, feet on the lower edge."""
    canvas = Canvas(32, 32)
    step = (0.0, 2.0)[frame]
    for index, x in enumerate((9.0, 15.5, 22.0)):
        shift = step if index % 2 else -step
        lift = 1.5 if (frame == 1) == (index % 2 == 1) else 0.0
        joints = [(x + 1, 24), (x - 1.5 + shift, 26.5 - lift), (x - 0.5 + shift, 30.4 - lift)]
        canvas.paint(canvas.line(joints, 3.6), pal.INK)
        canvas.paint(canvas.line(joints, 1.8), pal.ORANGE)
    horn = [(7.5, 17), (3.5, 13.5), (2.6, 8.0), (5.2, 6.0)]
    canvas.paint(canvas.line(horn, [5.0, 4.4, 3.6, 2.6]), pal.INK)
    canvas.paint(canvas.line(horn, [3.2, 2.6, 1.9, 1.0]), pal.WHITE)
    canvas.paint(canvas.ellipse(8.5, 20.5, 6.4, 6.2), pal.INK)
    canvas.lit(canvas.ellipse(8.5, 20.5, 5.5, 5.3), (pal.FOE_DARK, pal.FOE_DARK, pal.FOE_MID), 1.2)
    canvas.paint(canvas.ellipse(18.5, 18.0, 11.3, 9.6, 6), pal.INK)
    shell = canvas.ellipse(18.5, 18.0, 10.4, 8.7, 6)
    canvas.lit(shell, SHELL, 2.0)
    canvas.paint(canvas.line([(14, 8), (11.8, 16), (14.5, 26.4)], 1.0), pal.INK, shell)
    canvas.paint(canvas.line([(13, 17), (21, 15.4), (29, 17.5)], 1.0), pal.FOE_DARK, shell)
    for x, y, size in ((19, 12.6, 1.7), (24.5, 14.6, 1.3), (20, 20.6, 1.5)):
        canvas.paint(canvas.ellipse(x, y, size, size * 0.8), pal.YELLOW, shell)
    canvas.paint(canvas.line([(15.5, 11.4), (17.0, 10.4)], 1.4), pal.WHITE, shell)
    canvas.paint(canvas.ellipse(6.6, 19.2, 2.5, 2.6), pal.WHITE)
    canvas.paint(canvas.ellipse(5.9, 19.6, 1.2, 1.5), pal.RED_DARK)
    canvas.paint(canvas.line([(3.8, 16.2), (8.8, 17.6)], 1.3), pal.INK)
    canvas.paint(canvas.line([(4.0, 24.0), (7.5, 24.4)], 1.0), pal.INK)
    return outlined(canvas.reduced(), pal.INK)


def draw_flyer(frame: int) -> Pixels:
    """The wasp, facing left, wings up and wings down."""
    canvas = Canvas(32, 32)
    _wing(canvas, frame, far=True)
    sting = [(22, 20), (25.5, 25.5), (25.0, 29.5)]
    canvas.paint(canvas.line(sting, [5.0, 3.6, 1.4]), pal.INK)
    canvas.paint(canvas.line(sting, [3.0, 2.0, 0.6]), pal.WHITE)
    canvas.paint(canvas.ellipse(20.5, 17.5, 7.6, 5.8, -38), pal.INK)
    body = canvas.ellipse(20.5, 17.5, 6.7, 4.9, -38)
    canvas.lit(body, (pal.ORANGE, pal.YELLOW, pal.YELLOW), 1.4)
    for x in (17.2, 21.0, 24.6):
        y = 10.5 + (x - 17.2) * 0.9
        stripe = canvas.line([(x + 2.5, y), (x - 4.5, y + 9.0)], 1.9)
        canvas.paint(stripe, pal.FOE_DARK, body)
    canvas.paint(canvas.ellipse(10.5, 14.5, 6.6, 6.2), pal.INK)
    canvas.lit(canvas.ellipse(10.5, 14.5, 5.7, 5.3), SHELL, 1.4)
    canvas.paint(canvas.ellipse(7.6, 14.2, 2.8, 3.1), pal.WHITE)
    canvas.paint(canvas.ellipse(6.7, 14.8, 1.4, 1.7), pal.RED)
    canvas.paint(canvas.line([(4.6, 10.6), (10.2, 12.2)], 1.4), pal.INK)
    for x in (8.0, 11.5):
        feeler = [(x, 9.4), (x - 2.6, 6.0), (x - 4.4, 5.8)]
        canvas.paint(canvas.line(feeler, 1.1), pal.INK)
    canvas.paint(canvas.line([(4.6, 18.4), (3.0, 20.4)], 1.4), pal.SILVER)
    _wing(canvas, frame, far=False)
    return outlined(canvas.reduced(), pal.INK)


def _wing(canvas: Canvas, frame: int, far: bool) -> None:
    root = 18.5 if far else 15.5
    x, y, tilt = ((root + 3.5, 6.0, 62), (root + 6.0, 11.5, 8))[frame]
    canvas.paint(canvas.ellipse(x, y, 7.4, 3.3, tilt), pal.INK)
    canvas.paint(canvas.ellipse(x, y, 6.6, 2.5, tilt), pal.STEEL if far else pal.SILVER)
    if not far:
        canvas.paint(canvas.ellipse(x - 0.4, y - 0.6, 5.2, 1.4, tilt), pal.WHITE)
