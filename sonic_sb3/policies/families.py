"""Policies for algorithms that an actor-critic policy does not fit, with the same extractors."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticCnnPolicy
from sb3_contrib.qrdqn.policies import QRDQNPolicy
from stable_baselines3.common.type_aliases import Schedule
from stable_baselines3.dqn.policies import DQNPolicy

from sonic_sb3.policies.features import SeparableConv2d, extractor_kwargs, with_extractor_named


class SonicDQNPolicy(DQNPolicy):
    """
    SB3's DQN policy; the action values are one linear layer on the extractor's features.

    :param observation_space: (n_stack, height, width) uint8 0..255.
    :param action_space: Discrete.
    :param lr_schedule: Learning rate as a function of the remaining progress.
    :param extractor: A name of :data:`EXTRACTORS`.
    :param features_dim: Width of the last shared layer.
    :param kwargs: As ``DQNPolicy`` takes them.
    :raises UnknownNameError: There is no such extractor.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Discrete,
        lr_schedule: Schedule,
        *,
        extractor: str = "separable",
        features_dim: int = 512,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("net_arch", [])
        kwargs |= extractor_kwargs(extractor, features_dim, kwargs)
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return with_extractor_named(super()._get_constructor_parameters())


class SonicQRDQNPolicy(QRDQNPolicy):
    """
    sb3-contrib's QR-DQN policy; the quantiles are one linear layer on the extractor's features.

    :param observation_space: (n_stack, height, width) uint8 0..255.
    :param action_space: Discrete.
    :param lr_schedule: Learning rate as a function of the remaining progress.
    :param extractor: A name of :data:`EXTRACTORS`.
    :param features_dim: Width of the last shared layer.
    :param kwargs: As ``QRDQNPolicy`` takes them, ``n_quantiles`` among them.
    :raises UnknownNameError: There is no such extractor.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Discrete,
        lr_schedule: Schedule,
        *,
        extractor: str = "separable",
        features_dim: int = 512,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("net_arch", [])
        kwargs |= extractor_kwargs(extractor, features_dim, kwargs)
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return with_extractor_named(super()._get_constructor_parameters())


class SonicRecurrentPolicy(RecurrentActorCriticCnnPolicy):
    """
    sb3-contrib's recurrent policy: extractor, LSTM, and one linear layer per head.

    :param observation_space: (n_stack, height, width) uint8 0..255.
    :param action_space: Discrete.
    :param lr_schedule: Learning rate as a function of the remaining progress.
    :param extractor: A name of :data:`EXTRACTORS`.
    :param features_dim: Width of the layer before the LSTM.
    :param kwargs: As ``RecurrentActorCriticCnnPolicy`` takes them.
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
        kwargs.setdefault("net_arch", [])
        kwargs |= extractor_kwargs(extractor, features_dim, kwargs)
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        for module in self.modules():
            if isinstance(module, SeparableConv2d):
                module.reset_parameters()  # Glorot's, as in SonicPolicy

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            **with_extractor_named(super()._get_constructor_parameters()),
            # sb3-contrib forgets these.
            "lstm_hidden_size": self.lstm_output_dim,
            "n_lstm_layers": self.lstm_hidden_state_shape[0],
            "shared_lstm": self.shared_lstm,
            "enable_critic_lstm": self.enable_critic_lstm,
            "lstm_kwargs": self.lstm_kwargs,
        }
