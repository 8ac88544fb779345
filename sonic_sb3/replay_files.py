"""
A replay buffer on disk, in pieces: each snapshot writes only what was added since the last one.
"""

from __future__ import annotations

import re
from pathlib import Path

from sonic_sb3.errors import RunFolderError
from sonic_sb3.full_disk import write_patiently
from sonic_sb3.plain_data import load_data, save_data
from sonic_sb3.policies.replay_buffer import FrameReplayBuffer

# Of a piece, so that writing it needs little memory.
_MAX_ROWS = 1024
_NAME = re.compile(r"(\d+)_(\d+)\.data")


class ReplayFiles:
    """
    The files ``replay/FIRST_LAST.data`` of a run; together they hold at least the whole buffer.

    :param folder: Where they lie; it is made when needed.
    :param buffer: The run's buffer.
    """

    def __init__(self, folder: Path, buffer: FrameReplayBuffer) -> None:
        self._folder = folder
        self._buffer = buffer
        self._pieces: list[tuple[int, int]] = []

    @property
    def n_saved(self) -> int:
        """Timesteps per env that are on disk."""
        return self._pieces[-1][1] if self._pieces else 0

    @property
    def is_due(self) -> bool:
        """Whether rows that are not on disk yet are soon to be overwritten."""
        return self._buffer.n_added - self.n_saved >= self._buffer.buffer_size // 2

    def save(self, n_added: int) -> list[list[int]]:
        """
        Write what is new.

        :param n_added: Up to which timestep.
        :returns: All pieces that belong to the buffer of that moment, to be kept in the snapshot.
        :raises RunFolderError: The disk is full, or writing is not allowed.
        """
        write_patiently(self._folder, lambda: self._folder.mkdir(exist_ok=True))
        while self.n_saved < n_added:
            piece = (self.n_saved, min(n_added, self.n_saved + _MAX_ROWS))
            save_data(self._path(*piece), self._buffer.read_rows(*piece))
            self._pieces.append(piece)
        oldest = n_added - self._buffer.buffer_size - self._buffer.n_stack
        self._pieces = [piece for piece in self._pieces if piece[1] > oldest]
        return [list(piece) for piece in self._pieces]

    def load(self, pieces: list[list[int]], n_added: int) -> None:
        """
        Fill the buffer's rows again.

        :param pieces: As :meth:`save` returned them.
        :param n_added: Up to which timestep.
        :raises RunFolderError: A piece is missing or damaged.
        """
        for first, last in pieces:
            rows = load_data(self._path(first, last))
            if len(rows["frames"]) != last - first:
                raise RunFolderError(
                    f"{self._path(first, last)}: expected {last - first} timesteps"
                )
            self._buffer.write_rows(first, rows, n_added)
        self._pieces = [(first, last) for first, last in pieces]

    def remove_others(self) -> None:
        """Delete pieces that no snapshot on disk refers to any more."""
        known = {self._path(*piece).name for piece in self._pieces}
        for path in self._folder.glob("*.data"):
            if _NAME.fullmatch(path.name) and path.name not in known:
                path.unlink(missing_ok=True)

    def _path(self, first: int, last: int) -> Path:
        return self._folder / f"{first}_{last}.data"
