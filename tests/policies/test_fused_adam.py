"""States of the optimiser between policies whose weights lie otherwise in memory."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from sonic_sb3.policies import EXTRACTORS, SonicPolicy

SPACE = gym.spaces.Box(0, 255, (4, 64, 64), np.uint8)


def make_policy(runs_fast: bool, **kwargs: Any) -> SonicPolicy:
    torch.manual_seed(0)
    return SonicPolicy(
        SPACE,
        gym.spaces.Discrete(7),
        lambda _: 1e-3,
        **{"extractor": "nature", "runs_fast": runs_fast, **kwargs},
    )


def step(policy: SonicPolicy, seed: int) -> list[torch.Tensor]:
    """Weights after a step along gradients of a seed, channels first."""
    generator = torch.Generator().manual_seed(seed)
    for weight in policy.parameters():
        weight.grad = torch.empty_like(weight).copy_(
            1e-3 * torch.randn(weight.shape, generator=generator)
        )
    policy.optimizer.step()
    return [weight.detach().clone().contiguous() for weight in policy.parameters()]


@pytest.mark.parametrize("of_fast", [True, False])
@pytest.mark.parametrize("into_fast", [True, False])
def test_states_are_exchanged_without_a_word_to_anybody(of_fast: bool, into_fast: bool) -> None:
    source, target = make_policy(of_fast), make_policy(into_fast)
    for seed in range(5):
        step(source, seed)
    # As SB3's `set_parameters`: the weights into those that are there, then the optimiser's state.
    target.load_state_dict(source.state_dict())
    target.optimizer.load_state_dict(copy.deepcopy(source.optimizer.state_dict()))
    for expected, got in zip(step(source, 9), step(target, 9), strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)
    assert bool(target.optimizer.param_groups[0]["fused"]) is into_fast
    assert all(
        state["exp_avg"].stride() == weight.stride()
        for weight, state in target.optimizer.state.items()
    )


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_weights_in_a_row(extractor: str) -> None:
    fast, plain = (make_policy(runs_fast, extractor=extractor) for runs_fast in (True, False))
    vector = fast.parameters_to_vector()
    np.testing.assert_array_equal(vector, plain.parameters_to_vector())
    for policy in (fast, plain):
        step(policy, 0)
        policy.load_from_vector(vector)
    np.testing.assert_array_equal(fast.parameters_to_vector(), vector)
    for expected, got in zip(step(plain, 1), step(fast, 1), strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)


class OwnAdam(torch.optim.Adam):
    """Takes what its author thought of."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, lr=lr)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"optimizer_class": OwnAdam, "optimizer_kwargs": {}},
        {"optimizer_kwargs": {"differentiable": True}},
        {"optimizer_kwargs": {"foreach": False}},
        {"optimizer_kwargs": {"fused": False}},
        {"optimizer_class": torch.optim.SGD, "optimizer_kwargs": {}},
    ],
)
def test_other_optimisers_are_left_alone(kwargs: dict[str, Any]) -> None:
    policy = make_policy(True, **kwargs)
    assert not policy.optimizer.param_groups[0].get("fused")
