"""The native game and the ROM side by side, frame by frame."""

from __future__ import annotations

import gzip
from pathlib import Path

from .emulator import INTEGRATION, Emulator
from .integration import level_name
from .native import NativeGame
from .players import begin

COMPARED = ("x", "y", "lives", "rings", "score", "frame", "mode", "rng")
PLACE = ("x", "y")
LEVEL_MODE = 1


class Mismatch(AssertionError):
    """ROM and native game differ, or the ROM misbehaved; the message says where."""


def load_release_state(name: str, folder: Path = INTEGRATION) -> bytes:
    return gzip.decompress((folder / f"{name}.state").read_bytes())


class Lockstep:
    """Steps both and compares what the game publishes: place and timing in every frame, all else
    in every eighth."""

    def __init__(self, native: NativeGame, emulator: Emulator) -> None:
        self.native = native
        self.emulator = emulator
        self.worst_lines = 0
        self._vblanks = 0
        self._step = 0

    def begin(self, zone: int, act: int) -> None:
        """Both at the moment of the act's released save state."""
        begin(self.native, zone, act)
        self.load((self.native.save(), load_release_state(level_name(zone, act))))

    def save(self) -> tuple[bytes, bytes]:
        return self.native.save(), self.emulator.save()

    def load(self, states: tuple[bytes, bytes]) -> None:
        self.native.load(states[0])
        self.native.look()
        self.emulator.load(states[1])
        self._vblanks = self.emulator.read("vblanks")
        self._step = 0

    def step(self, pad_byte: int) -> None:
        """:raises Mismatch: where anything is not as it must be"""
        self.native.step(pad_byte)
        self.native.look()
        self.emulator.run_frame(pad_byte)
        self._step += 1
        self._vblanks = (self._vblanks + 1) & 0xFFFF
        if self.emulator.read("vblanks") != self._vblanks:
            lines = self.emulator.read("frame_lines")
            raise self._mismatch(f"lag frame or crash ({lines} lines the last time)")
        self._compare(PLACE if self._step & 7 else COMPARED)

    def _compare(self, names: tuple[str, ...]) -> None:
        read = self.emulator.read
        for name in names:
            expected = self.native.read(name)
            if name == "y":
                expected = max(expected, 0)  # what the ROM publishes is unsigned
            elif name == "rng":
                expected &= 0xFFFFFFFF
            if read(name) != expected:
                raise self._mismatch(f"{name} is {read(name)} on the ROM, {expected} natively")
        if names is COMPARED:
            self.worst_lines = max(self.worst_lines, read("frame_lines"))
            if read("fault"):
                raise self._mismatch("CPU exception")

    def _mismatch(self, what: str) -> Mismatch:
        facts = self.native.facts()
        return Mismatch(
            f"frame {self._step} ({level_name(facts.zone, facts.act)}, x {facts.x}, "
            f"y {facts.y}): {what}"
        )
