"""
Values that change during training, as texts in a settings file.

``2.5e-4`` and ``const_2.5e-4`` stay as they are, ``lin_2.5e-4`` goes linearly to 0 at the end of
training, and ``warmup_10000_lin_2.5e-4`` (or ``warmup_10000_2.5e-4``) does the same times a ramp
from 0 to 1 over the first 10,000 timesteps. rl-zoo3 knows numbers and ``lin_`` only (and reads
``const_`` as ``lin_``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_MAX = 1e30  # what a float32 cannot hold ends in a traceback of torch
_CHANGING = re.compile(r"(lin|const)_(.+)")
_WARMUP = re.compile(r"warmup_([^_]+)_(.+)")


def check_schedule(value: Any) -> float | str:
    """
    Read a number, ``const_NUMBER`` or ``lin_NUMBER``.

    :param value: As it stands in a file.
    :returns: The number, or the text with its number written as Python writes it.
    :raises ValueError: It is something else, or not above 0.
    """
    if isinstance(value, str) and (match := _CHANGING.fullmatch(value.strip())):
        number = _to_number(match.group(2))
        return number if match.group(1) == "const" else f"lin_{number!r}"
    return _to_number(value)


def check_learning_rate(value: Any) -> float | str:
    """
    Read what :func:`check_schedule` reads, or that with a warm-up before it.

    :param value: As it stands in a file.
    :raises ValueError: As :func:`check_schedule`; or the warm-up is no number of timesteps.
    """
    if not isinstance(value, str) or not value.strip().startswith("warmup"):
        return check_schedule(value)
    match = _WARMUP.fullmatch(value.strip())
    if match is None or not match.group(1).isdecimal() or int(match.group(1)) < 1:
        raise ValueError(
            "expected warmup_TIMESTEPS_lin_NUMBER or warmup_TIMESTEPS_NUMBER, such as "
            f"warmup_10000_lin_2.5e-4, got {value!r}"
        )
    return f"warmup_{int(match.group(1))}_{check_schedule(match.group(2))}"


def warmup_timesteps(value: float | str) -> int:
    """Length of the warm-up of a validated schedule; 0 where it has none."""
    match = _WARMUP.fullmatch(str(value))
    return int(match.group(1)) if match else 0


def make_schedule(value: float | str, n_timesteps: int) -> Callable[[float], float]:
    """
    Build the function that SB3 asks.

    :param value: A validated schedule.
    :param n_timesteps: Of the whole training, which the warm-up is a part of.
    :returns: A function of the remaining progress, 1 at the start and 0 at the end.
    """
    n_warmup = warmup_timesteps(value)
    text = str(value).removeprefix(f"warmup_{n_warmup}_")
    is_linear = text.startswith("lin_")
    start = float(text.removeprefix("lin_"))

    def schedule(progress_remaining: float) -> float:
        # SB3 counts whole rollouts: in one that goes beyond the end its progress is below 0.
        base = max(0.0, progress_remaining) * start if is_linear else start
        if n_warmup == 0:
            return base
        return base * min(1.0, (1.0 - progress_remaining) * n_timesteps / n_warmup)

    return schedule


def _to_number(value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"expected a number or lin_NUMBER, got {value!r:.80}") from None
    if not 0 < number <= _MAX:
        raise ValueError(f"expected a number above 0 and at most {_MAX:g}, got {value!r}")
    return number
