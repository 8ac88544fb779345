"""Wrappers that alter the reward, and nothing but the reward."""

from __future__ import annotations

from typing import Any

import gymnasium as gym


class RewardScaler(gym.RewardWrapper[Any, Any]):
    """
    Brings rewards to a scale that suits learning.

    :param env: The env.
    :param scale: What each reward is multiplied with; 0.01 in OpenAI's retro-baselines.
    """

    snapshot_attributes = ()

    def __init__(self, env: gym.Env[Any, Any], scale: float = 0.01) -> None:
        super().__init__(env)
        self.scale = scale

    def reward(self, reward: Any) -> float:
        return float(reward) * self.scale


class AllowBacktracking(gym.Wrapper[Any, Any, Any, Any]):
    """
    Rewards a new maximum of the reward's sum only, so that going back costs nothing.

    Without it the agent is paid for each step to the right and charged for each to the left, and so
    never leaves a dead end.

    :param env: An env whose rewards add up to the way made.

    Source: ``AllowBacktracking`` of OpenAI's retro-baselines.
    """

    snapshot_attributes = ("_sum", "_max_sum")

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self._sum = 0.0
        self._max_sum = 0.0

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        self._sum = 0.0
        self._max_sum = 0.0
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        self._sum += float(reward)
        gain = max(0.0, self._sum - self._max_sum)
        self._max_sum = max(self._max_sum, self._sum)
        return obs, gain, terminated, truncated, info
