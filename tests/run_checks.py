"""What tests of runs share: a small one, a death at a chosen step, a comparison to the bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from sonic_sb3.envs.vec_env import SonicVecEnv

# Hyperparameters of a training of a second.
SMALL_PPO: dict[str, Any] = {
    "n_timesteps": 128,
    "n_envs": 2,
    "n_steps": 16,
    "batch_size": 16,
    "n_epochs": 1,
    "learning_rate": 1.0e-3,
    "policy_kwargs": {"features_dim": 16},
    "env_kwargs": {"max_episode_steps": 20, "frame_width": 36, "frame_height": 36},
}


class Killed(BaseException):
    """Nothing catches it: what is on disk is all that is left, as after SIGKILL."""


def interrupt(monkeypatch: pytest.MonkeyPatch, at_step: int) -> None:
    """The vec envs' step of this number, counted together, raises :class:`Killed`."""
    step_async = SonicVecEnv.step_async
    n_steps = 0

    def step_and_die(self: SonicVecEnv, actions: Any) -> None:
        nonlocal n_steps
        n_steps += 1
        if n_steps == at_step:
            raise Killed
        step_async(self, actions)

    monkeypatch.setattr(SonicVecEnv, "step_async", step_and_die)


def assert_same(one: Any, other: Any, where: str = "") -> None:
    """The same types, keys, numbers and tensors."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    else:
        assert one == other, where
