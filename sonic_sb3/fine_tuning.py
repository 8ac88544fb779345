"""Training that begins with the weights of another run or of a bundle."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from sonic_sb3.action_sets import action_names
from sonic_sb3.algorithm_settings import Hyperparameters, LearningHyperparameters
from sonic_sb3.atomic_files import replacing
from sonic_sb3.bundles.claims import check_agent_weights
from sonic_sb3.bundles.contents import WEIGHTS, Bundle, open_bundle
from sonic_sb3.bundles.places import find_bundle
from sonic_sb3.bundles.rl_zoo3 import write_sb3_zip
from sonic_sb3.errors import SettingsError
from sonic_sb3.run_folder import RunFolder
from sonic_sb3.runs import Run, load_run, observation_space
from sonic_sb3.settings import TrainSettings

# They change the arithmetic, not the weights.
_NOT_OF_THE_NETWORK = ("precision", "runs_fast")


def open_starting_agent(
    settings: TrainSettings, hyperparameters: Hyperparameters
) -> Run | Bundle | None:
    """
    Find the agent whose weights training begins with, and check that they fit.

    :param settings: Of the new run.
    :param hyperparameters: Of the new run.
    :returns: ``None`` where training begins with new weights.
    :raises SonicError: It is neither run folder nor bundle, has no such model, or is of another
        network.
    """
    if settings.init_run is None:
        return None
    agent: Run | Bundle
    bundle_path = find_bundle(settings.init_run)
    if bundle_path is not None:
        agent = open_bundle(bundle_path)
        check_agent_weights(agent)
        theirs = _describe_network(agent.agent.algo, agent.agent.env, agent.hyperparameters)
        if settings.init_checkpoint is not None:
            raise SettingsError("--init-checkpoint: a bundle holds one agent, expected no choice")
    else:
        agent = load_run(settings.init_run)
        agent.model_path(settings.init_checkpoint)
        theirs = _describe_network(agent.settings.algo, agent.settings.env, agent.hyperparameters)
    ours = _describe_network(settings.algo, settings.env, hyperparameters)
    for key, value in theirs.items():
        if ours.get(key) != value:
            raise SettingsError(
                f"{key}: expected {value!r} as in {settings.init_run}, with whose weights this run "
                f"is to begin, got {ours.get(key)!r}"
            )
    return agent


def copy_starting_weights(agent: Run | Bundle, settings: TrainSettings, folder: RunFolder) -> str:
    """
    Keep the weights in the new run's folder, so that a resume needs nothing else.

    :param agent: Where they come from.
    :param settings: Of the new run.
    :param folder: Of the new run.
    :returns: Their sha256.
    """
    if isinstance(agent, Bundle):
        write_sb3_zip(agent, folder.init_model)
        return hashlib.sha256(agent.files[WEIGHTS]).hexdigest()
    with replacing(folder.init_model) as temporary:
        shutil.copyfile(agent.model_path(settings.init_checkpoint), temporary)
    return hash_weights(agent, settings.init_checkpoint)


def hash_weights(run: Run, checkpoint: str | None) -> str:
    """The sha256 of a run's model file. :param checkpoint: As for :meth:`Run.model_path`."""
    return hash_model(run.model_path(checkpoint))


def hash_model(path: Path) -> str:
    """The sha256 of a model file, by which a run knows the agent that it began with."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _describe_network(algo: str, env_id: str, hyperparameters: Hyperparameters) -> dict[str, Any]:
    """Whatever the shapes of the weights depend on, by the keys that a user knows."""
    if not isinstance(hyperparameters, LearningHyperparameters):
        raise SettingsError(
            f"-i/--init-run: expected algorithms that learn weights, {algo} does not"
        )
    facts: dict[str, Any] = {"policy": hyperparameters.policy}
    for key, value in hyperparameters.policy_kwargs.model_dump().items():
        if key not in _NOT_OF_THE_NETWORK:
            facts[f"policy_kwargs.{key}"] = value
    facts["observations"] = observation_space(hyperparameters).shape
    facts["env_kwargs.actions"] = action_names(hyperparameters.env_kwargs.actions, env_id)
    return facts
