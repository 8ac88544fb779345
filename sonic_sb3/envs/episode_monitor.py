"""
Statistics of every episode, taken outside all rewards: what the learner got and what it was worth.
"""

from __future__ import annotations

from stable_baselines3.common.vec_env import VecEnv, VecMonitor

from sonic_sb3.games import Game

ALWAYS_RECORDED = ("level", "end_reason", "game_time_s", "action_counts")
RECORDED_WITH_PROGRESS = ("is_success", "progress", "contest_score", "x", "y")


class EpisodeMonitor(VecMonitor):
    """
    SB3's VecMonitor with the game's facts: one row per episode, in the order in which they end.

    Columns: ``r l t`` as SB3 has them, :data:`ALWAYS_RECORDED`, and :data:`RECORDED_WITH_PROGRESS`
    of games that have progress (x and y tell where the episode ended).

    :param venv: The envs.
    :param game: The game they play.
    :param filename: Where to write the rows; ``.monitor.csv`` is appended where missing.
    """

    def __init__(self, venv: VecEnv, game: Game, filename: str | None = None) -> None:
        facts = RECORDED_WITH_PROGRESS if game.has_progress else ()
        super().__init__(venv, filename, info_keywords=(*ALWAYS_RECORDED, *facts))
