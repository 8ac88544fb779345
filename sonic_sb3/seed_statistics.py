"""
Statistics over seeds and levels: what a few runs tell of the runs that were not made.

Scores are matrices (n_runs, n_levels), as rliable's. Its point estimates are used where it is
installed (extra ``compare``). Its resampling is repeated here, because rliable's draws from numpy's
global generator, and because the module that holds it needs ``arch``, which does not import beside
every version of pandas.

Source: R. Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical
precipice", sections 4.1 to 4.3.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from sonic_sb3.statistics import bootstrap_mean_interval, wilson_interval

Scores = npt.NDArray[np.float64]
Interval = tuple[float, float]
N_RESAMPLES = 2_000
HOW_TO_INSTALL_RLIABLE = (
    "IQM and probability of improvement need rliable: `pip install 'sonic_sb3[compare]'`"
)


def has_rliable() -> bool:
    """Whether rliable is installed."""
    return importlib.util.find_spec("rliable") is not None


def resample_runs(scores: Scores, rng: np.random.Generator, n: int = N_RESAMPLES) -> Scores:
    """
    Draw runs with replacement, for each level on its own (stratified bootstrap).

    :param scores: (n_runs, n_levels).
    :param rng: Where the draws come from.
    :param n: How many resamples.
    :returns: (n, n_runs, n_levels).
    """
    n_runs, n_levels = scores.shape
    drawn = rng.integers(n_runs, size=(n, n_runs, n_levels))
    resampled: Scores = scores[drawn, np.arange(n_levels)]
    return resampled


def interval_of(values: npt.ArrayLike) -> Interval:
    """The middle 95 % of resampled values."""
    low, high = np.quantile(np.asarray(values, dtype=np.float64), [0.025, 0.975])
    return float(low), float(high)


def iqm(scores: Scores) -> float:
    """Interquartile mean: the mean of the middle half of all runs and levels (rliable's)."""
    from rliable import metrics

    return float(metrics.aggregate_iqm(scores))


def iqm_interval(scores: Scores, seed: int = 0) -> Interval | None:
    """
    Stratified bootstrap's 95 % interval of the IQM.

    :param scores: (n_runs, n_levels).
    :param seed: Of the resampling.
    :returns: ``None`` for a single run.
    """
    if len(scores) < 2:
        return None
    resampled = resample_runs(scores, np.random.default_rng(seed))
    flat = np.sort(resampled.reshape(len(resampled), -1), axis=1)
    n_cut = int(0.25 * flat.shape[1])
    return interval_of(flat[:, n_cut : flat.shape[1] - n_cut].mean(axis=1))


def probability_of_improvement(x: Scores, y: Scores) -> float:
    """
    How probably a run of x beats one of y on a level drawn at random; ties count half (rliable's).

    :param x: (n_runs_x, n_levels).
    :param y: (n_runs_y, n_levels).
    """
    from rliable import metrics

    return float(metrics.probability_of_improvement(x, y))


def improvement_interval(x: Scores, y: Scores, seed: int = 0) -> Interval | None:
    """Stratified bootstrap's 95 % interval of it; ``None`` where either has a single run."""
    if len(x) < 2 or len(y) < 2:
        return None
    rng = np.random.default_rng(seed)
    return interval_of(pairwise_wins(resample_runs(x, rng), resample_runs(y, rng)))


def pairwise_wins(x: Scores, y: Scores) -> Scores:
    """
    Share of the pairs of runs that x wins, ties half, averaged over levels.

    :param x: (..., n_runs_x, n_levels).
    :param y: (..., n_runs_y, n_levels).
    """
    first, second = x[..., :, None, :], y[..., None, :, :]
    wins = (first > second) + 0.5 * (first == second)
    shares: Scores = wins.mean(axis=(-3, -2, -1))
    return shares


def rate_interval(
    run_rates: Sequence[float], n_successes: int, n_episodes: int, seed: int = 0
) -> Interval | None:
    """
    95 % interval of a rate over several seeds.

    The bootstrap over seeds has no width where all seeds agree, and Wilson's interval of all
    episodes together takes the seeds for one: the interval is what either of them covers.

    :param run_rates: The rate of each run.
    :param n_successes: Of all runs' episodes.
    :param n_episodes: Of all runs.
    :param seed: Of the resampling.
    :returns: ``None`` for a single run.
    """
    over_seeds = bootstrap_mean_interval(run_rates, seed)
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


def median_reached_interval(times: Sequence[float], seed: int = 0) -> Interval | None:
    """Percentile bootstrap's 95 % interval of it; infinite bounds mean never."""
    if len(times) < 2:
        return None
    sample = np.sort(np.asarray(times, dtype=np.float64))
    rng = np.random.default_rng(seed)
    drawn = np.sort(sample[rng.integers(len(sample), size=(N_RESAMPLES, len(sample)))], axis=1)
    medians = np.sort(drawn[:, len(sample) // 2])
    # Without interpolation, for between a number and infinity lies nothing.
    low, high = (medians[round(q * (N_RESAMPLES - 1))] for q in (0.025, 0.975))
    return float(low), float(high)


def profile(scores: Scores, thresholds: Scores) -> Scores:
    """
    Performance profile: the share of runs and levels that do better than each threshold.

    :param scores: (..., n_runs, n_levels).
    :param thresholds: (n_thresholds,).
    :returns: (..., n_thresholds).
    """
    above = scores[..., None] > thresholds
    shares: Scores = above.mean(axis=(-3, -2))
    return shares


def band(
    rows: Scores, statistic: Callable[[Scores], Scores] | None = None, seed: int = 0
) -> tuple[Scores, Scores] | None:
    """
    Pointwise 95 % bootstrap band over runs.

    :param rows: (n_runs, n_points), or (n_runs, n_levels) with a ``statistic``.
    :param statistic: (n, n_runs, n_levels) to (n, n_points); without it, the mean over runs.
    :param seed: Of the resampling.
    :returns: Lower and upper bounds (n_points,); ``None`` for a single run.
    """
    if len(rows) < 2:
        return None
    rng = np.random.default_rng(seed)
    if statistic is None:
        weights = rng.multinomial(len(rows), [1 / len(rows)] * len(rows), size=N_RESAMPLES)
        values: Scores = weights @ rows / len(rows)
    else:
        values = statistic(resample_runs(rows, rng))
    low, high = np.quantile(values, [0.025, 0.975], axis=0)
    return low, high
