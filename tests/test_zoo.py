"""The agents that come with the repository, and what the README says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sonic_sb3 import share
from sonic_sb3.bundles.contents import open_bundle
from sonic_sb3.bundles.shown import describe
from sonic_sb3.bundles.zoo_table import BEGIN, END, make_table, replace_table
from sonic_sb3.errors import BundleError

ROOT = Path(__file__).parent.parent
AGENTS = sorted((ROOT / "zoo").glob("*"))


def test_the_readmes_table_is_up_to_date() -> None:
    readme = (ROOT / "README.md").read_text()
    assert readme == replace_table(readme, make_table(ROOT / "zoo")), "run `make zoo-table`"


@pytest.mark.parametrize("path", AGENTS, ids=lambda p: p.name)
def test_each_agent_is_small_and_keeps_its_word(path: Path) -> None:
    assert path.stat().st_size <= 8_000_000
    bundle = open_bundle(path)
    assert path.name == f"{bundle.index.name}.sonic.zip"
    describe(bundle)


def test_a_table_without_marks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="expected the marks"):
        replace_table("# README\n", "table")
    assert replace_table(f"a\n{BEGIN}\nold\n{END}\nb", "new") == f"a\n{BEGIN}\nnew\n{END}\nb"


def test_a_folder_that_is_not_there_empties_no_table(tmp_path: Path, capsys: Any) -> None:
    readme = tmp_path / "README.md"
    text = f"{BEGIN}\nagents\n{END}\n"
    readme.write_text(text)
    assert share.main(["table", str(tmp_path / "nowhere"), "--write", str(readme)]) == 2
    assert "nowhere: expected one with bundles" in capsys.readouterr().err
    assert readme.read_text() == text
    readme.write_bytes(b"\xff" + text.encode())
    assert share.main(["table", str(tmp_path), "--write", str(readme)]) == 2
    assert "expected text in UTF-8" in capsys.readouterr().err
