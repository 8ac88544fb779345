"""
Training stops where a loss, a gradient or a weight becomes NaN or infinite.

What it costs: one small tensor looked at per gradient step, all weights once per rollout. SB3 clips
gradients by their common norm, so one NaN among them makes all of them NaN, and the smallest tells;
an infinite one makes NaN of itself, and is found in the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from sonic_sb3.errors import NotFiniteError


class StopAtNotFinite(BaseCallback):
    """
    Looks at losses and weights after each update, at a gradient before each gradient step.

    Comes before whatever saves anything in the list of callbacks, so that nothing bad is saved.
    """

    def _on_training_start(self) -> None:
        optimizer = getattr(self.model.policy, "optimizer", None)
        if isinstance(optimizer, torch.optim.Optimizer):
            self._hook = optimizer.register_step_pre_hook(self._check_gradient)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        check_finite(self.model)

    def _on_training_end(self) -> None:
        check_finite(self.model)
        if hasattr(self, "_hook"):
            self._hook.remove()

    def _check_gradient(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        gradients = [w.grad for group in optimizer.param_groups for w in group["params"]]
        smallest = min((g for g in gradients if g is not None), key=torch.numel, default=None)
        if smallest is not None and not bool(torch.isfinite(smallest).all()):
            raise _error(self.model, "a gradient is NaN or infinite" + _blame_rollout(self.model))


def check_finite(model: BaseAlgorithm) -> None:
    """
    Accept a model whose logged losses and whose weights are numbers.

    :raises NotFiniteError: Says what is not, and at which timestep.
    """
    for name, value in model.logger.name_to_value.items():
        if name == "train/explained_variance":
            continue  # NaN by definition where all returns of a rollout are the same
        if name.startswith("train/") and not math.isfinite(value):
            raise _error(model, f"{name.removeprefix('train/')} is {value}")
    bad_weight = _find_not_finite(model.policy)
    if bad_weight is not None:
        raise _error(model, f"weight {bad_weight} has NaN or infinity in it")


def check_outputs(model: BaseAlgorithm) -> None:
    """
    Accept a model that can still choose actions: finite weights can overflow on their way.

    :raises NotFiniteError: It cannot.
    """
    if not any(True for _ in model.policy.parameters()):
        return  # a script: asking it would play a step of it
    with blaming_numbers(model):
        model.policy.predict(model._last_obs, deterministic=True)  # type: ignore[arg-type]


@contextmanager
def blaming_numbers(model: BaseAlgorithm) -> Iterator[None]:
    """
    Within this block, torch's complaint about a distribution of NaN becomes our error.

    :raises NotFiniteError: Instead of the ValueError.
    """

    def find_cause() -> NotFiniteError:
        name = _find_not_finite(model.policy)
        what = f"weight {name} has" if name else "the policy's outputs have"
        return _error(model, f"{what} NaN or infinity in it")

    with _in_place_of_torchs(find_cause):
        yield


@contextmanager
def blaming_outputs(message: str) -> Iterator[None]:
    """
    As :func:`blaming_numbers`, of an agent that only plays.

    :param message: Of the error.
    :raises NotFiniteError: Instead of the ValueError.
    """
    with _in_place_of_torchs(lambda: NotFiniteError(message)):
        yield


@contextmanager
def _in_place_of_torchs(make_error: Callable[[], NotFiniteError]) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        if "invalid values" not in str(error) or "distribution" not in str(error):
            raise
        raise make_error() from error


def _find_not_finite(policy: torch.nn.Module) -> str | None:
    """The first weight with NaN or infinity; a sum tells of nearly all that there is none."""
    weights = dict(policy.named_parameters())
    if not weights:
        return None
    with torch.no_grad():
        sums = torch.stack([weight.sum(dtype=torch.float32) for weight in weights.values()])
        if bool(torch.isfinite(sums).all()):
            return None
        suspects = [name for name, weight in weights.items() if not torch.isfinite(weight).all()]
    return suspects[0] if suspects else None


def _blame_rollout(model: BaseAlgorithm) -> str:
    """What of the rollout was not finite before any gradient was."""
    buffer = getattr(model, "rollout_buffer", None)
    for name in ("rewards", "values", "advantages"):
        values = getattr(buffer, name, None)
        if values is not None and not np.isfinite(values).all():
            return f", after NaN or infinity among the rollout's {name}"
    return ""


def _error(model: BaseAlgorithm, what: str) -> NotFiniteError:
    return NotFiniteError(f"at timestep {model.num_timesteps} {what}")
