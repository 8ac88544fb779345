"""Agents out of run folders: settings validated, weights read without opening a pickle."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import VecEnv

from sonic_sb3.action_sets import action_names, find_actions
from sonic_sb3.algorithm_settings import (
    DQNHyperparameters,
    Hyperparameters,
    LearningHyperparameters,
    ScriptHyperparameters,
)
from sonic_sb3.errors import RunFolderError
from sonic_sb3.models import (
    POLICIES,
    SCRIPTS,
    build_model,
    check_replay_memory,
    check_rollout_memory,
    load_policy_weights,
    load_weights,
    script_kwargs,
)
from sonic_sb3.run_folder import RunFolder, open_run_folder
from sonic_sb3.settings import TrainSettings, read_settings


@dataclass(frozen=True)
class Run:
    """
    A finished (or unfinished) training run.

    :param folder: Where it lies.
    :param settings: What it was told to do.
    :param hyperparameters: What it did it with.
    """

    folder: RunFolder
    settings: TrainSettings
    hyperparameters: Hyperparameters

    @property
    def action_names(self) -> list[str]:
        """What each of the agent's actions is called, in their order."""
        return action_names(self.hyperparameters.env_kwargs.actions, self.settings.env)

    def model_path(self, checkpoint: str | None = None) -> Path:
        """
        The file with the weights.

        :param checkpoint: ``None`` for the last, ``best``, or a number of timesteps.
        :raises RunFolderError: There is no such file.
        """
        if checkpoint is None:
            path = self.folder.model
        elif checkpoint == "best":
            path = self.folder.best_model
        elif re.fullmatch("[0-9]{1,18}", checkpoint):
            path = self.folder.checkpoint(int(checkpoint))
        else:
            raise RunFolderError(
                f"expected checkpoint 'best' or a number of timesteps, got {checkpoint!r}"
            )
        if not path.is_file():
            names = sorted(p.name for p in self.folder.path.glob("*.zip"))
            raise RunFolderError(
                f"no model {path.name} in {self.folder.path}: "
                + (f"it has {', '.join(names)}" if names else "the run saved none yet")
            )
        return path

    def load_policy(self, checkpoint: str | None = None, device: str = "cpu") -> BasePolicy:
        """
        The agent alone, ready to act.

        :param checkpoint: As for :meth:`model_path`.
        :param device: As torch names it.
        """
        policy = make_policy(self.settings.algo, self.settings.env, self.hyperparameters).to(device)
        load_policy_weights(policy, self.model_path(checkpoint))
        policy.set_training_mode(False)
        return policy

    def load_model(
        self, vec_env: VecEnv, checkpoint: str | None = None, device: str = "auto"
    ) -> BaseAlgorithm:
        """
        The SB3 model with its weights and optimiser, to go on training with.

        :param vec_env: The envs to learn from.
        :param checkpoint: As for :meth:`model_path`.
        :param device: As torch names it.
        """
        model = build_model(self.settings, vec_env, self.hyperparameters, device=device)
        load_weights(model, self.model_path(checkpoint))
        return model


def make_policy(algo: str, env_id: str, hyperparameters: Hyperparameters) -> BasePolicy:
    """
    An agent that has learned nothing yet; no emulator is started.

    :param algo: Its algorithm.
    :param env_id: The game.
    :param hyperparameters: Of that algorithm.
    """
    n_actions = len(find_actions(hyperparameters.env_kwargs.actions, env_id))
    spaces = observation_space(hyperparameters), gym.spaces.Discrete(n_actions)
    if isinstance(hyperparameters, ScriptHyperparameters):
        return SCRIPTS[algo](*spaces, **script_kwargs(env_id, hyperparameters))
    assert isinstance(hyperparameters, LearningHyperparameters)
    policy_kwargs = hyperparameters.policy_kwargs.written()
    return POLICIES[hyperparameters.policy](*spaces, lambda _: 0.0, **policy_kwargs)


def check_can_be_built(settings: TrainSettings, hyperparameters: Hyperparameters) -> None:
    """
    Refuse what building would refuse, before there is a folder or a process.

    :raises SettingsError: A script lacks an action, or what is kept of the past does not fit into
        memory.
    """
    if isinstance(hyperparameters, ScriptHyperparameters):
        make_policy(settings.algo, settings.env, hyperparameters)
    elif isinstance(hyperparameters, DQNHyperparameters):
        check_replay_memory(hyperparameters)
    elif isinstance(hyperparameters, LearningHyperparameters):
        check_rollout_memory(hyperparameters)


def observation_space(hyperparameters: Hyperparameters) -> gym.spaces.Box:
    """
    (frame_stack x channels, height, width) uint8, as the vec env makes it; no emulator is started.
    """
    env_kwargs = hyperparameters.env_kwargs
    n_channels = hyperparameters.frame_stack * env_kwargs.n_channels
    shape = (n_channels, env_kwargs.frame_height, env_kwargs.frame_width)
    return gym.spaces.Box(0, 255, shape, np.uint8)


def load_run(path: str | Path) -> Run:
    """
    Open a run folder, also one copied from elsewhere.

    :param path: ``LOGS/ALGO/ENV_k``.
    :raises SonicError: It is no run folder, or its settings are not valid.
    """
    folder = open_run_folder(Path(path))
    manifest: dict[str, Any] = folder.read_manifest()
    settings, hyperparameters = read_settings(manifest, str(folder.manifest))
    return Run(folder, settings, hyperparameters)
