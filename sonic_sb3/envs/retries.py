"""Episodes that begin where the last one went wrong, so that hard places are met more often."""

from __future__ import annotations

import zlib
from collections import deque
from typing import Any

import gymnasium as gym
import numpy as np

from sonic_sb3.envs.game_env import GameEnv
from sonic_sb3.envs.snapshots import restore_snapshot, take_snapshot
from sonic_sb3.errors import SettingsError
from sonic_sb3.monitor_files import RETRY_COLUMN

# Whoever goes back less than a second after a mistake cannot help it any more.
_SECONDS_BETWEEN_MOMENTS = 1
_N_MOMENTS = 5
_FRAME_RATE = 60
_MAX_STATE_BYTES = 16_000_000  # whatever a stranger's snapshot claims


class Retries(gym.Wrapper[Any, Any, Any, Any]):
    """
    Lets an episode after a failure begin one to five seconds of play before it, for training.

    A level of ten pits is learned pit by pit, and the last ones are hardly ever seen before the
    first ones are mastered; a player practises the jump that he missed. An episode that begins so
    is told as ``is_retry`` in its last info. Its facts (progress, score, time, time limit) are
    those of the attempt that it goes on with, what is summed up outside (return, length) is its own
    alone. A failure is an episode that terminated without success; one in a retry is retried from
    the same moments or later ones. An explicit seed or option begins at the level's start. Draws
    come from a generator of its own.

    :param env: The env as it is reset.
    :param inner: The part of it whose state is put back: without what draws levels.
    :param retry_prob: Probability that an episode after a failure is a retry.

    Source of the idea: episodes from saved states near a goal or a failure, as in Salimans and
    Chen, "Learning Montezuma's Revenge from a Single Demonstration" (2018).
    """

    def __init__(self, env: gym.Env[Any, Any], inner: gym.Env[Any, Any], retry_prob: float) -> None:
        super().__init__(env)
        if not 0 <= retry_prob <= 1:
            raise SettingsError(f"retry_prob: expected 0 to 1, got {retry_prob}")
        self.retry_prob = retry_prob
        self._inner = inner
        rate = float(env.metadata.get("render_fps", _FRAME_RATE))
        self._spacing = max(1, round(rate * _SECONDS_BETWEEN_MOMENTS))
        self._generator = np.random.default_rng()
        self._moments: deque[dict[str, Any]] = deque(maxlen=_N_MOMENTS)
        self._n_steps = 0  # since the episode's beginning, or since it was retried
        self._is_retry = False
        self._has_failed = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        if seed is not None:
            self._generator = np.random.default_rng([seed, 0x2E721])
        may_retry = self._has_failed and seed is None and not options and len(self._moments) > 0
        self._is_retry = bool(may_retry and self._generator.random() < self.retry_prob)
        self._has_failed = False
        self._n_steps = 0
        if self._is_retry:
            return self._go_back()
        self._moments.clear()
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        self._n_steps += 1
        if terminated or truncated:
            info = info | {RETRY_COLUMN: self._is_retry}
            self._has_failed = terminated and not info.get("is_success", False)
            if self._n_steps >= self._spacing and self._moments:
                self._moments.pop()  # too late
        elif self._n_steps % self._spacing == 0 and self.retry_prob > 0:
            moment = {"layers": take_snapshot(self._inner), "obs": np.array(obs), "info": info}
            self._moments.append(moment)
        return obs, float(reward), terminated, truncated, info

    def get_snapshot(self) -> dict[str, Any]:
        """The moments to go back to, and what decides whether it comes to that."""
        return {
            "generator": self._generator.bit_generator.state,
            "moments": [_packed(moment) for moment in self._moments],
            "n_steps": self._n_steps,
            "is_retry": self._is_retry,
            "has_failed": self._has_failed,
        }

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Put them back."""
        self._generator.bit_generator.state = snapshot["generator"]
        self._moments = deque(map(_unpacked, snapshot["moments"]), maxlen=_N_MOMENTS)
        self._n_steps = snapshot["n_steps"]
        self._is_retry = snapshot["is_retry"]
        self._has_failed = snapshot["has_failed"]

    def _go_back(self) -> tuple[Any, dict[str, Any]]:
        index = int(self._generator.integers(len(self._moments)))
        while len(self._moments) > index + 1:
            self._moments.pop()
        moment = self._moments[-1]
        game_env = self.unwrapped
        assert isinstance(game_env, GameEnv)
        chance = game_env.np_random.bit_generator.state
        restore_snapshot(self._inner, moment["layers"])
        game_env.np_random.bit_generator.state = chance  # the same mishap is not drawn again
        return moment["obs"].copy(), dict(moment["info"])


def _packed(moment: dict[str, Any]) -> dict[str, Any]:
    """Fit for a file: five states of an emulator would be most of a run's snapshot."""
    *wrappers, game = moment["layers"]
    return moment | {"layers": [*wrappers, game | {"state": zlib.compress(game["state"], 1)}]}


def _unpacked(moment: dict[str, Any]) -> dict[str, Any]:
    *wrappers, game = moment["layers"]
    state = zlib.decompressobj().decompress(game["state"], _MAX_STATE_BYTES)
    return moment | {"layers": [*wrappers, game | {"state": state}]}
