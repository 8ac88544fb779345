"""
The files that a user hands over for import: single ones, folders of them, zips.

All of it is a stranger's data: sizes are checked before anything is unpacked, names are only shown,
and links are not followed.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from sonic_sb3.rom_formats import COPIER_HEADER_BYTES, MAX_ROM_BYTES

MAX_FILE_BYTES = MAX_ROM_BYTES + COPIER_HEADER_BYTES
MAX_UNPACKED_BYTES = 2 * 2**30
MAX_DIRECTORY_BYTES = 4 * 2**20
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_OTHER_ARCHIVES = {b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!": "rar", b"\x1f\x8b": "gzip"}
_ZIP_END = struct.Struct("<4s4H2LH")
_ZIP64_LOCATOR_BYTES = 20
_MAX_COMMENT_BYTES = 2**16
_ENCRYPTED = 1
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    IndexError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True)
class SourceFile:
    """
    One file that was found.

    :param name: What to call it, all of it printable; for an entry of a zip ``ZIP: ENTRY``.
    :param data: Its contents, or ``None`` where they were not read.
    :param problem: Why they were not.
    """

    name: str
    data: bytes | None
    problem: str = ""


def read_sources(path: Path) -> Iterator[SourceFile]:
    """
    Find and read files, one at a time.

    :param path: A file, a zip, or a folder, which is searched with all folders below it.
    """
    if path.is_dir():
        yield from _read_folder(path)
    else:
        yield from _read_file(path)


def printable(name: str | Path) -> str:
    """A name from a stranger's disk or zip, without what would move the cursor or forge a line."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(name))


def _read_folder(root: Path) -> Iterator[SourceFile]:
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            yield _unread(folder, f"unreadable folder ({error.strerror})")
            continue
        inner = []
        for entry in entries:
            if entry.is_symlink():
                yield _unread(entry.path, "a link, not followed: name what it leads to")
            elif entry.is_dir(follow_symlinks=False):
                inner.append(Path(entry.path))
            else:
                yield from _read_file(Path(entry.path))
        folders += reversed(inner)


def _read_file(path: Path) -> Iterator[SourceFile]:
    try:
        # Opening a pipe that nobody writes to would wait for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                yield _unread(path, "neither a file nor a folder")
                return
            start = file.read(8)
            file.seek(0)
            if start.startswith(_ZIP_MAGIC) or path.suffix.lower() == ".zip":
                yield from _read_zip(file, printable(path), status.st_size)
                return
            problem = _other_archive(start) or _too_large(status.st_size)
            if problem:
                yield _unread(path, problem)
            else:
                yield SourceFile(printable(path), file.read(MAX_FILE_BYTES))
    except OSError as error:
        yield _unread(path, f"unreadable file ({error.strerror})")


def _unread(path: str | Path, problem: str) -> SourceFile:
    return SourceFile(printable(path), None, problem)


def _other_archive(start: bytes) -> str:
    for magic, kind in _OTHER_ARCHIVES.items():
        if start.startswith(magic):
            return f"a {kind} archive: unpack it first, only zips are read here"
    return ""


def _too_large(n_bytes: int) -> str:
    if n_bytes <= MAX_FILE_BYTES:
        return ""
    return f"no Genesis ROM: {n_bytes:,} bytes, expected at most {MAX_ROM_BYTES:,}"


def _read_zip(file: IO[bytes], name: str, n_bytes: int) -> Iterator[SourceFile]:
    try:
        problem = _directory_problem(file, n_bytes)
        if problem:
            yield SourceFile(name, None, problem)
            return
        with zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            problem = _bomb_problem(entries, n_bytes)
            if problem:
                yield SourceFile(name, None, problem)
                return
            for entry in entries:
                yield _read_entry(archive, entry, f"{name}: {printable(entry.filename)}")
    except _ZIP_ERRORS as error:
        yield SourceFile(name, None, f"damaged or truncated zip ({printable(str(error))})")


def _directory_problem(file: IO[bytes], n_bytes: int) -> str:
    """What is wrong with a zip's table of contents, before Python makes objects of all of it."""
    tail_bytes = min(n_bytes, _ZIP_END.size + _MAX_COMMENT_BYTES + _ZIP64_LOCATOR_BYTES)
    file.seek(n_bytes - tail_bytes)
    tail = file.read(tail_bytes)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) - end < _ZIP_END.size:
        return "damaged or truncated zip (its end is missing)"
    directory_bytes = _ZIP_END.unpack_from(tail, end)[5]
    if b"PK\x06\x07" in tail[max(0, end - _ZIP64_LOCATOR_BYTES) : end]:
        return "refused: a zip64 archive, expected a zip of less than 4 GiB"
    if directory_bytes > MAX_DIRECTORY_BYTES:
        return f"refused: a zip with {directory_bytes:,} bytes of names; unpack it first"
    return ""


def _bomb_problem(entries: list[zipfile.ZipInfo], n_bytes: int) -> str:
    if sum(entry.compress_size for entry in entries) > n_bytes:
        return "refused: a zip bomb, its entries overlap"
    unpacked_bytes = sum(entry.file_size for entry in entries)
    if unpacked_bytes > MAX_UNPACKED_BYTES:
        return (
            f"refused: would unpack to {unpacked_bytes:,} bytes, expected at most "
            f"{MAX_UNPACKED_BYTES:,}; a zip bomb, or unpack it first"
        )
    return ""


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> SourceFile:
    problem = _entry_problem(entry)
    if problem:
        return SourceFile(name, None, problem)
    try:
        with archive.open(entry) as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except _ZIP_ERRORS as error:
        return SourceFile(name, None, f"damaged zip entry ({printable(str(error))})")
    # The size that the zip declares need not be the one that comes out.
    problem = _too_large(len(data)) or _other_archive(data)
    if data.startswith(_ZIP_MAGIC):
        problem = "a zip inside of a zip: unpack it first"
    return SourceFile(name, None if problem else data, problem)


def _entry_problem(entry: zipfile.ZipInfo) -> str:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", entry.filename):
        return "refused: its name leads out of the zip"
    if entry.flag_bits & _ENCRYPTED:
        return "encrypted: unpack it with its password first"
    if path.suffix.lower() == ".zip":
        return "a zip inside of a zip: unpack it first"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "packed by a method that is not read here: unpack it first"
    return _too_large(entry.file_size)
