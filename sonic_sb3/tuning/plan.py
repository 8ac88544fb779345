"""From a command's options to a study: what a new one is, and what an old one must agree with."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.trial import TrialState
from sqlalchemy.engine import URL

from sonic_sb3.algorithm_settings import ALGORITHM_SETTINGS, EnvKwargs
from sonic_sb3.atomic_files import write_json
from sonic_sb3.bundles.places import load_conf_file
from sonic_sb3.errors import SettingsError, StudyError, unknown_name
from sonic_sb3.games import default_game_id, find_game, resolve_levels
from sonic_sb3.hyperparams import check_algo, load_hyperparameters, parse_overrides
from sonic_sb3.plain_json import parse_json
from sonic_sb3.rom_files import find_rom, rom_sha1
from sonic_sb3.settings import draw_seed
from sonic_sb3.strange_files import read_file
from sonic_sb3.strict_settings import validate
from sonic_sb3.tuning.figures import check_objective, default_objective
from sonic_sb3.tuning.settings import (
    CONFIRMATION_SEED_OFFSET,
    MAX_SEED,
    MIN_WILCOXON_VALUES,
    OBJECTIVES,
    PRUNERS,
    SAMPLERS,
    StudySettings,
    check_study_name,
)
from sonic_sb3.tuning.space import Point, check_space, default_space, load_space
from sonic_sb3.tuning.storage import NoStudyError, parse_storage_url, sqlite_url
from sonic_sb3.tuning.study import GRACE_S, OpenStudy, best_candidates, create_or_join, open_study

DEFAULT_N_TRIALS = 40
_N_TRIALS = "n_trials"  # a study's user attribute
_CHOICES = {"objective": OBJECTIVES, "sampler": SAMPLERS, "pruner": PRUNERS}


@dataclass(frozen=True)
class Asked:
    """
    The options that say what a study is; ``None`` where one was not given.

    :param algo: Algorithm.
    :param env: Game.
    :param levels: Levels.
    :param n_timesteps: Of one training.
    :param n_seeds: Trainings of a trial.
    :param seed: Of samplers and trainings.
    :param objective: What is maximised.
    :param area: Its mean during training.
    :param eval_episodes: Of a training's evaluation.
    :param sampler: Who proposes.
    :param pruner: Who gives up.
    :param space: A file.
    :param warm_start: A bundle, hyperparameters file or named configuration to try as well.
    :param conf_file: A hyperparameters file.
    :param hyperparams: ``key:value`` words.
    :param env_kwargs: ``key:value`` words.
    """

    algo: str | None = None
    env: str | None = None
    levels: Sequence[str] | None = None
    n_timesteps: int | None = None
    n_seeds: int | None = None
    seed: int | None = None
    objective: str | None = None
    area: bool | None = None
    eval_episodes: int | None = None
    sampler: str | None = None
    pruner: str | None = None
    space: str | None = None
    warm_start: str | None = None
    conf_file: str | None = None
    hyperparams: Sequence[str] = ()
    env_kwargs: Sequence[str] = ()


@dataclass(frozen=True)
class StudyPlace:
    """
    Where a study is.

    :param url: Of its storage, without a password.
    :param name: Its name.
    :param folder: Its run folders, pictures and tables.
    """

    url: URL
    name: str
    folder: Path


def find_place(log_folder: str, name: str | None, storage: str | None, asked: Asked) -> StudyPlace:
    """
    Where the study that a command means is; by default one file in a folder of its own.

    :param log_folder: LOGS.
    :param name: The study's name, if given.
    :param storage: The storage's URL, if given.
    :param asked: What names a study that has no name.
    :raises StudyError: The name or the URL cannot be used.
    """
    if name is None:
        name = f"{asked.algo or 'ppo'}-{asked.env or default_game_id()}"
    check_study_name(name)
    folder = Path(log_folder) / "tune" / name
    file = (folder / "study.db").absolute()
    url = parse_storage_url(storage or sqlite_url(file))
    if storage is None and url.database != str(file):
        raise StudyError(
            f"--log-folder: expected one that a database's URL can hold, without ? and %, got "
            f"{log_folder!r}; or say where the study shall be kept with --storage"
        )
    return StudyPlace(url, name, folder)


def begin_or_join(place: StudyPlace, asked: Asked, grace_s: float = GRACE_S) -> OpenStudy:
    """
    The study that a command means: joined where it is there, made where it is not.

    :param place: Where it is.
    :param asked: What it shall be.
    :param grace_s: After so long without a sign of life a worker's trial is handed on.
    :raises SonicError: An option is wrong, or the study is another one.
    """
    recorded = _find_recorded(place)
    values = _read_options(asked, recorded)
    settings = validate(StudySettings, values, "options")
    # In their order: the first that differs is told.
    given = [key for key in StudySettings.model_fields if getattr(asked, key, None) is not None]
    if _names_hyperparameters(asked):
        given.append("hyperparameters")
    if asked.warm_start is not None:
        given.append("first_points")
    given.append("rom_sha1")
    plain = settings.model_dump(mode="json")
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(
            f"cannot make the folder {place.folder}: {error.strerror}; "
            "choose a folder you may write to with -f/--log-folder"
        ) from error
    study = create_or_join(
        place.url, place.name, settings, {key: plain[key] for key in given}, grace_s
    )
    _claim_folder(place.folder, study)
    return study


def _claim_folder(folder: Path, study: OpenStudy) -> None:
    """:raises StudyError: It holds the trials of another study, perhaps in another storage."""
    mark = folder / "study.json"
    identity = study.settings.identity
    if mark.is_file():
        found = parse_json(read_file(mark, 10_000), str(mark))
        if not isinstance(found, dict) or found.get("identity") != identity:
            raise StudyError(
                f"{folder} holds the trials of another study named {study.name!r}: expected a "
                "folder of this one's; move it away, or choose another --study-name or --log-folder"
            )
    else:
        write_json(mark, {"study": study.name, "identity": identity})


def choose_n_trials(study: OpenStudy, asked: int | None) -> int:
    """
    How many trials the study shall have: as asked for, or as asked for last.

    :param study: The study.
    :param asked: What this command says, if anything.
    :raises SettingsError: Fewer than one.
    """
    if asked is not None and asked < 1:
        raise SettingsError(f"--n-trials: expected at least 1, got {asked}")
    recorded = study.storage.get_study_user_attrs(study.study_id).get(_N_TRIALS)
    n_trials = asked or (recorded if isinstance(recorded, int) else DEFAULT_N_TRIALS)
    if n_trials != recorded:
        study.storage.set_study_user_attr(study.study_id, _N_TRIALS, n_trials)
    return n_trials


def plan_confirmation(study: OpenStudy, place: StudyPlace, top: int, n_seeds: int) -> StudyPlace:
    """
    Where the confirmation of a study as it stands now is.

    :param study: The study.
    :param place: Where it is.
    :param top: How many trials are confirmed.
    :param n_seeds: Fresh seeds of each.
    """
    n_completed = sum(t.state.is_finished() for t in study.trials())
    name = f"{place.name}.confirm-{n_completed}-{top}x{n_seeds}"
    return StudyPlace(place.url, name, place.folder / name.removeprefix(place.name + "."))


def begin_confirmation(
    study: OpenStudy, place: StudyPlace, top: int, n_seeds: int, grace_s: float = GRACE_S
) -> OpenStudy:
    """
    A study of the best trials with fresh seeds; joined where somebody else began it.

    :param study: The study.
    :param place: Of :func:`plan_confirmation`.
    :param top: How many trials.
    :param n_seeds: Fresh seeds of each.
    :param grace_s: As :func:`begin_or_join`.
    :raises StudyError: No trial was completed.
    """
    candidates = best_candidates(study.trials(), top)
    if not candidates:
        raise StudyError(no_completed(study))
    changes = {
        "candidates": [candidate.model_dump(mode="json") for candidate in candidates],
        "n_seeds": n_seeds,
        "seed": study.settings.seed + CONFIRMATION_SEED_OFFSET,
        "pruner": "none",
    }
    data = study.settings.model_dump(mode="json") | changes
    settings = validate(StudySettings, data, "the confirmation")
    place.folder.mkdir(parents=True, exist_ok=True)
    return create_or_join(
        place.url, place.name, settings, settings.model_dump(mode="json"), grace_s
    )


def no_completed(study: OpenStudy) -> str:
    """What to say of a study without a result."""
    trials = study.trials()
    n_pruned = sum(t.state == TrialState.PRUNED for t in trials)
    return (
        f"study {study.name!r} has no completed trial yet ({len(trials)} begun, "
        f"{n_pruned} pruned): run it first with `python -m sonic_sb3.tune`"
    )


def _find_recorded(place: StudyPlace) -> StudySettings | None:
    try:
        study = open_study(place.url, place.name)
    except NoStudyError:
        return None
    study.close()
    return study.settings


def _first_points(values: dict[str, Any], warm_start: str | None) -> list[Point]:
    """Tried first is what is known to work: what the study starts from, and the warm start."""
    algo, env = values["algo"], values["env"]
    space = check_space(values["space"], "the study's space", algo, values["hyperparameters"])
    known = [validate(ALGORITHM_SETTINGS[algo], values["hyperparameters"], "hyperparameters")]
    if warm_start is not None:
        known.append(load_conf_file(algo, env, warm_start))
    points: list[Point] = []
    for one in known:
        settings = one.model_dump(mode="json")
        if settings["env_kwargs"]["actions"] is None:
            settings["env_kwargs"]["actions"] = find_game(env).default_actions
        point = space.point_of(settings)
        if point not in points:
            points.append(point)
    return points


def _read_options(asked: Asked, recorded: StudySettings | None) -> dict[str, Any]:
    """All settings: as given, else as recorded, else the defaults."""
    for name, known in _CHOICES.items():
        value = getattr(asked, name)
        if value is not None and value not in known:
            raise SettingsError(f"--{name}: {unknown_name(name, value, known)}")
    algo = asked.algo or (recorded.algo if recorded else "ppo")
    check_algo(algo)
    env = find_game(asked.env or (recorded.env if recorded else default_game_id())).id
    find_rom(env)
    values: dict[str, Any] = recorded.model_dump(mode="json") if recorded else {}
    values |= {"algo": algo, "env": env, "rom_sha1": rom_sha1(env)}
    if recorded is None:
        values["identity"] = secrets.token_hex(8)
    _read_hyperparameters(values, asked, recorded)
    if recorded is None or asked.levels:
        level = (values["hyperparameters"].get("env_kwargs") or {}).get("level")
        values["levels"] = resolve_levels(env, [*asked.levels] if asked.levels else level)
    if recorded is None or asked.space:
        path = Path(asked.space) if asked.space else default_space(algo)
        values["space"] = load_space(path, algo, values["hyperparameters"]).written()
    if recorded is None or asked.warm_start:
        values["first_points"] = _first_points(values, asked.warm_start)
    if asked.seed is not None and asked.seed >= MAX_SEED - CONFIRMATION_SEED_OFFSET:
        raise SettingsError(
            f"--seed: expected below {MAX_SEED - CONFIRMATION_SEED_OFFSET:,}, got {asked.seed}: "
            "confirmations take seeds above it"
        )
    n_levels = len(values["levels"])
    # Gaussian processes learn of completed trials alone, ten of them before the first proposal.
    default_pruner = "none" if asked.sampler == "gp" else "hyperband"
    defaults = {
        "n_seeds": 2,
        "seed": draw_seed() % (MAX_SEED - 2 * CONFIRMATION_SEED_OFFSET),
        "objective": default_objective(find_game(env)),
        "area": False,
        "eval_episodes": max(10, n_levels),
        "sampler": "tpe",
        "pruner": default_pruner,
    }
    for key, default in defaults.items():
        given = getattr(asked, key)
        values[key] = given if given is not None else values.get(key, default)
    check_objective(values["objective"], find_game(env))
    n_values = values["n_seeds"] * n_levels if isinstance(values["n_seeds"], int) else 0
    if values["pruner"] == "wilcoxon" and 0 < n_values < MIN_WILCOXON_VALUES:
        raise SettingsError(
            f"--pruner wilcoxon: expected at least {MIN_WILCOXON_VALUES} seeds x levels to compare "
            f"trials by, got {n_values}: give more with --n-seeds or --levels, or take hyperband"
        )
    if isinstance(values["eval_episodes"], int) and values["eval_episodes"] < n_levels:
        raise SettingsError(
            f"--eval-episodes: expected at least one per level, {n_levels}, "
            f"got {values['eval_episodes']}"
        )
    return values


def _names_hyperparameters(asked: Asked) -> bool:
    return bool(asked.conf_file or asked.hyperparams or asked.env_kwargs)


def _read_hyperparameters(
    values: dict[str, Any], asked: Asked, recorded: StudySettings | None
) -> None:
    """The hyperparameters that the space's values replace."""
    is_other = recorded is None or recorded.algo != values["algo"]
    if not is_other and not _names_hyperparameters(asked):
        values["n_timesteps"] = asked.n_timesteps or values["n_timesteps"]
        return
    overrides = parse_overrides(asked.hyperparams, "--hyperparams")
    for key, value in parse_overrides(asked.env_kwargs, "--env-kwargs").items():
        overrides[f"env_kwargs.{key}"] = value
    if asked.n_timesteps is not None:
        overrides["n_timesteps"] = asked.n_timesteps
    elif "n_timesteps" not in overrides:
        overrides["n_timesteps"] = recorded.n_timesteps if recorded else 100_000
    base = load_hyperparameters(values["algo"], values["env"], asked.conf_file, overrides)
    if validate(EnvKwargs, base.env_kwargs.written(), "env_kwargs").sticky_prob == 0:
        raise SettingsError(
            "env_kwargs.sticky_prob: expected above 0, for trials are judged under sticky frame "
            "skip: without it all episodes of an agent are one"
        )
    if base.stages:
        raise SettingsError(
            "stages: expected none, the trials of a study learn on one set of levels"
        )
    values["n_timesteps"] = base.n_timesteps
    values["hyperparameters"] = json.loads(json.dumps(base.written()))
