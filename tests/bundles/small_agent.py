"""A small agent, untrained but real, that can be packed within seconds."""

from __future__ import annotations

import torch

from sonic_sb3.bundles.pack_agent import PackOptions, TrainedAgent, pack_agent
from sonic_sb3.hyperparams import load_hyperparameters
from sonic_sb3.rom_files import rom_sha1
from sonic_sb3.runs import make_policy

GAME = "PangolinDash-Genesis-v0"
LEVEL = "CanopyZone.Act1"
NAME = "ppo-small1"


def make_small_agent(seed: int = 5) -> TrainedAgent:
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


def pack_small_agent() -> dict[str, bytes]:
    """The files of its bundle."""
    options = PackOptions(name=NAME, n_episodes=3, seed=11, license="mit")
    return pack_agent(make_small_agent(), options)
