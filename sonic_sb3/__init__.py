"""
A Stable-Baselines3 plugin with an experiment zoo for Sonic the Hedgehog on stable-retro.

Importing it registers the gymnasium ids and does nothing more; everything below loads on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sonic_sb3.envs.registration import register_envs

if TYPE_CHECKING:
    from sonic_sb3.envs.make import make_env
    from sonic_sb3.envs.vec_env import make_vec_env
    from sonic_sb3.hyperparams import load_hyperparameters
    from sonic_sb3.runs import load_run

__version__ = "0.1.0"
__all__ = ["load_hyperparameters", "load_run", "make_env", "make_vec_env"]

_HOMES = {
    "load_hyperparameters": "sonic_sb3.hyperparams",
    "load_run": "sonic_sb3.runs",
    "make_env": "sonic_sb3.envs.make",
    "make_vec_env": "sonic_sb3.envs.vec_env",
}

register_envs()


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
