"""Where a game's integration files and ROM lie, and whether the ROM is the right one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sonic_sb3.errors import EmulatorError, RomError
from sonic_sb3.games import INTEGRATIONS_DIR, find_game

HOW_TO_IMPORT = (
    "import your own copy with `python -m stable_retro.import FOLDER_WITH_ROMS` "
    "(ROMs cannot be shipped; a legal copy is, for example, the one inside a purchased "
    "SEGA Mega Drive Classics collection)"
)


@dataclass(frozen=True)
class Variable:
    """
    One value in the console's work RAM.

    :param address: As in data.json, on the 68000's bus.
    :param type: Byte order and width, as in data.json: ``|u1``, ``>u2``, ``>i2``, ``>u4`` ...
    """

    address: int
    type: str


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
        game_id, "data.json", stable_retro.data.Integrations.STABLE
    )
    if not path:
        raise EmulatorError(
            f"stable-retro has no integration for {game_id}; expected one of version 1.0.1 or later"
        )
    return Path(path).parent


@cache
def find_rom(game_id: str) -> Path:
    """
    Find a game's ROM and check its sha1 against the integration's ``rom.sha``.

    :raises RomError: There is no ROM, or it is another one.
    """
    folder = integration_dir(game_id)
    rom = folder / "rom.md"
    if not rom.is_file():
        raise RomError(f"no ROM for {game_id}: expected {rom.name} in {folder}; {HOW_TO_IMPORT}")
    expected = (folder / "rom.sha").read_text().split()
    actual = rom_sha1(game_id)
    if actual not in expected:
        raise RomError(
            f"damaged or wrong ROM for {game_id}: expected sha1 {' or '.join(expected)}, "
            f"{rom} has {actual}; reinstall sonic_sb3 if the game is a free one, else import "
            "your ROM again"
        )
    return rom


def has_rom(game_id: str) -> bool:
    """Whether the game could be played here."""
    try:
        find_rom(game_id)
    except RomError:
        return False
    return True


def rom_sha1(game_id: str) -> str:
    """The sha1 of the ROM file as it lies on disk, in hex."""
    return hashlib.sha1((integration_dir(game_id) / "rom.md").read_bytes()).hexdigest()


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
