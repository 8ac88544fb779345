"""
Measures what each step of ``emulator.md`` gains: ``python experiments/speed/measure_emulator.py``.

All ways take turns, in every round from the same state with the same buttons. The tables give the
median round and the range, in processor time: other programs disturb it less than wall time.
"""

from __future__ import annotations

import argparse
import ctypes
import gzip
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import stable_retro

from sonic_sb3.envs import fast_core
from sonic_sb3.envs.core_native import CoreAddresses
from sonic_sb3.envs.core_proof import prove
from sonic_sb3.envs.fast_core import FastCore

Decision = Callable[[], object]
N_HIDDEN = 3


def load_game(game: str) -> Any:
    """Start a game of stable-retro's at its default state, or any ROM after five seconds."""
    is_file = Path(game).is_file()
    emulator = stable_retro.RetroEmulator(
        game if is_file else stable_retro.data.get_romfile_path(game)
    )
    if is_file:
        for _ in range(300):
            emulator.step()
    else:
        states = sorted(Path(stable_retro.data.path(), "stable", game).glob("*.state"))
        emulator.set_state(gzip.decompress(states[0].read_bytes()))
    return emulator


def make_ways(emulator: Any) -> tuple[dict[str, Decision], dict[str, Decision]]:
    """The ways to run a decision of four frames, and to make an observation of the last one."""
    fast_core.FUNCTIONS = (*fast_core.FUNCTIONS, "audio_update")
    fast_core.VARIABLES = (*fast_core.VARIABLES, "soundbuffer")
    fast = FastCore(emulator)
    core, run = fast.core, fast.native.run_frame
    frame = ctypes.CFUNCTYPE(None, ctypes.c_int)(core.address("system_frame_gen"))
    sound = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(core.address("audio_update"))
    samples = core.address("soundbuffer")
    # The table of addresses, to switch the table of sprites off.
    names = list(CoreAddresses.__dataclass_fields__)
    table = (ctypes.c_uint64 * len(names)).from_address(fast.native.table_address)
    list_line = names.index("list_line")
    original = table[list_line]

    def plain() -> None:
        for _ in range(N_HIDDEN + 1):
            emulator.step()

    def undrawn() -> None:
        for _ in range(N_HIDDEN):
            frame(1)
            sound(samples)
        emulator.step()

    def silent() -> None:
        table[list_line] = 0
        for _ in range(N_HIDDEN):
            run(1)
        run(0)

    def full() -> None:
        table[list_line] = original
        for _ in range(N_HIDDEN):
            fast.run_hidden_frame()
        fast.run_seen_frame()

    def all_hidden() -> None:
        for _ in range(N_HIDDEN + 1):
            fast.run_hidden_frame()

    state = emulator.get_state()
    small = np.empty((96, 96), dtype=np.uint8)

    def look_plain() -> None:
        grey = cv2.cvtColor(emulator.get_screen(), cv2.COLOR_RGB2GRAY)
        cv2.resize(grey, (96, 96), dst=small, interpolation=cv2.INTER_AREA)

    def look_grey() -> None:
        cv2.resize(fast.grey_screen(), (96, 96), dst=small, interpolation=cv2.INTER_AREA)

    def both(first: Decision, second: Decision) -> Decision:
        def run_both() -> None:
            first()
            second()

        return run_both

    frames = {
        "plain: emulator.step() x 4": plain,
        "hidden frames not drawn": undrawn,
        "and no sound": silent,
        "and sprites by table": full,
        "(all four hidden)": all_hidden,
        "plain with observation": both(plain, look_plain),
        "all with observation": both(full, lambda: fast.read_grey(small)),
    }
    pictures = {
        "get_screen, cvtColor, resize": look_plain,
        "grey from the core's pixels, resize": look_grey,
        "and own resize: read_grey": lambda: fast.read_grey(small),
        "get_screen alone": emulator.get_screen,
        "emulator.get_state()": emulator.get_state,
        "emulator.set_state()": lambda: emulator.set_state(state),
        "one call of a native routine": lambda: fast.native.run_timers(None, 0),
    }
    return frames, pictures


def measure(
    emulator: Any, ways: dict[str, Decision], n_rounds: int, n_decisions: int
) -> dict[str, list[float]]:
    """Microseconds a call, a list of rounds for each way."""
    state = emulator.get_state()
    rng = np.random.default_rng(0)
    pads = rng.integers(0, 2, (n_decisions // 3 + 1, 12), dtype=np.uint8)
    pads[:, [2, 3, 9, 10, 11]] = 0
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(n_rounds):
        for name, way in ways.items():
            emulator.set_state(state)
            started = time.thread_time()
            for i in range(n_decisions):
                if i % 3 == 0:
                    emulator.set_button_mask(pads[i // 3], 0)
                way()
            spent[name].append((time.thread_time() - started) / n_decisions * 1e6)
    return spent


def print_table(spent: dict[str, list[float]]) -> None:
    """Write a Markdown table; a gain is the median over rounds of the first line's time by this."""
    first = next(iter(spent.values()))
    print("\n| | µs, median [min, max] | gain, median [min, max] |\n|---|---|---|")
    for name, rounds in spent.items():
        gains = [base / this for base, this in zip(first, rounds, strict=True)]
        cells = " | ".join(
            f"{statistics.median(v):.{n}f} [{min(v):.{n}f}, {max(v):.{n}f}]"
            for v, n in ((rounds, 1), (gains, 2))
        )
        print(f"| {name} | {cells} |")


def main() -> None:
    """Measure one game."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("game", nargs="?", default="Airstriker-Genesis-v0", help="id, or a ROM")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--decisions", type=int, default=100)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    emulator = load_game(args.game)
    print(args.game, prove(emulator, FastCore(emulator)))
    for ways in make_ways(emulator):
        print_table(measure(emulator, ways, args.rounds, args.decisions))


if __name__ == "__main__":
    main()
