"""The catalogue against what stable-retro ships: states, level ends, patches; and level names."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import pytest
import stable_retro

from sonic_sb3.errors import EmulatorError, SettingsError, SonicError, UnknownNameError
from sonic_sb3.games import (
    AIRSTRIKER,
    DEFAULT_GAME,
    SONIC_1,
    SONIC_2,
    SONIC_3K,
    STREET_FIGHTER_2,
    Game,
    catalogue,
    find_game,
    resolve_levels,
)
from sonic_sb3.rom_files import (
    expected_sha1s,
    find_rom,
    integration_dir,
    load_variables,
    state_path,
)
from sonic_sb3.rom_formats import MAX_ROM_BYTES
from sonic_sb3.sonic_levels import CUSTOM_GAMES
from sonic_sb3.xdelta import make_window, read_windows

SONIC_GAMES = (SONIC_1, SONIC_2, SONIC_3K)
FOREIGN_GAMES = (*SONIC_GAMES, AIRSTRIKER, STREET_FIGHTER_2, *CUSTOM_GAMES)


@pytest.fixture(scope="module")
def machine() -> Iterator[Any]:
    """A machine that takes save states of games whose ROMs are not here: RAM is part of them."""
    machine = stable_retro.RetroEmulator(str(find_rom(AIRSTRIKER.id)))
    yield machine
    del machine


def start_variables(machine: Any, game: Game, level: str) -> dict[str, int]:
    data = stable_retro.data.GameData()
    machine.configure_data(data)
    machine.step()
    assert machine.set_state(gzip.decompress(state_path(game.id, level).read_bytes()))
    return {
        name: data.memory.extract(variable.address, variable.type)
        for name, variable in load_variables(game.id).items()
    }


def zone_of(level: str) -> str:
    return level.split(".")[0]


def test_the_contest_split() -> None:
    assert [len(game.levels) for game in SONIC_GAMES] == [17, 18, 23]
    assert sum(len(game.test_levels) for game in SONIC_GAMES) == 11
    assert sum(len(game.train_levels) for game in SONIC_GAMES) == 47
    for game in SONIC_GAMES:
        assert set(game.test_levels) < set(game.levels)
        train_zones = {zone_of(level) for level in game.train_levels}
        assert {zone_of(level) for level in game.test_levels} <= train_zones


def test_custom_levels_are_for_testing() -> None:
    by_author = {"Leaderboard": 5, "Kevin": 10, "Cathy": 1}
    for author, n_levels in by_author.items():
        games = [game for game in CUSTOM_GAMES if author in game.id]
        assert sum(len(game.levels) for game in games) == n_levels
    assert all(game.test_levels == game.levels for game in CUSTOM_GAMES)


@pytest.mark.parametrize("game", catalogue().values(), ids=lambda game: game.id)
def test_levels_are_the_save_states_that_are_shipped(game: Game) -> None:
    shipped = {
        path.name.removesuffix(".state") for path in integration_dir(game.id).glob("*.state")
    }
    assert len(set(game.levels)) == len(game.levels)
    if game is AIRSTRIKER:
        assert set(game.levels) <= shipped
    else:
        assert set(game.levels) == shipped


@pytest.mark.parametrize("game", FOREIGN_GAMES, ids=lambda game: game.id)
def test_default_level_is_the_integrations(game: Game) -> None:
    metadata = json.loads((integration_dir(game.id) / "metadata.json").read_text())
    assert game.default_level == metadata["default_state"]


@pytest.mark.parametrize("game", SONIC_GAMES, ids=lambda game: game.id)
def test_each_level_starts_before_an_end_of_its_own(machine: Any, game: Game) -> None:
    zone_acts = set()
    for level in game.levels:
        start = start_variables(machine, game, level)
        zone_act = (start["zone"], start["act"])
        zone_acts.add(zone_act)
        assert start["x"] < game.level_end_px[zone_act], level
        assert start["lives"] == 3
    assert zone_acts == set(game.level_end_px), "no level shares its end, no end is of no level"


@pytest.mark.parametrize("game", CUSTOM_GAMES, ids=lambda game: game.id)
def test_custom_levels_stand_in_place_of_the_zone_in_their_name(machine: Any, game: Game) -> None:
    assert game.patched_from is not None
    original = find_game(game.patched_from)
    zones = {
        zone_of(level): start_variables(machine, original, level)["zone"]
        for level in original.levels
    }
    for level in game.levels:
        start = start_variables(machine, game, level)
        assert start["zone"] == zones[zone_of(level)]
        assert start["x"] < game.level_end_px[start["zone"], start["act"]]


@pytest.mark.parametrize("game", [*SONIC_GAMES, *CUSTOM_GAMES], ids=lambda game: game.id)
def test_level_ends_are_the_scripts(game: Game) -> None:
    script = (integration_dir(game.id) / "script.lua").read_text()
    table = script.split("level_max_x = {")[1].split("\n}")[0]
    ends = {}
    for line in table.splitlines():
        code = line.split("--")[0].strip()
        if code:
            zone, act = (int(part.split("=")[1]) for part in code.split('"')[1].split(","))
            terms = code.split("] =")[1].strip(" ,").split("+")
            ends[zone, act] = sum(int(term, 16) for term in terms)
    assert ends == game.level_end_px


@pytest.mark.parametrize("game", [*SONIC_GAMES, *CUSTOM_GAMES], ids=lambda game: game.id)
def test_ram_tells_all_that_scoring_asks_for(game: Game) -> None:
    wanted = {"x", "zone", "act", "lives", "screen_x", "score", "rings", *game.end_variables}
    assert wanted <= set(load_variables(game.id))


@pytest.mark.parametrize("game", CUSTOM_GAMES, ids=lambda game: game.id)
def test_shipped_patches_can_be_read_to_their_end(game: Game) -> None:
    """Every instruction of them, here on an empty source: that needs no ROM."""
    n_bytes = n_windows = 0
    for window in read_windows((integration_dir(game.id) / "rom.delta").read_bytes()):
        assert not window.is_segment_of_target
        segment = bytes(window.segment[1]) if window.segment else b""
        n_bytes += len(make_window(window, segment))
        n_windows += 1
    assert n_windows > 30
    assert 512 * 1024 <= n_bytes <= MAX_ROM_BYTES
    assert len(expected_sha1s(game.id)) == 1


def test_street_fighter_has_no_way_to_the_right() -> None:
    game = find_game("StreetFighterIISpecialChampionEdition-Genesis-v0")
    assert not game.has_progress
    assert {"health", "enemy_health", "matches_won"} <= set(load_variables(game.id))


def test_every_game_is_a_gymnasium_id_with_a_copy_to_be_had() -> None:
    import sonic_sb3  # noqa: F401 - registers the ids

    for game in catalogue().values():
        assert game.id in gym.registry
        assert game.legal_source
        assert expected_sha1s(game.id)


def test_the_free_game_comes_first_and_has_a_split() -> None:
    if DEFAULT_GAME not in catalogue():
        pytest.skip("the free game is not built here")
    game = next(iter(catalogue().values()))
    assert game.id == DEFAULT_GAME
    assert game.is_bundled
    assert game.has_progress
    assert game.test_levels
    assert game.train_levels


def test_names_of_levels() -> None:
    sonic = SONIC_1.id
    assert resolve_levels(sonic, None) == ["GreenHillZone.Act1"]
    assert resolve_levels(sonic, "GreenHillZone.Act2") == ["GreenHillZone.Act2"]
    assert resolve_levels(sonic, ["test", "GreenHillZone.Act2"]) == list(SONIC_1.test_levels)
    assert sorted(resolve_levels(sonic, ["train", "test"])) == sorted(SONIC_1.levels)
    assert resolve_levels(sonic, "all") == list(SONIC_1.levels)


@pytest.mark.parametrize(
    ("game_id", "levels", "error", "message"),
    [
        ("SonicTheHedgehog-Genesis", None, UnknownNameError, "'SonicTheHedgehog-Genesis-v0'"),
        (SONIC_1.id, "GreenHillZone.Act4", UnknownNameError, "did you mean 'GreenHillZone.Act"),
        (SONIC_1.id, "EmeraldHillZone.Act1", UnknownNameError, "unknown level of SonicTheHedgehog"),
        (AIRSTRIKER.id, "test", SettingsError, "names none"),
        (CUSTOM_GAMES[0].id, "train", SettingsError, "names none"),
    ],
)
def test_unknown_names(
    game_id: str, levels: str | None, error: type[SonicError], message: str
) -> None:
    with pytest.raises(error, match=message):
        resolve_levels(game_id, levels)


def test_a_game_that_stable_retro_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue(), "Nothing-v0", Game("Nothing-v0", "Nothing", ("Level1",)))
    with pytest.raises(EmulatorError, match="no integration for Nothing-v0"):
        integration_dir("Nothing-v0")
    with pytest.raises(EmulatorError, match="no save state for level Level9"):
        state_path(AIRSTRIKER.id, "Level9")
