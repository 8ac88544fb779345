"""Runs from end to end on the real emulator: artefacts, determinism, what a stranger can open."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.save_util import load_from_zip_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import sonic_sb3
from sonic_sb3 import evaluate as evaluate_command
from sonic_sb3 import train as train_command
from sonic_sb3.plots import read_monitor
from sonic_sb3.runs import observation_space

SMALL = ["-params", "n_steps:64", "batch_size:64", "n_epochs:1", "env_kwargs.max_episode_steps:50"]


def run_training(log_folder: Path, *arguments: str) -> Path:
    """Run the command in this process; the run folder it made."""
    game = "Airstriker-Genesis-v0"
    argv = ["--env", game, "-n", "256", "--n-envs", "2", "--seed", "3", "--eval-episodes", "2"]
    argv += ["--eval-freq", "128", "--save-freq", "128", "-f", str(log_folder), *arguments, *SMALL]
    before = set(log_folder.glob("*/*"))
    assert train_command.main(argv) == 0
    (folder,) = set(log_folder.glob("*/*")) - before
    return folder


def weights(path: Path) -> dict[str, Any]:
    _, parameters, _ = load_from_zip_file(path, load_data=False)
    return parameters


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    for key, value in first["policy"].items():
        assert torch.equal(value, second["policy"][key]), key
    for index, state in first["policy.optimizer"]["state"].items():
        for key, value in state.items():
            assert torch.equal(value, second["policy.optimizer"]["state"][index][key])


@pytest.fixture(scope="module")
def ppo_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_training(tmp_path_factory.mktemp("logs"))


def test_run_folder_holds_what_zoo_users_know(ppo_run: Path) -> None:
    game = "Airstriker-Genesis-v0"
    assert ppo_run.name == f"{game}_1"
    assert ppo_run.parent.name == "ppo"
    for name in (
        f"{game}.zip",
        "best_model.zip",
        "rl_model_128_steps.zip",
        "rl_model_256_steps.zip",
        "evaluations.npz",
        "0.monitor.csv",
        f"{game}/args.yml",
        f"{game}/config.yml",
        f"{game}/command.txt",
        "manifest.json",
        "evaluation.json",
        "learning_curve.png",
        "video.mp4",
    ):
        assert (ppo_run / name).stat().st_size > 0, name
    assert not list(ppo_run.rglob(".*")), "no temporary file is left"
    assert (ppo_run / "video.mp4").read_bytes()[4:8] == b"ftyp"
    assert (ppo_run / "learning_curve.png").read_bytes().startswith(b"\x89PNG")


def test_manifest_tells_all_that_decides_the_result(ppo_run: Path) -> None:
    manifest = json.loads((ppo_run / "manifest.json").read_text())
    assert manifest["settings"]["seed"] == 3
    assert manifest["settings"]["num_threads"] >= 1
    assert manifest["hyperparameters"]["n_steps"] == 64
    assert len(manifest["rom_sha1"]) == 40
    assert manifest["packages"]["stable-baselines3"]
    assert manifest["n_timesteps_trained"] == 256
    assert manifest["training_s"] > 0
    assert "PATH" not in json.dumps(manifest)


def test_evaluations_have_the_keys_of_sb3(ppo_run: Path) -> None:
    with np.load(ppo_run / "evaluations.npz") as evaluations:
        assert evaluations["timesteps"].tolist() == [128, 256]
        assert evaluations["results"].shape == (2, 2)
        assert evaluations["ep_lengths"].tolist() == [[50, 50], [50, 50]]


def test_tensorboard_has_the_scalars(ppo_run: Path) -> None:
    events = EventAccumulator(str(ppo_run / "tensorboard"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    assert {
        "rollout/ep_rew_mean",
        "eval/mean_reward",
        "time/fps",
        "train/loss",
        "game/time_s",
        "actions/3_RIGHT_DOWN",
    } <= tags
    assert [e.step for e in events.Scalars("eval/mean_reward")] == [128, 256]


def test_one_seed_gives_one_result(ppo_run: Path, tmp_path: Path) -> None:
    again = run_training(tmp_path)
    model = "Airstriker-Genesis-v0.zip"
    assert_same_weights(ppo_run / model, again / model)
    for name in ("r", "l", "level", "end_reason", "action_counts"):
        rows = [read_monitor(run / "0.monitor.csv")[name] for run in (ppo_run, again)]
        assert rows[0] == rows[1]
        assert rows[0]
    evaluations = [json.loads((run / "evaluation.json").read_text()) for run in (ppo_run, again)]
    assert evaluations[0] == evaluations[1]
    other = run_training(tmp_path, "--seed", "4")
    first, second = (weights(run / model)["policy"]["action_net.weight"] for run in (again, other))
    assert not torch.equal(first, second)


def test_result_does_not_depend_on_evaluations_or_workers(ppo_run: Path, tmp_path: Path) -> None:
    other = run_training(tmp_path, "--eval-freq", "-1", "--n-workers", "1")
    model = "Airstriker-Genesis-v0.zip"
    assert_same_weights(ppo_run / model, other / model)


def test_a2c_trains(tmp_path: Path) -> None:
    argv = ["--algo", "a2c", "--env", "Airstriker-Genesis-v0", "-n", "64", "--n-envs", "2"]
    argv += ["--eval-episodes", "0", "-f", str(tmp_path), "-tb", str(tmp_path / "tb")]
    assert train_command.main(argv) == 0
    run = sonic_sb3.load_run(tmp_path / "a2c" / "Airstriker-Genesis-v0_1")
    assert run.settings.algo == "a2c"
    assert list((tmp_path / "tb" / "Airstriker-Genesis-v0" / "A2C_1").iterdir())
    assert not (run.folder.path / "video.mp4").exists()


def test_evaluate_a_copied_run(ppo_run: Path, tmp_path: Path, capsys: Any) -> None:
    copy = tmp_path / "from elsewhere"
    shutil.copytree(ppo_run, copy)
    video = tmp_path / "out.mp4"
    results = []
    for name in ("a.json", "b.json"):
        argv = [str(copy), "-n", "3", "--video", str(video), "--json", str(tmp_path / name)]
        assert evaluate_command.main([*argv, "--checkpoint", "128"]) == 0
        results.append(json.loads((tmp_path / name).read_text()))
    assert results[0] == results[1]
    assert [e["seed"] for e in results[0]["episodes"]] == [0, 1, 2]
    assert len({e["episode_return"] for e in results[0]["episodes"]}) >= 1
    assert video.read_bytes()[4:8] == b"ftyp"
    assert "ended by: time_limit 3" in capsys.readouterr().out


def test_a_video_may_be_a_picture_that_moves(ppo_run: Path, tmp_path: Path, capsys: Any) -> None:
    video = tmp_path / "out.webp"
    argv = [str(ppo_run), "-n", "1", "--json", str(tmp_path / "a.json"), "--video"]
    assert evaluate_command.main([*argv, str(video)]) == 0
    assert video.read_bytes()[8:12] == b"WEBP"
    assert evaluate_command.main([*argv, str(tmp_path / "out.avi")]) == 2
    assert "expected a name that ends in .mp4 or .webp" in capsys.readouterr().err


def test_loaded_policy_is_the_trained_one(ppo_run: Path) -> None:
    run = sonic_sb3.load_run(ppo_run)
    policy = run.load_policy()
    shape = observation_space(run.hyperparameters).shape
    observations = np.random.default_rng(0).integers(0, 256, (64, *shape), np.uint8)
    trained = PPO.load(ppo_run / "Airstriker-Genesis-v0.zip", device="cpu")
    expected, _ = trained.predict(observations, deterministic=True)
    actions, _ = policy.predict(observations, deterministic=True)
    np.testing.assert_array_equal(actions, expected)


def test_nothing_pickled_is_opened(ppo_run: Path, tmp_path: Path) -> None:
    """A model file whose pickled part would run code: the weights load, the code does not run."""
    import base64
    import pickle
    import zipfile

    marker = tmp_path / "marker"

    class Bomb:
        def __reduce__(self) -> Any:
            return Path.write_text, (marker, "ran")

    copy = tmp_path / "run"
    shutil.copytree(ppo_run, copy)
    model = copy / "Airstriker-Genesis-v0.zip"
    bomb = base64.b64encode(pickle.dumps(Bomb())).decode()
    with zipfile.ZipFile(model) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    data = json.loads(parts["data"])
    data["policy_class"] = {":type:": "x", ":serialized:": bomb}
    parts["data"] = json.dumps(data).encode()
    with zipfile.ZipFile(model, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    sonic_sb3.load_run(copy).load_policy()
    assert not marker.exists()


def test_monitor_rows_are_whole(ppo_run: Path) -> None:
    with (ppo_run / "0.monitor.csv").open() as file:
        file.readline()
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert all(len(json.loads(row["action_counts"])) == 7 for row in rows)


def test_baselines_are_evaluated_like_agents(tmp_path: Path, capsys: Any) -> None:
    argv = ["--env", "Airstriker-Genesis-v0", "-n", "2", "--json", str(tmp_path / "r.json")]
    assert evaluate_command.main(["random", *argv]) == 0
    episodes = json.loads((tmp_path / "r.json").read_text())["episodes"]
    assert min(min(e["action_counts"]) for e in episodes) > 0
    assert evaluate_command.main(["right", *argv]) == 0
    episodes = json.loads((tmp_path / "r.json").read_text())["episodes"]
    assert all(np.flatnonzero(e["action_counts"]).tolist() == [1] for e in episodes)
    assert evaluate_command.main(["random", "--env", "Nothing-v0"]) == 2
