"""Workers that die or freeze: training goes on, and nobody can tell the difference."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import sonic_sb3
from sonic_sb3.envs.vec_env import SonicVecEnv
from sonic_sb3.envs.worker_handle import MAX_RESTARTS_IN_A_ROW
from sonic_sb3.envs.worker_journal import MAX_ENTRIES
from sonic_sb3.errors import WorkerError
from sonic_sb3.plain_data import load_data, save_data

N_ENVS, N_STEPS = 3, 400


def make_vec_env(game: str, n_workers: int = 3, **kwargs: Any) -> SonicVecEnv:
    make = functools.partial(
        sonic_sb3.make_env, game, max_episode_steps=90, allow_backtracking=True, noop_max=9
    )
    venv = SonicVecEnv([make] * N_ENVS, n_workers=n_workers, n_stack=4, **kwargs)
    venv.seed(11)
    return venv


def play(
    venv: SonicVecEnv, start: int = 0, stop: int = N_STEPS, disturb: Callable[[int], None] = int
) -> list[Any]:
    actions = np.random.default_rng(3).integers(0, 7, (N_STEPS, N_ENVS))
    rows = []
    for index in range(start, stop):
        disturb(index)
        obs, rewards, dones, infos = venv.step(actions[index])
        terminal = [info.pop("terminal_observation", np.empty(0)).tobytes() for info in infos]
        rows.append((obs.tobytes(), rewards.tolist(), dones.tolist(), infos, terminal))
    return rows


@pytest.fixture(scope="module")
def undisturbed() -> list[Any]:
    venv = make_vec_env("Airstriker-Genesis-v0")
    venv.reset()
    rows = play(venv)
    venv.close()
    return rows


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
def test_signals_at_random_moments(
    airstriker: str, undisturbed: list[Any], how: signal.Signals
) -> None:
    venv = make_vec_env(airstriker, reply_timeout_s=1.5)
    venv.reset()
    rng = random.Random(how)
    moments = {rng.randrange(N_STEPS) for _ in range(4)} | {N_STEPS - 1}

    def disturb(index: int) -> None:
        if index in moments:
            os.kill(rng.choice([pid for pid in venv.worker_pids if pid]), how)

    assert play(venv, disturb=disturb) == undisturbed
    assert venv.n_restarts >= len(moments) - 1
    venv.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_the_process_that_starts_workers_may_be_hit_too(
    airstriker: str, undisturbed: list[Any], how: signal.Signals
) -> None:
    venv = make_vec_env(airstriker, reply_timeout_s=5)
    venv.reset()

    def disturb(index: int) -> None:
        if index in (20, 60):
            os.kill(forkserver._forkserver._forkserver_pid, how)  # type: ignore[attr-defined]
            os.kill(next(pid for pid in venv.worker_pids if pid), signal.SIGKILL)

    assert play(venv, disturb=disturb) == undisturbed
    assert venv.n_restarts >= 2
    venv.close()


def test_kills_during_recovery(airstriker: str, undisturbed: list[Any]) -> None:
    venv = make_vec_env(airstriker, reply_timeout_s=5)
    venv.reset()
    is_over = threading.Event()

    def kill_all_the_time() -> None:
        rng = random.Random(0)
        while not is_over.wait(rng.uniform(0.2, 1.2)):
            for pid in venv.worker_pids:
                if pid and rng.random() < 0.3:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_all_the_time)

    def disturb(index: int) -> None:
        if index == 10:
            killer.start()
        if index == 300:
            is_over.set()
        time.sleep(0.005)

    assert play(venv, disturb=disturb) == undisturbed
    killer.join()
    assert venv.n_restarts > 0
    venv.close()


@pytest.mark.parametrize("n_workers", [1, 3])
def test_snapshot_goes_on_in_another_process_and_through_a_file(
    airstriker: str, undisturbed: list[Any], n_workers: int, tmp_path: Path
) -> None:
    venv = make_vec_env(airstriker)
    venv.reset()
    play(venv, stop=123)
    save_data(tmp_path / "snapshot", venv.get_snapshot())
    venv.close()
    other = make_vec_env(airstriker, n_workers=n_workers)
    other.reset()
    play(other, stop=7)
    obs = other.set_snapshot(load_data(tmp_path / "snapshot"))
    assert obs.tobytes() == undisturbed[122][0]
    assert play(other, start=123) == undisturbed[123:]
    other.close()


def test_a_snapshot_disturbs_nothing(airstriker: str, undisturbed: list[Any]) -> None:
    venv = make_vec_env(airstriker)
    venv.reset()
    rows = play(venv, disturb=lambda k: k % 37 == 0 and venv.get_snapshot() and None)
    assert rows == undisturbed
    venv.close()


def test_without_a_seed_a_restart_goes_on_with_the_same_episode(airstriker: str) -> None:
    make = functools.partial(sonic_sb3.make_env, airstriker, noop_max=200)
    venv = SonicVecEnv([make] * 2)
    venv.reset()
    n_frames = venv.get_attr("n_frames")
    for pid in venv.worker_pids:
        os.kill(pid or 0, signal.SIGKILL)
    assert venv.get_attr("n_frames") == n_frames, "drawn from 0 to 200 each"
    assert venv.n_restarts == 2
    venv.close()


def test_attributes_survive_a_restart(airstriker: str) -> None:
    """Those set before the snapshot, and those set since, each at its time."""
    disturbed, twin = (make_vec_env(airstriker) for _ in range(2))
    played = []
    for venv in (disturbed, twin):
        venv.reset()
        venv.env_method("set_wrapper_attr", "reward_scale", 3, indices=[1])
        venv.set_attr("reward_scale", 7, indices=[1])
        venv.get_snapshot()
        rows = play(venv, stop=30)
        venv.env_method("set_wrapper_attr", "stickprob", 0.95)
        rows += play(venv, start=30, stop=40)
        if venv is disturbed:
            os.kill(venv.worker_pids[1] or 0, signal.SIGKILL)
        rows += play(venv, start=40, stop=60)
        played.append((rows, venv.get_attr("reward_scale", indices=[1])))
        venv.close()
    assert played[0] == played[1]
    assert disturbed.n_restarts == 1


class DiesOnStep(gym.Env[Any, Any]):
    """Kills its own process at every step."""

    observation_space = gym.spaces.Box(0, 255, (8, 8, 1), np.uint8)
    action_space = gym.spaces.Discrete(7)
    render_mode = None
    snapshot_attributes = ()

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return np.zeros((8, 8, 1), np.uint8), {}

    def step(self, action: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_keeps_dying_ends_the_run() -> None:
    venv = SonicVecEnv([DiesOnStep])
    venv.reset()
    with pytest.raises(WorkerError, match=r"env 0 was killed by SIGKILL; given up after 10"):
        venv.step(np.zeros(1, dtype=int))
    assert venv.n_restarts == MAX_RESTARTS_IN_A_ROW
    venv.close()


class Deadly(gym.Wrapper[Any, Any, Any, Any]):
    """Whoever asks it kills its process."""

    snapshot_attributes = ()

    @property
    def question(self) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return 0


def test_a_question_that_kills_ends_as_well() -> None:
    venv = SonicVecEnv([functools.partial(Deadly, Forgetful())])
    with pytest.raises(WorkerError, match="10 times in a row when it was asked the same"):
        venv.get_attr("question")
    assert venv.n_restarts == MAX_RESTARTS_IN_A_ROW
    venv.close()


class Late(Deadly):
    """It has its state from the first step on only."""

    snapshot_attributes = ("late",)

    def step(self, action: Any) -> Any:
        self.late = 1
        return self.env.step(action)


class Told(DiesOnStep):
    """Tells its state and lives."""

    snapshot_attributes = ()

    def step(self, action: Any) -> Any:
        return np.zeros((8, 8, 1), np.uint8), 0.0, False, False, {}


def test_a_state_that_is_not_there_yet() -> None:
    """A reset takes a snapshot if it can; the next one may."""
    venv = SonicVecEnv([functools.partial(Late, Told())])
    venv.reset()
    venv.step([0])
    assert len(venv.get_snapshot()) == 1
    os.kill(venv.worker_pids[0] or 0, signal.SIGKILL)
    venv.step([0])
    assert venv.get_attr("late") == [1]
    venv.close()


def test_many_questions_and_no_steps_do_not_pile_up(airstriker: str) -> None:
    venv = make_vec_env(airstriker, n_workers=1)
    venv.reset()
    for _ in range(MAX_ENTRIES // N_ENVS + 5):
        venv.env_method("has_wrapper_attr", "level")
    (worker,) = venv._workers
    assert worker._journal is not None
    assert len(worker._journal.entries) < 2 * N_ENVS * 5
    venv.close()


def test_a_script_without_a_main_guard_is_told_so(tmp_path: Path) -> None:
    """Of one that defines its env, which its workers therefore import."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sonic_sb3\n"
        "from sonic_sb3.envs.vec_env import SonicVecEnv\n"
        "SonicVecEnv([lambda: sonic_sb3.make_env('Airstriker-Genesis-v0')])\n"
    )
    result = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=200, check=False
    )
    assert result.returncode == 1
    assert "before it could begin" in result.stderr
    assert 'needs `if __name__ == "__main__":`' in result.stderr
    assert "it is restarted" not in result.stderr


class Forgetful(DiesOnStep):
    """An env that does not tell its state, and lives."""

    def step(self, action: Any) -> Any:
        return np.zeros((8, 8, 1), np.uint8), 0.0, False, False, {}


def test_envs_without_snapshots_work_but_cannot_be_saved() -> None:
    venv = SonicVecEnv([Forgetful])
    venv.reset()
    with pytest.raises(WorkerError, match="snapshot_attributes"):
        venv.get_snapshot()
    for _ in range(600):
        venv.step(np.zeros(1, dtype=int))
    os.kill(venv.worker_pids[0] or 0, signal.SIGKILL)
    with pytest.raises(WorkerError, match="cannot be restarted"):
        venv.step(np.zeros(1, dtype=int))
    venv.close()
