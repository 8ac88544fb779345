"""Feature extractors: stacked grey frames in, (batch, features_dim) out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, NatureCNN
from torch import nn

from sonic_sb3.errors import SettingsError, unknown_name


class SeparableConv2d(nn.Module):
    """
    A depthwise convolution followed by a pointwise one, with nothing between; padding as
    TensorFlow's SAME.

    :param in_channels: Channels of the input.
    :param out_channels: Channels of the output.
    :param kernel_size: Side of the depthwise kernel.
    :param stride: Of the depthwise part.
    :param learns_composed: Multiply the two kernels into one dense kernel while gradients are
        wanted: the same function, and with few channels cheaper to differentiate.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        learns_composed: bool = False,
    ) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels, in_channels, kernel_size, stride, groups=in_channels, bias=False
        )
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)
        self.kernel_size = kernel_size
        self.stride = stride
        self.learns_composed = learns_composed

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """
        (batch, in_channels, height, width) to (batch, out_channels, ceil(h/stride),
        ceil(w/stride)).
        """
        left, right, top, bottom = self._same_padding(images.shape[-2], images.shape[-1])
        padding = (top, left)
        if left != right or top != bottom:  # the layers below pad both sides alike
            images = nn.functional.pad(images, [left, right, top, bottom])
            padding = (0, 0)
        if self.learns_composed and torch.is_grad_enabled():
            kernel = self.pointwise.weight * self.depthwise.weight.transpose(0, 1)
            bias = self.pointwise.bias
            return nn.functional.conv2d(images, kernel, bias, self.stride, padding)
        depth = nn.functional.conv2d(
            images, self.depthwise.weight, None, self.stride, padding, groups=images.shape[1]
        )
        out: torch.Tensor = self.pointwise(depth)
        return out

    def reset_parameters(self) -> None:
        """
        Glorot's uniform initialisation, the default of the TensorFlow layer that this follows.
        """
        nn.init.xavier_uniform_(self.depthwise.weight)
        nn.init.xavier_uniform_(self.pointwise.weight)
        assert self.pointwise.bias is not None
        nn.init.zeros_(self.pointwise.bias)

    def _same_padding(self, height: int, width: int) -> list[int]:
        padding = []
        for size in (width, height):  # torch pads the last axis first
            total = max((-(-size // self.stride) - 1) * self.stride + self.kernel_size - size, 0)
            padding += [total // 2, total - total // 2]
        return padding


class _ConvolutionsThenLinear(BaseFeaturesExtractor):
    """
    Some convolutions and one fully connected layer with ReLU.

    :param observation_space: (n_stack, height, width) uint8, divided by 255 before it comes here.
    :param convolutions: (batch, n_stack, height, width) to (batch, channels, height, width).
    :param features_dim: Width of the fully connected layer.
    """

    def __init__(
        self, observation_space: spaces.Box, convolutions: nn.Sequential, features_dim: int
    ) -> None:
        super().__init__(observation_space, features_dim)
        self.convolutions = convolutions
        with torch.no_grad():
            n_flat = convolutions(torch.zeros(1, *observation_space.shape)).numel()
        self.linear = nn.Sequential(nn.Flatten(), nn.Linear(n_flat, features_dim), nn.ReLU())

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """(batch, n_stack, height, width) float 0..1 to (batch, features_dim)."""
        features: torch.Tensor = self.linear(self.convolutions(observations))
        return features


class SeparableCNN(_ConvolutionsThenLinear):
    """
    Borghi's network: three depthwise-separable convolutions, 32@8s4, 64@4s2, 48@3s1, then 512.

    Source: the ``retro_contest_agent`` of Alexandre Borghi (third of the Retro Contest). ReLU comes
    after the pointwise part only.

    :param observation_space: As the policy gives it.
    :param features_dim: Width of the fully connected layer.
    """

    def __init__(self, observation_space: spaces.Box, features_dim: int = 512) -> None:
        convolutions = nn.Sequential(
            SeparableConv2d(observation_space.shape[0], 32, 8, stride=4, learns_composed=True),
            nn.ReLU(),
            SeparableConv2d(32, 64, kernel_size=4, stride=2, learns_composed=True),
            nn.ReLU(),
            SeparableConv2d(64, 48, kernel_size=3, stride=1),
            nn.ReLU(),
        )
        super().__init__(observation_space, convolutions, features_dim)


class BlogCNN(_ConvolutionsThenLinear):
    """
    The same filters as plain convolutions, as a blog post on Sonic describes them: 32@8s4, 64@4s2,
    48@3s1.

    :param observation_space: As the policy gives it.
    :param features_dim: Width of the fully connected layer.
    """

    def __init__(self, observation_space: spaces.Box, features_dim: int = 512) -> None:
        convolutions = nn.Sequential(
            nn.Conv2d(observation_space.shape[0], 32, kernel_size=8, stride=4),
            nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=4, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 48, kernel_size=3, stride=1),
            nn.ReLU(),
        )
        super().__init__(observation_space, convolutions, features_dim)


EXTRACTORS: dict[str, type[BaseFeaturesExtractor]] = {
    "separable": SeparableCNN,
    "blog": BlogCNN,
    "nature": NatureCNN,
}


def extractor_kwargs(
    extractor: str, features_dim: int, others: Collection[str] = ()
) -> dict[str, Any]:
    """
    What an SB3 policy is told to use an extractor.

    :param extractor: A name of :data:`EXTRACTORS`.
    :param features_dim: Width of its last layer.
    :param others: Names of the policy's other arguments.
    :raises UnknownNameError: There is no such extractor.
    :raises SettingsError: Another argument says it a second time.
    """
    if extractor not in EXTRACTORS:
        raise unknown_name("extractor", extractor, EXTRACTORS)
    for name in ("features_extractor_class", "features_extractor_kwargs"):
        if name in others:
            raise SettingsError(
                f"{name}: expected extractor ({', '.join(EXTRACTORS)}) and features_dim in its "
                "place; an extractor of your own goes into SB3's own policies"
            )
    return {
        "features_extractor_class": EXTRACTORS[extractor],
        "features_extractor_kwargs": {"features_dim": features_dim},
    }


def with_extractor_named(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """
    What a policy is saved with, as this package's policies take it when they are loaded.

    :param parameters: As SB3's policies give it: with what :func:`extractor_kwargs` told them.
    """
    told = dict(parameters)
    chosen, its_kwargs = told.pop("features_extractor_class"), told.pop("features_extractor_kwargs")
    (extractor,) = (name for name, kind in EXTRACTORS.items() if kind is chosen)
    return {**told, "extractor": extractor, "features_dim": its_kwargs["features_dim"]}
