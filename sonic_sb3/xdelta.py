"""
xdelta patches: the VCDIFF format of RFC 3284, with the checksums that xdelta3 adds to it.

Secondary compression and code tables of one's own are refused: the patches that stable-retro ships
use neither. Nothing is allocated before it is known to be allowed, whatever a patch claims.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from sonic_sb3.errors import RomError

_MAGIC = b"\xd6\xc3\xc4\x00"
_HEADER_SECONDARY, _HEADER_CODE_TABLE, _HEADER_APPLICATION = 1, 2, 4
_WINDOW_SOURCE, _WINDOW_TARGET, _WINDOW_ADLER32 = 1, 2, 4
_NEAR_SIZE, _SAME_SIZE = 4, 3
_MODE_SELF, _MODE_HERE, _MODE_NEAR = 0, 1, 2
_MODE_SAME = _MODE_NEAR + _NEAR_SIZE
_N_MODES = _MODE_SAME + _SAME_SIZE
_MAX_INTEGER = 2**32
_RUN, _ADD, _COPY = 1, 2, 3

# What one code of the instruction stream means: one or two of (kind, size or 0, address mode).
_Instruction = tuple[int, int, int]


def _make_code_table() -> list[tuple[_Instruction, ...]]:
    """The default instruction code table, RFC 3284 section 5.6."""
    table: list[tuple[_Instruction, ...]] = [((_RUN, 0, 0),)]
    table += [((_ADD, size, 0),) for size in range(18)]
    for mode in range(_N_MODES):
        table += [((_COPY, size, mode),) for size in (0, *range(4, 19))]
    for mode in range(_N_MODES):
        copy_sizes = (4, 5, 6) if mode < _MODE_SAME else (4,)
        for add_size in range(1, 5):
            table += [((_ADD, add_size, 0), (_COPY, size, mode)) for size in copy_sizes]
    table += [((_COPY, 4, mode), (_ADD, 1, 0)) for mode in range(_N_MODES)]
    return table


_CODE_TABLE = _make_code_table()


@dataclass(frozen=True)
class Window:
    """
    A stretch of the target and how to make it.

    :param segment: (start, size) of what may be copied from, or ``None``.
    :param is_segment_of_target: That is a part of the target made so far, not of the source.
    :param target_size: Bytes that this window makes.
    :param adler32: Checksum of these bytes, where the patch has one.
    :param data: What is added or repeated.
    :param instructions: Codes of the default table, with sizes that the codes do not hold.
    :param addresses: Where copies come from.
    """

    segment: tuple[int, int] | None
    is_segment_of_target: bool
    target_size: int
    adler32: int | None
    data: bytes
    instructions: bytes
    addresses: bytes


class _Reader:
    """Reads bytes and integers from a stretch of a patch, and never past its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def is_empty(self) -> bool:
        return self._position == len(self._data)

    @property
    def n_left(self) -> int:
        return len(self._data) - self._position

    def byte(self) -> int:
        return self.take(1)[0]

    def take(self, size: int) -> bytes:
        if size > self.n_left:
            raise RomError(f"damaged patch: expected {size} more bytes, {self.n_left} are left")
        self._position += size
        return self._data[self._position - size : self._position]

    def integer(self) -> int:
        """Seven bits a byte, the most significant first, the top bit set on all but the last."""
        value = 0
        while True:
            byte = self.byte()
            value = value << 7 | byte & 0x7F
            if value >= _MAX_INTEGER:
                raise RomError("damaged patch: expected numbers below 2**32")
            if byte < 0x80:
                return value


def apply_patch(patch: bytes, source: bytes, max_target_bytes: int) -> bytes:
    """
    Make the target of a patch.

    :param patch: What ``xdelta3 -S none`` would have written.
    :param source: What the patch was made for.
    :param max_target_bytes: Larger targets are refused before anything of that size is made.
    :raises RomError: The patch is damaged, uses what is not supported here, or is for another
        source.
    """
    target = bytearray()
    for number, window in enumerate(read_windows(patch), start=1):
        if len(target) + window.target_size > max_target_bytes:
            raise RomError(f"refused patch: its target has more than {max_target_bytes} bytes")
        with _segment_of(window, target if window.is_segment_of_target else source) as segment:
            made = make_window(window, segment)
        if window.adler32 is not None and zlib.adler32(made) != window.adler32:
            raise RomError(
                f"the patch does not fit this source: window {number} has another checksum than "
                "the patch tells"
            )
        target += made
    return bytes(target)


def read_windows(patch: bytes) -> Iterator[Window]:
    """
    Take a patch apart without applying it.

    :raises RomError: It is damaged or uses what is not supported here.
    """
    reader = _Reader(patch)
    if reader.n_left <= len(_MAGIC) or reader.take(len(_MAGIC)) != _MAGIC:
        raise RomError("no patch: expected the VCDIFF format that xdelta3 writes")
    indicator = reader.byte()
    if indicator & _HEADER_SECONDARY:
        raise RomError("unsupported patch: expected one without secondary compression")
    if indicator & _HEADER_CODE_TABLE:
        raise RomError("unsupported patch: expected one with the default code table")
    if indicator & ~_HEADER_APPLICATION:
        raise RomError(f"damaged patch: unknown bits in its header ({indicator:#x})")
    if indicator & _HEADER_APPLICATION:
        reader.take(reader.integer())  # what xdelta3 notes of file names
    while not reader.is_empty:
        yield _read_window(reader)


def _read_window(reader: _Reader) -> Window:
    indicator = reader.byte()
    is_source, is_target = bool(indicator & _WINDOW_SOURCE), bool(indicator & _WINDOW_TARGET)
    known = _WINDOW_SOURCE | _WINDOW_TARGET | _WINDOW_ADLER32
    if indicator & ~known or (is_source and is_target):
        raise RomError(f"damaged patch: unknown bits in a window ({indicator:#x})")
    segment = None
    if is_source or is_target:
        size = reader.integer()
        segment = (reader.integer(), size)
    body = _Reader(reader.take(reader.integer()))
    target_size = body.integer()
    if body.byte():
        raise RomError("unsupported patch: expected windows without secondary compression")
    sizes = [body.integer() for _ in range(3)]
    adler32 = int.from_bytes(body.take(4), "big") if indicator & _WINDOW_ADLER32 else None
    data, instructions, addresses = (body.take(size) for size in sizes)
    if not body.is_empty:
        raise RomError("damaged patch: a window is longer than its parts")
    return Window(segment, is_target, target_size, adler32, data, instructions, addresses)


def _segment_of(window: Window, whole: bytes | bytearray) -> memoryview:
    """Not a copy: a small patch may have thousands of windows that each see the whole source."""
    if window.segment is None:
        return memoryview(b"")
    start, size = window.segment
    if start + size > len(whole):
        raise RomError(
            f"the patch does not fit this source: it copies from bytes up to {start + size}, "
            f"there are {len(whole)}"
        )
    return memoryview(whole)[start : start + size]


def make_window(window: Window, segment: bytes | memoryview) -> bytes:
    """
    Carry a window's instructions out.

    :param segment: The bytes that the window's segment stands for.
    :raises RomError: The window is damaged.
    """
    made = bytearray()
    data, instructions = _Reader(window.data), _Reader(window.instructions)
    addresses = _AddressReader(window.addresses)
    while not instructions.is_empty:
        for kind, fixed_size, mode in _CODE_TABLE[instructions.byte()]:
            size = fixed_size or instructions.integer()
            if len(made) + size > window.target_size:
                raise RomError("damaged patch: a window makes more bytes than it says")
            if kind == _ADD:
                made += data.take(size)
            elif kind == _RUN:
                made += data.take(1) * size
            else:
                address = addresses.read(mode, here=len(segment) + len(made))
                _copy(made, segment, address, size)
    if len(made) != window.target_size or not data.is_empty or not addresses.is_empty:
        raise RomError("damaged patch: a window's instructions end too early")
    return bytes(made)


def _copy(made: bytearray, segment: bytes | memoryview, address: int, size: int) -> None:
    """Append bytes of (segment + made) from an address on; they may be those that this appends."""
    from_segment = segment[address : address + size]
    made += from_segment
    size -= len(from_segment)
    if size == 0:
        return
    start = max(0, address - len(segment))
    pattern = bytes(made[start : start + size])
    repeats, rest = divmod(size, len(pattern))
    made += pattern * repeats + pattern[:rest]


class _AddressReader:
    """The addresses of copies, RFC 3284 section 5.3: near ones and repeated ones take less room."""

    def __init__(self, data: bytes) -> None:
        self._reader = _Reader(data)
        self._near = [0] * _NEAR_SIZE
        self._next_near = 0
        self._same: dict[int, int] = {}  # 0 where nothing is

    @property
    def is_empty(self) -> bool:
        return self._reader.is_empty

    def read(self, mode: int, here: int) -> int:
        """
        Decode one address.

        :param mode: Against what it is written.
        :param here: Where the copy goes, in (segment + target).
        """
        if mode == _MODE_SELF:
            address = self._reader.integer()
        elif mode == _MODE_HERE:
            address = here - self._reader.integer()
        elif mode < _MODE_SAME:
            address = self._near[mode - _MODE_NEAR] + self._reader.integer()
        else:
            address = self._same.get((mode - _MODE_SAME) * 256 + self._reader.byte(), 0)
        if not 0 <= address < here:
            raise RomError("damaged patch: a copy comes from outside of what is there")
        self._near[self._next_near] = address
        self._next_near = (self._next_near + 1) % _NEAR_SIZE
        self._same[address % (_SAME_SIZE * 256)] = address
        return address
