"""Builds the ROM: levels and pictures to C, C and assembly to a padded, checksummed image."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .compile_level import Compiled, compile_level
from .emit import write_table
from .rom_assets import write_assets

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src"
PREFIX = "m68k-linux-gnu-"
FLAGS = [
    "-std=gnu11",
    "-m68000",
    "-mstrict-align",
    "-fno-store-merging",
    "-O3",
    "-ffreestanding",
    "-nostdlib",
    "-fno-pic",
    "-fomit-frame-pointer",
    "-fwrapv",
    "-fno-tree-slp-vectorize",
    "-flto",
    "-flto-partition=one",
    "-frandom-seed=pangolin",
    "-fno-builtin",
    "-fno-tree-loop-distribute-patterns",
    "-Wall",
    "-Wextra",
]
MIN_SIZE = 512 * 1024
PLANE_A_TILE = 0xC000 // 32  # as in src/rom/vdp.h
_ODD_ACCESS = re.compile(
    r"\t[a-z]+[wl] .*?(%(a[0-7]|sp|fp)@\(-?\d*[13579]\)|(?<![#<+\w])(00)?[0-9a-f]+[13579bdf] <)"
)


class BuildError(Exception):
    """The ROM cannot be built; the message says what is missing."""


def _run(command: Sequence[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise BuildError(f"{' '.join(command[:1])} failed:\n{result.stderr}")


def _compile(source: Path, out: Path) -> Path:
    target = out / (source.name + ".o")
    _run([f"{PREFIX}gcc", *FLAGS, f"-I{SOURCES}", "-c", str(source), "-o", str(target)])
    return target


def _check_alignment(elf: Path) -> None:
    """Refuses word accesses at odd addresses, which this compiler makes of neighbouring bytes."""
    listing = subprocess.run(
        [f"{PREFIX}objdump", "-d", str(elf)], capture_output=True, text=True, check=True
    ).stdout
    odd = [line for line in listing.splitlines() if _ODD_ACCESS.search(line)]
    if odd:
        raise BuildError("word accesses at odd addresses:\n" + "\n".join(odd[:10]))


def _check_room(compiled: list[Compiled], first_tiles: list[int]) -> None:
    """Tiles of objects, background and terrain must end below plane A."""
    for act in compiled:
        end = first_tiles[act.source.zone] + act.n_tiles
        if end > PLANE_A_TILE:
            raise BuildError(f"{act.c_file.stem}: {end - PLANE_A_TILE} tiles too many for VRAM")


def finish_image(image: bytes) -> bytes:
    """Pads to a power of two and sets the header's ROM end and checksum."""
    size = MIN_SIZE
    while size < len(image):
        size *= 2
    rom = bytearray(image + bytes(size - len(image)))
    rom[0x1A4:0x1A8] = (size - 1).to_bytes(4, "big")
    total = sum(int.from_bytes(rom[i : i + 2], "big") for i in range(0x200, size, 2)) & 0xFFFF
    rom[0x18E:0x190] = total.to_bytes(2, "big")
    return bytes(rom)


def build_rom(levels: Iterable[Path], out: Path) -> tuple[bytes, list[Compiled]]:
    """Builds a ROM of these acts; out holds the intermediate files.

    :raises BuildError: where the compiler is absent or fails
    """
    if shutil.which(f"{PREFIX}gcc") is None:
        raise BuildError("m68k-linux-gnu-gcc not found: install Debian's gcc-m68k-linux-gnu")
    out.mkdir(parents=True, exist_ok=True)
    compiled = [compile_level(path, out) for path in levels]
    write_table(out / "table.c", [(c.source.zone, c.source.act) for c in compiled])
    _check_room(compiled, write_assets(out / "assets.c"))
    sources = [
        *sorted(SOURCES.rglob("*.[cs]")),
        out / "table.c",
        out / "assets.c",
        *(c.c_file for c in compiled),
    ]
    sources = [s for s in sources if s.name != "host.c"]
    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(lambda s: _compile(s, out), sources))
    elf, image = out / "pangolin.elf", out / "pangolin.bin"
    script = f"-Wl,-T,{ROOT / 'link.ld'},--no-warn-execstack"
    _run([f"{PREFIX}gcc", *FLAGS, script, "-o", str(elf), *map(str, objects)])
    _check_alignment(elf)
    _run([f"{PREFIX}objcopy", "-O", "binary", str(elf), str(image)])
    return finish_image(image.read_bytes()), compiled


def sha1(rom: bytes) -> str:
    return hashlib.sha1(rom).hexdigest()
