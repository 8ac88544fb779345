"""Wrappers that alter the reward, and nothing but the reward."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import gymnasium as gym

from sonic_sb3.errors import SettingsError
from sonic_sb3.reward_terms import (
    TERMS,
    ContestProgress,
    MaxPoints,
    Moment,
    Points,
    Term,
    WeightedTerm,
)


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


class FactSource(Protocol):
    """What :class:`RewardTerms` asks of the game: :class:`GameEnv` is one."""

    @property
    def fact_names(self) -> frozenset[str]:
        """Which facts this game has."""

    @property
    def x_shift_px(self) -> int:
        """What to add to x so that it is of one coordinate system for the whole level."""

    @property
    def counts(self) -> Mapping[str, float]:
        """Sums since the episode's start."""

    def count(self, names: Iterable[str]) -> None:
        """Count these frame by frame from now on."""


class RewardTerms(gym.Wrapper[Any, Any, Any, Any]):
    """
    Replaces the reward by a weighted sum of named terms, and tells the sums of each episode.

    The last info of an episode gets ``reward/TERM``, the part of the return that came from a term.
    Weights that decay do so in an env that is told that it is trained on
    (:meth:`begin_training`), with the timesteps of the run, counted exactly: each of its envs makes
    one while this one makes one. Where nobody tells, as in evaluations, they stay as they begin.

    :param env: An env whose rewards are the unshaped points.
    :param terms: What to sum.
    :param game: Where facts come from.
    :param scale: Factor on the sum.
    :param allow_backtracking: Points are paid for new maxima of their sum only.
    :raises SettingsError: The game lacks what a term needs.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        terms: Sequence[WeightedTerm],
        game: FactSource,
        *,
        scale: float = 1.0,
        allow_backtracking: bool = False,
    ) -> None:
        super().__init__(env)
        _check_facts(terms, game.fact_names)
        self._weighted = tuple(terms)
        self._terms = [_make_term(term, allow_backtracking) for term in terms]
        self._game = game
        self._scale = scale
        game.count({name for term in self._terms for name in term.counts})
        self._sums = [0.0] * len(self._terms)
        self._run_timesteps = 0
        self._timesteps_per_step = 0

    def begin_training(self, n_envs: int, n_timesteps: int = 0) -> None:
        """
        Let weights decay from now on.

        :param n_envs: How many envs are stepped together.
        :param n_timesteps: The run's timesteps so far.
        """
        self._timesteps_per_step = n_envs
        self._run_timesteps = n_timesteps

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        obs, info = self.env.reset(**kwargs)
        moment = self._make_moment(0.0, info)
        for term in self._terms:
            term.reset(moment)
        self._sums = [0.0] * len(self._terms)
        return obs, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, points, terminated, truncated, info = self.env.step(action)
        moment = self._make_moment(float(points), info)
        reward = 0.0
        for index, (weighted, term) in enumerate(zip(self._weighted, self._terms, strict=True)):
            part = self._scale * weighted.weight_at(self._run_timesteps) * term.value(moment)
            self._sums[index] += part
            reward += part
        self._run_timesteps += self._timesteps_per_step
        if terminated or truncated:
            names = (f"reward/{weighted.name}" for weighted in self._weighted)
            info = info | dict(zip(names, self._sums, strict=True))
        return obs, reward, terminated, truncated, info

    def get_snapshot(self) -> dict[str, Any]:
        """The state of each term, the sums, and the timesteps counted."""
        return {
            "run_timesteps": self._run_timesteps,
            "timesteps_per_step": self._timesteps_per_step,
            "sums": list(self._sums),
            "terms": [term.get_snapshot() for term in self._terms],
        }

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Put them back."""
        self._run_timesteps = snapshot["run_timesteps"]
        self._timesteps_per_step = snapshot["timesteps_per_step"]
        self._sums = list(snapshot["sums"])
        for term, state in zip(self._terms, snapshot["terms"], strict=True):
            term.set_snapshot(state)

    def _make_moment(self, points: float, info: dict[str, Any]) -> Moment:
        return Moment(
            points=points,
            x=info.get("x", 0) + self._game.x_shift_px,
            y=info.get("y", 0),
            end_reason=info.get("end_reason"),
            counts=dict(self._game.counts),
        )


def _make_term(weighted: WeightedTerm, allow_backtracking: bool) -> Term:
    kind = TERMS[weighted.name]
    if allow_backtracking and kind in (Points, ContestProgress):
        kind = MaxPoints
    return kind(**weighted.parameters)


def _check_facts(terms: Sequence[WeightedTerm], facts: frozenset[str]) -> None:
    usable = [name for name, kind in TERMS.items() if facts.issuperset(kind.needs)]
    for term in terms:
        if term.name not in usable:
            lacking = ", ".join(sorted(set(TERMS[term.name].needs) - facts))
            raise SettingsError(
                f"reward term {term.name!r} needs {lacking}, which this game does not tell: "
                f"expected one of {', '.join(usable)}"
            )
