"""
Files that are either whole or not there: written under a temporary name, synced, renamed; and files
that grow by whole records.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from sonic_sb3.full_disk import cannot_write, write_patiently

_PART = ".part"  # in the names of files that are being written


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """
    Give a temporary path beside the wanted one; rename it when all went well, delete it when not.

    :param path: The file to make or replace.
    :raises CannotWriteError: The disk is full, or writing is not allowed; the old file is intact.
    """
    try:
        with renaming(path) as temporary:
            yield temporary
    except OSError as error:
        raise cannot_write(path, error) from error


@contextmanager
def renaming(path: Path) -> Iterator[Path]:
    """As :func:`replacing`, but an OSError stays one."""
    temporary = None
    try:
        descriptor, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=_PART + path.suffix, dir=path.parent
        )
        os.close(descriptor)
        temporary = Path(name)
        yield temporary
        sync_file(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
        sync_file(path.parent)
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def write_bytes(path: Path, *parts: bytes | memoryview) -> None:
    """
    Replace a file, or nothing; waits for room where :func:`on_full_disk` says so.

    :param path: The file.
    :param parts: Its contents, one after the other.
    :raises CannotWriteError: It cannot be written; the old file is intact.
    """

    def write() -> None:
        with renaming(path) as temporary, temporary.open("wb") as file:
            file.writelines(parts)

    write_patiently(path, write)


def write_text(path: Path, text: str) -> None:
    """Replace a text file, or nothing."""
    write_bytes(path, text.encode())


def write_json(path: Path, data: Any) -> None:
    """Replace a JSON file, or nothing; NaN is refused, for JSON has none."""
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


def write_yaml(path: Path, data: Any) -> None:
    """Replace a YAML file of plain data, or nothing."""
    write_text(path, yaml.safe_dump(data, sort_keys=False))


def is_unfinished(path: Path) -> bool:
    """Whether a file is one that a killed process was writing."""
    return path.match(f".*{_PART}*")


def remove_unfinished(folder: Path) -> None:
    """
    Delete what a killed process was writing.

    :param folder: In which nobody writes now, with its subfolders.
    """
    for path in folder.rglob(f".*{_PART}*"):
        with suppress(OSError):
            path.unlink()


class AppendedFile:
    """
    A file that grows by whole records, each handed to the system at once.

    Where a record does not fit any more its beginning may stay behind; waiting for room, the rest
    follows.

    :param path: The file; its folder must be there. A link is not followed.
    :param begins_anew: Empty it first.
    :raises CannotWriteError: It cannot be written.
    """

    def __init__(self, path: Path, begins_anew: bool) -> None:
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        if begins_anew:
            flags |= os.O_TRUNC
        self._descriptor = write_patiently(path, lambda: os.open(path, flags, 0o644))
        self._is_open = True

    def append(self, record: bytes) -> None:
        """Add a record. :raises CannotWriteError: It cannot be written, or not the whole of it."""
        rest = memoryview(record)

        def write() -> None:
            nonlocal rest
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

        write_patiently(self.path, write)

    def close(self) -> None:
        """Close it; what was appended is already written."""
        if self._is_open:
            self._is_open = False
            os.close(self._descriptor)


def sync_file(path: Path) -> None:
    """Wait until what was written to a file, or done in a folder, outlives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
