"""
Files that a stranger may have made: read only if they are files, and only up to a size.

A run folder from elsewhere can hold links to the reader's own files, devices without end and pipes
that never answer; an archive can be a thousand times larger inside than outside.
"""

from __future__ import annotations

import errno
import gzip
import io
import math
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from sonic_sb3.errors import RunFolderError

_MAX_FILES_IN_FOLDER = 100_000


class StrangeFileError(RunFolderError):
    """Something that is not the kind of file it should be, or too large a one."""


def read_file(path: Path, max_bytes: int, follows_links: bool = False) -> bytes:
    """
    Read a regular file.

    :param path: The file.
    :param max_bytes: More are refused.
    :param follows_links: Accept a link to a file, as of a path that the user wrote.
    :raises OSError: It cannot be read.
    :raises StrangeFileError: It is a link, a device, a pipe, a folder, or too large.
    """
    with open_plain_file(path, follows_links) as file:
        n_bytes = os.fstat(file.fileno()).st_size
        if n_bytes > max_bytes:
            raise StrangeFileError(
                f"{path}: expected at most {max_bytes:,} bytes, it has {n_bytes:,}"
            )
        return file.read(n_bytes)


def open_plain_file(path: Path, follows_links: bool = False) -> BinaryIO:
    """
    Open a regular file for reading.

    :param path: The file.
    :param follows_links: As for :func:`read_file`.
    :raises OSError: It cannot be opened.
    :raises StrangeFileError: It is a link, a device, a pipe or a folder.
    """
    # Without O_NONBLOCK a pipe would keep us waiting for somebody to write.
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follows_links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StrangeFileError(f"{path}: expected a file, it is a link") from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StrangeFileError(f"{path}: expected a file, it is something else")
    return os.fdopen(descriptor, "rb")


def check_folder(folder: Path) -> None:
    """
    Accept a folder that holds files and folders, and no link that leads out of it.

    :raises StrangeFileError: There is something else in it, or far too much.
    """
    root = folder.resolve()
    for number, path in enumerate(_walk(folder)):
        if number >= _MAX_FILES_IN_FOLDER:
            raise StrangeFileError(f"{folder}: expected at most {_MAX_FILES_IN_FOLDER:,} files")
        if path.is_symlink() and not _leads_into(path, root):
            raise StrangeFileError(
                f"{path} is a link that leads out of the run folder, or round in circles: expected "
                "a file; copy the file here if you trust it, or delete the link"
            )
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
            raise StrangeFileError(f"{path}: expected a file, it is a pipe, socket or device")


def unpack_gzip(content: bytes, max_bytes: int) -> bytes:
    """
    Unpack one gzip stream and no more than it may hold.

    :param content: The packed bytes.
    :param max_bytes: More are refused.
    :raises ValueError: It is damaged, cut off or too large.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            unpacked = file.read(max_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"expected gzip ({error})") from error
    if len(unpacked) > max_bytes:
        raise ValueError(f"expected at most {max_bytes:,} bytes inside")
    return unpacked


@contextmanager
def open_archive(
    content: bytes, max_bytes: int, max_entries: int = 64
) -> Iterator[zipfile.ZipFile]:
    """
    Open a zip that lies in memory, after a look at what it says of itself.

    :param content: The archive.
    :param max_bytes: As much may all of it be, unpacked.
    :param max_entries: As many entries may it have.
    :raises ValueError: It is damaged or too large, names stand twice or lead elsewhere.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > max_entries:
                raise ValueError(f"expected at most {max_entries} entries, it has {len(entries)}")
            if len({entry.filename.casefold() for entry in entries}) < len(entries):
                raise ValueError("a name stands twice in it")
            for entry in entries:
                _check_entry(entry)
            size = sum(entry.file_size for entry in entries)
            if size > max_bytes:
                raise ValueError(f"expected at most {max_bytes:,} bytes inside, it says {size:,}")
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise ValueError(f"expected a whole zip ({error})") from error


def read_entry(archive: zipfile.ZipFile, name: str, max_bytes: int) -> bytes:
    """
    Unpack one entry, however much larger than it says it is.

    :param archive: Of :func:`open_archive`.
    :param name: Its name.
    :param max_bytes: More are refused.
    :raises ValueError: There is no such entry, or it is too large.
    """
    try:
        with archive.open(name) as entry:
            content = entry.read(max_bytes + 1)
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"expected an entry {name!r} that can be unpacked ({error})") from error
    if len(content) > max_bytes:
        raise ValueError(f"{name}: expected at most {max_bytes:,} bytes inside")
    return content


def no_constant(name: str) -> Any:
    """For ``json.loads(parse_constant=...)``: refuses NaN and Infinity, which JSON has not."""
    raise ValueError(f"expected finite numbers, got {name}")


def finite_float(text: str) -> float:
    """For ``json.loads(parse_float=...)``: refuses numbers that are too large to be one."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"expected finite numbers, got {text[:40]}")
    return number


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or ":" in name or "\0" in name:
        raise ValueError(f"an entry's name leads elsewhere: {name[:80]!r}")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise ValueError(f"an entry is a link: {name[:80]!r}")


def _leads_into(link: Path, root: Path) -> bool:
    try:
        return link.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # before Python 3.13, of a link that leads back to itself
        return False


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, followlinks=False):
        for name in (*folders, *files):
            yield Path(parent) / name
