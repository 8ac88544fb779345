"""SB3 models built from validated settings, and weights loaded without opening a pickle."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import stable_baselines3
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.save_util import recursive_getattr
from stable_baselines3.common.vec_env import VecEnv

from sonic_sb3.atomic_files import write_bytes
from sonic_sb3.hyperparams import Hyperparameters
from sonic_sb3.policies import SonicPolicy
from sonic_sb3.policies.rollout_buffer import FrameRolloutBuffer
from sonic_sb3.weights_file import align_moments, read_weights

ALGORITHMS: dict[str, type[OnPolicyAlgorithm]] = {
    "ppo": stable_baselines3.PPO,
    "a2c": stable_baselines3.A2C,
}
_SCHEDULED = ("learning_rate", "clip_range", "clip_range_vf")


def make_model(
    algo: str,
    vec_env: VecEnv,
    hyperparameters: Hyperparameters,
    *,
    seed: int | None = None,
    device: str = "auto",
    verbose: int = 0,
) -> OnPolicyAlgorithm:
    """
    Build an untrained model.

    :param algo: A name of :data:`ALGORITHMS`.
    :param vec_env: The envs to learn from.
    :param hyperparameters: Of that algorithm.
    :param seed: Of weights, sampling and envs.
    :param device: As torch names it, or ``auto``.
    :param verbose: SB3's level of talk.
    """
    kwargs: dict[str, Any] = hyperparameters.algorithm_kwargs()
    for key in _SCHEDULED:
        if isinstance(kwargs.get(key), str):
            kwargs[key] = linear_schedule(kwargs[key])
    return ALGORITHMS[algo](
        SonicPolicy,
        vec_env,
        policy_kwargs=hyperparameters.policy_kwargs.written(),
        rollout_buffer_class=FrameRolloutBuffer,
        seed=seed,
        device=device,
        verbose=verbose,
        **kwargs,
    )


def linear_schedule(text: str) -> Callable[[float], float]:
    """
    Read ``lin_x``: from x at the start of training linearly to 0 at its end.

    :param text: A validated schedule.
    """
    start = float(text.removeprefix("lin_"))

    def schedule(progress_remaining: float) -> float:
        return progress_remaining * start

    return schedule


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
    for module in modules.values():
        if isinstance(module, torch.optim.Optimizer):
            align_moments(module)


def load_policy_weights(policy: BasePolicy, path: Path) -> None:
    """
    Put the policy's weights out of an SB3 zip into a policy built from the same settings.

    :param policy: The policy.
    :param path: An SB3 zip.
    :raises RunFolderError: As :func:`load_weights`.
    """
    weights = read_weights(path, {"policy": policy}, policy.device)
    policy.load_state_dict(weights["policy"])
