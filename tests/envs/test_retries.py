"""Episodes that begin shortly before the last one's failure."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO

import sonic_sb3
from sonic_sb3.envs.snapshots import restore_snapshot, take_snapshot
from sonic_sb3.errors import SettingsError
from sonic_sb3.games import DEFAULT_GAME
from sonic_sb3.plots import read_monitor

ACT_1 = "CanopyZone.Act1"
SMALL: dict[str, Any] = {"frame_width": 40, "frame_height": 36, "sticky_prob": 0.5}
RIGHT = 1
make = functools.partial(sonic_sb3.make_env, DEFAULT_GAME, level=ACT_1, **SMALL)


def run_right(env: gym.Env[Any, Any]) -> tuple[int, dict[str, Any]]:
    """Into the first pit. :returns: Timesteps that it took, and the last info."""
    for n_steps in range(1, 1000):
        _, _, terminated, _, info = env.step(RIGHT)
        if terminated:
            return n_steps, info
    raise AssertionError("it never fell")


def test_a_retry_begins_one_to_five_seconds_before_the_failure() -> None:
    env = make(retry_prob=1.0)
    env.reset(seed=1)
    n_first, info = run_right(env)
    assert not info["is_retry"]
    lengths = []
    for _ in range(12):
        _, begun = env.reset()
        n_steps, again = run_right(env)
        assert again["is_retry"]
        assert 0 < begun["progress"] < again["progress"]
        assert again["progress"] == pytest.approx(info["progress"], abs=0.01)
        # What it goes on with is counted in the facts; a timestep is 4 frames.
        assert again["game_time_s"] > n_steps * 4 / 60 + 0.9
        assert sum(again["action_counts"]) == -(-round(again["game_time_s"] * 60) // 4)
        lengths.append(n_steps)
    assert 14 <= min(lengths) <= max(lengths) <= 6 * 15
    assert len(set(lengths)) > 1
    assert max(lengths) < n_first


def test_the_same_mishap_is_not_drawn_again() -> None:
    env = make(retry_prob=1.0)
    env.reset(seed=1)
    run_right(env)
    before = env.unwrapped.np_random.bit_generator.state
    env.reset()
    assert env.unwrapped.np_random.bit_generator.state == before


def test_seeds_options_and_success_begin_at_the_start() -> None:
    env = make(retry_prob=1.0)
    first, _ = env.reset(seed=1)
    run_right(env)
    np.testing.assert_array_equal(env.reset(seed=2)[0], first)
    run_right(env)
    np.testing.assert_array_equal(env.reset(options={"level": ACT_1})[0], first)
    np.testing.assert_array_equal(env.reset()[0], first, "an episode given up is no failure")
    limited = make(retry_prob=1.0, max_episode_steps=20)
    limited.reset(seed=1)
    while not limited.step(RIGHT)[3]:
        pass
    assert limited.reset()[1]["progress"] == 0, "nor is one whose time is over"


@pytest.mark.parametrize("retry_prob", [0.0, 1e-12])
def test_without_retries_nothing_is_different(retry_prob: float) -> None:
    env, plain = make(retry_prob=retry_prob), make()
    for one in (env, plain):
        one.reset(seed=5)
    for action in np.random.default_rng(0).choice([1, 1, 1, 6], 400):
        mine, theirs = env.step(action), plain.step(action)
        mine[4].pop("is_retry", None)
        assert mine[1:] == theirs[1:]
        np.testing.assert_array_equal(mine[0], theirs[0])
        if mine[2]:
            env.reset()
            plain.reset()


def test_a_retry_can_be_won_and_what_comes_then_begins_at_the_start() -> None:
    env = make(retry_prob=1.0)
    env.reset(seed=1)
    run_right(env)
    env.reset()
    inner = env
    while type(inner).__name__ != "Retries":
        inner = inner.env  # type: ignore[attr-defined]
    step = inner.env.step  # type: ignore[attr-defined]
    inner.env.step = lambda action: (*step(action)[:2], True, False, {"is_success": True})  # type: ignore[attr-defined]
    assert env.step(RIGHT)[4] == {"is_success": True, "is_retry": True}
    inner.env.step = step  # type: ignore[attr-defined]
    assert env.reset()[1]["progress"] == 0


def test_draws_of_levels_are_those_of_whole_episodes() -> None:
    levels = [ACT_1, "QuarryZone.Act1"]
    env = sonic_sb3.make_env(
        DEFAULT_GAME, level=levels, level_draw="in_turn", retry_prob=0.5, **SMALL
    )
    env.reset(seed=3)
    begun, retried = [ACT_1], []
    for _ in range(30):
        run_right_or_stop(env)
        before = env.unwrapped.level  # type: ignore[attr-defined]
        _, info = env.reset()
        if info["progress"] > 0:
            retried.append(env.unwrapped.level == before)  # type: ignore[attr-defined]
        else:
            begun.append(env.unwrapped.level)  # type: ignore[attr-defined]
    assert len(retried) > 3
    assert all(retried), "a retry stays on its level"
    assert begun == [levels[k % 2] for k in range(len(begun))], "and takes no turn"


def run_right_or_stop(env: gym.Env[Any, Any]) -> None:
    for _ in range(150):
        if env.step(RIGHT)[2]:
            return


@pytest.mark.parametrize("n_before", [40, 160])
def test_it_goes_on_from_a_snapshot(n_before: int) -> None:
    def play(env: gym.Env[Any, Any], n_steps: int) -> list[Any]:
        rows: list[Any] = []
        for _ in range(n_steps):
            obs, reward, terminated, truncated, info = env.step(RIGHT)
            rows.append((obs.tobytes(), reward, terminated, truncated, info))
            if terminated or truncated:
                rows.append(env.reset()[0].tobytes())
        return rows

    env, other = make(retry_prob=0.7), make(retry_prob=0.7)
    env.reset(seed=4)
    play(env, n_before)
    snapshot = take_snapshot(env)
    rows = play(env, 400)
    assert any(row[4]["is_retry"] for row in rows if len(row) == 5 and row[2])
    other.reset(seed=9)
    restore_snapshot(other, snapshot)
    assert play(other, 400) == rows


def test_rows_tell_retries_and_sb3_counts_whole_episodes(tmp_path: Path) -> None:
    vec_env = sonic_sb3.make_vec_env(
        DEFAULT_GAME,
        2,
        levels=ACT_1,
        seed=1,
        monitor_file=str(tmp_path / "x"),
        retry_prob=0.8,
        **SMALL,
    )
    vec_env.reset()
    told, n_whole = [], 0
    for _ in range(500):
        _, _, dones, infos = vec_env.step(np.array([RIGHT, RIGHT]))
        told += [info for info, done in zip(infos, dones, strict=True) if done]
        n_whole += sum("episode" in info for info in infos)
    vec_env.close()
    retries = [info["is_retry"] for info in told]
    assert retries.count(True) > 5
    assert retries.count(False) == n_whole == sum("is_success" in info for info in told) >= 2
    columns = read_monitor(tmp_path / "x.monitor.csv")
    assert columns["is_retry"] == [str(one) for one in retries]
    assert sum(map(int, columns["l"])) <= 1000


def test_plain_sb3_learns_with_it() -> None:
    vec_env = sonic_sb3.make_vec_env(DEFAULT_GAME, 2, levels=ACT_1, retry_prob=1.0, **SMALL)
    PPO("CnnPolicy", vec_env, n_steps=128, batch_size=64, n_epochs=1, seed=0).learn(512)
    vec_env.close()


def test_a_probability_out_of_range_is_refused() -> None:
    with pytest.raises(SettingsError, match="retry_prob: expected 0 to 1"):
        make(retry_prob=1.5)
