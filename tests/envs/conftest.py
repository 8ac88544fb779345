"""A stand-in for games whose ROM may not be shipped: see ``stand_in/stand_in.s``."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stable_retro
from stable_retro.data import Integrations

from sonic_sb3 import rom_files
from sonic_sb3.envs import emulator
from sonic_sb3.rom_files import integration_dir

Frames = list[dict[str, int]]
PROGRAM = Path(__file__).parent / "stand_in" / "stand_in.bin"
TABLE_ADDRESS = 0x1000
GO_ADDRESS = 0xFF0010
ROM_SIZE = 1 << 20


def encode_value(value: int, kind: str) -> bytes:
    """A value as data.json's types have it: ``|u1``, ``>i2``, ``>u4``, ``>d4`` (decimal digits)."""
    n_bytes = int(kind[2])
    assert kind[0] in "|>", "the 68000 is big-endian"
    if kind[1] == "d":
        return bytes.fromhex(f"{value:0{2 * n_bytes}d}")
    return value.to_bytes(n_bytes, "big", signed=kind[1] == "i")


def make_rom(data: dict[str, Any], frames: Frames) -> bytes:
    """The program and its table: per frame, the variables that differ from the frame before."""
    table = bytearray()
    known: dict[str, int] = {}
    for frame in frames:
        writes = b""
        for name, value in frame.items():
            if known.get(name) == value:
                continue
            known[name] = value
            entry = data[name]
            for offset, byte in enumerate(encode_value(value, entry["type"])):
                writes += (entry["address"] + offset).to_bytes(4, "big") + bytes([0, byte])
        table += (len(writes) // 6).to_bytes(2, "big") + writes
    table += b"\xff\xff"
    assert TABLE_ADDRESS + len(table) <= ROM_SIZE
    return PROGRAM.read_bytes().ljust(TABLE_ADDRESS, b"\0") + table.ljust(
        ROM_SIZE - TABLE_ADDRESS, b"\0"
    )


def make_state(rom: Path) -> bytes:
    """A save state in which the table begins with the next frame."""
    machine = stable_retro.RetroEmulator(str(rom))
    data = stable_retro.data.GameData()
    machine.configure_data(data)
    for _ in range(20):
        machine.step()
    data.memory.assign(GO_ADDRESS, "|u1", 1)
    state = machine.get_state()
    del machine, data
    return gzip.compress(state)


def clear_caches() -> None:
    rom_files.find_rom.cache_clear()
    rom_files.load_variables.cache_clear()
    emulator.proofs.clear()


PutGame = Callable[[str, str, Frames], Path]


@pytest.fixture
def put_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PutGame]:
    """
    ``put(game_id, level, frames)``: from now on that game has a ROM that plays these frames, with
    the data and scenario files that stable-retro ships for it. Frame 0 is what a reset shows.
    """
    n_put = 0

    def put(game_id: str, level: str, frames: Frames) -> Path:
        nonlocal n_put
        emulator._console.eject()
        clear_caches()
        monkeypatch.setattr(rom_files, "integration_dir", integration_dir)
        shipped = integration_dir(game_id)
        root = tmp_path / f"stand_in_{n_put}"
        n_put += 1
        folder = root / game_id
        folder.mkdir(parents=True)
        for name in ("data.json", "scenario.json", "contest.json", "script.lua"):
            if (shipped / name).is_file():
                shutil.copy(shipped / name, folder)
        (folder / "metadata.json").write_text(json.dumps({"default_state": level}))
        data = json.loads((folder / "data.json").read_text())["info"]
        rom = folder / "rom.md"
        rom.write_bytes(make_rom(data, frames))
        (folder / "rom.sha").write_text(hashlib.sha1(rom.read_bytes()).hexdigest())
        (folder / f"{level}.state").write_bytes(make_state(rom))
        monkeypatch.setattr(rom_files, "integration_dir", lambda _: folder)
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "no_roms"))
        Integrations.clear_custom_paths()
        Integrations.add_custom_path(str(root))
        return folder

    yield put
    emulator._console.eject()
    Integrations.clear_custom_paths()
    clear_caches()
