"""
Finds the Genesis core that stable-retro has loaded into this process, and what lies where in it.

The core exports little more than libretro's interface, but its file keeps the full symbol table.
"""

from __future__ import annotations

import ctypes
import platform
import struct
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

CORE_FILE = "genesis_plus_gx_libretro.so"
# ELF: file header, section header, symbol (64 bits, little endian).
_FILE_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_X86_64, _SHARED_OBJECT, _SYMBOL_TABLE, _FUNCTION = 62, 3, 2, 2


class UnfitCoreError(Exception):
    """The fast path cannot be used here; the message says why. Never leaves ``fast_core``."""


@dataclass(frozen=True)
class Symbol:
    """
    One entry of a symbol table.

    :param address: Relative to where the file is loaded.
    :param size: In bytes.
    :param is_function: Code rather than data.
    """

    address: int
    size: int
    is_function: bool


@dataclass(frozen=True)
class LoadedCore:
    """
    The core in this process's memory.

    :param path: The file it was loaded from.
    :param base: Where it was loaded to.
    :param symbols: The symbols that were asked for.
    """

    path: Path
    base: int
    symbols: Mapping[str, Symbol]

    def address(self, name: str) -> int:
        """Where in this process's memory a symbol lies."""
        return self.base + self.symbols[name].address

    def memory(self, name: str) -> ctypes.Array[ctypes.c_ubyte]:
        """A symbol's bytes: live, writable, gone with the core."""
        return (ctypes.c_ubyte * self.symbols[name].size).from_address(self.address(name))

    def code(self, name: str) -> bytes:
        """A function's machine code."""
        return ctypes.string_at(self.address(name), self.symbols[name].size)


def find_loaded_core(names: Iterable[str]) -> LoadedCore:
    """
    Find the one Genesis core that is loaded.

    :param names: The symbols that must be there.
    :raises UnfitCoreError: Another platform, no core or several, no such symbols.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise UnfitCoreError(
            f"it is made for Linux on x86-64, this is {sys.platform} on {platform.machine()}"
        )
    path, base = _find_mapping()
    try:
        image = path.read_bytes()
    except OSError as error:
        raise UnfitCoreError(f"cannot read the core {path}: {error}") from error
    core = LoadedCore(path, base, read_symbols(image, names))
    for name, symbol in core.symbols.items():
        in_file = image[symbol.address : symbol.address + symbol.size]
        if symbol.is_function and in_file != core.code(name):
            raise UnfitCoreError(f"the core {path} has changed since it was loaded")
    return core


def read_symbols(image: bytes, names: Iterable[str]) -> dict[str, Symbol]:
    """
    Look symbols up in an ELF file.

    :param image: The whole file.
    :param names: The symbols that must be there, each of them once.
    :raises UnfitCoreError: Not a shared library for x86-64, or symbols are missing or ambiguous.
    """
    wanted = set(names)
    found: dict[str, Symbol] = {}
    try:
        for name, symbol in _iter_symbols(image):
            if name in wanted:
                if name in found:
                    raise UnfitCoreError(f"the core has several symbols {name}")
                found[name] = symbol
    except (struct.error, ValueError, IndexError) as error:
        raise UnfitCoreError(f"the core's symbol table cannot be read: {error}") from error
    if missing := sorted(wanted - found.keys()):
        raise UnfitCoreError(f"the core has no symbols {', '.join(missing)}: another build")
    return found


def _find_mapping() -> tuple[Path, int]:
    """Path and load address of the core, from the kernel's list of this process's mappings."""
    starts: dict[Path, int] = {}
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, _, offset, _, _, *path = line.split(maxsplit=5)
        if path and Path(path[0]).name == CORE_FILE and int(offset, 16) == 0:
            starts.setdefault(Path(path[0]), int(addresses.split("-")[0], 16))
    if len(starts) != 1:
        raise UnfitCoreError(f"expected one loaded {CORE_FILE}, found {len(starts)}")
    return next(iter(starts.items()))


def _iter_symbols(image: bytes) -> Iterable[tuple[str, Symbol]]:
    ident, kind, machine, *_, sections_at, _, _, _, _, size, count, _ = _FILE_HEADER.unpack_from(
        image
    )
    if ident[:6] != b"\x7fELF\x02\x01" or (kind, machine) != (_SHARED_OBJECT, _X86_64):
        raise UnfitCoreError("the core is not an ELF shared library for x86-64")
    sections = [_SECTION.unpack_from(image, sections_at + i * size) for i in range(count)]
    for section in sections:
        if section[1] != _SYMBOL_TABLE:
            continue
        names_at = sections[section[6]][4]
        table = image[section[4] : section[4] + section[5]]
        for name_at, info, _, section_index, address, n_bytes in _SYMBOL.iter_unpack(table):
            if section_index:
                start = names_at + name_at
                name = image[start : image.index(b"\0", start)].decode(errors="replace")
                yield name, Symbol(address, n_bytes, info & 0xF == _FUNCTION)
