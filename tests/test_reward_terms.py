"""Each reward term against a sequence worked out by hand, and what a settings file may not say."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonic_sb3.errors import SettingsError, SonicError, UnknownNameError
from sonic_sb3.reward_terms import TERMS, Moment, WeightedTerm, parse_rewards, reward_columns


def values(name: str, moments: list[Moment], **parameters: int) -> list[float]:
    """The term's value at each moment after the first, in two episodes that must be alike."""
    term = TERMS[name](**parameters)
    episodes = []
    for _ in range(2):
        term.reset(moments[0])
        episodes.append([term.value(moment) for moment in moments[1:]])
    assert episodes[0] == episodes[1], "an episode does not know of the one before"
    return episodes[0]


def points(*values: float) -> list[Moment]:
    return [Moment(), *(Moment(points=value) for value in values)]


def at(*places: tuple[int, int]) -> list[Moment]:
    return [Moment(x=x, y=y) for x, y in places]


def counted(name: str, *totals: float) -> list[Moment]:
    return [Moment(counts={name: total}) for total in totals]


@pytest.mark.parametrize("name", ["points", "contest_progress"])
def test_points_are_passed_on(name: str) -> None:
    assert values(name, points(4.5, -2.0, 0.0, 1004.5)) == [4.5, -2.0, 0.0, 1004.5]


def test_max_x_progress_pays_new_maxima() -> None:
    assert values("max_x_progress", points(2, -3, 1, 3, 1, -1)) == [2, 0, 0, 1, 1, 0]


def test_x_delta() -> None:
    assert values("x_delta", at((80, 0), (90, 0), (85, 5), (85, 9), (100, 0))) == [10, -5, 0, 15]


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("rings_gained", "rings_gained"),
        ("score_gained", "score_gained"),
        ("life_lost", "lives_lost"),
        ("damage_dealt", "damage_dealt"),
        ("damage_taken", "damage_taken"),
        ("combo", "combo"),
    ],
)
def test_counts_are_taken_from_where_the_episode_begins(name: str, count: str) -> None:
    assert values(name, counted(count, 3, 3, 5, 6, 6)) == [0, 2, 1, 0]


def test_time() -> None:
    assert values("time", points(5, 5, 5)) == [1, 1, 1]


def test_no_progress_waits_for_its_patience() -> None:
    way = at((10, 0), (12, 0), (12, 0), (11, 0), (5, 0), (12, 0), (13, 0), (13, 0), (13, 0))
    #        new max 12 ->  1        2        3        4        0 (13)   1        2
    assert values("no_progress", way, patience=2) == [0, 0, 1, 1, 1, 0, 0, 1]
    assert values("no_progress", way, patience=1) == [0, 1, 1, 1, 1, 0, 1, 1]
    assert values("no_progress", way) == [0] * 8, "the default is sixty timesteps"
    assert values("no_progress", at(*[(0, 0)] * 63)) == [0] * 59 + [1] * 3


def test_completion_bonus() -> None:
    for reason, value in (("completed", 1), ("life_lost", 0), ("time_limit", 0), (None, 0)):
        assert values("completion_bonus", [Moment(), Moment(end_reason=reason)]) == [value]


def test_novelty_counts_cells_once() -> None:
    way = at((10, 10), (63, 63), (64, 63), (64, 64), (10, 10), (64, 64), (-1, 10))
    assert values("novelty", way) == [0, 1, 1, 0, 0, 1]
    assert values("novelty", way, cell_px=1000) == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("name", TERMS)
def test_terms_go_on_from_a_snapshot(name: str) -> None:
    moments = [
        Moment(
            points=(-1) ** k * k,
            x=(k * 37) % 200,
            y=(k * 53) % 300,
            counts=dict.fromkeys(("rings_gained", "score_gained", "lives_lost"), k * k)
            | dict.fromkeys(("damage_dealt", "damage_taken", "combo"), 2 * k),
        )
        for k in range(40)
    ]
    parameters = {"patience": 3} if name == "no_progress" else {}
    one, other = TERMS[name](**parameters), TERMS[name](**parameters)
    one.reset(moments[0])
    for moment in moments[1:20]:
        one.value(moment)
    snapshot = one.get_snapshot()
    expected = [one.value(moment) for moment in moments[20:]]
    other.reset(moments[3])
    other.set_snapshot(snapshot)
    assert [other.value(moment) for moment in moments[20:]] == expected
    json.dumps(snapshot)


def test_decay_is_borghis_formula() -> None:
    """rings x 0.001 x 1.5 x (1 - t/T)^0.9"""
    (term,) = parse_rewards(
        [{"term": "rings_gained", "weight": 0.0015, "decay": {"power": 0.9, "horizon": 1000}}]
    )
    assert term.weight_at(0) == 0.0015
    assert term.weight_at(250) == pytest.approx(0.0015 * 0.75**0.9)
    assert term.weight_at(999) == pytest.approx(0.0015 * 0.001**0.9)
    assert term.weight_at(1000) == term.weight_at(5000) == 0
    (straight,) = parse_rewards([{"term": "time", "weight": -2, "decay": {"horizon": 10}}])
    assert [straight.weight_at(t) for t in (0, 5, 10)] == [-2, -1, 0]


def test_a_list_is_read() -> None:
    terms = parse_rewards(
        [
            {"term": "contest_progress", "weight": 0.01},
            {"term": "novelty", "weight": "1e-3", "cell_px": 128},
        ]
    )
    assert terms == (
        WeightedTerm("contest_progress", 0.01, None, {}),
        WeightedTerm("novelty", 0.001, None, {"cell_px": 128}),
    )
    assert reward_columns([{"term": "time", "weight": 1}]) == ("reward/time",)
    assert reward_columns(None) == ()


@pytest.mark.parametrize(
    ("entry", "error", "message"),
    [
        ({"term": "ring_gained", "weight": 1}, UnknownNameError, "did you mean 'rings_gained'"),
        ({"term": "time", "wieght": 1}, UnknownNameError, "'wieght': did you mean 'weight'"),
        ({"term": "time", "weight": 1, "patience": 3}, UnknownNameError, "'patience'"),
        ({"term": "time"}, SettingsError, "'time' lacks its weight"),
        ({"term": "time", "weight": float("nan")}, SettingsError, "finite number, got nan"),
        ({"term": "time", "weight": True}, SettingsError, "finite number, got True"),
        ({"term": "time", "weight": "high"}, SettingsError, "finite number, got 'high'"),
        (
            {"term": "time", "weight": 1, "decay": {"power": 0.9}},
            SettingsError,
            "'time': decay lacks its horizon",
        ),
        ({"term": "time", "weight": 1, "decay": 3}, SettingsError, "expected {power, horizon}"),
        (
            {"term": "time", "weight": 1, "decay": {"horison": 3}},
            UnknownNameError,
            "'horison': did you mean 'horizon'",
        ),
        (
            {"term": "time", "weight": 1, "decay": {"horizon": 0}},
            SettingsError,
            "horizon: expected a whole number from 1 on, got 0",
        ),
        (
            {"term": "time", "weight": 1, "decay": {"horizon": 9, "power": 0}},
            SettingsError,
            "power: expected a number above 0",
        ),
        ({"term": "no_progress", "weight": 1, "patience": 1.5}, SettingsError, "patience"),
        ("time", SettingsError, "expected a reward term as"),
        ({"weight": 1}, SettingsError, "expected a reward term as"),
    ],
)
def test_what_is_wrong_is_named(entry: Any, error: type[SonicError], message: str) -> None:
    with pytest.raises(error, match=message) as raised:
        parse_rewards([entry])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("rewards", [[], "time", 3, {"term": "time", "weight": 1}])
def test_no_list_of_terms_is_refused(rewards: Any) -> None:
    with pytest.raises(SettingsError, match="expected a list of reward terms"):
        parse_rewards(rewards)


def test_a_term_stands_once() -> None:
    with pytest.raises(SettingsError, match="'time' stands twice"):
        parse_rewards([{"term": "time", "weight": 1}, {"term": "time", "weight": 2}])


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"term": st.sampled_from([*TERMS, "x"]), "weight": _ANYTHING},
            optional={"decay": _ANYTHING, "patience": _ANYTHING, "cell_px": _ANYTHING},
        ),
        max_size=2,
    )
)
def test_any_data_is_read_or_refused(rewards: Any) -> None:
    with contextlib.suppress(SonicError):
        assert len(parse_rewards(rewards)) == len(rewards)
