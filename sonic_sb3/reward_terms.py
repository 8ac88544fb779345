"""
Rewards as a list of named terms: what each is worth in a timestep, and how a settings file is read.

Plain arithmetic on what a timestep brought; no emulator. ``envs/rewards.py`` puts it around an env.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sonic_sb3.errors import SettingsError, unknown_name


@dataclass(frozen=True)
class Moment:
    """
    What is known at the end of a timestep.

    :param points: What the env pays for the timestep when nothing is shaped.
    :param x: Where the player is, in pixels of one coordinate system for the whole level.
    :param y: The same.
    :param end_reason: Why the episode has ended, or ``None`` while it goes on.
    :param counts: Sums since the episode's start, counted frame by frame.
    """

    points: float = 0.0
    x: int = 0
    y: int = 0
    end_reason: str | None = None
    counts: Mapping[str, float] = field(default_factory=dict)


class Term:
    """
    One term of a reward. ``needs`` names the facts that a game must have, ``counts`` those that
    have to be counted frame by frame, ``parameters`` what can be set, with its default.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    counts: ClassVar[tuple[str, ...]] = ()
    parameters: ClassVar[Mapping[str, int]] = {}

    def __init__(self, **parameters: int) -> None:
        self._settings = {**self.parameters, **parameters}

    def reset(self, moment: Moment) -> None:
        """Begin an episode."""

    def value(self, moment: Moment) -> float:
        """What the timestep that ends at this moment is worth, before the weight."""
        raise NotImplementedError

    def get_snapshot(self) -> dict[str, Any]:
        """What changes during an episode, as plain data."""
        return {key: value for key, value in vars(self).items() if key != "_settings"}

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Put it back."""
        vars(self).update(snapshot)


class Points(Term):
    """What the env pays unshaped: the contest's points, the game's score, the fight's points."""

    def value(self, moment: Moment) -> float:
        return moment.points


class ContestProgress(Points):
    """The contest's points: 9000 x gain of progress, and up to 1000 for finishing fast."""

    needs = ("progress",)


class MaxPoints(Term):
    """New maxima of the points' sum, as ``AllowBacktracking``: going back costs nothing."""

    def __init__(self, **parameters: int) -> None:
        super().__init__(**parameters)
        self._sum = 0.0
        self._max_sum = 0.0

    def reset(self, moment: Moment) -> None:
        self._sum = 0.0
        self._max_sum = 0.0

    def value(self, moment: Moment) -> float:
        self._sum += moment.points
        gain = max(0.0, self._sum - self._max_sum)
        self._max_sum = max(self._max_sum, self._sum)
        return gain


class MaxXProgress(MaxPoints):
    """The same of the contest's points: only the way beyond the farthest point so far is paid."""

    needs = ("progress",)


class XDelta(Term):
    """Pixels to the right; to the left they are negative."""

    needs = ("x",)

    def __init__(self, **parameters: int) -> None:
        super().__init__(**parameters)
        self._x = 0

    def reset(self, moment: Moment) -> None:
        self._x = moment.x

    def value(self, moment: Moment) -> float:
        before, self._x = self._x, moment.x
        return float(moment.x - before)


class _Counted(Term):
    """The growth of the one count that it names."""

    def __init__(self, **parameters: int) -> None:
        super().__init__(**parameters)
        self._count = 0.0

    def reset(self, moment: Moment) -> None:
        self._count = moment.counts[self.counts[0]]

    def value(self, moment: Moment) -> float:
        before, self._count = self._count, moment.counts[self.counts[0]]
        return float(self._count - before)


class RingsGained(_Counted):
    """Rings picked up; those that are lost cost nothing."""

    needs, counts = ("rings",), ("rings_gained",)


class ScoreGained(_Counted):
    """Points of the game's own score."""

    needs, counts = ("score",), ("score_gained",)


class LifeLost(_Counted):
    """1 for each life lost."""

    needs, counts = ("lives",), ("lives_lost",)


class DamageDealt(_Counted):
    """Health that the opponent lost."""

    needs = counts = ("damage_dealt",)


class DamageTaken(_Counted):
    """Health that the player lost."""

    needs = counts = ("damage_taken",)


class Combo(_Counted):
    """The k-th hit of an unbroken sequence is worth k - 1."""

    needs = counts = ("combo",)


class Time(Term):
    """1 for each timestep."""

    def value(self, moment: Moment) -> float:
        return 1.0


class NoProgress(Term):
    """
    1 for each timestep from the ``patience``-th on in a row without a new maximum of x.

    The default is four seconds at a frame skip of 4.
    """

    needs = ("x",)
    parameters: ClassVar[Mapping[str, int]] = {"patience": 60}

    def __init__(self, **parameters: int) -> None:
        super().__init__(**parameters)
        self._max_x = 0
        self._n_waited = 0

    def reset(self, moment: Moment) -> None:
        self._max_x = moment.x
        self._n_waited = 0

    def value(self, moment: Moment) -> float:
        self._n_waited += 1
        if moment.x > self._max_x:
            self._max_x = moment.x
            self._n_waited = 0
        return float(self._n_waited >= self._settings["patience"])


class CompletionBonus(Term):
    """1 when the level (or the fight) has been won."""

    needs = ("is_success",)

    def value(self, moment: Moment) -> float:
        return float(moment.end_reason == "completed")


class Novelty(Term):
    """1 for each cell of ``cell_px`` x ``cell_px`` that was not entered before in the episode."""

    needs = ("x", "y")
    parameters: ClassVar[Mapping[str, int]] = {"cell_px": 64}

    def __init__(self, **parameters: int) -> None:
        super().__init__(**parameters)
        self._cells: set[tuple[int, int]] = set()

    def reset(self, moment: Moment) -> None:
        self._cells = {self._cell(moment)}

    def value(self, moment: Moment) -> float:
        n_before = len(self._cells)
        self._cells.add(self._cell(moment))
        return float(len(self._cells) - n_before)

    def get_snapshot(self) -> dict[str, Any]:
        return {"cells": sorted(self._cells)}

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        self._cells = set(snapshot["cells"])

    def _cell(self, moment: Moment) -> tuple[int, int]:
        return moment.x // self._settings["cell_px"], moment.y // self._settings["cell_px"]


TERMS: dict[str, type[Term]] = {
    "points": Points,
    "contest_progress": ContestProgress,
    "max_x_progress": MaxXProgress,
    "x_delta": XDelta,
    "rings_gained": RingsGained,
    "score_gained": ScoreGained,
    "life_lost": LifeLost,
    "time": Time,
    "no_progress": NoProgress,
    "completion_bonus": CompletionBonus,
    "novelty": Novelty,
    "damage_dealt": DamageDealt,
    "damage_taken": DamageTaken,
    "combo": Combo,
}


@dataclass(frozen=True)
class Decay:
    """
    A factor that goes from 1 to 0: (1 - t / horizon) ** power, t in timesteps of the run.

    :param power: 1 for a straight line; 0.9 in Borghi's ring bonus.
    :param horizon: Timesteps after which it is 0.
    """

    power: float
    horizon: int

    def factor(self, n_timesteps: int) -> float:
        """:param n_timesteps: Of the run, so far."""
        return float(max(0.0, 1.0 - n_timesteps / self.horizon) ** self.power)


@dataclass(frozen=True)
class WeightedTerm:
    """
    One entry of a settings file's ``rewards``.

    :param name: A name of :data:`TERMS`.
    :param weight: What its value is multiplied with.
    :param decay: How that goes down over training; ``None`` for not at all.
    :param parameters: Those of the term that were set.
    """

    name: str
    weight: float
    decay: Decay | None
    parameters: Mapping[str, int]

    def weight_at(self, n_timesteps: int) -> float:
        """:param n_timesteps: Of the run, so far."""
        return self.weight if self.decay is None else self.weight * self.decay.factor(n_timesteps)


def parse_rewards(rewards: Sequence[Any]) -> tuple[WeightedTerm, ...]:
    """
    Read ``rewards`` as a settings file has it.

    :param rewards: ``{term, weight}``, ``decay: {power, horizon}`` and the term's own parameters.
    :raises UnknownNameError: An unknown term or key; the message names the closest.
    :raises SettingsError: Anything else that is wrong.
    """
    if not isinstance(rewards, list | tuple) or not rewards:
        raise SettingsError(
            f"expected a list of reward terms such as {{term: life_lost, weight: -1.0}}, "
            f"got {rewards!r:.100}"
        )
    terms = tuple(_parse_term(entry) for entry in rewards)
    names = [term.name for term in terms]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"expected each reward term once, {name!r} stands twice")
    return terms


def reward_columns(rewards: Sequence[Any] | None) -> tuple[str, ...]:
    """
    Under which names the sums of an episode are recorded: ``reward/TERM``.

    :param rewards: As :func:`parse_rewards` takes them; ``None`` for none.
    """
    return () if rewards is None else tuple(f"reward/{t.name}" for t in parse_rewards(rewards))


def _parse_term(entry: Any) -> WeightedTerm:
    if not isinstance(entry, Mapping) or "term" not in entry:
        raise SettingsError(
            f"expected a reward term as {{term: NAME, weight: NUMBER}}, got {entry!r:.100}"
        )
    name = entry["term"]
    if not isinstance(name, str) or name not in TERMS:
        raise unknown_name("reward term", name, TERMS)
    known = ("term", "weight", "decay", *TERMS[name].parameters)
    for key in entry:
        if key not in known:
            raise unknown_name(f"key of reward term {name!r}", key, known)
    if "weight" not in entry:
        raise SettingsError(f"reward term {name!r} lacks its weight: expected a number")
    weight = _number(entry["weight"], f"reward term {name!r}: weight")
    decay = None if entry.get("decay") is None else _parse_decay(entry["decay"], name)
    parameters = {key: _count(entry[key], name, key) for key in known[3:] if key in entry}
    return WeightedTerm(name, weight, decay, parameters)


def _parse_decay(decay: Any, name: str) -> Decay:
    source = f"reward term {name!r}: decay"
    if not isinstance(decay, Mapping):
        raise SettingsError(f"{source}: expected {{power, horizon}}, got {decay!r:.100}")
    for key in decay:
        if key not in ("power", "horizon"):
            raise unknown_name(f"key of the decay of {name!r}", key, ("power", "horizon"))
    if decay.get("horizon") is None:
        raise SettingsError(
            f"{source} lacks its horizon: expected the number of timesteps after which nothing "
            "is left, such as {power: 0.9, horizon: 1000000}"
        )
    power = _number(decay.get("power", 1.0), f"{source}: power")
    if not 0 < power <= 100:
        raise SettingsError(
            f"{source}: power: expected a number above 0 and up to 100, got {power}"
        )
    return Decay(power, _count(decay["horizon"], name, "horizon"))


def _number(value: Any, source: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise SettingsError(f"{source}: expected a finite number, got {value!r:.100}")
    return number


def _count(value: Any, name: str, key: str) -> int:
    number = _number(value, f"reward term {name!r}: {key}")
    if number != int(number) or not 1 <= number <= 10**12:
        raise SettingsError(
            f"reward term {name!r}: {key}: expected a whole number from 1 on, got {value!r:.100}"
        )
    return int(number)
