"""The frame buffer against SB3's own, to the bit."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.buffers import RolloutBuffer

from sonic_sb3.errors import SettingsError
from sonic_sb3.policies.rollout_buffer import FrameRolloutBuffer

N_STEPS, N_ENVS, N_STACK = 17, 3, 4


def fill_both(seed: int, done_prob: float, n_channels: int = 1, device: str = "cpu") -> list[Any]:
    rng = np.random.default_rng(seed)
    kwargs: dict[str, Any] = {"device": device, "n_envs": N_ENVS}
    kwargs |= {"gae_lambda": 0.95, "gamma": 0.99}
    space = gym.spaces.Box(0, 255, (N_STACK * n_channels, 12, 10), np.uint8)
    buffers: list[Any] = [
        RolloutBuffer(N_STEPS, space, gym.spaces.Discrete(7), **kwargs),
        FrameRolloutBuffer(N_STEPS, space, gym.spaces.Discrete(7), n_channels=n_channels, **kwargs),
    ]
    stacks = np.zeros((N_ENVS, *space.shape), np.uint8)
    starts = np.ones(N_ENVS, bool)
    for rollout in range(3):
        for buffer in buffers:
            buffer.reset()
        for _ in range(N_STEPS):
            stacks[starts] = 0
            stacks[:, :-n_channels] = stacks[:, n_channels:].copy()
            stacks[starts, :-n_channels] = 0
            stacks[:, -n_channels:] = rng.integers(0, 256, (N_ENVS, n_channels, 12, 10))
            action = rng.integers(0, 7, (N_ENVS, 1))
            reward = rng.random(N_ENVS)
            value, log_prob = torch.rand(N_ENVS), torch.rand(N_ENVS)
            for buffer in buffers:
                buffer.add(stacks, action, reward, starts, value, log_prob)
            starts = rng.random(N_ENVS) < done_prob
        last_values = torch.rand(N_ENVS)
        for buffer in buffers:
            buffer.compute_returns_and_advantage(last_values, starts)
        assert rollout >= 0
    return buffers


@pytest.mark.parametrize("done_prob", [0.0, 0.2, 0.7])
@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_minibatches_are_those_of_sb3(
    done_prob: float, batch_size: int | None, n_channels: int
) -> None:
    stock, ours = fill_both(1, done_prob, n_channels)
    for epoch in range(2):
        batches = []
        for buffer in (stock, ours):
            np.random.seed(epoch)  # noqa: NPY002 - what SB3's buffer draws from
            batches.append(list(buffer.get(batch_size)))
        assert len(batches[0]) == len(batches[1])
        for expected, got in zip(*batches, strict=True):
            for field in expected._fields:
                one, other = getattr(expected, field), getattr(got, field)
                assert one.dtype == other.dtype, field
                assert torch.equal(one, other), field


def test_minibatches_are_where_the_policy_is() -> None:
    """Torch's `meta` device, which computes shapes only, refuses what mixes devices as GPUs do."""
    _, ours = fill_both(1, 0.2, device="meta")
    for batch in ours.get(8):
        assert {field.device.type for field in batch} == {"meta"}
        assert batch.observations.shape[1:] == (N_STACK, 12, 10)
    ours.reset()
    assert ours._frames_on_device.numel() == 0  # nothing is kept beside the next rollout


def test_frames_take_a_quarter_of_the_memory() -> None:
    stock, ours = fill_both(1, 0.1)
    assert ours._frames.nbytes < stock.observations.nbytes / N_STACK * 1.2


def test_stacks_of_another_kind_are_refused() -> None:
    space = gym.spaces.Box(0, 255, (N_STACK * 3, 12, 10), np.uint8)
    rng = np.random.default_rng(0)
    for is_start, n_channels in ((False, 1), (True, 3)):
        buffer = FrameRolloutBuffer(
            N_STEPS, space, gym.spaces.Discrete(7), n_channels=n_channels, device="cpu"
        )
        rest = np.zeros((1, 1)), np.zeros(1), np.array([is_start]), torch.zeros(1), torch.zeros(1)
        stacks = rng.integers(1, 256, (1, *space.shape), dtype=np.uint8)
        buffer.add(stacks, *rest)
        # A colour stack goes on by three channels, and an episode begins with nothing before it.
        stacks = np.concatenate([stacks[:, 3:], stacks[:, :3]], axis=1)
        with pytest.raises(SettingsError, match="expected stacks of"):
            buffer.add(stacks, *rest)


def test_observations_that_are_no_bytes_are_refused() -> None:
    space = gym.spaces.Box(-10, 10, (N_STACK, 12, 10), np.float32)
    with pytest.raises(SettingsError, match="expected pictures of uint8"):
        FrameRolloutBuffer(N_STEPS, space, gym.spaces.Discrete(7), device="cpu")
