"""The contest's protocol: each level learned anew, all episodes counted, interrupted, gone on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonic_sb3 import evaluate, train, training
from sonic_sb3.hyperparams import load_hyperparameters
from sonic_sb3.plots import read_monitor
from sonic_sb3.protocols import find_deviations, format_result
from tests.run_checks import Killed, interrupt

GAME = "PangolinDash-Genesis-v0"
SMALL = ["n_steps:16", "batch_size:16", "n_epochs:1", "policy_kwargs.features_dim:16"]
SMALL += ["env_kwargs.max_episode_steps:20", "env_kwargs.frame_width:36"]
SMALL += ["env_kwargs.frame_height:36", "env_kwargs.fast_emulator:false"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    logs = tmp_path_factory.mktemp("logs")
    argv = ["-n", "32", "--n-envs", "2", "--n-workers", "1", "--num-threads", "1", "--seed", "1"]
    argv += ["--eval-episodes", "0", "-f", str(logs), "-params", *SMALL]
    assert train.main(argv) == 0
    return logs / "ppo" / f"{GAME}_1"


def test_contest_protocol(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    argv = [str(run), "--protocol", "contest", "--budget", "64", "-params", "learning_rate:1e-4"]
    argv += ["n_envs:1", "env_kwargs.retry_prob:0.5"]
    argv += ["callback:{sonic_sb3.annealing.AnnealWhenReady: {n_timesteps: 10}}"]
    argv += ["--levels", "QuarryZone.Act3", "SkylineZone.Act1"]
    with monkeypatch.context() as patch:
        interrupt(patch, at_step=90)
        with pytest.raises(Killed):
            evaluate.main(argv)
    assert evaluate.main([*argv, "--json", str(tmp_path / "result.json")]) == 0
    output = capsys.readouterr().out
    assert output.count("QuarryZone.Act3: 64 timesteps") == 1, "what is finished is not done again"
    assert "SkylineZone.Act1: goes on" in output
    assert "64 timesteps of learning per level, 0.01% of the contest's budget" in output
    assert "the env differs: max_episode_steps 20" in output
    result = json.loads((tmp_path / "result.json").read_text())
    assert result == json.loads((run / "contest_64_seed0" / "result.json").read_text())
    means = []
    for level, row in result["levels"].items():
        scores = read_monitor(run / row["run"] / "0.monitor.csv")
        assert set(scores["level"]) == {level}
        assert "is_retry" not in scores, "the contest knows no saved states"
        manifest = json.loads((run / row["run"] / "manifest.json").read_text())
        (annealing,) = manifest["hyperparameters"]["callback"].values()
        assert annealing["success_rate"] is None, "the whole budget is played"
        assert row["n_episodes"] == len(scores["contest_score"]) == 3
        means.append(np.mean([float(score) for score in scores["contest_score"]]))
        assert row["mean_score"] == pytest.approx(means[-1])
    assert result["mean_score"] == pytest.approx(np.mean(means))
    (run / f"{GAME}.zip").write_bytes((run / f"{GAME}.zip").read_bytes() + b"x")
    assert evaluate.main(argv) == 2
    assert "was begun with other settings" in capsys.readouterr().err


@pytest.mark.parametrize("at_step", [20, 50])
def test_resumed_as_it_was_told_it_stays_within_its_budget(
    at_step: int, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle, and when all of the odd budget is played that two envs can play."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    argv = [str(run), "--protocol", "contest", "--budget", "101", "--levels", "QuarryZone.Act3"]
    argv += ["-params", "n_steps:24"]
    with monkeypatch.context() as patch:
        if at_step == 20:
            interrupt(patch, at_step=at_step)
        else:
            patch.setattr(training, "save_model", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            evaluate.main(argv)
    level = run / "contest_101_seed0" / "QuarryZone.Act3" / "ppo" / f"{GAME}_1"
    assert train.main(["--resume", str(level)]) == 0
    assert json.loads((level / "manifest.json").read_text())["n_timesteps_trained"] == 100
    assert evaluate.main(argv) == 0


def test_nothing_beyond_the_budget_counts(trained: Path, tmp_path: Path, capsys: Any) -> None:
    """A rollout of 48 timesteps with two envs, and a budget of 101: episodes of 20 timesteps."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    argv = [str(run), "--protocol", "contest", "--budget", "101", "--num-threads", "2"]
    argv += ["-params", "n_steps:24", "--levels", "QuarryZone.Act3"]
    assert evaluate.main(argv) == 0
    (row,) = json.loads((run / "contest_101_seed0" / "result.json").read_text())["levels"].values()
    assert row["n_timesteps"] == 100
    assert row["n_episodes"] == 4
    manifest = json.loads((run / row["run"] / "manifest.json").read_text())
    assert manifest["settings"]["num_threads"] == 2
    capsys.readouterr()
    assert evaluate.main([*argv, "--env", "Airstriker-Genesis-v0"]) == 2
    assert f"was trained on {GAME}, got Airstriker" in capsys.readouterr().err


def test_zero_shot_protocol(trained: Path, tmp_path: Path, capsys: Any) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    argv = [str(run), "--protocol", "zero-shot", "-n", "1", "--levels", "QuarryZone.Act3"]
    assert evaluate.main(argv) == 0
    result = json.loads((run / "zero_shot.json").read_text())
    (row,) = result["levels"].values()
    assert row["mean_score"] == result["mean_score"] == row["scores"][0]
    assert "without learning on the levels" in capsys.readouterr().out


def test_the_contests_env_has_no_deviations() -> None:
    assert find_deviations(load_hyperparameters("ppo")) == {}
    overrides = {"env_kwargs.frame_skip": 8, "env_kwargs.sticky_prob": 0.0}
    assert find_deviations(load_hyperparameters("ppo", overrides=overrides)) == {
        "frame_skip": 8,
        "sticky_prob": 0.0,
    }


def test_full_budget_is_called_the_contests() -> None:
    row = {"mean_score": 1234.0, "n_episodes": 300, "completion_rate": 0.1}
    result = {
        "protocol": "contest",
        "algo": "ppo",
        "env": GAME,
        "share_of_contest_budget": 1.0,
        "n_timesteps_per_level": 1_000_000,
        "levels": {"QuarryZone.Act3": row},
        "mean_score": 1234.0,
        "env_deviations": {},
    }
    text = format_result(result)
    assert "1,000,000 timesteps of learning per level, the contest's budget" in text
    assert "1,234 points" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--protocol", "duel"], "invalid choice: 'duel'"),
        (["--protocol", "contest", "--budget", "0"], "--budget: expected a whole"),
        (["--protocol", "contest", "-params", "gama:1"], "did you mean 'gamma'"),
        (
            [
                *["--protocol", "contest", "--budget", "40", "-params"],
                "stages:[{levels: CanopyZone.Act1, n_timesteps: 40}]",
            ],
            "stages: expected none",
        ),
        (["--protocol", "contest", "--checkpoint", "²"], "or a number of timesteps"),
        (["--protocol", "contest", "--levels", "Moon.Act1"], "unknown level"),
        (["--protocol", "contest", "--checkpoint", "best"], "no model best_model.zip"),
        (["-params", "gamma:1"], "expected --protocol contest"),
    ],
)
def test_wrong_options(arguments: list[str], message: str, trained: Path, capsys: Any) -> None:
    assert evaluate.main([str(trained), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(trained.glob("contest_*"))
