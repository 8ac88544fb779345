"""
Facts of the games: levels, the contest's train/test split, where levels end. No emulator here.

Level ends and splits are those of the Retro Contest: "Gotta Learn Fast" (arXiv 1804.03720,
appendix) and the ``script.lua`` that stable-retro ships with each Sonic game.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from sonic_sb3.errors import SettingsError, unknown_name

FRAMES_PER_SECOND = 60
INTEGRATIONS_DIR = Path(__file__).parent / "integrations"
DEFAULT_GAME = "PangolinDash-Genesis-v0"
BUTTONS = ("B", "A", "MODE", "START", "UP", "DOWN", "LEFT", "RIGHT", "C", "Y", "X", "Z")

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
    :param end_variables: RAM variables that end an episode when they hold the given value
        (``!=`` 0 is written as the string "nonzero").
    :param act_change_shifts_x: The game may change act, and with it the x coordinate, within a
        level.
    :param is_bundled: Its ROM comes with this package or with stable-retro.
    """

    id: str
    title: str
    levels: tuple[str, ...]
    test_levels: tuple[str, ...] = ()
    level_end_px: Mapping[ZoneAct, int] = field(default_factory=dict)
    end_variables: Mapping[str, int | str] = field(default_factory=dict)
    act_change_shifts_x: bool = False
    is_bundled: bool = False

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


def _acts(zone: str, *acts: int) -> tuple[str, ...]:
    return tuple(f"{zone}.Act{act}" for act in acts)


SONIC_1 = Game(
    id="SonicTheHedgehog-Genesis-v0",
    title="Sonic the Hedgehog",
    levels=(
        *_acts("GreenHillZone", 1, 2, 3),
        *_acts("MarbleZone", 1, 2, 3),
        *_acts("SpringYardZone", 1, 2, 3),
        *_acts("LabyrinthZone", 1, 2, 3),
        *_acts("StarLightZone", 1, 2, 3),
        *_acts("ScrapBrainZone", 1, 2),
    ),
    test_levels=(
        "SpringYardZone.Act1",
        "GreenHillZone.Act2",
        "StarLightZone.Act3",
        "ScrapBrainZone.Act1",
    ),
    level_end_px={
        (0, 0): 0x2560,
        (0, 1): 0x1F60,
        (0, 2): 0x292A,
        (2, 0): 0x1860,
        (2, 1): 0x1860,
        (2, 2): 0x1720,
        (4, 0): 0x2360,
        (4, 1): 0x2960,
        (4, 2): 0x2B83,
        (1, 0): 0x1A50,
        (1, 1): 0x1150,
        (1, 2): 0x1CC4,
        (3, 0): 0x2060,
        (3, 1): 0x2060,
        (3, 2): 0x1F48,
        (5, 0): 0x2260,
        (5, 1): 0x1EE0,
    },
)

SONIC_2 = Game(
    id="SonicTheHedgehog2-Genesis-v0",
    title="Sonic the Hedgehog 2",
    levels=(
        *_acts("EmeraldHillZone", 1, 2),
        *_acts("ChemicalPlantZone", 1, 2),
        *_acts("AquaticRuinZone", 1, 2),
        *_acts("CasinoNightZone", 1, 2),
        *_acts("HillTopZone", 1, 2),
        *_acts("MysticCaveZone", 1, 2),
        *_acts("OilOceanZone", 1, 2),
        *_acts("MetropolisZone", 1, 2, 3),
        "WingFortressZone",
    ),
    test_levels=("MetropolisZone.Act3", "HillTopZone.Act2", "CasinoNightZone.Act2"),
    level_end_px={
        (0, 0): 0x2A40,
        (0, 1): 0x29C0,
        (13, 0): 0x2840,
        (13, 1): 0x2943,
        (15, 0): 0x298C,
        (15, 1): 0x298D,
        (12, 0): 0x2840,
        (12, 1): 0x2740,
        (7, 0): 0x2900,
        (7, 1): 0x2E2E,
        (11, 0): 0x2450,
        (11, 1): 0x21A0,
        (10, 0): 0x3040,
        (10, 1): 0x2856,
        (4, 0): 0x2300,
        (4, 1): 0x1F40,
        (5, 0): 0x29AF,
        (6, 0): 0x29D9,
    },
    end_variables={"game_mode": 16},
)

SONIC_3K = Game(
    id="SonicAndKnuckles3-Genesis-v0",
    title="Sonic 3 & Knuckles",
    levels=(
        *_acts("AngelIslandZone", 1, 2),
        *_acts("HydrocityZone", 1, 2),
        *_acts("MarbleGardenZone", 1, 2),
        *_acts("CarnivalNightZone", 1, 2),
        *_acts("IcecapZone", 1, 2),
        *_acts("LaunchBaseZone", 1, 2),
        *_acts("MushroomHillZone", 1, 2),
        *_acts("FlyingBatteryZone", 1, 2),
        *_acts("SandopolisZone", 1, 2),
        *_acts("LavaReefZone", 1, 2),
        "HiddenPalaceZone",
        *_acts("DeathEggZone", 1, 2),
    ),
    test_levels=(
        "LavaReefZone.Act1",
        "FlyingBatteryZone.Act2",
        "HydrocityZone.Act1",
        "AngelIslandZone.Act2",
    ),
    level_end_px={
        (0, 0): 0x3080 + 0x1049,  # the act's x jumps back by 0x3080 half way through
        (0, 1): 0x4870,
        (1, 0): 0x3630,
        (1, 1): 0x3F80,
        (2, 0): 0x2D16,
        (2, 1): 0x3B62,
        (3, 0): 0x3163,
        (3, 1): 0x4786,
        (5, 0): 0x68A7,
        (5, 1): 0x4342,
        (6, 0): 0x3D4A,
        (6, 1): 0x39A3,
        (7, 0): 0x420B,
        (7, 1): 0x3D41,
        (4, 0): 0x2DDD,
        (4, 1): 0x33AD,
        (8, 0): 0x40FB,
        (8, 1): 0x5109,
        (9, 0): 0x2BE4,
        (9, 1): 0x38B0,
        (22, 1): 0x0FC8,
        (11, 0): 0x35EE,
        (11, 1): 0x359F,
    },
    end_variables={"special_stage": "nonzero"},
    act_change_shifts_x=True,
)

AIRSTRIKER = Game(
    id="Airstriker-Genesis-v0",
    title="Airstriker",
    levels=("Level1",),
    is_bundled=True,
)


def _load_pangolin_dash() -> Game:
    """
    The free game's facts come from the file that its build writes, so that they cannot differ.
    """
    folder = INTEGRATIONS_DIR / DEFAULT_GAME
    acts = json.loads((folder / "levels.json").read_text())
    return Game(
        id=DEFAULT_GAME,
        title="Pangolin Dash",
        levels=tuple(acts),
        test_levels=tuple(name for name, act in acts.items() if act.get("split") == "test"),
        level_end_px={(act["zone"], act["act"]): act["end_x"] for act in acts.values()},
        is_bundled=True,
    )


@cache
def catalogue() -> dict[str, Game]:
    """All games by id, the default game first."""
    games = [SONIC_1, SONIC_2, SONIC_3K, AIRSTRIKER]
    if (INTEGRATIONS_DIR / DEFAULT_GAME / "levels.json").is_file():
        games.insert(0, _load_pangolin_dash())
    return {game.id: game for game in games}


def default_game_id() -> str:
    """The game of every command where none is named."""
    return next(iter(catalogue()))


def find_game(game_id: str) -> Game:
    """
    Look a game up.

    :param game_id: stable-retro's id, such as ``SonicTheHedgehog-Genesis-v0``.
    :raises UnknownNameError: There is no such game; the message names the closest.
    """
    try:
        return catalogue()[game_id]
    except KeyError:
        raise unknown_name("env", game_id, catalogue()) from None


def resolve_levels(game_id: str, names: str | list[str] | tuple[str, ...] | None) -> list[str]:
    """
    Turn what a user writes into level names of one game.

    :param game_id: The game.
    :param names: A level, several, or one of the words ``train``, ``test``, ``all``; ``None`` means
        the game's default level.
    :raises UnknownNameError: A name is neither a level of that game nor one of the words.
    :raises SettingsError: Nothing is left, as with ``test`` on a game without a split.
    """
    game = find_game(game_id)
    if names is None:
        return [game.default_level]
    words = {"train": game.train_levels, "test": game.test_levels, "all": game.levels}
    levels: list[str] = []
    for name in [names] if isinstance(names, str) else names:
        if name in words:
            levels.extend(words[name])
        elif name in game.levels:
            levels.append(name)
        else:
            raise unknown_name(f"level of {game_id}", name, [*game.levels, *words])
    if not levels:
        raise SettingsError(f"expected at least one level of {game_id}, {names!r} names none")
    return list(dict.fromkeys(levels))
