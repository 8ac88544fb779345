"""The actor-critic policy of this package, as a class that a settings file can name."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import ActorCriticCnnPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule

from sonic_sb3.errors import SettingsError
from sonic_sb3.machine import keep_freed_memory
from sonic_sb3.policies.features import (
    SeparableConv2d,
    extractor_kwargs,
    with_extractor_named,
)
from sonic_sb3.policies.fused_adam import can_be_fused, exchange_plain_states
from sonic_sb3.policies.precision import DTYPES, settled_precision


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
    :param precision: Of the arithmetic of the gradient steps: ``float32`` (convolutions of a GPU in
        TF32, as torch has it), ``bfloat16`` (weights, losses and the optimiser stay in float32), or
        ``auto``: ``bfloat16`` where the device computes in it.
    :param runs_fast: Keep images channels last in memory, fuse the optimiser's step and let the
        process keep memory that it frees; results are those of SB3 up to rounding. Off, they are
        those of SB3 to the bit.
    :param kwargs: As ``ActorCriticCnnPolicy`` takes them; both heads share their features.
    :raises UnknownNameError: There is no such extractor or precision.
    :raises SettingsError: Features that are not shared, or an extractor by SB3's arguments.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule,
        *,
        extractor: str = "separable",
        features_dim: int = 512,
        precision: str = "float32",
        runs_fast: bool = True,
        **kwargs: Any,
    ) -> None:
        told = extractor_kwargs(extractor, features_dim, kwargs)
        if not kwargs.get("share_features_extractor", True):
            raise SettingsError(
                "share_features_extractor: expected true, both heads of this policy share their "
                "features; SB3's CnnPolicy can do without"
            )
        self._runs_fast = runs_fast
        self.use_precision(precision)
        if runs_fast:
            keep_freed_memory()
        kwargs.setdefault("net_arch", [])
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            **told,
            **kwargs,
        )

    def _build(self, lr_schedule: Schedule) -> None:
        if self._runs_fast and can_be_fused(self.optimizer_class, self.optimizer_kwargs):
            self.optimizer_kwargs = {"fused": True, **self.optimizer_kwargs}
        super()._build(lr_schedule)
        if self._runs_fast and self.optimizer_kwargs.get("fused"):
            exchange_plain_states(self.optimizer)
        for module in self.modules():
            if isinstance(module, SeparableConv2d):
                module.reset_parameters()
                module.learns_composed &= self._runs_fast
        if self._runs_fast:
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            **with_extractor_named(super()._get_constructor_parameters()),
            "precision": self._precision,
            "runs_fast": self._runs_fast,
        }

    def parameters_to_vector(self) -> npt.NDArray[Any]:
        """All weights in a row, whatever their order in memory; as SB3's."""
        weights = [weight.detach().reshape(-1) for weight in self.parameters()]
        vector: npt.NDArray[Any] = torch.cat(weights).cpu().numpy()
        return vector

    def load_from_vector(self, vector: npt.NDArray[Any]) -> None:
        """
        Take weights out of a row.

        :param vector: As :meth:`parameters_to_vector` gives it.
        """
        values = torch.as_tensor(vector, dtype=self.dtype, device=self.device)
        begin = 0
        with torch.no_grad():  # into the tensors that are there: the optimiser knows their layout
            for weight in self.parameters():
                end = begin + weight.numel()
                weight.copy_(values[begin:end].view(weight.shape))
                begin = end

    def use_precision(self, precision: str) -> None:
        """
        Compute gradient steps in this precision from now on.

        :raises UnknownNameError: There is no such precision.
        :raises SettingsError: It is a part of ``runs_fast``, which is off.
        """
        settled_precision(precision, "cpu")  # complains about an unknown one
        if precision == "bfloat16" and not self._runs_fast:
            raise SettingsError(f"precision {precision}: expected runs_fast, which it is a part of")
        self._precision = precision if self._runs_fast else "float32"

    @property
    def precision(self) -> str:
        """Of the gradient steps on the policy's device: ``float32`` or ``bfloat16``."""
        return settled_precision(self._precision, self.device)

    def extract_features(  # type: ignore[override]  # ActorCriticPolicy has it so
        self,
        obs: PyTorchObs,
        features_extractor: BaseFeaturesExtractor | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """(batch, n_stack, height, width) uint8 to (batch, features_dim)."""
        if not self._runs_fast or not isinstance(obs, torch.Tensor):
            return super().extract_features(obs, features_extractor)
        kind = obs.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
        images = _channels_last(obs).to(dtype or self.dtype)
        if self.normalize_images:
            images = images.div_(255.0)  # in place: they are a copy
        extractor = features_extractor or self.features_extractor
        features: torch.Tensor = extractor(images)
        return features

    def evaluate_actions(
        self, obs: PyTorchObs, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """
        As SB3's, in the precision chosen.

        :returns: Values (batch, 1), log probabilities (batch,) and entropies (batch,), float32.
        """
        dtype = DTYPES[self.precision]
        if dtype is None:
            return super().evaluate_actions(obs, actions)
        with torch.autocast(self.device.type, dtype):
            features = self.extract_features(obs)
            assert isinstance(features, torch.Tensor)
            latent_pi, latent_vf = self.mlp_extractor(features)
        # Heads and losses in float32: they cost nothing, and small differences matter there.
        distribution = self._get_action_dist_from_latent(latent_pi.float())
        values = self.value_net(latent_vf.float())
        return values, distribution.log_prob(actions), distribution.entropy()

    # SB3 goes past an overridden `extract_features` in the next two.

    def get_distribution(self, obs: PyTorchObs) -> Distribution:
        """The distribution over actions, for (batch, n_stack, height, width) uint8."""
        features = self.extract_features(obs, self.pi_features_extractor)
        assert isinstance(features, torch.Tensor)
        return self._get_action_dist_from_latent(self.mlp_extractor.forward_actor(features))

    def predict_values(self, obs: PyTorchObs) -> torch.Tensor:
        """(batch, n_stack, height, width) uint8 to (batch, 1)."""
        features = self.extract_features(obs, self.vf_features_extractor)
        assert isinstance(features, torch.Tensor)
        values: torch.Tensor = self.value_net(self.mlp_extractor.forward_critic(features))
        return values

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return self.value_net.weight.dtype


def _channels_last(images: torch.Tensor) -> torch.Tensor:
    """
    (batch, channels, height, width) with the channels last in memory.

    Three times as fast as torch's own conversion where there are few channels, of one byte each.
    """
    return torch.stack(images.unbind(1), -1).permute(0, 3, 1, 2)
