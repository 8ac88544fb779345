"""
Envs whose episodes are planned, as evaluations need them.

A worker imports the module of what makes its env: this one needs no torch, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym

from sonic_sb3.envs.make import make_env


class PlannedEpisodes(gym.Wrapper[Any, Any, Any, Any]):
    """
    Begins each episode with the seed and level planned for it, also where the vec env resets by
    itself.

    :param env: The env.
    :param plan: Seed and level of each episode; after the last the env goes on as it likes.
    """

    snapshot_attributes = ("_n_begun",)

    def __init__(self, env: gym.Env[Any, Any], plan: Sequence[tuple[int, str]]) -> None:
        super().__init__(env)
        self._plan = plan
        self._n_begun = 0

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        if self._n_begun < len(self._plan):
            seed, level = self._plan[self._n_begun]
            kwargs = {"seed": seed, "options": {"level": level}}
        self._n_begun += 1
        return self.env.reset(**kwargs)


def make_planned_env(
    game_id: str, plan: Sequence[tuple[int, str]], env_kwargs: dict[str, Any]
) -> gym.Env[Any, Any]:
    """
    Make the env of :func:`sonic_sb3.make_env` for planned episodes.

    :param game_id: The game.
    :param plan: As :class:`PlannedEpisodes` takes it, at least one episode.
    :param env_kwargs: Of ``make_env``, without the level.
    """
    return PlannedEpisodes(make_env(game_id, level=plan[0][1], **env_kwargs), plan)
