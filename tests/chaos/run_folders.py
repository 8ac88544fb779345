"""A small run folder as training leaves it, made without training: quick, and alike every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.save_util import save_to_zip_file

from sonic_sb3.algorithm_settings import PPOHyperparameters
from sonic_sb3.plain_data import save_data
from sonic_sb3.policies import SonicPolicy
from sonic_sb3.runs import observation_space
from sonic_sb3.settings import TrainSettings

GAME = "Airstriker-Genesis-v0"
HYPERPARAMETERS: dict[str, Any] = {
    "n_timesteps": 64,
    "n_envs": 1,
    "learning_rate": 1e-4,
    "n_steps": 32,
    "batch_size": 32,
    "frame_stack": 1,
    "env_kwargs": {"frame_width": 36, "frame_height": 36},
    "policy_kwargs": {"extractor": "nature", "features_dim": 8},
}


def make_policy() -> SonicPolicy:
    import gymnasium as gym

    hyperparameters = PPOHyperparameters.model_validate(HYPERPARAMETERS)
    return SonicPolicy(
        observation_space(hyperparameters),
        gym.spaces.Discrete(7),
        lambda _: 1e-4,
        **hyperparameters.policy_kwargs.written(),
    )


def save_policy(policy: SonicPolicy, path: Path, **changes: Any) -> None:
    """
    :param changes: Weights to put in the place of the policy's, by name; ``None`` takes one out.
    """
    weights = {**policy.state_dict(), **changes}
    weights = {name: weight for name, weight in weights.items() if weight is not None}
    optimizer = policy.optimizer.state_dict()
    save_to_zip_file(path, data={}, params={"policy": weights, "policy.optimizer": optimizer})


def make_run_folder(path: Path) -> Path:
    """
    A run that is not finished.

    :param path: Where.
    :returns: The same.
    """
    path.mkdir(parents=True)
    settings = TrainSettings.model_validate(
        {
            "algo": "ppo",
            "env": GAME,
            "levels": ["Level1"],
            "n_timesteps": 64,
            "seed": 1,
            "num_threads": 1,
            "n_workers": 1,
            "eval_episodes": 0,
        }
    )
    manifest = {
        "format": 1,
        "settings": settings.model_dump(mode="json"),
        "hyperparameters": HYPERPARAMETERS,
        "tensorboard_log": None,
        "rom_sha1": "0" * 40,
    }
    (path / "manifest.json").write_text(json.dumps(manifest))
    save_policy(make_policy(), path / f"{GAME}.zip")
    rows = ["#{}", "r,l,t,level,end_reason,game_time_s", "1.0,9,0.1,Level1,time_limit,2", ""]
    (path / "0.monitor.csv").write_text("\n".join(rows))
    save_data(path / "resume.snapshot", {"format": 1, "counters": {"num_timesteps": 32}})
    np.savez(path / "evaluations.npz", timesteps=[1], results=[[1.0]])
    return path
