"""
Compiles ``core_native.c`` into ``core_code.py``: ``python -m sonic_sb3.envs.core_build``.

For developers who change the C file; needs gcc for x86-64. Users need neither gcc nor this module.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
SOURCE = FOLDER / "core_native.c"
TARGET = FOLDER / "core_code.py"
ROUTINES = (
    *("run_frame", "run_frames", "read_variables", "run_timers"),
    *("shrink_to_64", "shrink_to_96"),
)
FLAGS = (
    *("-O2", "-march=x86-64", "-std=c11", "-Wall", "-Wextra", "-Werror"),
    *("-ffreestanding", "-fno-builtin", "-nostdlib", "-static", "-fPIE", "-ffp-contract=off"),
    *("-fno-asynchronous-unwind-tables", "-fno-stack-protector", "-fcf-protection=none"),
    *("-fno-tree-loop-distribute-patterns", "-Wl,--build-id=none"),
)
# Code and constants from 0, the tables on writable pages of their own.
LAYOUT = """SECTIONS {
  .text 0 : { *(.text*) *(.rodata*) }
  .core 0x1000 (NOLOAD) : { *(.core) *(.table) }
  .variables : { *(.data*) *(.bss*) *(.got*) *(COMMON) }
  ASSERT(SIZEOF(.text) <= 0x1000, "the routines outgrew their page")
  ASSERT(SIZEOF(.variables) == 0, "the routines may have no variables of their own")
}
"""
HEADER = '''"""Code for x86-64, compiled from core_native.c by core_build.py: do not edit."""

from __future__ import annotations

'''


def build() -> str:
    """Compile the routines and return the text of ``core_code.py``."""
    with tempfile.TemporaryDirectory() as folder:
        layout, linked, flat = (Path(folder) / name for name in ("layout.ld", "linked", "flat"))
        layout.write_text(LAYOUT)
        _run("gcc", *FLAGS, "-T", str(layout), "-o", str(linked), str(SOURCE))
        _run("objcopy", "-O", "binary", "-j", ".text", str(linked), str(flat))
        symbols = {
            name: int(address, 16)
            for address, _, name in map(str.split, _run("nm", str(linked)).splitlines())
        }
        code = flat.read_bytes()
    offsets = "".join(f'    "{name}": 0x{symbols[name]:X},\n' for name in ROUTINES)
    lines = "".join(f'    "{code[i : i + 40].hex()}"\n' for i in range(0, len(code), 40))
    return (
        f'{HEADER}COMPILER = "gcc {compiler_version()}"\n'
        f"OFFSETS = {{\n{offsets}}}\n"
        f"DATA_OFFSET = 0x{symbols['core']:X}\nCODE = bytes.fromhex(\n{lines})\n"
    )


def compiler_version() -> str:
    """The version of the gcc that :func:`build` calls: another one gives other code."""
    return _run("gcc", "-dumpfullversion").strip()


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    TARGET.write_text(build())
