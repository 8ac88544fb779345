"""
Agents that follow a script instead of learning: what any agent has to beat.

They are SB3 algorithms as far as training needs it, so that their runs have the same folder,
statistics, evaluations and resume as all others.
"""

from __future__ import annotations

import sys
import time
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import MaybeCallback, PyTorchObs
from stable_baselines3.common.utils import safe_mean
from stable_baselines3.common.vec_env import VecEnv

from sonic_sb3.action_sets import ActionSet
from sonic_sb3.errors import SettingsError

Actions = npt.NDArray[np.int64]
_STEPS_PER_ROLLOUT = 128


class Script(BasePolicy):
    """
    Decides for all envs without looking at the pictures.

    :param observation_space: Of the envs.
    :param action_space: Of the envs.
    :param actions: What the actions press.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        actions: ActionSet,
    ) -> None:
        super().__init__(observation_space, action_space)
        self.actions = actions

    def begin(self, n_envs: int, seed: int | None) -> None:
        """
        Get ready for a training.

        :param n_envs: Number of envs.
        :param seed: Of all that is drawn.
        """
        self.n_envs = n_envs
        self.generator = np.random.default_rng([seed or 0, 0x5C217])

    @abstractmethod
    def choose(self, share_done: float) -> Actions:
        """
        The next actions of a training.

        :param share_done: How much of the training is over, 0..1.
        :returns: (n_envs,).
        """

    def observe(self, rewards: npt.NDArray[np.floating[Any]], dones: npt.NDArray[np.bool_]) -> None:
        """
        Take in what the actions brought.

        :param rewards: (n_envs,).
        :param dones: (n_envs,).
        """

    @abstractmethod
    def action_probabilities(
        self, observations: npt.NDArray[np.uint8], episode_starts: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.floating[Any]]:
        """What it does in an evaluation, see :class:`sonic_sb3.actors.Actor`."""

    def get_snapshot(self) -> dict[str, Any]:
        """What a resumed training needs beside the saved model, as plain data."""
        return {"generator": self.generator.bit_generator.state}

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Put it back."""
        self.generator.bit_generator.state = snapshot["generator"]

    def find_action(self, *buttons: str) -> int:
        """
        The action that presses just these buttons for one timestep.

        :param buttons: Their names; none for pressing nothing.
        :raises SettingsError: There is none.
        """
        for index, action in enumerate(self.actions):
            if action.n_timesteps == 1 and set(action.holds[0].buttons) == set(buttons):
                return index
        raise SettingsError(
            f"env_kwargs.actions: expected an action that presses "
            f"{'+'.join(buttons) or 'nothing'}, got {', '.join(a.name for a in self.actions)}; "
            "try -params env_kwargs.actions:winner10"
        )

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> torch.Tensor:
        raise NotImplementedError("a script plays in sonic_sb3.evaluate, not through predict()")


class RandomScript(Script):
    """Each action as often as any other."""

    def choose(self, share_done: float) -> Actions:
        """Draw one for each env."""
        return self.generator.integers(len(self.actions), size=self.n_envs)

    def action_probabilities(
        self, observations: npt.NDArray[np.uint8], episode_starts: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.floating[Any]]:
        """The same for all."""
        n_actions = len(self.actions)
        return np.full((len(observations), n_actions), 1 / n_actions)


class RightScript(Script):
    """
    Holds RIGHT, for ever.

    :param args: As :class:`Script` takes them.
    :param kwargs: As :class:`Script` takes them.
    :raises SettingsError: There is no such action.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._right = self.find_action("RIGHT")

    def choose(self, share_done: float) -> Actions:
        """RIGHT."""
        return np.full(self.n_envs, self._right)

    def action_probabilities(
        self, observations: npt.NDArray[np.uint8], episode_starts: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.floating[Any]]:
        """1 for RIGHT."""
        right = np.eye(len(self.actions))[self._right]
        return np.tile(right, (len(observations), 1))


class ScriptedAlgorithm(BaseAlgorithm):
    """
    Plays a script for so many timesteps. There is nothing to learn but what the script remembers.

    :param policy: The script's class.
    :param env: The envs.
    :param policy_kwargs: Of the script.
    :param seed: Of script and envs.
    :param device: Not used; scripts need none.
    :param verbose: SB3's level of talk.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {}
    policy: Script

    def __init__(
        self,
        policy: type[Script],
        env: VecEnv,
        policy_kwargs: dict[str, Any],
        seed: int | None = None,
        device: str = "cpu",
        verbose: int = 0,
    ) -> None:
        super().__init__(
            policy,
            env,
            learning_rate=0.0,
            policy_kwargs=policy_kwargs,
            seed=seed,
            device="cpu",
            verbose=verbose,
            support_multi_env=True,
        )
        self._setup_model()

    def _setup_model(self) -> None:
        self.set_random_seed(self.seed)
        policy = self.policy_class(self.observation_space, self.action_space, **self.policy_kwargs)
        assert isinstance(policy, Script)
        self.policy = policy
        self.policy.begin(self.n_envs, self.seed)

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int | None = None,
        tb_log_name: str = "run",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> ScriptedAlgorithm:
        """Play; parameters as SB3 has them."""
        total_timesteps, callback = self._setup_learn(
            total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar
        )
        callback.on_training_start(locals(), globals())
        while self.num_timesteps < total_timesteps:
            if not self._play_rollout(callback, total_timesteps):
                break
        callback.on_training_end()
        return self

    def _play_rollout(self, callback: BaseCallback, total_timesteps: int) -> bool:
        assert self.env is not None
        callback.on_rollout_start()
        for _ in range(_STEPS_PER_ROLLOUT):
            actions = self.policy.choose(self.num_timesteps / total_timesteps)
            self._last_obs, rewards, dones, infos = self.env.step(actions)  # type: ignore[assignment]
            self._last_episode_starts = dones
            self.policy.observe(rewards, dones)
            self.num_timesteps += self.n_envs
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            self._update_info_buffer(infos, dones)
            self._update_current_progress_remaining(self.num_timesteps, total_timesteps)
            if self.num_timesteps >= total_timesteps:
                break
        callback.on_rollout_end()
        return True

    def dump_logs(self) -> None:
        """Write what was recorded."""
        elapsed_s = max((time.time_ns() - self.start_time) / 1e9, sys.float_info.epsilon)
        episodes = list(self.ep_info_buffer or [])
        if episodes:
            self.logger.record("rollout/ep_rew_mean", safe_mean([e["r"] for e in episodes]))
            self.logger.record("rollout/ep_len_mean", safe_mean([e["l"] for e in episodes]))
        n_timesteps = self.num_timesteps - self._num_timesteps_at_start
        self.logger.record("time/fps", int(n_timesteps / elapsed_s))
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        self.logger.dump(step=self.num_timesteps)

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        return ["policy"], []
