"""What a run notes about itself: its manifest, and its logger with TensorBoard's files."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import HumanOutputFormat, KVWriter, Logger

from sonic_sb3.action_sets import action_names
from sonic_sb3.devices import describe_device
from sonic_sb3.errors import RunFolderError
from sonic_sb3.event_files import TensorBoardFile, claim_free_folder
from sonic_sb3.policies import SonicPolicy
from sonic_sb3.rom_files import rom_sha1
from sonic_sb3.run_folder import RunFolder, command_line, describe_machine
from sonic_sb3.training_job import Job


def make_logger(job: Job, manifest: dict[str, Any] | None) -> Logger:
    """A logger to TensorBoard's files, and with ``verbose`` to standard output."""
    tensorboard = tensorboard_folder(job, manifest)
    writers: list[KVWriter] = [TensorBoardFile(tensorboard)]
    if job.output.verbose:
        writers.append(HumanOutputFormat(sys.stdout))
    return Logger(str(tensorboard), writers)


def tensorboard_folder(job: Job, manifest: dict[str, Any] | None) -> Path:
    """The run's own folder, or the one that was asked for when it was started."""
    if manifest is None:
        return job.folder.tensorboard if job.tensorboard is None else job.tensorboard[0]
    given = manifest.get("tensorboard_log")
    if given is None:
        return job.folder.tensorboard
    if not isinstance(given, str | Path) or "\0" in str(given):
        raise RunFolderError(
            f"{job.folder.manifest}: tensorboard_log: expected a folder or null, got {given!r:.80}"
        )
    name = manifest.get("tensorboard_name") or _usual_name(job)
    if not isinstance(name, str) or not re.fullmatch(r"\w+", name):
        raise RunFolderError(
            f"{job.folder.manifest}: tensorboard_name: expected a name such as "
            f"{_usual_name(job)}, got {name!r:.80}"
        )
    return Path(given) / job.settings.env / name


def claim_tensorboard(job: Job) -> Job:
    """A run that begins, with a folder of its own where TensorBoard's files were asked for."""
    if job.output.tensorboard_log is None:
        return job
    parent = job.output.tensorboard_log / job.settings.env
    return replace(job, tensorboard=claim_free_folder(parent, _usual_name(job)))


def _usual_name(job: Job) -> str:
    number = job.folder.path.name.rpartition("_")[2]
    return f"{job.settings.algo.upper()}_{number}"


def make_manifest(job: Job, model: BaseAlgorithm) -> dict[str, Any]:
    """What ``manifest.json`` says of a run that begins."""
    tensorboard_log = job.output.tensorboard_log
    return {
        "format": 1,
        "settings": job.settings.model_dump(mode="json"),
        "hyperparameters": job.hyperparameters.written(),
        "command": command_line(),
        "tensorboard_log": None if tensorboard_log is None else str(tensorboard_log),
        "action_names": action_names(job.hyperparameters.env_kwargs.actions, job.settings.env),
        "tensorboard_name": job.tensorboard and job.tensorboard[0].name,
        "tensorboard_mark": job.tensorboard and job.tensorboard[1],
        "device": describe_device(model.device),
        "precision": getattr(model.policy, "precision", "float32"),
        "rom_sha1": rom_sha1(job.settings.env),
        "started_at": timestamp(),
        **describe_machine(),
    }


def keep_precision(
    model: BaseAlgorithm, folder: RunFolder, manifest: dict[str, Any] | None
) -> None:
    """A run that began in one precision goes on in it, also where ``auto`` means another."""
    if manifest is None or not isinstance(model.policy, SonicPolicy):
        return
    began_with = manifest.get("precision", "float32")  # of runs from before it was recorded
    if not isinstance(began_with, str):
        raise RunFolderError(
            f"{folder.manifest}: precision: expected a name, got {began_with!r:.80}"
        )
    model.policy.use_precision(began_with)


def timestamp() -> str:
    """Now, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
