"""
Puts the routines of ``core_native.c`` into this process's memory and lends them to Python.

Code lies on a page that is executable and read-only, their one table on a page that is writable.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

from sonic_sb3.envs.core_code import CODE, DATA_OFFSET, OFFSETS
from sonic_sb3.envs.core_elf import UnfitCoreError

# One of code, the others for the table of addresses and the table of sprites.
_N_PAGES = 4
# (height, width) of the pictures that have a routine of their own: the contest's and `train`'s.
SHRUNK = ((96, 96), (64, 64))


@dataclass(frozen=True)
class CoreAddresses:
    """The table at ``core`` in ``core_native.c``: absolute addresses, in its order."""

    system_frame: int
    fm_update_slot: int
    frame_cycles: int
    fm_cycles_count: int
    fm_cycles_start: int
    fm_cycles_ratio: int
    fm_write_position: int
    fm_buffer: int
    psg_clocks: int
    timers: int
    list_line_slot: int
    list_line: int
    sprite_cache: int
    video_ram: int
    sprite_table: int
    line_width: int
    max_sprite_pixels: int
    is_double_resolution: int
    line_sprites: int
    line_counts: int
    video_status: int
    work_ram: int


class NativeRoutines:
    """
    The routines, bound to one loaded core.

    :param addresses: Where that core keeps its things.
    :raises UnfitCoreError: The system allows no code but that of files.
    """

    def __init__(self, addresses: CoreAddresses) -> None:
        page = mmap.PAGESIZE
        if page != DATA_OFFSET:
            raise UnfitCoreError(f"expected memory pages of {DATA_OFFSET} bytes, they have {page}")
        # Shared with nobody: a forked child has its own copy, as it has of the core.
        self._memory = mmap.mmap(-1, _N_PAGES * page, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._memory[: len(CODE)] = CODE
        table = astuple(addresses)
        struct.pack_into(f"<{len(table)}Q", self._memory, DATA_OFFSET, *table)
        self._start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self.table_address = self._start + DATA_OFFSET
        _make_executable(self._start, page)
        self.run_frame: Callable[[int], None] = self._routine("run_frame", ctypes.c_int)
        self.run_timers: Callable[[int | None, int], None] = self._routine(
            "run_timers", ctypes.c_void_p, ctypes.c_int
        )
        self.run_frames: Callable[[int, int, int, int, int], None] = self._routine(
            "run_frames",
            *(ctypes.c_uint32, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p),
        )
        self.read_variables: Callable[[int, int, int], None] = self._routine(
            "read_variables", ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p
        )
        # Area resize of 320x224 pictures, by (height, width) of the result.
        self.shrink: dict[tuple[int, int], Callable[[int, int], None]] = {
            (height, width): self._routine(f"shrink_to_{height}", ctypes.c_void_p, ctypes.c_void_p)
            for height, width in SHRUNK
        }

    def _routine(self, name: str, *argument_types: Any) -> Callable[..., None]:
        return ctypes.CFUNCTYPE(None, *argument_types)(self._start + OFFSETS[name])


def _make_executable(address: int, n_bytes: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    protect = libc.mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    if protect(address, n_bytes, mmap.PROT_READ | mmap.PROT_EXEC) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise UnfitCoreError(f"this system forbids code outside of files (mprotect: {reason})")
