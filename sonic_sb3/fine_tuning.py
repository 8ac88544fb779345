"""Training that begins with the weights of another run."""

from __future__ import annotations

import hashlib
import shutil
from typing import Any

from sonic_sb3.action_sets import action_names
from sonic_sb3.atomic_files import replacing
from sonic_sb3.errors import SettingsError
from sonic_sb3.hyperparams import Hyperparameters, LearningHyperparameters
from sonic_sb3.run_folder import RunFolder
from sonic_sb3.runs import Run, load_run, observation_space
from sonic_sb3.settings import TrainSettings

# They change the arithmetic, not the weights.
_NOT_OF_THE_NETWORK = ("precision", "runs_fast")


def open_starting_run(settings: TrainSettings, hyperparameters: Hyperparameters) -> Run | None:
    """
    Find the run whose weights training begins with, and check that they fit.

    :param settings: Of the new run.
    :param hyperparameters: Of the new run.
    :returns: ``None`` where training begins with new weights.
    :raises SonicError: It is no run folder, has no such model, or is of another network.
    """
    if settings.init_run is None:
        return None
    run = load_run(settings.init_run)
    run.model_path(settings.init_checkpoint)
    theirs = _describe_network(run.settings, run.hyperparameters)
    ours = _describe_network(settings, hyperparameters)
    for key, value in theirs.items():
        if ours.get(key) != value:
            raise SettingsError(
                f"{key}: expected {value!r} as in {settings.init_run}, with whose weights this run "
                f"is to begin, got {ours.get(key)!r}"
            )
    return run


def copy_starting_weights(run: Run, settings: TrainSettings, folder: RunFolder) -> str:
    """
    Keep the weights in the new run's folder, so that a resume needs nothing else.

    :param run: Where they come from.
    :param settings: Of the new run.
    :param folder: Of the new run.
    :returns: Their sha256.
    """
    with replacing(folder.init_model) as temporary:
        shutil.copyfile(run.model_path(settings.init_checkpoint), temporary)
    return hash_weights(run, settings.init_checkpoint)


def hash_weights(run: Run, checkpoint: str | None) -> str:
    """The sha256 of a run's model file. :param checkpoint: As for :meth:`Run.model_path`."""
    return hashlib.sha256(run.model_path(checkpoint).read_bytes()).hexdigest()


def _describe_network(settings: TrainSettings, hyperparameters: Hyperparameters) -> dict[str, Any]:
    """Whatever the shapes of the weights depend on, by the keys that a user knows."""
    if not isinstance(hyperparameters, LearningHyperparameters):
        raise SettingsError(
            f"-i/--init-run: expected algorithms that learn weights, {settings.algo} does not"
        )
    facts: dict[str, Any] = {"policy": hyperparameters.policy}
    for key, value in hyperparameters.policy_kwargs.model_dump().items():
        if key not in _NOT_OF_THE_NETWORK:
            facts[f"policy_kwargs.{key}"] = value
    facts["observations"] = observation_space(hyperparameters).shape
    facts["env_kwargs.actions"] = action_names(hyperparameters.env_kwargs.actions, settings.env)
    return facts
