"""Statistics over seeds against closed forms and rliable itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sonic_sb3 import seed_statistics as st
from sonic_sb3.statistics import wilson_interval


def test_iqm_is_the_mean_of_the_middle_half() -> None:
    scores = np.arange(1.0, 9.0).reshape(4, 2)
    assert st.iqm(scores) == 4.5  # of 3, 4, 5, 6


def test_iqm_interval_uses_the_same_iqm() -> None:
    """Of resamples that cannot differ, the interval is the point estimate."""
    scores = np.tile([0.1, 0.5, 0.6, 0.7], (3, 1))
    assert st.iqm_interval(scores) == pytest.approx((st.iqm(scores), st.iqm(scores)))
    assert st.iqm(scores) == pytest.approx(0.55)


def test_iqm_interval_holds_the_estimate_and_narrows_with_seeds() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for n_runs in (3, 30):
        scores = rng.random((n_runs, 2))
        interval = st.iqm_interval(scores)
        assert interval is not None
        assert interval[0] <= st.iqm(scores) <= interval[1]
        widths.append(interval[1] - interval[0])
    assert widths[1] < widths[0]


def test_probability_of_improvement_by_hand() -> None:
    x, y = np.array([[3.0], [1.0]]), np.array([[2.0], [1.0]])
    # 3 > 2, 3 > 1, 1 < 2, 1 = 1
    assert st.probability_of_improvement(x, y) == pytest.approx((1 + 1 + 0 + 0.5) / 4)


def test_interval_of_an_improvement() -> None:
    low, high = st.improvement_interval(0.7, 5, 5) or (0, 0)
    assert low < 0.7 < high
    mirrored = st.improvement_interval(0.3, 5, 5) or (0, 0)
    assert mirrored == pytest.approx((1 - high, 1 - low))
    low, high = st.improvement_interval(1.0, 5, 5) or (0, 0)
    assert high == 1.0
    assert 0.5 < low < 0.75, "five runs that beat five others do not prove that all will"
    assert (st.improvement_interval(1.0, 2, 2) or (1, 0))[0] < 0.5, "two runs show nothing"


@pytest.mark.parametrize("n_runs", [3, 5, 10])
@pytest.mark.parametrize("shift", [0.0, 1.0, 2.0])
def test_interval_of_an_improvement_covers_as_it_says(n_runs: int, shift: float) -> None:
    rng = np.random.default_rng(0)
    truth = 0.5 * (1 + math.erf(shift / 2))
    n_hits = 0
    for _ in range(400):
        x, y = rng.normal(shift, 1, (n_runs, 1)), rng.normal(0, 1, (n_runs, 1))
        low, high = st.improvement_interval(
            st.probability_of_improvement(x, y), n_runs, n_runs
        ) or (1, 0)
        n_hits += low <= truth <= high
    assert n_hits / 400 > 0.87


def test_iqm_interval_covers_as_it_says() -> None:
    rng = np.random.default_rng(0)
    n_hits = 0
    for _ in range(300):
        low, high = st.iqm_interval(rng.normal(0, 1, (5, 1))) or (1, 0)
        n_hits += low <= 0 <= high
    assert 0.92 <= n_hits / 300 <= 0.99


def test_levels_are_not_seeds() -> None:
    """An agent that is good on one level is good on the others: four levels tell no more."""
    runs = np.random.default_rng(3).random((4, 1))
    one, four = st.iqm_interval(runs), st.iqm_interval(np.repeat(runs, 4, axis=1))
    assert one is not None
    assert four is not None
    assert four[1] - four[0] > 0.7 * (one[1] - one[0])


def test_one_seed_has_no_interval() -> None:
    one = np.ones((1, 3))
    assert st.iqm_interval(one) is None
    assert st.improvement_interval(0.5, 1, 2) is None
    assert st.rate_interval([0.5], 5, 10) is None
    assert st.median_reached_interval([3.0]) is None
    assert st.band(one) is None


def test_a_rates_interval_has_width_where_seeds_agree() -> None:
    assert st.rate_interval([1.0, 1.0], 40, 40) == wilson_interval(40, 40)
    low, high = st.rate_interval([0.0, 1.0], 20, 40) or (0, 0)
    assert (low, high) == (0.0, 1.0)  # the seeds say more than Wilson's 35 .. 65 %


@pytest.mark.parametrize(
    ("times", "median"),
    [([3.0], 3), ([1.0, 5.0, 3.0], 3), ([1.0, math.inf, 3.0], 3), ([1.0, math.inf], math.inf)],
)
def test_median_of_times_counts_never_as_late(times: list[float], median: float) -> None:
    assert st.median_reached(times) == median


def test_median_interval_may_reach_to_never() -> None:
    low, high = st.median_reached_interval([1.0, 2.0, math.inf]) or (0, 0)
    assert (low, high) == (1.0, math.inf)


def test_median_interval_against_tables_of_order_statistics() -> None:
    assert st.median_reached_interval([float(k) for k in range(1, 6)]) == (1, 5)
    assert st.median_coverage(5) == pytest.approx(0.9375)
    assert st.median_reached_interval([float(k) for k in range(1, 11)]) == (2, 9)
    assert st.median_coverage(10) == pytest.approx(0.9785, abs=1e-4)
    assert st.median_reached_interval([float(k) for k in range(1, 21)]) == (6, 15)
    assert st.median_coverage(1000) == pytest.approx(0.95, abs=0.005)


def test_profile_by_hand() -> None:
    shares = st.profile(np.array([[0.2, 0.8], [0.4, 0.6]]), np.array([0.0, 0.3, 0.6, 0.9]))
    assert shares.tolist() == [1.0, 0.75, 0.25, 0.0]


def test_band_is_students_and_stays_within_its_bounds() -> None:
    rows = np.array([[0.0, 1.0, 0.4], [1.0, 1.0, 0.6]])
    low, high = st.band(rows) or (np.zeros(3), np.zeros(3))
    assert low.tolist() == pytest.approx([0.5 - 12.7062 / 2, 1.0, 0.5 - 1.27062])
    assert high.tolist() == pytest.approx([0.5 + 12.7062 / 2, 1.0, 0.5 + 1.27062])
    low, high = st.band(rows, (0.0, 1.0)) or (np.zeros(3), np.zeros(3))
    assert (low.tolist(), high.tolist()) == ([0, 1, 0], [1, 1, 1])


def test_profile_band_has_width_where_all_runs_agree() -> None:
    low, high = st.profile_band(np.array([0.0, 0.5, 1.0]), 4) or (np.zeros(3), np.zeros(3))
    assert (low[1], high[1]) == wilson_interval(2, 4)
    assert high[0] > 0.3
    assert low[2] < 0.7
    assert st.profile_band(np.zeros(3), 1) is None
