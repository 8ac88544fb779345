"""
``experiment.yml``: a question, the arms that answer it, seeds, budget, metric and decision rule.

Data only, written before the first run; what an arm means in full is worked out here, by the same
rules as ``python -m sonic_sb3.train`` has, so that nothing is found to be wrong halfway.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from sonic_sb3.algorithm_settings import Hyperparameters, LearningHyperparameters
from sonic_sb3.errors import SettingsError, SonicError, unknown_name
from sonic_sb3.games import default_game_id, find_game, resolve_levels
from sonic_sb3.hyperparams import find_configurations, load_hyperparameters
from sonic_sb3.plain_yaml import parse_mapping, read_yaml
from sonic_sb3.settings import Frequency
from sonic_sb3.shipped_files import hyperparams_dir
from sonic_sb3.strict_settings import Count, StrictSettings, not_bool, validate

# Numbers that every evaluation.json has under summary, and those of games with progress alone.
METRICS = ("episode_return", "n_timesteps", "game_time_s")
METRICS_WITH_PROGRESS = ("completion_rate", "progress", "contest_score", "completion_time_s")
_MAX_SEEDS = 1000
_LAST_SEED = 2**31 - 1


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("expected a text, got blanks")
    return text


def _not_empty(levels: Any) -> Any:
    if isinstance(levels, list | tuple) and not levels:
        raise ValueError("expected the names of levels, got an empty list")
    return levels


Seed = Annotated[int, BeforeValidator(not_bool), Field(ge=0, le=_LAST_SEED)]
Text = Annotated[str, AfterValidator(_not_blank), Field(min_length=1, max_length=10_000)]
ArmName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]
Levels = Annotated[str | tuple[str, ...], BeforeValidator(_not_empty)]


class EvaluationPlan(StrictSettings):
    """
    How an arm's agents are judged.

    ``n_episodes`` after training, on ``levels`` (default: those of training), episode k of the runs
    with seed s with ``seed`` + s * ``n_episodes`` + k: the same episodes for every arm, others for
    every seed, so that arms that learn nothing get an interval too. ``eval_freq`` and
    ``eval_episodes`` are train's options of that name: evaluations on the way there.
    """

    n_episodes: Annotated[Count, Field(le=100_000)] = 50
    levels: Levels | None = None
    seed: Seed = 9_000_000
    eval_freq: Frequency = -1
    eval_episodes: Annotated[Count, Field(le=10_000)] = 5


class Arm(StrictSettings):
    """
    One of the things that are compared.

    ``configuration`` is a hyperparameters file: the name of one that comes with this package, or a
    path (from the experiment's folder). ``hyperparameters`` and ``env_kwargs`` replace single keys
    of it. ``init_from`` names the arm whose agent of the same seed this one starts from.
    """

    algo: str
    note: str = ""
    configuration: str | None = None
    hyperparameters: dict[str, Any] = Field(default_factory=dict)
    env_kwargs: dict[str, Any] = Field(default_factory=dict)
    game: str | None = None
    levels: Levels | None = None
    n_timesteps: Count | None = None
    evaluation_levels: Levels | None = None
    init_from: str | None = None


class Experiment(StrictSettings):
    """
    What ``experiment.yml`` holds, all of it written before the runs but ``answer``, which the
    report shows beside the decision rule.
    """

    question: Text
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=_MAX_SEEDS)]
    n_timesteps: Count
    metric: str
    decision_rule: Text
    arms: Annotated[dict[ArmName, Arm], Field(min_length=1)]
    game: str | None = None
    levels: Levels | None = None
    evaluation: EvaluationPlan = EvaluationPlan()
    mixes_games: bool = False
    answer: Text | None = None


@dataclass(frozen=True)
class Plan:
    """
    One arm in full.

    :param arm: Its name.
    :param algo: The algorithm.
    :param game: The game's id.
    :param levels: To train on.
    :param hyperparameters: All of them.
    :param conf_file: Where they were read, ``None`` for the algorithm's own file.
    :param overrides: Keys replaced in it, as ``-params`` takes them.
    :param n_timesteps: The budget of one run.
    :param evaluation: How it is judged.
    :param evaluation_levels: On what.
    :param init_from: The arm it starts from.
    """

    arm: str
    algo: str
    game: str
    levels: tuple[str, ...]
    hyperparameters: Hyperparameters
    conf_file: Path | None
    overrides: Mapping[str, Any]
    n_timesteps: int
    evaluation: EvaluationPlan
    evaluation_levels: tuple[str, ...]
    init_from: str | None


def load_experiment(path: Path) -> Experiment:
    """
    Read an experiment file.

    :param path: ``experiment.yml``.
    :raises SonicError: The first thing that is wrong, in one line.
    """
    return parse_experiment(read_yaml(path), str(path))


def parse_experiment_text(text: str, source: str) -> Experiment:
    """As :func:`load_experiment`, of a text that is already in memory."""
    return parse_experiment(parse_mapping(text, source), source)


def parse_experiment(data: Mapping[str, Any], source: str) -> Experiment:
    """
    Check what an experiment file holds, arms by their names.

    :param data: As read.
    :param source: Where it came from, for messages.
    :raises SonicError: As :func:`load_experiment`.
    """
    arms = data.get("arms")
    if isinstance(arms, dict):
        for name, arm in arms.items():
            if not isinstance(arm, dict):
                raise SettingsError(f"{source}: arms.{name}: expected a mapping, got {arm!r}")
            validate(Arm, arm, f"{source}: arms.{name}")
    elif isinstance(arms, list):
        raise SettingsError(f"{source}: arms: expected a mapping of names to arms, got a list")
    experiment = validate(Experiment, data, source)
    if len(set(experiment.seeds)) < len(experiment.seeds):
        raise SettingsError(f"{source}: seeds: expected each once, got {list(experiment.seeds)}")
    return experiment


def _check_seeds(experiment: Experiment, n_episodes: int, source: str) -> None:
    """That every episode of every seed's evaluation has a seed of its own that exists."""
    start = experiment.evaluation.seed
    largest = (_LAST_SEED - start - n_episodes + 1) // n_episodes
    if max(experiment.seeds) > largest:
        raise SettingsError(
            f"{source}: seeds: expected at most {largest:,}, got {max(experiment.seeds):,}: "
            f"evaluations of {n_episodes:,} episodes begin with seed {start:,} + seed x "
            f"{n_episodes:,}, and seeds end at {_LAST_SEED:,}"
        )


def make_plans(
    experiment: Experiment, folder: Path, scale: float = 1.0, source: str = "experiment"
) -> dict[str, Plan]:
    """
    Work out every arm, by its name, in the file's order.

    :param experiment: What was read.
    :param folder: Where relative paths in it begin.
    :param scale: Factor on timesteps and on the episodes of the evaluation at the end.
    :param source: What to call the file in messages.
    :raises SonicError: A name is unknown, a value out of range, or arms do not fit together.
    """
    plans = {}
    for name, arm in experiment.arms.items():
        try:
            plans[name] = _make_plan(name, arm, experiment, folder, scale)
        except SonicError as error:
            raise type(error)(f"{source}: arms.{name}: {error}") from error
    for plan in plans.values():
        if plan.init_from is not None:
            _check_start(plan, plans, source)
    _check_games(experiment, plans, source)
    n_episodes = _scaled(experiment.evaluation.n_episodes, scale)
    _check_seeds(experiment, n_episodes, source)
    return plans


def _make_plan(name: str, arm: Arm, experiment: Experiment, folder: Path, scale: float) -> Plan:
    game = find_game(arm.game or experiment.game or default_game_id()).id
    conf_file = _find_configuration(arm.configuration, folder)
    if "n_timesteps" in arm.hyperparameters:
        raise SettingsError(
            "hyperparameters.n_timesteps: expected the budget as the arm's own n_timesteps, beside "
            "hyperparameters"
        )
    overrides = dict(arm.hyperparameters)
    overrides |= {f"env_kwargs.{key}": value for key, value in arm.env_kwargs.items()}
    n_timesteps = _scaled(arm.n_timesteps or experiment.n_timesteps, scale)
    hyperparameters = load_hyperparameters(
        arm.algo, game, conf_file, {**overrides, "n_timesteps": n_timesteps}
    )
    evaluation = experiment.evaluation
    levels = resolve_levels(game, arm.levels or experiment.levels)
    judged_on = arm.evaluation_levels or evaluation.levels
    return Plan(
        arm=name,
        algo=arm.algo,
        game=game,
        levels=tuple(levels),
        hyperparameters=hyperparameters,
        conf_file=conf_file,
        overrides=overrides,
        n_timesteps=n_timesteps,
        evaluation=evaluation.model_copy(
            update={"n_episodes": _scaled(evaluation.n_episodes, scale)}
        ),
        evaluation_levels=tuple(resolve_levels(game, judged_on) if judged_on else levels),
        init_from=arm.init_from,
    )


def _scaled(count: int, scale: float) -> int:
    return max(1, math.ceil(count * scale))


def _find_configuration(name: str | None, folder: Path) -> Path | None:
    """A path from the experiment's folder, or the name of a file that this package brings."""
    if name is None:
        return None
    path = folder / name
    if path.suffix in (".yml", ".yaml"):
        if not path.is_file():
            raise SettingsError(f"configuration: no file {path}")
        return path
    shipped = {file.stem: file for file in hyperparams_dir().glob("*.yml")} | find_configurations()
    if name not in shipped:
        raise unknown_name("configuration", name, shipped)
    return shipped[name]


def _check_start(plan: Plan, plans: Mapping[str, Plan], source: str) -> None:
    where = f"{source}: arms.{plan.arm}: init_from"
    seen = [plan.arm]
    while (parent := plans[seen[-1]].init_from) is not None:
        if parent not in plans:
            raise SettingsError(f"{where}: {unknown_name('arm', parent, plans)}")
        if parent in seen:
            raise SettingsError(
                f"{where}: expected an arm that starts from none of the others in the end, got a "
                f"circle: {' from '.join([*seen, parent])}"
            )
        seen.append(parent)
    start = plans[seen[1]]
    mine, its = plan.hyperparameters, start.hyperparameters
    if start.game != plan.game:
        raise SettingsError(f"{where}: {start.arm} plays {start.game}, expected {plan.game}")
    if not (isinstance(mine, LearningHyperparameters) and isinstance(its, LearningHyperparameters)):
        raise SettingsError(f"{where}: expected arms that learn, a script has no weights to give")
    if (mine.policy_kwargs, mine.frame_stack) != (its.policy_kwargs, its.frame_stack):
        raise SettingsError(
            f"{where}: expected the network of {start.arm} "
            f"({its.policy_kwargs.written()}, frame_stack {its.frame_stack}), "
            f"got {mine.policy_kwargs.written()}, frame_stack {mine.frame_stack}"
        )


def _check_games(experiment: Experiment, plans: Mapping[str, Plan], source: str) -> None:
    games = sorted({plan.game for plan in plans.values()})
    if len(games) > 1 and not experiment.mixes_games:
        raise SettingsError(
            f"{source}: arms play {', '.join(games)}: expected one game, or `mixes_games: true`"
        )
    has_progress = all(find_game(game).has_progress for game in games)
    known = METRICS + (METRICS_WITH_PROGRESS if has_progress else ())
    if experiment.metric in known:
        return
    if experiment.metric in METRICS_WITH_PROGRESS:
        raise SettingsError(
            f"{source}: metric: runs of {', '.join(games)} lack {experiment.metric!r}: "
            f"expected one of {', '.join(known)}"
        )
    raise SettingsError(f"{source}: {unknown_name('metric', experiment.metric, known)}")
