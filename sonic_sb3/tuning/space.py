"""
Search spaces as data: which hyperparameters a study tries, and in what range.

A file maps names to parameters. A point of the space maps names to values as Optuna stores them;
:meth:`Space.apply` turns it into hyperparameters.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import BeforeValidator, model_validator

from sonic_sb3.algorithm_settings import ALGORITHM_SETTINGS, Hyperparameters
from sonic_sb3.errors import SettingsError, unknown_name
from sonic_sb3.plain_yaml import read_yaml
from sonic_sb3.shipped_files import search_dir
from sonic_sb3.strict_settings import Number, Positive, StrictSettings, validate
from sonic_sb3.tuning.nested_keys import get_value, set_value

Scalar = str | bool | int | float | None
Point = dict[str, Scalar]
SCHEDULES = ("constant", "linear")
_N_PROBES = 200
# What all trials are measured by, or how long they may learn.
_FIXED_KEYS = frozenset(
    {
        "n_timesteps",
        "policy",
        "env_kwargs.level",
        "env_kwargs.sticky_prob",
        "env_kwargs.noop_max",
        "env_kwargs.max_episode_steps",
        "env_kwargs.fast_emulator",
    }
)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Parameter(StrictSettings):
    """
    One thing to turn; the fields are explained at the top of ``hyperparams/search/ppo.yml``.

    :raises ValueError: A range without both ends or reversed, fields of another kind.
    """

    kind: Literal["float", "int", "categorical"]
    low: Number | None = None
    high: Number | None = None
    log: bool = False
    step: Positive | None = None
    choices: list[Scalar] | dict[str, Any] | None = None
    sets: Annotated[list[str] | None, BeforeValidator(_as_list)] = None
    schedules: str | None = None
    when: dict[str, Scalar | list[Scalar]] | None = None

    @model_validator(mode="after")
    def _check(self) -> Parameter:
        if self.kind == "categorical":
            self._check_choices()
        else:
            self._check_range()
        if self.schedules is not None and self.sets is not None:
            raise ValueError("expected either sets or schedules, got both")
        return self

    def _check_choices(self) -> None:
        if not self.choices:
            raise ValueError("choices: expected at least one, as a list or a mapping")
        given = [name for name in ("low", "high", "step") if getattr(self, name) is not None]
        if given or self.log:
            raise ValueError(f"{(*given, 'log')[0]}: a categorical parameter has choices only")
        keys = [repr(choice) for choice in self.choices]
        if len(set(keys)) < len(keys):
            raise ValueError("choices: one of them stands twice")
        unknown = set(self.choices) - set(SCHEDULES) if self.schedules is not None else None
        if unknown:
            raise ValueError(f"choices: expected constant and linear of a schedule, got {unknown}")

    def _check_range(self) -> None:
        if self.choices is not None or self.schedules is not None:
            raise ValueError(f"choices, schedules: a parameter of kind {self.kind} has low, high")
        if self.low is None or self.high is None:
            raise ValueError("expected low and high")
        if self.low >= self.high:
            raise ValueError(f"expected low below high, got low {self.low:g}, high {self.high:g}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log: expected low above 0 and no step")
        if self.kind == "int":
            for name in ("low", "high", "step"):
                if (getattr(self, name) or 0) % 1:
                    raise ValueError(f"{name}: expected a whole number of kind int")

    def names(self) -> list[Scalar]:
        """The choices as Optuna stores them."""
        return list(self.choices or [])

    def value_of(self, chosen: Scalar) -> Any:
        """What is set for a choice."""
        return self.choices[str(chosen)] if isinstance(self.choices, dict) else chosen

    def choice_of(self, value: Any) -> Scalar | None:
        """What would set this value; ``None`` where nothing does."""
        is_linear = _is_linear(value)
        if self.schedules is not None:
            value = "linear" if is_linear else "constant"
        if self.kind == "categorical":
            matching = [name for name in self.names() if self.value_of(name) == value]
            return matching[0] if matching else None
        number = float(value.removeprefix("lin_")) if is_linear else value
        if isinstance(number, bool) or not isinstance(number, int | float):
            return None
        assert self.low is not None
        assert self.high is not None
        if not self.low <= number <= self.high:
            return None
        return number if self.kind == "float" else int(number)

    def is_asked(self, point: Mapping[str, Scalar]) -> bool:
        """Whether its condition holds."""
        return all(
            name in point and point[name] in (wanted if isinstance(wanted, list) else [wanted])
            for name, wanted in (self.when or {}).items()
        )


class Chooser(Protocol):
    """Who chooses the values: an Optuna trial, or chance."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None, log: bool
    ) -> float: ...

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int: ...

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar: ...


class _Chance:
    """Chooses at random, to find out whether a space can propose what cannot be used."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None, log: bool
    ) -> float:
        return float(self._rng.choice([low, high, self._rng.uniform(low, high)]))

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        return int(self._rng.integers(low, high, endpoint=True))

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        return choices[int(self._rng.integers(len(choices)))]


@dataclass(frozen=True)
class Space:
    """
    Parameters by name, in the order in which they are asked for.

    :param parameters: Validated.
    :param source: Where they came from, for messages.
    """

    parameters: dict[str, Parameter]
    source: str

    def written(self) -> dict[str, Any]:
        """The parameters as plain data."""
        return {name: one.written() for name, one in self.parameters.items()}

    def suggest(self, chooser: Chooser) -> Point:
        """
        Choose a point.

        :param chooser: Who chooses.
        """
        point: Point = {}
        for name, one in self.parameters.items():
            if not one.is_asked(point):
                continue
            if one.kind == "categorical":
                point[name] = chooser.suggest_categorical(name, one.names())
                continue
            assert one.low is not None
            assert one.high is not None
            if one.kind == "float":
                point[name] = chooser.suggest_float(
                    name, one.low, one.high, step=one.step, log=one.log
                )
            else:
                point[name] = chooser.suggest_int(
                    name, int(one.low), int(one.high), step=int(one.step or 1), log=one.log
                )
        return point

    def point_of(self, settings: Mapping[str, Any]) -> Point:
        """
        Where hyperparameters lie in the space; without what it cannot propose.

        :param settings: All of them, defaults included, as nested mappings.
        """
        point: Point = {}
        for name, one in self.parameters.items():
            found = [get_value(settings, key) for key in one.sets or [one.schedules or name]]
            if not one.is_asked(point) or any(value != found[0] for value in found):
                continue
            chosen = one.choice_of(found[0])
            if chosen is not None:
                point[name] = chosen
        return point

    def apply(self, point: Mapping[str, Scalar], base: Mapping[str, Any]) -> dict[str, Any]:
        """
        Put a point's values into hyperparameters.

        An episode's time limit stays as many frames, whatever the frame skip.

        :param point: Of :meth:`suggest`.
        :param base: Hyperparameters as written in a file; not changed.
        :raises SettingsError: A key leads nowhere.
        """
        settings: dict[str, Any] = copy.deepcopy(dict(base))
        schedules: list[tuple[str, str]] = []
        for name, chosen in point.items():
            one = self.parameters[name]
            if one.schedules is not None:
                schedules.append((one.schedules, "lin_" if chosen == "linear" else ""))
                continue
            for key in one.sets or [name]:
                value = copy.deepcopy(one.value_of(chosen))
                if one.kind != "categorical" and _is_linear(get_value(base, key)):
                    value = f"lin_{value}"  # unless a parameter of the space decides it, below
                set_value(settings, key, value, self.source)
        for key, prefix in schedules:
            value = get_value(settings, key)
            number = str(value).removeprefix("lin_")
            if prefix:
                set_value(settings, key, prefix + number, self.source)
            elif number != str(value):
                set_value(settings, key, float(number), self.source)
        _keep_time_limit(settings, base)
        return settings

    def make(
        self, algo: str, point: Mapping[str, Scalar], base: Mapping[str, Any]
    ) -> Hyperparameters:
        """
        The hyperparameters of a point, checked.

        :param algo: Whose they are.
        :param point: Of :meth:`suggest`.
        :param base: Hyperparameters as written in a file.
        :raises SonicError: A key does not exist, or values do not go together.
        """
        return validate(ALGORITHM_SETTINGS[algo], self.apply(point, base), self.source)


def load_space(path: Path, algo: str, base: Mapping[str, Any]) -> Space:
    """
    Read a search space and try it out.

    :param path: The file.
    :param algo: The algorithm it is for.
    :param base: The hyperparameters that its values replace.
    :raises SonicError: An unknown key, a reversed range, values that do not go together.
    """
    return check_space(read_yaml(path), str(path), algo, base)


def default_space(algo: str) -> Path:
    """
    The space that this package brings for an algorithm.

    :raises SettingsError: There is none.
    """
    path = search_dir() / f"{algo}.yml"
    if not path.is_file():
        names = ", ".join(sorted(p.name for p in search_dir().glob("*.yml")))
        raise SettingsError(
            f"no search space for {algo} comes with this package ({names}): "
            "give a file with --space"
        )
    return path


def check_space(data: Mapping[str, Any], source: str, algo: str, base: Mapping[str, Any]) -> Space:
    """
    Turn plain data into a space and try it out, as :func:`load_space`.

    :param data: Names to parameters.
    :param source: Where it came from, for messages.
    :param algo: The algorithm it is for.
    :param base: The hyperparameters that its values replace.
    """
    if not data:
        raise SettingsError(f"{source}: expected at least one parameter")
    parameters: dict[str, Parameter] = {}
    for name, fields in data.items():
        where = f"{source}: {name}"
        if not isinstance(name, str) or not isinstance(fields, dict):
            raise SettingsError(
                f"{where}: expected a name and a mapping such as "
                "{kind: float, low: 0.1, high: 0.2}"
            )
        parameters[name] = validate(Parameter, fields, where)
        _check_references(parameters, name, where)
    space = Space(parameters, source)
    chance = _Chance(0)
    for _ in range(_N_PROBES):
        space.make(algo, space.suggest(chance), base)
    return space


def _check_references(parameters: Mapping[str, Parameter], name: str, where: str) -> None:
    one = parameters[name]
    earlier = [other for other in parameters if other != name]
    for other, wanted in (one.when or {}).items():
        if other not in earlier:
            raise SettingsError(
                f"{where}: when: {unknown_name('parameter', other, earlier)} "
                "(a condition names a parameter that stands above)"
            )
        known = parameters[other].names()
        for value in wanted if isinstance(wanted, list) else [wanted]:
            if known and value not in known:
                raise SettingsError(
                    f"{where}: when: {unknown_name('choice', value, map(str, known))}"
                )
    for key in one.sets or [one.schedules or name]:
        for other in earlier:
            theirs = parameters[other].sets or [other]
            both_ask = not (one.when and parameters[other].when)
            if key in theirs and one.schedules is None and both_ask:
                raise SettingsError(f"{where}: expected {key} once, {other} sets it too")
        if key in _FIXED_KEYS:
            raise SettingsError(
                f"{where}: {key} is the same for all trials, or they could not be compared: "
                "expected a key that changes the agent"
            )


def _keep_time_limit(settings: dict[str, Any], base: Mapping[str, Any]) -> None:
    from sonic_sb3.algorithm_settings import EnvKwargs

    before = EnvKwargs.model_validate(base.get("env_kwargs") or {})
    frame_skip = (settings.get("env_kwargs") or {}).get("frame_skip", before.frame_skip)
    if frame_skip != before.frame_skip and isinstance(frame_skip, int) and frame_skip > 0:
        n_frames = before.max_episode_steps * before.frame_skip
        settings["env_kwargs"]["max_episode_steps"] = max(1, n_frames // frame_skip)


def _is_linear(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("lin_")
