"""Every act is worth playing: a movie completes it, holding RIGHT does not, deaths are spread."""

from __future__ import annotations

import json

import pytest

from pangolin.tools.emulator import INTEGRATION, Emulator
from pangolin.tools.fuzz import fuzz_act
from pangolin.tools.lockstep import Lockstep, load_release_state
from pangolin.tools.movies import MOVIES, read_movie
from pangolin.tools.native import NativeGame
from pangolin.tools.players import begin, summarise
from sonic_sb3.envs.scoring import ContestScoring
from sonic_sb3.games import DEFAULT_GAME, find_game

LEVELS = json.loads((INTEGRATION / "levels.json").read_text())
FRAMES_PER_SECOND = 60


def test_nine_acts_and_three_of_them_for_testing() -> None:
    game = find_game(DEFAULT_GAME)
    assert len(game.levels) == 9
    assert len(game.test_levels) == 3
    zones = [name.split(".")[0] for name in game.levels]
    assert all(zones.count(zone) == 3 for zone in zones)
    train_zones = {name.split(".")[0] for name in game.train_levels}
    assert train_zones == set(zones), "every test act has siblings to train on"


@pytest.mark.parametrize("name", LEVELS)
def test_sizes(name: str) -> None:
    facts = LEVELS[name]
    assert 4000 <= facts["width_px"] <= 10_000
    assert facts["start_x"] + 3000 < facts["end_x"] < facts["width_px"]


def test_movies_complete_every_act(released: Emulator, acts: NativeGame) -> None:
    """From the shipped states on the shipped ROM, with the native game beside it."""
    both = Lockstep(acts, released)
    released.load(load_release_state(next(iter(LEVELS))))
    released.hurry()
    for name, facts in LEVELS.items():
        both.begin(facts["zone"], facts["act"])
        scoring = ContestScoring(find_game(DEFAULT_GAME))
        scoring.reset({key: released.read(key) for key in ("x", "lives", "zone", "act")})
        end = None
        for n_frames, pad_byte in enumerate(read_movie(MOVIES / f"{name}.txt"), start=1):
            both.step(pad_byte)
            end = scoring.update({"x": released.read("x"), "lives": released.read("lives")})
            passed = released.read("level_end_bonus")
            assert bool(passed) == (end.end_reason == "completed"), f"{name}, frame {n_frames}"
            if end.end_reason:
                break
        assert end is not None
        assert end.end_reason == "completed", name
        assert scoring.progress == 1
        assert 20 <= n_frames / FRAMES_PER_SECOND <= 120


@pytest.mark.parametrize("name", LEVELS)
def test_right_alone_never_completes(acts: NativeGame, name: str) -> None:
    begin(acts, LEVELS[name]["zone"], LEVELS[name]["act"])
    summary = summarise(acts, acts.save(), "right only", 20)
    assert summary.completed() == 0


@pytest.mark.parametrize("player", ["right with random jumps", "right or jump (7 actions)"])
def test_random_jumps_hardly_complete_the_first_act(acts: NativeGame, player: str) -> None:
    begin(acts, 0, 0)
    summary = summarise(acts, acts.save(), player, 300)
    assert summary.completed() < 0.01


@pytest.mark.parametrize("name", LEVELS)
def test_deaths_are_spread(acts: NativeGame, name: str) -> None:
    begin(acts, LEVELS[name]["zone"], LEVELS[name]["act"])
    summary = summarise(acts, acts.save(), "right with random jumps", 100)
    assert summary.n_death_places() >= 5


def test_random_frames_on_every_act(released: Emulator, acts: NativeGame) -> None:
    """A little of ``make -C pangolin fuzz``."""
    both = Lockstep(acts, released)
    released.load(load_release_state(next(iter(LEVELS))))
    released.hurry()
    for facts in LEVELS.values():
        fuzz_act(both, facts["zone"], facts["act"], 3000, seed=1)
