"""ROMs in the wrappings that dumping tools give them."""

from __future__ import annotations

import random

import pytest

from sonic_sb3.rom_formats import deinterleave, read_header, readings, swap_bytes

BLOCK = 16 * 1024


def some_bytes(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def interleave(rom: bytes) -> bytes:
    """As the Super Magic Drive writes it: of each 16 KiB the odd bytes, then the even ones."""
    blocks = [rom[start : start + BLOCK] for start in range(0, len(rom), BLOCK)]
    return b"".join(block[1::2] + block[0::2] for block in blocks)


def swap(rom: bytes) -> bytes:
    return b"".join(bytes((rom[k + 1], rom[k])) for k in range(0, len(rom), 2))


ROM = some_bytes(3 * BLOCK)
COPIER_HEADER = some_bytes(512, seed=1)


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (ROM, ""),
        (interleave(ROM), "de-interleaved"),
        (swap(ROM), "bytes put in order"),
        (COPIER_HEADER + ROM, "copier header removed"),
        (COPIER_HEADER + interleave(ROM), "copier header removed, de-interleaved"),
        (COPIER_HEADER + swap(ROM), "copier header removed, bytes put in order"),
    ],
)
def test_a_rom_is_found_in_its_wrapping(data: bytes, note: str) -> None:
    assert [reading.note for reading in readings(data) if reading.data == ROM] == [note]


def test_reordering_is_undone() -> None:
    assert deinterleave(interleave(ROM)) == ROM
    assert swap_bytes(swap_bytes(ROM)) == ROM


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, BLOCK - 1])
def test_any_length_can_be_read(size: int) -> None:
    data = some_bytes(size)
    found = list(readings(data))
    assert found[0].data == data
    assert all(len(reading.data) <= size for reading in found)


def make_header(title: bytes, regions: bytes, n_bytes: int) -> bytes:
    rom = bytearray(0x200)
    rom[0x100:0x110] = b"SEGA MEGA DRIVE "
    rom[0x120:0x150] = b"\x83\x5c".ljust(48)
    rom[0x150:0x180] = title.ljust(48)
    rom[0x1A4:0x1A8] = (n_bytes - 1).to_bytes(4, "big")
    rom[0x1F0:0x1F3] = regions.ljust(3)
    return bytes(rom)


def test_header() -> None:
    header = read_header(make_header(b"PANGOLIN        DASH", b"E", 0x80000))
    assert header is not None
    assert (header.title, header.regions, header.n_bytes) == ("PANGOLIN DASH", "E", 0x80000)


def test_no_header() -> None:
    assert read_header(b"") is None
    assert read_header(make_header(b"SHORT", b"E", 1)[:-1]) is None
    assert read_header(bytes(0x200)) is None


def test_control_characters_of_a_title_are_not_shown() -> None:
    header = read_header(make_header(b"A\x1b[2J\nB\xff", b"\x00\x07U", 1))
    assert header is not None
    assert (header.title, header.regions) == ("A [2J B", "U")
