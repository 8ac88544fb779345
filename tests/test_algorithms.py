"""Every algorithm on the free game: it learns, saves, loads, evaluates, and resumes to the bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.base_class import BaseAlgorithm

import sonic_sb3
from sonic_sb3 import evaluate, machine, train, training
from sonic_sb3.actors import make_actor
from sonic_sb3.models import check_replay_memory
from sonic_sb3.plots import read_monitor
from sonic_sb3.scripts import Script
from tests.run_checks import Killed, assert_same, interrupt

GAME = "PangolinDash-Genesis-v0"
ON_POLICY = ["n_steps:32", "batch_size:32"]
VALUE_BASED = ["buffer_size:100", "learning_starts:40", "batch_size:8", "gradient_steps:1"]
VALUE_BASED += ["train_freq:4", "target_update_interval:48", "exploration_fraction:0.9"]
SMALL_NETWORK = ["policy_kwargs.features_dim:16"]
PARAMETERS = {
    "a2c_reuse": [*ON_POLICY, "n_epochs:2", *SMALL_NETWORK],
    "ppo_lstm": [*ON_POLICY, "n_epochs:2", "policy_kwargs.lstm_hidden_size:8", *SMALL_NETWORK],
    "trpo": [*ON_POLICY, "n_critic_updates:2", *SMALL_NETWORK],
    "dqn": [*VALUE_BASED, "n_steps:3", *SMALL_NETWORK],
    "qrdqn": [*VALUE_BASED, "policy_kwargs.n_quantiles:5", *SMALL_NETWORK],
    "jerk": ["right_steps:12", "left_steps:6"],
    "random": [],
}
LEARNING = [algo for algo in PARAMETERS if algo not in ("jerk", "random")]


def run_training(algo: str, logs: Path, *arguments: str) -> int:
    argv = ["--algo", algo, "-n", "192", "--n-envs", "2", "--n-workers", "1", "--seed", "3"]
    argv += ["--num-threads", "1", "--eval-episodes", "0", "--save-freq", "64", "-f", str(logs)]
    argv += [*arguments, "-params", "env_kwargs.max_episode_steps:25", "env_kwargs.frame_width:36"]
    argv += ["env_kwargs.fast_emulator:false", "env_kwargs.frame_height:36"]
    return train.main([*argv, *PARAMETERS[algo]])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs that nothing disturbed, each trained once, with the model as it was in memory."""
    runs: dict[str, tuple[Path, BaseAlgorithm]] = {}

    def get(algo: str) -> tuple[Path, BaseAlgorithm]:
        if algo not in runs:
            logs = tmp_path_factory.mktemp(algo)
            models: list[BaseAlgorithm] = []
            with pytest.MonkeyPatch.context() as patch:
                save = training.save_model

                def keep(model: BaseAlgorithm, path: Path) -> None:
                    models.append(model)
                    save(model, path)

                patch.setattr(training, "save_model", keep)
                assert run_training(algo, logs) == 0
            runs[algo] = (logs / algo / f"{GAME}_1", models[-1])
        return runs[algo]

    return get


@pytest.mark.parametrize("algo", LEARNING)
def test_it_learns_saves_and_loads(algo: str, finished: Any) -> None:
    folder, model = finished(algo)
    run = sonic_sb3.load_run(folder)
    early, late = run.load_policy("64"), run.load_policy()
    assert model._n_updates > 0
    changed = [
        not torch.equal(value, late.state_dict()[name])
        for name, value in early.state_dict().items()
    ]
    assert sum(changed) > len(changed) / 2, "weights go on changing"
    observations = np.random.default_rng(0).integers(0, 256, (32, 4, 36, 36), np.uint8)
    starts = np.arange(32) == 0
    for _ in range(2):  # the second answer depends on what a recurrent actor remembers
        expected = make_actor(model.policy).action_probabilities(observations, starts)
        loaded = make_actor(late).action_probabilities(observations, starts)
        np.testing.assert_array_equal(loaded, expected)
        np.testing.assert_allclose(loaded.sum(axis=1), 1, rtol=1e-5)
        starts[:] = False
    rows = read_monitor(folder / "0.monitor.csv")
    assert len(rows["progress"]) == 6
    assert (folder / "learning_curve.png").is_file()


@pytest.mark.parametrize("algo", ["ppo_lstm", "dqn", "jerk"])
def test_it_is_evaluated(algo: str, finished: Any) -> None:
    folder, _ = finished(algo)
    assert evaluate.main([str(folder), "-n", "1"]) == 0
    (episode,) = json.loads((folder / "evaluation.json").read_text())["episodes"]
    assert sum(episode["action_counts"]) == 25


@pytest.mark.parametrize("algo", ["ppo_lstm", "trpo", "dqn", "jerk"])
def test_resumed_is_what_was_never_killed(
    algo: str, finished: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = finished(algo)
    with monkeypatch.context() as patch:
        interrupt(patch, at_step=71)
        with pytest.raises(Killed):
            run_training(algo, tmp_path, "--snapshot-freq", "1")
    run = tmp_path / algo / f"{GAME}_1"
    assert (run / "replay").is_dir() == (algo == "dqn")
    torch.manual_seed(99)
    assert train.main(["--resume", str(run)]) == 0
    again, once = (sonic_sb3.load_run(path) for path in (run, folder))
    for checkpoint in (None, "64", "128"):
        mine, theirs = (r.load_policy(checkpoint).state_dict() for r in (again, once))
        assert_same(mine, theirs)
    mine, theirs = (read_monitor(path / "0.monitor.csv") for path in (run, folder))
    del mine["t"], theirs["t"]
    assert mine == theirs
    assert not (run / "replay").exists()


def test_jerk_remembers_and_replays(finished: Any) -> None:
    folder, _ = finished("jerk")
    script = sonic_sb3.load_run(folder).load_policy()
    assert isinstance(script, Script)
    assert script.get_extra_state()["n_actions"].numel() > 0
    returns = script.get_extra_state()["n_returns"].tolist()
    assert sum(returns) == 6, "each episode was found or replayed"


def test_evaluations_during_training_work_for_memories(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(training, "record_video", lambda *_: None)
    assert run_training("ppo_lstm", tmp_path, "--eval-freq", "100", "--eval-episodes", "1") == 0
    run = tmp_path / "ppo_lstm" / f"{GAME}_1"
    assert (run / "best_model.zip").is_file()
    with np.load(run / "evaluations.npz") as file:
        assert len(file["timesteps"]) == 1


def test_a_replay_buffer_must_fit(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    assert train.main(["--algo", "dqn", "-params", "buffer_size:1000000000000"]) == 2
    error = capsys.readouterr().err
    assert "buffer_size: expected a replay buffer that fits into" in error
    hyperparameters = sonic_sb3.load_hyperparameters("dqn", overrides={"buffer_size": 50_000})
    assert 0.43 < hyperparameters.replay_bytes() / 2**30 < 0.44
    check_replay_memory(hyperparameters)  # type: ignore[arg-type]


def test_a_control_groups_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit, used, parts = tmp_path / "max", tmp_path / "current", tmp_path / "stat"
    monkeypatch.setattr(machine, "_MEMORY_LIMITS", ((limit, used, parts),))
    free = machine.free_memory_bytes()
    used.write_text("900\n")
    parts.write_text("anon 850\ninactive_file 30\nactive_file 20\n")
    limit.write_text("max\n")
    assert machine.free_memory_bytes() > free / 2
    limit.write_text("1000\n")
    assert machine.free_memory_bytes() == 150
    limit.write_text("800\n")
    assert machine.free_memory_bytes() == 0
