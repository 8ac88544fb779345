"""
Statistics over seeds and levels: what a few runs tell of the runs that were not made.

Scores are matrices (n_runs, n_levels), as rliable's. Its point estimates are used where it is
installed (extra ``compare``). Its intervals are not: percentile bootstraps over two to five runs,
which is what people have, cover far less than they say. Those of means and IQMs here cover 93 to
97 % of normal values from two runs on (``test_seed_statistics.py``). Where all runs agree they
have no width either; those of shares and of probabilities of improvement have.

Source: R. Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical
precipice", sections 4.1 to 4.3.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from sonic_sb3.statistics import Z_95, mean_interval, student_t, wilson_interval

Scores = npt.NDArray[np.float64]
Interval = tuple[float, float]
ANY: Interval = (-math.inf, math.inf)
N_RESAMPLES = 2_000
HOW_TO_INSTALL_RLIABLE = (
    "IQM and probability of improvement need rliable: `pip install 'sonic_sb3[compare]'`"
)


def has_rliable() -> bool:
    """Whether rliable is installed."""
    return importlib.util.find_spec("rliable") is not None


def iqm(scores: Scores) -> float:
    """Interquartile mean: the mean of the middle half of all runs and levels (rliable's)."""
    from rliable import metrics

    return float(metrics.aggregate_iqm(scores))


def iqm_interval(scores: Scores, bounds: Interval = ANY, seed: int = 0) -> Interval | None:
    """
    95 % interval of the IQM: Student's t with the bootstrap's standard error.

    Runs are drawn whole, for what an agent does on one level is not independent of what it does on
    another. The usual percentile bootstrap covers 84 to 89 % with five runs, this one 93 to 97.

    :param scores: (n_runs, n_levels).
    :param bounds: What such a mean can be.
    :param seed: Of the resampling.
    :returns: ``None`` for a single run.

    Source: T. Hesterberg (2015), "What teachers should know about the bootstrap", section 5.3.
    """
    n_runs = len(scores)
    if n_runs < 2:
        return None
    drawn = np.random.default_rng(seed).integers(n_runs, size=(N_RESAMPLES, n_runs))
    flat = np.sort(scores[drawn].reshape(N_RESAMPLES, -1), axis=1)
    n_cut = int(0.25 * flat.shape[1])
    error = flat[:, n_cut : flat.shape[1] - n_cut].mean(axis=1).std()
    spread = student_t(n_runs - 1) * float(error) * math.sqrt(n_runs / (n_runs - 1))
    value = iqm(scores)
    return max(bounds[0], value - spread), min(bounds[1], value + spread)


def probability_of_improvement(x: Scores, y: Scores) -> float:
    """
    How probably a run of x beats one of y on a level drawn at random; ties count half (rliable's).

    :param x: (n_runs_x, n_levels).
    :param y: (n_runs_y, n_levels).
    """
    from rliable import metrics

    return float(metrics.probability_of_improvement(x, y))


def improvement_interval(probability: float, n_x: int, n_y: int) -> Interval | None:
    """
    Newcombe's 95 % interval of the probability of improvement, honest also at 0 and 1.

    Levels do not make it narrower: runs, not levels, are what was drawn.

    :param probability: Of :func:`probability_of_improvement`.
    :param n_x: Runs of the first arm.
    :param n_y: Runs of the second.
    :returns: ``None`` where either has a single run.

    Source: R. G. Newcombe (2006), "Confidence intervals for an effect size measure based on the
    Mann-Whitney statistic", part 2, method 5.
    """
    if n_x < 2 or n_y < 2:
        return None
    n_star = (n_x + n_y) / 2 - 1

    def is_covered(theta: float) -> bool:
        scale = 1 + n_star * (1 - theta) / (2 - theta) + n_star * theta / (1 + theta)
        variance = theta * (1 - theta) * scale / (n_x * n_y)
        return (probability - theta) ** 2 <= Z_95**2 * variance

    return _edge(is_covered, probability, 0.0), _edge(is_covered, probability, 1.0)


def _edge(is_covered: Callable[[float], bool], inside: float, outside: float) -> float:
    """Where an interval that holds ``inside`` ends on the way to ``outside``, by bisection."""
    for _ in range(40):
        middle = (inside + outside) / 2
        if is_covered(middle):
            inside = middle
        else:
            outside = middle
    return inside


def rate_interval(run_rates: Sequence[float], n_successes: int, n_episodes: int) -> Interval | None:
    """
    95 % interval of a rate over several seeds.

    Student's interval over seeds has no width where all seeds agree, and Wilson's interval of all
    episodes together takes the seeds for one: the interval is what either of them covers.

    :param run_rates: The rate of each run.
    :param n_successes: Of all runs' episodes.
    :param n_episodes: Of all runs.
    :returns: ``None`` for a single run.
    """
    over_seeds = mean_interval(run_rates, (0.0, 1.0))
    if over_seeds is None:
        return None
    low, high = wilson_interval(n_successes, n_episodes)
    return min(low, over_seeds[0]), max(high, over_seeds[1])


def median_reached(times: Sequence[float]) -> float:
    """
    The median of times of which some are infinite: never reached. Of an even number the later one
    of the middle pair, so that it is a time that was seen.
    """
    return float(np.sort(times)[len(times) // 2])


def median_reached_interval(times: Sequence[float]) -> Interval | None:
    """
    The narrowest interval between two of the times that covers the median in 95 % of the cases,
    whatever their distribution; infinite bounds mean never.

    Fewer than six times have none: theirs reaches from the first to the last, which covers 50,
    75, 88 or 94 % with two, three, four or five (:func:`median_coverage`).
    """
    n = len(times)
    if n < 2:
        return None
    n_cut, _ = _median_cut(n)
    ordered = np.sort(np.asarray(times, dtype=np.float64))
    return float(ordered[n_cut]), float(ordered[n - 1 - n_cut])


def median_coverage(n: int) -> float:
    """How often :func:`median_reached_interval` of so many times covers the median."""
    return _median_cut(n)[1]


@functools.cache
def _median_cut(n: int) -> tuple[int, float]:
    """How many of n ordered values may be left out on each side, and what that covers."""
    n_cut, tail = 0, math.comb(n, 0)  # of 2**n, that at most n_cut values lie below the median
    while (longer := tail + math.comb(n, n_cut + 1)) * 1000 <= 25 * 2**n:
        n_cut, tail = n_cut + 1, longer
    return n_cut, 1 - 2 * tail / 2**n


def profile(scores: Scores, thresholds: Scores) -> Scores:
    """
    Performance profile: the share of runs and levels that do better than each threshold.

    :param scores: (n_runs, n_levels).
    :param thresholds: (n_thresholds,).
    :returns: (n_thresholds,).
    """
    shares: Scores = (scores[..., None] > thresholds).mean(axis=(0, 1))
    return shares


def profile_band(shares: Scores, n_runs: int) -> tuple[Scores, Scores] | None:
    """
    Pointwise 95 % band of a profile: Wilson's interval of so many runs, however many levels.

    :param shares: (n_thresholds,).
    :param n_runs: How many runs.
    :returns: Lower and upper bounds (n_thresholds,); ``None`` for a single run.
    """
    if n_runs < 2:
        return None
    bounds = np.array([wilson_interval(share * n_runs, n_runs) for share in shares.tolist()])
    return bounds[:, 0], bounds[:, 1]


def band(rows: Scores, bounds: Interval = ANY) -> tuple[Scores, Scores] | None:
    """
    Pointwise 95 % band of the mean over runs, Student's.

    :param rows: (n_runs, n_points).
    :param bounds: What a mean can be; the band ends there.
    :returns: Lower and upper bounds (n_points,); ``None`` for a single run.
    """
    n_runs = len(rows)
    if n_runs < 2:
        return None
    mean = rows.mean(axis=0)
    spread = student_t(n_runs - 1) * rows.std(axis=0, ddof=1) / math.sqrt(n_runs)
    return np.maximum(mean - spread, bounds[0]), np.minimum(mean + spread, bounds[1])
