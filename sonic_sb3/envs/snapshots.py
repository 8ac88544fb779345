"""The whole state of an env as plain data, to be put into another one of the same making."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from sonic_sb3.errors import EmulatorError

# State of wrappers that are not ours. A wrapper or env of one's own names its state in an attribute
# `snapshot_attributes`, or has methods `get_snapshot` and `set_snapshot`.
_FOREIGN_STATE: dict[type, tuple[str, ...]] = {
    gym.wrappers.TimeLimit: ("_elapsed_steps",),
    gym.wrappers.OrderEnforcing: ("_has_reset",),
    gym.wrappers.PassiveEnvChecker: (),
}

Snapshot = list[dict[str, Any]]


class UnknownStateError(EmulatorError):
    """An env or wrapper that does not tell what its state is."""


def take_snapshot(env: gym.Env[Any, Any]) -> Snapshot:
    """
    Read the state of an env and of all wrappers around it.

    :param env: The env.
    :returns: Plain data, one mapping per layer, outermost first.
    :raises UnknownStateError: A layer does not tell its state.
    """
    return [_read_layer(layer) for layer in _layers(env)]


def restore_snapshot(env: gym.Env[Any, Any], snapshot: Snapshot) -> None:
    """
    Put a state back. What the env does from then on is what it did after the snapshot.

    :param env: An env of the same making.
    :param snapshot: Of :func:`take_snapshot`.
    :raises EmulatorError: The snapshot is of another env.
    """
    layers = _layers(env)
    if len(layers) != len(snapshot):
        raise EmulatorError(f"a snapshot of {len(snapshot)} layers for an env of {len(layers)}")
    for layer, state in zip(layers, snapshot, strict=True):
        if hasattr(layer, "set_snapshot"):
            layer.set_snapshot(state)
            continue
        if set(state) != set(_state_attributes(layer)):
            raise EmulatorError(
                f"a snapshot of another env: {type(layer).__name__} has {set(state)}"
            )
        for name, value in state.items():
            setattr(layer, name, np.array(value) if isinstance(value, np.ndarray) else value)


def _layers(env: gym.Env[Any, Any]) -> list[Any]:
    layers = [env]
    while isinstance(layers[-1], gym.Wrapper):
        layers.append(layers[-1].env)
    return layers


def _read_layer(layer: Any) -> dict[str, Any]:
    if hasattr(layer, "get_snapshot"):
        state: dict[str, Any] = layer.get_snapshot()
        return state
    attributes = {name: getattr(layer, name) for name in _state_attributes(layer)}
    return {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in attributes.items()}


def _state_attributes(layer: Any) -> tuple[str, ...]:
    if type(layer) in _FOREIGN_STATE:
        return _FOREIGN_STATE[type(layer)]
    if type(layer).__module__ == "rl_zoo3.gym_patches":  # what it puts in place of TimeLimit
        return ("_elapsed_steps",)
    try:
        names: tuple[str, ...] = vars(type(layer))["snapshot_attributes"]
    except KeyError:
        raise UnknownStateError(
            f"{type(layer).__name__} does not tell its state: expected a class attribute "
            "snapshot_attributes with the names of the attributes that change, () for none"
        ) from None
    return names
