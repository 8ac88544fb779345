"""
The emulator without what a learner does not need: pictures that nobody sees, and sound.

Stands beside stable-retro's emulator object and calls the loaded Genesis core's own frame routine.
What it leaves out and why that is exact: ``experiments/speed/emulator.md``. It proves itself on the
loaded core and game before it is used (:mod:`sonic_sb3.envs.core_proof`).
"""

from __future__ import annotations

import ctypes
import logging
import struct
import weakref
from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sonic_sb3.envs.core_elf import LoadedCore, UnfitCoreError, find_loaded_core
from sonic_sb3.envs.core_native import CoreAddresses, NativeRoutines
from sonic_sb3.errors import EmulatorError

logger = logging.getLogger(__name__)

FUNCTIONS = ("system_frame_gen", "YM2612Update", "YM2612Read", "parse_satb_m5")
# What the machine can see of itself, apart from the processors' registers.
MACHINE_MEMORY = ("work_ram", "zram", "vram", "cram", "vsram")
# Clocks of the chip whose timers the machine sees; the fast path keeps them by itself.
FM_CLOCKS = ("fm_cycles_count", "fm_cycles_start")
VARIABLES = (
    *("psg", "YM_Update", "mcycles_vdp", "fm_cycles_ratio", "fm_ptr", "fm_buffer", "ym2612"),
    *("system_hw", "bitmap", "status", "parse_satb", "sat", "satb", "max_sprite_pixels"),
    *("im2_flag", "obj_info", "object_count"),
)
_STATE_SIGNATURE = b"GENPLUS-GX"
_MEGA_DRIVE = 0x80  # `system_hw` of a plain cartridge machine: no CD unit, no Pico, no 8-bit mode
_STATUS_OFFSET = 2  # of the status in the YM2612's general state, bytes
# The head of `bitmap`: pixels, width, height, bytes a row.
_BITMAP_HEAD = struct.Struct("<Qiii")
_VIEWPORT_WIDTH_OFFSET = 28  # in `bitmap`, bytes
_SCREEN = (224, 320)  # height, width of the pictures that are shrunk without OpenCV
RAM_START, RAM_END = 0xFF0000, 0x1000000
# Types of data.json: bytes, and whether they are signed.
READABLE_TYPES = {"|u1": (1, 0), "|i1": (1, 1), ">u2": (2, 0), ">i2": (2, 1), ">u4": (4, 0)}


class WatchedVariables:
    """
    RAM variables that are written down after every frame of :meth:`FastCore.run_frames`.

    :param variables: Address and type of each, as in data.json.
    :raises UnfitCoreError: One of a type that is not read here (binary coded decimals, say).
    """

    def __init__(self, variables: Sequence[tuple[int, str]]) -> None:
        fields = []
        for address, kind in variables:
            n_bytes, is_signed = READABLE_TYPES.get(kind, (0, 0))
            if not n_bytes or not RAM_START <= address <= RAM_END - n_bytes:
                raise UnfitCoreError(f"a variable at 0x{address:X} of type {kind}")
            fields.append(struct.pack("<HBB", address - RAM_START, n_bytes, is_signed))
        self.n_variables = len(fields)
        self._table = ctypes.create_string_buffer(b"".join(fields))
        self.table_address = ctypes.addressof(self._table)
        self._log = np.zeros((0, self.n_variables), dtype=np.int64)
        self.make_room(1)

    def make_room(self, n_frames: int) -> None:
        """Have room for the values of so many frames."""
        if n_frames > len(self._log):
            self._log = np.zeros((n_frames, self.n_variables), dtype=np.int64)
            self.log_address = self._log.ctypes.data

    def rows(self, n_frames: int) -> list[list[int]]:
        """The values after each of the last call's frames. :param n_frames: How many it ran."""
        rows: list[list[int]] = self._log[:n_frames].tolist()
        return rows


class FastCore:
    """
    Runs frames of the loaded core at a fraction of their cost, with the RAM, video RAM and pictures
    of ``emulator.step()``. That may be mixed in at any time; it alone produces sound.

    :param emulator: stable-retro's emulator object, which has run a frame already. The fast core
        ends with it.
    :raises UnfitCoreError: It cannot be used with this platform, core or game.
    """

    def __init__(self, emulator: Any) -> None:
        self.core = _find_fitting_core(emulator)
        self.fm_state_address = _status_address(self.core) - _STATUS_OFFSET
        self.native = NativeRoutines(_addresses(self.core, self.fm_state_address))
        self._run_frame = self.native.run_frame
        self._run_frames = self.native.run_frames
        # The core's picture, live: (height, width, 2) uint8, each pixel a little-endian RGB565.
        self.pixels = _view_pixels(self.core, emulator.get_resolution())
        self._grey = np.empty(self.pixels.shape[:2], dtype=np.uint8)
        self._emulator = weakref.ref(emulator, lambda _: self.close())

    @classmethod
    def attach(cls, emulator: Any) -> FastCore | None:
        """
        Make a fast core, unproven, or say once why there is none.

        :param emulator: As in the constructor.
        :returns: ``None`` where the platform, the core or the game does not fit.
        """
        try:
            return cls(emulator)
        except UnfitCoreError as error:
            warn_once(str(error))
            return None

    def run_hidden_frame(self) -> None:
        """Run a frame and draw nothing: the picture stays that of the last frame that was seen."""
        self._run_frame(1)

    def run_seen_frame(self) -> None:
        """Run a frame and draw it."""
        self._run_frame(0)

    def run_frames(self, n_frames: int, is_last_seen: bool, watched: WatchedVariables) -> None:
        """
        Run frames with the same buttons and write down what the watched variables are after each.

        :param n_frames: How many.
        :param is_last_seen: Draw the last of them.
        :param watched: Where the values go.
        """
        watched.make_room(n_frames)
        self._run_frames(
            n_frames,
            not is_last_seen,
            watched.table_address,
            watched.n_variables,
            watched.log_address,
        )

    def read_variables(self, watched: WatchedVariables) -> list[int]:
        """The watched variables now. :param watched: Which."""
        self.native.read_variables(watched.table_address, watched.n_variables, watched.log_address)
        return watched.rows(1)[0]

    def grey_screen(self) -> npt.NDArray[np.uint8]:
        """The picture in (height, width) grey 0..255, in an array that the next call reuses."""
        if self.pixels.size == 0:
            _refuse()
        # The core's 16-bit colours turn grey directly: same weights as for stable-retro's RGB.
        cv2.cvtColor(self.pixels, cv2.COLOR_BGR5652GRAY, dst=self._grey)
        return self._grey

    def read_grey(self, out: npt.NDArray[np.uint8]) -> None:
        """
        Write the picture, grey and shrunk by area as OpenCV does it, bit for bit.

        :param out: (height, width) uint8, contiguous, of the size wanted.
        """
        shrink_grey(self.grey_screen(), out, self.native)

    def close(self) -> None:
        """Let go of the core. Nothing else may be called afterwards."""
        self._run_frame = self._run_frames = _refuse
        self.pixels = np.empty((0, 0, 2), dtype=np.uint8)


def shrink_grey(
    grey: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8], native: NativeRoutines
) -> None:
    """
    Resize a grey picture as ``cv2.resize(..., interpolation=cv2.INTER_AREA)`` does.

    :param grey: (height, width) uint8.
    :param out: (height, width) uint8, where the result goes.
    :param native: Does 96x96 and 64x64 of 320x224 in a small part of OpenCV's time.
    """
    shrink = native.shrink.get(out.shape) if grey.shape == _SCREEN else None
    if shrink is None or not (grey.flags.c_contiguous and out.flags.carray):
        out[:] = cv2.resize(grey, out.shape[::-1], interpolation=cv2.INTER_AREA)
        return
    if grey.dtype != np.uint8 or out.dtype != np.uint8:
        raise ValueError(f"expected uint8 pictures, got {grey.dtype} and {out.dtype}")
    shrink(grey.ctypes.data, out.ctypes.data)


@cache
def warn_once(reason: str) -> None:
    """Say once in this process that the plain path is used, and why."""
    logger.warning("the plain, slower emulator path is used: %s", reason)


def _refuse(*_: int) -> None:
    raise EmulatorError("this fast core's emulator is closed: attach to the new one")


def _find_fitting_core(emulator: Any) -> LoadedCore:
    core = find_loaded_core((*FUNCTIONS, *MACHINE_MEMORY, *FM_CLOCKS, *VARIABLES))
    if not emulator.get_state().startswith(_STATE_SIGNATURE):
        raise UnfitCoreError("the emulator runs another core than the Genesis one")
    if core.memory("system_hw")[0] != _MEGA_DRIVE:
        raise UnfitCoreError("the game is not a plain Genesis cartridge")
    slot = int.from_bytes(core.memory("YM_Update"), "little")
    if slot != core.address("YM2612Update"):
        raise UnfitCoreError("the core does not use its YM2612 as expected")
    return core


def _addresses(core: LoadedCore, fm_state_address: int) -> CoreAddresses:
    return CoreAddresses(
        system_frame=core.address("system_frame_gen"),
        fm_update_slot=core.address("YM_Update"),
        frame_cycles=core.address("mcycles_vdp"),
        fm_cycles_count=core.address("fm_cycles_count"),
        fm_cycles_start=core.address("fm_cycles_start"),
        fm_cycles_ratio=core.address("fm_cycles_ratio"),
        fm_write_position=core.address("fm_ptr"),
        fm_buffer=core.address("fm_buffer"),
        psg_clocks=core.address("psg"),
        timers=fm_state_address,
        list_line_slot=core.address("parse_satb"),
        list_line=core.address("parse_satb_m5"),
        sprite_cache=core.address("sat"),
        video_ram=core.address("vram"),
        sprite_table=core.address("satb"),
        line_width=core.address("bitmap") + _VIEWPORT_WIDTH_OFFSET,
        max_sprite_pixels=core.address("max_sprite_pixels"),
        is_double_resolution=core.address("im2_flag"),
        line_sprites=core.address("obj_info"),
        line_counts=core.address("object_count"),
        video_status=core.address("status"),
        work_ram=core.address("work_ram"),
    )


def _status_address(core: LoadedCore) -> int:
    """Where the YM2612's status is: what ``YM2612Read`` loads, ``movzx eax, byte [rip + x]``."""
    code = core.code("YM2612Read")
    if code[:3] != b"\x0f\xb6\x05" or code[7:] != b"\xc3":
        raise UnfitCoreError("the core reads the YM2612's status in an unknown way")
    status = core.address("YM2612Read") + 7 + int.from_bytes(code[3:7], "little", signed=True)
    if not 0 <= status - core.address("ym2612") < core.symbols["ym2612"].size:
        raise UnfitCoreError("the core keeps the YM2612's status outside of the chip")
    return status


def _view_pixels(core: LoadedCore, resolution: tuple[int, int]) -> npt.NDArray[np.uint8]:
    head = bytes(core.memory("bitmap")[: _BITMAP_HEAD.size])
    address, _, n_rows, row_bytes = _BITMAP_HEAD.unpack(head)
    width, height = resolution
    if not (address and height <= n_rows and width * 2 <= row_bytes):
        raise UnfitCoreError(f"the core's picture has an unexpected shape: {n_rows} rows")
    pixels = np.ctypeslib.as_array((ctypes.c_uint8 * (n_rows * row_bytes)).from_address(address))
    return pixels.reshape(n_rows, row_bytes // 2, 2)[:height, :width]
