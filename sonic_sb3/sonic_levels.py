"""
The Sonic games: the 58 contest levels with their split, and the contest's custom levels.

Level ends and splits are those of the Retro Contest: "Gotta Learn Fast" (arXiv 1804.03720,
appendix) and the ``script.lua`` that stable-retro ships with each Sonic game.
"""

from __future__ import annotations

from dataclasses import replace

from sonic_sb3.game_facts import Game

_LEGAL_SOURCE = (
    "your own cartridge, read out; or SEGA Mega Drive & Genesis Classics on Steam, if you bought "
    "it while it was sold there"
)


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
    legal_source=_LEGAL_SOURCE,
    header_titles=("SONIC THE HEDGEHOG",),
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
    legal_source=_LEGAL_SOURCE,
    header_titles=("SONIC THE HEDGEHOG 2",),
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
    legal_source=_LEGAL_SOURCE,
    header_titles=("SONIC & KNUCKLES",),
)


def _customise(base: Game, id_: str, title: str, *zones: str) -> Game:
    """
    The contest's own levels in a game: another ROM, made by a patch, with the ends of the original.

    They were made for testing, so none of them is for training.

    :param base: The game that is patched.
    :param id_: stable-retro's id.
    :param title: Whose levels they are.
    :param zones: The zones in whose place they stand.
    """
    levels = tuple(f"{zone}.Custom" for zone in zones)
    return replace(
        base,
        id=id_,
        title=f"{base.title}, {title}",
        levels=levels,
        test_levels=levels,
        legal_source="your own ROM of the original, changed by `python -m sonic_sb3.roms patch`",
        header_titles=(),
        patched_from=base.id,
    )


# The contest's public leaderboard was played on the first two, its final on the others.
CUSTOM_GAMES = (
    _customise(
        SONIC_1,
        "SonicTheHedgehogCustomLeaderboard-Genesis",
        "the contest's leaderboard levels",
        "GreenHillZone",
        "SpringYardZone",
        "StarLightZone",
    ),
    _customise(
        SONIC_2,
        "SonicTheHedgehog2CustomLeaderboard-Genesis",
        "the contest's leaderboard levels",
        "HillTopZone",
        "AquaticRuinZone",
    ),
    _customise(
        SONIC_1,
        "SonicTheHedgehogCustomKevin-Genesis",
        "the contest final's levels by Kevin",
        "GreenHillZone",
        "LabyrinthZone",
        "MarbleZone",
        "SpringYardZone",
    ),
    _customise(
        SONIC_1,
        "SonicTheHedgehogCustomCathy-Genesis",
        "the contest final's level by Cathy",
        "StarLightZone",
    ),
    _customise(
        SONIC_2,
        "SonicTheHedgehog2CustomKevin-Genesis",
        "the contest final's levels by Kevin",
        "AquaticRuinZone",
        "HillTopZone",
        "OilOceanZone",
    ),
    _customise(
        SONIC_3K,
        "SonicAndKnuckles3CustomKevin-Genesis",
        "the contest final's levels by Kevin",
        "MushroomHillZone",
        "AngelIslandZone",
        "HydrocityZone",
    ),
)
