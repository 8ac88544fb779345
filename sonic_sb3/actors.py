"""Who can be evaluated: a trained policy, or chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from torch.distributions import Categorical


class PolicyActor:
    """
    A trained actor-critic policy.

    :param policy: With discrete actions.
    """

    def __init__(self, policy: ActorCriticPolicy) -> None:
        self._policy = policy

    def action_probabilities(
        self, observations: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.floating[Any]]:
        """(n_envs, n_stack, height, width) uint8 to (n_envs, n_actions)."""
        was_training = self._policy.training
        self._policy.set_training_mode(False)
        with torch.no_grad():
            batch, _ = self._policy.obs_to_tensor(observations)
            distribution = self._policy.get_distribution(batch).distribution
        self._policy.set_training_mode(was_training)
        assert isinstance(distribution, Categorical)
        return np.asarray(distribution.probs.cpu())


class RandomActor:
    """
    All actions alike.

    :param n_actions: How many there are.
    """

    def __init__(self, n_actions: int) -> None:
        self._n_actions = n_actions

    def action_probabilities(
        self, observations: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.floating[Any]]:
        """(n_envs, ...) to (n_envs, n_actions)."""
        return np.full((len(observations), self._n_actions), 1 / self._n_actions)
