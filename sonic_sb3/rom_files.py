"""
Where a game's integration files and ROM lie, and whether the ROM is the right one.

A ROM lies in the game's integration folder, as stable-retro's own import leaves it, or in a folder
of the user's, where ours puts it: the package and stable-retro may be installed read-only.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sonic_sb3.errors import EmulatorError, RomError
from sonic_sb3.games import INTEGRATIONS_DIR, find_game

HOW_TO_IMPORT = (
    "import your own copy with `python -m sonic_sb3.roms import PATH` (ROMs cannot be shipped; "
    "`python -m sonic_sb3.roms list` tells where a legal copy can be had)"
)
ROM_NAME = "rom.md"


@dataclass(frozen=True)
class Variable:
    """
    One value in the console's work RAM.

    :param address: As in data.json, on the 68000's bus.
    :param type: Byte order and width, as in data.json: ``|u1``, ``>u2``, ``>i2``, ``>u4`` ...
    """

    address: int
    type: str


@dataclass(frozen=True)
class RomFile:
    """
    A file that lies where a game's ROM is looked for.

    :param path: Where.
    :param sha1: Of its contents, in hex.
    :param is_expected: These are the contents that the game's integration was made for.
    """

    path: Path
    sha1: str
    is_expected: bool


def integration_dir(game_id: str) -> Path:
    """
    The folder with data.json, save states and (if present) the ROM of a game.

    :raises EmulatorError: Neither this package nor stable-retro has the integration.
    """
    find_game(game_id)
    ours = INTEGRATIONS_DIR / game_id
    if (ours / "data.json").is_file():
        return ours
    import stable_retro.data

    path = stable_retro.data.get_file_path(
        game_id,
        "data.json",
        stable_retro.data.Integrations.CONTRIB,  # that is, stable as well
    )
    if not path:
        raise EmulatorError(
            f"stable-retro has no integration for {game_id}; expected one of version 1.0.1 or later"
        )
    return Path(path).parent


def roms_dir() -> Path:
    """
    The user's folder of imported ROMs, as the XDG base directory specification places it.

    :raises RomError: The user has no home.
    """
    data_home = os.environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(data_home):
        return Path(data_home) / "sonic_sb3" / "roms"
    try:
        return Path.home() / ".local" / "share" / "sonic_sb3" / "roms"
    except RuntimeError as error:
        raise RomError(
            f"no folder for ROMs ({error}): set XDG_DATA_HOME to a folder of yours"
        ) from error


def imported_rom_path(game_id: str) -> Path:
    """Where an imported ROM of a game is put."""
    return roms_dir() / find_game(game_id).id / ROM_NAME


def expected_sha1s(game_id: str) -> tuple[str, ...]:
    """The sha1 of each ROM that a game's integration was made for, in hex."""
    path = integration_dir(game_id) / "rom.sha"
    try:
        return tuple(path.read_text().lower().split())
    except (OSError, UnicodeDecodeError) as error:
        raise EmulatorError(f"cannot read {path}: expected the sha1 of the game's ROM") from error


def rom_files(game_id: str) -> list[RomFile]:
    """
    All files that lie where this game's ROM is looked for, the first place first.

    :raises RomError: One of them cannot be read.
    """
    expected = expected_sha1s(game_id)
    files = []
    for path in (imported_rom_path(game_id), integration_dir(game_id) / ROM_NAME):
        if path.is_file():
            sha1 = _sha1(path)
            files.append(RomFile(path, sha1, sha1 in expected))
    return files


@cache
def find_rom(game_id: str) -> Path:
    """
    Find a game's ROM and check its sha1 against the integration's ``rom.sha``.

    :raises RomError: There is no ROM, or it is another one.
    """
    files = rom_files(game_id)
    for file in files:
        if file.is_expected:
            return file.path
    what_to_do = _what_to_do(game_id)
    if not files:
        raise RomError(f"no ROM for {game_id}: {what_to_do}")
    raise RomError(
        f"damaged or wrong ROM for {game_id}: expected sha1 "
        f"{' or '.join(expected_sha1s(game_id))}, {files[0].path} has {files[0].sha1}; {what_to_do}"
    )


def has_rom(game_id: str) -> bool:
    """Whether the game could be played here."""
    try:
        find_rom(game_id)
    except RomError:
        return False
    return True


def rom_sha1(game_id: str) -> str:
    """
    The sha1 of the ROM file as it lies on disk, in hex.

    :raises RomError: As :func:`find_rom`.
    """
    return _sha1(find_rom(game_id))


def _sha1(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha1").hexdigest()
    except OSError as error:
        raise RomError(f"cannot read {path}: {error.strerror}") from error


def _what_to_do(game_id: str) -> str:
    game = find_game(game_id)
    if game.is_bundled:
        return f"it {game.legal_source}: install that again"
    if game.patched_from is not None:
        return f"make it with `python -m sonic_sb3.roms patch` from the ROM of {game.patched_from}"
    return HOW_TO_IMPORT


@cache
def load_variables(game_id: str) -> dict[str, Variable]:
    """The RAM variables that the game's data.json names."""
    text = (integration_dir(game_id) / "data.json").read_text()
    return {
        name: Variable(entry["address"], entry["type"])
        for name, entry in json.loads(text)["info"].items()
    }


def state_path(game_id: str, level: str) -> Path:
    """
    The save state a level starts from.

    :raises EmulatorError: The integration lacks it.
    """
    path = integration_dir(game_id) / f"{level}.state"
    if not path.is_file():
        raise EmulatorError(f"no save state for level {level}: expected {path}")
    return path
