"""
Input movies: the buttons of every frame of an episode, and what the console holds after the last.

The format is a text of our own that says what it is a movie of; who replays it sees the very same
episode on any machine, for the emulator is deterministic. stable-retro's ``.bk2`` is made from it.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from sonic_sb3.errors import BundleError
from sonic_sb3.games import BUTTONS
from sonic_sb3.rom_files import state_path

_MAGIC = "sonic_sb3 movie 1"
_MAX_FRAMES = 1_000_000  # four and a half hours
_SHA256 = r"[0-9a-f]{64}"
_FIELDS = {
    "game": r"[\w.-]{1,100}",
    "level": r"[\w.-]{1,100}",
    "rom_sha1": r"[0-9a-f]{40}",
    "n_frames": r"[1-9]\d{0,6}",
    "ram_sha256": _SHA256,
    "screen_sha256": _SHA256,
}
_RUN = re.compile(r"([1-9]\d{0,6}) (-|[A-Z]+(?:\+[A-Z]+)*)")
# The letters and the order of columns that stable-retro writes for a Mega Drive's first pad.
_BK2_LETTERS = dict(zip(BUTTONS, "BAMSUDLRCYXZ", strict=True))
_BK2_NAMES = {"MODE": "Mode", "START": "Start", "UP": "Up", "DOWN": "Down", "LEFT": "Left"}
_BK2_NAMES |= {"RIGHT": "Right"}


@dataclass(frozen=True)
class InputMovie:
    """
    An episode as it was played.

    :param game: The game.
    :param level: Where it began; as :meth:`Emulator.reset` leaves it, after one frame.
    :param rom_sha1: Of the ROM it was played on.
    :param inputs: (n_frames, 12) of 0 and 1, in the order of :data:`sonic_sb3.games.BUTTONS`.
    :param ram_sha256: Of the work RAM after the last frame.
    :param screen_sha256: Of the picture after the last frame, (height, width, 3) RGB.
    """

    game: str
    level: str
    rom_sha1: str
    inputs: npt.NDArray[np.uint8]
    ram_sha256: str
    screen_sha256: str

    def to_text(self) -> str:
        """A line per fact, then a line per run of frames with the same buttons held."""
        values = {
            "game": self.game,
            "level": self.level,
            "rom_sha1": self.rom_sha1,
            "n_frames": len(self.inputs),
            "ram_sha256": self.ram_sha256,
            "screen_sha256": self.screen_sha256,
        }
        lines = [_MAGIC, *(f"{key} {value}" for key, value in values.items()), "inputs"]
        for buttons, frames in groupby(self.inputs.tolist()):
            held = "+".join(n for n, b in zip(BUTTONS, buttons, strict=True) if b)
            lines.append(f"{len(list(frames))} {held or '-'}")
        return "\n".join(lines) + "\n"


def parse_movie(text: str, name: str) -> InputMovie:
    """
    Read what :meth:`InputMovie.to_text` wrote.

    :param text: The file's.
    :param name: Of the file, for messages.
    :raises BundleError: It is damaged or something else.
    """
    lines = text.splitlines()
    head, runs = lines[: len(_FIELDS) + 2], lines[len(_FIELDS) + 2 :]
    if not head or head[0] != _MAGIC or head[-1] != "inputs":
        raise BundleError(f"{name}: expected a movie that begins with {_MAGIC!r}")
    values = {}
    for line, (key, pattern) in zip(head[1:-1], _FIELDS.items(), strict=True):
        if not (match := re.fullmatch(rf"{key} ({pattern})", line)):
            raise BundleError(f"{name}: expected a line {key!r} with its value, got {line[:60]!a}")
        values[key] = match.group(1)
    n_frames = int(values["n_frames"])
    return InputMovie(
        values["game"],
        values["level"],
        values["rom_sha1"],
        _parse_runs(runs, n_frames, name),
        values["ram_sha256"],
        values["screen_sha256"],
    )


def make_bk2(movie: InputMovie) -> bytes:
    """
    The movie as stable-retro's own player reads it.

    :param movie: The movie.
    :returns: A zip, stored, with fixed times: the same movie gives the same bytes.
    """
    order = list(reversed(BUTTONS))
    heading = "|".join("P1 " + _BK2_NAMES.get(button, button) for button in order)
    columns = [BUTTONS.index(button) for button in order]
    letters = [_BK2_LETTERS[button] for button in order]
    # The first line is the frame without buttons that a reset runs.
    frames = [[0] * len(BUTTONS), *movie.inputs[:, columns].tolist()]
    rows = [
        "|..|" + "".join(c if b else "." for c, b in zip(letters, frame, strict=True)) + "|"
        for frame in frames
    ]
    header = (
        "MovieVersion Retro\nAuthor ?\nemuVersion ?\nPlatform GEN\n"
        f"GameName {movie.game}\nSHA1 ?\nCore ?\nrerecordCount 1\n"
    )
    start = gzip.decompress(state_path(movie.game, movie.level).read_bytes())
    entries = {
        "Core.bin": start,
        "Header.txt": header.encode(),
        "Input Log.txt": "\n".join(["[Input]", heading + "|", *rows, "[/Input]"]).encode(),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            archive.writestr(info, content)
    return buffer.getvalue()


def _parse_runs(lines: list[str], n_frames: int, name: str) -> npt.NDArray[np.uint8]:
    lengths, rows = [], []
    for line in lines:
        match = _RUN.fullmatch(line)
        held = match.group(2).split("+") if match else []
        if match is None or not (held == ["-"] or set(held) <= set(BUTTONS)):
            raise BundleError(f"{name}: expected a line such as '12 RIGHT+B', got {line[:60]!a}")
        lengths.append(int(match.group(1)))
        rows.append([button in held for button in BUTTONS])
    if sum(lengths) != n_frames or n_frames > _MAX_FRAMES:
        raise BundleError(
            f"{name}: says {n_frames:,} frames and holds {sum(lengths):,}; expected the same "
            f"number, at most {_MAX_FRAMES:,}"
        )
    return np.repeat(np.array(rows, dtype=np.uint8), lengths, axis=0)
