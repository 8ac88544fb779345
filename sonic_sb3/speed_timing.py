"""Where the time of training goes: envs, policy, update."""

from __future__ import annotations

import time
from typing import Any

import numpy.typing as npt
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn


class TimedVecEnv(VecEnvWrapper):
    """Adds up the time that the training process spends in its envs, in ``busy_s``."""

    def __init__(self, venv: Any) -> None:
        super().__init__(venv)
        self.busy_s = 0.0

    def reset(self) -> VecEnvObs:
        return self.venv.reset()

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        started_s = time.perf_counter()
        self.venv.step_async(actions)
        self.busy_s += time.perf_counter() - started_s

    def step_wait(self) -> VecEnvStepReturn:
        started_s = time.perf_counter()
        result = self.venv.step_wait()
        self.busy_s += time.perf_counter() - started_s
        return result


class TimeRollouts(BaseCallback):
    """The duration of the last rollout, in ``duration_s``."""

    def __init__(self) -> None:
        super().__init__()
        self.duration_s = 0.0
        self._started_s = 0.0

    def _on_rollout_start(self) -> None:
        self._started_s = time.perf_counter()

    def _on_rollout_end(self) -> None:
        self.duration_s = time.perf_counter() - self._started_s

    def _on_step(self) -> bool:
        return True
