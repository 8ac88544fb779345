"""Who can be evaluated: a trained policy, or a script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.qrdqn.policies import QRDQNPolicy
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.type_aliases import PyTorchObs
from stable_baselines3.dqn.policies import DQNPolicy
from torch.distributions import Categorical

from sonic_sb3.errors import NotFiniteError
from sonic_sb3.finite_numbers import blaming_outputs
from sonic_sb3.scripts import Script

Observations = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Probabilities = npt.NDArray[np.floating[Any]]
# Finite weights can overflow on their way through the network.
_CANNOT_CHOOSE = (
    "the agent cannot choose an action: expected numbers from its network, got NaN or infinity: "
    "its weights are too large, take another checkpoint or agent"
)


class Actor(Protocol):
    """Whatever can be evaluated. It may remember what happened since an episode's start."""

    def action_probabilities(
        self, observations: Observations, episode_starts: Flags
    ) -> Probabilities:
        """
        Decide for all envs.

        :param observations: (n_envs, n_stack, height, width) uint8.
        :param episode_starts: (n_envs,), where an observation is the first of an episode.
        :returns: (n_envs, n_actions), rows summing to 1.
        :raises NotFiniteError: What a network computed is no number.
        """


class PolicyActor:
    """
    A trained actor-critic policy.

    :param policy: With discrete actions.
    """

    def __init__(self, policy: ActorCriticPolicy) -> None:
        self._policy = policy

    def action_probabilities(
        self, observations: Observations, episode_starts: Flags
    ) -> Probabilities:
        """As the protocol says."""
        with _evaluating(self._policy):
            batch, _ = self._policy.obs_to_tensor(observations)
            return _read_probabilities(self._policy.get_distribution(batch))


class RecurrentActor:
    """
    A trained policy with an LSTM, whose state begins with zeros in each episode.

    :param policy: With discrete actions.
    """

    def __init__(self, policy: RecurrentActorCriticPolicy) -> None:
        self._policy = policy
        self._states: tuple[torch.Tensor, torch.Tensor] | None = None

    def action_probabilities(
        self, observations: Observations, episode_starts: Flags
    ) -> Probabilities:
        """As the protocol says."""
        if self._states is None or self._states[0].shape[1] != len(observations):
            n_layers, _, n_hidden = self._policy.lstm_hidden_state_shape
            zeros = torch.zeros(n_layers, len(observations), n_hidden, device=self._policy.device)
            self._states = (zeros, zeros)
        with _evaluating(self._policy):
            batch, _ = self._policy.obs_to_tensor(observations)
            assert isinstance(batch, torch.Tensor)
            starts = torch.as_tensor(episode_starts, dtype=torch.float32, device=batch.device)
            distribution, states = self._policy.get_distribution(batch, self._states, starts)
            self._states = (states[0], states[1])
            return _read_probabilities(distribution)


class GreedyActor:
    """
    A trained value-based policy, which takes the action of the highest value.

    :param policy: Of DQN or QR-DQN.
    """

    def __init__(self, policy: DQNPolicy | QRDQNPolicy) -> None:
        self._policy = policy

    def action_probabilities(
        self, observations: Observations, episode_starts: Flags
    ) -> Probabilities:
        """As the protocol says: 1 for the best action, 0 for the others."""
        with _evaluating(self._policy):
            batch, _ = self._policy.obs_to_tensor(observations)
            values = self._values(batch)
        if bool(values.isnan().any()):  # torch would take the first NaN for the highest value
            raise NotFiniteError(_CANNOT_CHOOSE)
        best = values.argmax(dim=1).cpu().numpy()
        assert isinstance(self._policy.action_space, spaces.Discrete)
        probabilities: Probabilities = np.eye(int(self._policy.action_space.n))[best]
        return probabilities

    def _values(self, batch: PyTorchObs) -> torch.Tensor:
        """(n_envs, n_actions), as the policies' own ``_predict`` has them."""
        if isinstance(self._policy, QRDQNPolicy):
            quantiles: torch.Tensor = self._policy.quantile_net(batch)
            return quantiles.mean(dim=1)
        values: torch.Tensor = self._policy.q_net(batch)
        return values


def make_actor(policy: BasePolicy) -> Actor:
    """
    The actor that plays as a policy does.

    :param policy: Of any algorithm of this package.
    """
    if isinstance(policy, Script):
        return policy
    if isinstance(policy, RecurrentActorCriticPolicy):
        return RecurrentActor(policy)
    if isinstance(policy, ActorCriticPolicy):
        return PolicyActor(policy)
    assert isinstance(policy, DQNPolicy | QRDQNPolicy)
    return GreedyActor(policy)


@contextmanager
def _evaluating(policy: BasePolicy) -> Iterator[None]:
    was_training = policy.training
    policy.set_training_mode(False)
    try:
        with torch.no_grad(), blaming_outputs(_CANNOT_CHOOSE):
            yield
    finally:
        policy.set_training_mode(was_training)


def _read_probabilities(distribution: Distribution) -> Probabilities:
    assert isinstance(distribution.distribution, Categorical)
    probabilities = np.asarray(distribution.distribution.probs.cpu())
    if not np.isfinite(probabilities).all():  # where torch was told not to look at them
        raise NotFiniteError(_CANNOT_CHOOSE)
    return probabilities
