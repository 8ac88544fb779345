"""
Who runs against whom in the benchmark: each in a process of its own, waiting for its next round.

The stock side is what a user of stable-retro and Stable-Baselines3 writes with their public parts:
stable-retro's example wrappers, SubprocVecEnv, VecFrameStack, VecTransposeImage, PPO.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import gymnasium as gym
import numpy as np

from sonic_sb3.envs.actions import SonicDiscretizer
from sonic_sb3.rom_files import integration_dir

N_STACK = 4
FRAME_SKIP = 4
_RAW_FRAMES = 600
_ENV_STEPS = 120

Timings = dict[str, float]
Round = Callable[[], Timings]


@dataclass(frozen=True)
class Contest:
    """
    What is to be done, the same for all.

    :param game_id: The game.
    :param level: Its level.
    :param n_envs: Envs side by side.
    :param n_steps: Steps per env and rollout of training.
    :param extractor: The network, by name.
    :param num_threads: Of torch.
    """

    game_id: str
    level: str
    n_envs: int
    n_steps: int
    extractor: str
    num_threads: int


def make_stock_env(game_id: str, level: str) -> gym.Env[Any, Any]:
    """One env as stable-retro's own example makes it, at the contest's picture size and actions."""
    import stable_retro
    from gymnasium.wrappers import TimeLimit
    from stable_baselines3.common.atari_wrappers import WarpFrame
    from stable_retro.examples.ppo import StochasticFrameSkip

    folder = integration_dir(game_id)
    integrations = stable_retro.data.Integrations
    integrations.add_custom_path(str(folder.parent))
    scenario = "contest" if (folder / "contest.json").exists() else None
    env = stable_retro.make(
        game_id,
        level,
        inttype=integrations.ALL,
        scenario=scenario,
        render_mode="rgb_array",
    )
    env = SonicDiscretizer(StochasticFrameSkip(env, n=FRAME_SKIP, stickprob=0.25))
    return WarpFrame(TimeLimit(env, 4500), width=96, height=96)


def _make_stock_vec_env(contest: Contest) -> Any:
    from stable_baselines3.common.vec_env import SubprocVecEnv, VecFrameStack, VecTransposeImage

    make = functools.partial(make_stock_env, contest.game_id, contest.level)
    return VecTransposeImage(VecFrameStack(SubprocVecEnv([make] * contest.n_envs), N_STACK))


def _make_our_vec_env(contest: Contest) -> Any:
    from sonic_sb3.envs.vec_env import make_vec_env

    return make_vec_env(contest.game_id, contest.n_envs, levels=contest.level)


def _prepare_raw(contest: Contest) -> Round:
    """The core alone, every frame drawn, nothing read."""
    from sonic_sb3.envs.emulator import Emulator

    emulator = Emulator(contest.game_id, contest.level, use_fast_core=False)
    emulator.reset()
    buttons = np.random.default_rng(0).integers(0, 2, (_RAW_FRAMES, 12)).astype(np.uint8)
    buttons[:, 3] = 0  # START would pause the game

    def run_round() -> Timings:
        emulator.reset()
        started_s = time.perf_counter()
        for pad in buttons:
            emulator.run_frame(pad)
        return {"frames_per_s": _RAW_FRAMES / (time.perf_counter() - started_s)}

    return run_round


def _prepare_envs(contest: Contest, make_vec_env: Callable[[Contest], Any]) -> Round:
    """Envs alone, with random actions."""
    vec_env = make_vec_env(contest)
    vec_env.seed(0)
    vec_env.reset()
    actions = np.random.default_rng(0).integers(0, 7, (_ENV_STEPS, contest.n_envs))

    def run_round() -> Timings:
        started_s = time.perf_counter()
        for action in actions:
            vec_env.step(action)
        n_timesteps = _ENV_STEPS * contest.n_envs
        return {"timesteps_per_s": n_timesteps / (time.perf_counter() - started_s)}

    return run_round


def _prepare_training(
    contest: Contest, make_vec_env: Callable[[Contest], Any], is_ours: bool, precision: str
) -> Round:
    """A rollout and its update, of the same network with the same hyperparameters."""
    import torch
    from stable_baselines3 import PPO

    from sonic_sb3.policies import SonicPolicy
    from sonic_sb3.policies.rollout_buffer import FrameRolloutBuffer
    from sonic_sb3.speed_timing import TimedVecEnv, TimeRollouts

    torch.set_num_threads(contest.num_threads)
    vec_env = TimedVecEnv(make_vec_env(contest))
    n_rollout = contest.n_envs * contest.n_steps
    policy_kwargs = {"extractor": contest.extractor, "precision": precision, "runs_fast": is_ours}
    model = PPO(
        SonicPolicy,
        vec_env,
        n_steps=contest.n_steps,
        batch_size=min(n_rollout // 4, 1024),
        n_epochs=4,
        learning_rate=7.5e-5,
        clip_range=0.1,
        ent_coef=0.01,
        seed=0,
        policy_kwargs=policy_kwargs,
        rollout_buffer_class=FrameRolloutBuffer if is_ours else None,
    )
    rollouts = TimeRollouts()

    def run_round() -> Timings:
        vec_env.busy_s = 0.0
        started_s = time.perf_counter()
        model.learn(n_rollout, callback=rollouts, reset_num_timesteps=False)
        total_s = time.perf_counter() - started_s
        return {
            "timesteps_per_s": n_rollout / total_s,
            "env_s": vec_env.busy_s,
            "policy_s": rollouts.duration_s - vec_env.busy_s,
            "update_s": total_s - rollouts.duration_s,
            "timesteps": float(n_rollout),
        }

    return run_round


PREPARATIONS: dict[str, Callable[[Contest], Round]] = {
    "raw": _prepare_raw,
    "env stock": functools.partial(_prepare_envs, make_vec_env=_make_stock_vec_env),
    "env ours": functools.partial(_prepare_envs, make_vec_env=_make_our_vec_env),
    "train stock": functools.partial(
        _prepare_training, make_vec_env=_make_stock_vec_env, is_ours=False, precision="float32"
    ),
    "train ours": functools.partial(
        _prepare_training, make_vec_env=_make_our_vec_env, is_ours=True, precision="float32"
    ),
    "train ours bf16": functools.partial(
        _prepare_training, make_vec_env=_make_our_vec_env, is_ours=True, precision="bfloat16"
    ),
}


def serve(name: str, contest: Contest, pipe: Connection) -> None:
    """
    Get ready, then run a round whenever told to, until the pipe closes.

    :param name: A key of :data:`PREPARATIONS`.
    :param contest: What to do.
    :param pipe: To and from the benchmark.
    """
    run_round = PREPARATIONS[name](contest)
    run_round()  # warm up: caches, memory, lazily compiled kernels
    pipe.send("ready")
    while True:
        try:
            pipe.recv()
        except EOFError:
            break
        pipe.send(run_round())
