"""What a study is: everything that must be the same for all who work on it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from sonic_sb3.errors import StudyError
from sonic_sb3.games import find_game
from sonic_sb3.hyperparams import check_algo
from sonic_sb3.strict_settings import Count, StrictSettings, not_bool, validate
from sonic_sb3.tuning.space import Scalar, Space, check_space

OBJECTIVES = ("completion", "progress", "contest_score", "score")
SAMPLERS = ("tpe", "random", "gp")
PRUNERS = ("hyperband", "median", "wilcoxon", "none")
N_REPORTS = 20  # during one training
CONFIRMATION_SEED_OFFSET = 10_000  # no training of the study has these seeds
MAX_SEED = 2**30
MIN_WILCOXON_VALUES = 5  # with fewer pairs its smallest p is above the threshold of 0.1 or useless
_OPTIONS = {
    "n_timesteps": "-n",
    "first_points": "--warm-start",
    "hyperparameters": "--conf-file or -params",
    "rom_sha1": "the ROM",
}
_NAME = re.compile(r"[\w][\w.-]{0,99}")


class Candidate(StrictSettings):
    """
    A trial that did well and is tried again with fresh seeds.

    :param trial: Its number in its study.
    :param params: Its point of the space.
    """

    trial: Annotated[int, Field(ge=0)]
    params: dict[str, Scalar]


class StudySettings(StrictSettings):
    """
    The settings of a study, kept in its storage; whoever joins it must agree with them.

    ``objective`` is the figure of an evaluation's episode, ``area`` says that its mean during
    training counts and not that at the end. A study with ``candidates`` proposes nothing: it trains
    each of them with every one of its ``n_seeds`` seeds. ``first_points`` are tried before the
    sampler is asked; what one of them leaves open the sampler chooses. ``identity`` is drawn when a
    study begins and tells its folder from that of another study of the same name.
    """

    algo: str
    env: str
    levels: tuple[str, ...]
    n_timesteps: Count
    n_seeds: Annotated[Count, Field(le=1000)]
    seed: Annotated[int, BeforeValidator(not_bool), Field(ge=0, lt=MAX_SEED)]
    objective: Literal["completion", "progress", "contest_score", "score"]
    area: bool = False
    eval_episodes: Annotated[Count, Field(le=10_000)]
    sampler: Literal["tpe", "random", "gp"] = "tpe"
    pruner: Literal["hyperband", "median", "wilcoxon", "none"] = "hyperband"
    hyperparameters: dict[str, Any]
    space: dict[str, Any]
    rom_sha1: str
    first_points: tuple[dict[str, Scalar], ...] = ()
    candidates: tuple[Candidate, ...] = ()
    identity: Annotated[str, Field(pattern=r"^[0-9a-f]{0,32}$")] = ""

    @property
    def training_seeds(self) -> list[int]:
        """The seeds that every trial is trained with."""
        return [self.seed + k for k in range(self.n_seeds)]

    def candidate_of(self, slot: int) -> Candidate:
        """Which of the candidates a slot tries again."""
        return self.candidates[slot % len(self.candidates)]

    @property
    def n_reports(self) -> int:
        """How often a training tells how it is doing."""
        return min(N_REPORTS, self.n_timesteps)

    def make_space(self) -> Space:
        """The search space, checked. :raises SonicError: It does not fit this version."""
        return check_space(self.space, "the study's space", self.algo, self.hyperparameters)


def check_study_name(name: str) -> None:
    """
    Accept a study's name, which also names its folder.

    :raises StudyError: It cannot be a folder's name.
    """
    if not _NAME.fullmatch(name):
        raise StudyError(
            "--study-name: expected letters, digits, '_', '-' and '.', at most 100, got "
            + ("a URL" if "://" in name else repr(name))
        )


def read_study_settings(data: Mapping[str, Any], source: str) -> StudySettings:
    """
    Check settings out of a storage, which may be a stranger's.

    :param data: As read.
    :param source: Where it came from, for messages.
    :raises SonicError: Something is missing, unknown or out of range.
    """
    settings = validate(StudySettings, data, source)
    check_algo(settings.algo)
    find_game(settings.env)
    return settings


def check_same_study(recorded: StudySettings, asked: Mapping[str, Any], name: str) -> None:
    """
    Compare what a command asks for with what the study is.

    :param recorded: The study's settings.
    :param asked: Settings that the command names.
    :param name: The study.
    :raises StudyError: They differ.
    """
    known = recorded.model_dump(mode="json")
    for key, value in asked.items():
        if known[key] == value:
            continue
        option = _OPTIONS.get(key, "--" + key.replace("_", "-"))
        is_short = len(f"{known[key]}{value}") < 200
        values = f": it has {known[key]!r}, asked for was {value!r}" if is_short else ""
        raise StudyError(
            f"study {name!r} was started with another {key} ({option}){values}; "
            "expected the same, or another --study-name"
        )
