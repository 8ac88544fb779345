"""Files, folders and zips that users or strangers hand over for import."""

from __future__ import annotations

import os
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonic_sb3 import rom_sources
from sonic_sb3.rom_formats import MAX_ROM_BYTES
from sonic_sb3.rom_sources import MAX_FILE_BYTES, read_sources


def read(path: Path) -> dict[str, bytes | str]:
    """What became of each file: its data, or why it was not read."""
    return {
        file.name: file.problem if file.data is None else file.data for file in read_sources(path)
    }


def problem_of(path: Path) -> str:
    (result,) = read(path).values()
    assert isinstance(result, str)
    return result


def make_zip(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def edit(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


def test_folder_is_read_in_order_with_folders_below_it(tmp_path: Path) -> None:
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "b" / "deep" / "2.md").write_bytes(b"two")
    (tmp_path / "a.bin").write_bytes(b"one")
    make_zip(tmp_path / "c.zip", {"3.md": b"three", "folder/": b"", "folder/4.md": b"four"})
    assert list(read(tmp_path).items()) == [
        (f"{tmp_path}/a.bin", b"one"),
        (f"{tmp_path}/c.zip: 3.md", b"three"),
        (f"{tmp_path}/c.zip: folder/4.md", b"four"),
        (f"{tmp_path}/b/deep/2.md", b"two"),
    ]


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "outside"
    secret.mkdir()
    (secret / "secret").write_bytes(b"secret")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").symlink_to(secret / "secret")
    (folder / "folder").symlink_to(secret)
    (folder / "round").symlink_to(folder)
    (folder / "nowhere").symlink_to(tmp_path / "nowhere")
    results = read(folder)
    assert len(results) == 4
    assert all("a link, not followed" in str(result) for result in results.values())
    assert read(folder / "file") == {f"{folder}/file": b"secret"}, "named by the user himself"


def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert problem_of(tmp_path) == "neither a file nor a folder"


def test_unreadable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "rom.md").write_bytes(b"rom")
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")  # root would be let in
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert read(tmp_path) == {
        f"{tmp_path}/rom.md": b"rom",
        f"{tmp_path}/locked": "unreadable folder (Permission denied)",
    }


def test_too_large_files_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "film.mkv").open("wb") as file:
        file.truncate(2**40)
    assert "no Genesis ROM: 1,099,511,627,776 bytes" in problem_of(tmp_path)


@pytest.mark.parametrize(
    ("start", "kind"), [(b"7z\xbc\xaf'\x1c\0\0", "7z"), (b"Rar!\x1a\7\0\0", "rar")]
)
def test_other_archives_are_named(tmp_path: Path, start: bytes, kind: str) -> None:
    (tmp_path / "pack").write_bytes(start)
    assert problem_of(tmp_path) == f"a {kind} archive: unpack it first, only zips are read here"


def test_names_cannot_forge_lines(tmp_path: Path) -> None:
    (tmp_path / "a\nb\x1b[2J\udcff").write_bytes(b"")
    assert list(read(tmp_path)) == [f"{tmp_path}/a\\nb\\x1b[2J\\udcff"]


@pytest.mark.parametrize(
    "name", ["../rom.md", "/etc/rom.md", "a/../../rom.md", "..\\rom.md", "C:\\rom.md", "c:rom.md"]
)
def test_zip_entries_that_lead_out(tmp_path: Path, name: str) -> None:
    path = make_zip(tmp_path / "a.zip", {name: b"rom"})
    assert problem_of(path) == "refused: its name leads out of the zip"
    assert list(tmp_path.iterdir()) == [path]


def test_zip_bomb_by_declared_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_zip(tmp_path / "a.zip", {"rom.md": bytes(MAX_FILE_BYTES + 1)})
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(zipfile.ZipFile, "open", None)  # nothing is unpacked
    assert "expected at most 8,388,608" in problem_of(path)


def test_zip_bomb_by_total_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_zip(tmp_path / "a.zip", {f"{k}.md": bytes(1000) for k in range(3)})
    monkeypatch.setattr(rom_sources, "MAX_UNPACKED_BYTES", 2999)
    assert "would unpack to 3,000 bytes, expected at most 2,999" in problem_of(path)


def test_zip_entry_that_is_larger_than_it_says(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"rom.md": bytes(MAX_ROM_BYTES)})
    edit(path, struct.pack("<L", MAX_ROM_BYTES), struct.pack("<L", 10))
    assert "damaged zip entry (Bad CRC-32" in problem_of(path)


def test_zip_bomb_of_overlapping_entries(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"rom.md": random.Random(0).randbytes(5000)})
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = data[start:end]
    n_entries, directory = 50, entry * 50
    finish = struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, n_entries, n_entries, len(directory), start, 0
    )
    path.write_bytes(data[:start] + directory + finish)
    assert problem_of(path) == "refused: a zip bomb, its entries overlap"


def test_zip_with_a_huge_table_of_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_zip(tmp_path / "a.zip", {f"{k}": b"" for k in range(100)})
    monkeypatch.setattr(rom_sources, "MAX_DIRECTORY_BYTES", 1000)
    monkeypatch.setattr(zipfile, "ZipFile", None)  # which would read all of it
    assert "bytes of names; unpack it first" in problem_of(path)


def test_zip64(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"rom.md": b"rom"})
    data = path.read_bytes()
    end = data.index(b"PK\x05\x06")
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    path.write_bytes(data[:end] + locator + data[end:])
    assert "a zip64 archive" in problem_of(path)


def test_encrypted_zip(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"rom.md": b"rom"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert problem_of(path) == "encrypted: unpack it with its password first"


@pytest.mark.parametrize("name", ["inner.zip", "inner.md"])
def test_nested_zip(tmp_path: Path, name: str) -> None:
    inner = make_zip(tmp_path / "inner.zip", {"rom.md": b"rom"}).read_bytes()
    path = make_zip(tmp_path / "a.zip", {name: inner})
    assert problem_of(path) == "a zip inside of a zip: unpack it first"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_take_memory(tmp_path: Path, method: int) -> None:
    path = make_zip(tmp_path / "a.zip", {"rom.md": b"rom" * 100}, method)
    assert problem_of(path) == "packed by a method that is not read here: unpack it first"


def test_truncated_zip(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"rom.md": random.Random(0).randbytes(5000)})
    data = path.read_bytes()
    for size in (0, 3, 21, 100, 4000, len(data) - 1):
        path.write_bytes(data[:size])
        assert problem_of(path).startswith("damaged or truncated zip")


def test_one_bad_entry_does_not_hide_the_others(tmp_path: Path) -> None:
    entries = {"../a.md": b"a", "b.md": b"b"}
    path = make_zip(tmp_path / "a.zip", entries)
    assert read(path) == {
        f"{path}: ../a.md": "refused: its name leads out of the zip",
        f"{path}: b.md": b"b",
    }


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_zips_are_answered(tmp_path: Path, data: st.DataObject) -> None:
    path = make_zip(tmp_path / "a.zip", {"one.md": b"1" * 300, "folder/two.md": b"2" * 300})
    mutated = bytearray(path.read_bytes())
    n_mutations = data.draw(st.integers(1, 6))
    for _ in range(n_mutations):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(mutated)
    for file in read_sources(path):
        assert file.name.isprintable()
        assert file.problem.isprintable()
        assert (file.data is None) == bool(file.problem)
