"""The actor-critic policy of this package, as a class that a settings file can name."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticCnnPolicy
from stable_baselines3.common.type_aliases import Schedule

from sonic_sb3.errors import unknown_name
from sonic_sb3.policies.features import EXTRACTORS, SeparableConv2d


class SonicPolicy(ActorCriticCnnPolicy):
    """
    SB3's actor-critic CNN policy with a choice of feature extractors by name.

    Orthogonal initialisation: sqrt(2) for the features, 0.01 for the policy head, 1 for the value
    head; separable convolutions keep Glorot's. Both heads are single linear layers on shared
    features.

    :param observation_space: (n_stack, height, width) uint8 0..255.
    :param action_space: Discrete.
    :param lr_schedule: Learning rate as a function of the remaining progress.
    :param extractor: A name of :data:`EXTRACTORS`.
    :param features_dim: Width of the last shared layer.
    :param kwargs: As ``ActorCriticCnnPolicy`` takes them.
    :raises UnknownNameError: There is no such extractor.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule,
        *,
        extractor: str = "separable",
        features_dim: int = 512,
        **kwargs: Any,
    ) -> None:
        if extractor not in EXTRACTORS:
            raise unknown_name("extractor", extractor, EXTRACTORS)
        kwargs.setdefault("net_arch", [])
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            features_extractor_class=EXTRACTORS[extractor],
            features_extractor_kwargs={"features_dim": features_dim},
            **kwargs,
        )

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        for module in self.modules():
            if isinstance(module, SeparableConv2d):
                module.reset_parameters()
