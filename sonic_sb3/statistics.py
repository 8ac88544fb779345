"""Intervals for the few numbers that evaluations report."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Z_95 = 1.959964
# The 97.5 % quantiles of Student's t with 1, 2 .. 9 degrees of freedom.
_T_975 = (12.70620, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.30600, 2.26216)

_SHARE, _TIME = (0.0, 1.0), (0.0, math.inf)
# What the mean of an episode's number can be; of others nothing is known.
_BOUNDS = {
    "completion": _SHARE,
    "progress": _SHARE,
    "past_loop": _SHARE,
    "last_completion": _SHARE,
    "third_progress": _SHARE,
    "last_progress": _SHARE,
    "last_left": _SHARE,
    "last_commonest": _SHARE,
    "contest_score": (0.0, 10_000.0),
    "training_score": (0.0, 10_000.0),
    "completion_time_s": _TIME,
    "game_time_s": _TIME,
    "n_timesteps": _TIME,
}


def bounds_of(measure: str) -> tuple[float, float]:
    """What the mean of a measure can be, for intervals that shall not leave it."""
    return _BOUNDS.get(measure, (-math.inf, math.inf))


def wilson_interval(n_successes: float, n: int) -> tuple[float, float]:
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
    spread = Z_95 * math.sqrt(rate * (1 - rate) / n + Z_95**2 / (4 * n**2))
    middle = rate + Z_95**2 / (2 * n)
    scale = 1 + Z_95**2 / n
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def student_t(n_degrees: int) -> float:
    """
    The 97.5 % quantile of Student's t.

    :param n_degrees: Of freedom, at least 1.

    Source: beyond the table, the expansion of Fisher and Cornish (1960) to its third term, here
    exact to 2e-4.
    """
    if n_degrees <= len(_T_975):
        return _T_975[n_degrees - 1]
    z, n = Z_95, float(n_degrees)
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
    )


def mean_interval(
    values: Sequence[float], bounds: tuple[float, float] = (-math.inf, math.inf)
) -> tuple[float, float] | None:
    """
    Student's 95 % interval of a mean.

    Not a bootstrap: that of two, three or five values covers a normal mean in 50, 75 or 84 % of the
    cases and is called 95 % all the same. This one covers 95 %, and of skewed values less.

    :param values: At least two values.
    :param bounds: What a mean of such values can be; the interval ends there.
    :returns: Lower and upper bound, or ``None`` for fewer than two values.

    Source: "Student" (1908), "The probable error of a mean".
    """
    if len(values) < 2:
        return None
    sample = np.asarray(values, dtype=np.float64)
    mean = float(sample.mean())
    spread = student_t(len(sample) - 1) * float(sample.std(ddof=1)) / math.sqrt(len(sample))
    low, high = (min(max(end, bounds[0]), bounds[1]) for end in (mean - spread, mean + spread))
    return low, high
