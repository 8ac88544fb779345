"""Fine-tuning, warm-up, curricula: what they begin with, what changes, how they resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import sonic_sb3
from sonic_sb3 import train
from sonic_sb3.errors import SettingsError
from sonic_sb3.hyperparams import load_hyperparameters
from sonic_sb3.plots import read_monitor
from sonic_sb3.schedules import make_schedule
from sonic_sb3.stages import stage_at
from tests.run_checks import SMALL_PPO, Killed, interrupt

GAME = "PangolinDash-Genesis-v0"
ENTRY = SMALL_PPO | {"env_kwargs": SMALL_PPO["env_kwargs"] | {"fast_emulator": False}}
DECAY = {"power": 1.0, "horizon": 200}
STAGES = [
    {
        "levels": "CanopyZone.Act1",
        "n_timesteps": 40,
        "env_kwargs": {"rewards": [{"term": "x_delta", "weight": 0.01}]},
    },
    {
        "levels": ["QuarryZone.Act1", "CanopyZone.Act2"],
        "n_timesteps": 88,
        "env_kwargs": {
            "max_episode_steps": 10,
            "gray_shift": 10,
            "retry_prob": 0.5,
            "rewards": [{"term": "time", "weight": -1.0, "decay": DECAY}],
        },
    },
]


def write(path: Path, **changes: Any) -> Path:
    path.write_text(yaml.safe_dump({"default": ENTRY | changes}))
    return path


def run_training(conf: Path, logs: Path, *arguments: str, algo: str = "ppo") -> int:
    argv = ["--algo", algo, "--conf-file", str(conf), "-f", str(logs), "--n-workers", "1"]
    argv += ["--num-threads", "1", "--seed", "3", "--eval-episodes", "0", "--save-freq", "32"]
    return train.main([*argv, *arguments])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    assert run_training(write(folder / "ppo.yml"), folder / "logs") == 0
    return folder / "logs" / "ppo" / f"{GAME}_1"


# -- warm-up --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("warmup_100_lin_1e-2", [0.0, 0.9 * 0.01 * 0.5, 0.8 * 0.01, 0.5 * 0.01, 0.0]),
        ("warmup_100_1e-2", [0.0, 0.01 * 0.5, 0.01, 0.01, 0.01]),
        ("warmup_200_const_1e-2", [0.0, 0.01 * 0.25, 0.01 * 0.5, 0.01, 0.01]),
        ("const_1e-2", [0.01] * 5),
        ("lin_1e-2", [0.01, 0.009, 0.008, 0.005, 0.0]),
    ],
)
def test_schedules(text: str, expected: list[float]) -> None:
    overrides = {"learning_rate": text, "n_timesteps": 500}
    value = load_hyperparameters("ppo", overrides=overrides).written()["learning_rate"]
    schedule = make_schedule(value, 500)
    remaining = [1.0, 0.9, 0.8, 0.5, 0.0]
    assert [schedule(p) for p in remaining] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("learning_rate", "warmup_lin_1e-3", "expected warmup_TIMESTEPS_lin_NUMBER"),
        ("learning_rate", "warmup_0_1e-3", "expected warmup_TIMESTEPS_lin_NUMBER"),
        ("learning_rate", "warmup_10_exp_3", "expected a number or lin_NUMBER"),
        ("learning_rate", "warmup_2000000_1e-3", "expected a warm-up of at most n_timesteps"),
        ("clip_range", "warmup_10_0.1", "clip_range: expected a number or lin_NUMBER"),
        ("learning_rate", "const_-1", "above 0"),
    ],
)
def test_wrong_schedules(key: str, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_hyperparameters("ppo", overrides={key: text})


# -- fine-tuning ----------------------------------------------------------------------------------


def test_fine_tuning_begins_with_the_weights(source: Path, tmp_path: Path) -> None:
    conf = write(tmp_path / "ppo.yml", learning_rate=1.0e-12, n_timesteps=32)
    assert run_training(conf, tmp_path, "-i", str(source), "--init-checkpoint", "64") == 0
    folder = tmp_path / "ppo" / f"{GAME}_1"
    theirs = sonic_sb3.load_run(source).load_policy("64").state_dict()
    ours = sonic_sb3.load_run(folder).load_policy().state_dict()
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, atol=1e-8, rtol=0)
    last = sonic_sb3.load_run(source).load_policy().state_dict()
    assert any(not torch.equal(ours[name], value) for name, value in last.items())
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["settings"]["init_run"] == str(source)
    assert len(manifest["init_model_sha256"]) == 64


def test_another_algorithm_may_go_on_with_the_weights(source: Path, tmp_path: Path) -> None:
    entry = {k: v for k, v in ENTRY.items() if k not in ("batch_size", "n_epochs")}
    conf = tmp_path / "a2c.yml"
    conf.write_text(yaml.safe_dump({"default": entry | {"n_timesteps": 32}}))
    assert run_training(conf, tmp_path, "-i", str(source), algo="a2c") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-params", "policy_kwargs.features_dim:8"], "policy_kwargs.features_dim: expected 16"),
        (["-params", "policy_kwargs.extractor:nature"], "expected 'separable'"),
        (["-params", "frame_stack:2"], "observations: expected (4, 36, 36)"),
        (["-params", "env_kwargs.actions:winner10"], "env_kwargs.actions: expected ['LEFT'"),
        (["--init-checkpoint", "7"], "no model rl_model_7_steps.zip"),
        (["--init-checkpoint", "worst"], "expected checkpoint 'best' or a number"),
    ],
)
def test_weights_that_do_not_fit(
    arguments: list[str], message: str, source: Path, tmp_path: Path, capsys: Any
) -> None:
    conf = write(tmp_path / "ppo.yml")
    assert run_training(conf, tmp_path / "logs", "-i", str(source), *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "logs").exists()


def test_starting_runs_that_are_none(tmp_path: Path, capsys: Any) -> None:
    conf = write(tmp_path / "ppo.yml")
    assert run_training(conf, tmp_path / "logs", "-i", "nowhere") == 2
    assert "no run folder nowhere" in capsys.readouterr().err


# -- curricula ------------------------------------------------------------------------------------


@pytest.mark.parametrize("algo", ["ppo", "dqn"])
def test_a_curriculum_is_one_run_that_resumes(
    algo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = write(tmp_path / "ppo.yml", stages=STAGES)
    if algo == "dqn":
        entry = {k: v for k, v in ENTRY.items() if k not in ("n_steps", "n_epochs")}
        entry |= {"stages": STAGES, "buffer_size": 100, "learning_starts": 10, "train_freq": 4}
        conf.write_text(yaml.safe_dump({"default": entry}))
    assert run_training(conf, tmp_path / "calm", algo=algo) == 0
    calm = tmp_path / "calm" / algo / f"{GAME}_1"
    rows = read_monitor(calm / "0.monitor.csv")
    n_first = 2  # both envs end an episode of 20 timesteps before the stage ends
    assert rows["level"][:n_first] == ["CanopyZone.Act1"] * n_first
    assert set(rows["level"][n_first:]) == {"QuarryZone.Act1", "CanopyZone.Act2"}
    assert set(rows["l"][n_first:]) == {"10"}
    assert {float(r) for r in rows["reward/time"][:n_first]} == {0.0}
    assert {float(r) for r in rows["reward/x_delta"][n_first:]} == {0.0}
    assert set(rows["is_retry"]) == {"False"}, "time was over, nothing failed"
    costs = [-float(r) for r in rows["reward/time"][n_first:]]
    assert 8.0 > costs[0] > costs[-1] > 0.0  # of 10, after 40 and more of 200 timesteps
    for at_step in (10, 45):
        logs = tmp_path / f"killed_{at_step}"
        with monkeypatch.context() as patch:
            interrupt(patch, at_step)
            with pytest.raises(Killed):
                run_training(conf, logs, "--snapshot-freq", "1", algo=algo)
        killed = logs / algo / f"{GAME}_1"
        assert train.main(["--resume", str(killed)]) == 0
        ours, theirs = (sonic_sb3.load_run(path).load_policy() for path in (killed, calm))
        for name, value in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[name], value), name
        again = read_monitor(killed / "0.monitor.csv")
        del again["t"]
        assert again == {name: column for name, column in rows.items() if name != "t"}


def test_retries_go_on_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to_the_pit = {**ENTRY["env_kwargs"], "actions": [["RIGHT"], ["RIGHT", "DOWN"]]}
    to_the_pit |= {"retry_prob": 0.8, "max_episode_steps": 500}
    conf = write(tmp_path / "ppo.yml", env_kwargs=to_the_pit, n_timesteps=512)
    assert run_training(conf, tmp_path / "calm") == 0
    calm = tmp_path / "calm" / "ppo" / f"{GAME}_1"
    rows = read_monitor(calm / "0.monitor.csv")
    assert {"True", "False"} == set(rows["is_retry"])
    with monkeypatch.context() as patch:
        interrupt(patch, 170)
        with pytest.raises(Killed):
            run_training(conf, tmp_path / "killed", "--snapshot-freq", "1")
    killed = tmp_path / "killed" / "ppo" / f"{GAME}_1"
    assert train.main(["--resume", str(killed)]) == 0
    again = read_monitor(killed / "0.monitor.csv")
    del again["t"]
    assert again == {name: column for name, column in rows.items() if name != "t"}


def test_stages_are_counted_in_timesteps(tmp_path: Path) -> None:
    conf = write(tmp_path / "ppo.yml", stages=STAGES)
    hyperparameters = load_hyperparameters("ppo", conf_file=conf)
    assert [stage_at(hyperparameters, n) for n in (0, 39, 40, 127, 128, 200)] == [0, 0, 1, 1, 1, 1]
    assert stage_at(load_hyperparameters("ppo"), 10**9) == 0


@pytest.mark.parametrize(
    ("changes", "arguments", "message"),
    [
        ({"n_timesteps": 100}, [], "n_timesteps: expected the sum of the stages' timesteps, 128"),
        ({}, ["-n", "64"], "expected the sum of the stages' timesteps"),
        ({}, ["--levels", "CanopyZone.Act1"], "--levels: expected none"),
        ({}, ["--env-kwargs", "level:CanopyZone.Act1"], "env_kwargs.level: expected none"),
        (
            {"stages": [STAGES[0], {**STAGES[1], "env_kwargs": {"level": "QuarryZone.Act1"}}]},
            [],
            "env_kwargs.level: expected none",
        ),
        ({"stages": [{**STAGES[0], "n_timesteps": 128, "levels": "X"}]}, [], "unknown level"),
        ({"stages": [{**STAGES[0], "step": 1}]}, [], "unknown key 'step'"),
        (
            {"stages": [STAGES[0], {**STAGES[1], "env_kwargs": {}}]},
            [],
            "stage 2: expected rewards as a list of terms",
        ),
        (
            {"stages": [{**STAGES[0], "n_timesteps": 128, "env_kwargs": {"frame_width": 48}}]},
            [],
            "stage 1: expected observations of shape (4, 36, 36)",
        ),
        (
            {"stages": [{**STAGES[0], "n_timesteps": 128, "env_kwargs": {"actions": "paper8"}}]},
            [],
            "actions among the run's env_kwargs",
        ),
    ],
)
def test_wrong_curricula(
    changes: dict[str, Any], arguments: list[str], message: str, tmp_path: Path, capsys: Any
) -> None:
    conf = write(tmp_path / "ppo.yml", **{"stages": STAGES, **changes})
    assert run_training(conf, tmp_path / "logs", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "logs").exists()
