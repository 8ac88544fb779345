"""To rl-zoo3 and plain SB3 and back, with their own programs."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from sonic_sb3 import share
from sonic_sb3.actors import make_actor
from sonic_sb3.bundles.agents import load_bundle_policy
from sonic_sb3.bundles.archive import write_folder
from sonic_sb3.bundles.contents import INDEX, add_index, open_bundle
from sonic_sb3.bundles.rl_zoo3 import read_rl_zoo3_run

GAME = "PangolinDash-Genesis-v0"
LOAD_IN_SB3 = """
import sys
import numpy as np
from stable_baselines3 import PPO
model = PPO.load(sys.argv[1], device="cpu")
obs = np.load(sys.argv[2])
np.save(sys.argv[3], model.predict(obs, deterministic=True)[0])
print(model.num_timesteps, model.n_steps)
"""


@pytest.fixture
def zoo_run(bundle_path: Path, tmp_path: Path) -> Path:
    logs = tmp_path / "logs"
    assert share.main(["pack", str(bundle_path), "--as", "rl-zoo3", "-o", str(logs)]) == 0
    return logs / "ppo" / f"{GAME}_1"


def test_rl_zoo3s_enjoy_plays_it(zoo_run: Path) -> None:
    command = [sys.executable, "-m", "rl_zoo3.enjoy", "--algo", "ppo", "--env", GAME, "--no-render"]
    command += ["-f", str(zoo_run.parents[1]), "--gym-packages", "sonic_sb3", "-n", "90"]
    command += ["--num-threads", "1", "--stochastic"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "Stacking 4 frames" in result.stdout
    assert result.stdout.count("Episode Length 40") == 2, "env_kwargs of the agent were used"


def test_sb3_loads_the_plain_zip_and_acts_the_same(bundle_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "agent.zip"
    assert share.main(["pack", str(bundle_path), "--as", "sb3", "-o", str(path)]) == 0
    obs = np.random.default_rng(0).integers(0, 256, (64, 4, 36, 36), dtype=np.uint8)
    np.save(tmp_path / "obs.npy", obs)
    argv = [str(path), str(tmp_path / "obs.npy"), str(tmp_path / "actions.npy")]
    result = subprocess.run(
        [sys.executable, "-c", LOAD_IN_SB3, *argv], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["12345", "32"]
    actor = make_actor(load_bundle_policy(open_bundle(bundle_path)))
    expected = actor.action_probabilities(obs, np.zeros(len(obs), bool)).argmax(axis=1)
    np.testing.assert_array_equal(np.load(tmp_path / "actions.npy"), expected)


def test_a_run_folder_of_theirs_comes_back_the_same(zoo_run: Path, bundle_path: Path) -> None:
    agent = read_rl_zoo3_run(zoo_run)
    policy = load_bundle_policy(open_bundle(bundle_path))
    for one, two in zip(agent.policy.parameters(), policy.parameters(), strict=True):
        assert one.equal(two)
    assert agent.levels == ("CanopyZone.Act1",)
    assert agent.hyperparameters.n_steps == 32
    assert agent.n_timesteps_trained == 12_345, "the model's, not the settings'"


def test_what_rl_zoo3_itself_trained_is_imported(tmp_path: Path, capsys: Any) -> None:
    game = "Airstriker-Genesis-v0"
    settings = {
        "n_timesteps": 32,
        "policy": "CnnPolicy",
        "n_envs": 1,
        "frame_stack": 2,
        "n_steps": 16,
        "batch_size": 16,
        "n_epochs": 1,
        "learning_rate": "lin_1e-4",
        "env_kwargs": {"frame_width": 36, "frame_height": 36, "max_episode_steps": 20},
    }
    (tmp_path / "conf.yml").write_text(yaml.safe_dump({game: settings}))
    command = [sys.executable, "-m", "rl_zoo3.train", "--algo", "ppo", "--env", game]
    command += ["--gym-packages", "sonic_sb3", "--conf-file", str(tmp_path / "conf.yml")]
    command += ["-f", str(tmp_path / "logs"), "--eval-freq", "-1", "--num-threads", "1", "-n", "48"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    run = tmp_path / "logs" / "ppo" / f"{game}_1"
    assert "!!python/object" in (run / game / "config.yml").read_text(), "as they write it"
    path = tmp_path / "theirs.sonic.zip"
    argv = ["import", str(run), "-n", "2", "--no-video", "--name", "theirs", "-o", str(path)]
    assert share.main(argv) == 0, capsys.readouterr().err
    bundle = open_bundle(path)
    assert bundle.hyperparameters.policy_kwargs.extractor == "nature"
    assert bundle.hyperparameters.frame_stack == 2
    assert "for 48 timesteps by rl-zoo3" in bundle.files["README.md"].decode()
    from stable_baselines3 import PPO

    theirs = PPO.load(run / f"{game}.zip", device="cpu").policy
    ours = load_bundle_policy(bundle)
    for one, two in zip(theirs.parameters(), ours.parameters(), strict=True):
        np.testing.assert_allclose(one.detach(), two.detach(), rtol=1e-3, atol=1e-6)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch marker",))


@pytest.mark.parametrize(
    "number", ["0x" + "f" * 5000, "1" + ":1" * 200_000, "0x" + "f" * 99], ids=len
)
def test_numbers_without_end_in_a_config(number: str, zoo_run: Path, capsys: Any) -> None:
    config = zoo_run / GAME / "config.yml"
    config.write_text(config.read_text() + f"seed: {number}\n")
    assert share.main(["import", str(zoo_run), "-n", "1", "--no-video"]) == 2
    error = capsys.readouterr().err
    assert "expected numbers of at most 100 digits" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("form", ["sb3", "rl-zoo3"])
def test_settings_that_take_too_much_memory(
    form: str, agent_files: dict[str, bytes], tmp_path: Path, capsys: Any
) -> None:
    files = {name: content for name, content in agent_files.items() if name != INDEX}
    name = "hyperparameters.yml"
    files[name] = files[name].replace(b"n_steps: 32", b"n_steps: 100000000")
    write_folder(tmp_path / "large", add_index("agent", "ppo-small1", files))
    argv = ["pack", str(tmp_path / "large"), "--as", form, "-o", str(tmp_path / "out")]
    assert share.main(argv) == 2
    assert "n_steps: expected rollouts that fit" in capsys.readouterr().err
    assert not [path for path in tmp_path.glob("out/**/*") if path.is_file()]


@pytest.mark.parametrize("how", ["config", "pipe", "args", "eval", "data", "weights", "wrapper"])
def test_importing_runs_nothing(how: str, zoo_run: Path, tmp_path: Path, monkeypatch: Any) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    config = zoo_run / GAME / "config.yml"
    code = "!!python/object/apply:os.system ['touch marker']\n"
    if how == "config":
        config.write_text(f"policy: {code}")
    elif how == "pipe":
        config.unlink()
        os.mkfifo(config)  # nobody will ever write to it
    elif how == "args":
        (zoo_run / GAME / "args.yml").write_text(f"env_kwargs: {code}")
    elif how == "wrapper":
        config.write_text(config.read_text() + "env_wrapper: os.system\n")
    elif how == "eval":
        data = yaml.safe_load(config.read_text())
        data["policy_kwargs"] = "dict(x=__import__('os').system('touch marker'))"
        config.write_text(yaml.safe_dump(data))
    else:
        replace_in_zip(zoo_run / f"{GAME}.zip", {"data": "data", "weights": "policy.pth"}[how])
    # The pickled part of an SB3 zip is never opened, so that one alone is no harm.
    options = ["-n", "1", "--no-video", "-o", str(tmp_path / "out.sonic.zip")]
    assert share.main(["import", str(zoo_run), *options]) == (0 if how == "data" else 2)
    assert not list(tmp_path.rglob("marker"))


def replace_in_zip(path: Path, name: str) -> None:
    other = path.with_suffix(".tmp")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, pickle.dumps(Bomb()) if entry == name else old.read(entry))
    shutil.move(other, path)
