"""Wrappers about the beginning and the end of episodes."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from sonic_sb3.envs.game_env import GameEnv
from sonic_sb3.errors import SettingsError


class RandomNoops(gym.Wrapper[Any, Any, Any, Any]):
    """
    Begins each episode with a random number of frames without buttons.

    The emulator is deterministic: with neither this nor sticky actions all episodes of a policy
    without randomness are one and the same.

    :param env: An env that steps one frame and takes the pad as action.
    :param noop_max: At most so many frames; the number is drawn from 0..noop_max.
    """

    snapshot_attributes = ()

    def __init__(self, env: GameEnv, noop_max: int) -> None:
        super().__init__(env)
        if noop_max < 0:
            raise SettingsError(f"expected noop_max of at least 0, got {noop_max}")
        self.noop_max = noop_max
        self.run_frame = env.run_frame
        self.observe = env.observe

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        obs, info = self.env.reset(**kwargs)
        no_buttons = np.zeros(self.env.action_space.shape or (), dtype=np.int8)
        for _ in range(int(self.np_random.integers(self.noop_max + 1))):
            obs, _, terminated, truncated, info = self.env.step(no_buttons)
            if terminated or truncated:
                obs, info = self.env.reset()
        return obs, info


class EpisodeFacts(gym.Wrapper[Any, Any, Any, Any]):
    """
    Adds to the last info of an episode how it ended, before any shaping of the reward.

    Adds ``level game_time_s end_reason action_counts``, and ``is_success contest_score`` where the
    game has progress.

    :param env: An env around :class:`GameEnv` that knows its time limit and has discrete actions.
    """

    snapshot_attributes = ("_action_counts",)

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        if not isinstance(env.action_space, gym.spaces.Discrete):
            raise SettingsError(f"expected discrete actions, got {env.action_space}")
        self._action_counts = np.zeros(int(env.action_space.n), dtype=np.int64)

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        self._action_counts[:] = 0
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        self._action_counts[action] += 1
        if terminated or truncated:
            game_env = self.unwrapped
            assert isinstance(game_env, GameEnv)
            info = info | game_env.end_facts(info.get("end_reason", "time_limit"))
            info["action_counts"] = self._action_counts.tolist()
        return obs, float(reward), terminated, truncated, info
