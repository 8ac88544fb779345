"""Draws a whole act with its objects as a PNG.

Run as ``python -m pangolin.tools.preview LEVEL [-o OUT.png] [--scale 2] [--rows 4]``.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from . import art
from .level_source import ZONES, LevelError, LevelSource
from .level_text import read_level
from .paint import MAX_TILES, count_tiles, paint_image

SKY = (40, 40, 64)
PICTURE_OF = {
    "goal_post": "goal",
    "fan": "spring_up",
    "conveyor": "crumble",
    "crusher": "spikes_up",
}
GRID_PX = 256


def _picture(name: str, sub: int) -> tuple[str, bool, bool]:
    """Picture, mirrored sideways, upside down."""
    if name == "spring":
        picture = (
            "spring_up",
            "spring_side",
            "spring_up",
            "spring_side",
            "spring_diag",
            "spring_diag",
        )[sub]
        return picture, sub in (3, 5), sub == 2
    if name == "spikes":
        return ("spikes_up", "spikes_side", "spikes_up", "spikes_side")[sub], sub == 3, sub == 2
    return PICTURE_OF.get(name, name), False, False


@cache
def _sprite(name: str, sub: int, zone: str) -> Image.Image:
    facts = json.loads((art.ART / "sprites" / "objects.json").read_text())
    picture, hflip, vflip = _picture(name, sub)
    x, y, w, h, _ = facts[picture]
    cut = art.load_pixels("sprites/objects.png")[y : y + h, x : x + w]
    line = art.PALETTE_LINE[facts["palette"][picture]]
    colours = np.array(art.zone_palette_rgb(zone)[line], np.uint8)
    rgba = np.dstack([colours[cut], np.where(cut, 255, 0).astype(np.uint8)])
    image = Image.fromarray(rgba)
    if hflip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if vflip else image


def paste_objects(image: Image.Image, source: LevelSource) -> None:
    """Objects and rings, each where the act puts it."""
    zone = ZONES[source.zone]
    for o in source.objects:
        sprite = _sprite(o.name, o.sub, zone)
        image.paste(sprite, (o.x - sprite.width // 2, o.y - sprite.height // 2), sprite)
    ring = _sprite("ring", 0, zone)
    for x, y in source.rings:
        image.paste(ring, (x - 8, y - 8), ring)


def draw_act(source: LevelSource) -> Image.Image:
    """The act at full size with objects, rings, layer switches, kill zones and a grid."""
    zone = ZONES[source.zone]
    pixels = paint_image(source)
    colours: npt.NDArray[np.uint8] = np.array(art.zone_palette_rgb(zone)[1], np.uint8)
    colours[0] = SKY
    image = Image.fromarray(colours[pixels]).convert("RGB")
    draw = ImageDraw.Draw(image)
    paste_objects(image, source)
    for o in source.objects:
        if o.name == "platform" and o.a:
            dx, dy = (o.a, 0) if o.sub & 15 == 0 else (0, o.a)
            draw.line((o.x - dx, o.y - dy, o.x + dx, o.y + dy), fill=(255, 255, 0), width=3)
    for x, y0, y1, _, _ in source.switches:
        draw.line((x, y0, x, y1), fill=(255, 0, 255), width=2)
    for x0, y0, x1, y1 in source.kills:
        draw.rectangle((x0, y0, x1, y1), outline=(255, 0, 0), width=3)
    x, y = source.start
    draw.rectangle((x - 8, y - 15, x + 8, y + 15), outline=(255, 255, 255), width=3)
    draw.line((source.end_x, 0, source.end_x, source.height), fill=(255, 255, 255), width=3)
    for x, y, text in source.notes:
        draw.line((x, y - 120, x, y), fill=(255, 255, 0), width=3)
        draw.text((x + 4, y - 140), f"{text} ({x},{y})", fill=(255, 255, 0), font_size=32)
    for gx in range(0, source.width, GRID_PX):
        draw.line((gx, 0, gx, source.height), fill=(80, 80, 120))
        draw.text((gx + 4, 4), str(gx), fill=(255, 255, 255), font_size=40)
    for gy in range(0, source.height, GRID_PX):
        draw.line((0, gy, source.width, gy), fill=(80, 80, 120))
        draw.text((4, gy + 4), str(gy), fill=(255, 255, 255), font_size=40)
    return image


def fold(image: Image.Image, rows: int, scale: int) -> Image.Image:
    """Cuts the long picture into rows under each other and shrinks it."""
    part = -(-image.width // rows)
    out = Image.new("RGB", (part, image.height * rows))
    for row in range(rows):
        out.paste(
            image.crop((row * part, 0, (row + 1) * part, image.height)), (0, row * image.height)
        )
    return out.resize((max(1, part // scale), max(1, out.height // scale)), Image.Resampling.BOX)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("level", type=Path)
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--scale", type=int, default=2, help="shrink by this factor")
    parser.add_argument("--rows", type=int, default=4, help="rows to fold the act into")
    parser.add_argument(
        "--area",
        type=int,
        nargs=4,
        metavar=("X", "Y", "W", "H"),
        help="only this part, unfolded, at full size",
    )
    arguments = parser.parse_args(argv)
    try:
        source = read_level(arguments.level)
        image = draw_act(source)
    except LevelError as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.area:
        x, y, w, h = arguments.area
        image = image.crop((x, y, x + w, y + h))
    else:
        image = fold(image, arguments.rows, arguments.scale)
    out = arguments.out or Path(f"{arguments.level.stem}.png")
    image.save(out)
    n_tiles = count_tiles(source)
    print(f"{out}: {image.width}x{image.height}")
    print(
        f"{n_tiles} distinct tiles of {MAX_TILES}"
        + (": the rarest will be merged, look at the act" if n_tiles > MAX_TILES else "")
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
