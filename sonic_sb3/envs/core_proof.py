"""
Shows on the loaded core and game that :class:`FastCore` gives what the plain path gives.

Runs at start-up, some hundred frames. What is exact by construction and what only observed is told
in ``experiments/speed/emulator.md``.
"""

from __future__ import annotations

import ctypes
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sonic_sb3.envs.core_elf import LoadedCore
from sonic_sb3.envs.core_native import SHRUNK
from sonic_sb3.envs.fast_core import (
    FM_CLOCKS,
    MACHINE_MEMORY,
    RAM_START,
    READABLE_TYPES,
    FastCore,
    WatchedVariables,
    warn_once,
)

N_DECISIONS = 60
FRAME_SKIP = 4
# The YM2612's general state: register address, status, mode, latch, then value, reload and count of
# timer A and of timer B.
_FM_STATE = struct.Struct("<HBxIBxxx6i")
# Bits of the video chip's status that only drawing sets: sprites overlap, too many on a line.
_SPRITE_FLAGS = 0x60
_MAX_SAMPLES = 900  # a frame has 888
_N_TIMER_STATES = 60
_N_ADDRESSES = 256
# On the pad in stable-retro's order: no MODE, START, Y, X and Z, which pause or do nothing.
_PLAY_BUTTONS = np.array([1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0], dtype=np.uint8)


@dataclass(frozen=True)
class ProofResult:
    """
    Outcome of a proof.

    :param difference: What was different first; ``None`` if nothing was.
    :param n_frames: Frames compared.
    :param duration_s: What the proof cost.
    """

    difference: str | None
    n_frames: int
    duration_s: float

    @property
    def is_same(self) -> bool:
        """Whether the fast path may be used."""
        return self.difference is None


def attach_proven(
    emulator: Any,
    verdict: ProofResult | None = None,
    on_verdict: Callable[[ProofResult], None] | None = None,
) -> FastCore | None:
    """
    Make a fast core that has proved itself on the game that is running.

    :param emulator: stable-retro's emulator object, in a state where buttons do something. Its
        machine and picture are left as found, its pad with no button pressed.
    :param verdict: What :func:`prove` said in a process beside this one, of the same installation
        and ROM, so that a pool of workers need not prove the same thing many times.
    :param on_verdict: Is told the outcome of a proof that was made here.
    :returns: ``None``, with one warning in this process, where the plain path must be used.
    """
    fast_core = FastCore.attach(emulator)
    if fast_core is None:
        return None
    result = verdict or prove(emulator, fast_core)
    if verdict is None and on_verdict is not None:
        on_verdict(result)
    if result.is_same:
        return fast_core
    fast_core.close()
    warn_once(f"the fast one failed its start-up proof, {result.difference}")
    return None


def prove(emulator: Any, fast_core: FastCore, n_decisions: int = N_DECISIONS) -> ProofResult:
    """
    Play the same pseudo-random buttons on both paths, from the present state, and compare.

    Compared are the work RAM after every frame and, after every seen frame, all memories, the FM
    chips' clocks, the picture and the observation. Before each fast frame the two status bits that
    hidden frames cannot compute are set at random: a game that looks at them is found even if its
    sprites never meet during the proof.

    :param emulator: As for :func:`attach_proven`.
    :param fast_core: Attached to it.
    :param n_decisions: Of four frames each.
    """
    started = time.perf_counter()
    state = emulator.get_state()
    picture = fast_core.pixels.copy()
    difference = _compare_timers(fast_core)
    if difference is None:
        plain = _play(emulator, _plain_path(emulator, fast_core), state, n_decisions)
        fast = _play(emulator, _fast_path(emulator, fast_core), state, n_decisions)
        difference = next(
            (f"{a[0]} differs" for a, b in zip(plain, fast, strict=True) if a != b), None
        )
    emulator.set_state(state)
    emulator.set_button_mask(np.zeros_like(_PLAY_BUTTONS), 0)
    fast_core.pixels[:] = picture
    return ProofResult(difference, n_decisions * FRAME_SKIP, time.perf_counter() - started)


def reads_variables_as(extract: Callable[[int, str], int], fast_core: FastCore) -> bool:
    """
    Whether the fast core finds in the work RAM what stable-retro finds, all over it.

    :param extract: stable-retro's, by address and type.
    :param fast_core: Attached to the same core.
    """
    rng = np.random.default_rng(3)
    # Two bytes' alignment, as the 68000 wants it of all but single bytes.
    addresses = (RAM_START + 2 * rng.integers(0, 0x7FFE, _N_ADDRESSES)).tolist()
    wanted = [(address, kind) for address in addresses for kind in READABLE_TYPES]
    wanted += [(address + 1, kind) for address in addresses for kind in ("|u1", "|i1")]
    found = fast_core.read_variables(WatchedVariables(wanted))
    return found == [extract(address, kind) for address, kind in wanted]


@dataclass(frozen=True)
class _Path:
    """One way to run frames and to look at the result."""

    core: LoadedCore
    run_hidden_frame: Callable[[], None]
    run_seen_frame: Callable[[], None]
    look: Callable[[], list[npt.NDArray[np.uint8]]]


def _plain_path(emulator: Any, fast_core: FastCore) -> _Path:
    def look() -> list[npt.NDArray[np.uint8]]:
        screen = emulator.get_screen()
        grey = cv2.cvtColor(screen, cv2.COLOR_RGB2GRAY)
        return [
            *(screen, grey),
            *(cv2.resize(grey, size, interpolation=cv2.INTER_AREA) for size in SHRUNK),
        ]

    return _Path(fast_core.core, emulator.step, emulator.step, look)


def _fast_path(emulator: Any, fast_core: FastCore) -> _Path:
    status = fast_core.core.memory("status")
    rng = np.random.default_rng(0)

    def run(frame: Callable[[], None]) -> None:
        status[0] = status[0] & ~_SPRITE_FLAGS | int(rng.integers(256)) & _SPRITE_FLAGS
        frame()

    def look() -> list[npt.NDArray[np.uint8]]:
        shrunk = [np.empty(size, dtype=np.uint8) for size in SHRUNK]
        for out in shrunk:
            fast_core.read_grey(out)
        return [emulator.get_screen(), fast_core.grey_screen(), *shrunk]

    return _Path(
        fast_core.core,
        lambda: run(fast_core.run_hidden_frame),
        lambda: run(fast_core.run_seen_frame),
        look,
    )


def _play(
    emulator: Any, path: _Path, state: bytes, n_decisions: int
) -> list[tuple[str, int | tuple[bytes, ...]]]:
    """Play pseudo-random buttons; return what is to be the same on every path, with its name."""
    rng = np.random.default_rng(1)
    work_ram = path.core.memory("work_ram")
    memories = [path.core.memory(name) for name in MACHINE_MEMORY]
    clocks = [path.core.memory(name) for name in FM_CLOCKS]
    seen: list[tuple[str, int | tuple[bytes, ...]]] = []
    buttons = np.zeros_like(_PLAY_BUTTONS)
    emulator.set_state(state)
    for decision in range(n_decisions):
        if decision % 3 == 0:
            buttons = rng.integers(0, 2, len(_PLAY_BUTTONS), dtype=np.uint8) & _PLAY_BUTTONS
        emulator.set_button_mask(buttons, 0)
        for frame in range(FRAME_SKIP):
            (path.run_seen_frame if frame == FRAME_SKIP - 1 else path.run_hidden_frame)()
            n_frames = decision * FRAME_SKIP + frame + 1
            seen.append((f"the RAM after {n_frames} frames", zlib.crc32(work_ram)))
        where = f"after {n_frames} frames"
        for name, memory in zip(MACHINE_MEMORY, memories, strict=True):
            seen.append((f"{name} {where}", zlib.crc32(memory)))
        seen.append((f"the sound clock {where}", tuple(bytes(c) for c in clocks)))
        names = ("picture", "grey picture", *(f"observation of {h}x{w}" for h, w in SHRUNK))
        for name, image in zip(names, path.look(), strict=True):
            seen.append((f"the {name} {where}", zlib.crc32(image.data)))
    return seen


def _compare_timers(fast_core: FastCore) -> str | None:
    """Run the whole YM2612 and its timers alone from the same random timer states."""
    core = fast_core.core
    chip = core.memory("ym2612")
    saved = bytes(chip)
    state_at = fast_core.fm_state_address
    whole_chip = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int)(core.address("YM2612Update"))
    samples = (ctypes.c_int * (2 * _MAX_SAMPLES))()
    rng = np.random.default_rng(2)
    try:
        for _ in range(_N_TIMER_STATES):
            n_samples = int(rng.integers(1, _MAX_SAMPLES))
            timers = _random_timers(rng)
            outcomes = []
            for update in (whole_chip, fast_core.native.run_timers):
                ctypes.memmove(state_at, timers, len(timers))
                update(ctypes.addressof(samples), n_samples)
                outcomes.append(ctypes.string_at(state_at, len(timers)))
            if outcomes[0] != outcomes[1]:
                return "the YM2612's timers differ"
        return None
    finally:
        ctypes.memmove(chip, saved, len(saved))


def _random_timers(rng: np.random.Generator) -> bytes:
    ta = int(rng.integers(1024)) | int(rng.choice([0, 0, 0x3F0]))  # short periods too
    tb = int(rng.integers(256))
    ta_load, tb_load = 1024 - ta, (256 - tb) * 16
    counts = int(rng.integers(0, ta_load + 1)), int(rng.integers(1, tb_load + 1))
    status, mode = int(rng.integers(4)), int(rng.integers(16))
    return _FM_STATE.pack(0, status, mode, 0, ta, ta_load, counts[0], tb, tb_load, counts[1])
