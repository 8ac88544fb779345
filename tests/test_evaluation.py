"""Evaluations: what they depend on, and what their numbers mean."""

from __future__ import annotations

import dataclasses
import os
import signal
from typing import Any

import numpy as np
import pytest
import torch

from sonic_sb3.actors import make_actor
from sonic_sb3.envs.vec_env import SonicVecEnv
from sonic_sb3.errors import NotFiniteError
from sonic_sb3.evaluation import EvaluationResult, evaluate, summarise
from sonic_sb3.hyperparams import load_hyperparameters
from sonic_sb3.runs import make_policy
from sonic_sb3.statistics import mean_interval, student_t, wilson_interval


def play(game: str, n_episodes: int = 5) -> EvaluationResult:
    overrides = {"env_kwargs.max_episode_steps": 80}
    hyperparameters = load_hyperparameters("random", game, overrides=overrides)
    actor = make_actor(make_policy("random", game, hyperparameters))
    return evaluate(actor, game, ["Level1"], hyperparameters, n_episodes=n_episodes, seed=7)


def test_a_dying_worker_changes_nothing(airstriker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = play(airstriker)
    step_async = SonicVecEnv.step_async
    n_steps = 0

    def step_and_kill(self: SonicVecEnv, actions: Any) -> None:
        nonlocal n_steps
        n_steps += 1
        if n_steps in (15, 70):
            os.kill(self.worker_pids[n_steps % 2] or 0, signal.SIGKILL)
        step_async(self, actions)

    monkeypatch.setattr(SonicVecEnv, "step_async", step_and_kill)
    result = play(airstriker)
    assert result.episodes == expected.episodes
    np.testing.assert_array_equal(result.best_input_movie, expected.best_input_movie)


@pytest.mark.parametrize("algo", ["ppo", "ppo_lstm", "dqn", "qrdqn"])
def test_finite_weights_that_overflow(airstriker: str, algo: str) -> None:
    overrides = {"policy_kwargs.features_dim": 16} | dict.fromkeys(
        ("env_kwargs.frame_width", "env_kwargs.frame_height"), 36
    )
    hyperparameters = load_hyperparameters(algo, airstriker, overrides=overrides)
    policy = make_policy(algo, airstriker, hyperparameters)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in policy.parameters():
            weight.copy_(3e38 * (torch.rand(weight.shape, generator=generator) * 2 - 1))
    observations = np.full((2, *policy.observation_space.shape), 255, np.uint8)
    was_training = policy.training
    with pytest.raises(NotFiniteError, match="cannot choose an action: expected numbers"):
        make_actor(policy).action_probabilities(observations, np.ones(2, bool))
    assert policy.training == was_training


def test_episodes_have_seeds_of_their_own(airstriker: str) -> None:
    episodes = play(airstriker).episodes
    assert [(e.index, e.seed) for e in episodes] == [(k, 7 + k) for k in range(5)]
    assert len({e.action_counts for e in episodes}) == 5


def test_summary_counts_and_averages(airstriker: str) -> None:
    episode = play(airstriker, 1).episodes[0]
    facts = [(True, 1.0, 40.0), (True, 1.0, 50.0), (False, 0.25, 300.0)]
    episodes = [
        dataclasses.replace(
            episode,
            is_success=success,
            progress=progress,
            game_time_s=time_s,
            end_reason="completed" if success else "time_limit",
        )
        for success, progress, time_s in facts
    ]
    summary = summarise(episodes)
    assert summary.completion_rate == pytest.approx(2 / 3)
    assert summary.means["progress"] == pytest.approx(0.75)
    assert summary.means["completion_time_s"] == 45.0
    assert summary.end_reasons == {"completed": 2, "time_limit": 1}
    assert "contest_score" not in summary.means, "a fact the game does not have is absent"


def test_wilson_interval_against_the_textbook() -> None:
    # Newcombe (1998), table I: 81 of 263, and 0 of 20.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 40])
def test_mean_interval_covers_as_it_says(n: int) -> None:
    rng = np.random.default_rng(n)
    intervals = [mean_interval(rng.normal(3.0, 1.0, n).tolist()) or (0, 0) for _ in range(2000)]
    assert np.mean([low <= 3.0 <= high for low, high in intervals]) == pytest.approx(
        0.95, abs=0.015
    )


def test_mean_interval_by_hand() -> None:
    low, high = mean_interval([1.0, 2.0, 3.0]) or (0, 0)
    assert (low, high) == pytest.approx((2 - 4.30265 / 3**0.5, 2 + 4.30265 / 3**0.5))
    assert mean_interval([0.2, 1.0], (0.0, 1.0)) == (0.0, 1.0)
    assert mean_interval([0.7, 0.7]) == (0.7, 0.7)
    assert mean_interval([1.0]) is None


def test_students_quantiles_against_the_textbook() -> None:
    for n_degrees, quantile in (
        (1, 12.7062),
        (9, 2.2622),
        (10, 2.2281),
        (15, 2.1314),
        (60, 2.0003),
    ):
        assert student_t(n_degrees) == pytest.approx(quantile, abs=2e-4)
    assert student_t(10**6) == pytest.approx(1.95997, abs=1e-4)
