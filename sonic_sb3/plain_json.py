"""JSON from strangers as data: finite numbers, no key twice, nothing deeply nested."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

from sonic_sb3.errors import SettingsError

_MAX_DEPTH = 20
_MAX_DIGITS = 40


def parse_json(data: bytes, source: str) -> Any:
    """
    Read one JSON value.

    :param data: UTF-8 text.
    :param source: What to call it in messages.
    :raises SettingsError: It is not JSON, a key stands twice, a number is not finite, or it is
        nested too deep.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            parse_float=_finite_float,
            parse_int=_bounded_int,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_keys,
        )
        check_plain(value)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{source}: expected plain JSON: {error}") from error
    return value


def check_plain(data: Any) -> None:
    """
    Accept what both JSON and YAML can say: mappings with text keys, lists, texts, finite numbers.

    :param data: Nested data as read.
    :raises ValueError: Something else is among it, or it is nested too deep.
    """
    stack = [(data, 0)]
    while stack:
        value, depth = stack.pop()
        if depth > _MAX_DEPTH:
            raise ValueError(f"nested more than {_MAX_DEPTH} deep")
        if isinstance(value, dict):
            for key in value:
                if not isinstance(key, str):
                    raise ValueError(f"expected texts as keys, got {key!r}")
            stack.extend((child, depth + 1) for child in value.values())
        elif isinstance(value, list):
            stack.extend((child, depth + 1) for child in value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"expected finite numbers, got {value}")
        elif not (value is None or isinstance(value, bool | int | float | str)):
            raise ValueError(f"expected numbers and texts, got {type(value).__name__}")


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"expected finite numbers, got {text[:40]}")
    return number


def _bounded_int(text: str) -> int:
    if len(text) > _MAX_DIGITS:  # no float could hold it
        raise ValueError(f"expected numbers of at most {_MAX_DIGITS} digits, got {text[:40]}")
    return int(text)


def _refuse_constant(text: str) -> float:
    raise ValueError(f"expected finite numbers, got {text}")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        (twice, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"expected each key once, key {twice!r} stands twice")
    return mapping
