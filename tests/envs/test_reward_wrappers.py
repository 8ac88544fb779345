"""Reward terms around an env: sums, decay, what is told, and that no fact is changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from sonic_sb3.envs.frame_counts import FrameCounts
from sonic_sb3.envs.rewards import AllowBacktracking, RewardScaler, RewardTerms
from sonic_sb3.envs.snapshots import restore_snapshot, take_snapshot
from sonic_sb3.errors import SettingsError
from sonic_sb3.reward_terms import parse_rewards

ALL_FACTS = frozenset(
    {"x", "y", "rings", "score", "lives", "progress", "is_success", "damage_dealt", "combo"}
)


class ScriptedGame(gym.Env[Any, Any]):
    """Plays a list of timesteps: points, x, rings so far. A source of facts, as GameEnv is."""

    observation_space = gym.spaces.Box(0, 255, (2, 2, 1), np.uint8)
    action_space = gym.spaces.Discrete(2)
    snapshot_attributes = ("n_steps",)
    x_shift_px = 0

    def __init__(
        self, timesteps: list[tuple[float, int, int]], facts: frozenset[str] = ALL_FACTS
    ) -> None:
        self.timesteps = timesteps
        self.fact_names = facts
        self.counted: set[str] = set()
        self.n_steps = 0

    @property
    def counts(self) -> Mapping[str, float]:
        rings = self.timesteps[self.n_steps - 1][2] if self.n_steps else 0
        return dict.fromkeys(self.counted, rings)

    def count(self, names: Iterable[str]) -> None:
        self.counted |= set(names)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.n_steps = 0
        return np.zeros((2, 2, 1), np.uint8), {"x": 100, "y": 50}

    def step(self, action: Any) -> Any:
        points, x, _ = self.timesteps[self.n_steps]
        self.n_steps += 1
        info: dict[str, Any] = {"x": x, "y": 50}
        is_over = self.n_steps == len(self.timesteps)
        if is_over:
            info["end_reason"] = "completed"
        return np.zeros((2, 2, 1), np.uint8), points, is_over, False, info


TIMESTEPS = [(10.0, 110, 0), (-5.0, 105, 2), (5.0, 110, 1), (20.0, 130, 5)]


def make(rewards: list[dict[str, Any]], **kwargs: Any) -> RewardTerms:
    game = ScriptedGame(TIMESTEPS)
    return RewardTerms(game, parse_rewards(rewards), game, **kwargs)


def play(env: gym.Env[Any, Any], n: int = 4) -> tuple[list[float], dict[str, Any]]:
    rewards, info = [], {}
    for _ in range(n):
        _, reward, _, _, info = env.step(0)
        rewards.append(float(reward))
    return rewards, info


def test_the_reward_is_the_weighted_sum_and_each_term_is_told() -> None:
    env = make(
        [
            {"term": "contest_progress", "weight": 0.1},
            {"term": "x_delta", "weight": 1.0},
            {"term": "rings_gained", "weight": 0.5},
            {"term": "completion_bonus", "weight": 7},
        ]
    )
    for _ in range(2):
        env.reset()
        rewards, info = play(env)
        assert rewards == pytest.approx([1 + 10, -0.5 - 5 + 1, 0.5 + 5 - 0.5, 2 + 20 + 2 + 7])
        assert {k: v for k, v in info.items() if k.startswith("reward/")} == pytest.approx(
            {
                "reward/contest_progress": 3.0,
                "reward/x_delta": 30.0,
                "reward/rings_gained": 2.5,
                "reward/completion_bonus": 7.0,
            }
        )
        assert {k: v for k, v in info.items() if not k.startswith("reward/")} == {
            "x": 130,
            "y": 50,
            "end_reason": "completed",
        }, "facts stay what they are"


def test_equals_the_wrappers_of_the_contests_baselines() -> None:
    expected = RewardScaler(AllowBacktracking(ScriptedGame(TIMESTEPS)), 0.01)
    by_name = make([{"term": "max_x_progress", "weight": 0.01}])
    by_options = make(
        [{"term": "contest_progress", "weight": 1}], scale=0.01, allow_backtracking=True
    )
    for env in (expected, by_name, by_options):
        env.reset()
    assert play(by_name)[0] == play(by_options)[0] == play(expected)[0]


def test_weights_decay_with_the_timesteps_of_the_run() -> None:
    rewards = [{"term": "time", "weight": 8, "decay": {"power": 2, "horizon": 16}}]
    env = make(rewards)
    env.begin_training(n_envs=4)
    env.reset()
    factors = [1, (12 / 16) ** 2, (8 / 16) ** 2, (4 / 16) ** 2]
    assert play(env)[0] == [8 * factor for factor in factors]
    env.reset()
    assert play(env)[0] == [0] * 4, "beyond the horizon, and not begun again by an episode"
    env.begin_training(n_envs=2, n_timesteps=10)
    env.reset()
    assert play(env, 3)[0] == [8 * (k / 16) ** 2 for k in (6, 4, 2)]


def test_weights_do_not_decay_where_nothing_is_trained() -> None:
    env = make([{"term": "time", "weight": 8, "decay": {"horizon": 2}}])
    env.reset()
    assert play(env)[0] == [8] * 4


def test_goes_on_from_a_snapshot() -> None:
    rewards = [
        {"term": "max_x_progress", "weight": 1, "decay": {"horizon": 9}},
        {"term": "novelty", "weight": 0.5, "cell_px": 10},
        {"term": "rings_gained", "weight": 1},
    ]
    env, other = make(rewards), make(rewards)
    env.begin_training(n_envs=2)
    env.reset()
    play(env, 2)
    snapshot = take_snapshot(env)
    other.reset()
    restore_snapshot(other, snapshot)
    assert play(other, 2) == play(env, 2)


def test_what_a_game_does_not_tell_is_refused() -> None:
    game = ScriptedGame(TIMESTEPS, facts=frozenset({"score", "lives"}))
    with pytest.raises(SettingsError, match=r"'novelty' needs x, y.*one of points, score_gained"):
        RewardTerms(game, parse_rewards([{"term": "novelty", "weight": 1}]), game)


def test_counts_are_taken_frame_by_frame() -> None:
    """Rings are picked up and lost between two timesteps: their ends alone would show nothing."""
    counts = FrameCounts()
    counts.count(["rings_gained", "lives_lost"])
    assert counts.variables == ("rings", "lives")
    counts.reset({"rings": 10, "lives": 3})
    for rings, lives in ((12, 3), (0, 3), (1, 2), (1, 3), (4, 1)):
        counts.update({"rings": rings, "lives": lives})
    assert counts.totals == {"rings_gained": 2 + 1 + 3, "lives_lost": 1 + 2}
    snapshot = counts.get_snapshot()
    counts.update({"rings": 9, "lives": 1})
    assert counts.totals["rings_gained"] == 11
    counts.set_snapshot(snapshot)
    counts.update({"rings": 5, "lives": 1})
    assert counts.totals == {"rings_gained": 7, "lives_lost": 3}
    counts.reset({"rings": 3, "lives": 3})
    assert counts.totals == {"rings_gained": 0, "lives_lost": 0}
