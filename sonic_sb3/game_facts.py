"""What can be known of a game without running it: the record that the catalogue is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ZoneAct = tuple[int, int]


@dataclass(frozen=True)
class Game:
    """
    What is known of one game without running it.

    :param id: stable-retro's game id, also the gymnasium id.
    :param title: Its name for people.
    :param levels: Names of its save states, the first one is the default level.
    :param test_levels: The held-out levels of the contest's split; all others are for training.
    :param level_end_px: (zone, act) in RAM -> x at which the level is finished; empty where the
        game has no notion of progress.
    :param loops_px: Level -> the x where each of its loops begins and ends, where that is known.
    :param end_variables: RAM variables that end an episode when they hold the given value
        (``!=`` 0 is written as the string "nonzero").
    :param act_change_shifts_x: The game may change act, and with it the x coordinate, within a
        level.
    :param is_bundled: Its ROM comes with this package or with stable-retro.
    :param legal_source: Where a legal copy of the ROM can be had, for people.
    :param header_titles: What the headers of this game's ROMs call it, whatever the region, in
        capitals and with single spaces; a ROM that is not the expected one is known by it.
    :param scoring: How points and ends of episodes are told from its RAM, a name of the table in
        ``envs/scoring.py``; empty for the contest's, where the game has level ends, and else for
        the game's own score.
    :param default_actions: The set of actions that suits it, a name of ``ACTION_SETS``.
    :param patched_from: The id of the game whose ROM, patched, is this game's ROM.
    """

    id: str
    title: str
    levels: tuple[str, ...]
    test_levels: tuple[str, ...] = ()
    level_end_px: Mapping[ZoneAct, int] = field(default_factory=dict)
    loops_px: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)
    end_variables: Mapping[str, int | str] = field(default_factory=dict)
    act_change_shifts_x: bool = False
    is_bundled: bool = False
    legal_source: str = ""
    header_titles: tuple[str, ...] = ()
    patched_from: str | None = None
    scoring: str = ""
    default_actions: str = "contest7"

    @property
    def has_progress(self) -> bool:
        """Whether progress, contest score and success can be told from this game's RAM."""
        return bool(self.level_end_px)

    @property
    def train_levels(self) -> tuple[str, ...]:
        """All levels that are not held out for testing."""
        return tuple(level for level in self.levels if level not in self.test_levels)

    @property
    def default_level(self) -> str:
        """The level used where none is named."""
        return self.levels[0]
