"""What a level file says, read but not yet compiled."""

from __future__ import annotations

from dataclasses import dataclass, field

from .objects import Placed
from .terrain import Terrain

ZONES = ("CanopyZone", "QuarryZone", "SkylineZone")


class LevelError(Exception):
    """A level file that cannot be compiled; the message starts with file:line."""


@dataclass
class LevelSource:
    """All an act's file says, ready for cutting."""

    zone: int = 0
    act: int = 0
    width: int = 0
    height: int = 0
    start: tuple[int, int] = (0, 0)
    end_x: int = 0
    terrain: Terrain | None = None
    objects: list[Placed] = field(default_factory=list)
    rings: list[tuple[int, int]] = field(default_factory=list)
    switches: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    kills: list[tuple[int, int, int, int]] = field(default_factory=list)
    decor: list[tuple[str, int, int, bool]] = field(default_factory=list)
    fronts: list[tuple[int, int, int, int]] = field(default_factory=list)
    loops: list[tuple[int, int]] = field(default_factory=list)
    notes: list[tuple[int, int, str]] = field(default_factory=list)
