"""Who can be evaluated: a trained policy, chance, or somebody who only ever does one thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from torch.distributions import Categorical

from sonic_sb3.envs.actions import CONTEST_ACTIONS


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


class FixedActor:
    """
    The same probabilities whatever is seen: what any agent has to beat.

    :param probabilities: One per action.
    """

    def __init__(self, probabilities: Sequence[float]) -> None:
        self._probabilities = np.asarray(probabilities, dtype=np.float64)

    def action_probabilities(
        self, observations: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.floating[Any]]:
        """(n_envs, ...) to (n_envs, n_actions)."""
        return np.tile(self._probabilities, (len(observations), 1))


_N_ACTIONS = len(CONTEST_ACTIONS)
BASELINES = {
    "random": FixedActor([1 / _N_ACTIONS] * _N_ACTIONS),
    "right": FixedActor([float(names == ("RIGHT",)) for names in CONTEST_ACTIONS]),
}
