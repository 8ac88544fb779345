"""How good an agent is: episodes under sticky frame skip, each with a seed of its own."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sonic_sb3.actors import Actor, Probabilities
from sonic_sb3.algorithm_settings import Hyperparameters
from sonic_sb3.envs.planned_episodes import make_planned_env
from sonic_sb3.envs.vec_env import SonicVecEnv
from sonic_sb3.statistics import bounds_of, mean_interval, wilson_interval

MEAN_INTERVAL_METHOD = "student-t"  # what mean_interval draws; files tell it, for it has changed
MAX_EVAL_ENVS = 8  # fixed, not the number of cores: batch size is part of what a result depends on


@dataclass(frozen=True)
class Episode:
    """
    One episode of an evaluation. Facts that the game does not have are ``None``.

    :param index: Number of the episode in the evaluation.
    :param seed: Of its env and of the agent's choices.
    :param level: The level.
    :param n_timesteps: Its length.
    :param episode_return: Sum of the rewards as the learner sees them.
    :param end_reason: Why it ended.
    :param game_time_s: Emulated seconds.
    :param is_success: The level was completed.
    :param progress: 0..1 along the level.
    :param contest_score: The contest's points.
    :param x: Where it ended, pixels.
    :param y: Where it ended, pixels.
    :param score: The game's own score.
    :param action_counts: How often each action was taken.
    """

    index: int
    seed: int
    level: str
    n_timesteps: int
    episode_return: float
    end_reason: str
    game_time_s: float
    is_success: bool | None
    progress: float | None
    contest_score: float | None
    x: int | None
    y: int | None
    score: int | None
    action_counts: tuple[int, ...]

    @property
    def points(self) -> float:
        """What episodes are compared by: the contest's points, in games without it the return."""
        return self.episode_return if self.contest_score is None else self.contest_score

    @property
    def rank(self) -> tuple[float, int]:
        """Higher is better; of equals the first episode, whichever ended first."""
        return (self.points, -self.index)


@dataclass(frozen=True)
class EvaluationResult:
    """
    Episodes in their order, and the buttons that replay the best one.

    :param episodes: All of them.
    :param best_episode: The most points (where the game has none, the highest return).
    :param best_input_movie: (n_frames, 12) of 0 and 1.
    """

    episodes: list[Episode]
    best_episode: Episode
    best_input_movie: npt.NDArray[np.uint8]


def evaluate(
    actor: Actor,
    game_id: str,
    levels: Sequence[str],
    hyperparameters: Hyperparameters,
    *,
    n_episodes: int,
    seed: int,
    deterministic: bool = False,
) -> EvaluationResult:
    """
    Play episodes in worker processes. The result depends on the arguments alone.

    :param actor: The agent.
    :param game_id: The game.
    :param levels: Episode k plays level k modulo their number.
    :param hyperparameters: Env settings and frame stack that the agent was trained with.
    :param n_episodes: How many, at least 1.
    :param seed: Episode k gets seed + k.
    :param deterministic: Take the most probable action instead of drawing one.
    """
    n_envs = min(n_episodes, MAX_EVAL_ENVS)
    env_kwargs = {**hyperparameters.env_kwargs.of_an_evaluation(), "record_inputs": True}
    env_fns = [
        functools.partial(
            make_planned_env,
            game_id,
            [(seed + k, levels[k % len(levels)]) for k in range(env_index, n_episodes, n_envs)],
            env_kwargs,
        )
        for env_index in range(n_envs)
    ]
    vec_env = SonicVecEnv(env_fns, n_stack=hyperparameters.frame_stack)
    try:
        episodes: list[Episode] = []
        best: tuple[Episode, bytes] | None = None
        for episode, movie in _play(actor, vec_env, n_episodes, seed, deterministic):
            episodes.append(episode)
            if best is None or episode.rank > best[0].rank:
                best = (episode, movie)
    finally:
        vec_env.close()
    assert best is not None
    movie_frames = np.frombuffer(best[1], dtype=np.uint8).reshape(-1, 12)
    return EvaluationResult(sorted(episodes, key=lambda e: e.index), best[0], movie_frames)


def _play(
    actor: Actor, vec_env: SonicVecEnv, n_episodes: int, seed: int, deterministic: bool
) -> Iterator[tuple[Episode, bytes]]:
    n_envs = vec_env.num_envs
    playing = list(range(n_envs))  # the episode that each env plays
    generators = [_episode_generator(seed + k) for k in playing]
    returns = np.zeros(n_envs)
    lengths = np.zeros(n_envs, dtype=int)
    observations = vec_env.reset()
    starts = np.ones(n_envs, dtype=bool)
    while min(playing) < n_episodes:
        probabilities = actor.action_probabilities(observations, starts)  # type: ignore[arg-type]
        if deterministic:
            actions = probabilities.argmax(axis=1)
        else:
            actions = np.array(
                [_draw(p, g) for p, g in zip(probabilities, generators, strict=True)]
            )
        observations, rewards, dones, infos = vec_env.step(actions)
        starts = dones
        returns += rewards
        lengths += 1
        for env_index in np.flatnonzero(dones):
            index = playing[env_index]
            if index < n_episodes:
                info = infos[env_index]
                yield (
                    _make_episode(
                        index, seed + index, lengths[env_index], returns[env_index], info
                    ),
                    info["input_movie"],
                )
            playing[env_index] += n_envs
            generators[env_index] = _episode_generator(seed + playing[env_index])
            returns[env_index] = 0
            lengths[env_index] = 0


def _episode_generator(seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, 0xAC7])  # not the stream that the env draws from


def _draw(probabilities: Probabilities, generator: np.random.Generator) -> int:
    """Draw by the cumulative sum; the last action takes what rounding leaves."""
    cumulated = np.cumsum(probabilities, dtype=np.float64)
    drawn = int(np.searchsorted(cumulated, generator.random() * cumulated[-1], side="right"))
    return min(drawn, len(probabilities) - 1)


def _make_episode(
    index: int, seed: int, n_timesteps: int, episode_return: float, info: dict[str, Any]
) -> Episode:
    return Episode(
        index=index,
        seed=seed,
        level=info["level"],
        n_timesteps=int(n_timesteps),
        episode_return=float(episode_return),
        end_reason=info["end_reason"],
        game_time_s=info["game_time_s"],
        is_success=info.get("is_success"),
        progress=info.get("progress"),
        contest_score=info.get("contest_score"),
        x=info.get("x"),
        y=info.get("y"),
        score=info.get("score"),
        action_counts=tuple(info["action_counts"]),
    )


@dataclass(frozen=True)
class Summary:
    """
    An evaluation in a few numbers, each mean with its 95 % interval where there is one.

    :param n_episodes: How many episodes.
    :param completion_rate: Share of completed episodes.
    :param completion_rate_interval: Wilson's interval.
    :param means: Mean of each fact that the game has.
    :param mean_intervals: Student's intervals of the means.
    :param end_reasons: How many episodes ended how.
    """

    n_episodes: int
    completion_rate: float | None
    completion_rate_interval: tuple[float, float] | None
    means: dict[str, float]
    mean_intervals: dict[str, tuple[float, float] | None]
    end_reasons: dict[str, int]


def summarise(episodes: Sequence[Episode]) -> Summary:
    """
    Reduce episodes to rates and means.

    ``completion_time_s`` is the mean over completed episodes alone.

    :param episodes: At least one.
    """
    columns: dict[str, list[float]] = {}
    for name in (
        "progress",
        "contest_score",
        "score",
        "episode_return",
        "n_timesteps",
        "game_time_s",
    ):
        values = [getattr(e, name) for e in episodes]
        if None not in values:
            columns[name] = values
    completed = [e.game_time_s for e in episodes if e.is_success]
    if completed:
        columns["completion_time_s"] = completed
    knows_success = all(e.is_success is not None for e in episodes)
    reasons = [e.end_reason for e in episodes]
    return Summary(
        n_episodes=len(episodes),
        completion_rate=len(completed) / len(episodes) if knows_success else None,
        completion_rate_interval=(
            wilson_interval(len(completed), len(episodes)) if knows_success else None
        ),
        means={name: float(np.mean(values)) for name, values in columns.items()},
        mean_intervals={name: mean_interval(v, bounds_of(name)) for name, v in columns.items()},
        end_reasons={reason: reasons.count(reason) for reason in sorted(set(reasons))},
    )


def to_json(episodes: Sequence[Episode], **facts: Any) -> dict[str, Any]:
    """
    What ``evaluation.json`` holds.

    :param episodes: The episodes.
    :param facts: How they were made.
    """
    return {
        **facts,
        "mean_interval_method": MEAN_INTERVAL_METHOD,
        "summary": asdict(summarise(episodes)),
        "episodes": [asdict(episode) for episode in episodes],
    }
