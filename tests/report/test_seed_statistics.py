"""Statistics over seeds against closed forms and rliable itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sonic_sb3 import seed_statistics as st
from sonic_sb3 import statistics
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


def test_pairwise_wins_are_rliables_probability() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = rng.integers(0, 4, size=(rng.integers(1, 6), 3)).astype(float)  # with ties
        y = rng.integers(0, 4, size=(rng.integers(1, 6), 3)).astype(float)
        assert st.pairwise_wins(x, y) == pytest.approx(st.probability_of_improvement(x, y))


def test_probability_of_improvement_by_hand() -> None:
    x, y = np.array([[3.0], [1.0]]), np.array([[2.0], [1.0]])
    # 3 > 2, 3 > 1, 1 < 2, 1 = 1
    assert st.probability_of_improvement(x, y) == pytest.approx((1 + 1 + 0 + 0.5) / 4)
    interval = st.improvement_interval(x, y)
    assert interval is not None
    assert interval[0] < 0.625 < interval[1]


def test_resampling_keeps_each_score_in_its_level() -> None:
    scores = np.array([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]])
    drawn = st.resample_runs(scores, np.random.default_rng(0), 500)
    assert drawn.shape == (500, 2, 3)
    for level in range(3):
        values, counts = np.unique(drawn[:, :, level], return_counts=True)
        assert values.tolist() == scores[:, level].tolist()
        assert counts.min() > 400  # of 1,000 draws, half each
    # Levels are drawn on their own: mixed rows turn up.
    assert len(np.unique(drawn[:, 0] @ [1, 1, 1])) == 8


def test_one_seed_has_no_interval() -> None:
    one, two = np.ones((1, 3)), np.ones((2, 3))
    assert st.iqm_interval(one) is None
    assert st.improvement_interval(one, two) is None
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


def test_profile_by_hand() -> None:
    shares = st.profile(np.array([[0.2, 0.8], [0.4, 0.6]]), np.array([0.0, 0.3, 0.6, 0.9]))
    assert shares.tolist() == [1.0, 0.75, 0.25, 0.0]


def test_band_of_two_runs_lies_between_them() -> None:
    low, high = st.band(np.array([[0.0, 1.0], [1.0, 1.0]])) or (None, None)
    assert low is not None
    assert high is not None
    assert low.tolist() == pytest.approx([0.0, 1.0])
    assert high.tolist() == pytest.approx([1.0, 1.0])


def test_blocks_draw_what_all_at_once_would(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random(37).tolist()
    whole = statistics.bootstrap_mean_interval(values)
    monkeypatch.setattr(statistics, "_MAX_BLOCK", 1000)
    assert statistics.bootstrap_mean_interval(values) == whole
