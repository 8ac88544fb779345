"""What the benchmark makes of its rounds; the rounds themselves are acted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sonic_sb3 import benchmark, speed_benchmark
from sonic_sb3.speed_benchmark import Contestant, format_report, measure, plot_reports
from sonic_sb3.speed_contestants import PREPARATIONS, Contest

CONTEST = Contest("PangolinDash-Genesis-v0", "CanopyZone.Act1", 8, 128, "nature", 2)
# Timesteps/s of two rounds, of the emulator frames/s; the machine is half as fast in the second.
SPEEDS = {
    "raw": (4000.0, 2000.0),
    "env stock": (500.0, 250.0),
    "env ours": (2000.0, 1100.0),
    "train stock": (100.0, 50.0),
    "train stock 1 thread": (120.0, 60.0),
    "train ours": (240.0, 120.0),
    "train ours bf16": (360.0, 150.0),
}


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    def act(_: Contest, names: Sequence[str], n_rounds: int, tell: object) -> list[Contestant]:
        contestants = []
        for name in names:
            key = "frames_per_s" if name == "raw" else "timesteps_per_s"
            parts = {"env_s": 1.0, "policy_s": 2.0, "update_s": 3.0}
            rounds = [{key: speed, **parts} for speed in SPEEDS[name]]
            contestants.append(Contestant(name, None, None, rounds, 100.0))  # type: ignore[arg-type]
        return contestants

    monkeypatch.setattr(speed_benchmark, "run_contest", act)
    monkeypatch.setattr(speed_benchmark, "n_usable_cores", lambda: 2)
    return measure(CONTEST, 2, with_training=True, tell=lambda line: None)


def test_ratios_are_taken_round_by_round_to_the_faster_stock(report: dict[str, Any]) -> None:
    assert set(SPEEDS) == set(PREPARATIONS)
    assert set(report["ratios"]) == {"env ours", "train ours", "train ours bf16"}
    assert report["ratios"]["train ours"] == {"median": 2.0, "min": 2.0, "max": 2.0}
    assert report["ratios"]["train ours bf16"] == {"median": 2.75, "min": 2.5, "max": 3.0}
    assert report["ratios"]["env ours"]["max"] == pytest.approx(4.4)


def test_share_of_the_plain_limit_is_of_the_same_round(report: dict[str, Any]) -> None:
    # Two cores of 4,000 frames/s could give 2,000 timesteps/s of four frames, then 1,000.
    assert report["share_of_plain_limit"] == pytest.approx({"median": 1.05, "min": 1.0, "max": 1.1})


def test_what_limits_a_training_is_told(report: dict[str, Any]) -> None:
    assert report["contestants"]["train ours"]["limit"] == {"part": "update", "share": 0.5}
    assert "limited by gradient steps (50% of its time)" in format_report(report)
    assert "limit" not in report["contestants"]["env ours"]


def test_memory_of_a_gpu_is_told_where_there_is_one(report: dict[str, Any]) -> None:
    assert "GPU" not in format_report(report)
    report["contestants"]["train ours"]["peak_gpu_mb"] = 1234.5
    assert "; 1,234 MB on the GPU" in format_report(report)


def test_table_and_picture(report: dict[str, Any], tmp_path: Path) -> None:
    table = format_report(report)
    assert "2.75 x stock" in table
    assert "train stock 1 thread" in table
    plot_reports([report], tmp_path / "speed.png")
    assert (tmp_path / "speed.png").stat().st_size > 1000


def test_rollouts_too_short_to_train_on_are_refused_before_measuring(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--n-envs", "16", "2", "--n-steps", "3", "-o", str(tmp_path)]
    assert benchmark.main(options) == 2
    assert "expected at least 8 timesteps a rollout, got 2 envs x 3" in capsys.readouterr().err
