"""A small agent, untrained but real, packed once for all tests of bundles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sonic_sb3.bundles.archive import write_zip
from sonic_sb3.bundles.pack_agent import PackOptions, TrainedAgent, pack_agent
from sonic_sb3.hyperparams import load_hyperparameters
from sonic_sb3.rom_files import rom_sha1
from sonic_sb3.runs import make_policy

GAME = "PangolinDash-Genesis-v0"
LEVEL = "CanopyZone.Act1"
NAME = "ppo-canopy1"


def _make_agent(seed: int = 5) -> TrainedAgent:
    """An agent that nobody trained, on a small picture."""
    overrides = {
        "n_envs": 2,
        "n_steps": 32,
        "batch_size": 32,
        "policy_kwargs": {"extractor": "nature", "features_dim": 16},
        "env_kwargs.frame_width": 36,
        "env_kwargs.frame_height": 36,
        "env_kwargs.max_episode_steps": 40,
    }
    hyperparameters = load_hyperparameters("ppo", GAME, overrides=overrides)
    torch.set_num_threads(1)  # another number draws other orthogonal weights
    torch.manual_seed(seed)
    policy = make_policy("ppo", GAME, hyperparameters)
    with torch.no_grad():
        # Strong preferences, and none for what all pictures have in common: its actions differ.
        grey = torch.full((1, *policy.observation_space.shape), 70, dtype=torch.uint8)
        common = policy.extract_features(grey)[0]
        weight = policy.action_net.weight
        weight -= torch.outer(weight @ common, common) / common.dot(common)
        weight *= 30_000.0
    return TrainedAgent(
        algo="ppo",
        env=GAME,
        levels=(LEVEL,),
        hyperparameters=hyperparameters,
        policy=policy,
        num_threads=1,
        n_timesteps_trained=12_345,
        provenance={"training_s": 61.5, "seed": seed, "rom_sha1": rom_sha1(GAME)},
        curves={"curves/training.csv": b"timesteps,r,l\n40,1.5,40\n"},
    )


@pytest.fixture(scope="session")
def agent_files() -> dict[str, bytes]:
    """The files of a bundle."""
    options = PackOptions(name=NAME, n_episodes=3, seed=11, license="mit")
    return pack_agent(_make_agent(), options)


@pytest.fixture
def make_agent() -> Callable[..., TrainedAgent]:
    """Makes the agent that ``agent_files`` holds, or with another seed another one."""
    return _make_agent


@pytest.fixture
def bundle_path(agent_files: dict[str, bytes], tmp_path: Path) -> Path:
    """A bundle of one's own."""
    path = tmp_path / f"{NAME}.sonic.zip"
    write_zip(path, agent_files)
    return path


@pytest.fixture(autouse=True)
def user_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing goes to the folders of whoever runs the tests."""
    home = tmp_path / "data-home"
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    return home / "sonic_sb3"
