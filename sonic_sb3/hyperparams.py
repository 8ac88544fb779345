"""
Hyperparameters as validated data: rl-zoo3's YAML with neither eval nor imports.

Every key is a field below; an unknown one is an error that names the closest. Names are looked up
in tables, schedules are texts such as ``lin_2.5e-4``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from sonic_sb3.errors import SettingsError, unknown_name
from sonic_sb3.plain_yaml import parse_value, read_yaml
from sonic_sb3.shipped_files import hyperparams_dir

_LINEAR = re.compile(r"lin_(.+)")


def not_bool(value: Any) -> Any:
    """Keep pydantic from reading true as 1."""
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got {value}")
    return value


def _check_schedule(value: Any) -> Any:
    """A number, or ``lin_`` and the number from which it goes linearly to 0."""
    if isinstance(value, str) and (match := _LINEAR.fullmatch(value.strip())):
        number = _to_number(match.group(1))
        return f"lin_{number!r}"
    return _to_number(value)


def _to_number(value: Any) -> float:
    try:
        number = float(not_bool(value))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"expected a number or lin_NUMBER, got {value!r:.80}") from None
    if not math.isfinite(number) or number <= 0:
        raise ValueError(f"expected a finite number above 0, got {value!r}")
    return number


Count = Annotated[int, BeforeValidator(not_bool), Field(ge=1, le=10**12)]
Number = Annotated[float, BeforeValidator(not_bool), Field(allow_inf_nan=False)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
NotNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]
Schedule = Annotated[float | str, BeforeValidator(_check_schedule)]


class StrictSettings(BaseModel):
    """Data whose keys are all known and whose values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def written(self) -> dict[str, Any]:
        """The keys that were given, as plain data."""
        return self.model_dump(exclude_unset=True)


class EnvKwargs(StrictSettings):
    """Keyword arguments of :func:`sonic_sb3.make_env`."""

    level: str | None = None
    frame_skip: Annotated[Count, Field(le=60)] = 4
    sticky_prob: Fraction = 0.25
    noop_max: Annotated[int, BeforeValidator(not_bool), Field(ge=0, le=600)] = 0
    max_episode_steps: Count = 4500
    allow_backtracking: bool = False
    reward_scale: Positive = 1.0
    frame_width: Annotated[Count, Field(ge=36, le=320)] = 96
    frame_height: Annotated[Count, Field(ge=36, le=320)] = 96
    fast_emulator: bool = True


class PolicyKwargs(StrictSettings):
    """Keyword arguments of :class:`sonic_sb3.policies.SonicPolicy`."""

    extractor: Literal["separable", "blog", "nature"] = "separable"
    features_dim: Annotated[Count, Field(le=65536)] = 512
    precision: Literal["float32", "bfloat16"] = "float32"
    runs_fast: bool = True


class Hyperparameters(StrictSettings):
    """What all algorithms share."""

    n_timesteps: Count
    n_envs: Annotated[Count, Field(le=4096)] = 1
    policy: Literal["sonic_sb3.policies.SonicPolicy"] = "sonic_sb3.policies.SonicPolicy"
    policy_kwargs: PolicyKwargs = PolicyKwargs()
    frame_stack: Annotated[Count, Field(le=64)] = 4
    env_kwargs: EnvKwargs = EnvKwargs()

    learning_rate: Schedule
    gamma: Fraction = 0.99
    gae_lambda: Fraction = 0.95
    ent_coef: NotNegative = 0.0
    vf_coef: NotNegative = 0.5
    max_grad_norm: Positive = 0.5
    normalize_advantage: bool = True

    def algorithm_kwargs(self) -> dict[str, Any]:
        """What goes to the SB3 constructor beside policy and env; schedules still as text."""
        shared = {"n_timesteps", "n_envs", "policy", "policy_kwargs", "frame_stack", "env_kwargs"}
        return {key: value for key, value in self.written().items() if key not in shared}


class PPOHyperparameters(Hyperparameters):
    """Of ``stable_baselines3.PPO``."""

    n_steps: Count = 2048
    batch_size: Count = 64
    n_epochs: Count = 10
    clip_range: Schedule = 0.2
    clip_range_vf: Schedule | None = None
    target_kl: Positive | None = None

    @model_validator(mode="after")
    def _check_batch(self) -> PPOHyperparameters:
        n_rollout = self.n_steps * self.n_envs
        if self.batch_size > n_rollout:
            raise ValueError(
                f"batch_size: expected at most n_steps x n_envs = {n_rollout}, "
                f"got {self.batch_size}"
            )
        if n_rollout < 2 or self.batch_size < 2:
            raise ValueError("batch_size: expected at least 2, advantages are normalised over it")
        return self


class A2CHyperparameters(Hyperparameters):
    """Of ``stable_baselines3.A2C``."""

    n_steps: Count = 5
    use_rms_prop: bool = True
    rms_prop_eps: Positive = 1e-5
    normalize_advantage: bool = False


SettingsT = TypeVar("SettingsT", bound=BaseModel)

ALGORITHM_SETTINGS: dict[str, type[Hyperparameters]] = {
    "ppo": PPOHyperparameters,
    "a2c": A2CHyperparameters,
}
CONTINUOUS_ALGORITHMS = ("sac", "td3", "ddpg", "tqc", "crossq")


def check_algo(algo: str) -> None:
    """
    Accept an algorithm's name.

    :raises UnknownNameError: It is none of ours.
    :raises SettingsError: It cannot play with a pad.
    """
    if algo in CONTINUOUS_ALGORITHMS:
        raise SettingsError(
            f"{algo} needs continuous actions and a pad has discrete ones: expected one of "
            f"{', '.join(ALGORITHM_SETTINGS)}"
        )
    if algo not in ALGORITHM_SETTINGS:
        raise unknown_name("algorithm", algo, ALGORITHM_SETTINGS)


def load_hyperparameters(
    algo: str,
    env_id: str = "default",
    conf_file: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Hyperparameters:
    """
    Read the hyperparameters of an algorithm for a game.

    :param algo: ``ppo`` or ``a2c``.
    :param env_id: The file's key; where the file lacks it, ``default``.
    :param conf_file: Another file than the one this package brings.
    :param overrides: Keys to replace; ``env_kwargs.level`` reaches into a mapping.
    :raises SonicError: An unknown algorithm or key, a value out of range, a file that cannot be
        read.
    """
    check_algo(algo)
    path = Path(conf_file) if conf_file else hyperparams_dir() / f"{algo}.yml"
    entries = read_yaml(path)
    key = env_id if env_id in entries else "default"
    if key not in entries:
        raise SettingsError(
            f"{path}: expected a key {env_id!r} or 'default', it has {', '.join(map(str, entries))}"
        )
    entry = entries[key]
    if not isinstance(entry, dict):
        raise SettingsError(f"{path}: {key}: expected a mapping of hyperparameters, got {entry!r}")
    entry = _merge(entry, overrides or {})
    return validate(ALGORITHM_SETTINGS[algo], entry, f"{path}: {key}")


def parse_overrides(pairs: Sequence[str], option: str) -> dict[str, Any]:
    """
    Read ``key:value`` words of a command line; values are YAML.

    :param pairs: The words.
    :param option: The option they came with, for messages.
    :raises SettingsError: A word has no colon, or its value is not YAML.
    """
    overrides = {}
    for pair in pairs:
        key, colon, value = pair.partition(":")
        if not colon or not key:
            raise SettingsError(f"{option}: expected key:value, got {pair!r}")
        overrides[key.strip()] = parse_value(value, f"{option} {key}")
    return overrides


def validate(kind: type[SettingsT], data: Mapping[str, Any], source: str) -> SettingsT:
    """
    Turn plain data into settings.

    :param kind: The settings class.
    :param data: What was read.
    :param source: Where it came from, for messages.
    :raises SettingsError: The first thing that is wrong, by name, in one line.
    """
    try:
        return kind.model_validate(dict(data))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            *parents, key = first["loc"]
            inside = "".join(f"{parent}: " for parent in parents)
            known = _known_keys(kind, tuple(parents))
            raise SettingsError(f"{source}: {inside}{unknown_name('key', key, known)}") from None
        message = first["msg"].removeprefix("Value error, ")
        got = "" if first["type"] == "value_error" else f", got {first['input']!r}"
        raise SettingsError(f"{source}: {where + ': ' if where else ''}{message}{got}") from None


def _known_keys(kind: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        nested = kind.model_fields[str(part)].annotation
        if not (isinstance(nested, type) and issubclass(nested, BaseModel)):
            break
        kind = nested
    return list(kind.model_fields)


def _merge(entry: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(entry)
    for key, value in overrides.items():
        parent, dot, child = key.partition(".")
        if dot:
            inner = merged.get(parent)
            merged[parent] = _merge(inner if isinstance(inner, Mapping) else {}, {child: value})
        else:
            merged[key] = value
    return merged
