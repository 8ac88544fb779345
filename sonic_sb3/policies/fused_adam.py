"""Adam in one fused step, over weights that lie in memory with their channels last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

# Choices of a user's own that leave no room for a fused step, or have made it already.
_OWN_CHOICES = frozenset({"foreach", "fused", "differentiable"})


def can_be_fused(optimizer_class: type[Any], optimizer_kwargs: Mapping[str, Any]) -> bool:
    """
    Whether an optimiser takes ``fused=True``.

    :param optimizer_class: A subclass may have a constructor of its own.
    :param optimizer_kwargs: As its user gave them.
    """
    is_adam = optimizer_class in (torch.optim.Adam, torch.optim.AdamW)
    return is_adam and not _OWN_CHOICES & optimizer_kwargs.keys()


def exchange_plain_states(optimizer: torch.optim.Optimizer) -> None:
    """
    Let a fused optimiser give and take states as any other does.

    A fused step walks through weights and moments in the order of memory. What ``state_dict``
    gives lies channels first and is not marked as fused, so that an optimiser of other weights may
    have it; what ``load_state_dict`` takes is laid out as the weights are.
    """
    optimizer.register_state_dict_post_hook(_to_plain)
    optimizer.register_load_state_dict_post_hook(_settle)


def _to_plain(optimizer: torch.optim.Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:
    state = {
        index: {k: v.contiguous() if isinstance(v, torch.Tensor) else v for k, v in of_one.items()}
        for index, of_one in state_dict["state"].items()
    }
    groups = [{**group, "fused": None} for group in state_dict["param_groups"]]
    return {**state_dict, "state": state, "param_groups": groups}


def _settle(optimizer: torch.optim.Optimizer) -> None:
    """Mark it as fused again, and lay out moments as weights: it pairs them in memory's order."""
    for group in optimizer.param_groups:
        group["fused"] = True
    for weight, state in optimizer.state.items():
        if isinstance(state.get("step"), torch.Tensor):  # a fused step wants it beside the weight
            state["step"] = state["step"].to(device=weight.device, dtype=torch.float32)
        for key, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == weight.shape:
                state[key] = torch.empty_like(weight, dtype=value.dtype).copy_(value)
