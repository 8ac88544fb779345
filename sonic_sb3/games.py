"""The catalogue of games, and how levels are named. No emulator here."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from sonic_sb3.errors import SettingsError, UnknownNameError, unknown_name
from sonic_sb3.game_facts import Game
from sonic_sb3.sonic_levels import CUSTOM_GAMES, SONIC_1, SONIC_2, SONIC_3K

__all__ = [
    "AIRSTRIKER",
    "BUTTONS",
    "DEFAULT_GAME",
    "FRAMES_PER_SECOND",
    "Game",
    "INTEGRATIONS_DIR",
    "SONIC_1",
    "SONIC_2",
    "SONIC_3K",
    "STREET_FIGHTER_2",
    "catalogue",
    "default_game_id",
    "find_game",
    "resolve_levels",
]

FRAMES_PER_SECOND = 60
INTEGRATIONS_DIR = Path(__file__).parent / "integrations"
DEFAULT_GAME = "PangolinDash-Genesis-v0"
BUTTONS = ("B", "A", "MODE", "START", "UP", "DOWN", "LEFT", "RIGHT", "C", "Y", "X", "Z")

AIRSTRIKER = Game(
    id="Airstriker-Genesis-v0",
    title="Airstriker",
    levels=("Level1",),
    is_bundled=True,
    legal_source="comes with stable-retro",
)

STREET_FIGHTER_2 = Game(
    id="StreetFighterIISpecialChampionEdition-Genesis-v0",
    title="Street Fighter II: Special Champion Edition",
    levels=("Champion.Level1.RyuVsGuile",),
    legal_source="your own cartridge, read out",
    scoring="fight",
    default_actions="fight",
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
        loops_px={
            name: [(start, end) for start, end in act.get("loops", ())]
            for name, act in acts.items()
        },
        is_bundled=True,
        legal_source="comes with sonic_sb3",
    )


@cache
def catalogue() -> dict[str, Game]:
    """All games by id, the default game first."""
    games = [SONIC_1, SONIC_2, SONIC_3K, AIRSTRIKER, STREET_FIGHTER_2, *CUSTOM_GAMES]
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
            known = [*game.levels, *words]
            others = [g.id for g in catalogue().values() if name in g.levels]
            if others:
                raise UnknownNameError(
                    f"unknown level of {game_id} {name!r}: it is one of {others[0]}; choose that "
                    f"game, or one of {', '.join(known)}"
                )
            raise unknown_name(f"level of {game_id}", name, known)
    if not levels:
        raise SettingsError(f"expected at least one level of {game_id}, {names!r} names none")
    return list(dict.fromkeys(levels))
