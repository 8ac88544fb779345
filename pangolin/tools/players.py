"""Scripted players on the native game: the contest's actions, frame skip and time limit."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .native import NativeGame, pad

FRAME_SKIP = 4
STICKY = 0.25
MAX_DECISIONS = 4500
WARM_UP_FRAMES = 8  # frames between an act's start and its save state
CELL_PX = 256

ACTIONS = (
    pad("LEFT"),
    pad("RIGHT"),
    pad("LEFT", "DOWN"),
    pad("RIGHT", "DOWN"),
    pad("DOWN"),
    pad("DOWN", "B"),
    pad("B"),
)
RIGHT = pad("RIGHT")
JUMP = pad("B")

Player = Callable[[random.Random], Iterator[int]]


@dataclass(frozen=True)
class Episode:
    """How a run ended: ``goal``, ``death`` or ``time``, where, and after how many frames."""

    end: str
    x: int
    y: int
    furthest_x: int
    frames: int


def begin(game: NativeGame, zone: int, act: int) -> None:
    """The moment of the act's save state."""
    game.reset(zone, act)
    for _ in range(WARM_UP_FRAMES):
        game.step(0)


def right_only(_: random.Random) -> Iterator[int]:
    while True:
        yield RIGHT


def right_with_jumps(rng: random.Random) -> Iterator[int]:
    """Right all the time; now and then a jump held for a few decisions."""
    while True:
        if rng.random() < 0.1:
            held = rng.randint(1, 6)
            yield from (RIGHT | JUMP for _ in range(held))
        yield RIGHT


def contest_right_jumps(rng: random.Random) -> Iterator[int]:
    """As JERK moves: right, and jumps (B alone, as the seven actions allow) held 4 decisions."""
    while True:
        if rng.random() < 0.1:
            yield from (JUMP for _ in range(4))
        yield RIGHT


def uniform(rng: random.Random) -> Iterator[int]:
    while True:
        yield rng.choice(ACTIONS)


PLAYERS: dict[str, Player] = {
    "right only": right_only,
    "right with random jumps": right_with_jumps,
    "right or jump (7 actions)": contest_right_jumps,
    "uniform over 7 actions": uniform,
}


def play(
    game: NativeGame, start: bytes, player: Player, rng: random.Random, sticky: float = STICKY
) -> Episode:
    """One episode under the contest's rules."""
    game.load(start)
    actions = player(rng)
    last, frames, furthest = 0, 0, 0
    x = y = 0
    for decision in range(MAX_DECISIONS):
        action = next(actions)
        late = decision > 0 and rng.random() < sticky
        if late:
            frames += game.run(last, 1)
        frames += game.run(action, FRAME_SKIP - late)
        last = action
        x, y, end = game.position()
        furthest = max(furthest, x)
        if end:
            return Episode("death" if end == 1 else "goal", x, y, furthest, frames)
    return Episode("time", x, y, furthest, frames)


@dataclass
class Summary:
    """Episodes of one player."""

    name: str
    episodes: list[Episode] = field(default_factory=list)

    def completed(self) -> float:
        return sum(e.end == "goal" for e in self.episodes) / len(self.episodes)

    def ends(self) -> Counter[tuple[str, int, int]]:
        """Ends other than the goal by (kind, x cell, y cell) of 256 px."""
        return Counter(
            (e.end, e.x // CELL_PX, e.y // CELL_PX) for e in self.episodes if e.end != "goal"
        )

    def n_death_places(self) -> int:
        return len({(x, y) for end, x, y in self.ends() if end == "death"})


def summarise(game: NativeGame, start: bytes, name: str, n_episodes: int, seed: int = 0) -> Summary:
    rng = random.Random(seed)
    summary = Summary(name)
    for _ in range(n_episodes):
        summary.episodes.append(play(game, start, PLAYERS[name], rng))
    return summary
