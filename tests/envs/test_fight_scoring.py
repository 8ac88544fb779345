"""Fights, on RAM sequences written by hand: nobody here has the ROM."""

from __future__ import annotations

import json

import pytest

from sonic_sb3.envs.fight_scoring import FightScoring
from sonic_sb3.envs.game_env import INFO_VARIABLES
from sonic_sb3.envs.scoring import SCORINGS, find_scoring, make_scoring
from sonic_sb3.games import STREET_FIGHTER_2, catalogue
from sonic_sb3.rom_files import integration_dir, load_variables

FULL = 176
START = {
    "health": FULL,
    "enemy_health": FULL,
    "matches_won": 0,
    "enemy_matches_won": 0,
    "continuetimer": 0,
}


def play(frames: list[dict[str, int]]) -> tuple[FightScoring, list[float], list[str | None]]:
    """Each frame is what changed since the one before."""
    scoring = make_scoring(STREET_FIGHTER_2)
    assert isinstance(scoring, FightScoring)
    variables = dict(START)
    scoring.reset(variables)
    points, ends = [], []
    for change in frames:
        variables |= change
        frame = scoring.update(variables)
        points.append(frame.points)
        ends.append(frame.end_reason)
    return scoring, points, ends


def hit(enemy_health: int) -> dict[str, int]:
    return {"enemy_health": enemy_health}


NOTHING: dict[str, int] = {}


def test_damage_dealt_minus_damage_taken() -> None:
    scoring, points, _ = play(
        [NOTHING, hit(166), NOTHING, {"health": 156}, {"health": 150, "enemy_health": 163}]
    )
    assert points == [0, 10, 0, -20, 3 - 6]
    assert scoring.counts == {"damage_dealt": 13, "damage_taken": 26, "combo": 0}


def test_hits_in_unbroken_sequence_are_worth_more() -> None:
    """The k-th hit brings 10 x (k - 1) beside its damage."""
    scoring, points, _ = play([hit(170), NOTHING, hit(160), hit(155), NOTHING, hit(150)])
    assert points == [6, 0, 10 + 10, 5 + 20, 0, 5 + 30]
    assert scoring.counts["combo"] == 0 + 1 + 2 + 3
    assert scoring.end_facts("x")["max_combo"] == 4
    assert scoring.end_facts("x")["n_hits"] == 4


def test_damage_taken_breaks_the_sequence() -> None:
    _, points, _ = play([hit(170), hit(165), {"health": 170}, hit(160), hit(155)])
    assert points == [6, 5 + 10, -6, 5, 5 + 10]
    _, points, _ = play([hit(170), {"health": 170, "enemy_health": 165}, hit(160)])
    assert points == [6, 5 + 10 - 6, 5], "a trade counts as a hit, and ends the sequence"


@pytest.mark.parametrize(("n_between", "second"), [(59, 15), (60, 5)])
def test_a_second_without_a_hit_breaks_the_sequence(n_between: int, second: float) -> None:
    _, points, _ = play([hit(170), *[NOTHING] * n_between, hit(165)])
    assert points[-1] == second


def test_a_knockout_deals_what_was_left() -> None:
    scoring, points, _ = play([hit(10), hit(-1)])
    assert points == [166, 10 + 10]
    assert scoring.counts["damage_dealt"] == FULL


def test_between_rounds_nobody_is_hit() -> None:
    """The bars are blanked, filled, and what happens to them on the way is not counted."""
    scoring, points, ends = play(
        [
            hit(-1),
            {"matches_won": 1},
            {"health": 0, "enemy_health": 0},
            {"health": 90, "enemy_health": 0},
            {"health": 30, "enemy_health": 0},
            {"health": FULL, "enemy_health": FULL},
            hit(170),
        ]
    )
    assert points == [FULL, 0, 0, 0, 0, 0, 6]
    assert scoring.counts["damage_taken"] == 0
    assert ends == [None] * 7
    blanked = play([{"health": 0, "enemy_health": 0}, {"health": FULL, "enemy_health": FULL}])
    assert blanked[1] == [0, 0], "both at once is no blow"


def test_two_rounds_won_complete_the_match() -> None:
    scoring, _, ends = play([{"matches_won": 1}, NOTHING, {"matches_won": 2}])
    assert ends == [None, None, "completed"]
    assert scoring.end_facts("completed")["is_success"] is True


def test_two_rounds_lost_end_the_match() -> None:
    # data.json reads four bytes of which the counter is the first.
    scoring, _, ends = play(
        [{"enemy_matches_won": 1 << 24}, NOTHING, {"enemy_matches_won": 2 << 24}]
    )
    assert ends == [None, None, "match_lost"]
    assert scoring.end_facts("match_lost")["is_success"] is False


def test_a_counter_that_is_set_back_wins_nothing() -> None:
    _, _, ends = play([{"matches_won": 1}, {"matches_won": 0}, {"enemy_matches_won": 1}, NOTHING])
    assert ends == [None] * 4


def test_the_continue_screen_ends_it_as_in_the_scenario() -> None:
    scenario = json.loads((integration_dir(STREET_FIGHTER_2.id) / "scenario.json").read_text())
    end = scenario["done"]["variables"]["continuetimer"]
    assert end["op"] == "equal"
    _, _, ends = play(
        [{"continuetimer": end["reference"] - 1}, {"continuetimer": end["reference"]}]
    )
    assert ends == [None, "match_lost"]


def test_goes_on_from_a_snapshot() -> None:
    frames = [hit(170), hit(160), {"health": 170}, hit(150), {"matches_won": 1}, hit(-1)]
    for k in range(len(frames)):
        one, _, _ = play(frames[:k])
        other, _, _ = play([])
        snapshot = one.get_snapshot()
        other.set_snapshot(snapshot)
        variables = dict(START)
        for change in frames[:k]:
            variables |= change
        for change in [*frames[k:], {"matches_won": 2}]:
            variables |= change
            assert other.update(variables) == one.update(variables)
        assert other.end_facts("completed") == one.end_facts("completed")
        assert other.counts == one.counts


def test_a_new_episode_knows_nothing_of_the_last() -> None:
    scoring, _, _ = play([hit(100), hit(90), {"matches_won": 1}])
    scoring.reset(START)
    assert scoring.counts == {"damage_dealt": 0, "damage_taken": 0, "combo": 0}
    assert scoring.update(START | hit(170)).points == 6
    assert scoring.update(START | {"matches_won": 1}).end_reason is None


def test_the_integration_has_what_is_read() -> None:
    variables = load_variables(STREET_FIGHTER_2.id)
    assert set(FightScoring.frame_variables) <= set(variables)


def test_kinds_of_scoring_are_found_in_a_table() -> None:
    assert find_scoring(STREET_FIGHTER_2) is FightScoring
    for game in catalogue().values():
        kind = find_scoring(game)
        assert kind in SCORINGS.values()
        assert set(kind(game).frame_variables) <= set(load_variables(game.id)), game.id


def test_statistics_keep_what_an_episode_tells() -> None:
    for game in catalogue().values():
        scoring = make_scoring(game)
        told = {*scoring.end_facts("completed"), *scoring.progress_facts(), *INFO_VARIABLES}
        assert set(find_scoring(game).recorded_facts) <= told, game.id
    assert {"is_success", "max_combo", "n_hits"} <= set(FightScoring.recorded_facts)
