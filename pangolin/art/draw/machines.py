"""Machines of the acts: fan, conveyor belt, crusher."""

from __future__ import annotations

from pangolin.art.draw import palette as pal
from pangolin.art.draw.canvas import Canvas, Pixels, outlined


def draw_fan(frame: int) -> Pixels:
    """A fan that blows upwards: a grille over blades, two phases."""
    canvas = Canvas(32, 16)
    for k, reach in enumerate((10.5, 4.0) if frame == 0 else (4.0, 10.5)):
        x = 16 + (-1 if k == 0 else 1) * reach / 2
        canvas.paint(canvas.ellipse(x, 3.4, reach / 2 + 1.2, 2.4), pal.WHITE if k else pal.SILVER)
    canvas.edge(canvas.ellipse(16, 4.4, 2.6, 2.6), pal.INK)
    canvas.paint(canvas.ellipse(16, 4.4, 1.8, 1.8), pal.ORANGE)
    body = [(4, 7), (28, 7), (30, 14.5), (2, 14.5)]
    canvas.edge(canvas.polygon(body, 0.9), pal.INK)
    canvas.lit(canvas.polygon(body), (pal.IRON, pal.STEEL, pal.SILVER), 1.3)
    for x in range(7, 27, 4):
        canvas.paint(canvas.line([(x, 9.5), (x - 0.3, 13)], 1.2), pal.INK)
    canvas.paint(canvas.line([(4.5, 7.6), (27.5, 7.6)], 1.1), pal.YELLOW)
    return outlined(canvas.reduced(), pal.INK)


def draw_conveyor(frame: int) -> Pixels:
    """A belt that runs to the right: arrows on rubber between two rollers."""
    canvas = Canvas(64, 16)
    canvas.paint(canvas.line([(7, 8), (57, 8)], 12.0), pal.INK)
    canvas.paint(canvas.line([(7, 8), (57, 8)], 10.2), pal.STEEL)
    canvas.paint(canvas.line([(6, 4), (58, 4)], 1.6), pal.WHITE)
    canvas.paint(canvas.line([(7, 8.4), (57, 8.4)], 7.0), pal.IRON)
    belt = canvas.line([(7, 8.4), (57, 8.4)], 6.0)
    for k in range(-1, 6):
        x = 6 + k * 12 + frame * 6
        arrow = [(x, 5.2), (x + 4.2, 8.4), (x, 11.6)]
        canvas.paint(canvas.line(arrow, 1.9), pal.YELLOW)
    canvas.big[(canvas.big == pal.YELLOW) & ~belt] = pal.IRON
    for middle in (6.5, 57.5):
        canvas.paint(canvas.ellipse(middle, 8.4, 4.2, 4.2), pal.INK)
        canvas.lit(canvas.ellipse(middle, 8.4, 3.2, 3.2), (pal.STEEL, pal.SILVER, pal.WHITE), 0.9)
        canvas.paint(canvas.ellipse(middle, 8.4, 1.0, 1.0), pal.INK)
    return canvas.reduced()


def draw_crusher(frame: int) -> Pixels:
    """A block that falls: hazard stripes above, bright teeth below."""
    canvas = Canvas(32, 32)
    for k in range(4):
        x = 4 + 8 * k
        tooth = [(x - 3.4, 21.0), (x + 3.4, 21.0), (x + 0.6, 31.0 - frame), (x - 0.6, 31.0 - frame)]
        canvas.paint(canvas.polygon(tooth, 0.8), pal.INK)
        canvas.paint(canvas.polygon(tooth), pal.WHITE)
        shade = [(x + 0.8, 21.0), (x + 3.4, 21.0), (x + 0.6, 29.0)]
        canvas.paint(canvas.polygon(shade), pal.SILVER)
    block = [(2, 2), (30, 2), (30, 20.5), (2, 20.5)]
    canvas.paint(canvas.polygon(block, 1.8), pal.INK)
    canvas.lit(canvas.polygon(block, 0.9), (pal.IRON, pal.STEEL, pal.SILVER), 2.0)
    panel = canvas.polygon([(4, 8), (28, 8), (28, 16), (4, 16)])
    canvas.paint(canvas.polygon([(4, 8), (28, 8), (28, 16), (4, 16)], 0.9), pal.INK)
    canvas.paint(panel, pal.YELLOW)
    for x in range(-2, 36, 8):
        canvas.paint(canvas.line([(x, 17), (x + 8, 7)], 3.2), pal.INK, panel)
    for rivet in (4.6, 27.4):
        canvas.paint(canvas.ellipse(rivet, 4.8, 1.2, 1.2), pal.INK)
    return canvas.reduced()
