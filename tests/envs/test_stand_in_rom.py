"""
Sonic's path without a ROM of Sonic: a program on the emulated console writes scripted values to
Sonic's addresses; our env, stable-retro with the contest's script, and formulas worked out here
must agree on rewards, progress and ends.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import stable_retro

import sonic_sb3
from sonic_sb3.envs.game_env import GameEnv
from sonic_sb3.games import SONIC_1, SONIC_2, SONIC_3K, STREET_FIGHTER_2, Game

LEVEL = "GreenHillZone.Act1"
END_X = 0x2560  # of Green Hill Zone act 1, in the contest's script
START_X = 80
START = {
    "x": START_X,
    "y": 600,
    "screen_x": 0,
    "screen_y": 480,
    "screen_x_end": 0x24BF,
    "zone": 0,
    "act": 0,
    "lives": 3,
    "rings": 0,
    "score": 0,
    "level_end_bonus": 0,
}
NO_BUTTONS = np.zeros(12, np.int8)
Change = dict[str, int]
Rows = list[tuple[float, bool]]


def script(*changes: Change, start: Change = START) -> list[Change]:
    """The frames of a story, each told by what changes in it."""
    frames = [dict(start)]
    for change in changes:
        frames.append(frames[-1] | change)
    return frames


def walk(*xs: int) -> list[Change]:
    return [{"x": x, "screen_x": max(0, x - 160)} for x in xs]


def expected_rewards(xs: Sequence[int]) -> list[float]:
    """The contest's formula: 9000 x gain of clipped progress, and the bonus for speed."""
    rewards, before = [], 0.0
    for n_frames, x in enumerate(xs, start=1):
        progress = min(max(x - START_X, 0), END_X - START_X) / (END_X - START_X)
        reward = 9000 * (progress - before)
        if progress >= 1:
            reward += 1000 * (1 - n_frames / 18000)
        rewards.append(reward)
        before = progress
    return rewards


def play_ours(game: Game, level: str, n_frames: int) -> tuple[Rows, list[dict[str, Any]]]:
    env = GameEnv(game.id, level)
    rows, infos = [], [env.reset()[1]]
    for _ in range(n_frames):
        _, reward, terminated, _, info = env.step(NO_BUTTONS)
        rows.append((reward, terminated))
        infos.append(info)
        if terminated:
            break
    infos[-1] |= env.end_facts(infos[-1].get("end_reason", "time_limit"))
    env.close()
    return rows, infos


def play_stable_retro(game: Game, level: str, n_frames: int, scenario: str = "contest") -> Rows:
    env = stable_retro.make(
        game.id,
        level,
        scenario=scenario,
        inttype=stable_retro.data.Integrations.CUSTOM_ONLY,
        render_mode="rgb_array",
    )
    env.reset()
    rows = []
    for _ in range(n_frames):
        _, reward, terminated, *_ = env.step(NO_BUTTONS)
        rows.append((float(reward), terminated))
        if terminated:
            break
    env.close()
    return rows


def assert_all_agree(game: Game, level: str, expected: list[float], ends: bool) -> dict[str, Any]:
    """:returns: The last info of our env."""
    ours, infos = play_ours(game, level, len(expected))
    theirs = play_stable_retro(game, level, len(expected))
    assert len(ours) == len(theirs) == len(expected)
    assert [done for _, done in ours] == [done for _, done in theirs]
    assert ours[-1][1] is ends
    assert [r for r, _ in ours] == pytest.approx(expected, abs=1e-9)
    # Their rewards are single precision.
    assert [r for r, _ in theirs] == pytest.approx(expected, rel=1e-5, abs=1e-3)
    return infos[-1]


def test_the_whole_level(put_stand_in: Any) -> None:
    xs = [80, 85, 79, 70, 90, *range(100, END_X, 97), END_X - 1, END_X]
    put_stand_in(SONIC_1.id, LEVEL, script(*walk(*xs)))
    info = assert_all_agree(SONIC_1, LEVEL, expected_rewards(xs), ends=True)
    assert info["end_reason"] == "completed"
    assert info["is_success"] is True
    assert info["progress"] == 1
    assert info["contest_score"] == pytest.approx(9000 + 1000 * (1 - len(xs) / 18000))
    assert info["game_time_s"] == pytest.approx(len(xs) / 60)
    assert info["x"] == END_X


def test_a_lost_life_ends_it(put_stand_in: Any) -> None:
    story = [*walk(100, 200, 300), {"lives": 4}, {"x": 310}, {"lives": 3}, {"x": 400}]
    put_stand_in(SONIC_1.id, LEVEL, script(*story))
    xs = [100, 200, 300, 300, 310, 310]
    info = assert_all_agree(SONIC_1, LEVEL, expected_rewards(xs), ends=True)
    assert info["end_reason"] == "life_lost"
    assert info["is_success"] is False
    assert info["progress"] == pytest.approx(230 / (END_X - START_X))
    assert info["lives"] == 3


def test_progress_without_an_end(put_stand_in: Any) -> None:
    rng = np.random.default_rng(3)
    xs = np.clip(80 + rng.integers(-30, 40, 300).cumsum(), 0, END_X - 1).tolist()
    put_stand_in(SONIC_1.id, LEVEL, script(*walk(*xs)))
    info = assert_all_agree(SONIC_1, LEVEL, expected_rewards(xs), ends=False)
    assert 0 < info["progress"] < 1


def test_every_variable_is_read_where_the_game_keeps_it(put_stand_in: Any) -> None:
    values = {
        "x": -3,
        "y": 0xABCD,
        "screen_x": 0x1234,
        "screen_y": 0x0321,
        "screen_x_end": 0xFEDC,
        "rings": 321,
        "lives": 77,
        "score": 0x12345678,
        "level_end_bonus": 1,
        "zone": 0,
        "act": 0,
    }
    put_stand_in(SONIC_1.id, LEVEL, script(values))
    env = GameEnv(SONIC_1.id, LEVEL)
    env.reset()
    assert env.emulator.read_variables() == START
    env.step(NO_BUTTONS)
    assert env.emulator.read_variables() == values
    env.close()


def play_finished(env: gym.Env[Any, Any], n: int) -> tuple[list[float], dict[str, Any]]:
    env.reset(seed=0)
    rewards: list[float] = []
    info: dict[str, Any] = {}
    for _ in range(n):
        _, reward, terminated, truncated, info = env.step(1)
        rewards.append(float(reward))
        if terminated or truncated:
            break
    return rewards, info


def test_the_finished_env_sums_four_frames(put_stand_in: Any) -> None:
    """What make_env gives, with frames that nobody sees between."""
    xs = [*range(90, 290, 10), 250, 240, 230, 220, 400, 410, 420, 430]
    put_stand_in(SONIC_1.id, LEVEL, script(*walk(*xs)))
    per_frame = expected_rewards(xs)
    expected = [sum(per_frame[k : k + 4]) for k in range(0, len(xs), 4)]
    rewards, info = play_finished(
        sonic_sb3.make_env(SONIC_1.id, level=LEVEL, sticky_prob=0), len(expected)
    )
    assert rewards == pytest.approx(expected, abs=1e-9)
    assert info["progress"] == pytest.approx(350 / (END_X - START_X))
    backtracking = sonic_sb3.make_env(
        SONIC_1.id, level=LEVEL, sticky_prob=0, allow_backtracking=True, reward_scale=0.01
    )
    rewards, _ = play_finished(backtracking, len(expected))
    way = 9000 / (END_X - START_X)
    gains = [40] * 5 + [0, 430 - 280]
    assert rewards == pytest.approx([0.01 * way * gain for gain in gains], abs=1e-9)


def test_terms_on_sonics_own_addresses(put_stand_in: Any) -> None:
    """Rings and lives frame by frame, within one timestep of four frames."""
    story = [
        {"rings": 5},
        {"rings": 0},
        {"rings": 3, "score": 100},
        {"x": 180},
        {"x": 190, "y": 700},
        {"x": 170},
        {"rings": 4},
        {"x": 175},
        {"score": 350},
        {"lives": 2},
    ]
    put_stand_in(SONIC_1.id, LEVEL, script(*story))
    weights = {
        "contest_progress": 0.01,
        "max_x_progress": 0.1,
        "x_delta": 1.0,
        "rings_gained": 1.0,
        "score_gained": 0.01,
        "life_lost": -1.0,
        "time": -0.5,
        "novelty": 2.0,
    }
    rewards = [{"term": name, "weight": weight} for name, weight in weights.items()]
    env = sonic_sb3.make_env(SONIC_1.id, level=LEVEL, sticky_prob=0, rewards=rewards)
    got, info = play_finished(env, 9)
    way = 9000 / (END_X - START_X)
    sums = {
        "contest_progress": 0.01 * way * 95,
        "max_x_progress": 0.1 * way * 100,
        "x_delta": 95,
        "rings_gained": 5 + 3 + 1,
        "score_gained": 0.01 * 350,
        "life_lost": -1,
        "time": -1.5,
        # (80, 600) -> (180, 600) -> (175, 700): cells (1, 9), (2, 9), (2, 10)
        "novelty": 4.0,
    }
    assert {k: info[f"reward/{k}"] for k in sums} == pytest.approx(sums)
    assert len(got) == 3
    assert got[0] == pytest.approx((0.01 + 0.1) * way * 100 + 100 + 8 + 1 - 0.5 + 2)
    assert got[1] == pytest.approx(0.01 * way * -5 - 5 + 1 - 0.5 + 2)
    assert got[2] == pytest.approx(2.5 - 1 - 0.5)
    assert info["end_reason"] == "life_lost"


def test_other_games_have_their_own_addresses_and_ends(put_stand_in: Any) -> None:
    """Sonic 2 leaves for a bonus stage at game mode 16; Sonic 3 & Knuckles changes its act."""
    start = {"x": 96, "zone": 0, "act": 0, "lives": 3, "game_mode": 0, "screen_x": 0}
    put_stand_in(
        SONIC_2.id, "EmeraldHillZone.Act1", script({"x": 196}, {"game_mode": 16}, start=start)
    )
    way = 9000 / (0x2A40 - 96)
    info = assert_all_agree(SONIC_2, "EmeraldHillZone.Act1", [way * 100, 0], ends=True)
    assert info["end_reason"] == "left_level"

    start = {"x": 100, "zone": 0, "act": 0, "lives": 3, "screen_x": 0, "special_stage": 0}
    story = [
        {"x": 0x3100, "screen_x": 0x3000},
        {"x": 0x100, "screen_x": 0, "act": 1},
        {"x": 0x120},
    ]
    put_stand_in(SONIC_3K.id, "AngelIslandZone.Act1", script(*story, start=start))
    way = 9000 / (0x3080 + 0x1049 - 100)
    expected = [way * (0x3100 - 100), 0, way * 0x20]
    assert_all_agree(SONIC_3K, "AngelIslandZone.Act1", expected, ends=False)
    env = sonic_sb3.make_env(
        SONIC_3K.id,
        level="AngelIslandZone.Act1",
        sticky_prob=0,
        frame_skip=1,
        rewards=[{"term": "x_delta", "weight": 1}],
    )
    rewards, _ = play_finished(env, 3)
    assert rewards == [0x3100 - 100, 0, 0x20], "the jump itself is no way"


def test_a_fight_through_the_same_interface(put_stand_in: Any) -> None:
    """Street Fighter's addresses; what its own program would do with them is unknown."""
    start = {
        "health": 176,
        "enemy_health": 176,
        "matches_won": 0,
        "enemy_matches_won": 0,
        "continuetimer": 0,
        "score": 0,
    }
    story = [
        {"enemy_health": 166, "score": 500},
        {"enemy_health": 160},
        {"health": 150},
        {"enemy_health": 100},
        {"enemy_health": -1, "matches_won": 1},
        {"enemy_health": 0, "health": 0},
        {"enemy_health": 176, "health": 176},
        {"enemy_health": 170},
        {"enemy_health": -1, "matches_won": 2},
    ]
    level = STREET_FIGHTER_2.default_level
    put_stand_in(STREET_FIGHTER_2.id, level, script(*story, start=start))
    expected = [10, 6 + 10, -26, 60, 100 + 10, 0, 0, 6, 170 + 10]
    rows, infos = play_ours(STREET_FIGHTER_2, level, 20)
    assert [reward for reward, _ in rows] == expected
    assert [done for _, done in rows] == [False] * 8 + [True]
    assert infos[-1]["is_success"] is True
    assert infos[-1]["max_combo"] == 2
    assert infos[1]["score"] == 500
    assert infos[1]["enemy_health"] == 166

    env = sonic_sb3.make_env(
        STREET_FIGHTER_2.id,
        sticky_prob=0,
        rewards=[{"term": "combo", "weight": 1}, {"term": "damage_taken", "weight": -1}],
    )
    assert env.action_space.n > 20, "its own set of actions"  # type: ignore[attr-defined]
    rewards, info = play_finished(env, 20)
    assert rewards == [1 - 26, 1, 1]
    assert info["reward/combo"] == 3
    assert info["end_reason"] == "completed"


def test_the_continue_screen_ends_a_fight_as_stable_retros_scenario_does(put_stand_in: Any) -> None:
    start = {"health": 9, "enemy_health": 176, "matches_won": 0, "enemy_matches_won": 0}
    start |= {"continuetimer": 0, "score": 0}
    story: list[Change] = [{"health": -1}, {}, {"continuetimer": 10}, {}]
    level = STREET_FIGHTER_2.default_level
    put_stand_in(STREET_FIGHTER_2.id, level, script(*story, start=start))
    rows, infos = play_ours(STREET_FIGHTER_2, level, 4)
    theirs = play_stable_retro(STREET_FIGHTER_2, level, 4, scenario="scenario")
    assert [done for _, done in rows] == [done for _, done in theirs] == [False, False, True]
    assert infos[-1]["end_reason"] == "match_lost"


def test_the_program_is_what_its_source_gives(tmp_path: Path) -> None:
    if shutil.which("m68k-linux-gnu-as") is None:
        pytest.skip("m68k-linux-gnu-as not found: install Debian's gcc-m68k-linux-gnu")
    folder = Path(__file__).parent / "stand_in"
    commands = [
        ["as", "-m68000", "--register-prefix-optional", "-o", "a.o", str(folder / "stand_in.s")],
        ["ld", "-Ttext", "0", "-o", "a.elf", "a.o"],
        ["objcopy", "-O", "binary", "-j", ".text", "a.elf", "a.bin"],
    ]
    for name, *arguments in commands:
        subprocess.run([f"m68k-linux-gnu-{name}", *arguments], cwd=tmp_path, check=True)
    assert (tmp_path / "a.bin").read_bytes() == (folder / "stand_in.bin").read_bytes()
