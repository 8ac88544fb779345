"""Finds an input movie that completes an act: remember places, return to one, explore on.

The idea is Go-Explore's (Ecoffet et al. 2019): an archive of cells with a save state each.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from .native import NativeGame, pad
from .players import ACTIONS, FRAME_SKIP, JUMP, RIGHT

CELL_X, CELL_Y = 48, 48
MACROS = (*ACTIONS, RIGHT | JUMP, pad("LEFT", "B"), 0)
WEIGHTS = (3, 8, 1, 3, 1, 2, 3, 6, 2, 1)
CONTEST_WEIGHTS = (3, 8, 1, 3, 1, 2, 5, 0, 0, 0)


@dataclass
class Cell:
    """A place reached, how, and a save there."""

    state: bytes
    x: int
    frames: int
    parent: Cell | None
    steps: list[tuple[int, int]]  # (pad, frames) from the parent
    visits: int = 0


def _path(cell: Cell, tail: list[tuple[int, int]]) -> list[tuple[int, int]]:
    parts = [tail]
    node: Cell | None = cell
    while node is not None:
        parts.append(node.steps)
        node = node.parent
    return [step for part in reversed(parts) for step in part]


def _choose(cells: list[Cell], rng: random.Random) -> Cell:
    if rng.random() < 0.5:
        front = sorted(cells, key=lambda c: c.x)[-40:]
        return min(rng.sample(front, min(6, len(front))), key=lambda c: c.visits)
    return min(rng.sample(cells, min(8, len(cells))), key=lambda c: c.visits)


def _charge(rng: random.Random) -> list[tuple[int, int]]:
    """A spin dash: crouch, some presses, let go to the right."""
    steps = [(pad("DOWN"), 4)]
    for _ in range(rng.randint(1, 4)):
        steps += [(pad("DOWN", "B"), 4), (pad("DOWN"), 4)]
    return [*steps, (RIGHT, 4 * rng.randint(1, 8))]


def _burst(rng: random.Random, weights: tuple[int, ...]) -> list[tuple[int, int]]:
    if rng.random() < 0.05:
        return _charge(rng)
    action = rng.choices(MACROS, weights)[0]
    return [(action, FRAME_SKIP)] * rng.randint(1, 10)


def find_movie(
    game: NativeGame,
    start: bytes,
    *,
    seconds: float = 120.0,
    seed: int = 0,
    contest_actions: bool = True,
    report: Callable[[str], None] = print,
) -> list[tuple[int, int]] | None:
    """(pad, frames) steps from the start to the goal, or None when the time is over."""
    rng = random.Random(seed)
    weights = CONTEST_WEIGHTS if contest_actions else WEIGHTS
    game.load(start)
    x, y, _ = game.position()
    first = Cell(start, x, 0, None, [])
    archive: dict[tuple[int, int, int], Cell] = {(x // CELL_X, y // CELL_Y, 0): first}
    cells = [first]
    deadline, furthest, told = time.monotonic() + seconds, x, time.monotonic()
    while time.monotonic() < deadline:
        cell = _choose(cells, rng)
        cell.visits += 1
        game.load(cell.state)
        steps: list[tuple[int, int]] = []
        frames = cell.frames
        for _ in range(rng.randint(3, 16)):
            end = 0
            for action, n in _burst(rng, weights):
                ran = game.run(action, n)
                steps.append((action, ran))
                frames += ran
                x, y, end = game.position()
                if end:
                    break
            if end == 2:
                return _path(cell, steps)
            if end == 1:
                break
            facts = game.facts()
            speed = max(-2, min(2, (facts.gsp if facts.grounded else facts.vx) // 900))
            key = (x // CELL_X, y // CELL_Y, speed)
            known = archive.get(key)
            if known is None or frames < known.frames - 30:
                new = Cell(game.save(), x, frames, cell, list(steps))
                archive[key] = new
                if known is None:
                    cells.append(new)
                else:
                    cells[cells.index(known)] = new
                furthest = max(furthest, x)
        if time.monotonic() - told > 10:
            told = time.monotonic()
            report(f"  search: {len(cells)} cells, furthest x {furthest}")
    report(f"  search: gave up with {len(cells)} cells, furthest x {furthest}")
    return None
