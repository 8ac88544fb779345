"""Save states as bytes that depend on the ROM alone.

Two things in a save state of this core differ from process to process. The core leaves the larger
part of the buffer it is given unwritten: here it gets a zeroed one. And it saves pointers into its
own memory (the sound chip's tables and connections) which it sets anew when it loads a state: they
are written as zero. tests/pangolin shows that nothing comes of either.
"""

from __future__ import annotations

import ctypes
import struct
import zlib
from pathlib import Path

_CORE = "genesis_plus_gx_libretro"
_HEADER = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 3])  # gzip, deflate, no name, time 0, Unix


def _core() -> tuple[str, int, int]:
    """The loaded core's path and the addresses of its code and variables."""
    path, low, high = "", 0, 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split()
        first, end = (int(v, 16) for v in fields[0].split("-"))
        if _CORE in line:
            path, low, high = fields[-1], low or first, end
        elif high == first and len(fields) == 5:
            high = end  # zeroed variables follow the file's own pages, without a name
    if not path:
        raise RuntimeError(f"{_CORE} is not loaded")
    return path, low, high


def save_canonical() -> bytes:
    """The state of this process's emulator."""
    path, low, high = _core()
    core = ctypes.CDLL(path)
    core.retro_serialize_size.restype = ctypes.c_size_t
    buffer = ctypes.create_string_buffer(core.retro_serialize_size())
    if not core.retro_serialize(buffer, ctypes.c_size_t(len(buffer))):
        raise RuntimeError("the core did not save its state")
    return _without_pointers(buffer.raw, low, high)


def _without_pointers(state: bytes, low: int, high: int) -> bytes:
    out = bytearray(state)
    top = struct.pack("<Q", low)[5:]  # pointers into the core share these bytes
    at = state.find(top)
    while at >= 0:
        begin = at - 5
        if begin >= 0 and low <= struct.unpack_from("<Q", state, begin)[0] < high:
            out[begin : begin + 8] = bytes(8)
        at = state.find(top, at + 1)
    return bytes(out)


def compress(state: bytes) -> bytes:
    """A gzip file of fixed header, whatever Python's version."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = deflate.compress(state) + deflate.flush()
    return _HEADER + body + struct.pack("<II", zlib.crc32(state), len(state))
