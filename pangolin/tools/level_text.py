"""Reads a level file: pen commands become terrain, object commands become tables.

The language is described in LEVELS.md. Errors name file and line.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .level_source import ZONES, LevelError, LevelSource
from .objects import OBJECTS, make_object
from .terrain import Arc, Point, Terrain

LOOP_THICK = 24
SWITCH_MARGIN = 12


@dataclass(frozen=True)
class Coordinate:
    """A y that may wait for the terrain: ``ground`` is searched downwards from y."""

    y: int
    offset: int = 0
    on_ground: bool = False


@dataclass
class Pending:
    """An object whose height is known once all terrain is drawn."""

    line: int
    name: str
    x: int
    y: Coordinate
    args: list[str]


class LevelReader:
    """One pass over the lines; ``command_NAME`` methods are the language."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.source = LevelSource()
        self.line = 0
        self.x = 0
        self.y = 0
        self.below = True
        self.thick: int | None = None
        self.kind = "solid"
        self.pending: list[Pending] = []
        self.pending_rings: list[tuple[int, int, Coordinate]] = []
        self.pending_decor: list[tuple[int, str, int, Coordinate, bool]] = []
        self.pending_start: tuple[int, Coordinate] | None = None

    # -- reading

    def fail(self, message: str, line: int | None = None) -> LevelError:
        return LevelError(f"{self.path.name}:{line or self.line}: {message}")

    def read(self) -> LevelSource:
        for number, text in enumerate(self.path.read_text().splitlines(), start=1):
            self.line = number
            words = text.split("#", 1)[0].split()
            if words:
                self.run(words)
        if self.source.terrain is None:
            raise self.fail("no 'size WIDTH HEIGHT' line")
        if not self.source.end_x:
            raise self.fail("no 'goal X' line")
        self._place()
        return self.source

    def run(self, words: list[str]) -> None:
        name, args = words[0], words[1:]
        if name in OBJECTS:
            self._object(name, args)
            return
        command: Callable[[list[str]], None] | None = getattr(self, f"command_{name}", None)
        if command is None:
            raise self.fail(f"unknown command '{name}'")
        try:
            command(args)
        except (ValueError, IndexError) as error:
            raise self.fail(f"'{' '.join(words)}': wrong arguments ({error})") from error

    @property
    def terrain(self) -> Terrain:
        if self.source.terrain is None:
            raise self.fail("'size' must come before this")
        return self.source.terrain

    def x_of(self, word: str) -> int:
        return self.x + int(word) if word[0] in "+-" else int(word)

    def y_of(self, word: str) -> Coordinate:
        """``300`` absolute, ``+8``/``-40`` from the pen, ``g``/``g-40`` from the ground."""
        if word[0] == "g":
            return Coordinate(self.y - 96, int(word[1:] or 0), True)
        return Coordinate(self.y + int(word) if word[0] in "+-" else int(word))

    def plain_y(self, word: str) -> int:
        coordinate = self.y_of(word)
        if coordinate.on_ground:
            raise ValueError("'g' cannot be used here")
        return coordinate.y

    # -- the act

    def command_zone(self, args: list[str]) -> None:
        if args[0] not in ZONES:
            raise self.fail(f"unknown zone '{args[0]}': expected one of {', '.join(ZONES)}")
        self.source.zone = ZONES.index(args[0])

    def command_act(self, args: list[str]) -> None:
        if args[0] not in "123":
            raise self.fail("act must be 1, 2 or 3")
        self.source.act = int(args[0]) - 1

    def command_size(self, args: list[str]) -> None:
        width, height = int(args[0]), int(args[1])
        if width % 64 or height % 64 or not 640 <= width <= 16384 or not 256 <= height <= 2048:
            raise self.fail("size: multiples of 64, width 640..16384, height 256..2048")
        self.source.width, self.source.height = width, height
        self.source.terrain = Terrain(width, height)

    def command_start(self, args: list[str]) -> None:
        self.pending_start = (self.x_of(args[0]), self.y_of(args[1]))

    def command_goal(self, args: list[str]) -> None:
        x = self.x_of(args[0])
        self.source.end_x = x
        self._object("goal_post", [str(x), args[1] if len(args) > 1 else "g"])

    # -- the pen

    def command_at(self, args: list[str]) -> None:
        self.x, self.y = int(args[0]), int(args[1])

    def command_move(self, args: list[str]) -> None:
        self.x += int(args[0])
        self.y += int(args[1])

    def command_gap(self, args: list[str]) -> None:
        self.x += int(args[0])

    def _mode(self, below: bool, kind: str, args: list[str], thick: int | None) -> None:
        self.below, self.kind = below, kind
        self.thick = int(args[0]) if args else thick

    def command_ground(self, args: list[str]) -> None:
        self._mode(True, "solid", args, None)

    def command_ceiling(self, args: list[str]) -> None:
        self._mode(False, "solid", args, None)

    def command_strip(self, args: list[str]) -> None:
        self._mode(True, "oneway", args, 16)

    def stroke(self, points: list[Point]) -> None:
        """Draws from the pen along the points and leaves the pen at their end."""
        path = [(float(self.x), float(self.y)), *points]
        end = (round(path[-1][0]), round(path[-1][1]))
        if path[-1][0] == path[0][0]:
            self.terrain.stamp_path([(x, y) for x, y in path], reverse=not self.below)
            steps = max(1, int(abs(path[-1][1] - path[0][1]) * 2))
            fine = [
                (path[0][0], path[0][1] + (path[-1][1] - path[0][1]) * i / steps)
                for i in range(steps + 1)
            ]
            self.terrain.stamp_path(fine, reverse=not self.below)
        else:
            self.terrain.fill_columns(path, self.below, self.thick, self.kind)
        self.x, self.y = end

    def command_flat(self, args: list[str]) -> None:
        self.stroke([(self.x + int(args[0]), self.y)])

    def command_up(self, args: list[str]) -> None:
        self.stroke([(self.x + int(args[0]), self.y - int(args[1]))])

    def command_down(self, args: list[str]) -> None:
        self.stroke([(self.x + int(args[0]), self.y + int(args[1]))])

    def _eased(self, width: int, rise: int, ease: Callable[[float], float]) -> None:
        n = max(16, width // 2)
        self.stroke(
            [(self.x + width * i / n, self.y - rise * ease(i / n)) for i in range(1, n + 1)]
        )

    def command_rise(self, args: list[str]) -> None:
        self._eased(int(args[0]), int(args[1]), lambda t: (1 - math.cos(math.pi * t)) / 2)

    def command_fall(self, args: list[str]) -> None:
        self._eased(int(args[0]), -int(args[1]), lambda t: (1 - math.cos(math.pi * t)) / 2)

    def command_hill(self, args: list[str]) -> None:
        self._eased(int(args[0]), int(args[1]), lambda t: (1 - math.cos(2 * math.pi * t)) / 2)

    def command_dip(self, args: list[str]) -> None:
        self._eased(int(args[0]), -int(args[1]), lambda t: (1 - math.cos(2 * math.pi * t)) / 2)

    def command_cliff(self, args: list[str]) -> None:
        """Vertical step: positive is up."""
        self.stroke([(self.x, self.y - int(args[0]))])

    def _quarter(self, args: list[str], dx: int, dy: int, sweep: tuple[float, float]) -> None:
        r = int(args[0])
        self.stroke(Arc(self.x + dx * r, self.y + dy * r, r, *sweep).points())

    def command_curve_up(self, args: list[str]) -> None:
        """Flat, then ever steeper up: ends as a wall to the right."""
        degrees = float(args[1]) if len(args) > 1 else 90.0
        self._quarter(args, 0, -1, (90.0, 90.0 - degrees))

    def command_curve_down(self, args: list[str]) -> None:
        """From a wall on the left down and out into the flat."""
        degrees = float(args[1]) if len(args) > 1 else 90.0
        r, start = int(args[0]), math.radians(90 + degrees)
        cx, cy = self.x - r * math.cos(start), self.y - r * math.sin(start)
        self.stroke(Arc(cx, cy, r, 90.0 + degrees, 90.0).points())

    def command_round_up(self, args: list[str]) -> None:
        """From a wall on the right over its rounded top into the flat."""
        degrees = float(args[1]) if len(args) > 1 else 90.0
        r, start = int(args[0]), math.radians(270 - degrees)
        cx, cy = self.x - r * math.cos(start), self.y - r * math.sin(start)
        self.stroke(Arc(cx, cy, r, 270.0 - degrees, 270.0).points())

    def command_round_down(self, args: list[str]) -> None:
        """Flat, then ever steeper down: ends as a wall to the left."""
        degrees = float(args[1]) if len(args) > 1 else 90.0
        self._quarter(args, 0, 1, (270.0, 270.0 + degrees))

    def command_halfpipe(self, args: list[str]) -> None:
        """A bowl: quarter pipe down, FLAT px of floor, quarter pipe up."""
        radius, flat = int(args[0]), int(args[1])
        self.command_curve_down([str(radius)])
        if flat:
            self.command_flat([str(flat)])
        self.command_curve_up([str(radius)])

    def command_loop(self, args: list[str]) -> None:
        """Flat ground with a ring on it; the pen ends behind the loop."""
        radius = int(args[0])
        if not 48 <= radius <= 160:
            raise self.fail("loop: radius 48..160")
        side = radius + LOOP_THICK + 24
        cx, cy = self.x + side, self.y - radius
        self.source.loops.append((self.x, self.x + 2 * side))
        self.command_flat([str(2 * side)])
        self.terrain.loop(cx, cy, radius, LOOP_THICK)
        outer = radius + LOOP_THICK
        top, bottom = cy - radius - 4, cy + radius + 8
        self.source.switches += [
            (cx - outer - SWITCH_MARGIN, cy - outer, bottom, 0, 0),
            (cx, top, cy, 0, 1),
            (cx + outer + SWITCH_MARGIN, cy - outer, bottom, 1, 1),
        ]
        self.source.fronts.append((cx - outer - 8, cy - outer - 8, cx, cy + radius))

    def command_tunnel(self, args: list[str]) -> None:
        """LENGTH px of floor under a roof HEIGHT px above it, THICK px thick."""
        length = int(args[0])
        gap = int(args[1]) if len(args) > 1 else 28
        thick = int(args[2]) if len(args) > 2 else 48
        x, y = self.x, self.y
        self.command_flat([args[0]])
        self.terrain.rectangle(x, y - gap - thick, x + length, y - gap, "solid")

    def command_tube(self, args: list[str]) -> None:
        """tube WIDTH HEADING then steps: fN forward, lR:DEG left, rR:DEG right (radius, degrees).

        Carves a corridor whose middle starts at the pen; the pen follows.
        """
        width, heading = int(args[0]), float(args[1])
        x, y = float(self.x), float(self.y)
        path: list[Point] = [(x, y)]
        for step in args[2:]:
            if step[0] == "f":
                x += float(step[1:]) * math.cos(math.radians(heading))
                y -= float(step[1:]) * math.sin(math.radians(heading))
                path.append((x, y))
                continue
            if step[0] not in "lr":
                raise ValueError(f"unknown tube step '{step}'")
            radius, degrees = (float(v) for v in step[1:].split(":"))
            sign = 1 if step[0] == "l" else -1
            n = max(4, int(radius * math.radians(degrees)))
            cx = x - sign * radius * math.sin(math.radians(heading))
            cy = y - sign * radius * math.cos(math.radians(heading))
            for i in range(1, n + 1):
                now = math.radians(heading + sign * degrees * i / n)
                path.append(
                    (cx + sign * radius * math.sin(now), cy + sign * radius * math.cos(now))
                )
            heading += sign * degrees
            x, y = path[-1]
        self.terrain.tube(path, width)
        self.x, self.y = round(x), round(y)

    def command_rect(self, args: list[str]) -> None:
        """rect X Y WIDTH HEIGHT [solid|oneway|air]"""
        kind = args[4] if len(args) > 4 else "solid"
        if kind not in ("solid", "oneway", "air"):
            raise ValueError(f"unknown kind '{kind}'")
        x, y = self.x_of(args[0]), self.plain_y(args[1])
        self.terrain.rectangle(x, y, x + int(args[2]), y + int(args[3]), kind)

    def command_poly(self, args: list[str]) -> None:
        """poly solid|air X,Y X,Y X,Y ..."""
        if args[0] not in ("solid", "air") or len(args) < 4:
            raise ValueError("poly solid|air and at least three X,Y corners")
        corners = []
        for word in args[1:]:
            x, y = word.split(",")
            corners.append((float(self.x_of(x)), float(self.plain_y(y))))
        self.terrain.polygon(corners, args[0])

    # -- things

    def command_rings(self, args: list[str]) -> None:
        """rings X Y [COUNT [DX [DY]]]"""
        x, y = self.x_of(args[0]), self.y_of(args[1])
        count = int(args[2]) if len(args) > 2 else 1
        dx = int(args[3]) if len(args) > 3 else 24
        dy = int(args[4]) if len(args) > 4 else 0
        for i in range(count):
            at = Coordinate(y.y, y.offset + i * dy, y.on_ground)
            at = at if y.on_ground else Coordinate(y.y + i * dy)
            self.pending_rings.append((self.line, x + i * dx, at))

    def command_ring_arc(self, args: list[str]) -> None:
        """ring_arc X Y COUNT RADIUS: a half circle of rings over the point."""
        x, y, count, radius = self.x_of(args[0]), self.plain_y(args[1]), int(args[2]), int(args[3])
        for i in range(count):
            a = math.pi * (i / max(1, count - 1))
            at = Coordinate(round(y - radius * math.sin(a)))
            self.pending_rings.append((self.line, round(x - radius * math.cos(a)), at))

    def command_kill(self, args: list[str]) -> None:
        """kill X Y WIDTH HEIGHT: touching it costs a life."""
        x, y = self.x_of(args[0]), self.plain_y(args[1])
        self.source.kills.append((x, y, x + int(args[2]), y + int(args[3])))

    def command_switch(self, args: list[str]) -> None:
        """switch X Y HEIGHT TO_RIGHT TO_LEFT: layer given by crossing x."""
        x, y = self.x_of(args[0]), self.plain_y(args[1])
        self.source.switches.append((x, y, y + int(args[2]), int(args[3]), int(args[4])))

    def command_decor(self, args: list[str]) -> None:
        """decor NAME X Y [front]"""
        front = len(args) > 3 and args[3] == "front"
        self.pending_decor.append(
            (self.line, args[0], self.x_of(args[1]), self.y_of(args[2]), front)
        )

    def command_note(self, args: list[str]) -> None:
        """Text at the pen, for the preview only."""
        self.source.notes.append((self.x, self.y, " ".join(args)))

    def _object(self, name: str, args: list[str]) -> None:
        try:
            x, y = self.x_of(args[0]), self.y_of(args[1])
        except (ValueError, IndexError) as error:
            raise self.fail(f"{name}: expected X Y, got '{' '.join(args)}'") from error
        self.pending.append(Pending(self.line, name, x, y, args[2:]))

    # -- after the terrain

    def _settle(self, x: int, y: Coordinate, line: int) -> int:
        if not y.on_ground:
            return y.y
        if not 0 <= x < self.source.width:
            raise self.fail(f"x {x} is outside the level", line)
        floor = self.terrain.solid[0][:, x] | self.terrain.oneway[:, x]
        row = max(y.y, 0)
        while row > 0 and floor[row]:
            row -= 1  # the search must start in the air
        below = floor[row:].argmax()
        if not floor[row + below]:
            raise self.fail(f"no ground below x {x}, y {row}", line)
        return row + int(below) + y.offset

    def _place(self) -> None:
        s = self.source
        for p in self.pending:
            y = self._settle(p.x, p.y, p.line)
            try:
                made = make_object(p.name, p.x, y, p.args)
            except (ValueError, IndexError) as error:
                raise self.fail(f"{p.name} {' '.join(p.args)}: {error}", p.line) from error
            for o in made:
                if not (0 <= o.x < s.width and 0 <= o.y < s.height + 64):
                    raise self.fail(f"{o.name} at {o.x},{o.y} is outside the level", p.line)
            s.objects += made
        for line, x, at in self.pending_rings:
            y = self._settle(x, at, line) - (16 if at.on_ground else 0)
            if not (0 <= x < s.width and 0 <= y < s.height):
                raise self.fail(f"ring at {x},{y} is outside the level", line)
            s.rings.append((x, y))
        for line, name, x, at, front in self.pending_decor:
            s.decor.append((name, x, self._settle(x, at, line), front))
        if self.pending_start is None:
            raise self.fail("no 'start X Y' line")
        x, at = self.pending_start
        s.start = (x, self._settle(x, at, 0) - (16 if at.on_ground else 0))
        self._check_totals()

    def _check_totals(self) -> None:
        s = self.source
        if len(s.objects) > 512 or len(s.rings) > 512:
            raise self.fail("at most 512 objects and 512 rings", 0)
        if s.end_x > s.width - 64:
            raise self.fail("goal: must be at least 64 px before the right edge", 0)


def read_level(path: Path) -> LevelSource:
    """Reads a level file.

    :raises LevelError: naming file and line
    """
    return LevelReader(path).read()
