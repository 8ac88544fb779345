"""Paints an act's terrain from the zone's textures and cuts it into tiles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .art import PALETTE_LINE, PRIORITY, Pixels, TileSet, load_pixels, zone_palette_rgb
from .blocks import _shifted
from .level_source import ZONES, LevelSource
from .terrain import Mask

BAND = 12
OVERHANG = 4
EDGE = 2
MAX_TILES = 840


def _darker(zone: str) -> npt.NDArray[np.uint8]:
    """For each terrain colour the one to shade it with."""
    colours = np.array(zone_palette_rgb(zone)[1], float)
    table = np.zeros(16, np.uint8)
    for i, colour in enumerate(colours):
        wanted = colour * 0.55
        cost = ((colours - wanted) ** 2).sum(axis=1)
        cost[0] = np.inf
        table[i] = int(cost.argmin())
    return table


def _depth_from_top(visible: Mask, limit: int) -> npt.NDArray[np.uint8]:
    """Solid pixels above each solid pixel, up to limit; limit where there are more."""
    depth = np.zeros(visible.shape, np.uint8)
    alive = visible.copy()
    for _ in range(limit):
        alive = alive & _shifted(alive, 0, -1)
        depth += alive
    return depth


def paint_image(source: LevelSource) -> Pixels:
    """Colour numbers (height, width) of the whole act's foreground, 0 where one looks through."""
    assert source.terrain is not None
    zone = ZONES[source.zone]
    visible = source.terrain.solid[0] | source.terrain.solid[1] | source.terrain.oneway
    h, w = visible.shape
    fill, surface = (load_pixels(f"zones/{zone}/{n}.png") for n in ("fill", "surface"))
    image = np.tile(fill, (h // 32 + 1, w // 32 + 1))[:h, :w].copy()
    # Where both sides of a wall, a roof or an edge end, a darker rim.
    inner = visible.copy()
    for _ in range(EDGE):
        inner = inner & _shifted(inner, -1, 0) & _shifted(inner, 1, 0) & _shifted(inner, 0, 1)
    rim = visible & ~inner
    image[rim] = _darker(zone)[image[rim]]
    depth = _depth_from_top(visible, BAND)
    columns = np.arange(w) % 32
    for row in range(BAND):
        here = visible & (depth == row)
        ys, xs = np.nonzero(here)
        colours = surface[OVERHANG + row, columns[xs]]
        keep = colours != 0
        image[ys[keep], xs[keep]] = colours[keep]
    image[~visible] = 0
    _paint_decor(image, source, zone, visible)
    tops = visible & ~_shifted(visible, 0, -1)
    ys, xs = np.nonzero(tops)
    for row in range(OVERHANG):
        colours = surface[row, columns[xs]]
        at = ys - OVERHANG + row
        keep = (colours != 0) & (at >= 0)
        keep[keep] &= ~visible[at[keep], xs[keep]]
        image[at[keep], xs[keep]] = colours[keep]
    return image


def _paint_decor(image: Pixels, source: LevelSource, zone: str, visible: Mask) -> None:
    """Pictures stand on their bottom edge, on a grid of 8 px, behind the terrain."""
    for name, x, y, front in source.decor:
        picture = load_pixels(f"zones/{zone}/decor/{name}.png")
        h, w = picture.shape
        left, top = (x - w // 2) // 8 * 8, -(-y // 8) * 8 - h
        for row in range(h):
            for col in range(w):
                yy, xx = top + row, left + col
                if not (0 <= yy < image.shape[0] and 0 <= xx < image.shape[1]):
                    continue
                if picture[row, col] and not visible[yy, xx]:
                    image[yy, xx] = picture[row, col]
        if front:
            source.fronts.append((left, top, left + w, top + h))


def _merge_similar(tiles: TileSet, counts: dict[int, int]) -> dict[int, int]:
    """Which tiles to show by another that looks most alike, so that the act fits into VRAM."""
    n = len(tiles.tiles)
    surplus = n - MAX_TILES
    if surplus <= 0:
        return {}
    stack = np.stack(tiles.pixels).reshape(n, 64)
    order = sorted(range(1, n), key=lambda i: counts.get(i, 0))
    merged: dict[int, int] = {}
    pairs: list[tuple[int, int, int]] = []
    for i in order[: min(n - 1, surplus * 3)]:
        shape = stack[i] != 0
        cost = (stack != stack[i]).sum(axis=1) + 200 * ((stack != 0) != shape).sum(axis=1)
        cost[i] = 100_000
        pairs.extend((int(cost[j]), i, int(j)) for j in np.argsort(cost)[:4])
    for _, i, j in sorted(pairs):
        if len(merged) >= surplus:
            break
        if i in merged or j in merged or i in merged.values():
            continue
        merged[i] = j
    return merged


def _cut_tiles(image: Pixels) -> tuple[TileSet, npt.NDArray[np.int64]]:
    """Distinct tiles and the name-table words (rows, columns)."""
    h, w = image.shape
    grid = image.reshape(h // 8, 8, w // 8, 8).swapaxes(1, 2)
    flat = np.ascontiguousarray(grid).reshape(-1, 64).view("V64").ravel()
    unique, inverse = np.unique(flat, return_inverse=True)
    tiles = TileSet()
    word_of = np.array(
        [tiles.add(np.frombuffer(u.tobytes(), np.uint8).reshape(8, 8)) for u in unique], np.int64
    )
    return tiles, word_of[inverse].reshape(h // 8, w // 8)


def count_tiles(source: LevelSource) -> int:
    """Distinct tiles of the act before any are merged to fit."""
    return len(_cut_tiles(paint_image(source))[0].tiles)


def paint_level(source: LevelSource) -> tuple[bytes, npt.NDArray[np.int64]]:
    """Tiles, and name-table words (rows, columns, 4) of each 16x16 block."""
    image = paint_image(source)
    h, w = image.shape
    tiles, words = _cut_tiles(image)
    used, counts = np.unique(words & 0x7FF, return_counts=True)
    merged = _merge_similar(tiles, dict(zip(used.tolist(), counts.tolist(), strict=True)))
    words, data = _renumber(words, tiles, merged)
    words |= PALETTE_LINE["terrain"] << 13
    front = np.zeros((h // 8, w // 8), np.bool_)
    for x0, y0, x1, y1 in source.fronts:
        front[max(y0, 0) // 8 : max(y1, 0) // 8, max(x0, 0) // 8 : max(x1, 0) // 8] = True
    words[front & ((words & 0x7FF) != 0)] |= PRIORITY
    by_block = words.reshape(h // 16, 2, w // 16, 2).swapaxes(1, 2)
    return data, by_block.reshape(h // 16, w // 16, 4)


def _renumber(
    words: npt.NDArray[np.int64], tiles: TileSet, merged: dict[int, int]
) -> tuple[npt.NDArray[np.int64], bytes]:
    kept = [i for i in range(len(tiles.tiles)) if i not in merged]
    new = {old: i for i, old in enumerate(kept)}
    table = np.array([new[merged.get(i, i)] for i in range(len(tiles.tiles))], np.int64)
    data = b"".join(tiles.tiles[i] for i in kept)
    return (words & ~0x7FF) | table[words & 0x7FF], data
