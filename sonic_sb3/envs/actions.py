"""Wrappers that alter actions: which buttons there are, and for how many frames they are held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from sonic_sb3.action_sets import ACTION_SETS, ActionSet
from sonic_sb3.errors import SettingsError, unknown_name
from sonic_sb3.games import BUTTONS, FRAMES_PER_SECOND

CONTEST_ACTIONS = tuple(action.holds[0].buttons for action in ACTION_SETS["contest7"])


class SonicDiscretizer(gym.ActionWrapper[Any, Any, Any]):
    """
    Offers a few combinations of buttons as ``Discrete(n)``.

    :param env: An env whose action is the pad, (12,) of 0 and 1.
    :param combinations: The buttons held in each action.
    :raises UnknownNameError: There is no such button.

    ``step`` raises ``SettingsError`` for what is no action.

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
        pad: npt.NDArray[np.int8] = self._pads[_check_action(action, len(self._pads))]
        return pad.copy()


class MacroDiscretizer(gym.ActionWrapper[Any, Any, Any]):
    """
    Offers a set of actions of which some last several timesteps, as ``Discrete(n)``.

    A timestep stays a timestep: a macro that was chosen decides the pad of the timesteps that
    follow, and the actions given meanwhile are ignored. So time limit, discount, frames per
    timestep and the budgets of protocols mean what they mean without macros, and each timestep of
    a macro is sticky like any other. (One long timestep instead would have let an episode outlast
    its limit and made long macros worth more to a learner that discounts per timestep.) The end of
    an episode ends the macro.

    :param env: An env whose action is the pad, (12,) of 0 and 1.
    :param actions: The set.
    """

    snapshot_attributes = ("action_in_force", "_position")

    def __init__(self, env: gym.Env[Any, Any], actions: ActionSet) -> None:
        super().__init__(env)
        self._pads = [
            [_press(hold.buttons) for hold in action.holds for _ in range(hold.n_timesteps)]
            for action in actions
        ]
        self.action_space = gym.spaces.Discrete(len(actions))
        self.action_in_force = 0
        self._position = 0  # in the macro; 0 is where the next action is listened to

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        self.action_in_force = 0
        self._position = 0
        return self.env.reset(**kwargs)

    def action(self, action: int | np.integer[Any]) -> npt.NDArray[np.int8]:
        action = _check_action(action, len(self._pads))
        if self._position == 0:
            self.action_in_force = action
        pads = self._pads[self.action_in_force]
        pad = pads[self._position]
        self._position = (self._position + 1) % len(pads)
        return np.array(pad, dtype=np.int8)


def make_discretizer(
    env: gym.Env[Any, Any], actions: ActionSet
) -> SonicDiscretizer | MacroDiscretizer:
    """The wrapper that a set of actions needs. :param env: An env whose action is the pad."""
    if any(action.n_timesteps > 1 for action in actions):
        return MacroDiscretizer(env, actions)
    return SonicDiscretizer(env, [action.holds[0].buttons for action in actions])


def _check_action(action: Any, n_actions: int) -> int:
    """An integer, or an array of one, that is one of the actions."""
    if not isinstance(action, int | np.integer):
        array = np.asarray(action)
        if array.size != 1 or array.dtype.kind not in "iu":
            raise SettingsError(f"action: expected an integer, got {action!r:.80}")
        action = array.item()
    if not 0 <= action < n_actions:
        raise SettingsError(f"action: expected 0 to {n_actions - 1}, got {action}")
    return int(action)


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
    Frames before the last are not drawn where the env offers ``run_frames``.

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
        # A video has a picture per timestep.
        frames_per_second = env.metadata.get("render_fps", FRAMES_PER_SECOND)
        self.metadata = {**env.metadata, "render_fps": frames_per_second / n}
        self._held_action: Any = None
        self._run_frames = getattr(env, "run_frames", None)

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        self._held_action = None
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        first = self._held_action if self._is_late() else action
        held = [first, *[action] * (self.n - 1)]
        self._held_action = held[-1]
        if self._run_frames is None:
            return self._step_one_by_one(held)
        reward, terminated, info = self._run_frames(held)
        return self.env.observe(), reward, terminated, False, info  # type: ignore[attr-defined]

    def _step_one_by_one(
        self, held: Sequence[Any]
    ) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        total_reward = 0.0
        for action in held:
            obs, reward, terminated, truncated, info = self.env.step(action)
            total_reward += float(reward)
            if terminated or truncated:
                break
        return obs, total_reward, terminated, truncated, info

    def _is_late(self) -> bool:
        if self._held_action is None:
            return False
        return not self.np_random.random() > self.stickprob
