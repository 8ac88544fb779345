"""
Who runs against whom in the benchmark: each in a process of its own, waiting for its next round.

The stock side is what a user of stable-retro and Stable-Baselines3 writes with their public parts:
stable-retro's example wrappers, SubprocVecEnv, VecFrameStack, VecTransposeImage, PPO.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from sonic_sb3.envs.actions import SonicDiscretizer
from sonic_sb3.games import BUTTONS
from sonic_sb3.machine import n_usable_cores
from sonic_sb3.rom_files import integration_dir

N_STACK = 4
FRAME_SKIP = 4
N_ACTIONS = 7
_ENV_TIMESTEPS = 3_200  # of all envs together

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
    """
    The core alone, every frame drawn, nothing read, on all processor cores at once: two that work
    beside each other are slower than one alone. They press what the envs are told to.
    """
    context = multiprocessing.get_context("spawn")
    pipes = []
    n_cores = n_usable_cores()
    for core in range(n_cores):
        ours, theirs = context.Pipe()
        envs = range(core, max(contest.n_envs, n_cores), n_cores)
        context.Process(target=_serve_raw, args=(contest, envs, theirs), daemon=True).start()
        theirs.close()
        pipes.append(ours)

    def run_round() -> Timings:
        for pipe in pipes:
            pipe.send("go")
        return {"frames_per_s": float(np.mean([pipe.recv() for pipe in pipes]))}

    return run_round


def _serve_raw(contest: Contest, envs: range, pipe: Connection) -> None:
    """One emulator plays some envs' actions: frames per second whenever asked, until the end."""
    from sonic_sb3.action_sets import find_actions
    from sonic_sb3.envs.emulator import Emulator

    emulator = Emulator(contest.game_id, contest.level, use_fast_core=False)
    pads = np.array(
        [
            [button in action.holds[0].buttons for button in BUTTONS]
            for action in find_actions(None, contest.game_id)
        ],
        dtype=np.uint8,
    )
    played = _draw_actions(contest)[:, np.array(envs) % contest.n_envs].T
    with contextlib.suppress(EOFError):
        while pipe.recv():
            started_s = time.perf_counter()
            for actions in played:
                emulator.reset()
                for pad in pads[actions].repeat(FRAME_SKIP, axis=0):
                    emulator.run_frame(pad)
            pipe.send(played.size * FRAME_SKIP / (time.perf_counter() - started_s))


def _draw_actions(contest: Contest) -> npt.NDArray[np.int64]:
    """(n_steps, n_envs)"""
    n_steps = max(100, _ENV_TIMESTEPS // contest.n_envs)
    return np.random.default_rng(0).integers(0, N_ACTIONS, (n_steps, contest.n_envs))


def _prepare_envs(contest: Contest, make_vec_env: Callable[[Contest], Any]) -> Round:
    """Envs alone, with random actions."""
    vec_env = make_vec_env(contest)
    vec_env.seed(0)
    vec_env.reset()
    actions = _draw_actions(contest)

    def run_round() -> Timings:
        started_s = time.perf_counter()
        for action in actions:
            vec_env.step(action)
        return {"timesteps_per_s": actions.size / (time.perf_counter() - started_s)}

    return run_round


def _prepare_training(
    contest: Contest,
    make_vec_env: Callable[[Contest], Any],
    is_ours: bool,
    precision: str = "float32",
    num_threads: int | None = None,
) -> Round:
    """A rollout and its update, of the same network with the same hyperparameters."""
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback

    from sonic_sb3.callbacks import DivideCores
    from sonic_sb3.policies import SonicPolicy
    from sonic_sb3.policies.rollout_buffer import FrameRolloutBuffer
    from sonic_sb3.speed_timing import TimedVecEnv, TimeRollouts

    torch.set_num_threads(num_threads or contest.num_threads)
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
    callbacks: list[BaseCallback] = [rollouts]
    if is_ours:
        callbacks.insert(0, DivideCores(contest.num_threads))

    def run_round() -> Timings:
        vec_env.busy_s = 0.0
        started_s = time.perf_counter()
        model.learn(n_rollout, callback=callbacks, reset_num_timesteps=False)
        total_s = time.perf_counter() - started_s
        on_gpu = model.device.type == "cuda"
        return {
            **({"gpu_mb": torch.cuda.max_memory_allocated() / 1e6} if on_gpu else {}),
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
        _prepare_training, make_vec_env=_make_stock_vec_env, is_ours=False
    ),
    # On few cores torch's threads get in the way of the envs, so stock may choose.
    "train stock 1 thread": functools.partial(
        _prepare_training, make_vec_env=_make_stock_vec_env, is_ours=False, num_threads=1
    ),
    "train ours": functools.partial(
        _prepare_training, make_vec_env=_make_our_vec_env, is_ours=True
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
