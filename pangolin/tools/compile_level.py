"""Compiles one level file into C tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .blocks import BlockSet, cut_blocks
from .emit import make_cells, write_level
from .level_source import LevelSource
from .level_text import read_level


@dataclass
class Compiled:
    """What a build needs to know about a compiled act."""

    source: LevelSource
    blocks: BlockSet
    n_cells: int
    n_chunks: int
    n_tiles: int
    c_file: Path


def compile_level(path: Path, out: Path, graphics: bool = True) -> Compiled:
    """Compiles a level; without graphics it is quick, and enough for the native bench.

    :raises LevelError: naming file and line
    """
    source = read_level(path)
    assert source.terrain is not None
    blocks = cut_blocks(source.terrain)
    rows, cols = blocks.maps[0].shape
    tiles, words = b"", np.zeros((rows, cols, 4), np.int64)
    if graphics:
        from .paint import paint_level

        tiles, words = paint_level(source)
    cells = make_cells(words, blocks)
    out.mkdir(parents=True, exist_ok=True)
    c_file = out / f"{path.stem}.c"
    write_level(c_file, source, blocks, cells, tiles)
    return Compiled(source, blocks, len(cells.cells), len(cells.chunks), len(tiles) // 32, c_file)
