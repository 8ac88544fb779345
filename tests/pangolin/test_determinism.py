"""The same inputs give the same RAM and pictures: in other processes, and after save and load."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from pangolin.tools.emulator import Emulator
from pangolin.tools.lockstep import load_release_state
from pangolin.tools.movies import MOVIES, read_movie

ACT = "QuarryZone.Act1"
N_FRAMES = 900
ROOT = Path(__file__).parents[2]
SCRIPT = """
from pangolin.tools.emulator import INTEGRATION, Emulator
from tests.pangolin.test_determinism import trace
emulator = Emulator((INTEGRATION / "rom.md").read_bytes())
print("\\n".join(trace(emulator)))
emulator.close()
"""


def _digest(emulator: Emulator) -> str:
    return hashlib.sha1(emulator.ram() + emulator.screen.tobytes()).hexdigest()


def trace(emulator: Emulator, reload_every: int = 0) -> list[str]:
    """A digest of RAM and picture every 50 frames."""
    emulator.load(load_release_state(ACT))
    digests = []
    pads = list(read_movie(MOVIES / f"{ACT}.txt"))[:N_FRAMES]
    for number, pad_byte in enumerate(pads, start=1):
        emulator.run_frame(pad_byte)
        if reload_every and number % reload_every == 0:
            state = emulator.save()
            for other in (64, 2, 18):
                emulator.run_frame(other)
            emulator.load(state)
        elif number % 50 == 0:
            digests.append(_digest(emulator))
    return digests


def test_separate_processes(released: Emulator) -> None:
    here = trace(released)
    there = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split()
    assert here == there
    assert len(set(here)) == len(here)


def test_save_and_load_on_the_way(released: Emulator) -> None:
    assert trace(released, reload_every=33) == trace(released)[: N_FRAMES // 50]
