"""Writes the pictures of art/ as the C tables of src/rom/assets.h."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import art
from .level_source import ZONES

PICTURES = [
    "ring",
    "sparkle",
    "dust",
    "life",
    "spring_up",
    "spring_side",
    "spring_diag",
    "spikes_up",
    "spikes_side",
    "platform",
    "crumble",
    "wall",
    "fragment",
    "checkpoint",
    "goal",
    "walker",
    "flyer",
    "shot",
    "explosion",
    "fan",
    "conveyor",
    "crusher",
]
PLAYER_PICTURES = [
    "idle",
    "walk_0",
    "walk_45",
    "walk_90",
    "walk_135",
    "run_0",
    "run_45",
    "run_90",
    "run_135",
    "ball",
    "spindash",
    "crouch",
    "skid",
    "push",
    "hurt",
    "dead",
    "spring",
    "victory",
    "balance",
]


def _words(data: bytes) -> list[int]:
    return [int(v) for v in np.frombuffer(data, ">u2")]


def _table(declaration: str, values: list[int]) -> str:
    lines = [", ".join(map(str, values[i : i + 16])) for i in range(0, len(values), 16)]
    return f"{declaration} = {{\n    " + ",\n    ".join(lines) + ",\n};\n"


def _piece(p: art.Piece) -> str:
    flipped_dx, flipped_dy = -p.dx - p.columns * 8, -p.dy - p.rows * 8
    size = (p.columns - 1) << 10 | (p.rows - 1) << 8
    return f"{{{{{p.dx}, {flipped_dx}}}, {{{p.dy}, {flipped_dy}}}, {size}, {p.tile}}}"


def _objects() -> str:
    sheet = art.load_objects()
    first, frames, pieces = [], [], []
    for name in PICTURES:
        first.append(len(frames))
        for frame in sheet.frames[name]:
            fixed = int(name in art.DYNAMIC)
            attribute = sheet.palette[name] << 13
            frames.append(f"{{{len(pieces)}, {len(frame)}, {attribute}, {fixed}}}")
            pieces += [_piece(piece) for piece in frame]
    return (
        _table("const u16 picture_first_frame[N_PICTURES]", first)
        + f"const FrameDef frames[] = {{{', '.join(frames)}}};\n"
        + f"const PieceDef pieces[] = {{{', '.join(pieces)}}};\n"
        + _table("const u16 object_tiles[]", _words(sheet.tiles))
        + "".join(_dynamic(name, data) for name, data in sheet.dynamic.items())
        + f"const u16 n_object_tiles = {len(sheet.tiles) // 32};\n"
    )


def _dynamic(name: str, frames: list[bytes]) -> str:
    rows = ["{" + ", ".join(map(str, _words(frame))) + "}" for frame in frames]
    size = len(frames[0]) // 2
    return f"const u16 {name}_cells[][{size}] = {{\n" + ",\n".join(rows) + "};\n"


def _player() -> str:
    cells, names = art.load_player()
    rows = ["{" + ", ".join(map(str, _words(cell))) + "}" for cell in cells]
    for name in PLAYER_PICTURES:
        expected = list(range(names[name][0], names[name][0] + len(names[name])))
        if names[name] != expected:
            raise ValueError(f"pangolin.json: {name} must be consecutive cells")
    return (
        "const u16 player_cells[][256] = {\n"
        + ",\n".join(rows)
        + "};\n"
        + _table("const u8 player_first_cell[]", [names[n][0] for n in PLAYER_PICTURES])
    )


def _font() -> str:
    pixels = art.load_pixels("font.png")
    data = b"".join(
        art.pack_tile(pixels[y : y + 8, x : x + 8])
        for y in range(0, pixels.shape[0], 8)
        for x in range(0, pixels.shape[1], 8)
    )
    return _table("const u16 font_tiles[]", _words(data))


def _zone(number: int, zone: str) -> tuple[str, str, int]:
    """C tables, the entry of zone_art, and the number of tiles."""
    tiles, words = art.cut_picture(
        art.load_pixels(f"zones/{zone}/background.png"), art.PALETTE_LINE["background"]
    )
    colours = [art.colour_word(c) for line in art.zone_palette_rgb(zone) for c in line]
    bands = art.background_bands(zone)
    n = number
    text = (
        _table(f"static const u16 bg_tiles_{n}[]", _words(tiles))
        + _table(f"static const u16 bg_words_{n}[]", words)
        + _table(f"static const u16 palettes_{n}[]", colours)
        + f"static const BandDef bands_{n}[] = {{"
        + ", ".join(f"{{{a}, {b}, {s}}}" for a, b, s in bands)
        + "};\n"
    )
    entry = (
        f"{{bg_tiles_{n}, {len(tiles) // 32}, bg_words_{n}, palettes_{n}, bands_{n}, {len(bands)}}}"
    )
    return text, entry, len(tiles) // 32


def _title() -> str:
    tiles, words = art.cut_picture(art.load_pixels("title.png"), None)
    colours = [art.colour_word(c) for line in art.title_palette_rgb() for c in line]
    return (
        _table("const u16 title_tiles[]", _words(tiles))
        + f"const u16 n_title_tiles = {len(tiles) // 32};\n"
        + _table("const u16 title_words[]", words)
        + _table("const u16 title_palettes[]", colours)
    )


def write_assets(path: Path) -> list[int]:
    """Writes all pictures as one C file; returns each zone's first free tile in VRAM."""
    zones = [_zone(i, zone) for i, zone in enumerate(ZONES)]
    path.write_text(
        '#include "rom/assets.h"\n'
        + _objects()
        + _player()
        + _font()
        + "".join(text for text, _, _ in zones)
        + "const ZoneArt zone_art[3] = {"
        + ", ".join(entry for _, entry, _ in zones)
        + "};\n"
        + _title()
    )
    n_objects = len(art.load_objects().tiles) // 32
    return [1 + n_objects + n_tiles for _, _, n_tiles in zones]
