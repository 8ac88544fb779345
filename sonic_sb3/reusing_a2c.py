"""The tutorial's A2C: many gradient steps per rollout."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from stable_baselines3 import A2C
from stable_baselines3.common.type_aliases import RolloutBufferSamples
from stable_baselines3.common.utils import explained_variance
from torch.nn import functional


class ReusingA2C(A2C):
    """
    A2C that goes over each rollout several times, in minibatches, without PPO's ratio and clip.

    After the first step the policy is no longer the one that played: the gradient is biased, and
    entropy may collapse within a few rollouts. It is here because the widely read tutorial "A2C
    with Sonic the Hedgehog" (T. Simonini) trains so; SB3's A2C makes one step per rollout.

    :param args: As ``A2C`` takes them.
    :param batch_size: Timesteps in a minibatch.
    :param n_epochs: How often each rollout is gone over.
    :param kwargs: As ``A2C`` takes them.
    """

    def __init__(self, *args: Any, batch_size: int = 256, n_epochs: int = 4, **kwargs: Any) -> None:
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        super().__init__(*args, **kwargs)

    def train(self) -> None:
        """Update the policy with the rollout just gathered."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        losses = []
        for _ in range(self.n_epochs):
            for minibatch in self.rollout_buffer.get(self.batch_size):
                loss, parts = self._compute_loss(minibatch)
                self.policy.optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
                self.policy.optimizer.step()
                losses.append(parts)
        self._n_updates += self.n_epochs
        buffer = self.rollout_buffer
        fit = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/explained_variance", fit)
        for name in losses[0]:
            self.logger.record(f"train/{name}", float(np.mean([parts[name] for parts in losses])))

    def _compute_loss(
        self, minibatch: RolloutBufferSamples
    ) -> tuple[torch.Tensor, dict[str, float]]:
        actions = minibatch.actions.long().flatten()
        values, log_prob, entropy = self.policy.evaluate_actions(minibatch.observations, actions)
        advantages = minibatch.advantages
        if self.normalize_advantage:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        policy_loss = -(advantages * log_prob).mean()
        value_loss = functional.mse_loss(minibatch.returns, values.flatten())
        assert entropy is not None
        entropy_loss = -entropy.mean()
        loss = policy_loss + self.ent_coef * entropy_loss + self.vf_coef * value_loss
        parts = {
            "entropy_loss": entropy_loss.item(),
            "policy_loss": policy_loss.item(),
            "value_loss": value_loss.item(),
        }
        return loss, parts
