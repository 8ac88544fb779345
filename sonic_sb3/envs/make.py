"""The whole stack of one env, in order, and the ids under which gymnasium knows it."""

from __future__ import annotations

import functools
import math
import typing
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import gymnasium as gym
import numpy as np

from sonic_sb3.action_sets import find_actions
from sonic_sb3.envs.actions import MacroDiscretizer, StochasticFrameSkip, make_discretizer
from sonic_sb3.envs.episodes import LEVEL_DRAWS, EpisodeFacts, LevelDraw, RandomNoops
from sonic_sb3.envs.game_env import GameEnv
from sonic_sb3.envs.observations import GrayShift, WarpFrame, check_frame_size
from sonic_sb3.envs.retries import Retries
from sonic_sb3.envs.rewards import AllowBacktracking, RewardScaler, RewardTerms
from sonic_sb3.errors import SettingsError, unknown_name
from sonic_sb3.games import resolve_levels
from sonic_sb3.reward_terms import parse_rewards


def make_env(
    game_id: str,
    *,
    level: str | Sequence[str] | None = None,
    level_draw: str = "pinned",
    actions: str | Sequence[Any] | None = None,
    frame_skip: int = 4,
    sticky_prob: float = 0.25,
    noop_max: int = 0,
    max_episode_steps: int = 4500,
    rewards: Sequence[Any] | None = None,
    allow_backtracking: bool = False,
    reward_scale: float = 1.0,
    frame_width: int = 96,
    frame_height: int = 96,
    grayscale_obs: bool = True,
    crop_top_px: int = 0,
    gray_shift: int = 0,
    retry_prob: float | None = None,
    render_mode: str | None = None,
    record_inputs: bool = False,
    fast_emulator: bool = True,
) -> gym.Env[Any, Any]:
    """
    Make one finished env: 7 discrete actions, (96, 96, 1) uint8 grey, contest rewards, unless other
    ones are asked for.

    Without stacking and without Monitor: those belong to the vec env (or to rl-zoo3).

    :param game_id: stable-retro's id of the game.
    :param level: A level of that game; ``None`` for its default. Where one is drawn: several, or
        ``train``, ``test``, ``all``.
    :param level_draw: ``pinned``, or how an episode's level is drawn: ``in_turn``, ``uniform``,
        ``unsolved`` (:class:`sonic_sb3.envs.episodes.LevelDraw`).
    :param actions: ``contest7``, ``paper8``, ``winner10``, ``spin``, ``fight``, or a list of
        combinations of buttons and macros (:func:`sonic_sb3.action_sets.find_actions`); ``None``
        for the game's own, ``contest7`` for all but fights.
    :param frame_skip: Frames per timestep.
    :param sticky_prob: Probability that an action starts a frame late.
    :param noop_max: At most so many frames without buttons at the start of an episode.
    :param max_episode_steps: Timesteps after which an episode is truncated. (``gymnasium.make``
        keeps this one to itself and truncates from outside, where an episode's facts are not told.)
    :param rewards: Weighted terms in place of the contest's points
        (:func:`sonic_sb3.reward_terms.parse_rewards`).
    :param allow_backtracking: Reward new maxima of progress only.
    :param reward_scale: Factor on the whole reward.
    :param frame_width: Width of the observation in pixels.
    :param frame_height: Height of the observation in pixels.
    :param grayscale_obs: Off, observations keep their three colours.
    :param crop_top_px: Rows of the screen to cut off its top, before it is shrunk.
    :param gray_shift: Per rollout of training, make pictures up to so much brighter or darker.
    :param retry_prob: Probability that an episode after a failure begins shortly before it, for
        training (:class:`sonic_sb3.envs.retries.Retries`).
    :param render_mode: ``"rgb_array"`` lets ``render()`` return the whole screen in colour.
    :param record_inputs: Tell the buttons of every frame in the last info of an episode.
    :param fast_emulator: Do not emulate what nobody sees or hears, where that is proved exact.
    :raises SonicError: An unknown game or level, a missing ROM, or a value out of range.
    """
    _check_kinds(locals())
    levels = resolve_levels(game_id, level if level is None or isinstance(level, str) else [*level])
    if level_draw not in LEVEL_DRAWS:
        raise unknown_name("level_draw", level_draw, LEVEL_DRAWS)
    check_frame_size(frame_width, frame_height)  # before the emulator shrinks to it
    if max_episode_steps < 1:
        raise SettingsError(f"max_episode_steps: expected at least 1, got {max_episode_steps}")
    if not math.isfinite(reward_scale):
        raise SettingsError(f"reward_scale: expected a finite number, got {reward_scale}")
    is_pinned = level_draw == "pinned"
    game_env = GameEnv(
        game_id,
        level if is_pinned else levels[0],
        # The emulator shrinks whole grey screens itself, at less cost.
        obs_size=(frame_height, frame_width) if grayscale_obs and not crop_top_px else None,
        render_mode=render_mode,
        record_inputs=record_inputs,
        fast_emulator=fast_emulator,
    )
    frames: gym.Env[Any, Any] = RandomNoops(game_env, noop_max) if noop_max else game_env
    env: gym.Env[Any, Any] = StochasticFrameSkip(frames, frame_skip, sticky_prob)
    env = discretizer = make_discretizer(env, find_actions(actions, game_id))
    env = gym.wrappers.TimeLimit(env, max_episode_steps)
    env = EpisodeFacts(env, discretizer if isinstance(discretizer, MacroDiscretizer) else None)
    inner = env
    if not is_pinned:
        env = LevelDraw(env, levels, level_draw)
    if retry_prob is not None:
        env = Retries(env, inner, retry_prob)
    env = _shape_reward(env, game_env, rewards, allow_backtracking, reward_scale)
    env = WarpFrame(
        env, frame_width, frame_height, grayscale=grayscale_obs, crop_top_px=crop_top_px
    )
    return GrayShift(env, gray_shift) if gray_shift else env


# gymnasium.make looks here for what an env can show, and makes windows (`human`) and lists of it.
make_env.metadata = GameEnv.metadata  # type: ignore[attr-defined]


# What may come for an argument of a kind, numpy's included, and how a message calls it.
_KINDS: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool, np.bool_), "true or false"),
    int: ((Integral,), "a whole number"),
    float: ((Real,), "a number"),
    float | None: ((Real, type(None)), "a number"),
    str: ((str,), "a name"),
    str | Sequence[str] | None: ((str, Sequence, type(None)), "a level or a list of levels"),
}


@functools.cache
def _argument_hints() -> dict[str, Any]:
    hints = typing.get_type_hints(make_env)
    return {name: hint for name, hint in hints.items() if hint in _KINDS}


def _check_kinds(arguments: Mapping[str, Any]) -> None:
    """A wrong kind would else show far inside, or "no" be taken for yes."""
    for name, hint in _argument_hints().items():
        kinds, expectation = _KINDS[hint]
        value = arguments[name]
        is_flag = isinstance(value, bool) and bool not in kinds  # Python counts it as a number
        if not isinstance(value, kinds) or is_flag:
            raise SettingsError(f"{name}: expected {expectation}, got {value!r:.200}")


def _shape_reward(
    env: gym.Env[Any, Any],
    game_env: GameEnv,
    rewards: Sequence[Any] | None,
    allow_backtracking: bool,
    reward_scale: float,
) -> gym.Env[Any, Any]:
    if rewards is not None:
        return RewardTerms(
            env,
            parse_rewards(rewards),
            game_env,
            scale=reward_scale,
            allow_backtracking=allow_backtracking,
        )
    if allow_backtracking:
        env = AllowBacktracking(env)
    return env if reward_scale == 1.0 else RewardScaler(env, reward_scale)
