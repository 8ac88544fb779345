"""SB3 models built from validated settings, and weights loaded without opening a pickle."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import sb3_contrib
import stable_baselines3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.save_util import recursive_getattr
from stable_baselines3.common.vec_env import VecEnv

from sonic_sb3.action_sets import find_actions
from sonic_sb3.algorithm_settings import (
    DQNHyperparameters,
    Hyperparameters,
    LearningHyperparameters,
    ScriptHyperparameters,
)
from sonic_sb3.atomic_files import write_bytes
from sonic_sb3.errors import RunFolderError, SettingsError
from sonic_sb3.jerk import JerkScript
from sonic_sb3.machine import free_memory_bytes
from sonic_sb3.policies import (
    SonicDQNPolicy,
    SonicPolicy,
    SonicQRDQNPolicy,
    SonicRecurrentPolicy,
)
from sonic_sb3.policies.replay_buffer import FrameReplayBuffer
from sonic_sb3.policies.rollout_buffer import FrameRolloutBuffer
from sonic_sb3.reusing_a2c import ReusingA2C
from sonic_sb3.schedules import make_schedule
from sonic_sb3.scripts import RandomScript, RightScript, Script, ScriptedAlgorithm
from sonic_sb3.settings import TrainSettings
from sonic_sb3.weights_file import read_weights

ALGORITHMS: dict[str, type[BaseAlgorithm]] = {
    "ppo": stable_baselines3.PPO,
    "a2c": stable_baselines3.A2C,
    "a2c_reuse": ReusingA2C,
    "ppo_lstm": sb3_contrib.RecurrentPPO,
    "trpo": sb3_contrib.TRPO,
    "dqn": stable_baselines3.DQN,
    "qrdqn": sb3_contrib.QRDQN,
}
SCRIPTS: dict[str, type[Script]] = {
    "random": RandomScript,
    "right": RightScript,
    "jerk": JerkScript,
}
POLICIES: dict[str, type[BasePolicy]] = {
    "sonic_sb3.policies.SonicPolicy": SonicPolicy,
    "sonic_sb3.policies.SonicRecurrentPolicy": SonicRecurrentPolicy,
    "sonic_sb3.policies.SonicDQNPolicy": SonicDQNPolicy,
    "sonic_sb3.policies.SonicQRDQNPolicy": SonicQRDQNPolicy,
}
_SCHEDULED = ("learning_rate", "clip_range", "clip_range_vf")


def build_model(
    settings: TrainSettings,
    vec_env: VecEnv,
    hyperparameters: Hyperparameters,
    *,
    seed: int | None = None,
    device: str = "auto",
) -> BaseAlgorithm:
    """
    Build what a run trains, or what plays its script.

    :param settings: Of the run.
    :param vec_env: The envs.
    :param hyperparameters: Of the run.
    :param seed: Of weights, sampling and envs.
    :param device: As torch names it, or ``auto``.
    :raises SettingsError: The hyperparameters do not suit this machine or these envs.
    """
    if isinstance(hyperparameters, ScriptHyperparameters):
        kwargs = script_kwargs(settings.env, hyperparameters)
        return ScriptedAlgorithm(SCRIPTS[settings.algo], vec_env, kwargs, seed=seed)
    return make_model(settings.algo, vec_env, hyperparameters, seed=seed, device=device)


def make_model(
    algo: str,
    vec_env: VecEnv,
    hyperparameters: Hyperparameters,
    *,
    seed: int | None = None,
    device: str = "auto",
    verbose: int = 0,
) -> BaseAlgorithm:
    """
    Build an untrained model.

    :param algo: A name of :data:`ALGORITHMS`.
    :param vec_env: The envs to learn from.
    :param hyperparameters: Of that algorithm.
    :param seed: Of weights, sampling and envs.
    :param device: As torch names it, or ``auto``.
    :param verbose: SB3's level of talk.
    :raises SettingsError: What it keeps of the past does not fit into memory.
    """
    assert isinstance(hyperparameters, LearningHyperparameters)
    kwargs: dict[str, Any] = hyperparameters.algorithm_kwargs()
    for key in _SCHEDULED:
        if isinstance(kwargs.get(key), str):
            kwargs[key] = make_schedule(kwargs[key], hyperparameters.n_timesteps)
    if isinstance(hyperparameters, DQNHyperparameters):
        kwargs.pop("n_steps", None)  # the replay buffer's matter
    return ALGORITHMS[algo](
        POLICIES[hyperparameters.policy],
        vec_env,
        policy_kwargs=hyperparameters.policy_kwargs.written(),
        seed=seed,
        device=device,
        verbose=verbose,
        **_buffer_kwargs(algo, hyperparameters),
        **kwargs,
    )


def script_kwargs(env_id: str, hyperparameters: ScriptHyperparameters) -> dict[str, Any]:
    """What a script is built with beside its spaces."""
    actions = find_actions(hyperparameters.env_kwargs.actions, env_id)
    return {"actions": actions, **hyperparameters.algorithm_kwargs()}


def _buffer_kwargs(algo: str, hyperparameters: LearningHyperparameters) -> dict[str, Any]:
    """Which buffer keeps what was seen, each frame once."""
    if isinstance(hyperparameters, DQNHyperparameters):
        check_replay_memory(hyperparameters)
        replay_kwargs = {
            "n_stack": hyperparameters.frame_stack,
            "n_steps": hyperparameters.n_steps,
            "gamma": hyperparameters.gamma,
        }
        return {"replay_buffer_class": FrameReplayBuffer, "replay_buffer_kwargs": replay_kwargs}
    check_rollout_memory(hyperparameters)
    if algo == "ppo_lstm":
        return {}  # RecurrentPPO has a buffer of its own
    return {
        "rollout_buffer_class": FrameRolloutBuffer,
        "rollout_buffer_kwargs": {"n_channels": hyperparameters.env_kwargs.n_channels},
    }


def check_replay_memory(hyperparameters: DQNHyperparameters) -> None:
    """
    Refuse a replay buffer that this machine has no room for, before it is half full.

    :raises SettingsError: It does not fit.
    """
    n_bytes = hyperparameters.replay_bytes()
    n_free = free_memory_bytes()
    if n_bytes > n_free:
        n_fitting = int(hyperparameters.buffer_size * 0.8 * n_free / n_bytes)
        raise SettingsError(
            f"buffer_size: expected a replay buffer that fits into {n_free / 2**30:.2f} GiB of "
            f"free memory, got {hyperparameters.buffer_size} timesteps, {n_bytes / 2**30:.2f} GiB "
            f"in all; try -params buffer_size:{n_fitting}"
        )


def check_rollout_memory(hyperparameters: LearningHyperparameters) -> None:
    """
    Refuse rollouts that this machine has no room for.

    :raises SettingsError: They do not fit.
    """
    env_kwargs = hyperparameters.env_kwargs
    n_steps = int(getattr(hyperparameters, "n_steps", 1))
    frame_bytes = env_kwargs.n_channels * env_kwargs.frame_height * env_kwargs.frame_width
    n_bytes = n_steps * hyperparameters.n_envs * frame_bytes
    n_free = free_memory_bytes()
    if n_bytes > n_free:
        raise SettingsError(
            f"n_steps: expected rollouts that fit into {n_free / 2**30:.2f} GiB of free memory, "
            f"got {n_steps} timesteps of {hyperparameters.n_envs} envs, "
            f"{n_bytes / 2**30:,.2f} GiB in all"
        )


def save_model(model: BaseAlgorithm, path: Path) -> None:
    """Replace an SB3 zip, or nothing."""
    buffer = io.BytesIO()
    model.save(buffer)
    write_bytes(path, buffer.getbuffer())


def load_weights(model: BaseAlgorithm, path: Path) -> None:
    """
    Put saved weights into a model built from the same settings; the pickled part is not opened.

    :param model: The model.
    :param path: An SB3 zip.
    :raises RunFolderError: There is none, it is damaged, or it is of another network.
    """
    modules = {name: recursive_getattr(model, name) for name in model.get_parameters()}
    model.set_parameters(read_weights(path, modules, model.device), device=model.device)


def load_policy_weights(policy: BasePolicy, path: Path) -> None:
    """
    Put the policy's weights out of an SB3 zip into a policy built from the same settings.

    :param policy: The policy.
    :param path: An SB3 zip.
    :raises RunFolderError: As :func:`load_weights`.
    """
    weights = read_weights(path, {"policy": policy}, policy.device)
    try:
        policy.load_state_dict(weights["policy"])
    except (ValueError, KeyError, TypeError, RuntimeError) as error:  # a script remembers things
        raise RunFolderError(f"cannot load {path}: {error}") from error
