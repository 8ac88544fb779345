"""Cuts the bitmaps of terrain.py into 16x16 collision blocks with masks and surface angles."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .terrain import CEILING, FLAT, LEFT_WALL, RIGHT_WALL, Bytes, Mask, Terrain

BLOCK = 16
SEARCH_PX = 3


@dataclass
class Pool:
    """Distinct rows of 16 numbers."""

    rows: list[tuple[int, ...]] = field(default_factory=list)
    index: dict[tuple[int, ...], int] = field(default_factory=dict)

    def add(self, row: tuple[int, ...]) -> int:
        if row not in self.index:
            self.index[row] = len(self.rows)
            self.rows.append(row)
        return self.index[row]


@dataclass
class BlockSet:
    """The distinct blocks of an act and which one stands where, per layer."""

    masks: Pool
    angles: Pool
    blocks: list[tuple[int, ...]]
    maps: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]


def _shifted(mask: Mask, dx: int, dy: int) -> Mask:
    """out[y, x] = mask[y + dy, x + dx], False outside."""
    out = np.zeros_like(mask)
    h, w = mask.shape
    ys, yd = (slice(dy, h), slice(0, h - dy)) if dy >= 0 else (slice(0, h + dy), slice(-dy, h))
    xs, xd = (slice(dx, w), slice(0, w - dx)) if dx >= 0 else (slice(0, w + dx), slice(-dx, w))
    out[yd, xd] = mask[ys, xs]
    return out


def _surface_angles(
    surface: Mask, angle: Bytes, has_angle: Mask, cardinal: int, reach: int
) -> Bytes:
    """Angle of each surface pixel: the nearest stamped one near the cardinal, else the cardinal."""
    out = np.full(surface.shape, cardinal, np.uint8)
    ys, xs = np.nonzero(surface)
    h, w = surface.shape
    result = np.full(len(ys), -1, np.int16)
    offsets = [
        (dx, dy)
        for dy in range(-SEARCH_PX, SEARCH_PX + 1)
        for dx in range(-SEARCH_PX, SEARCH_PX + 1)
    ]
    for dx, dy in sorted(offsets, key=lambda o: o[0] ** 2 + o[1] ** 2):
        yy, xx = np.clip(ys + dy, 0, h - 1), np.clip(xs + dx, 0, w - 1)
        values = angle[yy, xx]
        off = (values.astype(np.int16) - cardinal + 128) % 256 - 128
        use = (result < 0) & has_angle[yy, xx] & (np.abs(off) <= reach)
        result[use] = values[use]
    found = result >= 0
    out[ys[found], xs[found]] = result[found].astype(np.uint8)
    return out


@dataclass
class _Layer:
    floor_mask: Mask
    solid: Mask
    floor: Mask
    ceil: Mask
    right: Mask
    left: Mask
    angles: dict[str, Bytes]


def _prepare(terrain: Terrain, layer: int) -> _Layer:
    solid = terrain.solid[layer]
    floor_mask = solid | terrain.oneway
    angle, has = terrain.angle[layer], terrain.has_angle[layer]
    floor = floor_mask & ~_shifted(floor_mask, 0, -1)
    ceil = solid & ~_shifted(solid, 0, 1)
    right = solid & ~_shifted(solid, -1, 0)
    left = solid & ~_shifted(solid, 1, 0)
    return _Layer(
        floor_mask,
        solid,
        floor,
        ceil,
        right,
        left,
        {
            "floor": _surface_angles(floor, angle, has, FLAT, 56),
            "ceil": _surface_angles(ceil, angle, has, CEILING, 56),
            "right": _surface_angles(right, angle, has, RIGHT_WALL, 56),
            "left": _surface_angles(left, angle, has, LEFT_WALL, 56),
        },
    )


def _bits(rows: Mask) -> tuple[int, ...]:
    weights = 1 << np.arange(BLOCK)
    return tuple(int(v) for v in (rows * weights).sum(axis=1))


def _first(surface: Mask, values: Bytes, cardinal: int, last: bool) -> tuple[int, ...]:
    """Per row of a (16, 16) block: the angle at its first (or last) surface pixel."""
    if last:
        surface, values = surface[:, ::-1], values[:, ::-1]
    at = surface.argmax(axis=1)
    picked = values[np.arange(BLOCK), at]
    return tuple(
        int(v) if hit else cardinal for v, hit in zip(picked, surface.any(axis=1), strict=True)
    )


def _cut_block(layer: _Layer, y: int, x: int, masks: Pool, angles: Pool) -> tuple[int, ...]:
    area = (slice(y, y + BLOCK), slice(x, x + BLOCK))
    a = layer.angles
    return (
        masks.add(_bits(layer.floor_mask[area].T)),
        masks.add(_bits(layer.solid[area].T)),
        masks.add(_bits(layer.solid[area])),
        angles.add(_first(layer.floor[area].T, a["floor"][area].T, FLAT, False)),
        angles.add(_first(layer.ceil[area].T, a["ceil"][area].T, CEILING, True)),
        angles.add(_first(layer.right[area], a["right"][area], RIGHT_WALL, False)),
        angles.add(_first(layer.left[area], a["left"][area], LEFT_WALL, True)),
    )


def cut_blocks(terrain: Terrain) -> BlockSet:
    """Block 0 is empty, block 1 is solid all through."""
    masks, angles = Pool(), Pool()
    empty, full = masks.add((0,) * BLOCK), masks.add((0xFFFF,) * BLOCK)
    plain = tuple(angles.add((c,) * BLOCK) for c in (FLAT, CEILING, RIGHT_WALL, LEFT_WALL))
    blocks = [(empty,) * 3 + plain, (full,) * 3 + plain]
    index = {block: i for i, block in enumerate(blocks)}
    rows, cols = terrain.height // BLOCK, terrain.width // BLOCK
    maps = []
    for number in (0, 1):
        layer = _prepare(terrain, number)
        tiles = layer.floor_mask.reshape(rows, BLOCK, cols, BLOCK)
        any_solid = tiles.any(axis=(1, 3))
        solid_tiles = layer.solid.reshape(rows, BLOCK, cols, BLOCK)
        edge = layer.floor | layer.ceil | layer.right | layer.left
        has_edge = edge.reshape(rows, BLOCK, cols, BLOCK).any(axis=(1, 3))
        grid = np.where(solid_tiles.all(axis=(1, 3)), 1, 0).astype(np.int32)
        for row, col in zip(*np.nonzero(any_solid & (has_edge | (grid == 0))), strict=True):
            block = _cut_block(layer, int(row) * BLOCK, int(col) * BLOCK, masks, angles)
            if block not in index:
                index[block] = len(blocks)
                blocks.append(block)
            grid[row, col] = index[block]
        maps.append(grid)
    return BlockSet(masks, angles, blocks, (maps[0], maps[1]))
