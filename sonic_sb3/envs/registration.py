"""The ids under which gymnasium knows the games."""

from __future__ import annotations

import gymnasium as gym

from sonic_sb3.games import catalogue


def register_envs() -> None:
    """Register every game of the catalogue; harmless when called again."""
    for game_id in catalogue():
        if game_id not in gym.registry:
            gym.register(
                id=game_id,
                entry_point="sonic_sb3.envs.make:make_env",
                kwargs={"game_id": game_id},
            )
