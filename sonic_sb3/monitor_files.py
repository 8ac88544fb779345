"""
Monitor files of training runs, plain or gzipped, read as far as they are whole.

Knows the file format only: rows of text, one per episode (see ``envs/episode_monitor.py``).
"""

from __future__ import annotations

import csv
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonic_sb3.errors import RunFolderError

# Of an episode that began in the middle of a level: its timesteps count, it does not.
RETRY_COLUMN = "is_retry"
_MAX_BYTES = 256_000_000
_CHUNK_BYTES = 65_536


@dataclass(frozen=True)
class MonitorRows:
    """
    The whole rows of a monitor file.

    :param path: The file.
    :param columns: Name of a column -> its values as text, in the order of the file.
    :param head: What its first line says, such as ``t_start``; empty where it has none.
    :param problems: What was left out and why, in words; empty where all was whole.
    """

    path: Path
    columns: dict[str, list[str]]
    head: dict[str, Any]
    problems: tuple[str, ...]


def find_monitor(folder: Path) -> Path | None:
    """The monitor file of a run folder, plain or gzipped; ``None`` where there is neither."""
    for name in ("0.monitor.csv", "0.monitor.csv.gz"):
        if (folder / name).is_file():
            return folder / name
    return None


def read_monitor_rows(path: Path) -> MonitorRows:
    """
    Read a monitor file up to its last whole row; rows that are not whole are left out and said.

    A row is whole when its line ends and it has as many fields as the head names.

    :param path: ``*.monitor.csv`` or ``*.monitor.csv.gz``.
    :raises RunFolderError: It cannot be read at all.
    """
    text, problems = _read_text(path)
    lines = text.split("\n")
    last = lines.pop()
    head = _read_head(lines.pop(0)) if lines and lines[0].startswith("#") else {}
    names = _split(lines[0]) if lines else []
    width = len(names)
    # Line by line: a quote that a crash left open must not swallow the rows after it.
    rows = [_split(line) for line in lines[1:]]
    whole = [row for row in rows if len(row) == width]
    if last.strip("\0\r "):
        problems.append("its last row is not whole and was left out")
    if n_broken := sum(1 for row in rows if row and len(row) != width):
        problems.append(f"{n_broken} rows are not whole and were left out")
    columns = {name: [row[k] for row in whole] for k, name in enumerate(names)}
    return MonitorRows(path, columns, head, tuple(problems))


def _split(line: str) -> list[str]:
    """The fields of a line; of one that is no CSV, such as a long run of zeros, itself alone."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return [line]


def _read_head(line: str) -> dict[str, Any]:
    try:
        head = json.loads(line.removeprefix("#"))
    except (ValueError, RecursionError):
        return {}
    return head if isinstance(head, dict) else {}


def _read_text(path: Path) -> tuple[str, list[str]]:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from error
    problems: list[str] = []
    if path.suffix == ".gz":
        content, is_whole = _unzip(content)
        problems += [] if is_whole else ["its compressed data end early or are damaged"]
    if len(content) > _MAX_BYTES:
        raise RunFolderError(f"{path}: expected at most {_MAX_BYTES:,} bytes of rows")
    return content.decode("utf-8", errors="replace").replace("\r\n", "\n"), problems


def _unzip(packed: bytes) -> tuple[bytes, bool]:
    """What can be unpacked, and whether that is all ; Python's gzip gives nothing of a cut file."""
    unpacker = zlib.decompressobj(wbits=31)
    content = b""
    try:
        for start in range(0, len(packed), _CHUNK_BYTES):
            part = packed[start : start + _CHUNK_BYTES]
            content += unpacker.decompress(part, _MAX_BYTES + 1 - len(content))
            if len(content) > _MAX_BYTES:
                break
    except zlib.error:
        return content, False
    return content, unpacker.eof
