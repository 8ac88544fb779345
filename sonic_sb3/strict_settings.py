"""Settings as validated data: every key is known, every value checked, nothing is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from sonic_sb3.errors import SettingsError, unknown_name


def not_bool(value: Any) -> Any:
    """Keep pydantic from reading true as 1."""
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got {value}")
    return value


Count = Annotated[int, BeforeValidator(not_bool), Field(ge=1, le=10**12)]
Number = Annotated[float, BeforeValidator(not_bool), Field(allow_inf_nan=False)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
NotNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]


class StrictSettings(BaseModel):
    """Data whose keys are all known and whose values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def written(self) -> dict[str, Any]:
        """The keys that were given, as plain data."""
        return self.model_dump(exclude_unset=True)


# Where pydantic names a type of Python's, which no file has.
_EXPECTATIONS = {
    "tuple_type": "expected a list",
    "too_short": "expected a list with something in it",
}
SettingsT = TypeVar("SettingsT", bound=BaseModel)


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
        if first["type"] == "missing":
            raise SettingsError(f"{source}: {where}: expected this key, it is missing") from None
        message = _EXPECTATIONS.get(first["type"], first["msg"]).removeprefix("Value error, ")
        if first["type"] != "value_error":
            says_so = "should" in message or "expected" in message
            expectation = message if says_so else f"expected another value ({message})"
            message = f"{expectation}, got {first['input']!r:.200}"
        raise SettingsError(f"{source}: {where + ': ' if where else ''}{message}") from None


def _known_keys(kind: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    for part in location:
        if part not in kind.model_fields:
            continue  # a place in a list or mapping, whose kind is known by now
        annotation = kind.model_fields[str(part)].annotation
        nested = [
            candidate
            for candidate in (annotation, *get_args(annotation))
            if isinstance(candidate, type) and issubclass(candidate, BaseModel)
        ]
        if not nested:
            break
        kind = nested[0]
    return list(kind.model_fields)
