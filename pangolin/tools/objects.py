"""The objects a level file can place: their arguments, sizes and codes in src/state.h."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DIRECTIONS = {"up": 0, "right": 1, "down": 2, "left": 3, "up_right": 4, "up_left": 5}
POWERS = {"weak": 7 * 256, "normal": 10 * 256, "strong": 14 * 256, "super": 16 * 256 - 1}


@dataclass(frozen=True)
class Placed:
    """An object as src/level.h's ObjDef; x, y is its centre."""

    name: str
    type: int
    x: int
    y: int
    sub: int
    a: int
    b: int


def _int(args: list[str], i: int, default: int) -> int:
    return int(args[i]) if len(args) > i else default


def _direction(word: str, allowed: tuple[str, ...]) -> int:
    if word not in allowed:
        raise ValueError(f"direction '{word}': expected one of {', '.join(allowed)}")
    return DIRECTIONS[word]


def _spring(x: int, y: int, args: list[str]) -> list[Placed]:
    way = _direction(args[0] if args else "up", tuple(DIRECTIONS))
    power = POWERS[args[1]] if len(args) > 1 and args[1] in POWERS else _int(args, 1, 10) * 256
    half = 16 if way in (1, 3) else 8
    return [Placed("spring", 1, x, y - half, way, min(power, 4095), 0)]


def _spikes(x: int, y: int, args: list[str]) -> list[Placed]:
    way = _direction(args[0] if args else "up", ("up", "down", "left", "right"))
    step = (0, 32) if way in (1, 3) else (32, 0)
    return [
        Placed("spikes", 2, x + i * step[0], y - 16 - i * step[1], way, 0, 0)
        for i in range(_int(args, 1, 1))
    ]


def _platform(x: int, y: int, args: list[str]) -> list[Placed]:
    kinds = {"h": 0, "v": 1, "circle": 2, "still": 0}
    kind = args[0] if args else "h"
    if kind not in kinds:
        raise ValueError(f"platform '{kind}': expected h, v, circle or still")
    reach = 0 if kind == "still" else _int(args, 1, 64)
    period = _int(args, 2, 240)
    phase = _int(args, 3, 0) // 16 * 16
    return [Placed("platform", 3, x, y + 8, kinds[kind] | phase, reach, max(1, 65536 // period))]


def _crumble(x: int, y: int, args: list[str]) -> list[Placed]:
    return [Placed("crumble", 4, x + 32 * i, y + 8, 0, 0, 0) for i in range(_int(args, 0, 1))]


def _simple(name: str, code: int, half_h: int) -> Callable[[int, int, list[str]], list[Placed]]:
    def make(x: int, y: int, args: list[str]) -> list[Placed]:
        if args:
            raise ValueError(f"takes no further arguments, got {' '.join(args)}")
        return [Placed(name, code, x, y - half_h, 0, 0, 0)]

    return make


def _walker(x: int, y: int, args: list[str]) -> list[Placed]:
    return [Placed("walker", 8, x, y - 16, 0, _int(args, 0, 64), _int(args, 1, 128))]


def _flyer(x: int, y: int, args: list[str]) -> list[Placed]:
    calm = len(args) > 1 and args[1] == "calm"
    return [Placed("flyer", 9, x, y, int(calm), _int(args, 0, 32), 0)]


def _fan(x: int, y: int, args: list[str]) -> list[Placed]:
    return [Placed("fan", 15, x, y - 8, 0, _int(args, 0, 32), _int(args, 1, 192))]


def _conveyor(x: int, y: int, args: list[str]) -> list[Placed]:
    return [Placed("conveyor", 16, x, y, 0, _int(args, 0, 64), _int(args, 1, 512))]


def _crusher(x: int, y: int, args: list[str]) -> list[Placed]:
    return [Placed("crusher", 17, x, y + 16, 0, _int(args, 0, 96), _int(args, 1, 180))]


OBJECTS: dict[str, Callable[[int, int, list[str]], list[Placed]]] = {
    "spring": _spring,
    "spikes": _spikes,
    "platform": _platform,
    "crumble": _crumble,
    "wall": _simple("wall", 5, 32),
    "checkpoint": _simple("checkpoint", 6, 24),
    "goal_post": _simple("goal_post", 7, 24),
    "walker": _walker,
    "flyer": _flyer,
    "fan": _fan,
    "conveyor": _conveyor,
    "crusher": _crusher,
}


def make_object(name: str, x: int, y: int, args: list[str]) -> list[Placed]:
    """Objects for one command; (x, y) is the middle of the bottom edge (LEVELS.md has details)."""
    return OBJECTS[name](x, y, args)
