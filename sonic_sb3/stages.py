"""A curriculum: one run whose envs change on the way."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from sonic_sb3.algorithm_settings import EnvKwargs, Hyperparameters
from sonic_sb3.algorithm_state import find_replay_buffer
from sonic_sb3.envs.episode_monitor import EpisodeMonitor
from sonic_sb3.errors import SettingsError
from sonic_sb3.runs import observation_space
from sonic_sb3.settings import TrainSettings


def stage_at(hyperparameters: Hyperparameters, n_timesteps: int) -> int:
    """
    The stage that a run is in.

    :param hyperparameters: Of the run; without stages all of it is stage 0.
    :param n_timesteps: How far it is. A stage ends with the rollout in which its time is over.
    """
    ends = list(accumulate(stage.n_timesteps for stage in hyperparameters.stages))
    return sum(n_timesteps >= end for end in ends[:-1])


def stage_levels(
    hyperparameters: Hyperparameters, settings: TrainSettings, index: int
) -> tuple[str, ...]:
    """The levels of a stage; those of the run where it has no stages."""
    if not hyperparameters.stages:
        return settings.levels
    return settings.stage_levels[index]


def stage_env_kwargs(hyperparameters: Hyperparameters, index: int) -> EnvKwargs:
    """The env settings of a stage: its own, and the run's where it says nothing."""
    if not hyperparameters.stages:
        return hyperparameters.env_kwargs
    env_kwargs = _merge(hyperparameters, index)
    others = range(len(hyperparameters.stages))
    if env_kwargs.retry_prob is None and any(_merge(hyperparameters, k).retry_prob for k in others):
        env_kwargs = env_kwargs.model_copy(update={"retry_prob": 0.0})  # for the monitor's column
    if env_kwargs.rewards is None:
        return env_kwargs
    # The other stages' terms too, for nothing: the monitor's columns stay the same all along.
    own = {term["term"]: term for term in env_kwargs.rewards}
    names: dict[str, None] = {}
    for other in others:
        names |= dict.fromkeys(t["term"] for t in _merge(hyperparameters, other).rewards or ())
    terms = [own.get(name, {"term": name, "weight": 0.0}) for name in names]
    return env_kwargs.model_copy(update={"rewards": terms})


def _merge(hyperparameters: Hyperparameters, index: int) -> EnvKwargs:
    own = hyperparameters.stages[index].env_kwargs.written()
    return EnvKwargs(**{**hyperparameters.env_kwargs.written(), **own})


def check_stages(hyperparameters: Hyperparameters) -> None:
    """
    Refuse a curriculum whose stages show other pictures or offer other actions than the run's.

    :raises SettingsError: One does.
    """
    expected = observation_space(hyperparameters)
    for number, stage in enumerate(hyperparameters.stages, start=1):
        env_kwargs = stage_env_kwargs(hyperparameters, number - 1)
        space = observation_space(hyperparameters.model_copy(update={"env_kwargs": env_kwargs}))
        if space != expected:
            raise SettingsError(
                f"stages: stage {number}: expected observations of shape {expected.shape} as in "
                f"the run's env_kwargs, got {space.shape}"
            )
        if stage.env_kwargs.actions is not None:
            raise SettingsError(
                f"stages: stage {number}: expected actions among the run's env_kwargs, they cannot "
                "change on the way"
            )
    has_terms = [
        _merge(hyperparameters, i).rewards is not None for i in range(len(hyperparameters.stages))
    ]
    if any(has_terms) and not all(has_terms):
        raise SettingsError(
            f"stages: stage {has_terms.index(False) + 1}: expected rewards as a list of terms, "
            "because other stages have one"
        )


class Stages(BaseCallback):
    """
    Puts other envs under the algorithm at the end of a stage; all else goes on.

    Episodes under way are given up. It happens between a rollout and its update, so a snapshot
    always finds the envs of the stage that its number of timesteps tells.

    :param hyperparameters: Of the run.
    :param make_env: Makes the envs of a stage, seeded.
    """

    def __init__(
        self, hyperparameters: Hyperparameters, make_env: Callable[[int], EpisodeMonitor]
    ) -> None:
        super().__init__()
        self._hyperparameters = hyperparameters
        self._make_env = make_env
        self._index = 0

    def _on_training_start(self) -> None:
        self._index = stage_at(self._hyperparameters, self.num_timesteps)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        index = stage_at(self._hyperparameters, self.num_timesteps)
        if index != self._index:
            self._index = index
            self._change_envs()

    def _change_envs(self) -> None:
        old = self.training_env
        assert isinstance(old, EpisodeMonitor)
        before = old.get_snapshot()
        old.close()
        new = self._make_env(self._index)
        new.t_start = before["t_start"]
        new.episode_count = before["episode_count"]
        self.model.env = new
        self.model._last_obs = new.reset()  # type: ignore[assignment]
        self.model._last_episode_starts = np.ones(new.num_envs, dtype=bool)
        if isinstance(self.model, OffPolicyAlgorithm):
            find_replay_buffer(self.model).cut_episodes()
