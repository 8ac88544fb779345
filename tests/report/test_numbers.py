"""Numbers of runs and arms against cases worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from sonic_sb3.compared_runs import load_record
from sonic_sb3.comparison import group_records, load_records
from sonic_sb3.errors import SettingsError, UnknownNameError
from sonic_sb3.report.action_names import action_names
from sonic_sb3.report.arm_numbers import aggregate_numbers, arm_numbers, common_levels, score_matrix
from sonic_sb3.report.curves import action_mix, curves_of, ends_of, running_mean
from sonic_sb3.report.measures import Number, format_interval, format_value, metric_of
from sonic_sb3.report.run_numbers import first_reliable_row, run_numbers, time_to_goal
from sonic_sb3.statistics import wilson_interval

from .conftest import LEVEL, RunMaker, episode

HALF, FULL = episode(progress=0.5, length=40), episode(progress=1.0, length=90)


def by_measure(numbers: list[Number], level: str = "") -> dict[str, Number]:
    return {n.measure: n for n in numbers if n.level == level}


def test_an_evaluation_by_hand(make_run: RunMaker) -> None:
    record = load_record(make_run("run", [], [HALF, FULL, FULL, HALF]))
    found = by_measure(run_numbers("arm", record))
    assert found["completion"].value == 0.5
    assert found["completion"].interval == wilson_interval(2, 4)
    assert found["progress"].value == 0.75
    assert found["contest_score"].value == pytest.approx((2 * 4500 + 2 * (9000 + 980)) / 4)
    assert found["completion_time_s"].value == pytest.approx(6.0)  # 90 timesteps of 4 frames
    assert found["completion_time_s"].n_episodes == 2
    assert found["progress"].sources == (record.path / "evaluation.json",)


def test_who_passes_the_loop(make_run: RunMaker) -> None:
    """It ends at x 1920 on this act, whose episodes here end at 96 + 6816 x progress."""
    ends = [episode(progress=p) for p in (0.26, 0.265, 0.27, 0.5)]
    on_another = episode(progress=0.27, level="CanopyZone.Act2")  # there at x 3144
    record = load_record(make_run("run", [], [*ends, on_another]))
    numbers = run_numbers("arm", record, by_level=True)
    assert by_measure(numbers)["past_loop"].value == 2 / 5
    assert by_measure(numbers, LEVEL)["past_loop"].value == 2 / 4
    assert by_measure(numbers, LEVEL)["past_loop"].interval == wilson_interval(2, 4)
    assert by_measure(numbers, "CanopyZone.Act2")["past_loop"].value == 0
    unknown = load_record(make_run("other", [], ends, env="Airstriker-Genesis-v0"))
    assert "past_loop" not in by_measure(run_numbers("arm", unknown))


def test_training_by_hand(make_run: RunMaker) -> None:
    record = load_record(make_run("run", [HALF] * 50 + [FULL] * 75))
    found = by_measure(run_numbers("arm", record))
    assert found["last_completion"].value == 0.75
    assert found["training_score"].value == pytest.approx((50 * 4500 + 75 * 9980) / 125)
    assert found["timesteps_to_goal"].value == math.inf
    assert format_value("timesteps_to_goal", math.inf) == "not reached"
    assert found["training_score"].sources == (record.path / "0.monitor.csv",)


@pytest.mark.parametrize(
    ("n_failed", "row"), [(0, 99), (5, 99), (6, 100), (50, 144)]
)  # 95 of the last 100
def test_first_reliable_row(n_failed: int, row: int) -> None:
    completion = np.array([0.0] * n_failed + [1.0] * 200)
    assert first_reliable_row(completion) == row


@pytest.mark.parametrize("completion", [[1.0] * 99, [0.0] * 300, [1.0, 0.0] * 100])
def test_too_few_or_too_rarely_completed_is_not_reliable(completion: list[float]) -> None:
    assert first_reliable_row(np.array(completion)) is None


def test_time_to_goal_from_training(make_run: RunMaker) -> None:
    record = load_record(make_run("run", [HALF] * 10 + [FULL] * 150))
    timesteps, minutes, path, where = time_to_goal(record)
    # Row 104 (from 0) is the first with 95 completed of the last 100: 10 x 40 + 95 x 90 timesteps.
    assert timesteps == 10 * 40 + 95 * 90
    assert minutes == pytest.approx(105 * 2 / 60)
    assert (path.name, where) == ("0.monitor.csv", "episode 105 of the file")


@pytest.mark.parametrize(("n_episodes", "is_enough"), [(19, False), (20, True)])
def test_time_to_goal_from_an_evaluation(
    make_run: RunMaker, n_episodes: int, is_enough: bool
) -> None:
    successes = [[False] * n_episodes, [True] * n_episodes]
    history = {
        "timesteps": [400, 600],
        "results": np.zeros((2, n_episodes)),
        "successes": successes,
    }
    record = load_record(make_run("run", [HALF] * 20, history=history))
    timesteps, minutes, path, _ = time_to_goal(record)
    if not is_enough:
        assert timesteps == math.inf
        return
    assert timesteps == 600
    assert minutes == pytest.approx(15 * 2 / 60)  # 600 timesteps are 15 episodes
    assert path.name == "evaluations.npz"


def arm_of(make_run: RunMaker, *finals: list[dict[str, Any]]) -> list[Any]:
    paths = [make_run(f"x/seed_{k}", [], f, seed=k) for k, f in enumerate(finals)]
    return load_records(paths)


def test_an_arm_is_the_mean_of_its_seeds(make_run: RunMaker) -> None:
    records = arm_of(make_run, [FULL] * 4, [HALF, HALF, FULL, FULL])
    found = by_measure(arm_numbers("x", [n for r in records for n in run_numbers("x", r)]))
    assert found["completion"].value == 0.75
    assert (found["completion"].n_seeds, found["completion"].n_episodes) == (2, 8)
    low, high = wilson_interval(6, 8)
    assert low > 0
    assert high < 1
    assert found["completion"].interval == (0.0, 1.0), "two seeds say less than eight episodes"
    assert found["progress"].interval == (0.0, 1.0), "two seeds, Student's: nothing is known"
    assert len(found["completion"].sources) == 2


def test_one_seed_is_given_no_interval(make_run: RunMaker) -> None:
    records = arm_of(make_run, [FULL] * 4)
    number = by_measure(arm_numbers("x", run_numbers("x", records[0])))["completion"]
    assert number.interval is None
    assert format_interval(number) == "one seed: no interval"


def test_levels_are_columns_and_only_common_ones_count(make_run: RunMaker) -> None:
    other = episode(progress=0.2, level="CanopyZone.Act2")
    third = episode(progress=0.9, level="CanopyZone.Act3")
    records = arm_of(make_run, [HALF, FULL, other], [FULL, other, third])
    groups = group_records(records)
    assert common_levels(groups) == [LEVEL, "CanopyZone.Act2"]
    scores, used = score_matrix(records, "progress", common_levels(groups))
    assert scores.tolist() == [[0.75, 0.2], [1.0, 0.2]]
    assert used == records
    numbers = by_measure(run_numbers("x", records[0], by_level=True), "CanopyZone.Act2")
    assert numbers["progress"].value == pytest.approx(0.2)


def test_improvement_compares_arms(make_run: RunMaker) -> None:
    better = [make_run(f"s/results/a/seed_{k}", [], [FULL] * 2, seed=k) for k in range(2)]
    worse = [make_run(f"s/results/b/seed_{k}", [], [HALF] * 2, seed=k) for k in range(2)]
    groups = group_records(load_records([*better, *worse]))
    found = {n.arm: n for n in aggregate_numbers(groups, "progress") if "improve" in n.measure}
    assert found["a > b"].value == 1.0
    assert found["a > b"].n_episodes == 8


def test_metrics_that_runs_lack_are_named(make_run: RunMaker) -> None:
    shooter = {**HALF, "is_success": None, "progress": None, "contest_score": None}
    path = make_run("air", [], [shooter], env="Airstriker-Genesis-v0", levels=["Level1"])
    groups = {"air": [load_record(path)]}
    assert metric_of(groups, None) == "episode_return"
    with pytest.raises(SettingsError, match="--metric progress: expected runs that have it"):
        metric_of(groups, "progress")
    with pytest.raises(UnknownNameError, match="did you mean 'progress'"):
        metric_of(groups, "progres")
    both = {**groups, "dash": [load_record(make_run("dash", [], [HALF]))]}
    assert metric_of({"dash": both["dash"]}, None) == "contest_score"
    with pytest.raises(SettingsError, match=r"have it, not .*air$"):
        metric_of(both, "completion")


def test_running_mean_against_a_slow_one() -> None:
    values = np.random.default_rng(0).random(250)
    values[[0, 17, 18]] = np.nan
    expected = [
        np.nanmean(w) if np.isfinite(w := values[max(0, k - 99) : k + 1]).any() else np.nan
        for k in range(250)
    ]
    np.testing.assert_allclose(running_mean(values), expected)


def test_curve_of_two_seeds(make_run: RunMaker) -> None:
    paths = [
        make_run(f"x/seed_{k}", [episode(progress=p, length=10)] * n, seed=k)
        for k, (p, n) in enumerate([(0.2, 100), (0.4, 50)])
    ]
    (curve,) = curves_of(group_records(load_records(paths)), "progress", "timesteps")
    assert curve.x[-1] == 1000
    inside = (curve.x >= 10) & (curve.x < 505)  # as far as both go; the point at 500 is rounded
    np.testing.assert_allclose(curve.mean[inside], 0.3)
    assert np.isnan(curve.mean[~inside]).all()
    assert curve.low is not None
    assert curve.high is not None
    np.testing.assert_allclose(curve.low[inside], 0.0)  # 0.3 - 12.7 x 0.1, and progress begins at 0
    np.testing.assert_allclose(curve.high[inside], 1.0)


def test_one_seed_has_no_band_and_minutes_are_the_monitors(make_run: RunMaker) -> None:
    record = load_record(make_run("x", [HALF] * 30))
    (curve,) = curves_of({"x": [record]}, "progress", "minutes")
    assert curve.low is None
    assert curve.x[-1] == pytest.approx(1.0)


def test_action_mix_by_hand(make_run: RunMaker) -> None:
    left = episode(progress=0.1, counts=[40, 0, 0, 0, 0, 0, 0])
    mixed = episode(progress=0.1, counts=[10, 30, 0, 0, 0, 0, 0])
    record = load_record(make_run("x", [mixed, left]))
    names = action_names(record)
    assert names == ["LEFT", "RIGHT", "LEFT+DOWN", "RIGHT+DOWN", "DOWN", "DOWN+B", "B"]
    mix = action_mix("x", [record], names)
    assert mix is not None
    assert mix.edges[[0, -1]].tolist() == [0, 80]
    np.testing.assert_allclose(mix.shares[:20, :2], [[0.25, 0.75]] * 20)
    np.testing.assert_allclose(mix.shares[20:, :2], [[1.0, 0.0]] * 20)


def test_action_names_of_a_list_and_of_an_unknown_set(make_run: RunMaker) -> None:
    three = episode(progress=0.1, counts=[5, 5, 5])
    macro = {"name": "run_up", "steps": [{"buttons": ["LEFT"], "timesteps": 15}]}
    listed = {"env_kwargs": {"actions": [["RIGHT", "B"], [], macro]}}
    assert action_names(load_record(make_run("a", [three], hyperparameters=listed))) == [
        "RIGHT+B",
        "NOTHING",
        "run_up",
    ]
    unknown = {"env_kwargs": {"actions": "of the future"}}
    assert action_names(load_record(make_run("b", [three], hyperparameters=unknown))) == [
        "action 0",
        "action 1",
        "action 2",
    ]


def test_ends_are_of_one_level(make_run: RunMaker) -> None:
    other = episode(progress=0.3, level="CanopyZone.Act2")
    record = load_record(make_run("x", [HALF, other, FULL]))
    ends = ends_of([record.training, record.final], LEVEL)
    assert ends.x.tolist() == [96 + 3408, 96 + 6816]
    assert ends.end_reason.tolist() == ["life_lost", "completed"]
