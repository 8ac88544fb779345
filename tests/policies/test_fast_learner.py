"""The fast learner learns what SB3's learns."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.policies import ActorCriticCnnPolicy
from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack, VecTransposeImage

from sonic_sb3.policies import EXTRACTORS, SonicPolicy
from sonic_sb3.policies.rollout_buffer import FrameRolloutBuffer


class Pictures(gym.Env[Any, Any]):
    """Random pictures, a reward for the action that the picture's mean tells."""

    observation_space = gym.spaces.Box(0, 255, (96, 96, 1), np.uint8)
    action_space = gym.spaces.Discrete(7)
    render_mode = None

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._n = 0
        return self._draw(), {}

    def step(self, action: Any) -> Any:
        self._n += 1
        reward = float(action == int(self._mean) % 7)
        return self._draw(), reward, self._n == 9, False, {}

    def _draw(self) -> Any:
        picture = self.np_random.integers(0, 256, (96, 96, 1)).astype(np.uint8)
        self._mean = picture.mean() * 10
        return picture


class Float64SonicPolicy(SonicPolicy):
    """In double precision, so that rounding cannot hide a difference."""

    def _build(self, lr_schedule: Any) -> None:
        torch.set_default_dtype(torch.float64)
        try:
            super()._build(lr_schedule)
            self.double()
        finally:
            torch.set_default_dtype(torch.float32)

    def extract_features(self, obs: Any, features_extractor: Any = None) -> Any:
        if not self._runs_fast:  # as SB3's preprocessing, which knows single precision alone
            return (features_extractor or self.features_extractor)(obs.double() / 255.0)
        return super().extract_features(obs, features_extractor)


def learn(policy: Any, n_timesteps: int, fast_buffer: bool, **policy_kwargs: Any) -> Any:
    venv = VecTransposeImage(VecFrameStack(DummyVecEnv([Pictures] * 2), 4))
    kwargs: dict[str, Any] = {"rollout_buffer_class": FrameRolloutBuffer} if fast_buffer else {}
    model = PPO(
        policy,
        venv,
        n_steps=16,
        batch_size=16,
        n_epochs=2,
        learning_rate=1e-3,
        seed=0,
        device="cpu",
        policy_kwargs=policy_kwargs,
        **kwargs,
    )
    model.learn(n_timesteps)
    return dict(model.policy.named_parameters())


def largest_difference(one: Any, other: Any) -> float:
    assert one.keys() == other.keys()
    return max(float((one[k] - other[k]).detach().abs().max()) for k in one)


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_equal_in_double_precision_after_twenty_updates(extractor: str) -> None:
    fast = learn(Float64SonicPolicy, 32 * 5, True, extractor=extractor)
    plain = learn(Float64SonicPolicy, 32 * 5, False, extractor=extractor, runs_fast=False)
    assert largest_difference(fast, plain) < 1e-12


def test_equal_up_to_rounding_in_single_precision() -> None:
    torch.set_num_threads(1)
    fast = learn(SonicPolicy, 32, True)
    plain = learn(SonicPolicy, 32, False, runs_fast=False)
    assert 0 < largest_difference(fast, plain) < 5e-4


def test_switched_off_it_is_sb3_to_the_bit() -> None:
    ours = learn(SonicPolicy, 64, True, extractor="nature", runs_fast=False)
    stock = learn(ActorCriticCnnPolicy, 64, False)
    assert largest_difference(ours, stock) == 0.0


def test_bfloat16_is_close() -> None:
    fast = learn(SonicPolicy, 32, True, precision="bfloat16")
    plain = learn(SonicPolicy, 32, True)
    assert 0 < largest_difference(fast, plain) < 2e-2
