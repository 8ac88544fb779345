"""Wrappers about the beginning and the end of episodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from sonic_sb3.envs.actions import MacroDiscretizer
from sonic_sb3.envs.game_env import GameEnv
from sonic_sb3.errors import SettingsError, unknown_name

LEVEL_DRAWS = ("pinned", "in_turn", "uniform", "unsolved")


class RandomNoops(gym.Wrapper[Any, Any, Any, Any]):
    """
    Begins each episode with a random number of frames without buttons.

    The emulator is deterministic: with neither this nor sticky actions all episodes of a policy
    without randomness are one and the same.

    :param env: An env that steps one frame and takes the pad as action.
    :param noop_max: At most so many frames; the number is drawn from 0..noop_max.
    """

    snapshot_attributes = ()

    def __init__(self, env: GameEnv, noop_max: int) -> None:
        super().__init__(env)
        if noop_max < 0:
            raise SettingsError(f"expected noop_max of at least 0, got {noop_max}")
        self.noop_max = noop_max
        self.run_frames = env.run_frames
        self.observe = env.observe

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        obs, info = self.env.reset(**kwargs)
        no_buttons = np.zeros(self.env.action_space.shape or (), dtype=np.int8)
        for _ in range(int(self.np_random.integers(self.noop_max + 1))):
            obs, _, terminated, truncated, info = self.env.step(no_buttons)
            if terminated or truncated:
                obs, info = self.env.reset()
        return obs, info


class EpisodeFacts(gym.Wrapper[Any, Any, Any, Any]):
    """
    Adds to the last info of an episode how it ended, before any shaping of the reward.

    Adds ``level game_time_s end_reason action_counts``, and ``is_success contest_score`` where the
    game has progress.

    :param env: An env around :class:`GameEnv` that knows its time limit and has discrete actions.
    :param macros: The wrapper inside that lets actions last; each of their timesteps is counted.
    """

    snapshot_attributes = ("_action_counts",)

    def __init__(self, env: gym.Env[Any, Any], macros: MacroDiscretizer | None = None) -> None:
        super().__init__(env)
        if not isinstance(env.action_space, gym.spaces.Discrete):
            raise SettingsError(f"expected discrete actions, got {env.action_space}")
        self._action_counts = np.zeros(int(env.action_space.n), dtype=np.int64)
        self._macros = macros

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        self._action_counts[:] = 0
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        taken = action if self._macros is None else self._macros.action_in_force
        self._action_counts[taken] += 1
        if terminated or truncated:
            game_env = self.unwrapped
            assert isinstance(game_env, GameEnv)
            info = info | game_env.end_facts(info.get("end_reason", "time_limit"))
            info["action_counts"] = self._action_counts.tolist()
        return obs, float(reward), terminated, truncated, info


class LevelDraw(gym.Wrapper[Any, Any, Any, Any]):
    """
    Draws the level of each episode.

    :data:`LEVEL_DRAWS`: ``in_turn``, one after the other; ``uniform``, all alike; ``unsolved``, by
    how often an episode on the level failed among the last :data:`N_REMEMBERED` of this env (a
    level not played yet counts as never solved, one always solved keeps a tenth of the weight, so
    that it is not forgotten). Each env remembers for itself, and has a generator of its own.

    :param env: An env that takes a level as ``reset(options={"level": name})`` and tells
        ``is_success`` at an episode's end; given such an option, nothing is drawn.
    :param levels: The levels.
    :param how: A name of :data:`LEVEL_DRAWS`.
    """

    N_REMEMBERED = 10
    MIN_WEIGHT = 0.1

    def __init__(self, env: gym.Env[Any, Any], levels: Sequence[str], how: str) -> None:
        super().__init__(env)
        if how not in LEVEL_DRAWS:
            raise unknown_name("level_draw", how, LEVEL_DRAWS)
        self.levels = tuple(levels)
        self.how = how
        self._generator = np.random.default_rng()
        self._outcomes: dict[str, list[bool]] = {level: [] for level in levels}
        self._turn = 0
        self._begun: str | None = None  # the level of an episode begun here that has not ended
        self._has_stepped = False

    def weights(self) -> list[float]:
        """The probability of each level, in the order of ``levels``."""
        raw = [1.0] * len(self.levels)
        if self.how == "unsolved":
            raw = [self._unsolved_share(self._outcomes[level]) for level in self.levels]
        return [weight / sum(raw) for weight in raw]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        if seed is not None:
            self._generator = np.random.default_rng([seed, 0x1E7E1])
            self._turn = 0
            self._outcomes = {level: [] for level in self.levels}
        elif self._begun is not None and self._has_stepped:  # cut short by a time limit outside
            self._remember(self._begun, is_success=False)
        if not options or options.get("level") is None:
            options = {**(options or {}), "level": self.levels[self._draw()]}
        self._begun = options["level"]
        self._has_stepped = False
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        obs, reward, terminated, truncated, info = self.env.step(action)
        self._has_stepped = True
        if (terminated or truncated) and self._begun is not None:
            self._remember(self._begun, bool(info.get("is_success", False)))
            self._begun = None  # what goes on outside of it, as retries do, does not count
        return obs, float(reward), terminated, truncated, info

    def get_snapshot(self) -> dict[str, Any]:
        """The generator's state and what is remembered."""
        return {
            "generator": self._generator.bit_generator.state,
            "turn": self._turn,
            "outcomes": {level: list(outcomes) for level, outcomes in self._outcomes.items()},
            "begun": self._begun,
            "has_stepped": self._has_stepped,
        }

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Put them back."""
        self._generator.bit_generator.state = snapshot["generator"]
        # A run of an earlier version knew none of these.
        self._turn = snapshot.get("turn", 0)
        self._begun = snapshot.get("begun")
        self._has_stepped = snapshot.get("has_stepped", False)
        self._outcomes = {level: list(outcomes) for level, outcomes in snapshot["outcomes"].items()}

    def _remember(self, level: str, is_success: bool) -> None:
        if level in self._outcomes:
            self._outcomes[level].append(is_success)
            del self._outcomes[level][: -self.N_REMEMBERED]

    def _draw(self) -> int:
        if self.how == "in_turn":
            index = self._turn % len(self.levels)
            self._turn += 1
            return index
        return int(self._generator.choice(len(self.levels), p=self.weights()))

    def _unsolved_share(self, outcomes: list[bool]) -> float:
        if not outcomes:
            return 1.0
        return max(self.MIN_WEIGHT, 1 - sum(outcomes) / len(outcomes))
