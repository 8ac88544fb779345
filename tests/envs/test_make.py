"""The finished env on the real emulator."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import stable_retro
from gymnasium.utils.env_checker import check_env as check_gymnasium_env
from stable_baselines3.common.env_checker import check_env as check_sb3_env
from stable_retro.examples.ppo import StochasticFrameSkip as StockFrameSkip

import sonic_sb3
from sonic_sb3.envs.actions import SonicDiscretizer
from sonic_sb3.envs.observations import WarpFrame
from sonic_sb3.errors import EmulatorError, RomError, SettingsError, UnknownNameError
from sonic_sb3.rom_files import integration_dir

OWN_ROM_GAMES = [
    "SonicTheHedgehog-Genesis-v0",
    "SonicTheHedgehog2-Genesis-v0",
    "SonicAndKnuckles3-Genesis-v0",
]


def test_both_env_checkers_pass(airstriker: str) -> None:
    env = sonic_sb3.make_env(airstriker)
    with warnings.catch_warnings():
        # gymnasium advises to check the innermost env; the finished one is what users get.
        warnings.filterwarnings("ignore", message=".*is different from the unwrapped version.*")
        check_gymnasium_env(env, skip_render_check=True, skip_close_check=True)
    check_sb3_env(env)


def test_gymnasium_makes_the_finished_env(airstriker: str) -> None:
    env = gym.make(airstriker, level="Level1")
    obs, info = env.reset(seed=1)
    assert obs.shape == (96, 96, 1)
    assert obs.dtype == np.uint8
    assert env.action_space == gym.spaces.Discrete(7)
    assert info == {"lives": 3, "score": 0}, "facts this game does not have are absent"


def test_last_info_tells_the_episode(airstriker: str) -> None:
    env = sonic_sb3.make_env(airstriker, record_inputs=True)
    env.reset(seed=1)
    n, total, done = 0, 0.0, False
    while not done:
        _, reward, done, truncated, info = env.step(env.action_space.sample())
        n, total = n + 1, total + reward
        assert not truncated
    assert info["end_reason"] == "game_over"
    assert info["level"] == "Level1"
    assert sum(info["action_counts"]) == n
    assert total == info["score"]
    assert 4 * (n - 1) < len(info["input_movie"]) // 12 <= 4 * n
    assert info["game_time_s"] == len(info["input_movie"]) / 12 / 60
    assert not {"progress", "x", "is_success", "contest_score"} & set(info)


def test_time_limit_truncates(airstriker: str) -> None:
    env = sonic_sb3.make_env(airstriker, max_episode_steps=5)
    env.reset(seed=1)
    for _ in range(4):
        assert env.step(0)[2:4] == (False, False)
    *_, terminated, truncated, info = env.step(0)
    assert (terminated, truncated) == (False, True)
    assert info["end_reason"] == "time_limit"
    assert info["game_time_s"] == pytest.approx(20 / 60)


def make_stock(game: str, **kwargs: Any) -> Any:
    """stable-retro's own env and example wrapper, the random draws of the frame skip as ours."""
    env = stable_retro.make(game, render_mode="rgb_array", **kwargs)
    frame_skip = StockFrameSkip(env, n=4, stickprob=0.25)
    frame_skip.rng = type("Draws", (), {"rand": lambda _: env.np_random.random()})()
    return WarpFrame(SonicDiscretizer(frame_skip))


def draw_actions(n_steps: int) -> Any:
    """Each held for a while, mostly to the right and up: levels are seen and lives are lost."""
    weights = [0.04, 0.6, 0.02, 0.08, 0.02, 0.04, 0.2]
    return np.repeat(np.random.default_rng(0).choice(7, n_steps // 8, p=weights), 8)


def play(env: Any, n_steps: int) -> tuple[list[Any], list[float], list[dict[str, Any]]]:
    """Pictures and ends, rewards, infos."""
    rows: list[Any] = [env.reset(seed=5)[0].tobytes()]
    rewards, infos = [], []
    for action in draw_actions(n_steps):
        obs, reward, terminated, truncated, info = env.step(action)
        rows.append((obs.tobytes(), terminated, truncated))
        rewards.append(reward)
        infos.append(info)
        if terminated or truncated:
            rows.append(env.reset()[0].tobytes())
    env.close()
    return rows, rewards, infos


def select(infos: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(info[name] for name in names) for info in infos]


def test_equals_stable_retros_own_env_on_airstriker(airstriker: str) -> None:
    rows, rewards, infos = play(sonic_sb3.make_env(airstriker), 5000)
    stock_rows, stock_rewards, stock_infos = play(make_stock(airstriker), 5000)
    assert sum(isinstance(row, bytes) for row in stock_rows) > 5, "several episodes"
    assert rows == stock_rows
    assert rewards == stock_rewards
    assert select(infos, "score", "lives") == select(stock_infos, "score", "lives")


def test_equals_stable_retros_own_env_on_pangolin_dash() -> None:
    """There the scenario's Lua script is the oracle of rewards and ends."""
    game, level = "PangolinDash-Genesis-v0", "CanopyZone.Act1"
    integrations = stable_retro.data.Integrations
    integrations.add_custom_path(str(integration_dir(game).parent))
    stock = make_stock(game, state=level, inttype=integrations.ALL, scenario="contest")
    stock_rows, stock_rewards, stock_infos = play(stock, 5000)
    rows, rewards, infos = play(sonic_sb3.make_env(game, level=level), 5000)
    assert sum(isinstance(row, bytes) for row in stock_rows) > 5, "several episodes"
    assert rows == stock_rows
    np.testing.assert_allclose(rewards, stock_rewards, rtol=1e-5, atol=1e-3)  # single precision
    facts = ("score", "lives", "rings", "x", "y")
    assert select(infos, *facts) == select(stock_infos, *facts)


def test_two_envs_share_the_process(airstriker: str) -> None:
    alone, _, _ = play(sonic_sb3.make_env(airstriker), 200)
    first, second = sonic_sb3.make_env(airstriker), sonic_sb3.make_env(airstriker)
    for env in (first, second):
        env.reset(seed=5)
    for index, action in enumerate(draw_actions(200)):
        one, other = first.step(action), second.step(action)
        assert one[0].tobytes() == other[0].tobytes() == alone[index + 1][0]


def test_other_holder_of_the_emulator_is_named(airstriker: str) -> None:
    stock = stable_retro.make(airstriker, render_mode="rgb_array")
    with pytest.raises(EmulatorError, match="close that env"):
        sonic_sb3.make_env(airstriker)
    stock.close()


def test_random_noops_differ_by_seed(airstriker: str) -> None:
    env = sonic_sb3.make_env(airstriker, noop_max=120)
    frames = []
    for seed in range(6):
        env.reset(seed=seed)
        frames.append(env.unwrapped.n_frames)
    assert len(set(frames)) > 1
    assert 0 <= min(frames) <= max(frames) <= 120


@pytest.mark.parametrize("game", OWN_ROM_GAMES)
def test_missing_rom_tells_how_to_import_it(game: str) -> None:
    with pytest.raises(RomError, match=r"python -m sonic_sb3\.roms import"):
        gym.make(game)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"level": "Level2"}, UnknownNameError, "did you mean 'Level1'"),
        ({"frame_skip": 0}, SettingsError, "frame skip"),
        ({"sticky_prob": -1}, SettingsError, "sticky"),
        ({"render_mode": "human"}, SettingsError, "rgb_array"),
        ({"noop_max": -1}, SettingsError, "noop_max"),
        ({"level": "test"}, SettingsError, "names none"),
        ({"level": 3}, SettingsError, "level: expected a level or a list of levels, got 3"),
        ({"frame_skip": "4"}, SettingsError, "frame_skip: expected a whole number, got '4'"),
        ({"frame_skip": True}, SettingsError, "frame_skip: expected a whole number, got True"),
        ({"frame_skip": None}, SettingsError, "frame_skip: expected a whole number, got None"),
        ({"gray_shift": 1.5}, SettingsError, "gray_shift: expected a whole number"),
        ({"sticky_prob": "0.2"}, SettingsError, "sticky_prob: expected a number"),
        ({"retry_prob": "0.5"}, SettingsError, "retry_prob: expected a number"),
        ({"grayscale_obs": "no"}, SettingsError, "grayscale_obs: expected true or false"),
    ],
)
def test_bad_arguments(airstriker: str, kwargs: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        sonic_sb3.make_env(airstriker, **kwargs)


def test_numbers_of_numpy_are_numbers(airstriker: str) -> None:
    chosen: dict[str, Any] = {"frame_skip": np.int64(2), "noop_max": np.uint8(3)}
    chosen |= {"sticky_prob": np.float32(0.5), "grayscale_obs": np.bool_(True), "reward_scale": 1}
    env = sonic_sb3.make_env(airstriker, **chosen)
    env.reset(seed=0)
    env.step(0)
    env.close()


def test_import_registers_and_does_nothing_more() -> None:
    code = (
        "import sys, sonic_sb3, gymnasium;"
        "assert 'torch' not in sys.modules;"
        "assert 'stable_retro' not in sys.modules;"
        "gymnasium.spec('SonicTheHedgehog-Genesis-v0')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("action", [-1, 7, 10**9, None, 1.0, "1", [3, 4], np.array([0.0])])
def test_what_is_no_action_is_refused_and_leaves_nothing_behind(
    airstriker: str, action: Any
) -> None:
    env = sonic_sb3.make_env(airstriker, sticky_prob=1.0)
    env.reset(seed=1)
    env.step(3)
    with pytest.raises(SettingsError, match="action: expected"):
        env.step(action)
    env.step(np.int64(3))
    env.step(np.array(3))
    env.step(np.array([3]))
    env.close()


@pytest.mark.parametrize("copy_env", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_goes_on_from_where_it_was_taken(airstriker: str, copy_env: Any) -> None:
    """As a tree search wants it: copy, look ahead, go back."""
    env = sonic_sb3.make_env(airstriker, render_mode="rgb_array")
    env.reset(seed=3)
    for action in (0, 4, 6):
        env.step(action)
    other = copy_env(env)
    np.testing.assert_array_equal(other.render(), env.render())
    steps = [env.step(action) for action in (1, 2, 3, 6, 5)]
    for action, (obs, *outcome) in zip((1, 2, 3, 6, 5), steps, strict=True):
        again, *other_outcome = other.step(action)
        np.testing.assert_array_equal(again, obs)
        assert other_outcome == outcome
    env.close()
    other.reset(seed=4)
    other.step(0)
    other.close()


def test_a_copy_of_a_closed_env_is_closed(airstriker: str) -> None:
    env = sonic_sb3.make_env(airstriker)
    env.reset(seed=3)
    env.close()
    with pytest.raises(EmulatorError, match="closed"):
        copy.deepcopy(env).reset()


def test_gymnasium_collects_pictures_around_it(airstriker: str) -> None:
    env = gym.make(airstriker, render_mode="rgb_array_list")
    env.reset(seed=0)
    env.step(0)
    pictures: Any = env.render()
    assert [picture.shape for picture in pictures] == [(224, 320, 3)] * 2
    env.close()
