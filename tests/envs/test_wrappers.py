"""Each wrapper against values worked out by hand, on an env that only counts."""

from __future__ import annotations

from typing import Any

import cv2
import gymnasium as gym
import numpy as np
import pytest

from sonic_sb3.envs.actions import CONTEST_ACTIONS, SonicDiscretizer, StochasticFrameSkip
from sonic_sb3.envs.observations import WarpFrame
from sonic_sb3.envs.rewards import AllowBacktracking, RewardScaler
from sonic_sb3.errors import SettingsError, UnknownNameError
from sonic_sb3.games import BUTTONS


class ScriptedEnv(gym.Env[Any, Any]):
    """Gives the rewards it was told and remembers the actions it got."""

    def __init__(self, rewards: list[float], shape: tuple[int, ...] = (224, 320, 3)) -> None:
        self.observation_space = gym.spaces.Box(0, 255, shape, np.uint8)
        self.action_space = gym.spaces.MultiBinary(12)
        self.rewards = rewards
        self.actions: list[Any] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.actions.clear()
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.actions.append(action)
        n = len(self.actions)
        return self._observe(), self.rewards[n - 1], n == len(self.rewards), False, {}

    def _observe(self) -> Any:
        return np.random.default_rng(len(self.actions)).integers(
            0, 256, self.observation_space.shape, np.uint8
        )


def test_backtracking_costs_nothing_and_pays_nothing_twice() -> None:
    env = AllowBacktracking(ScriptedEnv([2.0, -3.0, 1.0, 3.0, 1.0, -1.0]))
    for _ in range(2):
        env.reset()
        assert [env.step(0)[1] for _ in range(6)] == [2.0, 0.0, 0.0, 1.0, 1.0, 0.0]


def test_rewards_are_scaled() -> None:
    env = RewardScaler(ScriptedEnv([100.0, -50.0]), 0.01)
    env.reset()
    assert [env.step(0)[1] for _ in range(2)] == [1.0, -0.5]


@pytest.mark.parametrize(("action", "names"), list(enumerate(CONTEST_ACTIONS)))
def test_seven_actions_press_their_buttons(action: int, names: tuple[str, ...]) -> None:
    env = SonicDiscretizer(ScriptedEnv([0.0] * 2))
    assert env.action_space == gym.spaces.Discrete(7)
    env.reset()
    env.step(action)
    pad = env.unwrapped.actions[0]
    assert {BUTTONS[k] for k in np.flatnonzero(pad)} == set(names)


def test_unknown_button_is_named() -> None:
    with pytest.raises(UnknownNameError, match=r"'LEFFT'.*'LEFT'"):
        SonicDiscretizer(ScriptedEnv([0.0]), [["LEFFT"]])


@pytest.mark.parametrize(("stickprob", "late"), [(0.0, False), (1.0, True)])
def test_sticky_actions_start_on_first_or_second_frame(stickprob: float, late: bool) -> None:
    env = StochasticFrameSkip(ScriptedEnv([1.0] * 20), n=4, stickprob=stickprob)
    env.reset(seed=0)
    assert env.step("a")[1] == 4.0
    env.step("b")
    expected = ["a"] * 4 + (["a"] if late else ["b"]) + ["b"] * 3
    assert env.unwrapped.actions == expected, "the first action after a reset starts at once"
    env.reset()
    env.step("c")
    assert env.unwrapped.actions == ["c"] * 4


def test_stickiness_comes_from_the_env_generator() -> None:
    def late_frames(seed: int) -> list[bool]:
        env = StochasticFrameSkip(ScriptedEnv([0.0] * 4000), n=4, stickprob=0.25)
        env.reset(seed=seed)
        for action in range(900):
            env.step(action)
        actions = env.unwrapped.actions
        return [actions[4 * k] != k for k in range(1, 900)]

    first = late_frames(1)
    assert first == late_frames(1)
    assert first != late_frames(2)
    generator = np.random.default_rng(1)
    assert first == [not generator.random() > 0.25 for _ in range(899)]
    assert 0.2 < np.mean(first) < 0.3


def test_an_episode_that_ends_on_the_way_ends_the_step() -> None:
    env = StochasticFrameSkip(ScriptedEnv([1.0] * 6), n=4, stickprob=0.0)
    env.reset(seed=0)
    assert env.step("a")[1:3] == (4.0, False)
    assert env.step("b")[1:3] == (2.0, True)


def test_warp_is_opencvs_grey_and_area() -> None:
    inner = ScriptedEnv([0.0] * 3)
    env = WarpFrame(inner)
    obs, _ = env.reset()
    grey = cv2.cvtColor(inner._observe(), cv2.COLOR_RGB2GRAY)
    expected = cv2.resize(grey, (96, 96), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(obs[:, :, 0], expected)
    assert env.observation_space.contains(obs)


def test_warp_of_grey_equals_warp_of_rgb() -> None:
    rgb = ScriptedEnv([0.0])._observe()
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[:, :, None]
    env = WarpFrame(ScriptedEnv([0.0]))
    np.testing.assert_array_equal(env.observation(rgb), env.observation(grey))


@pytest.mark.parametrize(
    "make",
    [
        lambda env: StochasticFrameSkip(env, n=0),
        lambda env: StochasticFrameSkip(env, stickprob=1.5),
        lambda env: WarpFrame(env, width=0),
    ],
)
def test_values_out_of_range_are_refused(make: Any) -> None:
    with pytest.raises(SettingsError, match="expected"):
        make(ScriptedEnv([0.0]))
