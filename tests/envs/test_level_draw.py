"""A level drawn per episode: the odds, the options that overrule it, and its memory."""

from __future__ import annotations

from collections import Counter
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from sonic_sb3.envs.episodes import LevelDraw
from sonic_sb3.envs.snapshots import restore_snapshot, take_snapshot
from sonic_sb3.errors import UnknownNameError

LEVELS = ("easy", "hard", "never")


class OneStepLevels(gym.Env[Any, Any]):
    """Episodes of one step; only the easy level is solved."""

    observation_space = gym.spaces.Box(0, 255, (2, 2, 1), np.uint8)
    action_space = gym.spaces.Discrete(2)
    snapshot_attributes = ("level",)

    def __init__(self) -> None:
        self.level = "hard"
        self.played: list[str] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.level = options["level"]
        self.played.append(self.level)
        return np.zeros((2, 2, 1), np.uint8), {}

    def step(self, action: Any) -> Any:
        info = {"level": self.level, "is_success": self.level == "easy"}
        return np.zeros((2, 2, 1), np.uint8), 0.0, True, False, info


def play(env: LevelDraw, n_episodes: int) -> list[str]:
    for _ in range(n_episodes):
        env.reset()
        env.step(0)
    return env.unwrapped.played[-n_episodes:]


def test_uniform_draws_all_alike() -> None:
    env = LevelDraw(OneStepLevels(), LEVELS, "uniform")
    env.reset(seed=3)
    counts = Counter(play(env, 3000))
    assert env.weights() == [1 / 3] * 3
    # 1000 each, six standard deviations of 26 on either side
    assert all(840 < counts[level] < 1160 for level in LEVELS)


def test_unsolved_levels_are_drawn_more_often() -> None:
    env = LevelDraw(OneStepLevels(), LEVELS, "unsolved")
    assert env.weights() == [1 / 3] * 3, "what was not played yet is not solved"
    env.reset(seed=3)
    play(env, 30)
    assert env.weights() == pytest.approx([0.1 / 2.1, 1 / 2.1, 1 / 2.1])
    counts = Counter(play(env, 3000))
    assert 80 < counts["easy"] < 210, "143 expected, deviation 11.7"


def test_only_the_last_ten_count() -> None:
    env = LevelDraw(OneStepLevels(), ["easy"], "unsolved")
    for is_success in [False] * 5 + [True] * 7:
        env.reset()
        env.env.step = lambda _, won=is_success: (
            0,
            0.0,
            True,
            False,
            {"level": "easy", "is_success": won},
        )  # type: ignore[method-assign]
        env.step(0)
    assert env._unsolved_share(env._outcomes["easy"]) == pytest.approx(3 / 10)


def test_an_option_overrules_the_draw() -> None:
    env = LevelDraw(OneStepLevels(), LEVELS, "uniform")
    env.reset(seed=1)
    for _ in range(20):
        env.reset(options={"level": "never"})
        assert env.unwrapped.level == "never"


def test_draws_depend_on_the_seed_alone() -> None:
    def levels(seed: int) -> list[str]:
        env = LevelDraw(OneStepLevels(), LEVELS, "unsolved")
        env.reset(seed=seed)
        env.step(0)
        return play(env, 50)

    assert levels(1) == levels(1)
    assert levels(1) != levels(2)


def test_goes_on_from_a_snapshot() -> None:
    env, other = (LevelDraw(OneStepLevels(), LEVELS, "unsolved") for _ in range(2))
    env.reset(seed=1)
    play(env, 17)
    snapshot = take_snapshot(env)
    other.reset(seed=9)
    play(other, 5)
    restore_snapshot(other, snapshot)
    assert play(other, 60) == play(env, 60)
    assert other.weights() == env.weights()


def test_unknown_ways_are_named() -> None:
    with pytest.raises(UnknownNameError, match="'unsolvd': did you mean 'unsolved'"):
        LevelDraw(OneStepLevels(), LEVELS, "unsolvd")


def test_a_seed_begins_anew() -> None:
    env = LevelDraw(OneStepLevels(), LEVELS, "unsolved")
    env.reset(seed=5)
    first = play(env, 20)
    env.reset(seed=5)
    assert play(env, 20) == first


def test_episodes_cut_short_from_outside_are_failures() -> None:
    class Endless(OneStepLevels):
        def step(self, action: Any) -> Any:
            return np.zeros((2, 2, 1), np.uint8), 0.0, False, False, {}

    draw = LevelDraw(Endless(), ["easy"], "unsolved")
    env = gym.wrappers.TimeLimit(draw, 3)
    for _ in range(4):
        env.reset()
        for _ in range(3):
            env.step(0)
    assert draw._outcomes == {"easy": [False] * 3}, "the fourth has not been left yet"


def test_no_level_asked_for_is_one_drawn() -> None:
    env = LevelDraw(OneStepLevels(), ["hard"], "uniform")
    env.reset(options={"level": None})
    assert env.unwrapped.level == "hard"
