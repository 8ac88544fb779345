"""How a trial is doing while it learns: from the episodes of training, which cost nothing extra."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from sonic_sb3.monitor_files import RETRY_COLUMN
from sonic_sb3.tuning.figures import episode_value

# Fewer say more about luck than about the agent: of 30 episodes the mean progress is known to 0.08.
_N_EPISODES = 100


class TrainingReports(BaseCallback):
    """
    Tells the mean value of the last 100 episodes, or of those under way before the first has ended.

    :param objective: The figure.
    :param every_timesteps: How often.
    :param n_reports: How many in all; a last rollout may go beyond the training's end.
    :param on_report: Called with the number of the report, from 1, and the value; may raise.
    :param on_step: Called with the number of timesteps.
    """

    name = "training_reports"

    def __init__(
        self,
        objective: str,
        every_timesteps: int,
        n_reports: int,
        on_report: Callable[[int, float], None],
        on_step: Callable[[int], None],
    ) -> None:
        super().__init__()
        self._objective = objective
        self._every_timesteps = every_timesteps
        self._n_reports = n_reports
        self._on_report = on_report
        self._tell_step = on_step
        self._ended: list[float] = []
        self._running: dict[str, float] = {}
        self.values: list[float] = []

    def get_snapshot(self) -> dict[str, Any]:
        """The last episodes, and all reports."""
        return {
            "ended": list(self._ended),
            "running": dict(self._running),
            "values": list(self.values),
        }

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Put it back."""
        self._ended = snapshot["ended"]
        self._running = snapshot["running"]
        self.values = snapshot["values"]

    def _on_step(self) -> bool:
        self._tell_step(self.num_timesteps)
        for index, (info, done) in enumerate(
            zip(self.locals["infos"], self.locals["dones"], strict=True)
        ):
            value = episode_value(self._objective, info)
            if value is None:
                continue
            if info.get(RETRY_COLUMN):  # begun in the middle, by an agent that had failed there
                self._running.pop(str(index), None)
                continue
            best = max(value, self._running.get(str(index), 0.0))
            if done:
                self._ended.append(best if self._objective != "score" else value)
                del self._ended[:-_N_EPISODES]
                self._running.pop(str(index), None)
            else:
                self._running[str(index)] = best
        while self._is_due():
            self._report()
        return True

    def _is_due(self) -> bool:
        n_due = self.num_timesteps // self._every_timesteps
        return len(self.values) < min(n_due, self._n_reports)

    def _report(self) -> None:
        seen = self._ended or list(self._running.values()) or [0.0]
        value = float(np.mean(seen))
        self.values.append(value)
        self.logger.record("tune/training_value", value)
        self._on_report(len(self.values), value)
