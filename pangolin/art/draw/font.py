"""The letters of the HUD: 8x8 cells for the characters 32 to 95, white over pale gold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pangolin.art.draw import palette as pal
from pangolin.art.draw.canvas import Pixels, outlined, save_png

COLUMNS = 16
# Seven rows of six pixels, each row two octal digits.
GLYPHS = {
    " ": "00 00 00 00 00 00 00", "!": "14 14 14 14 14 00 14", '"': "33 33 22 00 00 00 00",
    "#": "22 77 22 22 77 22 00", "$": "14 37 60 36 03 76 14", "%": "61 62 04 10 23 43 00",
    "&": "34 66 34 35 66 66 35", "'": "14 14 10 00 00 00 00", "(": "06 14 30 30 30 14 06",
    ")": "30 14 06 06 06 14 30", "*": "00 33 36 77 36 33 00", "+": "00 14 14 77 14 14 00",
    ",": "00 00 00 00 14 14 30", "-": "00 00 00 36 00 00 00", ".": "00 00 00 00 00 14 14",
    "/": "03 06 06 14 30 30 60", "0": "36 63 67 77 73 63 36", "1": "14 34 14 14 14 14 36",
    "2": "36 63 03 16 30 60 77", "3": "36 63 03 16 03 63 36", "4": "06 16 36 66 77 06 06",
    "5": "77 60 76 03 03 63 36", "6": "36 60 60 76 63 63 36", "7": "77 63 06 14 14 14 14",
    "8": "36 63 63 36 63 63 36", "9": "36 63 63 37 03 03 36", ":": "00 14 14 00 14 14 00",
    ";": "00 14 14 00 14 14 30", "<": "06 14 30 60 30 14 06", "=": "00 00 77 00 77 00 00",
    ">": "30 14 06 03 06 14 30", "?": "36 63 03 06 14 00 14", "@": "36 63 67 65 67 60 36",
    "A": "36 63 63 77 63 63 63", "B": "76 63 63 76 63 63 76", "C": "36 63 60 60 60 63 36",
    "D": "74 66 63 63 63 66 74", "E": "77 60 60 76 60 60 77", "F": "77 60 60 76 60 60 60",
    "G": "36 63 60 67 63 63 36", "H": "63 63 63 77 63 63 63", "I": "36 14 14 14 14 14 36",
    "J": "17 06 06 06 66 66 34", "K": "63 66 74 70 74 66 63", "L": "60 60 60 60 60 60 77",
    "M": "63 77 77 77 63 63 63", "N": "63 73 77 77 67 63 63", "O": "36 63 63 63 63 63 36",
    "P": "76 63 63 76 60 60 60", "Q": "36 63 63 63 67 66 35", "R": "76 63 63 76 74 66 63",
    "S": "36 63 60 36 03 63 36", "T": "77 14 14 14 14 14 14", "U": "63 63 63 63 63 63 36",
    "V": "63 63 63 63 36 36 14", "W": "63 63 63 77 77 77 63", "X": "63 63 36 14 36 63 63",
    "Y": "63 63 36 36 14 14 14", "Z": "77 03 06 14 30 60 77", "[": "36 30 30 30 30 30 36",
    "\\": "60 30 30 14 06 06 03", "]": "36 06 06 06 06 06 36", "^": "14 36 63 00 00 00 00",
    "_": "00 00 00 00 00 00 77",
}  # fmt: skip


def draw_glyph(char: str) -> Pixels:
    """One 8x8 character with its dark outline."""
    cell = np.zeros((8, 8), np.uint8)
    for y, code in enumerate(GLYPHS[char].split()):
        colour = pal.WHITE if y < 4 else pal.SCALE_SHINE
        for x in range(6):
            if int(code, 8) >> (5 - x) & 1:
                cell[y, x + 1] = colour
    return outlined(cell, pal.INK)


def write(folder: Path) -> None:
    """Writes ``font.png``: four rows of sixteen characters."""
    cells = [draw_glyph(chr(code)) for code in range(32, 96)]
    rows = [np.hstack(cells[i : i + COLUMNS]) for i in range(0, len(cells), COLUMNS)]
    save_png(folder / "font.png", np.vstack(rows), pal.PLAYER)
