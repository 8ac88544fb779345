"""Input movies: lines of "FRAMES BUTTONS", from an act's save state on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from .native import BUTTONS, NativeGame

MOVIES = Path(__file__).resolve().parents[1] / "movies"


def write_movie(path: Path, steps: Iterable[tuple[int, int]]) -> int:
    """Run-length encodes (pad, frames) steps; returns the number of frames."""
    runs: list[list[int]] = []
    for pad_byte, frames in steps:
        if runs and runs[-1][0] == pad_byte:
            runs[-1][1] += frames
        else:
            runs.append([pad_byte, frames])
    lines = []
    for pad_byte, frames in runs:
        names = [name for name, bit in BUTTONS.items() if pad_byte & bit]
        lines.append(f"{frames} {'+'.join(names) or '-'}\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines))
    return sum(frames for _, frames in runs)


def read_movie(path: Path) -> Iterator[int]:
    """One pad byte per frame."""
    for line in path.read_text().splitlines():
        count, names = line.split()
        pad_byte = 0
        for name in [] if names == "-" else names.split("+"):
            pad_byte |= BUTTONS[name]
        for _ in range(int(count)):
            yield pad_byte


def replay_native(game: NativeGame, start: bytes, path: Path) -> tuple[int, bool]:
    """Frames until the goal and whether it was reached."""
    game.load(start)
    frames = 0
    for pad_byte in read_movie(path):
        game.step(pad_byte)
        frames += 1
        if game.position()[2]:
            break
    return frames, game.position()[2] == 2
