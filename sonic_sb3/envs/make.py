"""The whole stack of one env, in order, and the ids under which gymnasium knows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym

from sonic_sb3.action_sets import find_actions
from sonic_sb3.envs.actions import StochasticFrameSkip, make_discretizer
from sonic_sb3.envs.episodes import EpisodeFacts, RandomNoops
from sonic_sb3.envs.game_env import GameEnv
from sonic_sb3.envs.observations import WarpFrame
from sonic_sb3.envs.rewards import AllowBacktracking, RewardScaler


def make_env(
    game_id: str,
    *,
    level: str | None = None,
    actions: str | Sequence[Any] | None = None,
    frame_skip: int = 4,
    sticky_prob: float = 0.25,
    noop_max: int = 0,
    max_episode_steps: int = 4500,
    allow_backtracking: bool = False,
    reward_scale: float = 1.0,
    frame_width: int = 96,
    frame_height: int = 96,
    render_mode: str | None = None,
    record_inputs: bool = False,
    fast_emulator: bool = True,
) -> gym.Env[Any, Any]:
    """
    Make one finished env: 7 discrete actions, (96, 96, 1) uint8 grey, contest rewards.

    Without stacking and without Monitor: those belong to the vec env (or to rl-zoo3).

    :param game_id: stable-retro's id of the game.
    :param level: A level of that game; ``None`` for its default.
    :param actions: A name of ``ACTION_SETS`` or a list of combinations of buttons; ``None`` for the
        game's own.
    :param frame_skip: Frames per timestep.
    :param sticky_prob: Probability that an action starts a frame late.
    :param noop_max: At most so many frames without buttons at the start of an episode.
    :param max_episode_steps: Timesteps after which an episode is truncated.
    :param allow_backtracking: Reward new maxima of progress only.
    :param reward_scale: Factor on the contest's points.
    :param frame_width: Width of the observation in pixels.
    :param frame_height: Height of the observation in pixels.
    :param render_mode: ``"rgb_array"`` lets ``render()`` return the whole screen in colour.
    :param record_inputs: Tell the buttons of every frame in the last info of an episode.
    :param fast_emulator: Do not emulate what nobody sees or hears, where that is proved exact.
    :raises SonicError: An unknown game or level, a missing ROM, or a value out of range.
    """
    game_env = GameEnv(
        game_id,
        level,
        obs_size=(frame_height, frame_width),
        render_mode=render_mode,
        record_inputs=record_inputs,
        fast_emulator=fast_emulator,
    )
    frames: gym.Env[Any, Any] = RandomNoops(game_env, noop_max) if noop_max else game_env
    env: gym.Env[Any, Any] = StochasticFrameSkip(frames, frame_skip, sticky_prob)
    env = make_discretizer(env, find_actions(actions, game_id))
    env = gym.wrappers.TimeLimit(env, max_episode_steps)
    env = EpisodeFacts(env)
    if allow_backtracking:
        env = AllowBacktracking(env)
    if reward_scale != 1.0:
        env = RewardScaler(env, reward_scale)
    return WarpFrame(env, frame_width, frame_height)
