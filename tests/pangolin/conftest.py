"""Builds what the tests of the free game play: small acts of one obstacle each, and the release."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pangolin.tools.course import Course
from pangolin.tools.emulator import INTEGRATION, Emulator
from pangolin.tools.native import NativeGame, build_native
from pangolin.tools.release import act_files
from pangolin.tools.rom import build_rom

COURSES = sorted((Path(__file__).parent / "courses").glob("*.txt"))


def need_native_compiler() -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc not found: the native game cannot be built")


def need_rom_compiler() -> None:
    if shutil.which("m68k-linux-gnu-gcc") is None:
        pytest.skip("m68k-linux-gnu-gcc not found: install Debian's gcc-m68k-linux-gnu")


@pytest.fixture(scope="module", params=["native", "rom"])
def course(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Course]:
    """Each test plays natively, then on the ROM in the emulator beside the native game."""
    need_native_compiler()
    out = tmp_path_factory.mktemp("courses")
    library, _ = build_native(COURSES, out)
    if request.param == "native":
        yield Course(COURSES, NativeGame(library))
        return
    need_rom_compiler()
    rom, _ = build_rom(COURSES, out / "rom")
    emulator = Emulator(rom)
    yield Course(COURSES, NativeGame(library), emulator)
    emulator.close()


@pytest.fixture(scope="session")
def acts_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The nine acts as a native library."""
    need_native_compiler()
    library, _ = build_native(act_files(), tmp_path_factory.mktemp("acts"))
    return library


@pytest.fixture
def acts(acts_library: Path) -> NativeGame:
    return NativeGame(acts_library)


@pytest.fixture
def released() -> Iterator[Emulator]:
    """The shipped ROM, powered on."""
    emulator = Emulator((INTEGRATION / "rom.md").read_bytes())
    yield emulator
    emulator.close()
