"""
Statistics of every episode, taken outside all rewards: what the learner got and what it was worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv, VecMonitor
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from sonic_sb3.envs.monitor_file import MonitorFile
from sonic_sb3.envs.scoring import find_scoring
from sonic_sb3.games import Game
from sonic_sb3.monitor_files import RETRY_COLUMN

ALWAYS_RECORDED = ("level", "end_reason", "game_time_s", "action_counts")


class EpisodeMonitor(VecMonitor):
    """
    SB3's VecMonitor with the game's facts: one row per episode, in the order in which they end.

    Columns: ``r l t`` as SB3 has them, :data:`ALWAYS_RECORDED`, the ``recorded_facts`` of the
    game's scoring (x and y tell where the episode ended), ``reward/TERM`` of each reward term, and
    ``is_retry`` where there are retries. A retry has its row, for its timesteps count, but SB3 is
    told nothing of it: its statistics are of episodes from a level's start.

    :param venv: The envs.
    :param game: The game they play.
    :param filename: Where to write the rows; ``.monitor.csv`` is appended where missing. In a
        folder they are in ``monitor.csv``.
    :param appends: Go on with a file that is there instead of beginning it anew.
    :param more_columns: What else to record of an episode's last info.
    """

    def __init__(
        self,
        venv: VecEnv,
        game: Game,
        filename: str | None = None,
        appends: bool = False,
        more_columns: Sequence[str] = (),
    ) -> None:
        keywords = (*ALWAYS_RECORDED, *find_scoring(game).recorded_facts, *more_columns)
        super().__init__(venv, None, info_keywords=keywords)
        if filename:
            path = Path(filename)
            path = path / "monitor.csv" if path.is_dir() else path
            if not path.name.endswith("monitor.csv"):
                path = path.with_name(f"{path.name}.monitor.csv")
            path.parent.mkdir(parents=True, exist_ok=True)
            header = {"t_start": self.t_start, "env_id": game.id}
            columns = ("r", "l", "t", *keywords)
            self.results_writer = MonitorFile(  # type: ignore[assignment]  # writes the same
                path, header, columns, appends
            )

    def step_wait(self) -> VecEnvStepReturn:
        observations, rewards, dones, infos = super().step_wait()
        for env_index in np.flatnonzero(dones):
            if infos[env_index].get(RETRY_COLUMN):
                infos[env_index].pop("episode", None)
                infos[env_index].pop("is_success", None)
        return observations, rewards, dones, infos

    def get_snapshot(self) -> dict[str, Any]:
        """Running sums of the episodes under way, as plain data."""
        return {
            "episode_returns": self.episode_returns.copy(),
            "episode_lengths": self.episode_lengths.copy(),
            "episode_count": self.episode_count,
            "t_start": self.t_start,
        }

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Put them back."""
        vars(self).update(snapshot)
