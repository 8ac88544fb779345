"""Turns the pictures of art/ into Mega Drive tiles and tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

ART = Path(__file__).resolve().parents[1] / "art"
Pixels = npt.NDArray[np.uint8]

HFLIP, VFLIP, PRIORITY = 0x800, 0x1000, 0x8000
PALETTE_LINE = {"player": 0, "terrain": 1, "background": 2, "objects": 3}


@cache
def load_pixels(name: str) -> Pixels:
    """Colour numbers (height, width) of an indexed picture."""
    with Image.open(ART / name) as image:
        return np.array(image, dtype=np.uint8)


@cache
def _palettes() -> dict[str, dict[str, list[list[int]]]]:
    return json.loads((ART / "palettes.json").read_text())  # type: ignore[no-any-return]


def colour_word(rgb: list[int]) -> int:
    """The colour as 0000BBB0GGG0RRR0."""
    r, g, b = (round(v * 7 / 255) for v in rgb)
    return b << 9 | g << 5 | r << 1


def zone_palette_rgb(zone: str) -> list[list[list[int]]]:
    """The four lines of 16 colours."""
    p = _palettes()
    lines = p["zones"][zone]
    return [p["player"], lines["terrain"], lines["background"], p["objects"][zone]]  # type: ignore[list-item]


def title_palette_rgb() -> list[list[list[int]]]:
    lines: list[list[list[int]]] = list(_palettes()["title"])  # type: ignore[arg-type]
    blank = [[0, 0, 0]] * 16
    return (lines + [blank] * 4)[:4]


def pack_tile(tile: Pixels) -> bytes:
    """8x8 colour numbers as 32 bytes, two pixels a byte."""
    flat = tile.reshape(-1, 2) & 15
    return bytes((flat[:, 0] << 4 | flat[:, 1]).astype(np.uint8))


class TileSet:
    """Distinct tiles, found again when flipped."""

    def __init__(self) -> None:
        self.tiles: list[bytes] = [bytes(32)]
        self.pixels: list[Pixels] = [np.zeros((8, 8), np.uint8)]
        self._index: dict[bytes, int] = {bytes(64): 0}

    def add(self, tile: Pixels) -> int:
        """Name-table bits: tile number and flips."""
        key = tile.tobytes()
        if key not in self._index:
            number = len(self.tiles)
            self.tiles.append(pack_tile(tile))
            self.pixels.append(tile)
            self._index.setdefault(tile[::-1, ::-1].tobytes(), number | HFLIP | VFLIP)
            self._index.setdefault(tile[::-1].tobytes(), number | VFLIP)
            self._index.setdefault(tile[:, ::-1].tobytes(), number | HFLIP)
            self._index[key] = number
        return self._index[key]

    def data(self) -> bytes:
        return b"".join(self.tiles)


def cut_sprite(pixels: Pixels) -> bytes:
    """A sprite of up to 4x4 tiles in the order the hardware reads it: column by column."""
    h, w = pixels.shape
    return b"".join(
        pack_tile(pixels[y : y + 8, x : x + 8]) for x in range(0, w, 8) for y in range(0, h, 8)
    )


@dataclass(frozen=True)
class Piece:
    """One hardware sprite of a picture: offset from the centre, size in tiles, first tile."""

    dx: int
    dy: int
    columns: int
    rows: int
    tile: int


# Pictures whose frames take turns in one place of VRAM: first tile there.
DYNAMIC = {"goal": 0xFA00 // 32, "explosion": 0xFD00 // 32}


@dataclass
class SpriteSheet:
    """All objects' pictures: tiles and, per name and frame, hardware sprites."""

    tiles: bytes
    dynamic: dict[str, list[bytes]]
    frames: dict[str, list[list[Piece]]]
    palette: dict[str, int]


def load_objects() -> SpriteSheet:
    """Cuts objects.png as objects.json says."""
    facts = json.loads((ART / "sprites" / "objects.json").read_text())
    sheet = load_pixels("sprites/objects.png")
    tiles = bytearray()
    frames: dict[str, list[list[Piece]]] = {}
    palette: dict[str, int] = {}
    dynamic: dict[str, list[bytes]] = {}
    for name, box in facts.items():
        if name == "palette":
            continue
        x, y, w, h, n = box
        frames[name] = []
        palette[name] = PALETTE_LINE[facts["palette"][name]]
        for i in range(n):
            picture = sheet[y : y + h, x + i * w : x + (i + 1) * w]
            if name in DYNAMIC:
                own = bytearray()
                frames[name].append(_cut_frame(picture, own, DYNAMIC[name]))
                dynamic.setdefault(name, []).append(bytes(own))
            else:
                frames[name].append(_cut_frame(picture, tiles, 0))
    return SpriteSheet(bytes(tiles), dynamic, frames, palette)


def _cut_frame(picture: Pixels, tiles: bytearray, base: int) -> list[Piece]:
    """Appends the picture's tiles; returns its hardware sprites."""
    h, w = picture.shape
    pieces = []
    for py in range(0, h, 32):
        for px in range(0, w, 32):
            area = picture[py : py + 32, px : px + 32]
            ph, pw = area.shape
            tile = base + len(tiles) // 32
            pieces.append(Piece(px - w // 2, py - h // 2, pw // 8, ph // 8, tile))
            tiles += cut_sprite(area)
    return pieces


def load_player() -> tuple[list[bytes], dict[str, list[int]]]:
    """Tiles of each 32x32 cell, and which cells each name shows."""
    names = json.loads((ART / "sprites" / "pangolin.json").read_text())
    sheet = load_pixels("sprites/pangolin.png")
    cells = [
        cut_sprite(sheet[y : y + 32, x : x + 32])
        for y in range(0, sheet.shape[0], 32)
        for x in range(0, sheet.shape[1], 32)
    ]
    return cells, names


def cut_picture(pixels: Pixels, palette: int | None) -> tuple[bytes, list[int]]:
    """Tiles and name-table words, row by row; palette None takes it from the colour numbers."""
    tiles = TileSet()
    words = []
    for y in range(0, pixels.shape[0], 8):
        for x in range(0, pixels.shape[1], 8):
            tile = pixels[y : y + 8, x : x + 8]
            line = int(tile.max()) >> 4 if palette is None else palette
            words.append(tiles.add(np.ascontiguousarray(tile & 15)) | line << 13)
    return tiles.data(), words


def background_bands(zone: str) -> list[tuple[int, int, int]]:
    """(first row, end row, 256 x speed) of the background's parallax bands."""
    bands = json.loads((ART / "zones" / zone / "background.json").read_text())
    return [(b["y0"], b["y1"], round(b["speed"] * 256)) for b in bands]
