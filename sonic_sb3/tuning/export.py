"""A study's winner as a hyperparameters file that ``train --conf-file`` and rl-zoo3 both read."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from sonic_sb3.algorithm_settings import Hyperparameters
from sonic_sb3.atomic_files import write_text
from sonic_sb3.games import resolve_levels
from sonic_sb3.run_folder import describe_machine
from sonic_sb3.tuning.results import Contender, Figure
from sonic_sb3.tuning.settings import StudySettings
from sonic_sb3.tuning.study import COUNTED, OpenStudy

_HEAD = """\
# Tuned by `python -m sonic_sb3.tune`; what it stands on is under `provenance`, below.
# {command}
"""


def train_command(settings: StudySettings, path: str) -> str:
    """
    How to train with what a study found.

    :param settings: Of the study.
    :param path: The exported file.
    """
    words = ["python", "-m", "sonic_sb3.train", "--algo", settings.algo, "--env", settings.env]
    if list(settings.levels) != resolve_levels(settings.env, None):
        words += ["--levels", *settings.levels]
    return shlex.join([*words, "--conf-file", path])


def tuned_hyperparameters(
    study: OpenStudy, contender: Contender, n_timesteps: int | None = None
) -> Hyperparameters:
    """
    A trial's hyperparameters, complete.

    :param study: The study.
    :param contender: The trial.
    :param n_timesteps: Of the trainings to come; ``None`` for those of the study.
    :raises SonicError: They are not valid in this version.
    """
    settings = study.settings
    base = settings.hyperparameters | {"n_timesteps": n_timesteps or settings.n_timesteps}
    return settings.make_space().make(settings.algo, contender.candidate.params, base)


def export(
    path: Path, study: OpenStudy, contender: Contender, n_timesteps: int | None = None
) -> Hyperparameters:
    """
    Write a hyperparameters file with one entry, and where it comes from.

    :param path: The file to make or replace.
    :param study: The study.
    :param contender: The trial to export.
    :param n_timesteps: As :func:`tuned_hyperparameters`.
    :returns: What was written.
    """
    hyperparameters = tuned_hyperparameters(study, contender, n_timesteps)
    entry = json.loads(json.dumps(hyperparameters.written()))
    settings = study.settings
    # A key that is no game: neither reader looks at it.
    data = {settings.env: entry, "provenance": _provenance(study, contender)}
    head = _HEAD.format(command=train_command(settings, "THIS_FILE"))
    write_text(path, head + yaml.safe_dump(data, sort_keys=False, width=100))
    return hyperparameters


def _provenance(study: OpenStudy, contender: Contender) -> dict[str, Any]:
    settings = study.settings
    machine = describe_machine()
    trials = study.trials()
    return {
        "study": study.name,
        "trial": contender.candidate.trial,
        "n_trials": sum(trial.state in COUNTED for trial in trials),
        "algo": settings.algo,
        "levels": list(settings.levels),
        "n_timesteps_per_training": settings.n_timesteps,
        "objective": ("area of " if settings.area else "") + settings.objective,
        "eval_episodes": settings.eval_episodes,
        "found": _figure(contender.found, settings.training_seeds),
        "confirmed_with_fresh_seeds": (
            None
            if contender.confirmed is None
            else _figure(contender.confirmed, list(contender.seeds))
        ),
        "failed_with_fresh_seeds": contender.n_failed,
        "completion_rate": contender.completion,
        "sampler": settings.sampler,
        "pruner": settings.pruner,
        "study_seed": settings.seed,
        "rom_sha1": settings.rom_sha1,
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "packages": machine["packages"],
        "git": machine["git"],
        "space": settings.space,
    }


def _figure(figure: Figure, seeds: list[int]) -> dict[str, Any]:
    return {
        "mean": round(figure.mean, 6),
        "interval_95": None if figure.interval is None else [round(v, 6) for v in figure.interval],
        "values": [round(v, 6) for v in figure.values],
        "seeds": seeds,
    }
