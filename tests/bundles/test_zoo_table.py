"""The table of agents, from bundles to a README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sonic_sb3 import share
from sonic_sb3.bundles.zoo_table import BEGIN, END


def test_the_table_tells_what_the_bundles_hold(bundle_path: Path, capsys: Any) -> None:
    assert share.main(["table", str(bundle_path.parent)]) == 0
    heading, _, row = capsys.readouterr().out.splitlines()
    cells = dict(zip(heading.strip("| ").split(" | "), row.strip("| ").split(" | "), strict=True))
    assert cells["agent"] == "`zoo/ppo-small1`"
    assert cells["level"] == "CanopyZone.Act1"
    assert cells["completed"] == "0%"
    assert cells["95 % interval"] == "0% .. 56% (n = 3)"
    assert cells["timesteps"] == "12,345"
    assert cells["minutes"] == "1"
    assert cells["hyperparameters"].startswith("ppo: learning_rate")


def test_a_readme_is_brought_up_to_date_once(bundle_path: Path, capsys: Any) -> None:
    readme = bundle_path.parent / "README.md"
    readme.write_text(f"# Agents\n\n{BEGIN}\n{END}\n\nMore.\n")
    argv = ["table", str(bundle_path.parent), "--write", str(readme)]
    assert share.main(argv) == 0
    assert "brought up to date" in capsys.readouterr().out
    assert "`zoo/ppo-small1`" in readme.read_text()
    assert readme.read_text().endswith(f"{END}\n\nMore.\n")
    assert share.main(argv) == 0
    assert "is up to date" in capsys.readouterr().out
