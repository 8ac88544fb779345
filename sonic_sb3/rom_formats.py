"""What a file may hold besides a plain Genesis ROM, and what a ROM's header says of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAX_ROM_BYTES = 8 * 2**20
COPIER_HEADER_BYTES = 512
SMD_MAGIC = b"\xaa\xbb"  # at byte 8 of a copier header
_BLOCK_BYTES = 16 * 2**10
_HEADER_END = 0x200


@dataclass(frozen=True)
class Reading:
    """
    One way to understand a file as a ROM.

    :param data: The ROM's bytes in the console's order.
    :param note: What was done to the file to get them; empty when nothing was.
    """

    data: bytes
    note: str


@dataclass(frozen=True)
class RomHeader:
    """
    What a ROM says of itself.

    :param title: Its name outside of Japan, with single spaces.
    :param regions: Letters of the regions it may run in, such as ``JUE``.
    :param n_bytes: How long it says to be.
    """

    title: str
    regions: str
    n_bytes: int


def readings(data: bytes) -> Iterator[Reading]:
    """
    All ways to understand a file, the plainest first.

    Copiers put 512 bytes before the ROM and interleave it in blocks of 16 KiB (``.smd``); some
    dumping tools swap the bytes of each 16-bit word. Any of it may meet any file name.

    :param data: The file.
    """
    yield Reading(data, "")
    yield from _reordered(data, "")
    if len(data) > COPIER_HEADER_BYTES:
        body, note = data[COPIER_HEADER_BYTES:], "copier header removed"
        yield Reading(body, note)
        yield from _reordered(body, f"{note}, ")


def _reordered(data: bytes, prefix: str) -> Iterator[Reading]:
    if data and len(data) % _BLOCK_BYTES == 0:
        yield Reading(deinterleave(data), f"{prefix}de-interleaved")
    if len(data) % 2 == 0:
        yield Reading(swap_bytes(data), f"{prefix}bytes put in order")


def deinterleave(data: bytes) -> bytes:
    """
    Put the bytes of an ``.smd`` dump in order.

    :param data: Blocks of 16 KiB, each with first its odd bytes, then its even ones.
    """
    out = bytearray(len(data))
    half = _BLOCK_BYTES // 2
    for start in range(0, len(data), _BLOCK_BYTES):
        middle, end = start + half, start + _BLOCK_BYTES
        out[start + 1 : end : 2] = data[start:middle]
        out[start:end:2] = data[middle:end]
    return bytes(out)


def swap_bytes(data: bytes) -> bytes:
    """Exchange the two bytes of each 16-bit word."""
    out = bytearray(len(data))
    out[0::2], out[1::2] = data[1::2], data[0::2]
    return bytes(out)


def read_header(data: bytes) -> RomHeader | None:
    """
    The header of a ROM, or ``None`` where there is none.

    :param data: A ROM in the console's order.
    """
    if len(data) < _HEADER_END or b"SEGA" not in data[0x100:0x105]:
        return None
    return RomHeader(
        title=_text(data[0x150:0x180]) or _text(data[0x120:0x150]),
        regions=_text(data[0x1F0:0x1F3]),
        n_bytes=int.from_bytes(data[0x1A4:0x1A8], "big") + 1,
    )


def _text(field: bytes) -> str:
    """Printable ASCII of a header's field; the Japanese title may be in another encoding."""
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else " " for byte in field)
    return " ".join(text.split())
