"""Reading the symbol table of the Genesis core that stable-retro ships."""

import shutil
import subprocess
from pathlib import Path

import pytest
import stable_retro
from hypothesis import given, settings
from hypothesis import strategies as st

from sonic_sb3.envs import core_elf
from sonic_sb3.envs.core_elf import UnfitCoreError

CORE = Path(stable_retro.__file__).parent / "cores" / core_elf.CORE_FILE


@pytest.fixture(scope="module")
def image() -> bytes:
    return CORE.read_bytes()


def test_agrees_with_nm(image: bytes) -> None:
    if shutil.which("nm") is None:
        pytest.skip("nm is not installed")
    listing = subprocess.check_output(["nm", "-S", CORE], text=True)
    expected = {}
    for line in listing.splitlines():
        match line.split():
            case [address, size, kind, "work_ram" | "retro_run" | "psg" as name]:
                expected[name] = (int(address, 16), int(size, 16), kind in "tT")
    found = core_elf.read_symbols(image, expected)
    assert len(expected) == 3
    assert {n: (s.address, s.size, s.is_function) for n, s in found.items()} == expected


def test_stripped(image: bytes) -> None:
    header = core_elf._FILE_HEADER.unpack_from(image)
    stripped = bytearray(image)
    for i in range(header[12]):
        at = header[6] + i * header[11] + 4
        if stripped[at : at + 4] == b"\x02\0\0\0":
            stripped[at : at + 4] = b"\x01\0\0\0"
    with pytest.raises(UnfitCoreError, match="no symbols psg: another build"):
        core_elf.read_symbols(bytes(stripped), ["psg"])


def test_ambiguous(image: bytes) -> None:
    with pytest.raises(UnfitCoreError, match="several symbols eg_inc"):
        core_elf.read_symbols(image, ["eg_inc"])


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"MZ" * 200, b"\x7fELF\x01" + b"\0" * 99])
def test_no_elf_file(content: bytes) -> None:
    with pytest.raises(UnfitCoreError):
        core_elf.read_symbols(content, ["psg"])


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damaged_file_is_refused_or_read(data: st.DataObject) -> None:
    image = bytearray(CORE.read_bytes())
    at = data.draw(st.sampled_from([*range(64), *range(len(image) - 64 * 29, len(image))]))
    image[at] = data.draw(st.integers(0, 255))
    try:
        found = core_elf.read_symbols(bytes(image), ["psg"])
    except UnfitCoreError:
        return
    assert found["psg"].size >= 0
