"""``python -m sonic_sb3.compare``: what it takes, and what it answers to what it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sonic_sb3 import compare

from .conftest import RunMaker, episode

HALF = episode(progress=0.5, length=40)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required"),
        (["nowhere"], "no run in nowhere: expected a run folder"),
        (["empty"], "no run in empty: expected a run folder with manifest.json"),
        (["dash", "--metric", "progres"], "did you mean 'progress'"),
        (["unevaluated", "--metric", "progress"], "--metric progress: expected runs that have it"),
        (["never_begun"], "the runs are empty"),
        (["dash", "air"], "--mix-games"),
        (["dash", "-o", "dash/manifest.json"], "cannot write"),
        (["dash", "-o", "dash"], "dash holds other files than a report: expected a new"),
        (["broken"], "expected a readable manifest.json"),
    ],
)
def test_refuses_in_one_line(
    arguments: list[str],
    message: str,
    make_run: RunMaker,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    make_run("dash", [HALF], [HALF])
    make_run("air", [HALF], [HALF], env="Airstriker-Genesis-v0", levels=["Level1"])
    make_run("unevaluated", [HALF])
    make_run("never_begun")
    make_run("broken", [HALF])
    (make_run.root / "broken" / "manifest.json").write_text('{"settings": ')
    (make_run.root / "empty").mkdir()
    monkeypatch.chdir(make_run.root)
    assert compare.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not Path("comparison").exists()


def test_named_arms_experiments_and_a_half_written_file(
    make_run: RunMaker, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monitor = make_run("logs/ppo/ENV_1", [HALF] * 5, [HALF] * 2) / "0.monitor.csv"
    monitor.write_bytes(monitor.read_bytes()[:-9])
    make_run("experiments/study/results/slow/seed_0", [HALF] * 3, [HALF] * 2)
    monkeypatch.chdir(make_run.root)
    arguments = ["my agent=logs/ppo/ENV_1", "study", "-o", "out", "--title", "A & B"]
    assert compare.main(arguments) == 0
    text = capsys.readouterr().out
    rows = [line.split("  ")[0] for line in text.splitlines()]
    assert rows[:3] == ["arm", "slow", "my agent"]
    assert "one seed: no interval" in text
    said = "my agent, seed 0: 0.monitor.csv: its last row is not whole and was left out."
    assert said in text
    report = Path("out/report.md").read_text()
    assert report.startswith("# A & B\n")
    assert f"- {said}" in report
