"""
The user's own ROMs: recognised by their contents, put where :func:`sonic_sb3.rom_files.find_rom`
looks, and patched into the contest's custom levels.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sonic_sb3.atomic_files import replacing
from sonic_sb3.errors import RomError, RunFolderError, SonicError
from sonic_sb3.game_facts import Game
from sonic_sb3.games import catalogue, find_game
from sonic_sb3.rom_files import (
    expected_sha1s,
    find_rom,
    has_rom,
    imported_rom_path,
    integration_dir,
    rom_files,
    roms_dir,
)
from sonic_sb3.rom_formats import (
    MAX_ROM_BYTES,
    SMD_MAGIC,
    Reading,
    RomHeader,
    read_header,
    readings,
)
from sonic_sb3.rom_sources import SourceFile, printable, read_sources
from sonic_sb3.xdelta import apply_patch

_LEFTOVER_AGE_S = 600  # no import takes that long to write one ROM


@dataclass(frozen=True)
class Verdict:
    """
    What a file was, and what became of it.

    :param source: The file.
    :param game_id: The game whose ROM it is; ``None`` where it is none of the catalogue's.
    :param message: The rest, for people.
    """

    source: str
    game_id: str | None
    message: str


def import_roms(paths: Sequence[Path]) -> Iterator[Verdict]:
    """
    Import every ROM of the catalogue that is found, whatever its file is called.

    :param paths: Files, folders and zips.
    :returns: A verdict for each file, as soon as it is known.
    :raises RomError: A path does not exist; then nothing is imported.
    :raises RunFolderError: A ROM cannot be written.
    """
    for path in paths:
        if not path.exists():
            raise RomError(f"no such file or folder: {printable(path)}; nothing was imported")
    _remove_leftovers()
    games = _games_by_sha1()
    for path in paths:
        for source in read_sources(path):
            yield _judge(source, games)


def patch_rom(game_id: str) -> Path:
    """
    Make the ROM of the contest's custom levels from the user's ROM of the original.

    :param game_id: A game with ``patched_from``.
    :returns: Where it was put.
    :raises RomError: The original is missing, or the patch is damaged or not for it.
    :raises RunFolderError: The ROM cannot be written.
    """
    original = find_game(game_id).patched_from
    if original is None:
        patched = ", ".join(game.id for game in patched_games())
        raise RomError(f"{game_id} is not made by a patch; expected one of {patched}")
    if not has_rom(original):
        raise RomError(
            f"needs the ROM of {original}, which is missing or damaged: "
            "`python -m sonic_sb3.roms import PATH` it first"
        )
    try:
        patch = (integration_dir(game_id) / "rom.delta").read_bytes()
        source = find_rom(original).read_bytes()
    except OSError as error:
        raise RomError(f"cannot read {error.filename}: {error.strerror}") from error
    try:
        rom = apply_patch(patch, source, MAX_ROM_BYTES)
    except RomError as error:
        source_sha1 = hashlib.sha1(source).hexdigest()
        raise RomError(
            f"cannot patch the ROM of {original}, sha1 {source_sha1}: {error}"
        ) from error
    sha1, expected = hashlib.sha1(rom).hexdigest(), expected_sha1s(game_id)
    if sha1 not in expected:
        raise RomError(
            f"the patched ROM of {original} has sha1 {sha1}, expected {' or '.join(expected)}: "
            "the patch is for another release of the game; nothing was written"
        )
    return store_rom(game_id, rom)


def patched_games() -> list[Game]:
    """The games whose ROMs are made by patches."""
    return [game for game in catalogue().values() if game.patched_from is not None]


def store_rom(game_id: str, rom: bytes) -> Path:
    """
    Write a game's ROM into the user's folder, or nothing.

    :param rom: Known to be that game's.
    :raises RunFolderError: It cannot be written.
    """
    path = imported_rom_path(game_id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(rom)
    except OSError as error:
        raise RunFolderError(f"cannot write {path}: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            path.parent.rmdir()  # which works only when nothing was written
    return path


def _remove_leftovers() -> None:
    """Of an import that was killed so hard that it could not clean up itself."""
    for path in roms_dir().glob("*/.rom.*.md"):
        with contextlib.suppress(OSError):  # whatever it is, it does not stand in the way
            if time.time() - path.stat().st_mtime > _LEFTOVER_AGE_S:
                path.unlink()


def _games_by_sha1() -> dict[str, str]:
    """The sha1 of each ROM that can be imported, and its game."""
    games: dict[str, str] = {}
    for game_id in catalogue():
        with contextlib.suppress(SonicError):  # stable-retro may lack a game that we know
            games |= dict.fromkeys(expected_sha1s(game_id), game_id)
    return games


def _judge(source: SourceFile, games: dict[str, str]) -> Verdict:
    if source.data is None:
        return Verdict(source.name, None, source.problem)
    for reading in readings(source.data):
        sha1 = hashlib.sha1(reading.data).hexdigest()
        if sha1 in games:
            message = _take(games[sha1], sha1, reading)
            return Verdict(source.name, games[sha1], message)
    return Verdict(source.name, None, _explain(source.data))


def _take(game_id: str, sha1: str, reading: Reading) -> str:
    """Import a ROM, unless it is here already."""
    title = find_game(game_id).title
    for file in rom_files(game_id):
        if file.sha1 == sha1:
            return f"{title}, already here: {file.path}"
    path = store_rom(game_id, reading.data)
    note = f" ({reading.note})" if reading.note else ""
    return f"{title}{note}, imported: {path}"


def _explain(data: bytes) -> str:
    """Why a file is no ROM of the catalogue."""
    for reading in readings(data):
        header = read_header(reading.data)
        if header is not None:
            return _explain_rom(header, reading.data)
    if data[8:10] == SMD_MAGIC:
        return f"truncated: an .smd copier's file of {len(data):,} bytes, not of whole blocks"
    return f"unknown: no Genesis ROM, or a damaged one (sha1 {hashlib.sha1(data).hexdigest()})"


def _explain_rom(header: RomHeader, rom: bytes) -> str:
    name = f"{header.title!r}, region {header.regions or 'unknown'}"
    if len(rom) < header.n_bytes:
        return f"truncated: {name}, {len(rom):,} bytes, its header says {header.n_bytes:,}"
    for game in catalogue().values():
        if header.title.upper() in game.header_titles:
            expected = " or ".join(expected_sha1s(game.id))
            return (
                f"wrong region, revision or dump of {game.title}: {name}, {len(rom):,} bytes, "
                f"sha1 {hashlib.sha1(rom).hexdigest()}; expected sha1 {expected}"
            )
    return f"unknown: {name}, is no game of the catalogue"
