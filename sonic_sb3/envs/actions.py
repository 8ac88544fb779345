"""Wrappers that alter actions: which buttons there are, and for how many frames they are held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from sonic_sb3.errors import SettingsError, unknown_name
from sonic_sb3.games import BUTTONS

# "Gotta Learn Fast" has an eighth action, doing nothing; the contest's baselines have these seven.
CONTEST_ACTIONS = (
    ("LEFT",),
    ("RIGHT",),
    ("LEFT", "DOWN"),
    ("RIGHT", "DOWN"),
    ("DOWN",),
    ("DOWN", "B"),
    ("B",),
)


class SonicDiscretizer(gym.ActionWrapper[Any, Any, Any]):
    """
    Offers a few combinations of buttons as ``Discrete(n)``.

    :param env: An env whose action is the pad, (12,) of 0 and 1.
    :param combinations: The buttons held in each action.
    :raises UnknownNameError: There is no such button.

    Source: ``SonicDiscretizer`` of OpenAI's retro-baselines.
    """

    snapshot_attributes = ()

    def __init__(
        self, env: gym.Env[Any, Any], combinations: Sequence[Sequence[str]] = CONTEST_ACTIONS
    ) -> None:
        super().__init__(env)
        self.combinations = tuple(tuple(names) for names in combinations)
        self._pads = np.array([_press(names) for names in self.combinations], dtype=np.int8)
        self.action_space = gym.spaces.Discrete(len(self.combinations))

    def action(self, action: int | np.integer[Any]) -> npt.NDArray[np.int8]:
        pad: npt.NDArray[np.int8] = self._pads[action]
        return pad.copy()


def _press(names: Sequence[str]) -> list[int]:
    for name in names:
        if name not in BUTTONS:
            raise unknown_name("button", name, BUTTONS)
    return [int(button in names) for button in BUTTONS]


class StochasticFrameSkip(gym.Wrapper[Any, Any, Any, Any]):
    """
    Holds each action for n frames; with some probability the previous one sticks for the first
    frame.

    The first action after a reset starts at once. An episode that ends on the way ends the step.
    Draws come from the env's own ``np_random`` (the contest's came from an unseeded generator).
    Frames before the last are not drawn where the env offers ``run_frame``.

    :param env: An env that steps one frame.
    :param n: Frames per action.
    :param stickprob: Probability that the previous action is held for one frame more.

    Source: ``StochasticFrameSkip`` of OpenAI's retro-contest.
    """

    snapshot_attributes = ("_held_action",)

    def __init__(self, env: gym.Env[Any, Any], n: int = 4, stickprob: float = 0.25) -> None:
        super().__init__(env)
        if n < 1:
            raise SettingsError(f"expected a frame skip of at least 1, got {n}")
        if not 0 <= stickprob <= 1:
            raise SettingsError(f"expected a sticky probability in 0..1, got {stickprob}")
        self.n = n
        self.stickprob = stickprob
        self._held_action: Any = None
        self._run_frame = getattr(env, "run_frame", None)

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        self._held_action = None
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        is_late = self._is_late()
        total_reward = 0.0
        for frame in range(self.n):
            if frame > 0 or not is_late:
                self._held_action = action
            if self._run_frame is None:
                obs, reward, terminated, truncated, info = self.env.step(self._held_action)
            else:
                is_seen = frame == self.n - 1
                reward, terminated, info = self._run_frame(self._held_action, is_seen)
                truncated = False
            total_reward += float(reward)
            if terminated or truncated:
                break
        if self._run_frame is not None:
            obs = self.env.observe()  # type: ignore[attr-defined]
        return obs, total_reward, terminated, truncated, info

    def _is_late(self) -> bool:
        if self._held_action is None:
            return False
        return not self.np_random.random() > self.stickprob
