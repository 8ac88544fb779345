"""A learning rate that falls when the agent is ready, not after a fixed number of timesteps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from sonic_sb3.errors import SettingsError


@dataclass
class AnnealedSchedule:
    """
    A schedule of SB3's, times 1 until annealing begins and a line from 1 to 0 from then on.

    :param base: The schedule, of the remaining progress: 1 at the start of training, 0 at its end.
    :param total_timesteps: Of the training, at most.
    :param n_timesteps: How long annealing takes.
    :param begun_at: The timestep at which it began; ``None`` before that.
    """

    base: Callable[[float], float]
    total_timesteps: int
    n_timesteps: int
    begun_at: int | None = None

    @property
    def end(self) -> int | None:
        """The timestep at which nothing is learned any more."""
        return None if self.begun_at is None else self.begun_at + self.n_timesteps

    def __call__(self, progress_remaining: float) -> float:
        value = float(self.base(progress_remaining))
        if self.end is None:
            return value
        num_timesteps = (1.0 - progress_remaining) * self.total_timesteps
        left = (self.end - num_timesteps) / self.n_timesteps
        return value * min(1.0, max(0.0, left))


class AnnealWhenReady(BaseCallback):
    """
    Keeps the learning rate until the agent succeeds most of the time, then lowers it to 0, then
    ends the training.

    Agents that differ in nothing but their seed need very different times to learn a task. A rate
    that falls over a fixed number of timesteps stops slow ones before they can do it, and lets
    quick ones wait. An agent is ready when so many of the last episodes that SB3 remembers
    (``stats_window_size``, 100) were successes; or when no more timesteps are left than annealing
    takes. With as many timesteps in all, it is ready from the start: the rate falls to 0 over the
    whole training.

    For any algorithm of SB3 whose envs tell ``is_success`` in an episode's last info, and for
    rl-zoo3 (``callback: {sonic_sb3.annealing.AnnealWhenReady: {success_rate: 0.8}}``).

    :param success_rate: Share of successes that counts as ready, 0 to 1; ``None``: nothing does,
        and annealing begins when only its own timesteps are left.
    :param n_timesteps: How long annealing takes.
    :param ent_coef: The entropy coefficient as soon as the agent is ready; ``None`` for the one
        before. Who is paid for chance to the end goes on failing by chance.
    """

    name = "anneal_when_ready"

    def __init__(
        self,
        success_rate: float | None = 0.8,
        n_timesteps: int = 300_000,
        ent_coef: float | None = None,
    ) -> None:
        super().__init__()
        if success_rate is not None and not 0 <= success_rate <= 1:
            raise SettingsError(f"success_rate: expected 0 to 1, got {success_rate}")
        if n_timesteps < 1:
            raise SettingsError(f"n_timesteps: expected at least 1, got {n_timesteps}")
        if ent_coef is not None and not 0 <= ent_coef < math.inf:
            raise SettingsError(f"ent_coef: expected a number of at least 0, got {ent_coef}")
        self._success_rate = success_rate
        self._n_timesteps = n_timesteps
        self._ent_coef = ent_coef
        self._ent_coef_before: float | None = None
        self._has_been_ready = False
        self._begun_at: int | None = None
        self._schedule: AnnealedSchedule | None = None

    @property
    def end(self) -> int | None:
        """The timestep at which training will end, as soon as that is known."""
        return None if self._schedule is None else self._schedule.end

    def is_over(self, num_timesteps: int) -> bool:
        """
        Whether annealing ends a training there, also one that is about to go on from a snapshot.

        :param num_timesteps: How far the training is.
        """
        return self._begun_at is not None and num_timesteps >= self._begun_at + self._n_timesteps

    def get_snapshot(self) -> dict[str, Any]:
        """When annealing began, and whether the agent has been ready."""
        return {"begun_at": self._begun_at, "has_been_ready": self._has_been_ready}

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Put it back."""
        self._begun_at = snapshot.get("begun_at")
        self._has_been_ready = snapshot.get("has_been_ready", False)

    def _on_training_start(self) -> None:
        if self.num_timesteps == 0:
            self._begun_at = None
            self._has_been_ready = False
        total = self.model._total_timesteps
        base = self.model.lr_schedule
        if isinstance(base, AnnealedSchedule):  # of an earlier call of `learn`
            base = base.base
        n_timesteps = min(self._n_timesteps, total)
        self._schedule = AnnealedSchedule(base, total, n_timesteps, self._begun_at)
        self.model.lr_schedule = self._schedule
        if self._ent_coef is not None:
            self._ent_coef_before = getattr(self.model, "ent_coef", None)
            if not isinstance(self._ent_coef_before, int | float):
                raise SettingsError(
                    "ent_coef: expected an algorithm with an entropy coefficient that is a number, "
                    f"such as PPO or A2C, got {type(self.model).__name__}"
                )
        self._set_ent_coef()

    def _on_step(self) -> bool:
        return not self.is_over(self.num_timesteps)

    def _on_rollout_end(self) -> None:
        assert self._schedule is not None
        if not self._has_been_ready and self._is_ready():
            self._has_been_ready = True
            self._set_ent_coef()
        if self._begun_at is not None:
            return
        last_moment = self._schedule.total_timesteps - self._schedule.n_timesteps
        if self._has_been_ready or self.num_timesteps >= last_moment:
            self._begun_at = self._schedule.begun_at = min(self.num_timesteps, last_moment)

    def _on_training_end(self) -> None:
        if self._ent_coef_before is not None:  # a saved model has the settings that were given
            model: Any = self.model
            model.ent_coef = self._ent_coef_before

    def _set_ent_coef(self) -> None:
        if self._ent_coef is not None and self._has_been_ready:
            model: Any = self.model
            model.ent_coef = self._ent_coef

    def _is_ready(self) -> bool:
        successes = self.model.ep_success_buffer
        if self._success_rate is None or successes is None:
            return False
        is_full = len(successes) == successes.maxlen
        return bool(is_full and np.mean(successes) >= self._success_rate)
