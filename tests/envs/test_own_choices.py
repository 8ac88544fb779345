"""One's own actions, rewards, observations and levels on the real game, through the whole stack."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
import yaml
from gymnasium.utils.env_checker import check_env as check_gymnasium_env
from stable_baselines3.common.env_checker import check_env as check_sb3_env
from stable_baselines3.common.env_util import make_vec_env as make_sb3_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecTransposeImage
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import sonic_sb3
from sonic_sb3 import train
from sonic_sb3.envs.snapshots import restore_snapshot, take_snapshot
from sonic_sb3.envs.vec_env import SonicVecEnv
from sonic_sb3.errors import SettingsError, UnknownNameError
from sonic_sb3.games import DEFAULT_GAME
from sonic_sb3.models import load_policy_weights
from sonic_sb3.plots import read_monitor

REWARDS: list[dict[str, Any]] = [
    {"term": "contest_progress", "weight": 0.01},
    {"term": "rings_gained", "weight": 0.001, "decay": {"power": 0.9, "horizon": 700}},
    {"term": "novelty", "weight": 0.05},
    {"term": "no_progress", "weight": -0.001, "patience": 20},
]
EVERYTHING: dict[str, Any] = {
    "level": "train",
    "level_draw": "unsolved",
    "actions": "spin",
    "rewards": REWARDS,
    "frame_width": 48,
    "frame_height": 40,
    "grayscale_obs": False,
    "crop_top_px": 24,
    "gray_shift": 10,
    "max_episode_steps": 60,
}


@pytest.mark.parametrize(
    "kwargs",
    [
        EVERYTHING,
        {"actions": [["RIGHT"], ["RIGHT", "B"], []], "rewards": [{"term": "time", "weight": -1}]},
    ],
    ids=["everything", "a list of actions"],
)
def test_both_env_checkers_pass(kwargs: dict[str, Any]) -> None:
    env = sonic_sb3.make_env(DEFAULT_GAME, **kwargs)
    with warnings.catch_warnings():
        # gymnasium advises to check the innermost env; the finished one is what users get.
        warnings.filterwarnings("ignore", message=".*is different from the unwrapped version.*")
        check_gymnasium_env(env, skip_render_check=True, skip_close_check=True)
    check_sb3_env(env)


def play(env: gym.Env[Any, Any], n_steps: int, start: int = 0) -> list[Any]:
    actions = np.random.default_rng(7).integers(0, env.action_space.n, 1000)  # type: ignore[attr-defined]
    rows = []
    for index in range(start, start + n_steps):
        if index % 50 == 25:
            env.get_wrapper_attr("begin_rollout")()
        obs, reward, terminated, truncated, info = env.step(int(actions[index]))
        rows.append((obs.tobytes(), reward, terminated, truncated, info))
        if terminated or truncated:
            rows.append((env.reset()[0].tobytes(), env.unwrapped.level))  # type: ignore[attr-defined]
    return rows


@pytest.mark.parametrize("n_before", [37, 130, 171])
def test_everything_goes_on_from_a_snapshot(n_before: int) -> None:
    env, other = (sonic_sb3.make_env(DEFAULT_GAME, **EVERYTHING) for _ in range(2))
    env.reset(seed=4)
    env.get_wrapper_attr("begin_training")(3)
    play(env, n_before)
    snapshot = take_snapshot(env)
    rows = play(env, 200, n_before)
    assert {row[1] for row in rows if len(row) == 2} - {"CanopyZone.Act1"}, "levels are drawn"
    other.reset(seed=8)
    play(other, 20)
    restore_snapshot(other, snapshot)
    assert play(other, 200, n_before) == rows


def test_killed_workers_change_nothing() -> None:
    def run(n_kills: int) -> list[Any]:
        make = functools.partial(sonic_sb3.make_env, DEFAULT_GAME, **EVERYTHING)
        venv = SonicVecEnv([make] * 2, n_stack=3)
        venv.env_method("begin_training", 2)
        venv.seed(1)
        venv.reset()
        actions = np.random.default_rng(0).integers(0, 11, (360, 2))
        rows = []
        for index, action in enumerate(actions):
            if index % 40 == 0:
                venv.env_method("begin_rollout")
            if n_kills and index in (45, 200, 300):
                os.kill(venv.worker_pids[index % 2] or 0, signal.SIGKILL)
            obs, rewards, dones, infos = venv.step(action)
            for info in infos:
                info.pop("terminal_observation", None)
            rows.append((obs.tobytes(), rewards.tolist(), dones.tolist(), infos))
        assert venv.n_restarts == n_kills
        venv.close()
        return rows

    assert run(n_kills=3) == run(n_kills=0)


def test_stacked_colours_are_rl_zoo3s() -> None:
    """As SB3's VecFrameStack and VecTransposeImage make them of the same env."""
    kwargs = EVERYTHING | {"gray_shift": 0}
    make = functools.partial(sonic_sb3.make_env, DEFAULT_GAME, **kwargs)
    theirs = VecTransposeImage(VecFrameStack(DummyVecEnv([make]), 4))
    ours = SonicVecEnv([make], n_stack=4)
    for venv in (ours, theirs):
        venv.seed(3)
    np.testing.assert_array_equal(ours.reset(), theirs.reset())
    assert ours.observation_space == theirs.observation_space
    assert ours.observation_space.shape == (12, 40, 48)
    for action in np.random.default_rng(0).integers(0, 11, 150):
        mine, stock = ours.step(np.array([action])), theirs.step(np.array([action]))
        for one, other in zip(mine[:3], stock[:3], strict=True):
            np.testing.assert_array_equal(one.astype(other.dtype), other)
    ours.close()
    theirs.close()


def test_gymnasium_and_sb3_take_the_same_settings() -> None:
    env = gym.make(DEFAULT_GAME, **EVERYTHING)
    assert env.action_space == gym.spaces.Discrete(11)
    env.close()
    venv = make_sb3_vec_env(DEFAULT_GAME, 1, env_kwargs=EVERYTHING)
    assert venv.reset().shape == (1, 40, 48, 3)
    venv.close()


def test_facts_are_the_same_whatever_is_rewarded() -> None:
    def facts(**kwargs: Any) -> list[dict[str, Any]]:
        env = sonic_sb3.make_env(DEFAULT_GAME, max_episode_steps=100, **kwargs)
        env.reset(seed=2)
        infos = []
        for action in np.random.default_rng(1).integers(0, 7, 100):
            info = env.step(int(action))[4]
            infos.append({k: v for k, v in info.items() if not k.startswith("reward/")})
        return infos

    plain = facts()
    assert facts(rewards=REWARDS) == plain
    assert "contest_score" in plain[-1]


def test_terms_add_up_to_the_return_and_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "0.monitor.csv"
    venv = sonic_sb3.make_vec_env(
        DEFAULT_GAME,
        2,
        seed=0,
        rewards=REWARDS,
        max_episode_steps=60,
        reward_scale=2.0,
        monitor_file=str(path),
    )
    venv.reset()
    for _ in range(130):
        venv.step(np.array([1, 1]))
    venv.close()
    monitor = read_monitor(path)
    columns = [f"reward/{term['term']}" for term in REWARDS]
    assert len(monitor["r"]) == 4
    for row in range(4):
        parts = [float(monitor[column][row]) for column in columns]
        assert sum(parts) == pytest.approx(float(monitor["r"][row]), abs=2e-5)
    progress = np.array(monitor["progress"], dtype=float)
    points = np.array(monitor["reward/contest_progress"], dtype=float)
    np.testing.assert_allclose(points, 2.0 * 0.01 * 9000 * progress, atol=1e-9)
    assert (np.array(monitor["reward/novelty"], dtype=float) > 0).all()


@pytest.mark.parametrize(("is_training", "factor"), [(True, 0.0), (False, 1.0)])
def test_only_training_lets_weights_decay(is_training: bool, factor: float) -> None:
    rewards = [{"term": "time", "weight": 1, "decay": {"horizon": 20}}]
    venv = sonic_sb3.make_vec_env(DEFAULT_GAME, 2, rewards=rewards, is_training=is_training)
    venv.reset()
    sums = [venv.step(np.zeros(2, int))[1].tolist() for _ in range(11)]
    venv.close()
    assert sums[0] == [1, 1]
    assert sums[10] == [factor, factor]
    assert sums[5] == ([0.5, 0.5] if is_training else [1, 1]), "five steps of two envs each"


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"rewards": [{"term": "combo", "weight": 1}]}, SettingsError, "'combo' needs combo"),
        ({"rewards": [{"term": "novel", "weight": 1}]}, UnknownNameError, "'novelty'"),
        ({"actions": "spn"}, UnknownNameError, "did you mean 'spin'"),
        ({"level": "train"}, SettingsError, "names 6; .*level_draw"),
        ({"level": ["Green"], "level_draw": "uniform"}, UnknownNameError, "unknown level"),
        ({"level_draw": "unifrom"}, UnknownNameError, "did you mean 'uniform'"),
        ({"crop_top_px": 300}, SettingsError, "crop_top_px"),
        ({"gray_shift": -1}, SettingsError, "gray_shift"),
    ],
)
def test_bad_choices(kwargs: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        sonic_sb3.make_env(DEFAULT_GAME, **kwargs)


def write_settings(path: Path) -> Path:
    entry = {
        "n_timesteps": 420,
        "n_envs": 3,
        "n_steps": 35,
        "batch_size": 35,
        "n_epochs": 1,
        "learning_rate": 1e-3,
        "frame_stack": 2,
        "policy_kwargs": {"features_dim": 16},
        "env_kwargs": {k: v for k, v in EVERYTHING.items() if k != "level"},
    }
    path.write_text(yaml.safe_dump({"default": entry}))
    return path


def arguments(tmp_path: Path, logs: str, n_eval_episodes: int) -> list[str]:
    conf = write_settings(tmp_path / "ppo.yml")
    argv = [
        "--conf-file",
        str(conf),
        "-f",
        str(tmp_path / logs),
        "--seed",
        "3",
        "--levels",
        "train",
    ]
    argv += ["--num-threads", "1", "--eval-freq", "-1", "--eval-episodes", str(n_eval_episodes)]
    return [*argv, "--snapshot-freq", "1"]


def read_run(run: Path) -> tuple[Any, Any, Any]:
    policy = sonic_sb3.load_run(run).load_policy()
    load_policy_weights(policy, run / f"{DEFAULT_GAME}.zip")
    monitor = read_monitor(run / "0.monitor.csv")
    monitor.pop("t")
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    tags = [tag for tag in events.Tags()["scalars"] if tag != "time/fps"]
    points = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags}
    return policy.state_dict(), monitor, points


def test_a_run_with_everything_is_killed_and_resumed(tmp_path: Path) -> None:
    """Macros, decaying terms, shifted colours and drawn levels all go on where they were."""
    assert train.main(arguments(tmp_path, "calm", 1)) == 0
    calm = tmp_path / "calm" / "ppo" / f"{DEFAULT_GAME}_1"
    weights, monitor, points = read_run(calm)
    assert {f"reward/{term['term']}" for term in REWARDS} <= set(points)
    assert len(set(monitor["level"])) > 1, "levels were drawn"
    names = sonic_sb3.load_run(calm).action_names
    assert names[7:] == ["run_up", "spin_dash_1", "spin_dash_3", "spin_dash_6"]
    for name in ("manifest.json", "evaluation.json"):
        assert json.loads((calm / name).read_text())["action_names"] == names

    argv = arguments(tmp_path, "killed", 0)
    run = tmp_path / "killed" / "ppo" / f"{DEFAULT_GAME}_1"
    process = subprocess.Popen(
        [sys.executable, "-m", "sonic_sb3.train", *argv],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (run / "resume.snapshot").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.5)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1.0)  # event files are ordered by the second, then by process; ours is the older one
    if (run / "resume.snapshot").exists():
        assert train.main(["--resume", str(run)]) == 0
    other_weights, other_monitor, other_points = read_run(run)
    assert weights.keys() == other_weights.keys()
    for name, tensor in weights.items():
        assert torch.equal(tensor, other_weights[name]), name
    assert other_monitor == monitor
    assert other_points == points
