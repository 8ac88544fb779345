"""Our vec env against SB3's, over everything that a VecEnv offers."""

from __future__ import annotations

import functools
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.monitor import load_results
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    SubprocVecEnv,
    VecFrameStack,
    VecTransposeImage,
)

import sonic_sb3
from sonic_sb3.envs import worker_process
from sonic_sb3.envs.observations import WarpFrame
from sonic_sb3.envs.rewards import AllowBacktracking
from sonic_sb3.envs.vec_env import SonicVecEnv
from sonic_sb3.errors import SettingsError, UnknownNameError, WorkerError

N_ENVS = 3
ENV_KWARGS: dict[str, Any] = {"max_episode_steps": 60, "render_mode": "rgb_array"}


def make_env_fns(game: str) -> list[Any]:
    make = functools.partial(sonic_sb3.make_env, game, **ENV_KWARGS)
    return [functools.partial(make, reward_scale=0.5)] * N_ENVS


@pytest.fixture(scope="module")
def stock() -> Iterator[Any]:
    """SB3's own, started once: its workers import torch and take their time."""
    venv = VecTransposeImage(VecFrameStack(SubprocVecEnv(make_env_fns("Airstriker-Genesis-v0")), 4))
    yield venv
    venv.close()


@pytest.fixture(params=[1, 2], ids=lambda n: f"{n}-workers")
def both(request: pytest.FixtureRequest, airstriker: str, stock: Any) -> Iterator[Any]:
    ours = SonicVecEnv(make_env_fns(airstriker), n_workers=request.param, n_stack=4)
    yield ours, stock
    ours.close()


def assert_same_infos(ours: list[dict[str, Any]], stock: list[dict[str, Any]]) -> None:
    assert len(ours) == len(stock)
    for one, other in zip(ours, stock, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=key)


def test_same_as_subproc_vec_env(both: Any) -> None:
    ours, stock = both
    assert ours.observation_space == stock.observation_space
    assert ours.action_space == stock.action_space
    assert ours.num_envs == stock.num_envs
    assert ours.render_mode == stock.render_mode
    assert ours.metadata == stock.get_attr("metadata")[0]
    assert ours.seed(7) == stock.seed(7)
    np.testing.assert_array_equal(ours.reset(), stock.reset())
    assert ours.reset_infos == list(stock.unwrapped.reset_infos)
    actions = np.random.default_rng(0)
    n_dones = 0
    for _ in range(130):
        action = actions.integers(0, 7, N_ENVS)
        obs, rewards, dones, infos = ours.step(action)
        stock_obs, stock_rewards, stock_dones, stock_infos = stock.step(action)
        np.testing.assert_array_equal(obs, stock_obs)
        assert obs.dtype == stock_obs.dtype
        np.testing.assert_array_equal(rewards, stock_rewards)
        assert rewards.dtype == stock_rewards.dtype
        np.testing.assert_array_equal(dones, stock_dones)
        assert_same_infos(infos, list(stock_infos))
        assert ours.reset_infos == list(stock.unwrapped.reset_infos)
        n_dones += dones.sum()
    assert n_dones == 6, "episodes end, so that terminal observations were compared"


def test_same_answers_to_questions(both: Any) -> None:
    ours, stock = both
    ours.seed(1)
    stock.seed(1)
    ours.reset()
    stock.reset()
    for indices in (None, 0, [1], [2, 0], -1):
        asked = None if indices is None else indices
        if indices == -1:
            asked = [N_ENVS - 1]  # SB3 takes -1 as well, through Python's lists
        assert ours.get_attr("level", indices) == stock.get_attr("level", asked)
        assert ours.env_is_wrapped(WarpFrame, indices) == stock.env_is_wrapped(WarpFrame, asked)
    assert ours.env_is_wrapped(AllowBacktracking) == stock.env_is_wrapped(AllowBacktracking)
    for name in ("level", "nothing_of_that_name"):
        assert ours.has_attr(name) == stock.has_attr(name)
    ours.set_attr("mark", 5, indices=[1])
    stock.set_attr("mark", 5, indices=[1])
    assert ours.get_attr("mark", [1]) == stock.get_attr("mark", [1]) == [5]
    facts = ours.env_method("end_facts", "x", indices=[0])
    assert facts == stock.env_method("end_facts", "x", indices=[0])
    for one, other in zip(ours.get_images(), stock.get_images(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(ours.render("rgb_array"), stock.render("rgb_array"))
    with pytest.raises(AttributeError):
        ours.get_attr("nothing_of_that_name")
    assert ours.get_attr("level") == stock.get_attr("level"), (
        "and it goes on after a wrong question"
    )


def test_options_reach_the_envs(both: Any) -> None:
    ours, stock = both
    for venv in both:
        venv.seed(3)
        venv.set_options({"level": "Level1"})
    np.testing.assert_array_equal(ours.reset(), stock.reset())
    ours.set_options([{"level": "Level1"}, {}, {"level": "no such level"}])
    with pytest.raises(UnknownNameError, match="no such level"):
        ours.reset()


def test_returned_arrays_are_the_callers(airstriker: str) -> None:
    """SB3 stores an observation after the step that follows it: it must not change under it."""
    venv = SonicVecEnv(make_env_fns(airstriker), n_stack=4)
    venv.seed(1)
    first = venv.reset()
    kept = first.copy()
    for _ in range(5):
        venv.step(np.full(N_ENVS, 6))
    np.testing.assert_array_equal(first, kept)
    venv.close()


def test_what_was_refused_does_not_stay(airstriker: str) -> None:
    """A level that is not there, and what cannot be sent; then all is well, nobody restarts."""
    again = SonicVecEnv(make_env_fns(airstriker)[:1])
    again.reset()
    again.set_options({"level": "Moon"})
    with pytest.raises(UnknownNameError, match="Moon"):
        again.reset()
    with pytest.raises(TypeError, match="pickle"):
        again.set_attr("my_own", threading.Lock())
    again.set_options()
    again.reset()
    obs, _, _, _ = again.step(np.array([0]))
    assert obs.any()
    assert again.n_restarts == 0
    again.close()


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([0, 7, 0], r"expected 0 to 6, got \[0, 7, 0\]"),
        ([0, -1, 0], r"expected 0 to 6, got \[0, -1, 0\]"),
        ([0, 0], r"expected an array \(3,\) of int64, got \(2,\)"),
        (3, r"expected an array \(3,\) of int64, got \(\)"),
        ([0.5, 0, 0], "got .* of float64"),
        ([np.nan, 0, 0], "got .* of float64"),
        ([1e30, 0, 0], "got .* of float64"),
        ([None, 0, 0], "got .* of object"),
    ],
)
def test_actions_that_are_none(both: Any, actions: Any, message: str) -> None:
    ours, _ = both
    ours.reset()
    with pytest.raises(SettingsError, match=message):
        ours.step(actions)
    ours.step([0, 6, 0])
    ours.step(np.array([0.0, 6.0, 0.0], np.float32))  # the same numbers


@pytest.mark.parametrize(
    ("space", "good", "bad"),
    [
        (gym.spaces.MultiBinary(2), [0, 1], [300, 0]),
        (gym.spaces.MultiDiscrete([2, 3]), [1, 2], [1, 3]),
    ],
)
def test_actions_of_several_parts(space: gym.Space[Any], good: Any, bad: Any) -> None:
    venv = SonicVecEnv([functools.partial(Vector, space)])
    venv.reset()
    assert venv.step([good])[0].tolist() == [[*good, 1]]
    assert venv.step(np.array([good], np.float32))[0].tolist() == [[*good, 1]]
    with pytest.raises(SettingsError, match="actions: expected"):
        venv.step([bad])
    venv.close()


def test_answers_are_not_mixed_up_after_an_error(airstriker: str) -> None:
    """The second env refuses what the first one did; its answer must not be taken for the next."""
    venv = SonicVecEnv(make_env_fns(airstriker)[:2])
    venv.seed(0)
    venv.reset()
    venv.set_options([{"level": "Moon"}, {}])
    with pytest.raises(UnknownNameError, match="Moon"):
        venv.reset()
    assert [shape.n for shape in venv.get_attr("action_space")] == [7, 7]
    venv.set_options()
    venv.reset()
    assert len(venv.step([0, 0])[3]) == 2
    venv.close()


def test_ctrl_c_while_waiting(airstriker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a notebook: what was under way is done, and its answer is nobody's."""
    venv, other = (SonicVecEnv(make_env_fns(airstriker)[:2], n_stack=4) for _ in range(2))
    for one in (venv, other):
        one.seed(3)
        one.reset()
        one.step([1, 2])

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    for name in ("wait_for_message", "receive_bytes", "send_bytes"):
        with monkeypatch.context() as patch:
            patch.setattr(worker_process, name, interrupt)
            with pytest.raises(KeyboardInterrupt):
                venv.step([3, 4])
        if name == "send_bytes":  # the second worker was never asked
            assert venv.get_attr("level") == other.get_attr("level")
            break
        other.step([3, 4])
        for ours, theirs in zip(venv.step([5, 6]), other.step([5, 6]), strict=True):
            np.testing.assert_equal(ours, theirs)
    assert venv.n_restarts == 2, "a message that was half read or written cannot be gone on with"
    venv.close()
    other.close()


def test_closed_envs_say_so(airstriker: str) -> None:
    venv = SonicVecEnv(make_env_fns(airstriker)[:1])
    venv.close()
    with pytest.raises(WorkerError, match="closed already"):
        venv.reset()
    with pytest.raises(WorkerError, match="closed already"):
        venv.step([0])
    with pytest.raises(WorkerError, match="closed already"):
        venv.step_wait()
    venv.close()


def test_a_question_while_a_step_is_under_way(airstriker: str) -> None:
    """As DummyVecEnv answers it; SubprocVecEnv takes the step's answer for the question's."""
    asked, other = (SonicVecEnv(make_env_fns(airstriker), n_workers=2) for _ in range(2))
    for venv in (asked, other):
        venv.seed(3)
        venv.reset()
        venv.step_async([1, 2, 3])
    assert asked.get_attr("level") == [asked.get_attr("level", 0)[0]] * N_ENVS
    for _ in range(2):
        for ours, theirs in zip(asked.step_wait(), other.step_wait(), strict=True):
            np.testing.assert_equal(ours, theirs)
        for venv in (asked, other):
            venv.step_async([4, 5, 6])
    for venv in (asked, other):
        venv.close()


class Slow(gym.Wrapper[Any, Any, Any, Any]):
    """Takes its time to answer."""

    def take(self, seconds: float) -> int:
        time.sleep(seconds)
        return os.getpid()


class OddError(TypeError):
    """Can be pickled, and not unpickled."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")


class Refusing(gym.Wrapper[Any, Any, Any, Any]):
    """Has bugs."""

    def odd(self) -> None:
        raise OddError("lost", "on purpose")

    def none(self) -> None:
        nothing: Any = None
        nothing[0]


def test_workers_answer_side_by_side(airstriker: str) -> None:
    make_slow = [lambda fn=fn: Slow(fn()) for fn in make_env_fns(airstriker) * 2]
    venv = SonicVecEnv(make_slow, n_workers=3)
    began_s = time.monotonic()
    pids = venv.env_method("take", 0.5)
    assert time.monotonic() - began_s < 2.0, "two rounds of half a second, not six"
    assert pids == [pid for pid in venv.worker_pids for _ in range(2)]
    assert venv.env_method("take", 0.0, indices=[5, 0, 5]) == [pids[5], pids[0], pids[5]]
    venv.close()


def test_where_an_env_failed_is_told(airstriker: str) -> None:
    venv = SonicVecEnv([lambda: Refusing(make_env_fns(airstriker)[0]())])
    with pytest.raises(WorkerError, match="lost: on purpose"):
        venv.env_method("odd")
    with pytest.raises(TypeError, match="not subscriptable") as caught:
        venv.env_method("none")
    assert "nothing[0]" in caught.value.__notes__[0]
    venv.close()


SCRIPT = """
import multiprocessing, sys
import sonic_sb3
print("imported")
{body}
"""
# Without a guard, out of standard input; in a forked process, after the fork server began.
SCRIPTS = {
    "no guard": "env = sonic_sb3.make_vec_env({game!r}, 2); env.reset(); env.close()",
    "forked": (
        "def play():\n"
        "    env = sonic_sb3.make_vec_env({game!r}, 2); env.reset(); env.close()\n"
        "play()\n"
        "child = multiprocessing.get_context('fork').Process(target=play)\n"
        "child.start(); child.join(); sys.exit(child.exitcode)"
    ),
}


@pytest.mark.parametrize("body", SCRIPTS.values(), ids=SCRIPTS)
def test_workers_do_not_run_the_users_script(body: str, airstriker: str) -> None:
    script = SCRIPT.format(body=body.format(game=airstriker))
    done = subprocess.run(
        [sys.executable, "-"], input=script, text=True, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "imported\n"
    assert "restarted" not in done.stderr


def test_what_is_defined_in_a_script_has_what_the_script_did(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(
        "import os, gymnasium\n"
        "from sonic_sb3.envs.vec_env import SonicVecEnv\n"
        "os.environ['WAS_HERE'] = str(os.getpid())  # as a registration would be\n"
        "class Mine(gymnasium.Wrapper):\n"
        "    def where(self): return os.environ['WAS_HERE'] == str(os.getpid())\n"
        "def make(): return Mine(gymnasium.make('CartPole-v1'))\n"
        "if __name__ == '__main__':\n"
        "    env = SonicVecEnv([make]); print(env.env_method('where')); env.close()\n"
    )
    done = subprocess.run([sys.executable, str(path)], text=True, capture_output=True, timeout=120)
    assert done.stdout == "[True]\n", done.stderr


def test_waiting_for_what_nobody_asked(airstriker: str) -> None:
    venv = SonicVecEnv(make_env_fns(airstriker)[:1])
    venv.reset()
    venv.step([0])
    with pytest.raises(WorkerError, match="expected a question to env 0 first"):
        venv.step_wait()
    venv.step([0])
    assert venv.n_restarts == 0
    venv.close()


def test_failing_env_tells_why() -> None:
    def fail() -> Any:
        raise ZeroDivisionError("on purpose")

    with pytest.raises(WorkerError, match="on purpose"):
        SonicVecEnv([fail])


def test_no_envs_and_no_workers_are_refused() -> None:
    with pytest.raises(SettingsError, match="at least one"):
        SonicVecEnv([])
    with pytest.raises(SettingsError, match="n_workers: expected at least 1, got -1"):
        SonicVecEnv([Vector], n_workers=-1)
    with pytest.raises(SettingsError, match="frame_stack: expected at least 1, got 0"):
        SonicVecEnv([Vector], n_stack=0)


def test_levels_are_given_once(airstriker: str) -> None:
    with pytest.raises(SettingsError, match="expected levels or level, got both"):
        sonic_sb3.make_vec_env(airstriker, levels="Level1", level="Level1")


def test_fewer_envs_than_levels_play_them_in_turn() -> None:
    game = "PangolinDash-Genesis-v0"
    levels = ["CanopyZone.Act1", "CanopyZone.Act2", "QuarryZone.Act1"]
    venv = sonic_sb3.make_vec_env(game, 2, levels=levels, seed=0, max_episode_steps=3)
    venv.reset()
    played = [venv.get_attr("level")]
    for _ in range(9):
        venv.step([0, 0])
        played.append(venv.get_attr("level"))
    venv.close()
    assert [first for first, _ in played[::3]] == [levels[0], levels[2]] * 2
    assert {second for _, second in played} == {levels[1]}


class Vector(gym.Env[Any, Any]):
    """An env without images."""

    observation_space = gym.spaces.Box(-1, 1, (3,), np.float32)
    render_mode = None

    def __init__(self, action_space: gym.Space[Any] | None = None) -> None:
        self.action_space = action_space or gym.spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return np.zeros(3, np.float32), {}

    def step(self, action: Any) -> Any:
        return np.array([*action, 1], np.float32), 0.25, False, False, {}


def test_other_envs_work_too() -> None:
    venv = SonicVecEnv([Vector, Vector])
    venv.reset()
    obs, rewards, dones, _ = venv.step(np.array([[0.5, -0.5], [0.25, 0]], np.float32))
    np.testing.assert_array_equal(obs, np.array([[0.5, -0.5, 1], [0.25, 0, 1]], np.float32))
    assert rewards.tolist() == [0.25, 0.25]
    assert dones.tolist() == [False, False]
    venv.close()


class ChannelsFirst(gym.Env[Any, Any]):
    """Pictures that are as SB3 wants them already."""

    observation_space = gym.spaces.Box(0, 255, (3, 8, 12), np.uint8)
    action_space = gym.spaces.Discrete(2)

    def reset(self, **_: Any) -> tuple[Any, dict[str, Any]]:
        return np.arange(3 * 8 * 12).reshape(3, 8, 12).astype(np.uint8), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.reset()[0] + np.uint8(1), 0.0, False, False, {}


@pytest.mark.parametrize("n_stack", [1, 2])
def test_pictures_with_the_channels_first_stay_so(n_stack: int) -> None:
    ours = SonicVecEnv([ChannelsFirst], n_stack=n_stack)
    stock: Any = DummyVecEnv([ChannelsFirst])
    stock = VecFrameStack(stock, 2) if n_stack == 2 else stock
    assert ours.observation_space == stock.observation_space
    np.testing.assert_array_equal(ours.reset(), stock.reset())
    np.testing.assert_array_equal(ours.step([0])[0], stock.step([0])[0])
    ours.close()


class Position(gym.Env[Any, Any]):
    """An env whose observation is a number."""

    observation_space = gym.spaces.Discrete(9)
    action_space = gym.spaces.Discrete(2)
    render_mode = None
    snapshot_attributes = ("position",)
    position = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.position = 0
        return self.position, {}

    def step(self, action: int) -> Any:
        self.position += action
        return self.position, 0.0, self.position == 8, False, {}


def test_observations_that_are_numbers() -> None:
    ours, stock = SonicVecEnv([Position, Position]), DummyVecEnv([Position, Position])
    np.testing.assert_array_equal(ours.reset(), stock.reset())
    for _ in range(10):
        for one, other in zip(ours.step([1, 0]), stock.step(np.array([1, 0])), strict=True):
            np.testing.assert_equal(one, other)
    ours.set_snapshot(ours.get_snapshot())
    np.testing.assert_array_equal(ours.step([1, 1])[0], stock.step(np.array([1, 1]))[0])
    ours.close()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors as Linux does")
def test_closed_ones_leave_no_descriptor() -> None:
    """A study makes hundreds of them in one process."""
    SonicVecEnv([Vector]).close()  # what is made once stays: the fork server
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        venv = SonicVecEnv([Vector])
        venv.reset()
        venv.close()
        del venv
        gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_plain_sb3_learns_on_it(airstriker: str) -> None:
    venv = sonic_sb3.make_vec_env(airstriker, 2, seed=0)
    model = PPO("CnnPolicy", venv, n_steps=16, batch_size=16, n_epochs=1)
    assert model.get_env().observation_space.shape == (4, 96, 96)
    model.learn(32)
    venv.close()


def test_monitor_records_outside_of_all_rewards(airstriker: str, tmp_path: Any) -> None:
    path = tmp_path / "0.monitor.csv"
    kwargs: dict[str, Any] = {"max_episode_steps": 120, "reward_scale": 0.01}
    venv = sonic_sb3.make_vec_env(airstriker, 2, seed=0, monitor_file=str(path), **kwargs)
    venv.reset()
    total, episodes = np.zeros(2), []
    for _ in range(240):
        _, rewards, _, infos = venv.step(np.full(2, 6))
        total += rewards
        episodes += [info["episode"] for info in infos if "episode" in info]
    venv.close()
    assert len(episodes) >= 4
    assert sum(e["r"] for e in episodes) == pytest.approx(total.sum(), abs=1e-4)
    rows = path.read_text().splitlines()
    assert rows[1].startswith("r,l,t,level,end_reason,game_time_s,action_counts")
    assert len(rows) == 2 + len(episodes)


def test_a_folder_to_monitor_in(airstriker: str, tmp_path: Any) -> None:
    venv = sonic_sb3.make_vec_env(
        airstriker, 1, seed=0, monitor_file=str(tmp_path), max_episode_steps=2
    )
    venv.reset()
    venv.step([0])
    venv.step([0])
    venv.close()
    assert len(load_results(str(tmp_path))) == 1
