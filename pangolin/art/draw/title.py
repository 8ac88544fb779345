"""The title: the logo over a jungle at dusk, the pangolin in front of the sun."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pangolin.art.draw import palette as pal
from pangolin.art.draw.canvas import Canvas, Pixels, Point, outlined, save_png, shifted
from pangolin.art.draw.rig import Pose, draw_pose
from pangolin.art.draw.tiles import bands, stamp

WIDTH, HEIGHT = 320, 224
INK, NIGHT, VIOLET, PLUM, ROSE, PINK, PEACH = 1, 2, 3, 4, 5, 6, 7
PALE_SUN = 14
LEAF_DARK, LEAF, LEAF_LIGHT, BROWN, RUST, GOLD, SUN, WHITE = 8, 9, 10, 11, 12, 13, 14, 15
# The pangolin's own colours, each as the nearest of the title's.
RECOLOUR = {1: INK, 2: WHITE, 3: BROWN, 4: RUST, 5: GOLD, 6: SUN, 7: RUST, 8: SUN, 9: GOLD,
            10: SUN, 11: WHITE, 12: VIOLET, 13: PLUM, 14: PLUM, 15: INK}  # fmt: skip
RUNNING = Pose(near=(22.0, 28.2), far=(5.6, 26.6), toes=(24, -34), lean=1.2, head=(-0.4, 0.4),
               tail=4.0, hand=(23.0, 21.0), scarf=2.2)  # fmt: skip
LETTERS: dict[str, list[list[Point]]] = {
    "P": [[(0, 4), (0, 0), (2, 0), (3, 0.6), (3, 1.6), (2, 2.2), (0, 2.2)]],
    "A": [[(0, 4), (1.5, 0), (3, 4)], [(0.7, 2.7), (2.3, 2.7)]],
    "N": [[(0, 4), (0, 0), (3, 4), (3, 0)]],
    "G": [[(3, 0.7), (2.2, 0), (0.8, 0), (0, 1), (0, 3), (0.8, 4), (2.2, 4), (3, 3.2), (3, 2.2),
           (1.9, 2.2)]],
    "O": [[(0.8, 0), (2.2, 0), (3, 1), (3, 3), (2.2, 4), (0.8, 4), (0, 3), (0, 1), (0.8, 0)]],
    "L": [[(0, 0), (0, 4), (2.6, 4)]],
    "I": [[(0, 0), (0, 4)]],
    "D": [[(0, 0), (1.8, 0), (3, 1.1), (3, 2.9), (1.8, 4), (0, 4), (0, 0)]],
    "S": [[(3, 0.6), (2.2, 0), (0.8, 0), (0, 0.9), (0.7, 1.8), (2.3, 2.2), (3, 3.1), (2.2, 4),
           (0.8, 4), (0, 3.4)]],
    "H": [[(0, 0), (0, 4)], [(3, 0), (3, 4)], [(0, 2), (3, 2)]],
}  # fmt: skip
ADVANCE = {"I": 0.3, "L": 2.4}


def draw_word(word: str, size: float, slant: float, gap: float) -> Pixels:
    """A word in thick bevelled letters: gold over rust, a white edge, a dark outline."""
    canvas = Canvas(312, 72)
    strokes: list[list[Point]] = []
    x = 14.0
    for letter in word:
        for stroke in LETTERS[letter]:
            strokes.append(
                [(x + u * size + (4 - v) * slant, 12 + v * size * 1.05) for u, v in stroke]
            )
        x += ADVANCE.get(letter, 3.0) * size + gap
    thick = size * 0.95

    def run(width: float) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        mask = np.zeros_like(canvas.big, dtype=bool)
        for stroke in strokes:
            mask |= canvas.line(stroke, width)
        return mask

    rim, face = run(thick + 3.4), run(thick)
    canvas.paint(shifted(run(thick + 6), 16, 24) | run(thick + 6), INK)
    canvas.paint(rim, BROWN)
    canvas.paint(face, GOLD)
    middle = 12 + 2 * size * 1.05
    canvas.paint(face & (canvas.ys < middle - 1), SUN)
    canvas.paint(face & (canvas.ys > middle + size * 1.1), RUST)
    edge = face & ~shifted(face, 9, 9)
    canvas.paint(edge, WHITE)
    return canvas.reduced()


def draw_title() -> Pixels:
    """The whole picture; every pixel is an index of the second line."""
    edges = [(0, NIGHT), (32, VIOLET), (72, PLUM), (104, ROSE), (128, PINK), (148, PEACH)]
    picture = bands(WIDTH, edges, HEIGHT)
    _sun(picture)
    _hills(picture)
    mascot = outlined(draw_pose(RUNNING, zoom=3), INK)
    table = np.array([RECOLOUR.get(index, 0) for index in range(32)], np.uint8)
    stamp(picture, table[mascot], 202, 82)
    stamp(picture, draw_word("PANGOLIN", 9.3, 1.6, 12.0), 0, 2)
    stamp(picture, draw_word("DASH", 10.6, 1.8, 11.4), 14, 58)
    _speed_lines(picture)
    return (picture + 16).astype(np.uint8)


def _sun(picture: Pixels) -> None:
    canvas = Canvas(128, 128)
    canvas.paint(canvas.ellipse(64, 64, 60, 60), PINK)
    canvas.paint(canvas.ellipse(64, 64, 55, 55), PEACH)
    canvas.paint(canvas.ellipse(64, 64, 49, 49), PALE_SUN)
    for k in range(5):
        y = 66 + 11 * k
        canvas.big[(canvas.ys > y) & (canvas.ys < y + 1 + k * 1.3)] = 0
    stamp(picture, canvas.reduced(), 182, 60)


def _speed_lines(picture: Pixels) -> None:
    for x, y, length in ((160, 138, 40), (148, 148, 44), (168, 158, 30)):
        picture[y : y + 2, x : x + length] = np.where(
            picture[y : y + 2, x : x + length] >= BROWN, picture[y : y + 2, x : x + length], WHITE
        )


def _hills(picture: Pixels) -> None:
    canvas = Canvas(WIDTH, 80)
    for colour, rim, base, tall, count, shift in (
        (LEAF_LIGHT, LEAF_LIGHT, 22, 13, 9, 0.0),
        (LEAF, LEAF_LIGHT, 31, 7, 12, 20.0),
        (LEAF_DARK, LEAF, 42, 7, 15, 9.0),
    ):
        for k in range(-1, count + 2):
            x = shift + k * WIDTH / count
            rise = tall * (0.75 + 0.5 * ((k * 7) % 3) / 2)
            canvas.paint(canvas.ellipse(x, base + 4, WIDTH / count * 0.62, rise), rim)
        for k in range(-1, count + 2):
            x = shift + k * WIDTH / count
            rise = tall * (0.75 + 0.5 * ((k * 7) % 3) / 2)
            canvas.paint(canvas.ellipse(x + 0.6, base + 6, WIDTH / count * 0.62, rise), colour)
        canvas.paint(canvas.ys > base + 5, colour)
    stamp(picture, canvas.reduced(), 0, HEIGHT - 80)


def write(folder: Path) -> None:
    """Writes ``title.png``; pixel values 16 to 31 mean the second line."""
    save_png(folder / "title.png", draw_title(), [*pal.TITLE[0], *pal.TITLE[1]])
