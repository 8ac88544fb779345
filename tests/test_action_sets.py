"""Sets of actions: their names, their buttons, and what is refused in a list of one's own."""

from __future__ import annotations

from typing import Any

import pytest

from sonic_sb3.action_sets import ACTION_SETS, action_names, find_actions, parse_actions
from sonic_sb3.errors import SonicError
from sonic_sb3.games import BUTTONS, DEFAULT_GAME, STREET_FIGHTER_2, catalogue

CONTEST_7 = ["LEFT", "RIGHT", "LEFT+DOWN", "RIGHT+DOWN", "DOWN", "DOWN+B", "B"]


def test_the_sets_of_the_literature() -> None:
    """FACTS: the contest's seven; the paper's also do nothing; the winner's also jump on."""
    assert action_names("contest7", DEFAULT_GAME) == CONTEST_7
    assert action_names("paper8", DEFAULT_GAME) == [*CONTEST_7, "NOTHING"]
    assert action_names("winner10", DEFAULT_GAME) == [*CONTEST_7, "NOTHING", "LEFT+B", "RIGHT+B"]
    for name in ("contest7", "paper8", "winner10"):
        for action in ACTION_SETS[name]:
            (hold,) = action.holds
            assert "+".join(hold.buttons) == action.name.replace("NOTHING", "")
            assert hold.n_timesteps == 1


def test_spin_adds_macros_to_the_contests() -> None:
    spin = ACTION_SETS["spin"]
    assert spin[:7] == ACTION_SETS["contest7"]
    assert [action.name for action in spin[7:]] == [
        "run_up",
        "spin_dash_1",
        "spin_dash_3",
        "spin_dash_6",
    ]
    assert [(hold.buttons, hold.n_timesteps) for hold in spin[7].holds] == [
        (("LEFT",), 15),
        (("RIGHT",), 30),
    ]
    assert [(hold.buttons, hold.n_timesteps) for hold in spin[8].holds] == [
        (("DOWN",), 2),
        (("DOWN", "B"), 1),
        (("DOWN",), 1),
        ((), 2),
    ]
    assert [action.n_timesteps for action in spin] == [1] * 7 + [45, 6, 10, 16]


@pytest.mark.parametrize("name", ACTION_SETS)
def test_sets_are_what_a_settings_file_could_hold(name: str) -> None:
    """Names are unique, buttons exist, and nothing presses both ways at once."""
    written = [
        {
            "name": action.name,
            "steps": [
                {"buttons": list(h.buttons), "timesteps": h.n_timesteps} for h in action.holds
            ],
        }
        for action in ACTION_SETS[name]
    ]
    assert parse_actions(written) == ACTION_SETS[name]
    for action in ACTION_SETS[name]:
        for hold in action.holds:
            assert not {"LEFT", "RIGHT"} <= set(hold.buttons)
            assert not {"UP", "DOWN"} <= set(hold.buttons)
            assert "START" not in hold.buttons


def test_fights_mirror_their_motions() -> None:
    by_name = {action.name: action for action in ACTION_SETS["fight"]}
    right, left = by_name["fireball_right"].holds, by_name["fireball_left"].holds
    assert [h.buttons for h in right] == [("DOWN",), ("DOWN", "RIGHT"), ("RIGHT", "Z")]
    assert [h.buttons for h in left] == [("DOWN",), ("DOWN", "LEFT"), ("LEFT", "Z")]


def test_each_game_has_a_set_of_its_own() -> None:
    for game_id in catalogue():
        own = "fight" if game_id == STREET_FIGHTER_2.id else "contest7"
        assert find_actions(None, game_id) == ACTION_SETS[own]


def test_a_list_of_ones_own() -> None:
    actions = [
        ["RIGHT"],
        [],
        ["RIGHT", "B"],
        {"name": "wait", "steps": [{"buttons": [], "timesteps": 3}]},
    ]
    assert action_names(actions, DEFAULT_GAME) == ["RIGHT", "NOTHING", "RIGHT+B", "wait"]
    assert [action.n_timesteps for action in parse_actions(actions)] == [1, 1, 1, 3]


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ("contest8", "unknown set of actions 'contest8': did you mean 'contest7'"),
        ([], "a list of 1 to 256 combinations"),
        (7, "expected a name"),
        ([["RIHGT"]], "unknown button 'RIHGT': did you mean 'RIGHT'"),
        (["RIGHT"], "expected an action as a list of buttons"),
        ([["RIGHT"], ["RIGHT"]], "'RIGHT' stands twice"),
        ([["B", "B"]], "each button of a combination once"),
        ([{"name": "dash"}], "lacks its 'steps'"),
        (
            [{"name": "dash", "stepps": []}],
            "unknown key of an action 'stepps': did you mean 'steps'",
        ),
        ([{"name": "dash", "steps": []}], "at least one step"),
        ([{"name": "", "steps": [{"buttons": ["B"]}]}], "1 to 40 letters"),
        ([{"name": "dash", "steps": [["B"]]}], "steps as {buttons, timesteps}"),
        ([{"name": "dash", "steps": [{"buttons": "B"}]}], "expected a list of buttons, got 'B'"),
        ([{"name": "dash", "steps": [{"buttons": ["B"], "timesteps": 0}]}], "from 1 on, got 0"),
        (
            [{"name": "dash", "steps": [{"buttons": ["B"], "timesteps": True}]}],
            "from 1 on, got True",
        ),
        ([{"name": "dash", "steps": [{"buttons": ["B"], "timesteps": 2000}]}], "at most 1000"),
    ],
)
def test_what_is_wrong_is_named(actions: Any, message: str) -> None:
    with pytest.raises(SonicError, match=message) as error:
        parse_actions(actions)
    assert "\n" not in str(error.value)


def test_buttons_are_the_pads() -> None:
    held = {
        b for actions in ACTION_SETS.values() for a in actions for h in a.holds for b in h.buttons
    }
    assert held <= set(BUTTONS)
