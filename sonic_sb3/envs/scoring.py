"""
The contest's points, progress and episode ends, computed from RAM frame by frame.

The formulas are those of stable-retro's ``contest`` scenarios (their Lua scripts are the oracle in
the tests). They are computed here because script variables are not part of a saved emulator state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sonic_sb3.envs.fight_scoring import FightScoring
from sonic_sb3.envs.frame_score import FrameScore, Variables
from sonic_sb3.errors import EmulatorError
from sonic_sb3.games import FRAMES_PER_SECOND, Game

FRAME_LIMIT = 18_000
PROGRESS_POINTS = 9_000.0
TIME_BONUS_POINTS = 1_000.0


class Scoring(Protocol):
    """
    Turns the RAM after each frame into points and episode ends.

    ``frame_variables`` are the variables that :meth:`update` reads, ``recorded_facts`` those facts
    of an episode's last info that its statistics keep, ``x_shift_px`` is what has to be added to x
    where the game moves its coordinates within a level.
    """

    frame_variables: tuple[str, ...]
    recorded_facts: tuple[str, ...]
    x_shift_px: int

    @property
    def counts(self) -> Mapping[str, float]:
        """Sums since the episode's start that reward terms may ask for."""

    def reset(self, variables: Variables) -> None:
        """Begin an episode with the RAM after the first frame."""

    def update(self, variables: Variables) -> FrameScore:
        """Account for one more frame."""

    def progress_facts(self) -> dict[str, float]:
        """What to add to ``info`` at every step."""

    def end_facts(self, end_reason: str) -> dict[str, float | bool]:
        """What to add to ``info`` when the episode has ended."""

    def get_snapshot(self) -> dict[str, Any]:
        """All that changes during an episode."""

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Put it back."""


class ContestScoring:
    """
    Points for the way to the right, of games whose RAM tells where the player is.

    9000 x gain of progress, and on finishing up to 1000 more for speed; the episode ends with a
    lost life, at the level's end, and where the game leaves the level (bonus stages).

    :param game: A game with level ends.
    """

    recorded_facts: tuple[str, ...] = ("is_success", "progress", "contest_score", "x", "y")

    def __init__(self, game: Game) -> None:
        self._game = game
        shift_variables = ("act", "screen_x") if game.act_change_shifts_x else ()
        self.frame_variables: tuple[str, ...] = (
            "x",
            "lives",
            *shift_variables,
            *game.end_variables,
        )
        self._start_x = 0
        self._way_px = 1
        self.counts: Mapping[str, float] = {}
        self.x_shift_px = 0
        self._lives = 0
        self._act = 0
        self._screen_x = 0
        self._n_frames = 0
        self.progress = 0.0
        self.score = 0.0

    def reset(self, variables: Variables) -> None:
        zone_act = (variables["zone"], variables["act"])
        try:
            end_x = self._game.level_end_px[zone_act]
        except KeyError:
            raise EmulatorError(
                f"{self._game.id}: the save state stands in zone {zone_act[0]}, act {zone_act[1]}, "
                "whose end is not known; expected a state inside one of the catalogued levels"
            ) from None
        self._start_x = variables["x"]
        self._way_px = end_x - self._start_x
        self.x_shift_px = 0
        self._lives = variables["lives"]
        self._act = variables["act"]
        self._screen_x = variables.get("screen_x", 0)
        self._n_frames = 0
        self.progress = 0.0
        self.score = 0.0

    def update(self, variables: Variables) -> FrameScore:
        self._n_frames += 1
        before = self.progress
        self.progress = self._measure_progress(variables)
        points = PROGRESS_POINTS * (self.progress - before)
        if self.progress >= 1:
            points += TIME_BONUS_POINTS * max(0.0, 1 - self._n_frames / FRAME_LIMIT)
        self.score += points
        return FrameScore(points, self._find_end(variables))

    def progress_facts(self) -> dict[str, float]:
        return {"progress": self.progress}

    def end_facts(self, end_reason: str) -> dict[str, float | bool]:
        return {"is_success": end_reason == "completed", "contest_score": self.score}

    def get_snapshot(self) -> dict[str, float]:
        return {k: v for k, v in vars(self).items() if isinstance(v, int | float)}

    def set_snapshot(self, snapshot: dict[str, float]) -> None:
        vars(self).update(snapshot)

    def _measure_progress(self, variables: Variables) -> float:
        if self._game.act_change_shifts_x:
            # Some levels of Sonic 3 & Knuckles change act and jump back in x half way through.
            if variables["act"] != self._act:
                self.x_shift_px -= variables["screen_x"] - self._screen_x
            self._act = variables["act"]
            self._screen_x = variables["screen_x"]
        way_px = variables["x"] - self._start_x + self.x_shift_px
        return min(max(way_px, 0), self._way_px) / self._way_px

    def _find_end(self, variables: Variables) -> str | None:
        if self.progress >= 1:
            return "completed"
        lives_before, self._lives = self._lives, variables["lives"]
        if self._lives < lives_before:
            return "life_lost"
        for name, value in self._game.end_variables.items():
            if (variables[name] != 0) if value == "nonzero" else (variables[name] == value):
                return "left_level"
        return None


class GameScoreScoring:
    """
    The game's own score and game over, for games that know nothing of progress (Airstriker).

    The same points and ends as the ``scenario.json`` that stable-retro ships for it.
    """

    frame_variables: tuple[str, ...] = ("score", "lives", "gameover")
    recorded_facts: tuple[str, ...] = ()

    def __init__(self, game: Game) -> None:
        self.counts: Mapping[str, float] = {}
        self.x_shift_px = 0
        self._score = 0

    def reset(self, variables: Variables) -> None:
        self._score = variables["score"]

    def update(self, variables: Variables) -> FrameScore:
        before, self._score = self._score, variables["score"]
        is_over = variables["gameover"] == 1 and variables["lives"] == 0
        return FrameScore(float(self._score - before), "game_over" if is_over else None)

    def progress_facts(self) -> dict[str, float]:
        return {}

    def end_facts(self, end_reason: str) -> dict[str, float | bool]:
        return {}

    def get_snapshot(self) -> dict[str, float]:
        return {"_score": self._score}

    def set_snapshot(self, snapshot: dict[str, float]) -> None:
        self._score = int(snapshot["_score"])


SCORINGS: dict[str, type[ContestScoring | GameScoreScoring | FightScoring]] = {
    "contest": ContestScoring,
    "game_score": GameScoreScoring,
    "fight": FightScoring,
}


def find_scoring(game: Game) -> type[ContestScoring | GameScoreScoring | FightScoring]:
    """The kind of accounting that the catalogue names for a game, or that its RAM allows."""
    return SCORINGS[game.scoring or ("contest" if game.has_progress else "game_score")]


def make_scoring(game: Game) -> Scoring:
    """The accounting of a game, before its first episode."""
    return find_scoring(game)(game)


def game_seconds(n_frames: int) -> float:
    """Emulated time in seconds."""
    return n_frames / FRAMES_PER_SECOND
