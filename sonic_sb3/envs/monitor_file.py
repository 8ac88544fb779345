"""SB3's monitor file, row by row: what a run's learning curve is drawn from."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sonic_sb3.atomic_files import AppendedFile


class MonitorFile:
    """
    Writes what SB3's ``ResultsWriter`` writes; a full disk neither loses nor tears a row for good.

    :param path: The file to make, or to go on with.
    :param header: Of its first line.
    :param columns: Their names.
    :param appends: Go on with the file that is there.
    :raises CannotWriteError: It cannot be written.
    """

    def __init__(
        self, path: Path, header: Mapping[str, Any], columns: Sequence[str], appends: bool
    ) -> None:
        self._columns = columns
        self._file = AppendedFile(path, begins_anew=not appends)
        if not appends:
            self._file.append(f"#{json.dumps(dict(header))}\n".encode())
            self._write(dict(zip(columns, columns, strict=True)))

    def write_row(self, row: Mapping[str, Any]) -> None:
        """Append an episode. :raises CannotWriteError: The disk is full."""
        self._write(row)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, row: Mapping[str, Any]) -> None:
        text = io.StringIO(newline="")
        csv.DictWriter(text, self._columns).writerow(row)
        self._file.append(text.getvalue().encode())
