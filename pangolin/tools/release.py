"""Builds what the package ships: the ROM of all acts, save states, maps, integration files.

``python -m pangolin.tools.release`` writes the integration folder; ``--check`` compares it with a
fresh build, byte for byte (save states and maps after unpacking).
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from sonic_sb3.save_states import write_checksums

from . import integration
from .compile_level import Compiled
from .emulator import INTEGRATION, Emulator
from .level_source import ZONES, LevelError, LevelSource
from .maps import draw_maps
from .players import WARM_UP_FRAMES
from .rom import ROOT, BuildError, build_rom, sha1
from .save_states import compress, save_canonical

LEVELS = ROOT / "levels"


def act_files() -> list[Path]:
    """The level files of the game, in the order of play."""
    files = [LEVELS / f"{zone}.Act{act}.txt" for zone in ZONES for act in (1, 2, 3)]
    return [path for path in files if path.exists()]


def _check_names(compiled: list[Compiled], files: list[Path]) -> None:
    for act, path in zip(compiled, files, strict=True):
        name = integration.level_name(act.source.zone, act.source.act)
        if name != path.stem:
            raise LevelError(f"{path.name}:1: 'zone' and 'act' say {name}")


def make_states(rom: bytes, acts: list[LevelSource]) -> dict[str, bytes]:
    """File name -> packed save state: the player stands and controls respond at once."""
    emulator = Emulator(rom)
    power_on = emulator.save()
    order = [(act.zone, act.act) for act in acts]
    states = {}
    for zone, act in order:
        emulator.load(power_on)
        info = emulator.start_level(zone, act, order)
        while info["frame"] < WARM_UP_FRAMES:
            info = emulator.step(0)
        if info["lives"] != 3 or info["fault"] or (info["zone"], info["act"]) != (zone, act):
            raise BuildError(f"the act did not start well: {info}")
        name = integration.level_name(zone, act)
        states[f"{name}.state"] = compress(save_canonical())
    emulator.close()
    return states


def build_release(files: list[Path], out: Path) -> dict[str, bytes]:
    """File name -> contents of the integration folder.

    :param out: for intermediate files
    :raises BuildError: where the compiler is absent or fails
    """
    rom, compiled = build_rom(files, out)
    _check_names(compiled, files)
    acts = [c.source for c in compiled]
    texts = {
        "rom.sha": sha1(rom) + "\n",
        "data.json": integration.data_json(),
        "metadata.json": integration.metadata_json(),
        "contest.json": integration.scenario_json("contest"),
        "scenario.json": integration.scenario_json("contest"),
        "xpos.json": integration.scenario_json("xpos"),
        "script.lua": integration.script_lua(acts),
        "levels.json": integration.levels_json(acts),
    }
    built = {name: text.encode() for name, text in texts.items()}
    states = make_states(rom, acts)
    checksums = write_checksums({name: _plain(name, packed) for name, packed in states.items()})
    pictures = draw_maps(acts)
    return {"rom.md": rom, **built, **states, "states.sha": checksums.encode(), **pictures}


def write_release(built: dict[str, bytes], folder: Path) -> None:
    """Puts every file in place at once, and removes states and maps of acts that are no more."""
    for name, content in built.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_bytes(content)
        os.replace(temporary, path)
    for name in _stale(built, folder):
        (folder / name).unlink()


def _stale(built: dict[str, bytes], folder: Path) -> list[str]:
    """Names of states and maps that no act has."""
    paths = [*folder.glob("*.state"), *folder.glob("maps/*.png")]
    names = [path.relative_to(folder).as_posix() for path in paths]
    return sorted(name for name in names if name not in built)


def _plain(name: str, content: bytes) -> bytes:
    # Another zlib may pack the same state or picture into other bytes.
    if name.endswith(".png"):
        with Image.open(io.BytesIO(content)) as image:
            pixels = np.asarray(image.convert("RGB"))
            return repr(pixels.shape).encode() + pixels.tobytes()
    return gzip.decompress(content) if name.endswith(".state") else content


def differences(built: dict[str, bytes], folder: Path) -> list[str]:
    """One line per file that is not what was built."""
    lines = []
    for name, content in built.items():
        path = folder / name
        if not path.exists():
            lines.append(f"{name}: missing")
        elif _plain(name, path.read_bytes()) != _plain(name, content):
            lines.append(f"{name}: differs from the rebuilt one")
    return lines + [f"{name}: no such act" for name in _stale(built, folder)]


def run(check: bool, folder: Path) -> int:
    files = act_files()
    out = Path(tempfile.mkdtemp(prefix="pangolin_release_"))
    try:
        built = build_release(files, out)
    finally:
        shutil.rmtree(out, ignore_errors=True)
    if not check:
        write_release(built, folder)
        print(f"{len(files)} acts, ROM of {len(built['rom.md'])} bytes -> {folder}")
        return 0
    wrong = differences(built, folder)
    print("\n".join(wrong) or f"{folder.name}: {len(built)} files are what a rebuild gives")
    return 1 if wrong else 0


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--folder", type=Path, default=INTEGRATION)
    arguments = parser.parse_args(argv)
    try:
        return run(arguments.check, arguments.folder)
    except (BuildError, LevelError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
