"""
Whether an agent's figures can be had here: its movie replayed, its evaluation played again.

Compared exactly: the movie's final RAM and picture and what the game then tells (the emulator gives
the same everywhere), and the episodes, seed by seed. Arithmetic of another processor or torch may
round a probability otherwise and so turn an episode; where episodes differ, their completion rates
and scores are compared as samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from sonic_sb3.actors import make_actor
from sonic_sb3.bundles.agents import load_bundle_policy
from sonic_sb3.bundles.claims import Claims, read_claims
from sonic_sb3.bundles.contents import BK2, Bundle
from sonic_sb3.bundles.movies import make_bk2
from sonic_sb3.bundles.replay import replay
from sonic_sb3.errors import BundleError
from sonic_sb3.evaluation import MAX_EVAL_ENVS, Episode, evaluate
from sonic_sb3.rom_files import rom_sha1

Values = npt.NDArray[np.float64]
Verdict = Literal["same", "consistent", "different"]
_ALPHA = 0.001  # an honest bundle is called different once in a thousand times at most
_N_PERMUTATIONS = 10_000


@dataclass(frozen=True)
class Verification:
    """
    What came out.

    :param movie: Whether the movie led to the same RAM, picture and facts.
    :param movie_note: In words.
    :param episodes: Whether the episodes came out the same, or alike, or not.
    :param episodes_note: In words.
    """

    movie: Verdict
    movie_note: str
    episodes: Verdict
    episodes_note: str

    @property
    def verdict(self) -> Verdict:
        """The worse of the two."""
        order: list[Verdict] = ["same", "consistent", "different"]
        return order[max(order.index(self.movie), order.index(self.episodes))]


def verify_agent(bundle: Bundle, n_episodes: int | None = None) -> Verification:
    """
    Play everything again.

    :param bundle: An agent.
    :param n_episodes: So many episodes of the evaluation, and no fewer than are played side by
        side; ``None`` for all of them.
    :raises SonicError: The bundle contradicts itself, or its game cannot be played here.
    """
    claims = read_claims(bundle)
    check_rom(bundle)
    movie, movie_note = _verify_movie(bundle, claims)
    again = _play_again(bundle, claims, n_episodes)
    episodes, episodes_note = compare_episodes(claims.episodes[: len(again)], again)
    return Verification(movie, movie_note, episodes, episodes_note)


def check_rom(bundle: Bundle) -> None:
    """
    Check that the ROM here is the one that the agent was evaluated on.

    :raises SonicError: It is missing or another one.
    """
    expected, got = bundle.agent.rom_sha1, rom_sha1(bundle.agent.env)
    if expected != got:
        raise BundleError(
            f"{bundle.path}: of a ROM with sha1 {expected}, the one of {bundle.agent.env} here has "
            f"{got}: expected the same one"
        )


def compare_episodes(claimed: Sequence[Episode], played: Sequence[Episode]) -> tuple[Verdict, str]:
    """
    Compare two evaluations with the same seeds.

    :param claimed: What the bundle says.
    :param played: What came out here.
    :returns: The verdict, and in words why.
    """
    n = len(played)
    n_same = sum(one == other for one, other in zip(claimed, played, strict=True))
    if n_same == n:
        return "same", f"all {n} episodes came out as claimed, to the last digit"
    completed = [sum(bool(e.is_success) for e in side) for side in (claimed, played)]
    p_completed = fisher_exact(completed[0], completed[1], n)
    scores = [np.array([e.points for e in side]) for side in (claimed, played)]
    p_points = permutation_test(scores[0], scores[1])
    note = (
        f"{n_same} of {n} episodes came out as claimed; completed {completed[1]} of {n} "
        f"(claimed {completed[0]}, p = {p_completed:.3f}), mean points {scores[1].mean():.1f} "
        f"(claimed {scores[0].mean():.1f}, p = {p_points:.3f})"
    )
    return ("different" if min(p_completed, p_points) < _ALPHA else "consistent"), note


def fisher_exact(n_first: int, n_second: int, n: int) -> float:
    """
    Fisher's exact test of two rates, two-sided.

    :param n_first: Successes of the first n.
    :param n_second: Successes of the second n.
    :param n: How many each.
    :returns: The probability of a difference at least as unlikely, if both rates are one.

    Source: R. A. Fisher (1922), "On the interpretation of chi-square from contingency tables".
    """
    total = n_first + n_second
    ways = [math.comb(n, k) * math.comb(n, total - k) for k in range(total + 1) if k <= n]
    observed = math.comb(n, n_first) * math.comb(n, n_second)
    return sum(w for w in ways if w <= observed) / sum(ways)


def permutation_test(first: Values, second: Values) -> float:
    """
    Permutation test of two means, two-sided.

    :param first: (n,) values.
    :param second: (m,) values.
    :returns: The share of relabellings with a difference at least as large; seeded.
    """
    values = np.concatenate([first, second])
    observed = abs(first.mean() - second.mean())
    rng = np.random.default_rng(0)
    n_as_large = 0
    for _ in range(_N_PERMUTATIONS):
        rng.shuffle(values)
        difference = abs(values[: len(first)].mean() - values[len(first) :].mean())
        n_as_large += bool(difference >= observed - 1e-9)
    return (n_as_large + 1) / (_N_PERMUTATIONS + 1)


def _verify_movie(bundle: Bundle, claims: Claims) -> tuple[Verdict, str]:
    movie = bundle.movie
    if bundle.files[BK2] != make_bk2(movie):
        return "different", f"{BK2} is not the movie"
    outcome = replay(movie.game, movie.level, movie.inputs)
    best = claims.best_episode
    claimed = {key: getattr(best, key) for key in outcome.facts if hasattr(best, key)}
    if outcome.end_reason is not None:
        claimed["end_reason"] = best.end_reason
    for key, value in claimed.items():
        got = outcome.end_reason if key == "end_reason" else outcome.facts[key]
        if value != got:
            return "different", f"the movie leads to {key} {got}, claimed is {value}"
    if outcome.n_frames != len(movie.inputs):
        return "different", f"the game ends after {outcome.n_frames} frames of the movie"
    if (outcome.ram_sha256, outcome.screen_sha256) != (movie.ram_sha256, movie.screen_sha256):
        return "different", "the movie leads to another RAM or picture than it says"
    return "same", f"{outcome.n_frames:,} frames lead to the same RAM, picture and figures"


def _play_again(bundle: Bundle, claims: Claims, n_episodes: int | None) -> list[Episode]:
    n_claimed = len(claims.episodes)
    # With fewer envs side by side, batches would be smaller and rounding another.
    n = n_claimed if n_episodes is None else max(n_episodes, min(n_claimed, MAX_EVAL_ENVS))
    torch.set_num_threads(bundle.agent.num_threads)
    return evaluate(
        make_actor(load_bundle_policy(bundle)),
        bundle.agent.env,
        bundle.agent.levels,
        bundle.hyperparameters,
        n_episodes=min(n, n_claimed),
        seed=claims.seed,
        deterministic=claims.deterministic,
    ).episodes
