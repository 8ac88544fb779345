"""The patch decoder against the RFC's example, a writer after the RFC, xdelta3, and noise."""

from __future__ import annotations

import random
import shutil
import subprocess
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonic_sb3.errors import RomError
from sonic_sb3.xdelta import apply_patch

MAX_BYTES = 2**20
HEADER = b"\xd6\xc3\xc4\x00\x00"
SOURCE, TARGET, ADLER32 = 1, 2, 4
SELF, HERE, NEAR, SAME = 0, 1, 2, 6


def integer(value: int) -> bytes:
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))


def make_window(
    target_size: int,
    instructions: bytes,
    data: bytes = b"",
    addresses: bytes = b"",
    segment: tuple[int, int] | None = None,
    kind: int = SOURCE,
    adler32: int | None = None,
) -> bytes:
    """
    :param segment: (start, size).
    """
    indicator = (kind if segment else 0) | (0 if adler32 is None else ADLER32)
    where = integer(segment[1]) + integer(segment[0]) if segment else b""
    parts = b"".join(map(integer, (len(data), len(instructions), len(addresses))))
    checksum = b"" if adler32 is None else adler32.to_bytes(4, "big")
    body = integer(target_size) + b"\0" + parts + checksum + data + instructions + addresses
    return bytes([indicator]) + where + integer(len(body)) + body


def add(size: int) -> bytes:
    return b"\1" + integer(size)


def run(size: int) -> bytes:
    return b"\0" + integer(size)


def copy(size: int, mode: int) -> bytes:
    return bytes([19 + 16 * mode]) + integer(size)


def apply(window: bytes, source: bytes = b"") -> bytes:
    return apply_patch(HEADER + window, source, MAX_BYTES)


def test_the_example_of_the_rfc() -> None:
    """RFC 3284 section 3, with its codes of section 5.6 written out by hand."""
    source = b"abcdefghijklmnop"
    target = b"abcdwxyzefghefghefghefghzzzz"
    instructions = bytes([20, 5, 20, 19 + 1 * 16, 12]) + run(4)
    # COPY 4 at 0; ADD 4; COPY 4 at 4; COPY 12 at 24, which runs into what it makes; RUN 4
    window = make_window(
        len(target), instructions, b"wxyzz", b"\x00\x04\x04", (0, 16), adler32=zlib.adler32(target)
    )
    assert apply(window, source) == target


def test_codes_of_two_instructions() -> None:
    # 163: ADD 1, COPY 4 mode 0; 247: COPY 4 mode 0, ADD 1
    window = make_window(10, bytes([163, 247]), b"xy", b"\x00\x04", (0, 8))
    assert apply(window, b"abcdefgh") == b"xabcdefghy"


def test_windows_may_copy_from_the_target_made_before() -> None:
    first = make_window(6, bytes([7]), b"sonic!")
    second = make_window(5, bytes([21]), b"", b"\x00", (0, 5), kind=TARGET)
    assert apply_patch(HEADER + first + second, b"", MAX_BYTES) == b"sonic!sonic"


def test_application_data_is_passed_over() -> None:
    patch = b"\xd6\xc3\xc4\x00\x04" + integer(3) + b"a/b" + make_window(1, add(1), b"x")
    assert apply_patch(patch, b"", MAX_BYTES) == b"x"


class AddressWriter:
    """Section 5.3 of the RFC, the other way round."""

    def __init__(self) -> None:
        self.near = [0] * 4
        self.next = 0
        self.same = [0] * 768
        self.out = b""

    def modes(self, address: int, here: int) -> dict[int, bytes]:
        """Each way to write an address."""
        ways = {SELF: integer(address), HERE: integer(here - address)}
        for k, near in enumerate(self.near):
            if address >= near:
                ways[NEAR + k] = integer(address - near)
        if self.same[address % 768] == address:
            ways[SAME + address % 768 // 256] = bytes([address % 256])
        return ways

    def write(self, address: int, here: int, choice: int) -> int:
        ways = self.modes(address, here)
        mode = sorted(ways)[choice % len(ways)]
        self.out += ways[mode]
        self.near[self.next] = address
        self.next = (self.next + 1) % 4
        self.same[address % 768] = address
        return mode


@settings(max_examples=200)
@given(data=st.data())
def test_written_instructions_are_read_back(data: st.DataObject) -> None:
    """Whatever is added, run and copied, with every way to write an address, byte by byte."""
    source = data.draw(st.binary(min_size=1, max_size=2000))
    start = data.draw(st.integers(0, len(source) - 1))
    size = data.draw(st.integers(1, len(source) - start))
    whole = bytearray(source[start : start + size])  # what copies see: segment, then target
    instructions, added, addresses = b"", b"", AddressWriter()
    for kind in data.draw(st.lists(st.sampled_from("arccc"), min_size=1, max_size=30)):
        n_bytes = data.draw(st.integers(1, 300))
        if kind == "a":
            piece = data.draw(st.binary(min_size=n_bytes, max_size=n_bytes))
            instructions, added = instructions + add(n_bytes), added + piece
            whole += piece
        elif kind == "r":
            byte = data.draw(st.binary(min_size=1, max_size=1))
            instructions, added = instructions + run(n_bytes), added + byte
            whole += byte * n_bytes
        else:
            address = data.draw(st.integers(0, len(whole) - 1))
            mode = addresses.write(address, len(whole), data.draw(st.integers(0, 8)))
            instructions += copy(n_bytes, mode)
            for k in range(n_bytes):
                whole.append(whole[address + k])
    target = bytes(whole[size:])
    window = make_window(
        len(target), instructions, added, addresses.out, (start, size), SOURCE, zlib.adler32(target)
    )
    assert apply(window, source) == target


@pytest.mark.skipif(shutil.which("xdelta3") is None, reason="needs xdelta3 to compare with")
@pytest.mark.parametrize(
    "options", [[], ["-n"], ["-A"], ["-9"], ["-0"], ["-W", "16384"], ["-B", "524288", "-N"]]
)
def test_patches_of_xdelta3(options: list[str], tmp_path: Path) -> None:
    rng = random.Random(len(options))
    source = rng.randbytes(200_000) + bytes(20_000) + b"pangolin " * 2_000
    pieces = [source[60_000:150_000], b"new", source[:70_000], bytes(5_000), rng.randbytes(3_000)]
    for _ in range(300):
        start = rng.randrange(len(source))
        pieces.append(source[start : start + rng.randrange(1, 60)])
        pieces.append(rng.randbytes(rng.randrange(0, 6)))
    target = b"".join([*pieces, source[:100_000]])
    names = [tmp_path / name for name in ("source", "target", "patch")]
    names[0].write_bytes(source)
    names[1].write_bytes(target)
    command = ["xdelta3", "-e", "-q", "-S", "none", *options, "-s", *map(str, names)]
    subprocess.run(command, check=True)
    patch = names[2].read_bytes()
    assert apply_patch(patch, source, MAX_BYTES) == target
    if "-n" not in options:
        damaged = bytearray(source)
        damaged[65_000] ^= 1
        with pytest.raises(RomError, match="does not fit this source"):
            apply_patch(patch, bytes(damaged), MAX_BYTES)
        with pytest.raises(RomError, match="does not fit this source"):
            apply_patch(patch, source[:1000], MAX_BYTES)


@pytest.mark.skipif(shutil.which("xdelta3") is None, reason="needs xdelta3 to compare with")
@pytest.mark.parametrize("method", ["lzma", "djw", "fgk"])
def test_secondary_compression_is_refused(method: str, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"")
    (tmp_path / "target").write_bytes(b"abc" * 9999)
    subprocess.run(
        ["xdelta3", "-e", "-S", method, "-s", "source", "target", "patch"], check=True, cwd=tmp_path
    )
    with pytest.raises(RomError, match="expected one without secondary compression"):
        apply_patch((tmp_path / "patch").read_bytes(), b"", MAX_BYTES)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (b"", "no patch"),
        (b"PATCH and more", "no patch"),
        (HEADER[:4], "no patch"),
        (HEADER[:4] + b"\x01\x02", "without secondary compression"),
        (HEADER[:4] + b"\x02", "default code table"),
        (HEADER[:4] + b"\x80", "unknown bits in its header"),
        (HEADER[:4] + b"\x04\xff\x7f", "more bytes"),
        (HEADER + b"\x03", "unknown bits in a window"),
        (HEADER + b"\x10", "unknown bits in a window"),
        (HEADER + make_window(1, add(1), b"x")[:-1], "more bytes"),
        (HEADER + b"\x00" + b"\xff" * 9 + b"\x7f", "below 2\\*\\*32"),
        (HEADER + b"\x00\x08\x01\x00\x01\x01\x00x\x02\x00", "longer than its parts"),
        (HEADER + b"\x00\x05\x00\x01\x00\x00\x00", "without secondary compression"),
        (HEADER + make_window(2, add(1), b"x"), "end too early"),
        (HEADER + make_window(1, add(1), b"xy"), "end too early"),
        (HEADER + make_window(1, add(2), b"xy"), "more bytes than it says"),
        (HEADER + make_window(2, add(2), b"x"), "expected 2 more bytes"),
        (HEADER + make_window(4, bytes([20]), b"", b"\x00"), "outside"),
        (HEADER + make_window(4, bytes([20]), b"", b"\x08", (0, 8)), "outside"),
        (HEADER + make_window(4, copy(4, HERE), b"", b"\x09", (0, 8)), "outside"),
        (HEADER + make_window(4, bytes([20]), b"", b"\x00", (0, 9)), "bytes up to 9, there are 8"),
        (HEADER + make_window(1, add(1), b"x", adler32=1), "another checksum"),
        (HEADER + make_window(MAX_BYTES + 1, run(MAX_BYTES + 1), b"x"), "more than 1048576 bytes"),
    ],
)
def test_damaged_patches(patch: bytes, message: str) -> None:
    with pytest.raises(RomError, match=message):
        apply_patch(patch, b"8 bytes.", MAX_BYTES)


def test_large_claims_take_no_memory() -> None:
    claims = [
        make_window(2**32 - 1, run(2**32 - 1), b"x"),
        make_window(10, run(2**32 - 1), b"x"),
        make_window(10, copy(2**32 - 1, SELF), b"", b"\x00", (0, 8)),
        make_window(1, add(1), b"x") + make_window(MAX_BYTES, run(MAX_BYTES), b"x"),
    ]
    tracemalloc.start()
    try:
        for claim in claims:
            with pytest.raises(RomError):
                apply_patch(HEADER + claim, b"8 bytes.", MAX_BYTES)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_many_windows_on_a_large_source_are_quick() -> None:
    source = bytes(8 * 2**20)
    window = make_window(1, copy(1, SELF), b"", b"\x00", (0, len(source)))
    patch = HEADER + window * 5_000
    tracemalloc.start()
    try:
        assert apply_patch(patch, source, MAX_BYTES) == bytes(5_000)
        assert tracemalloc.get_traced_memory()[1] < 2**20, "the source is not copied"
    finally:
        tracemalloc.stop()


@settings(max_examples=300)
@given(noise=st.binary(max_size=200))
def test_noise_is_answered(noise: bytes) -> None:
    for patch in (noise, HEADER + noise):
        try:
            target = apply_patch(patch, b"8 bytes.", MAX_BYTES)
        except RomError:
            continue
        assert len(target) <= MAX_BYTES


@settings(max_examples=500)
@given(data=st.data())
def test_mutated_patches_never_give_another_target(data: st.DataObject) -> None:
    """The checksum of the target is in the patch: one wrong byte cannot pass, unless unused."""
    source = bytes(range(256)) * 4
    target = source[100:300] + b"xyz" + source[700:900] + b"!" * 50
    patch = HEADER + make_window(
        len(target),
        copy(200, SELF) + add(3) + copy(200, NEAR) + run(50),
        b"xyz!",
        integer(100) + integer(600),
        (0, len(source)),
        adler32=zlib.adler32(target),
    )
    assert apply_patch(patch, source, MAX_BYTES) == target
    mutated = bytearray(patch)
    mutated[data.draw(st.integers(5, len(patch) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        result = apply_patch(bytes(mutated), source, MAX_BYTES)
    except RomError:
        return
    # Without its checksum bit the window is read as another one; nothing is promised then.
    assert result == target or not mutated[5] & ADLER32
