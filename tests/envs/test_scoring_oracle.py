"""The contest's Lua scripts, run by stable-retro on scripted RAM, against our Python accounting.

No Sonic ROM is needed: a free ROM runs, and before each frame the values of Sonic's variables are
written to addresses that this ROM does not use.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import stable_retro

from sonic_sb3.envs.scoring import ContestScoring
from sonic_sb3.games import SONIC_1, SONIC_2, SONIC_3K, Game
from sonic_sb3.rom_files import find_rom, integration_dir
from sonic_sb3.sonic_levels import CUSTOM_GAMES

Frames = list[dict[str, int]]


@pytest.fixture(scope="module")
def machine() -> Iterator[Any]:
    machine = stable_retro.RetroEmulator(str(find_rom("Airstriker-Genesis-v0")))
    yield machine
    del machine


def play_oracle(machine: Any, game: Game, frames: Frames) -> list[tuple[float, bool]]:
    """Reward and end of each frame after the first, by stable-retro and its Lua script."""
    folder = integration_dir(game.id)
    data = stable_retro.data.GameData()
    machine.configure_data(data)
    machine.step()
    assert data.load(str(folder / "data.json"), str(folder / "contest.json"))
    addresses = json.loads((folder / "data.json").read_text())["info"]
    results = []
    for index, variables in enumerate(frames):
        machine.step()
        for name, value in variables.items():
            entry = addresses[name]
            data.memory.assign(entry["address"], entry["type"], value)
        if index == 0:
            data.reset()
            data.update_ram()
        else:
            data.update_ram()
            results.append((data.current_reward(), data.is_done()))
    return results


def play_ours(game: Game, frames: Frames) -> list[tuple[float, bool]]:
    scoring = ContestScoring(game)
    scoring.reset(frames[0])
    results = []
    for variables in frames[1:]:
        frame = scoring.update(variables)
        results.append((frame.points, frame.end_reason is not None))
    return results


def first_variables(game: Game, zone_act: tuple[int, int], x: int) -> dict[str, int]:
    variables = {"x": x, "zone": zone_act[0], "act": zone_act[1], "lives": 3, "screen_x": 0}
    variables |= dict.fromkeys(game.end_variables, 0)
    return variables


def walk(game: Game, zone_act: tuple[int, int], seed: int, stride_px: int = 60) -> Frames:
    """A random way to the right, with steps back, up to the level's end."""
    rng = random.Random(seed)
    frames = [first_variables(game, zone_act, 80)]
    while frames[-1]["x"] < game.level_end_px[zone_act] + 40:
        x = max(0, frames[-1]["x"] + rng.randint(-stride_px // 2, stride_px))
        frames.append(frames[-1] | {"x": x, "screen_x": max(0, x - 160)})
    return frames


# The scripts of the custom levels count the frame on which the level is finished once more: 1000
# points of speed over 18,000 frames.
ONE_FRAME_POINTS = 0.06


def assert_same(
    machine: Any, game: Game, frames: Frames, tolerance: float = 1e-3
) -> list[tuple[float, bool]]:
    oracle = play_oracle(machine, game, frames)
    ours = play_ours(game, frames)
    end = next((k for k, (_, done) in enumerate(oracle) if done), len(oracle) - 1)
    assert [done for _, done in ours[: end + 1]] == [done for _, done in oracle[: end + 1]]
    for k in range(end + 1):
        # The oracle's rewards are single precision.
        assert ours[k][0] == pytest.approx(oracle[k][0], rel=1e-5, abs=tolerance), f"frame {k}"
    return oracle[: end + 1]


@pytest.mark.parametrize("game", [SONIC_1, SONIC_2, SONIC_3K], ids=lambda game: game.id)
def test_progress_and_completion(machine: Any, game: Game) -> None:
    for seed, zone_act in enumerate(game.level_end_px):
        rewards = assert_same(machine, game, walk(game, zone_act, seed))
        assert rewards[-1][1], f"{zone_act}: the walk reaches the end"
        time_bonus = 1000 * (1 - len(rewards) / 18000)
        assert sum(r for r, _ in rewards) == pytest.approx(9000 + time_bonus, abs=0.1)


@pytest.mark.parametrize("game", CUSTOM_GAMES, ids=lambda game: game.id)
def test_custom_levels_are_scored_as_their_scripts_do(machine: Any, game: Game) -> None:
    """The contest's own levels: their scripts differ, and keep the ends of the original's acts."""
    for seed, zone_act in enumerate(game.level_end_px):
        frames = walk(game, zone_act, seed, stride_px=600)
        rewards = assert_same(machine, game, frames, tolerance=ONE_FRAME_POINTS)
        assert rewards[-1][1], f"{zone_act}: the walk reaches the end"
        way_points = sum(r for r, _ in rewards) - 1000 * (1 - len(rewards) / 18000)
        assert way_points == pytest.approx(9000, abs=0.1)
    frames = walk(game, next(iter(game.level_end_px)), 1)[:50]
    frames += [frames[-1] | {"lives": 2}] * 2
    assert assert_same(machine, game, frames, tolerance=ONE_FRAME_POINTS)[-1][1]


@pytest.mark.parametrize("game", [SONIC_1, SONIC_2, SONIC_3K], ids=lambda game: game.id)
def test_lost_life_ends(machine: Any, game: Game) -> None:
    frames = walk(game, next(iter(game.level_end_px)), 1)[:50]
    frames += [frames[-1] | {"lives": 2}, frames[-1] | {"lives": 2}]
    assert assert_same(machine, game, frames)[-1][1]


def test_extra_life_goes_on_and_is_counted(machine: Any) -> None:
    frames = walk(SONIC_1, (0, 0), 2)[:30]
    frames += [frames[-1] | {"lives": 4}] * 2
    frames += [frames[-1] | {"lives": 3}]
    rewards = assert_same(machine, SONIC_1, frames)
    assert len(rewards) == len(frames) - 1
    assert rewards[-1][1]


def test_leaving_the_level_ends(machine: Any) -> None:
    for game, variables in ((SONIC_2, {"game_mode": 16}), (SONIC_3K, {"special_stage": 1})):
        frames = walk(game, next(iter(game.level_end_px)), 3)[:20]
        frames.append(frames[-1] | variables)
        assert assert_same(machine, game, frames)[-1][1]


def test_act_change_shifts_x(machine: Any) -> None:
    """Angel Island act 1: x and screen jump back by 0x2F00 when the act's second half is loaded."""
    frames = walk(SONIC_3K, (0, 0), 4)[:200]
    last = frames[-1]
    jump = 0x300
    frames.append(last | {"act": 1, "x": last["x"] - jump, "screen_x": last["screen_x"] - jump})
    for _ in range(20):
        frames.append(frames[-1] | {"x": frames[-1]["x"] + 10})
    rewards = assert_same(machine, SONIC_3K, frames)
    assert abs(rewards[len(frames) - 22][0]) < 50, "the jump itself is no progress"


def test_time_bonus_counts_frames_like_the_script(machine: Any) -> None:
    frames = walk(SONIC_1, (0, 0), 5)
    slow = [frames[0]] * 6000 + frames
    rewards = assert_same(machine, SONIC_1, slow)
    n_frames = len(rewards)
    assert sum(r for r, _ in rewards) == pytest.approx(9000 + 1000 * (1 - n_frames / 18000), abs=1)


def test_level_ends_are_the_scripts() -> None:
    """Every number of the Lua tables stands in our catalogue, and no other."""
    for game in (SONIC_1, SONIC_2, SONIC_3K):
        script = (integration_dir(game.id) / "script.lua").read_text()
        table = script.split("level_max_x = {")[1].split("\n}")[0]
        ends = {}
        for line in table.splitlines():
            code = line.split("--")[0].strip()
            if not code:
                continue
            zone, act = (int(part.split("=")[1]) for part in code.split('"')[1].split(","))
            terms = code.split("] =")[1].strip(" ,").split("+")
            ends[(zone, act)] = sum(int(term.strip(), 16) for term in terms)
        assert ends == game.level_end_px
