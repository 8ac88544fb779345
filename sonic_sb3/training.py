"""One training run from settings to a run folder: envs, model, learning, evaluation, pictures."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import CallbackList

from sonic_sb3.action_sets import action_names
from sonic_sb3.algorithm_settings import Hyperparameters, LearningHyperparameters
from sonic_sb3.annealing import AnnealWhenReady
from sonic_sb3.atomic_files import remove_unfinished
from sonic_sb3.callbacks import (
    Checkpoints,
    DivideCores,
    Evaluations,
    GameStatistics,
    LogRollouts,
    Progress,
    StopAtBudget,
    TellEnvs,
)
from sonic_sb3.devices import check_device, describe_device
from sonic_sb3.envs.episode_monitor import EpisodeMonitor
from sonic_sb3.envs.vec_env import make_vec_env
from sonic_sb3.errors import (
    CannotWriteError,
    NotFiniteError,
    RunFolderError,
    WorkerError,
)
from sonic_sb3.evaluation import EvaluationResult
from sonic_sb3.event_files import check_claim, cut_event_files
from sonic_sb3.final_evaluation import evaluate_trained
from sonic_sb3.fine_tuning import copy_starting_weights, hash_model, open_starting_agent
from sonic_sb3.finite_numbers import StopAtNotFinite, blaming_numbers
from sonic_sb3.full_disk import on_full_disk, write_patiently
from sonic_sb3.machine import what_is_there_stays
from sonic_sb3.models import build_model, load_policy_weights, save_model
from sonic_sb3.plain_text import counted
from sonic_sb3.plots import plot_learning_curve
from sonic_sb3.rom_files import find_rom, rom_sha1
from sonic_sb3.run_folder import (
    RunFolder,
    command_line,
    create_run_folder,
    describe_machine,
)
from sonic_sb3.run_records import (
    claim_tensorboard,
    keep_precision,
    make_logger,
    make_manifest,
    tensorboard_folder,
    timestamp,
)
from sonic_sb3.runs import check_can_be_built
from sonic_sb3.settings import TrainSettings, read_settings
from sonic_sb3.stages import Stages, check_stages, stage_at, stage_env_kwargs, stage_levels
from sonic_sb3.stop_signals import StoppedBySignal, stop_signals
from sonic_sb3.training_job import Job, Output
from sonic_sb3.training_snapshot import (
    KeepSnapshots,
    open_replay_files,
    read_training_snapshot,
    restore_training_snapshot,
)
from sonic_sb3.video import record_video

_STOPS_AT_BUDGET = "stops_at_budget"  # in the manifest
# Of algorithms whose rollouts take a tenth of a second or less.
_ROLLOUTS_PER_LOG = {"a2c": 100, "dqn": 100, "qrdqn": 100, "random": 20, "right": 20, "jerk": 20}


def train(
    settings: TrainSettings,
    hyperparameters: Hyperparameters,
    output: Output,
    callbacks: Sequence[Any] = (),
) -> tuple[RunFolder, EvaluationResult | None]:
    """
    Train an agent and leave everything about it in a new run folder.

    :param settings: What to do.
    :param hyperparameters: What to do it with.
    :param output: Where to write.
    :param callbacks: More callbacks with a memory; what they raise ends the run, resumable.
    :returns: The run folder, and the evaluation at the end (``None`` with ``eval_episodes`` 0).
    :raises SonicError: Before learning starts: no folder is left behind.
    """
    check_device(settings.device)
    check_stages(hyperparameters)
    check_can_be_built(settings, hyperparameters)
    find_rom(settings.env)
    starting_agent = open_starting_agent(settings, hyperparameters)
    folder = create_run_folder(output.log_folder, settings.algo, settings.env, output.number)
    job = Job(settings, hyperparameters, folder, output, callbacks)
    with folder.locked(), stop_signals(), on_full_disk(output.on_full_disk):
        try:
            weights = None
            if starting_agent is not None:
                weights = copy_starting_weights(starting_agent, settings, folder)
            job = claim_tensorboard(job)
            model, manifest = _begin(job, weights)
        except BaseException:
            folder.remove()
            raise
        output.tell(f"folder     {folder.path}")
        return folder, _learn_and_evaluate(job, model, manifest, None)


def resume(
    folder: RunFolder, output: Output, callbacks: Sequence[Any] = ()
) -> EvaluationResult | None:
    """
    Go on with a run that was stopped or killed, to the result it would have had.

    :param folder: The run.
    :param output: What to show; the run's own folders are kept.
    :param callbacks: As the run had them.
    :returns: As :func:`train`.
    :raises SonicError: It is in use, finished, or of another ROM.
    """
    manifest = folder.read_manifest()
    settings, hyperparameters = read_settings(manifest, str(folder.manifest))
    check_device(settings.device)
    check_stages(hyperparameters)
    check_can_be_built(settings, hyperparameters)
    if manifest.get(_STOPS_AT_BUDGET) is True and not _stops_at_budget(callbacks):
        callbacks = [*callbacks, StopAtBudget(settings.n_timesteps)]
    job = Job(settings, hyperparameters, folder, output, callbacks)
    with folder.locked(), stop_signals(), on_full_disk(output.on_full_disk):
        manifest = folder.read_manifest()  # it may have been finished since
        if "finished_at" in manifest:
            raise RunFolderError(f"{folder.path} is finished: there is nothing to resume")
        if manifest.get("rom_sha1") != rom_sha1(settings.env):
            raise RunFolderError(
                f"{folder.path} was trained with a ROM of sha1 {manifest.get('rom_sha1')}, "
                f"here it is {rom_sha1(settings.env)}: expected the same one"
            )
        remove_unfinished(folder.path)
        snapshot = read_training_snapshot(folder)
        n_done = snapshot["counters"]["num_timesteps"] if snapshot else 0
        if snapshot is not None:
            n_bytes = snapshot["monitor_bytes"]
            write_patiently(folder.monitor, lambda: os.truncate(folder.monitor, n_bytes))
        tensorboard = tensorboard_folder(job, manifest)
        if tensorboard != folder.tensorboard:
            check_claim(tensorboard, manifest.get("tensorboard_mark"))
        cut_event_files(tensorboard, n_done)
        model = _prepare(job, snapshot is not None, n_done, manifest)
        note = {"at": timestamp(), "n_timesteps": n_done, "command": command_line()}
        machine = {**describe_machine(), "device": describe_device(model.device)}
        changed = {key: value for key, value in machine.items() if manifest.get(key) != value}
        note |= changed
        earlier = manifest.get("resumed")
        manifest["resumed"] = [*(earlier if isinstance(earlier, list) else []), note]
        folder.write_manifest(manifest)
        output.tell(f"goes on at timestep {n_done:,} of {settings.n_timesteps:,}")
        if changed:
            output.tell(
                f"the run began with other {', '.join(changed)}: what it learns from here on may "
                "differ from a run that was never stopped (the manifest tells both)"
            )
        return _learn_and_evaluate(job, model, manifest, snapshot)


def _begin(job: Job, init_model_sha256: str | None) -> tuple[BaseAlgorithm, dict[str, Any]]:
    """Everything that a run needs, and its manifest on disk."""
    model = _prepare(job, appends=False)
    try:
        manifest = {**make_manifest(job, model), "init_model_sha256": init_model_sha256}
        if _stops_at_budget(job.callbacks):
            manifest[_STOPS_AT_BUDGET] = True  # whoever resumes it may not know
        job.folder.write_settings(job.output.arguments or {}, job.hyperparameters.written())
        job.folder.write_manifest(manifest)
    except BaseException:
        _close(model)
        raise
    return model, manifest


def _stops_at_budget(callbacks: Sequence[Any]) -> bool:
    return any(isinstance(callback, StopAtBudget) for callback in callbacks)


def _close(model: BaseAlgorithm) -> None:
    assert model.env is not None
    model.env.close()
    model.logger.close()


def _prepare(
    job: Job, appends: bool, n_done: int = 0, manifest: dict[str, Any] | None = None
) -> BaseAlgorithm:
    """Envs and a model that has learned nothing here yet, logging to the run folder."""
    torch.set_num_threads(job.settings.num_threads)
    vec_env = _make_training_env(job, stage_at(job.hyperparameters, n_done), appends)
    try:
        model = build_model(
            job.settings,
            vec_env,
            job.hyperparameters,
            seed=job.settings.seed,
            device=job.settings.device,
        )
        keep_precision(model, job.folder, manifest)
        if job.settings.init_run is not None:
            load_policy_weights(model.policy, job.folder.init_model)
        model.set_logger(make_logger(job, manifest))
    except BaseException:
        vec_env.close()
        raise
    return model


def _learn_and_evaluate(
    job: Job,
    model: BaseAlgorithm,
    manifest: dict[str, Any],
    snapshot: dict[str, Any] | None,
) -> EvaluationResult | None:
    precision = getattr(model.policy, "precision", None)
    steps = "" if precision is None else f", gradient steps in {precision}"
    job.output.tell(f"device     {describe_device(model.device)}{steps}")
    try:
        return _learn_and_conclude(job, model, manifest, snapshot)
    except StoppedBySignal as stop:
        stop.advice = f"`{_resume_command(job)}` goes on"
        raise
    except CannotWriteError as error:
        raise CannotWriteError(
            f"{error}; make room (or give the permission back), then go on with "
            f"`{_resume_command(job)}`",
            error.path,
        ) from error
    except NotFiniteError as error:
        kept = job.folder.snapshot if job.folder.snapshot.exists() else job.folder.path
        raise NotFiniteError(
            f"training stopped: {error}; the last good snapshot is kept ({kept}), but going on "
            "from it would end the same: start again with a smaller learning_rate, max_grad_norm "
            "or reward_scale"
        ) from error


def _resume_command(job: Job) -> str:
    return f"python -m sonic_sb3.train --resume {shlex.quote(str(job.folder.path))}"


def _learn_and_conclude(
    job: Job,
    model: BaseAlgorithm,
    manifest: dict[str, Any],
    snapshot: dict[str, Any] | None,
) -> EvaluationResult | None:
    folder, settings = job.folder, job.settings
    elapsed_s = _learn(job, model, snapshot)
    manifest["training_s"] = round(elapsed_s, 3)
    manifest["n_timesteps_trained"] = model.num_timesteps
    save_model(model, folder.model)
    plot_learning_curve(folder.monitor, folder.curve, f"{settings.algo} on {settings.env}")
    result = None
    if settings.eval_episodes > 0:
        n = settings.eval_episodes
        job.output.tell(
            f"trained {model.num_timesteps:,} timesteps in {elapsed_s:,.0f} s; now "
            f"{counted(n, 'episode')} to judge the agent by"
        )
        result = _evaluate_at_end(job, model)
    manifest["model_sha256"] = hash_model(folder.model)
    manifest["finished_at"] = timestamp()
    folder.write_manifest(manifest)
    folder.snapshot.unlink(missing_ok=True)
    shutil.rmtree(folder.replay, ignore_errors=True)
    return result


def _learn(job: Job, model: BaseAlgorithm, snapshot: dict[str, Any] | None) -> float:
    """Learn what is left to learn. :returns: Seconds of training, of all processes of the run."""
    resumable = [*_make_resumable_callbacks(job), *job.callbacks]
    replay_files = open_replay_files(model, job.folder)
    elapsed_s = 0.0
    try:
        if snapshot is not None:
            restore_training_snapshot(model, resumable, snapshot, replay_files, job.folder.snapshot)
            elapsed_s = snapshot["elapsed_s"]
        keep_snapshots = KeepSnapshots(
            job.folder, resumable, job.settings.snapshot_freq, elapsed_s, replay_files
        )
        callbacks: list[Any] = [
            DivideCores(job.settings.num_threads),
            StopAtNotFinite(),
            keep_snapshots,
            TellEnvs(),
            GameStatistics(action_names(job.hyperparameters.env_kwargs.actions, job.settings.env)),
            *resumable,
        ]
        if job.hyperparameters.stages:
            make_env = functools.partial(_make_stage_env, job)
            callbacks.append(Stages(job.hyperparameters, make_env))
        annealing = [one for one in resumable if isinstance(one, AnnealWhenReady)]
        if job.output.shows_progress:
            callbacks.append(Progress(*annealing))
        is_over = any(one.is_over(model.num_timesteps) for one in annealing)
        n_left = 0 if is_over else job.settings.n_timesteps - model.num_timesteps
        n_least = model.n_envs if _stops_at_budget(job.callbacks) else 1
        try:
            if n_left >= n_least:
                with blaming_numbers(model), what_is_there_stays():
                    model.learn(
                        n_left,
                        CallbackList(callbacks),
                        log_interval=None,  # type: ignore[arg-type]  # LogRollouts does it
                        reset_num_timesteps=snapshot is None,
                    )
        except (StoppedBySignal, NotFiniteError, WorkerError, CannotWriteError):
            # Without waiting for room on the disk: whoever asks to end means now.
            with suppress(CannotWriteError), on_full_disk("stop"):
                keep_snapshots.write_newest()
            raise
        return keep_snapshots.elapsed_s
    finally:
        _close(model)


def _make_stage_env(job: Job, stage: int) -> EpisodeMonitor:
    """The envs that a stage begins with, while training goes on."""
    vec_env = _make_training_env(job, stage, appends=True)
    vec_env.seed(job.settings.seed + stage * job.hyperparameters.n_envs)
    return vec_env


def _make_training_env(job: Job, stage: int, appends: bool) -> EpisodeMonitor:
    env_kwargs = stage_env_kwargs(job.hyperparameters, stage).written()
    env_kwargs.pop("level", None)
    return make_vec_env(
        job.settings.env,
        job.hyperparameters.n_envs,
        levels=stage_levels(job.hyperparameters, job.settings, stage),
        frame_stack=job.hyperparameters.frame_stack,
        n_workers=job.settings.n_workers,
        monitor_file=str(job.folder.monitor),
        monitor_appends=appends,
        **env_kwargs,
    )


def _make_resumable_callbacks(job: Job) -> list[Any]:
    settings = job.settings
    callbacks: list[Any] = []
    if settings.save_freq > 0:
        callbacks.append(Checkpoints(job.folder, settings.save_freq))
    if settings.eval_freq > 0 and settings.eval_episodes > 0:
        callbacks.append(Evaluations(job.folder, settings, job.hyperparameters))
    callbacks.append(LogRollouts(_ROLLOUTS_PER_LOG.get(settings.algo, 1)))
    if isinstance(job.hyperparameters, LearningHyperparameters):
        callbacks += [AnnealWhenReady(**k.written()) for k in job.hyperparameters.callback.values()]
    return callbacks


def _evaluate_at_end(job: Job, model: BaseAlgorithm) -> EvaluationResult:
    settings, folder = job.settings, job.folder
    with blaming_numbers(model):
        result = evaluate_trained(
            model.policy.to("cpu"),  # where `evaluate` plays: the same seeds, the same episodes
            folder,
            job.hyperparameters,
            env_id=settings.env,
            levels=settings.levels,
            n_episodes=settings.eval_episodes,
            training_seed=settings.seed,
        )
    best = result.best_episode
    record_video(folder.video, settings.env, best.level, result.best_input_movie)
    return result
