"""Writes an act as the C tables of src/level.h."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .blocks import BlockSet
from .level_source import LevelSource

CHUNK = 4  # blocks a side


@dataclass
class Cells:
    """Distinct combinations of picture and collision, and chunks of 4x4 of them."""

    cells: list[tuple[int, ...]]  # 4 tile words, block on layer 0, block on layer 1
    chunks: npt.NDArray[np.int64]  # (n, 16)
    chunk_map: npt.NDArray[np.int64]  # (rows, columns)


def make_cells(tile_words: npt.NDArray[np.int64], blocks: BlockSet) -> Cells:
    """:param tile_words: (rows, columns, 4) name-table words of each 16x16 block"""
    rows, cols = blocks.maps[0].shape
    full = np.concatenate(
        [tile_words, blocks.maps[0][..., None], blocks.maps[1][..., None]], axis=2
    ).astype(np.int64)
    flat = full.reshape(-1, 6)
    cells, inverse = np.unique(flat, axis=0, return_inverse=True)
    grid = inverse.reshape(rows, cols)
    by_chunk = grid.reshape(rows // CHUNK, CHUNK, cols // CHUNK, CHUNK).swapaxes(1, 2)
    chunks, index = np.unique(by_chunk.reshape(-1, 16), axis=0, return_inverse=True)
    return Cells(
        [tuple(int(v) for v in cell) for cell in cells],
        chunks,
        index.reshape(rows // CHUNK, cols // CHUNK),
    )


def _table(ctype: str, name: str, values: Iterable[int]) -> str:
    numbers = [str(int(v)) for v in values] or ["0"]
    lines = [", ".join(numbers[i : i + 24]) for i in range(0, len(numbers), 24)]
    return f"static const {ctype} {name}[] = {{\n    " + ",\n    ".join(lines) + ",\n};\n"


def _records(ctype: str, name: str, rows: Sequence[Sequence[int]]) -> str:
    body = [", ".join(str(int(v)) for v in row) for row in rows] or ["0"]
    return f"static const {ctype} {name}[] = {{\n    {{" + "},\n    {".join(body) + "},\n};\n"


def symbol(zone: int, act: int) -> str:
    return f"level_{zone}_{act}"


def write_level(
    path: Path, source: LevelSource, blocks: BlockSet, cells: Cells, tiles: bytes
) -> None:
    """Writes the act's C file; tiles are the raw 4-bit pictures."""
    objects = sorted(source.objects, key=lambda o: (o.x, o.y, o.type))
    rings = sorted(source.rings)
    name = symbol(source.zone, source.act)
    words = np.frombuffer(tiles, ">u2") if tiles else np.zeros(0, ">u2")
    columns = cells.chunk_map.shape[1]
    if max(len(cells.chunks), len(blocks.masks.rows), len(blocks.angles.rows)) > 4095:
        raise ValueError(f"{path.stem}: more than 4095 distinct chunks or block shapes")
    if len(cells.cells) > 16383:
        raise ValueError(f"{path.stem}: more than 16383 distinct blocks")
    parts = [
        '#include "level.h"\n',
        _table("u16", "chunk_map", (cells.chunk_map * 16).ravel()),
        "static const u16 *const chunk_rows[] = {\n    "
        + ", ".join(f"chunk_map + {i * columns}" for i in range(cells.chunk_map.shape[0]))
        + ",\n};\n",
        _table("u16", "coll_a", (cells.cells[c][4] for c in cells.chunks.ravel())),
        _table("u16", "coll_b", (cells.cells[c][5] for c in cells.chunks.ravel())),
        _records("Block", "blocks", [[16 * v for v in b] + [0] for b in blocks.blocks]),
        _table("u16", "masks", (v for row in blocks.masks.rows for v in row)),
        _table("u8", "angles", (v for row in blocks.angles.rows for v in row)),
        _records("ObjDef", "objs", [(o.x, o.y, o.type, o.sub, o.a, o.b) for o in objects]),
        _records("RingDef", "rings", rings),
        _records("SwitchDef", "switches", source.switches),
        _records("RectDef", "kills", source.kills),
        "#ifndef HOST\n",
        _table("u16", "chunks", (4 * c for c in cells.chunks.ravel())),
        _table("u16", "cell_tiles", (w for c in cells.cells for w in c[:4])),
        _table("u16", "tiles", words),
        "#else\n#define chunks 0\n#define cell_tiles 0\n#define tiles 0\n#endif\n",
        f"const Level {name} = {{\n",
        f"    {source.zone}, {source.act}, {source.width}, {source.height},\n",
        f"    {source.start[0]}, {source.start[1]}, {source.end_x},\n",
        f"    {cells.chunk_map.shape[1]}, {cells.chunk_map.shape[0]},\n",
        "    chunk_rows, {coll_a, coll_b}, blocks, masks, angles,\n",
        f"    {len(objects)}, {len(rings)}, {len(source.switches)}, {len(source.kills)},\n",
        "    objs, rings, switches, kills, chunks, cell_tiles, (const u8 *)tiles,\n",
        f"    {len(tiles) // 32},\n}};\n",
    ]
    path.write_text("".join(parts))


def write_table(path: Path, acts: Iterable[tuple[int, int]]) -> None:
    """Writes level_table for the acts of this build."""
    present = {zone * 3 + act: symbol(zone, act) for zone, act in acts}
    lines = ['#include "level.h"\n']
    lines += [f"extern const Level {name};\n" for name in present.values()]
    entries = ", ".join(f"&{present[i]}" if i in present else "0" for i in range(9))
    lines.append(f"const Level *const level_table[9] = {{{entries}}};\n")
    path.write_text("".join(lines))
