"""Actions that last: which pad is pressed in which timestep, and what is counted."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import sonic_sb3
from sonic_sb3.action_sets import ACTION_SETS, parse_actions
from sonic_sb3.envs.actions import (
    MacroDiscretizer,
    SonicDiscretizer,
    StochasticFrameSkip,
    make_discretizer,
)
from sonic_sb3.envs.snapshots import restore_snapshot, take_snapshot
from sonic_sb3.games import BUTTONS, DEFAULT_GAME


class PadRecorder(gym.Env[Any, Any]):
    """Remembers which buttons were held in each frame."""

    observation_space = gym.spaces.Box(0, 255, (2, 2, 1), np.uint8)
    action_space = gym.spaces.MultiBinary(12)
    snapshot_attributes = ()

    def __init__(self, length: int = 10_000) -> None:
        self.length = length
        self.pads: list[str] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.pads.clear()
        return np.zeros((2, 2, 1), np.uint8), {}

    def step(self, action: Any) -> Any:
        self.pads.append("+".join(BUTTONS[k] for k in np.flatnonzero(action)))
        return np.zeros((2, 2, 1), np.uint8), 0.0, len(self.pads) >= self.length, False, {}


JUMP_FAR = {"name": "far", "steps": [{"buttons": ["RIGHT"], "timesteps": 2}, {"buttons": ["B"]}]}
ACTIONS = parse_actions([["LEFT"], [], JUMP_FAR])


def test_a_macro_decides_the_timesteps_that_follow() -> None:
    env = MacroDiscretizer(PadRecorder(), ACTIONS)
    env.reset()
    for action in (0, 2, 0, 1, 1, 2, 2, 2, 0):
        env.step(action)
    far = ["RIGHT", "RIGHT", "B"]
    assert env.unwrapped.pads == ["LEFT", *far, "", *far, "LEFT"]


def test_an_episodes_end_ends_the_macro() -> None:
    env = MacroDiscretizer(PadRecorder(length=2), ACTIONS)
    env.reset()
    env.step(0)
    assert env.step(2)[2], "the episode ends in the macro's first timestep"
    env.reset()
    env.step(0)
    assert env.unwrapped.pads == ["LEFT"]


def test_timesteps_of_a_macro_are_sticky_like_any_other() -> None:
    """Of four frames the first keeps the pad before: after LEFT, then between the macro's steps."""
    env = MacroDiscretizer(StochasticFrameSkip(PadRecorder(), n=4, stickprob=1.0), ACTIONS)
    env.reset(seed=0)
    for action in (0, 2, 0, 0):
        env.step(action)
    assert env.unwrapped.pads == ["LEFT"] * 5 + ["RIGHT"] * 8 + ["B"] * 3


def test_every_set_presses_what_it_says() -> None:
    for actions in ACTION_SETS.values():
        env = make_discretizer(PadRecorder(), actions)
        assert env.action_space == gym.spaces.Discrete(len(actions))
        for index, action in enumerate(actions):
            env.reset()
            for _ in range(action.n_timesteps):
                env.step(index)
            held = [h.buttons for h in action.holds for _ in range(h.n_timesteps)]
            assert [set(pad.split("+")) - {""} for pad in env.unwrapped.pads] == list(
                map(set, held)
            )


def test_sets_without_macros_need_no_memory() -> None:
    assert type(make_discretizer(PadRecorder(), ACTION_SETS["winner10"])) is SonicDiscretizer
    assert type(make_discretizer(PadRecorder(), ACTION_SETS["spin"])) is MacroDiscretizer


@pytest.mark.parametrize("n_before", range(1, 6))
def test_macros_go_on_from_a_snapshot(n_before: int) -> None:
    actions = [0, 2, 0, 0, 2, 2, 1, 1, 0]
    env, other = (MacroDiscretizer(PadRecorder(), ACTIONS) for _ in range(2))
    env.reset()
    for action in actions[:n_before]:
        env.step(action)
    snapshot = take_snapshot(env)
    other.reset()
    other.step(1)
    restore_snapshot(other, snapshot)
    n_pads = len(env.unwrapped.pads), len(other.unwrapped.pads)
    for action in actions[n_before:]:
        env.step(action)
        other.step(action)
    assert env.unwrapped.pads[n_pads[0] :] == other.unwrapped.pads[n_pads[1] :]


def play_until_done(env: Any, actions: list[int]) -> tuple[int, dict[str, Any]]:
    env.reset(seed=1)
    n_timesteps, done = 0, False
    while not done:
        action = actions[n_timesteps % len(actions)]
        *_, terminated, truncated, info = env.step(action)
        n_timesteps, done = n_timesteps + 1, terminated or truncated
    return n_timesteps, info


def test_each_timestep_of_a_macro_counts_as_one() -> None:
    env = sonic_sb3.make_env(DEFAULT_GAME, actions="spin", max_episode_steps=50, sticky_prob=0)
    # LEFT once, then run_up for 45 timesteps, in which DOWN is asked for and not heard; the limit
    # cuts the spin dash that follows.
    n_timesteps, info = play_until_done(env, [0, 7, *[4] * 44, 10, *[4] * 3])
    assert n_timesteps == 50
    assert info["end_reason"] == "time_limit"
    assert info["action_counts"] == [1, 0, 0, 0, 0, 0, 0, 45, 0, 0, 4]
    assert info["game_time_s"] == pytest.approx(200 / 60)


def test_a_spin_dash_dashes() -> None:
    """On the free game: standing still, each set of presses goes farther than the last."""
    distances = []
    for action in (8, 9, 10):
        env = sonic_sb3.make_env(DEFAULT_GAME, actions="spin", sticky_prob=0)
        _, info = env.reset(seed=0)
        start_x = info["x"]
        n_timesteps = ACTION_SETS["spin"][action].n_timesteps
        for _ in range(n_timesteps):
            *_, info = env.step(action)
        distances.append(info["x"] - start_x)
        env.close()
    print(distances)
    assert 0 < distances[0] < distances[1] <= distances[2]
