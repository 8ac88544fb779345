"""What each family of algorithms remembers between two rollouts, beside weights and optimiser."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sb3_contrib import RecurrentPPO
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from sonic_sb3.policies.replay_buffer import FrameReplayBuffer
from sonic_sb3.scripts import ScriptedAlgorithm

_OFF_POLICY_COUNTERS = ("_n_calls", "exploration_rate")


def read_algorithm_state(model: BaseAlgorithm) -> dict[str, Any]:
    """
    Read it as plain data; the rows of a replay buffer are saved apart from it.

    :param model: Between two rollouts.
    """
    state: dict[str, Any] = {
        "last_obs": np.array(model._last_obs),
        "last_episode_starts": np.array(model._last_episode_starts),
    }
    if isinstance(model, RecurrentPPO):
        assert model._last_lstm_states is not None
        state["lstm"] = [
            tensor.detach().cpu().numpy().copy()
            for pair in model._last_lstm_states
            for tensor in pair
        ]
    if isinstance(model, OffPolicyAlgorithm):
        state["counters"] = {name: getattr(model, name) for name in _OFF_POLICY_COUNTERS}
        # Exploration draws from the action space.
        state["action_random"] = model.action_space.np_random.bit_generator.state
        state["replay"] = find_replay_buffer(model).get_snapshot()
    if isinstance(model, ScriptedAlgorithm):
        state["script"] = model.policy.get_snapshot()
    return state


def write_algorithm_state(model: BaseAlgorithm, state: dict[str, Any]) -> None:
    """
    Put it back.

    :param model: Of the same settings; the rows of its replay buffer are back already.
    :param state: Of :func:`read_algorithm_state`.
    """
    model._last_obs = state["last_obs"]
    model._last_original_obs = None
    model._last_episode_starts = state["last_episode_starts"]
    if isinstance(model, RecurrentPPO):
        tensors = [torch.from_numpy(array).to(model.device) for array in state["lstm"]]
        model._last_lstm_states = RNNStates(  # type: ignore[assignment]
            (tensors[0], tensors[1]), (tensors[2], tensors[3])
        )
    if isinstance(model, OffPolicyAlgorithm):
        for name in _OFF_POLICY_COUNTERS:
            setattr(model, name, state["counters"][name])
        model.action_space.np_random.bit_generator.state = state["action_random"]
        find_replay_buffer(model).set_snapshot(state["replay"], state["last_obs"])
    if isinstance(model, ScriptedAlgorithm):
        model.policy.set_snapshot(state["script"])


def find_optimizer(model: BaseAlgorithm) -> torch.optim.Optimizer | None:
    """The optimiser of an algorithm that learns by gradients."""
    return getattr(model.policy, "optimizer", None)


def find_replay_buffer(model: BaseAlgorithm) -> FrameReplayBuffer:
    """The replay buffer of an off-policy algorithm that this package has built."""
    assert isinstance(model, OffPolicyAlgorithm)
    assert isinstance(model.replay_buffer, FrameReplayBuffer)
    return model.replay_buffer
