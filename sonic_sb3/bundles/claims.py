"""What a bundle claims of its agent, checked against its own contents and against each other."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from sonic_sb3.bundles.card import check_card
from sonic_sb3.bundles.contents import CARD, EVALUATION, WEIGHTS, Bundle
from sonic_sb3.bundles.weights import check_weights, own_tensors
from sonic_sb3.errors import BundleError
from sonic_sb3.evaluation import MEAN_INTERVAL_METHOD, Episode, Summary, summarise

_EPISODES: TypeAdapter[list[Episode]] = TypeAdapter(list[Episode])
_TOLERANCE = {"rel_tol": 1e-6, "abs_tol": 1e-9}  # what another version of numpy may round otherwise
_END_REASON = re.compile("[a-z_]{1,40}")
_FACT_KEYS = {"env", "seed", "deterministic", "checkpoint"}


@dataclass(frozen=True)
class Claims:
    """
    The evaluation that a bundle holds.

    :param seed: Episode k has seed + k.
    :param deterministic: The most probable action was taken.
    :param episodes: All of them, in order.
    :param summary: Computed from them.
    """

    seed: int
    deterministic: bool
    episodes: list[Episode]
    summary: Summary

    def by_level(self) -> dict[str, Summary]:
        """A summary per level, in the order of their first episodes."""
        return {level: summarise(episodes) for level, episodes in self._split().items()}

    def return_stds(self) -> dict[str, float]:
        """Standard deviation of the episodes' returns, by level."""
        return {
            level: float(np.std([episode.episode_return for episode in episodes]))
            for level, episodes in self._split().items()
        }

    def _split(self) -> dict[str, list[Episode]]:
        levels: dict[str, list[Episode]] = {}
        for episode in self.episodes:
            levels.setdefault(episode.level, []).append(episode)
        return levels

    @property
    def best_episode(self) -> Episode:
        """The one that the movie shows: the most points, of equals the first."""
        return max(self.episodes, key=lambda episode: episode.rank)


def read_claims(bundle: Bundle) -> Claims:
    """
    Check an agent's figures: its episodes make its summary, its card says the same.

    :param bundle: An agent.
    :raises SonicError: They contradict each other, or are no figures.
    """
    source = bundle.source(EVALUATION)
    data = bundle.json(EVALUATION)
    claims = _read_episodes(data, source)
    agent = bundle.agent
    if data["env"] != agent.env:
        raise BundleError(f"{source}: of {data['env']!r}, expected {agent.env!r}")
    for k, episode in enumerate(claims.episodes):
        expected = (k, claims.seed + k, agent.levels[k % len(agent.levels)])
        if (episode.index, episode.seed, episode.level) != expected:
            raise BundleError(
                f"{source}: episode {k}: expected index, seed and level {expected}, "
                f"got {(episode.index, episode.seed, episode.level)}"
            )
    levels = _check_summaries(data, claims, source)
    if bundle.movie.level != claims.best_episode.level:
        raise BundleError(
            f"{source}: the best episode is on {claims.best_episode.level}, the movie on "
            f"{bundle.movie.level}"
        )
    card, name = bundle.files[CARD], bundle.index.name
    check_card(card, bundle.source(CARD), name, agent.env, levels, claims.return_stds())
    return claims


def check_agent_weights(bundle: Bundle) -> None:
    """
    Check that an agent's weights fit the network that its settings make.

    :param bundle: An agent.
    :raises SonicError: They do not.
    """
    import torch

    from sonic_sb3.runs import make_policy

    with torch.device("meta"):  # however large the settings say, no memory is taken
        policy = make_policy(bundle.agent.algo, bundle.agent.env, bundle.hyperparameters)
    check_weights(own_tensors(policy), bundle.files[WEIGHTS], bundle.source(WEIGHTS))


def _read_episodes(data: Any, source: str) -> Claims:
    if not isinstance(data, dict) or not _FACT_KEYS | {"summary", "by_level", "episodes"} <= set(
        data
    ):
        raise BundleError(f"{source}: expected the evaluation that `share pack` writes")
    try:
        episodes = _EPISODES.validate_python(data["episodes"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"{source}: episodes.{where}: {first['msg']}") from None
    seed, deterministic = data["seed"], data["deterministic"]
    if type(seed) is not int or seed < 0 or type(deterministic) is not bool or not episodes:
        raise BundleError(f"{source}: expected a seed, and at least one episode")
    for episode in episodes:
        if not _END_REASON.fullmatch(episode.end_reason):
            raise BundleError(
                f"{source}: episode {episode.index}: expected an end_reason such as time_limit, "
                f"got {episode.end_reason[:40]!a}"
            )
    return Claims(seed, deterministic, episodes, summarise(episodes))


def _check_summaries(data: Any, claims: Claims, source: str) -> dict[str, Summary]:
    """Both summaries are what the episodes make; returned is the one by level, as claimed."""
    whole, levels = claims.summary, claims.by_level()
    if data.get("mean_interval_method") != MEAN_INTERVAL_METHOD:
        whole = _with_intervals(whole, data["summary"], f"{source}: summary")
        by_level = data["by_level"] if isinstance(data["by_level"], dict) else {}
        levels = {
            level: _with_intervals(summary, by_level.get(level), f"{source}: by_level.{level}")
            for level, summary in levels.items()
        }
    _check_equal(data["summary"], asdict(whole), f"{source}: summary")
    _check_equal(data["by_level"], {k: asdict(v) for k, v in levels.items()}, f"{source}: by_level")
    return levels


def _with_intervals(computed: Summary, claimed: Any, where: str) -> Summary:
    """
    A summary with the intervals that another version drew by a rule of its own.

    Such a bundle is no liar for it. Each interval must hold its mean; readers are shown those that
    this version draws.
    """
    intervals = claimed.get("mean_intervals") if isinstance(claimed, dict) else None
    if not isinstance(intervals, dict) or intervals.keys() != computed.means.keys():
        raise BundleError(f"{where}: expected intervals of the means {', '.join(computed.means)}")
    for name, mean in computed.means.items():
        interval = intervals.get(name)
        if interval is not None and not _holds(interval, mean):
            raise BundleError(
                f"{where}.mean_intervals.{name}: expected an interval that holds the mean {mean}, "
                f"got {interval!r:.80}"
            )
    return replace(computed, mean_intervals=intervals)


def _holds(interval: Any, value: float) -> bool:
    if not isinstance(interval, list) or len(interval) != 2:
        return False
    if not all(type(end) in (int, float) for end in interval):
        return False
    low, high = interval
    is_an_end = any(math.isclose(end, value, **_TOLERANCE) for end in interval)
    return is_an_end or bool(low <= value <= high)


def _check_equal(claimed: Any, computed: Any, where: str) -> None:
    """Equal up to what another version of numpy may round otherwise."""
    if isinstance(computed, Mapping):
        if not isinstance(claimed, Mapping) or claimed.keys() != computed.keys():
            raise BundleError(f"{where}: expected the keys {', '.join(computed) or 'none'}")
        for key, value in computed.items():
            _check_equal(claimed[key], value, f"{where}.{key}")
    elif isinstance(computed, list | tuple):
        if not isinstance(claimed, list | tuple) or len(claimed) != len(computed):
            raise BundleError(f"{where}: expected {computed}, got {claimed!r:.80}")
        for one, other in zip(claimed, computed, strict=True):
            _check_equal(one, other, where)
    elif isinstance(computed, float) and isinstance(claimed, int | float):
        if not math.isclose(claimed, computed, **_TOLERANCE):
            raise _wrong_claim(where, claimed, computed)
    elif claimed != computed:
        raise _wrong_claim(where, claimed, computed)


def _wrong_claim(where: str, claimed: Any, computed: Any) -> BundleError:
    return BundleError(
        f"{where}: expected {computed}, as its own episodes make it, it claims {claimed!r:.80}"
    )
