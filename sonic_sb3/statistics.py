"""Intervals for the few numbers that evaluations report."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_Z_95 = 1.959964
_N_RESAMPLES = 10_000
_MAX_BLOCK = 4_000_000


def wilson_interval(n_successes: int, n: int) -> tuple[float, float]:
    """
    Wilson's 95 % interval of a rate, which is honest also at 0 and 1.

    :param n_successes: How often it happened.
    :param n: Out of how often.
    :returns: Lower and upper bound, 0..1; (0, 1) where n is 0.

    Source: E. B. Wilson (1927), "Probable inference, the law of succession, and statistical
    inference".
    """
    if n == 0:
        return 0.0, 1.0
    rate = n_successes / n
    spread = _Z_95 * math.sqrt(rate * (1 - rate) / n + _Z_95**2 / (4 * n**2))
    middle = rate + _Z_95**2 / (2 * n)
    scale = 1 + _Z_95**2 / n
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def bootstrap_mean_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float] | None:
    """
    Percentile bootstrap's 95 % interval of a mean.

    :param values: At least two values.
    :param seed: Of the resampling, fixed so that the same values give the same interval.
    :returns: Lower and upper bound, or ``None`` for fewer than two values.
    """
    if len(values) < 2:
        return None
    sample = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    # In blocks, which draw the same numbers as all at once would, in bounded memory.
    n_rows = max(1, _MAX_BLOCK // len(sample))
    blocks = [min(n_rows, _N_RESAMPLES - start) for start in range(0, _N_RESAMPLES, n_rows)]
    means = np.concatenate(
        [sample[rng.integers(len(sample), size=(n, len(sample)))].mean(axis=1) for n in blocks]
    )
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
