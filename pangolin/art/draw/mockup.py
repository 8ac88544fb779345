"""Pastes one 320x224 screen a zone from the finished pictures, to judge the whole by eye.

``python -m pangolin.art.draw.mockup FOLDER`` writes, per zone, the screen at three times its size
and, for what an agent sees, the screen in 96x96 grey at six times its size.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pangolin.art.draw.tiles import unique_tiles

ART = Path(__file__).resolve().parent.parent
WIDTH, HEIGHT = 320, 224
ABOVE = 4
Screen = NDArray[np.uint8]


def _load(path: Path) -> Screen:
    return np.array(Image.open(path))


def ground_line(x: int) -> int:
    """The height of the mock ground: flat, hill, dip, step."""
    if x < 70:
        return 160
    if x < 190:
        return round(160 - 24 * (1 - math.cos(2 * math.pi * (x - 70) / 120)) / 2)
    if x < 262:
        return round(160 + 22 * (1 - math.cos(math.pi * (x - 190) / 72)) / 2)
    return 182 if x < 288 else 300


class Mockup:
    """One zone's screen as it grows."""

    def __init__(self, zone: str) -> None:
        self.home = ART / "zones" / zone
        palettes = json.loads((ART / "palettes.json").read_text())
        self.lines: dict[str, Any] = {
            "player": palettes["player"],
            "objects": palettes["objects"][zone],
            **palettes["zones"][zone],
        }
        self.objects = json.loads((ART / "sprites" / "objects.json").read_text())
        self.sheet = _load(ART / "sprites" / "objects.png")
        self.pangolin = _load(ART / "sprites" / "pangolin.png")
        self.cells = json.loads((ART / "sprites" / "pangolin.json").read_text())
        self.screen = np.zeros((HEIGHT, WIDTH, 3), np.uint8)

    def paste(self, pixels: Screen, line: str, x: int, y: int) -> None:
        """Pastes indexed pixels with a palette line; cut at the screen's edge."""
        colours = np.array(self.lines[line], np.uint8)
        top, left = max(-y, 0), max(-x, 0)
        piece = pixels[top : HEIGHT - y, left : WIDTH - x]
        target = self.screen[y + top : y + top + piece.shape[0], x + left :]
        target = target[:, : piece.shape[1]]
        target[piece > 0] = colours[piece[piece > 0]]

    def thing(self, name: str, x: int, y: int, frame: int = 0) -> None:
        """Pastes a frame of an object with its top left corner at x, y."""
        left, top, width, height, _ = self.objects[name]
        left += width * frame
        pixels = self.sheet[top : top + height, left : left + width]
        self.paste(pixels, self.objects["palette"][name], x, y)

    def hero(self, name: str, frame: int, x: int, y: int) -> None:
        """Pastes a cell of the pangolin with the cell's top left corner at x, y."""
        cell = self.cells[name][frame]
        top, left = cell // 8 * 32, cell % 8 * 32
        self.paste(self.pangolin[top : top + 32, left : left + 32], "player", x, y)

    def backdrop(self) -> None:
        """The background, its bands moved a little against each other."""
        picture = _load(self.home / "background.png")
        for band in json.loads((self.home / "background.json").read_text()):
            rows = picture[band["y0"] : band["y1"]]
            shift = round(300 * band["speed"])
            self.paste(np.roll(rows, -shift, axis=1)[:, :WIDTH], "background", 0, band["y0"])

    def ground(self) -> None:
        """Terrain along the mock ground line, a ceiling block and the loop's inner disc."""
        fill, surface = _load(self.home / "fill.png"), _load(self.home / "surface.png")
        layer = np.zeros((HEIGHT, WIDTH), np.uint8)
        for x in range(WIDTH):
            top = ground_line(x)
            for y in range(max(top - ABOVE, 0), HEIGHT):
                depth = y - top + ABOVE
                colour = surface[depth, x % 32] if depth < 16 else 0
                if colour == 0 and y >= top:
                    colour = fill[y % 32, x % 32]
                layer[y, x] = colour
        self.paste(layer, "terrain", 0, 0)

    def decorations(self) -> None:
        """Every decoration of the zone, side by side on the ground."""
        x = 2
        for path in sorted((self.home / "decor").glob("*.png")):
            pixels = _load(path)
            foot = ground_line(min(x + pixels.shape[1] // 2, 280))
            self.paste(pixels, "terrain", x, foot - pixels.shape[0])
            x += pixels.shape[1] + 4


def compose(zone: str) -> Screen:
    """A whole screen."""
    mock = Mockup(zone)
    mock.backdrop()
    mock.decorations()
    mock.ground()
    mock.thing("platform", 226, 110)
    for k in range(4):
        mock.thing("ring", 96 + 22 * k, 92 - (8 if k in (1, 2) else 0), k)
    mock.thing("spikes_up", 250, 150)
    mock.thing("walker", 196, 140)
    mock.thing("flyer", 270, 60)
    mock.thing("spring_up", 8, 144)
    mock.thing("checkpoint", 46, 112, 1)
    mock.thing("crumble", 288, 182)
    mock.thing("shot", 258, 82)
    mock.hero("run_0", 0, 112, 104)
    mock.hero("ball", 2, 160, 56)
    mock.hero("idle", 0, 240, 78)
    mock.thing("life", 8, 204)
    return mock.screen


def main(argv: list[str] | None = None) -> int:
    """Writes the mock screens into a folder and prints the tile counts."""
    arguments = sys.argv[1:] if argv is None else argv
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for home in sorted((ART / "zones").iterdir()):
        picture = Image.fromarray(compose(home.name))
        picture.resize((WIDTH * 3, HEIGHT * 3), Image.Resampling.NEAREST).save(
            folder / f"{home.name}.png"
        )
        grey = picture.convert("L").resize((96, 96), Image.Resampling.BOX)
        grey.resize((576, 576), Image.Resampling.NEAREST).save(folder / f"{home.name}.grey.png")
        print(home.name, "background tiles:", unique_tiles(_load(home / "background.png")))
    print("title tiles:", unique_tiles(_load(ART / "title.png")))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
