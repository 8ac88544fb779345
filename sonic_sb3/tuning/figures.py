"""The figures that studies maximise: what one episode is worth, and a training's evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sonic_sb3.errors import StudyError
from sonic_sb3.games import Game

# A completed level is worth 1; of two agents that complete equally often, in at most 100 episodes,
# the one that comes further is better.
PROGRESS_WEIGHT = 0.01


def default_objective(game: Game) -> str:
    """The objective of a game: completion where it has progress, else its own score."""
    return "completion" if game.has_progress else "score"


def check_objective(objective: str, game: Game) -> None:
    """
    Accept an objective for a game.

    :raises StudyError: The game does not have it.
    """
    if objective != "score" and not game.has_progress:
        raise StudyError(f"--objective: {game.id} has no {objective}, expected score")


def episode_value(objective: str, facts: Mapping[str, Any]) -> float | None:
    """
    What an episode, or the part of it that was played, is worth.

    :param objective: One of the objectives.
    :param facts: An episode's facts or an env's info.
    :returns: ``None`` where the facts do not tell.
    """
    if objective == "score":
        score = facts.get("score")
        return None if score is None else float(score)
    progress = facts.get("progress")
    if progress is None:
        return None
    if objective == "progress":
        return float(progress)
    if objective == "contest_score":
        # Before its end an episode has the points of the way alone.
        return float(facts.get("contest_score", 9000.0 * progress))
    return float(bool(facts.get("is_success"))) + PROGRESS_WEIGHT * float(progress)


def level_values(objective: str, episodes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """
    The mean value of each level's episodes.

    :param objective: One of the objectives.
    :param episodes: Their facts, as ``evaluation.json`` has them.
    :raises StudyError: An episode does not have the figure.
    """
    values: dict[str, list[float]] = {}
    for facts in episodes:
        value = episode_value(objective, facts)
        if value is None:
            raise StudyError(f"an episode on {facts.get('level')} has no {objective}")
        values.setdefault(str(facts["level"]), []).append(value)
    return {level: float(np.mean(values[level])) for level in sorted(values)}
