"""The scripted baselines, decision by decision against hand-computed plays."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from sonic_sb3.action_sets import find_actions
from sonic_sb3.errors import SettingsError
from sonic_sb3.hyperparams import load_hyperparameters
from sonic_sb3.jerk import JerkScript, Solution
from sonic_sb3.runs import make_policy
from sonic_sb3.scripts import RandomScript, RightScript

GAME = "PangolinDash-Genesis-v0"
ACTIONS = find_actions("winner10", GAME)
NAMES = [action.name for action in ACTIONS]
OBSERVATIONS = spaces.Box(0, 255, (1, 8, 8), np.uint8)
SPACES = (OBSERVATIONS, spaces.Discrete(len(ACTIONS)))
NO_PICTURES = np.zeros((2, 1, 8, 8), np.uint8)


def make_jerk(n_envs: int = 1, seed: int = 0, **kwargs: Any) -> JerkScript:
    script = JerkScript(*SPACES, ACTIONS, **kwargs)
    script.begin(n_envs, seed)
    return script


def play(script: JerkScript, rewards: list[float], share_done: float = 0.0) -> list[str]:
    """One episode of one env that ends with the last reward; what was pressed."""
    pressed = []
    for index, reward in enumerate(rewards):
        pressed.append(NAMES[script.choose(share_done)[0]])
        script.observe(np.array([reward]), np.array([index == len(rewards) - 1]))
    return pressed


def test_goes_left_when_a_segment_brought_nothing() -> None:
    script = make_jerk(jump_prob=0.0, right_steps=3, left_steps=2, exploit_bias=0.0)
    rewards = [1.0, -1.0, 0.0, 0.5, 0.5, 0.0, 0.0, 1.0, 0.0, 1.0]
    right, left = ["RIGHT"] * 3, ["LEFT"] * 2
    # The first three bring nothing; going left brings something, which nobody asks; the next three
    # to the right bring something, so it goes on to the right.
    assert play(script, rewards) == [*right, *left, *right, *right[:2]]


def test_a_jump_is_held_and_ends_with_its_segment() -> None:
    script = make_jerk(jump_prob=1.0, jump_steps=4, right_steps=6, left_steps=3)
    pressed = play(script, [0.0] * 9)
    assert pressed == ["RIGHT+B"] * 6 + ["LEFT+B"] * 3
    script = make_jerk(jump_prob=0.1, jump_steps=4, right_steps=10**6, exploit_bias=0.0)
    pressed = play(script, [1.0] * 40_000)
    jumps = np.array([name == "RIGHT+B" for name in pressed])
    # A timestep without a held jump begins one with p: share = 4 p / (1 + 3 p).
    assert jumps.mean() == pytest.approx(0.4 / 1.3, abs=0.02)
    runs = ["".join(group) for _, group in itertools.groupby("J" if j else "-" for j in jumps)]
    lengths = {len(run) for run in runs[:-1] if run[0] == "J"}
    assert {4, 8} <= lengths
    assert all(length % 4 == 0 for length in lengths), "held four timesteps, or four more"


def test_keeps_the_way_to_the_highest_return() -> None:
    script = make_jerk(jump_prob=0.0, exploit_bias=0.0)
    play(script, [1.0, 2.0, -1.0, 1.0, -2.0])
    (solution,) = script.solutions
    assert solution.returns == [3.0]
    assert [NAMES[a] for a in solution.actions] == ["RIGHT"] * 2, "the first of two equal maxima"


def test_replays_the_best_by_mean_and_then_lets_go() -> None:
    script = make_jerk(exploit_bias=1.0)
    right, left = NAMES.index("RIGHT"), NAMES.index("LEFT")
    script.solutions = [Solution([right] * 3, [9.0, 1.0]), Solution([left] * 2, [6.0])]
    assert play(script, [1.0, 1.0, 1.0, 0.5]) == ["LEFT", "LEFT", "NOTHING", "NOTHING"]
    assert script.solutions[1].returns == [6.0, 3.5]
    assert script.best_solution == 0, "5.0 against 4.75"
    assert play(script, [1.0] * 4) == ["RIGHT", "RIGHT", "RIGHT", "NOTHING"]


@pytest.mark.parametrize(("share_done", "expected"), [(0.0, 0.25), (0.5, 0.75), (0.8, 1.0)])
def test_replays_more_and_more(share_done: float, expected: float) -> None:
    script = make_jerk(jump_prob=0.0)
    script.solutions = [Solution([NAMES.index("LEFT")], [1.0])]
    first = []
    for _ in range(2000):
        first.append(play(script, [0.0], share_done)[0])
        del script.solutions[1:]
        script.solutions[0].returns = [1.0]
    assert first.count("LEFT") / 2000 == pytest.approx(expected, abs=0.03)


def test_nothing_known_is_explored() -> None:
    script = make_jerk(jump_prob=0.0, exploit_bias=1.0)
    assert play(script, [1.0]) == ["RIGHT"]


def test_envs_share_what_they_find_and_seeds_decide() -> None:
    pressed = []
    for seed in (1, 1, 2):
        script = make_jerk(n_envs=2, seed=seed, right_steps=5, left_steps=3)
        rewards = np.random.default_rng(0).normal(size=(60, 2))
        actions = []
        for index in range(60):
            actions.append(script.choose(index / 60))
            script.observe(rewards[index], np.array([index % 7 == 6, index % 11 == 10]))
        pressed.append(np.array(actions))
        assert sum(len(s.returns) for s in script.solutions) == 8 + 5
    np.testing.assert_array_equal(pressed[0], pressed[1])
    assert (pressed[0] != pressed[2]).any()


def test_an_evaluation_replays_from_each_episodes_start() -> None:
    script = make_jerk()
    right, left = NAMES.index("RIGHT"), NAMES.index("LEFT")
    script.solutions = [Solution([right, left], [1.0])]
    pressed = []
    for starts in ([True, True], [False, False], [False, True], [False, False]):
        probabilities = script.action_probabilities(NO_PICTURES, np.array(starts))
        assert probabilities.sum(axis=1).tolist() == [1.0, 1.0]
        pressed.append([NAMES[k] for k in probabilities.argmax(axis=1)])
    assert pressed == [
        ["RIGHT", "RIGHT"],
        ["LEFT", "LEFT"],
        ["NOTHING", "RIGHT"],
        ["NOTHING", "LEFT"],
    ]


def test_memory_is_saved_and_strange_memories_are_refused() -> None:
    script = make_jerk()
    script.solutions = [Solution([1, 2, 3], [1.5]), Solution([], [0.0, 2.0])]
    state = script.state_dict()
    other = make_jerk()
    other.load_state_dict(state)
    assert other.solutions == script.solutions
    for key, value in (("actions", [99, 1, 1]), ("n_actions", [3, 1]), ("n_returns", [0, 3])):
        memory = dict(script.get_extra_state())
        memory[key] = memory[key].new_tensor(value)
        with pytest.raises(ValueError, match="expected sequences"):
            other.set_extra_state(memory)
    for key, kind in (("actions", "float64"), ("actions", "bool"), ("returns", "complex128")):
        memory = dict(script.get_extra_state())
        memory[key] = memory[key].to(getattr(torch, kind))
        with pytest.raises(ValueError, match="of the types"):
            other.set_extra_state(memory)


def test_needs_the_contests_buttons() -> None:
    hyperparameters = load_hyperparameters(
        "jerk", GAME, overrides={"env_kwargs.actions": "contest7"}
    )
    with pytest.raises(SettingsError, match=r"presses RIGHT\+B, got LEFT, .*winner10"):
        make_policy("jerk", GAME, hyperparameters)


def test_jerk_has_its_published_numbers() -> None:
    settings = load_hyperparameters("jerk").written()
    expected = {"jump_prob": 0.1, "jump_steps": 4, "right_steps": 100, "left_steps": 70}
    expected |= {"exploit_bias": 0.25, "n_timesteps": 1_000_000, "n_envs": 1}
    assert {key: settings[key] for key in expected} == expected


def test_random_and_right() -> None:
    chance = RandomScript(*SPACES, ACTIONS)
    chance.begin(2, 0)
    drawn = np.concatenate([chance.choose(0.0) for _ in range(2000)])
    assert np.bincount(drawn).min() > 300
    starts = np.ones(2, dtype=bool)
    assert (chance.action_probabilities(NO_PICTURES, starts) == 0.1).all()
    right = RightScript(*SPACES, ACTIONS)
    right.begin(2, 0)
    assert [NAMES[a] for a in right.choose(0.0)] == ["RIGHT", "RIGHT"]
    assert right.action_probabilities(NO_PICTURES, starts).argmax(axis=1).tolist() == [1, 1]
