"""``python -m sonic_sb3.roms`` on made-up games, with a free ROM where one has to run."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sonic_sb3 import rom_files, roms
from sonic_sb3.envs.make import make_env
from sonic_sb3.errors import RomError
from sonic_sb3.games import AIRSTRIKER, SONIC_1, Game, catalogue
from sonic_sb3.rom_files import find_rom, has_rom, integration_dir, roms_dir

BLOCK = 16 * 1024
MADE_UP = "MadeUp-Genesis-v0"
PATCHED = "MadeUpPatched-Genesis"


def make_rom(title: str = "MADE UP", seed: int = 0, size: int = 8 * BLOCK) -> bytes:
    rom = bytearray(random.Random(seed).randbytes(size))
    rom[0x100:0x110] = b"SEGA MEGA DRIVE "
    rom[0x150:0x180] = title.encode().ljust(48)
    rom[0x1A4:0x1A8] = (size - 1).to_bytes(4, "big")
    rom[0x1F0:0x1F3] = b"JUE"
    return bytes(rom)


def interleave(rom: bytes) -> bytes:
    blocks = [rom[start : start + BLOCK] for start in range(0, len(rom), BLOCK)]
    return b"".join(block[1::2] + block[0::2] for block in blocks)


def swap(rom: bytes) -> bytes:
    return b"".join(bytes((rom[k + 1], rom[k])) for k in range(0, len(rom), 2))


def make_patch(source: bytes, target: bytes) -> bytes:
    """Copy all of the source but its last byte, add the last byte of the target."""

    def integer(value: int) -> bytes:
        digits = [value & 0x7F]
        while value := value >> 7:
            digits.append(value & 0x7F | 0x80)
        return bytes(reversed(digits))

    size = len(source)
    instructions = b"\x13" + integer(size - 1) + b"\x02"
    parts = integer(1) + integer(len(instructions)) + integer(1)
    checksum = zlib.adler32(target).to_bytes(4, "big")
    body = integer(size) + b"\0" + parts + checksum + target[-1:] + instructions + b"\0"
    return b"\xd6\xc3\xc4\0\0\5" + integer(size) + b"\0" + integer(len(body)) + body


ROM = make_rom()
PATCHED_ROM = ROM[:-1] + bytes([ROM[-1] ^ 0xFF])

AddGame = Callable[..., None]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user without ROMs."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    find_rom.cache_clear()
    yield tmp_path / "home"
    find_rom.cache_clear()


@pytest.fixture
def add_game(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddGame]:
    """Put a made-up game into the catalogue; the free game, which is in the same folder, goes."""
    integrations = tmp_path / "integrations"
    monkeypatch.setattr(rom_files, "INTEGRATIONS_DIR", integrations)
    before = dict(catalogue())
    for game in before.values():
        if game.is_bundled and game is not AIRSTRIKER:
            del catalogue()[game.id]

    def add(game: Game, rom: bytes, patch: bytes | None = None) -> None:
        folder = integrations / game.id
        folder.mkdir(parents=True)
        (folder / "data.json").write_text('{"info": {}}')
        (folder / "rom.sha").write_text(hashlib.sha1(rom).hexdigest() + "\n")
        if patch is not None:
            (folder / "rom.delta").write_bytes(patch)
        catalogue()[game.id] = game

    yield add
    catalogue().clear()
    catalogue().update(before)  # in their order: the first is the default


@pytest.fixture
def made_up(add_game: AddGame) -> None:
    """A game, and another one that is made from its ROM by a patch."""
    game = Game(MADE_UP, "Made Up", ("Level1",), legal_source="nowhere", header_titles=("MADE UP",))
    add_game(game, ROM)
    patched = replace(game, id=PATCHED, title="Patched", patched_from=MADE_UP, header_titles=())
    add_game(patched, PATCHED_ROM, make_patch(ROM, PATCHED_ROM))


def imported(home: Path) -> dict[str, bytes]:
    """All that was written into the user's home."""
    return {
        str(path.relative_to(home / "sonic_sb3" / "roms")): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file()
    }


def one_line_error(capsys: Any) -> str:
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return str(error)


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (ROM, ", imported"),
        (interleave(ROM), "(de-interleaved), imported"),
        (swap(ROM), "(bytes put in order), imported"),
        (bytes(512) + ROM, "(copier header removed), imported"),
        (bytes(512) + interleave(ROM), "(copier header removed, de-interleaved), imported"),
    ],
)
@pytest.mark.parametrize("container", ["file", "folder", "zip"])
@pytest.mark.usefixtures("made_up")
def test_import(
    data: bytes, note: str, container: str, tmp_path: Path, home: Path, capsys: Any
) -> None:
    path = tmp_path / "given" / "any name.txt"
    path.parent.mkdir()
    path.write_bytes(data)
    if container == "folder":
        path = path.parent
    elif container == "zip":
        archive = tmp_path / "given.zip"
        with zipfile.ZipFile(archive, "w") as file:
            file.write(path, "any name.txt")
        path = archive
    assert not has_rom(MADE_UP)
    assert roms.main(["import", str(path)]) == 0
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert "any name.txt: Made Up" in line
    assert note in line
    assert imported(home) == {f"{MADE_UP}/rom.md": ROM}
    assert has_rom(MADE_UP)


@pytest.mark.usefixtures("made_up")
def test_a_second_import_changes_nothing(tmp_path: Path, home: Path, capsys: Any) -> None:
    (tmp_path / "rom.bin").write_bytes(ROM)
    assert roms.main(["import", str(tmp_path / "rom.bin")]) == 0
    (path,) = home.rglob("rom.md")
    before = path.stat()
    assert roms.main(["import", str(tmp_path / "rom.bin")]) == 0
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert "already here" in capsys.readouterr().out


@pytest.mark.usefixtures("made_up")
def test_a_damaged_import_is_replaced(tmp_path: Path, home: Path, capsys: Any) -> None:
    (tmp_path / "rom.bin").write_bytes(ROM)
    path = home / "sonic_sb3" / "roms" / MADE_UP / "rom.md"
    path.parent.mkdir(parents=True)
    path.write_bytes(ROM[:-1])
    with pytest.raises(RomError, match=r"damaged or wrong ROM .* import your own copy with"):
        find_rom(MADE_UP)
    assert roms.main(["verify"]) == 2
    assert "1 of 2 ROMs are damaged" in one_line_error(capsys)
    assert roms.main(["import", str(tmp_path / "rom.bin")]) == 0
    assert path.read_bytes() == ROM
    assert roms.main(["verify"]) == 0
    assert "2 ROMs present, all as expected" in capsys.readouterr().out


def test_a_rom_that_came_with_stable_retro_is_here_already(home: Path, capsys: Any) -> None:
    assert roms.main(["import", str(find_rom(AIRSTRIKER.id))]) == 0
    assert "Airstriker, already here" in capsys.readouterr().out
    assert not home.exists()


def test_an_imported_rom_is_played(
    add_game: AddGame, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """stable-retro's folder may be read-only: the ROM that is played lies in the user's."""
    rom = find_rom(AIRSTRIKER.id).read_bytes()
    folder = integration_dir(AIRSTRIKER.id)
    game = replace(AIRSTRIKER, id="Own-Genesis-v0", is_bundled=False)
    add_game(game, rom)
    ours = integration_dir(game.id)
    for name in ("data.json", "Level1.state"):
        (ours / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "a.smd").write_bytes(bytes(512) + swap(rom))
    with pytest.raises(RomError, match="no ROM for Own-Genesis-v0: import your own copy"):
        make_env("Own-Genesis-v0")
    assert roms.main(["import", str(tmp_path / "a.smd")]) == 0
    assert find_rom(game.id).is_relative_to(home)
    env = make_env("Own-Genesis-v0")
    obs, _ = env.reset(seed=0)
    assert obs.max() > 0
    env.close()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (make_rom(seed=1), "wrong region, revision or dump of Made Up: 'MADE UP', region JUE"),
        (swap(make_rom(seed=1)), "wrong region, revision or dump of Made Up"),
        (ROM[:-BLOCK], "truncated: 'MADE UP', region JUE, 114,688 bytes, its header says 131,072"),
        (b"0" * 8 + b"\xaa\xbb" + bytes(600), "truncated: an .smd copier's file of 610 bytes"),
        (make_rom("OTHER GAME"), "unknown: 'OTHER GAME', region JUE, is no game of the catalogue"),
        (b"text", "unknown: no Genesis ROM, or a damaged one (sha1 "),
        (b"", "unknown: no Genesis ROM"),
    ],
)
@pytest.mark.usefixtures("made_up")
def test_what_is_not_imported(
    data: bytes, message: str, tmp_path: Path, home: Path, capsys: Any
) -> None:
    (tmp_path / "rom.md").write_bytes(data)
    assert roms.main(["import", str(tmp_path / "rom.md")]) == 2
    out, error = capsys.readouterr()
    assert out.startswith(f"{tmp_path}/rom.md: {message}")
    assert out.count("\n") == 1
    assert "none of 1 files is a ROM of the catalogue" in error
    assert not home.exists()


def test_sonic_of_another_region_is_recognised(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "rom.md").write_bytes(make_rom("SONIC THE               HEDGEHOG"))
    assert roms.main(["import", str(tmp_path)]) == 2
    out = capsys.readouterr().out
    assert "wrong region, revision or dump of Sonic the Hedgehog" in out
    assert "expected sha1 69e102855d4389c3fd1a8f3dc7d193f8eee5fe5b" in out


@pytest.mark.usefixtures("made_up")
def test_one_line_a_file_and_the_rom_among_them(tmp_path: Path, home: Path, capsys: Any) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "a.txt").write_text("text")
    with zipfile.ZipFile(folder / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../../evil.md", ROM)
        archive.writestr("bomb.md", bytes(9 * 2**20))
        archive.writestr("good.md", ROM)
    assert roms.main(["import", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert "unknown: no Genesis ROM" in lines[0]
    assert "refused: its name leads out of the zip" in lines[1]
    assert "no Genesis ROM: 9,437,184 bytes" in lines[2]
    assert "good.md: Made Up, imported" in lines[3]
    assert imported(home) == {f"{MADE_UP}/rom.md": ROM}
    assert not list(tmp_path.rglob("evil.md"))


@pytest.mark.usefixtures("made_up")
def test_a_folder_of_other_things_is_summed_up(tmp_path: Path, home: Path, capsys: Any) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    for number in range(50):
        (folder / f"{number:02}.txt").write_text("text")
    (folder / "99.md").write_bytes(ROM)
    assert roms.main(["import", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 22
    assert "99.md: Made Up, imported" in lines[-2]
    assert lines[-1] == "and 30 more files that are none of the catalogue's ROMs"


@pytest.mark.usefixtures("made_up")
def test_a_path_that_does_not_exist_imports_nothing(
    tmp_path: Path, home: Path, capsys: Any
) -> None:
    (tmp_path / "rom.md").write_bytes(ROM)
    assert roms.main(["import", str(tmp_path / "rom.md"), str(tmp_path / "nowhere")]) == 2
    assert "nowhere; nothing was imported" in one_line_error(capsys)
    assert not home.exists()


@pytest.mark.usefixtures("made_up")
def test_an_interrupted_import_leaves_nothing(
    tmp_path: Path, home: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rom.md").write_bytes(ROM)
    write_bytes = Path.write_bytes

    def stop(path: Path, data: bytes) -> int:
        write_bytes(path, data[:1000])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", stop)
    assert roms.main(["import", str(tmp_path / "rom.md")]) == 130
    assert list(roms_dir().iterdir()) == []


@pytest.mark.usefixtures("made_up")
def test_a_full_disk(
    tmp_path: Path, home: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rom.md").write_bytes(ROM)

    def refuse(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert roms.main(["import", str(tmp_path / "rom.md")]) == 2
    assert "No space left on device" in one_line_error(capsys)
    assert list(roms_dir().iterdir()) == []


@pytest.mark.usefixtures("made_up")
def test_a_home_that_cannot_be_written(tmp_path: Path, home: Path, capsys: Any) -> None:
    home.write_text("a file where a folder should be")
    (tmp_path / "rom.md").write_bytes(ROM)
    assert roms.main(["import", str(tmp_path / "rom.md")]) == 2
    assert "cannot write" in one_line_error(capsys)


@pytest.mark.usefixtures("made_up")
def test_leftovers_of_a_killed_import_are_removed(tmp_path: Path, home: Path) -> None:
    (tmp_path / "rom.md").write_bytes(ROM)
    folder = home / "sonic_sb3" / "roms" / MADE_UP
    folder.mkdir(parents=True)
    for name, age_s in ((".rom.old.md", 10_000), (".rom.new.md", 0)):
        (folder / name).write_bytes(ROM[:100])
        os.utime(folder / name, (time.time() - age_s,) * 2)
    assert roms.main(["import", str(tmp_path / "rom.md")]) == 0
    assert sorted(path.name for path in folder.iterdir()) == [".rom.new.md", "rom.md"]


def test_killed_imports_never_leave_half_a_rom(tmp_path: Path) -> None:
    """SIGKILL at any moment: there is no ROM, or the whole one, and the next import works."""
    rom = make_rom(size=8 * 2**20)
    code = (
        "from pathlib import Path\n"
        "from sonic_sb3.rom_import import store_rom\n"
        f"rom = Path({str(tmp_path / 'given')!r}).read_bytes()\n"
        "print('ready', flush=True)\n"
        "while True: store_rom('SonicTheHedgehog-Genesis-v0', rom)\n"
    )
    (tmp_path / "given").write_bytes(rom)
    path = roms_dir() / SONIC_1.id / "rom.md"
    for delay_s in (0.0, 0.005, 0.01, 0.03, 0.1):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert not path.exists() or path.read_bytes() == rom


@pytest.mark.usefixtures("made_up")
def test_patch(tmp_path: Path, home: Path, capsys: Any) -> None:
    (tmp_path / "rom.md").write_bytes(ROM)
    with pytest.raises(RomError, match=r"make it with `python -m sonic_sb3\.roms patch`"):
        find_rom(PATCHED)
    assert roms.main(["patch", PATCHED]) == 2
    assert f"needs the ROM of {MADE_UP}" in one_line_error(capsys)
    assert roms.main(["patch"]) == 2
    assert "ROMs could not be made" in capsys.readouterr().err
    assert not home.exists()

    assert roms.main(["import", str(tmp_path / "rom.md")]) == 0
    assert roms.main(["patch"]) == 0, "one of them could be made"
    assert imported(home) == {f"{MADE_UP}/rom.md": ROM, f"{PATCHED}/rom.md": PATCHED_ROM}
    assert find_rom(PATCHED).read_bytes() == PATCHED_ROM
    assert roms.main(["patch", PATCHED]) == 0
    assert f"{PATCHED}: already here" in capsys.readouterr().out


@pytest.mark.usefixtures("made_up")
def test_patch_on_the_wrong_rom(tmp_path: Path, home: Path, capsys: Any) -> None:
    """Some games have two accepted ROMs, and the patch is for one of them."""
    other = make_rom(seed=2)
    sha = integration_dir(MADE_UP) / "rom.sha"
    sha.write_text(f"{hashlib.sha1(ROM).hexdigest()}\n{hashlib.sha1(other).hexdigest()}\n")
    (tmp_path / "rom.md").write_bytes(other)
    assert roms.main(["import", str(tmp_path / "rom.md")]) == 0
    assert roms.main(["patch", PATCHED]) == 2
    assert "the patch does not fit this source" in one_line_error(capsys)
    (integration_dir(PATCHED) / "rom.delta").write_bytes(make_patch(other, other))
    assert roms.main(["patch", PATCHED]) == 2
    assert "the patch is for another release of the game" in one_line_error(capsys)
    (integration_dir(PATCHED) / "rom.delta").unlink()
    assert roms.main(["patch", PATCHED]) == 2
    assert "rom.delta: No such file" in one_line_error(capsys)
    assert imported(home) == {f"{MADE_UP}/rom.md": other}

    (tmp_path / "rom.md").write_bytes(ROM)
    (integration_dir(PATCHED) / "rom.delta").write_bytes(make_patch(ROM, PATCHED_ROM))
    assert roms.main(["import", str(tmp_path / "rom.md")]) == 0, "the other one takes its place"
    assert roms.main(["patch", PATCHED]) == 0


def test_what_cannot_be_patched(capsys: Any) -> None:
    assert roms.main(["patch", SONIC_1.id]) == 2
    assert "is not made by a patch; expected one of" in one_line_error(capsys)
    assert roms.main(["patch", "SonicCustom"]) == 2
    assert "did you mean" in one_line_error(capsys)


def test_list_names_every_game_level_and_source(home: Path, capsys: Any) -> None:
    assert roms.main(["list"]) == 0
    listed = capsys.readouterr().out
    words = " ".join(listed.split())
    for game in catalogue().values():
        assert f"{game.id}: {game.title}" in listed
        assert set(game.levels) <= set(words.split())
        assert game.legal_source in words
    assert str(home / "sonic_sb3" / "roms") in listed
    assert "missing" in listed
    assert f"present, sha1 as expected: {find_rom(AIRSTRIKER.id)}" in words


def test_list_tells_damaged_roms(home: Path, capsys: Any) -> None:
    path = home / "sonic_sb3" / "roms" / SONIC_1.id / "rom.md"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")
    assert roms.main(["list"]) == 0
    assert "damaged or wrong ROM for SonicTheHedgehog-Genesis-v0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "arguments are required: ACTION; `python -m sonic_sb3.roms --help`"),
        (["import"], "arguments are required: PATH; `python -m sonic_sb3.roms import --help`"),
        (["fetch"], "invalid choice: 'fetch'"),
        (["list", "--all"], "unrecognized arguments: --all"),
    ],
)
def test_refused_in_one_line(arguments: list[str], message: str, capsys: Any) -> None:
    assert roms.main(arguments) == 2
    assert message in one_line_error(capsys)


@pytest.mark.parametrize("data_home", ["", "relative/folder"])
def test_the_users_folder_without_a_data_home(
    data_home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", data_home)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert roms_dir() == tmp_path / ".local" / "share" / "sonic_sb3" / "roms"
