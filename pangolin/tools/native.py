"""The game logic as a native library: a million frames a second, with save and load."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from .compile_level import compile_level
from .emit import write_table

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src"
FLAGS = ["-std=gnu11", "-O2", "-fwrapv", "-fPIC", "-shared", "-Wall", "-Wextra", "-DHOST"]

BUTTONS = {"UP": 1, "DOWN": 2, "LEFT": 4, "RIGHT": 8, "B": 16, "C": 32, "A": 64, "START": 128}


@dataclass(frozen=True)
class Facts:
    """A reading of the game; positions in px, speeds in 1/256 px per frame."""

    x: int
    y: int
    lives: int
    rings: int
    score: int
    zone: int
    act: int
    screen_x: int
    screen_y: int
    level_end_bonus: int
    angle: int
    gsp: int
    vx: int
    vy: int
    grounded: int
    ball: int
    layer: int
    dead: int
    hurt: int
    invulnerable: int
    spindash: int
    frame: int
    mode: int
    timer_s: int
    rng: int
    ride: int
    facing_left: int
    end_x: int
    width: int
    height: int
    pushing: int


# In the order of host_facts in src/host.c.
HOST_FACTS = tuple(field.name for field in fields(Facts))
_INDEX = {name: i for i, name in enumerate(HOST_FACTS)}


def pad(*names: str) -> int:
    """The pad byte with these buttons held."""
    value = 0
    for name in names:
        value |= BUTTONS[name]
    return value


class NativeGame:
    """One copy of the library; load a different file for an independent game."""

    def __init__(self, library: Path) -> None:
        self._lib = ctypes.CDLL(str(library))
        self._size: int = self._lib.host_state_size()
        self._facts = (ctypes.c_int32 * len(HOST_FACTS))()

    def reset(self, zone: int, act: int) -> None:
        self._lib.host_reset(zone, act)

    def step(self, pad_byte: int) -> None:
        self._lib.host_step(pad_byte)

    def run(self, pad_byte: int, n_frames: int) -> int:
        """Holds a pad; stops early at a death or the goal. Returns the frames run."""
        return int(self._lib.host_run(pad_byte, n_frames))

    def facts(self) -> Facts:
        self._lib.host_facts(self._facts)
        return Facts(*self._facts)

    def read(self, name: str) -> int:
        """One fact as it was at the last look."""
        return int(self._facts[_INDEX[name]])

    def look(self) -> None:
        """Takes the facts that read() gives."""
        self._lib.host_facts(self._facts)

    def position(self) -> tuple[int, int, int]:
        """x, y, 1 when dead or 2 when past the goal: quicker than all facts."""
        self._lib.host_facts(self._facts)
        f = self._facts
        return f[0], f[1], 1 if f[17] else 2 if f[9] else 0

    def save(self) -> bytes:
        buffer = ctypes.create_string_buffer(self._size)
        self._lib.host_save(buffer)
        return buffer.raw

    def load(self, state: bytes) -> None:
        self._lib.host_load(state)


def build_native(levels: Iterable[Path], out: Path) -> tuple[Path, list[tuple[int, int]]]:
    """Builds the library for these acts into the folder; returns it and its (zone, act) pairs."""
    out.mkdir(parents=True, exist_ok=True)
    compiled = [compile_level(path, out, graphics=False) for path in levels]
    acts = [(c.source.zone, c.source.act) for c in compiled]
    write_table(out / "table.c", acts)
    library = out / "pangolin.so"
    sources = [
        *sorted(p for p in SOURCES.rglob("*.c") if "rom" not in p.relative_to(SOURCES).parts),
        out / "table.c",
        *(c.c_file for c in compiled),
    ]
    temporary = out / "pangolin.so.new"
    subprocess.run(
        ["gcc", *FLAGS, f"-I{SOURCES}", "-o", str(temporary), *map(str, sources)], check=True
    )
    temporary.replace(library)
    return library, acts
