"""Judges an act: who completes it, where runs end, and an input movie that proves it possible.

Run as ``python -m pangolin.tools.bench pangolin/levels/CanopyZone.Act1.txt``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from pathlib import Path

from .level_source import LevelError
from .movies import MOVIES, read_movie, replay_native, write_movie
from .native import NativeGame, build_native
from .players import PLAYERS, WARM_UP_FRAMES, Summary, begin, summarise
from .search import find_movie


def _show(summary: Summary) -> None:
    ends = summary.ends()
    n = len(summary.episodes)
    print(
        f"{summary.name}: {n} episodes, completed {100 * summary.completed():.2f} %, "
        f"mean furthest x {sum(e.furthest_x for e in summary.episodes) / n:.0f}, "
        f"{summary.n_death_places()} distinct places of death"
    )
    for (end, cx, cy), count in sorted(ends.items(), key=lambda item: -item[1])[:12]:
        print(f"    {count:5d} {end:5s} near x {cx * 256}..{cx * 256 + 255}, y {cy * 256}..")


def _verify(path: Path, movie: Path, zone: int, act: int, out: str) -> None:
    """Replays the movie on the ROM beside the native game; runs in a process of its own."""
    from .emulator import Emulator
    from .lockstep import Lockstep, Mismatch
    from .rom import build_rom

    rom, _ = build_rom([path], Path(out) / "rom")
    library, _ = build_native([path], Path(out) / "verify")
    both = Lockstep(NativeGame(library), Emulator(rom))
    both.emulator.start_level(zone, act, [(zone, act)])
    while both.emulator.read("frame") < WARM_UP_FRAMES:
        both.emulator.run_frame(0)
    begin(both.native, zone, act)
    both.load(both.save())
    try:
        for pad_byte in read_movie(movie):
            both.step(pad_byte)
    except Mismatch as error:
        sys.exit(str(error))
    info = both.emulator.step(0)
    if not info["level_end_bonus"]:
        sys.exit("the movie does not reach the goal on the ROM")
    print(f"verified on the emulator: goal at x {info['x']}, score {info['score']}")


def run(arguments: argparse.Namespace) -> int:
    path: Path = arguments.level
    with tempfile.TemporaryDirectory(prefix="bench_") as out:
        library, [(zone, act)] = build_native([path], Path(out))
        game = NativeGame(library)
        begin(game, zone, act)
        start = game.save()
        print(f"{path.stem}: starts at {game.position()[:2]}, goal x {game.facts().end_x}")
        for name in PLAYERS:
            n = 1 if name == "right only" else arguments.episodes
            if n:
                _show(summarise(game, start, name, n))
        movie = arguments.movies / f"{path.stem}.txt"
        if arguments.search:
            steps = None
            for contest in (True, False):
                steps = find_movie(
                    game,
                    start,
                    seconds=arguments.seconds,
                    seed=arguments.seed,
                    contest_actions=contest,
                )
                if steps is not None:
                    break
            if steps is None:
                print("no movie found")
                return 1
            frames = write_movie(movie, steps)
            print(f"movie: {frames} frames ({frames / 60:.1f} s) -> {movie}")
        if movie.exists():
            frames, done = replay_native(game, start, movie)
            print(f"movie replay (native): {'goal' if done else 'FAILS'} after {frames} frames")
            if arguments.verify:
                process = multiprocessing.get_context("spawn").Process(
                    target=_verify, args=(path, movie, zone, act, out)
                )
                process.start()
                process.join()
                return process.exitcode or (0 if done else 1)
            return 0 if done else 1
    return 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("level", type=Path)
    parser.add_argument("--episodes", type=int, default=50, help="per random player")
    parser.add_argument("--search", action="store_true", help="find a completing movie")
    parser.add_argument("--seconds", type=float, default=120.0, help="time for a search")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verify", action="store_true", help="replay the movie on the ROM")
    parser.add_argument("--movies", type=Path, default=MOVIES)
    try:
        return run(parser.parse_args(argv))
    except LevelError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
