"""Files that are either whole or not there: written under a temporary name, synced, renamed."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from sonic_sb3.errors import RunFolderError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """
    Give a temporary path beside the wanted one; rename it when all went well, delete it when not.

    :param path: The file to make or replace.
    :raises RunFolderError: The disk is full, or writing is not allowed; the old file is intact.
    """
    temporary = None
    try:
        descriptor, name = tempfile.mkstemp(
            prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent
        )
        os.close(descriptor)
        temporary = Path(name)
        yield temporary
        _sync(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise RunFolderError(
            f"cannot write {path}: {error.strerror or error}; what was there before is intact"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replace a text file, or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, data: Any) -> None:
    """Replace a JSON file, or nothing; NaN is refused, for JSON has none."""
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


def write_yaml(path: Path, data: Any) -> None:
    """Replace a YAML file of plain data, or nothing."""
    write_text(path, yaml.safe_dump(data, sort_keys=False))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
