"""
A bundle's files as bytes in memory: read from a zip or a folder that a stranger made, and written
so that the same files give the same bytes.

Nothing is unpacked to disk, so nothing can land outside of a folder; sizes are checked in the zip's
directory first, and no more than they say is unpacked.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from sonic_sb3.atomic_files import replacing
from sonic_sb3.bundles.limits import (
    MAX_ARCHIVE_BYTES,
    MAX_FILES,
    MAX_RATIO,
    RATIO_ALLOWANCE_BYTES,
    check_names,
    check_size,
    check_total,
)
from sonic_sb3.errors import BundleError
from sonic_sb3.strange_files import StrangeFileError, open_plain_file

SUFFIX = ".sonic.zip"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip's earliest time: the same whenever it is packed
_STORED_KINDS = (".mp4", ".png")  # compressed already
_DIRECTORY_END = struct.Struct("<4s4H2LH")
_MAX_DIRECTORY_BYTES = MAX_FILES * 400
_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
)


def read_files(path: Path) -> dict[str, bytes]:
    """
    Read all files of a bundle.

    :param path: A ``.sonic.zip`` or a folder.
    :returns: Contents by name, ``/`` between a name's parts.
    :raises BundleError: It cannot be read, or something in it may not be in a bundle.
    """
    try:
        files = _read_folder(path) if path.is_dir() else _read_zip(path)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from error
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror or error}") from error
    return files


def write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    """
    Replace a ``.sonic.zip``, or nothing. Sorted entries and fixed times: same files, same bytes.

    :param path: The archive.
    :param files: Contents by name.
    :raises RunFolderError: It cannot be written.
    """
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3  # Unix, wherever it is packed
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            stored = name.endswith(_STORED_KINDS)
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, files[name], compresslevel=9)


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """
    Write a bundle as a folder, which must not be there yet: all of it, or nothing.

    :param path: The folder to make.
    :param files: Contents by name.
    :raises BundleError: It is there already or cannot be written.
    """
    check_names(files)
    try:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as temporary:
            folder = Path(temporary) / "bundle"
            for name, content in files.items():
                file = folder / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            folder.rename(path)
    except OSError as error:
        raise BundleError(f"cannot make the folder {path}: {error.strerror}") from error


def _read_zip(path: Path) -> dict[str, bytes]:
    try:
        archive_file = open_plain_file(path, follows_links=True)
    except StrangeFileError as error:
        raise BundleError("expected a file, it is a pipe, socket or device") from error
    with archive_file as file:
        n_archive_bytes = os.fstat(file.fileno()).st_size
        _check_directory_end(file, n_archive_bytes)
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                _check_entries(entries, n_archive_bytes)
                return {entry.filename: _read_entry(archive, entry) for entry in entries}
        except _DAMAGES as error:
            reason = str(error) or type(error).__name__
            raise BundleError(
                f"expected a zip as `share pack` makes it, this one is damaged ({reason})"
            ) from error


def _check_directory_end(file: BinaryIO, n_archive_bytes: int) -> None:
    """Bound the directory before zipfile reads it whole into memory."""
    if n_archive_bytes > MAX_ARCHIVE_BYTES:
        raise BundleError(f"expected at most {MAX_ARCHIVE_BYTES:,} bytes, got {n_archive_bytes:,}")
    if n_archive_bytes < _DIRECTORY_END.size:
        raise BundleError("expected a zip, it is too short for one")
    file.seek(-_DIRECTORY_END.size, os.SEEK_END)
    end = _DIRECTORY_END.unpack(file.read(_DIRECTORY_END.size))
    magic, _, _, n_here, n_entries, n_directory_bytes, directory_start, n_comment_bytes = end
    if magic != b"PK\x05\x06" or n_comment_bytes or n_here != n_entries:
        raise BundleError("expected a zip in one piece, with nothing after its directory")
    if n_entries > MAX_FILES or n_directory_bytes > _MAX_DIRECTORY_BYTES:
        raise BundleError(f"expected at most {MAX_FILES} entries, its directory has {n_entries}")
    # Also refuses zip64, whose second directory end would lie in between, and anything in front.
    if directory_start + n_directory_bytes + _DIRECTORY_END.size != n_archive_bytes:
        raise BundleError("expected a zip in one piece, with nothing around it")
    file.seek(0)


def _check_entries(entries: list[zipfile.ZipInfo], n_archive_bytes: int) -> None:
    check_names(entry.orig_filename for entry in entries)
    end_of_last = 0
    for entry in sorted(entries, key=lambda e: e.header_offset):
        _check_entry(entry)
        if entry.header_offset < end_of_last:
            raise BundleError(
                f"entry {entry.filename!r}: lies within another one, expected entries apart"
            )
        end_of_last = entry.header_offset + entry.compress_size
    total = sum(entry.file_size for entry in entries)
    check_total(total)
    if total > MAX_RATIO * n_archive_bytes + RATIO_ALLOWANCE_BYTES:
        raise BundleError(
            f"{n_archive_bytes:,} bytes would grow to {total:,}: a zip bomb, no bundle"
        )


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    if name != entry.orig_filename:
        raise BundleError(f"entry {entry.orig_filename[:80]!r}: its name is spelt in two ways")
    mode = entry.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise BundleError(f"entry {name!r}: expected a plain file, no link or device")
    if entry.flag_bits & 0x1:
        raise BundleError(f"entry {name!r}: encrypted; expected one that can be read")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BundleError(f"entry {name!r}: expected it stored or deflated")
    if entry.compress_type == zipfile.ZIP_STORED and entry.compress_size != entry.file_size:
        raise BundleError(f"entry {name!r}: lies about its size")
    check_size(name, entry.file_size)


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with archive.open(entry) as file:
        content = file.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise BundleError(f"entry {entry.filename!r}: lies about its size")
    return content


def _read_folder(path: Path) -> dict[str, bytes]:
    sizes = dict(_list_folder(path, ""))
    check_names(sizes)
    for name, n_bytes in sizes.items():
        check_size(name, n_bytes)
    check_total(sum(sizes.values()))
    return {name: _read_plain_file(path / name, name) for name in sizes}


def _list_folder(path: Path, prefix: str) -> Iterator[tuple[str, int]]:
    with os.scandir(path) as entries:
        for n_seen, entry in enumerate(entries):
            name = prefix + entry.name
            if n_seen > MAX_FILES or name.count("/") > 6:
                raise BundleError(f"expected at most {MAX_FILES} entries, and few folders deep")
            if entry.is_dir(follow_symlinks=False):
                yield from _list_folder(path / entry.name, name + "/")
            elif entry.is_file(follow_symlinks=False):
                yield name, entry.stat(follow_symlinks=False).st_size
            else:
                raise BundleError(f"entry {name!r}: expected a plain file, no link or device")


def _read_plain_file(path: Path, name: str) -> bytes:
    try:
        plain_file = open_plain_file(path)
    except StrangeFileError as error:
        raise BundleError(f"entry {name!r}: expected a plain file, no link or device") from error
    with plain_file as file:
        n_bytes = os.fstat(file.fileno()).st_size
        check_size(name, n_bytes)
        return file.read(n_bytes)
