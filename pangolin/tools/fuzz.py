"""Random frames on every act, on the ROM and natively at once.

``python -m pangolin.tools.fuzz`` runs 200,000 frames an act and stops at the first CPU exception,
lag frame, difference between ROM and native game, or step outside the map.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .emulator import INTEGRATION, Emulator
from .integration import level_name
from .lockstep import LEVEL_MODE, Lockstep, Mismatch, load_release_state
from .movies import MOVIES, read_movie
from .native import BUTTONS, NativeGame, build_native, pad
from .release import act_files

RUN_FRAMES = 1500
SNAPSHOT_EVERY = 200
OUTSIDE_PX = 80
STILL_FRAMES = 60
HANG_FRAMES = 120

States = tuple[bytes, bytes]


def random_pads(rng: random.Random) -> Iterator[int]:
    """Buttons held for random times; now and then a spin dash or a pause."""
    directions = [pad("RIGHT")] * 4 + [pad("LEFT")] * 2 + [pad("DOWN"), pad("UP"), 0]
    while True:
        kind = rng.random()
        if kind < 0.05:
            yield from [pad("DOWN")] * 3
            for _ in range(rng.randint(1, 5)):
                yield from [pad("DOWN", "B")] * 2 + [pad("DOWN")] * 2
            yield from [pad("RIGHT")] * rng.randint(0, 40)
        elif kind < 0.06:
            yield from [BUTTONS["START"]] + [rng.randrange(128)] * rng.randint(1, 10)
            yield BUTTONS["START"]
        elif kind < 0.2:
            yield from [rng.randrange(128)] * rng.randint(1, 6)
        else:
            held = rng.choice(directions) | (BUTTONS["B"] if rng.random() < 0.4 else 0)
            yield from [held] * rng.randint(1, 30)


def snapshots(both: Lockstep, zone: int, act: int) -> list[States]:
    """States along the act's movie, so that all of it is visited."""
    both.begin(zone, act)
    found = [both.save()]
    movie = MOVIES / f"{level_name(zone, act)}.txt"
    if not movie.exists():
        return found
    for number, pad_byte in enumerate(read_movie(movie), start=1):
        both.step(pad_byte)
        if both.native.read("mode") != LEVEL_MODE:
            break
        if number % SNAPSHOT_EVERY == 0:
            found.append(both.save())
    return found


class Watch:
    """Counts deaths and goals, and sees that the player stays inside, the clock runs, and nobody
    hangs in the air."""

    def __init__(self, both: Lockstep) -> None:
        self.both = both
        self.deaths = 0
        self.goals = 0
        self.still = 0
        self.hanging = 0
        self._place = (0, 0)
        self._before = self._read()

    def _read(self) -> tuple[int, int, int]:
        read = self.both.native.read
        return read("frame"), read("dead"), read("level_end_bonus")

    def restart(self) -> None:
        self.still = 0
        self.hanging = 0
        self._before = self._read()

    def after_step(self) -> None:
        """:raises Mismatch: outside the map, or frozen"""
        before, self._before = self._before, self._read()
        self.deaths += self._before[1] > before[1]
        self.goals += self._before[2] > before[2]
        read = self.both.native.read
        if read("mode") != LEVEL_MODE:
            self.still = 0
            return
        x, y = read("x"), read("y")
        if not (0 < x < read("width") and -OUTSIDE_PX <= y <= read("height") + OUTSIDE_PX):
            raise Mismatch(f"outside the map at {x},{y}")
        is_hung = (x, y) == self._place and not (read("grounded") or read("dead"))
        self.still = self.still + 1 if self._before[0] == before[0] else 0
        self.hanging = self.hanging + 1 if is_hung and not self.still else 0
        self._place = (x, y)
        if self.hanging > HANG_FRAMES:
            self._break_free(x, y)
        if self.still > STILL_FRAMES:
            self._leave_pause()

    def _break_free(self, x: int, y: int) -> None:
        """Held by a fan under a roof one hangs too, but can steer out of it."""
        hung = self.both.save()
        for button in ("LEFT", "RIGHT"):
            for _ in range(STILL_FRAMES):
                self.both.step(BUTTONS[button])
            if (self.both.native.read("x"), self.both.native.read("y")) != (x, y):
                self.restart()
                return
            self.both.load(hung)
        raise Mismatch(f"hangs in the air at {x},{y}")

    def _leave_pause(self) -> None:
        for pad_byte in (0, BUTTONS["START"], 0):
            self.both.step(pad_byte)
        if self.both.native.read("frame") == self._before[0]:
            raise Mismatch(f"frozen at {self.both.native.facts()}")
        self.restart()


def fuzz_act(both: Lockstep, zone: int, act: int, n_frames: int, seed: int) -> tuple[int, int]:
    """Deaths and goals in n_frames.

    :raises Mismatch: at the first thing wrong
    """
    rng = random.Random(f"{seed}.{zone}.{act}")
    starts = snapshots(both, zone, act)
    watch = Watch(both)
    for begun in range(0, n_frames, RUN_FRAMES):
        both.load(rng.choice(starts))
        watch.restart()
        pads = random_pads(rng)
        for _ in range(min(RUN_FRAMES, n_frames - begun)):
            both.step(next(pads))
            watch.after_step()
    return watch.deaths, watch.goals


def run(arguments: argparse.Namespace) -> int:
    files = [path for path in act_files() if path.stem in (arguments.acts or [path.stem])]
    shipped = json.loads((INTEGRATION / "levels.json").read_text())
    with tempfile.TemporaryDirectory(prefix="fuzz_") as out:
        library, _ = build_native(act_files(), Path(out))
        both = Lockstep(NativeGame(library), Emulator((INTEGRATION / "rom.md").read_bytes()))
        both.emulator.load(load_release_state(next(iter(shipped))))
        both.emulator.hurry()
        for path in files:
            facts = shipped[path.stem]
            both.worst_lines = 0
            try:
                deaths, goals = fuzz_act(
                    both, facts["zone"], facts["act"], arguments.frames, arguments.seed
                )
            except Mismatch as error:
                print(f"{path.stem}: FAILS at {error}", flush=True)
                return 1
            print(
                f"{path.stem}: {arguments.frames} frames, {deaths} deaths, {goals} goals, at most "
                f"{both.worst_lines} of 262 lines a frame",
                flush=True,
            )
        both.emulator.close()
    return 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("acts", nargs="*", help="such as CanopyZone.Act1; all if none")
    parser.add_argument("--frames", type=int, default=200_000, help="per act")
    parser.add_argument("--seed", type=int, default=0)
    return run(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
