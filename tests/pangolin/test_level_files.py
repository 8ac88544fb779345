"""Errors of a level file name the file and the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pangolin.tools.level_source import LevelError
from pangolin.tools.level_text import read_level

HEAD = "zone CanopyZone\nact 1\nsize 1280 512\nstart 100 g\nat 0 400\nflat 1280\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "CanopyZone.Act1.txt"
    path.write_text(text)
    return path


def test_a_sound_file(tmp_path: Path) -> None:
    source = read_level(write(tmp_path, HEAD + "rings 200 g 3\nwalker 400 g 20\ngoal 1100\n"))
    assert (source.width, source.height, source.end_x) == (1280, 512, 1100)
    assert source.start == (100, 384)
    assert source.rings == [(200, 384), (224, 384), (248, 384)]
    assert [o.name for o in source.objects].count("walker") == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("jump 20", r"CanopyZone\.Act1\.txt:7: unknown command 'jump'"),
        ("flat wide", r"CanopyZone\.Act1\.txt:7: 'flat wide': wrong arguments"),
        ("flat", r"CanopyZone\.Act1\.txt:7: 'flat': wrong arguments"),
        ("loop 20", r"CanopyZone\.Act1\.txt:7: loop: radius 48\.\.160"),
        ("spring 200 g sideways", r"CanopyZone\.Act1\.txt:7: spring sideways: direction"),
        ("walker 5000 g 20", r"CanopyZone\.Act1\.txt:7: x 5000 is outside the level"),
        ("walker 5000 300 20", r"CanopyZone\.Act1\.txt:7: walker at 5000,284 is outside"),
        ("rings 9000 300", r"CanopyZone\.Act1\.txt:7: ring at 9000,300 is outside"),
        ("zone MoonZone", r"CanopyZone\.Act1\.txt:7: unknown zone 'MoonZone'"),
        ("size 100 100", r"CanopyZone\.Act1\.txt:7: size: multiples of 64"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(LevelError, match=message):
        read_level(write(tmp_path, HEAD + line + "\ngoal 1100\n"))


def test_missing_goal(tmp_path: Path) -> None:
    with pytest.raises(LevelError, match="no 'goal X' line"):
        read_level(write(tmp_path, HEAD))
