"""Several level files as one game, played natively and, where an emulator is given, on the ROM."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .emulator import Emulator
from .lockstep import Lockstep
from .native import NativeGame
from .players import WARM_UP_FRAMES, begin


class Course:
    """
    What a test of an obstacle plays.

    :param files: level files in the order of their zone and act, none left out
    :param emulator: just powered on with the ROM of these files
    """

    def __init__(
        self, files: Sequence[Path], native: NativeGame, emulator: Emulator | None = None
    ) -> None:
        self._names = [path.stem for path in files]
        self._native = native
        self._both = None if emulator is None else Lockstep(native, emulator)
        self._power_on = b"" if emulator is None else emulator.save()

    def begin(self, name: str) -> None:
        """The first controllable moment of a level."""
        acts = [divmod(i, 3) for i in range(len(self._names))]
        zone, act = acts[self._names.index(name)]
        if self._both is not None:
            emulator = self._both.emulator
            emulator.load(self._power_on)
            emulator.start_level(zone, act, acts)
            while emulator.read("frame") < WARM_UP_FRAMES:
                emulator.run_frame(0)
        begin(self._native, zone, act)
        if self._both is not None:
            self._both.load(self._both.save())
        self._native.look()

    def step(self, pad_byte: int = 0, n_frames: int = 1) -> None:
        """:raises Mismatch: where ROM and native game differ"""
        for _ in range(n_frames):
            if self._both is not None:
                self._both.step(pad_byte)
            else:
                self._native.step(pad_byte)
                self._native.look()

    def read(self, name: str) -> int:
        """One of HOST_FACTS."""
        return self._native.read(name)
