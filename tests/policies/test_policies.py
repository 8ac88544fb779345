"""The networks against the sources' numbers and against slow references."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn

from sonic_sb3.errors import UnknownNameError
from sonic_sb3.policies import EXTRACTORS, SonicPolicy
from sonic_sb3.policies.features import BlogCNN, SeparableCNN, SeparableConv2d

SPACE = gym.spaces.Box(0, 255, (4, 96, 96), np.uint8)


def make_policy(extractor: str) -> SonicPolicy:
    return SonicPolicy(SPACE, gym.spaces.Discrete(7), lambda _: 1e-4, extractor=extractor)


def test_borghis_network_has_his_number_of_parameters() -> None:
    assert sum(p.numel() for p in make_policy("separable").parameters()) == 3_550_296


@pytest.mark.parametrize(
    ("extractor", "shapes"),
    [
        ("separable", [(32, 24, 24), (64, 12, 12), (48, 12, 12)]),
        ("blog", [(32, 23, 23), (64, 10, 10), (48, 8, 8)]),
    ],
)
def test_shapes_between_the_layers(extractor: str, shapes: list[tuple[int, ...]]) -> None:
    features = make_policy(extractor).features_extractor
    assert isinstance(features, SeparableCNN | BlogCNN)
    images = torch.zeros(1, 4, 96, 96)
    seen = []
    for layer in features.convolutions:
        images = layer(images)
        if isinstance(layer, nn.ReLU):
            seen.append(tuple(images.shape[1:]))
    assert seen == shapes


@pytest.mark.parametrize("size", [96, 84, 65])
@pytest.mark.parametrize(("kernel", "stride"), [(8, 4), (4, 2), (3, 1)])
def test_separable_convolution_is_its_definition(size: int, kernel: int, stride: int) -> None:
    """Output pixel by output pixel: first each channel on its own, then a mix of the channels."""
    torch.manual_seed(0)
    layer = SeparableConv2d(2, 3, kernel, stride)
    images = torch.randn(1, 2, size, size)
    out = layer(images)
    n_out = -(-size // stride)
    assert out.shape == (1, 3, n_out, n_out)
    total = max((n_out - 1) * stride + kernel - size, 0)
    padded = nn.functional.pad(images, [total // 2, total - total // 2] * 2)
    for row, column in [(0, 0), (n_out // 2, 1), (n_out - 1, n_out - 1)]:
        y, x = row * stride, column * stride
        patch = padded[0, :, y : y + kernel, x : x + kernel]
        depth = (patch * layer.depthwise.weight[:, 0]).sum(dim=(1, 2))
        pixel = layer.pointwise.weight[:, :, 0, 0] @ depth + layer.pointwise.bias
        torch.testing.assert_close(out[0, :, row, column], pixel, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_orthogonal_initialisation(extractor: str) -> None:
    torch.manual_seed(0)
    policy = make_policy(extractor)
    linears = [m for m in policy.features_extractor.modules() if isinstance(m, nn.Linear)]
    for weight, gain in (
        (linears[-1].weight, 2**0.5),
        (policy.action_net.weight, 0.01),
        (policy.value_net.weight, 1.0),
    ):
        gram = weight @ weight.T
        identity = gain**2 * torch.eye(len(gram))
        torch.testing.assert_close(gram, identity, rtol=1e-4, atol=1e-4 * gain**2)


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_policy_acts_on_bytes(extractor: str) -> None:
    observations = np.random.default_rng(0).integers(0, 256, (5, 4, 96, 96), np.uint8)
    actions, _ = make_policy(extractor).predict(observations)
    assert actions.shape == (5,)
    assert set(actions.tolist()) <= set(range(7))


def test_adam_epsilon() -> None:
    assert make_policy("separable").optimizer.param_groups[0]["eps"] == 1e-5


def test_unknown_extractor_names_the_closest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'separable'"):
        make_policy("seperable")
