"""What one training run was asked to do: checked before it starts, kept in its manifest."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from sonic_sb3.algorithm_settings import ALGORITHM_SETTINGS, Hyperparameters
from sonic_sb3.errors import SettingsError, SonicError
from sonic_sb3.games import find_game, resolve_levels
from sonic_sb3.hyperparams import check_algo
from sonic_sb3.strict_settings import Count, StrictSettings, not_bool, validate

_MAX_WORKERS = 1024
Frequency = Annotated[int, BeforeValidator(not_bool), Field(ge=-1, le=10**12)]


class TrainSettings(StrictSettings):
    """
    Everything that decides a run's result beside hyperparameters, versions and ROM.

    ``eval_freq`` and ``save_freq`` are in timesteps, -1 means never; ``snapshot_freq`` is in
    rollouts, ``None`` means about every two minutes. ``init_run`` is the run folder whose weights
    training begins with. ``stage_levels`` are those of each stage of a curriculum, and ``levels``
    then those of its last one.
    """

    algo: str
    env: str
    levels: tuple[str, ...]
    n_timesteps: Count
    seed: Annotated[int, BeforeValidator(not_bool), Field(ge=0, lt=2**31)]
    num_threads: Annotated[Count, Field(le=1024)]
    n_workers: Annotated[Count, Field(le=_MAX_WORKERS)]
    device: str = "auto"
    eval_freq: Frequency = 50_000
    eval_episodes: Annotated[int, BeforeValidator(not_bool), Field(ge=0, le=100_000)] = 10
    save_freq: Frequency = -1
    snapshot_freq: Count | None = None
    init_run: str | None = None
    init_checkpoint: str | None = None
    stage_levels: tuple[tuple[str, ...], ...] = ()


def default_n_workers(n_envs: int) -> int:
    """A process per env, as far as there may be so many."""
    return min(n_envs, _MAX_WORKERS)


def draw_seed() -> int:
    """A seed for a run that was given none; it is recorded in the manifest."""
    return random.SystemRandom().randrange(2**31)


def read_settings(
    manifest: Mapping[str, Any], source: str
) -> tuple[TrainSettings, Hyperparameters]:
    """
    Check the settings in a manifest, which may come from a stranger.

    :param manifest: As read.
    :param source: Where it came from, for messages.
    :raises SonicError: Something is missing, unknown or out of range.
    """
    settings = validate(TrainSettings, manifest["settings"], f"{source}: settings")
    try:
        check_algo(settings.algo)
        find_game(settings.env)
        resolve_levels(settings.env, settings.levels)
    except SonicError as error:
        raise type(error)(f"{source}: settings: {error}") from error
    written = manifest.get("hyperparameters")
    if not isinstance(written, dict):
        raise SettingsError(f"{source}: expected a mapping under 'hyperparameters'")
    kind = ALGORITHM_SETTINGS[settings.algo]
    hyperparameters = validate(kind, written, f"{source}: hyperparameters")
    if len(settings.stage_levels) != len(hyperparameters.stages):
        raise SettingsError(f"{source}: expected stage_levels for each of the stages")
    for levels in settings.stage_levels:
        resolve_levels(settings.env, levels)
    return settings, hyperparameters
