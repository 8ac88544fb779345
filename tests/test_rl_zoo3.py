"""The same settings file under rl-zoo3: it trains, and what the policy sees is bit-equal."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import numpy as np
from stable_baselines3.common.env_util import make_vec_env as make_sb3_vec_env
from stable_baselines3.common.vec_env import SubprocVecEnv, VecFrameStack, VecTransposeImage

import sonic_sb3
from sonic_sb3 import load_hyperparameters
from sonic_sb3.shipped_files import hyperparams_dir


def test_rl_zoo3_trains_with_our_file(airstriker: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rl_zoo3.train", "--algo", "ppo", "--env", airstriker]
    command += ["--gym-packages", "sonic_sb3", "--vec-env", "subproc", "--seed", "1", "-n", "128"]
    command += ["--conf-file", str(hyperparams_dir() / "ppo.yml"), "-f", str(tmp_path)]
    # rl-zoo3 gives the file's env_kwargs to the envs of the training alone.
    env_kwargs = load_hyperparameters("ppo", airstriker).env_kwargs
    its_kwargs = env_kwargs.model_dump(exclude_unset=True)
    command += ["--eval-env-kwargs", *(f"{key}:{value}" for key, value in its_kwargs.items())]
    command += ["--eval-freq", "32", "--eval-episodes", "1"]
    command += ["-params", "n_envs:2", "n_steps:64", "batch_size:64"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]
    assert (tmp_path / "ppo" / f"{airstriker}_1" / f"{airstriker}.zip").is_file()


def test_frame_stack_is_bit_equal_to_rl_zoo3s(airstriker: str) -> None:
    """rl-zoo3 stacks with VecFrameStack around SB3's make_vec_env, then transposes."""
    env_kwargs = {"allow_backtracking": True, "reward_scale": 0.01, "max_episode_steps": 40}
    theirs = VecTransposeImage(
        VecFrameStack(
            make_sb3_vec_env(
                # Not by its name, which a worker only knows that has imported this package.
                functools.partial(sonic_sb3.make_env, airstriker),
                2,
                seed=5,
                env_kwargs=env_kwargs,
                vec_env_cls=SubprocVecEnv,
            ),
            4,
        )
    )
    ours = sonic_sb3.make_vec_env(airstriker, 2, seed=5, frame_stack=4, **env_kwargs)
    np.testing.assert_array_equal(ours.reset(), theirs.reset())
    rng = np.random.default_rng(0)
    for _ in range(90):
        actions = rng.integers(0, 7, 2)
        obs, rewards, dones, _ = ours.step(actions)
        their_obs, their_rewards, their_dones, _ = theirs.step(actions)
        np.testing.assert_array_equal(obs, their_obs)
        np.testing.assert_array_equal(rewards, their_rewards)
        np.testing.assert_array_equal(dones, their_dones)
    ours.close()
    theirs.close()
