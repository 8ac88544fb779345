"""One training run from settings to a run folder: envs, model, learning, evaluation, pictures."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.logger import (
    HumanOutputFormat,
    KVWriter,
    Logger,
    TensorBoardOutputFormat,
)
from stable_baselines3.common.policies import ActorCriticPolicy

from sonic_sb3.actors import PolicyActor
from sonic_sb3.atomic_files import write_json
from sonic_sb3.callbacks import (
    EVALUATION_SEED_OFFSET,
    Checkpoints,
    Evaluations,
    GameStatistics,
    Progress,
)
from sonic_sb3.envs.episode_monitor import EpisodeMonitor
from sonic_sb3.envs.vec_env import make_vec_env
from sonic_sb3.errors import SettingsError
from sonic_sb3.evaluation import EvaluationResult, evaluate, to_json
from sonic_sb3.hyperparams import Hyperparameters
from sonic_sb3.models import make_model, save_model
from sonic_sb3.plots import plot_learning_curve
from sonic_sb3.rom_files import find_rom, rom_sha1
from sonic_sb3.run_folder import RunFolder, command_line, create_run_folder, describe_machine
from sonic_sb3.settings import TrainSettings
from sonic_sb3.video import record_video


@dataclass(frozen=True)
class Output:
    """
    Where a run writes and how much it says; nothing here changes its result.

    :param log_folder: LOGS of ``LOGS/ALGO/ENV_k``.
    :param tensorboard_log: Another place for TensorBoard's files than the run folder.
    :param shows_progress: A progress bar on standard error.
    :param verbose: 1 prints SB3's table after each rollout.
    :param arguments: The command's options, for ``args.yml``.
    """

    log_folder: Path
    tensorboard_log: Path | None = None
    shows_progress: bool = False
    verbose: int = 0
    arguments: dict[str, Any] | None = None


def check_device(device: str) -> None:
    """
    Accept a device that torch can use here.

    :raises SettingsError: It cannot.
    """
    try:
        if device != "auto":
            torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(
            f"device {device!r}: expected 'auto', 'cpu' or a device that torch can use here "
            f"({reason})"
        ) from error


def train(
    settings: TrainSettings, hyperparameters: Hyperparameters, output: Output
) -> tuple[RunFolder, EvaluationResult | None]:
    """
    Train an agent and leave everything about it in a new run folder.

    :param settings: What to do.
    :param hyperparameters: What to do it with.
    :param output: Where to write.
    :returns: The run folder, and the evaluation at the end (``None`` with ``eval_episodes`` 0).
    :raises SonicError: Before learning starts: no folder is left behind.
    """
    check_device(settings.device)
    find_rom(settings.env)
    torch.set_num_threads(settings.num_threads)
    folder = create_run_folder(output.log_folder, settings.algo, settings.env)
    vec_env: EpisodeMonitor | None = None
    try:
        vec_env = _make_training_env(settings, hyperparameters, folder)
        model = make_model(
            settings.algo,
            vec_env,
            hyperparameters,
            seed=settings.seed,
            device=settings.device,
        )
        model.set_logger(_make_logger(settings, output, folder))
        manifest = _make_manifest(settings, hyperparameters, model)
        folder.write_settings(output.arguments or {}, hyperparameters.written())
        folder.write_manifest(manifest)
    except BaseException:
        if vec_env is not None:
            vec_env.close()
        folder.remove()
        raise
    started_s = time.monotonic()
    try:
        model.learn(
            settings.n_timesteps,
            callback=_make_callbacks(settings, hyperparameters, folder, output),
            log_interval=1 if settings.algo != "a2c" else 100,
        )
    finally:
        vec_env.close()
        model.logger.close()
    manifest["training_s"] = round(time.monotonic() - started_s, 3)
    manifest["n_timesteps_trained"] = model.num_timesteps
    save_model(model, folder.model)
    plot_learning_curve(folder.monitor, folder.curve, f"{settings.algo} on {settings.env}")
    result = _evaluate_at_end(model, settings, hyperparameters, folder)
    manifest["finished_at"] = datetime.now(UTC).isoformat(timespec="seconds")
    folder.write_manifest(manifest)
    return folder, result


def _make_training_env(
    settings: TrainSettings, hyperparameters: Hyperparameters, folder: RunFolder
) -> EpisodeMonitor:
    env_kwargs = hyperparameters.env_kwargs.written()
    env_kwargs.pop("level", None)
    return make_vec_env(
        settings.env,
        hyperparameters.n_envs,
        levels=settings.levels,
        frame_stack=hyperparameters.frame_stack,
        n_workers=settings.n_workers,
        monitor_file=str(folder.monitor),
        **env_kwargs,
    )


def _make_logger(settings: TrainSettings, output: Output, folder: RunFolder) -> Logger:
    tensorboard = folder.tensorboard
    if output.tensorboard_log is not None:
        number = folder.path.name.rpartition("_")[2]
        name = f"{settings.algo.upper()}_{number}"
        tensorboard = output.tensorboard_log / settings.env / name
    writers: list[KVWriter] = [TensorBoardOutputFormat(str(tensorboard))]
    if output.verbose:
        writers.append(HumanOutputFormat(sys.stdout))
    return Logger(str(tensorboard), writers)


def _make_manifest(
    settings: TrainSettings, hyperparameters: Hyperparameters, model: BaseAlgorithm
) -> dict[str, Any]:
    return {
        "format": 1,
        "settings": settings.model_dump(mode="json"),
        "hyperparameters": hyperparameters.written(),
        "command": command_line(),
        "device": str(model.device),
        "rom_sha1": rom_sha1(settings.env),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **describe_machine(),
    }


def _make_callbacks(
    settings: TrainSettings, hyperparameters: Hyperparameters, folder: RunFolder, output: Output
) -> CallbackList:
    callbacks: list[BaseCallback] = [GameStatistics()]
    if settings.save_freq > 0:
        callbacks.append(Checkpoints(folder, settings.save_freq))
    if settings.eval_freq > 0 and settings.eval_episodes > 0:
        callbacks.append(Evaluations(folder, settings, hyperparameters))
    if output.shows_progress:
        callbacks.append(Progress())
    return CallbackList(callbacks)


def _evaluate_at_end(
    model: BaseAlgorithm,
    settings: TrainSettings,
    hyperparameters: Hyperparameters,
    folder: RunFolder,
) -> EvaluationResult | None:
    if settings.eval_episodes == 0:
        return None
    assert isinstance(model.policy, ActorCriticPolicy)
    seed = settings.seed + 2 * EVALUATION_SEED_OFFSET
    result = evaluate(
        PolicyActor(model.policy),
        settings.env,
        settings.levels,
        hyperparameters,
        n_episodes=settings.eval_episodes,
        seed=seed,
    )
    facts = {"env": settings.env, "seed": seed, "deterministic": False, "checkpoint": None}
    write_json(folder.evaluation, to_json(result.episodes, **facts))
    best = result.best_episode
    record_video(folder.video, settings.env, best.level, result.best_input_movie)
    return result
