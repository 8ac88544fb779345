"""Frames that are run together are the frames that are run one by one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sonic_sb3.envs import core_proof
from sonic_sb3.envs import emulator as emulator_module
from sonic_sb3.envs.core_elf import UnfitCoreError
from sonic_sb3.envs.emulator import NO_BUTTONS, Emulator
from sonic_sb3.envs.fast_core import WatchedVariables
from sonic_sb3.games import BUTTONS
from sonic_sb3.rom_files import Variable

GAME = "PangolinDash-Genesis-v0"
LEVEL = "CanopyZone.Act1"
NAMES = ("x", "y", "lives", "rings", "score", "screen_x")
RIGHT = np.array([button == "RIGHT" for button in BUTTONS], dtype=np.uint8)
JUMP = np.array([button in ("RIGHT", "B") for button in BUTTONS], dtype=np.uint8)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    emulator = Emulator(GAME, LEVEL)
    emulator.reset()
    if emulator_module._console.fast_core is None:
        pytest.skip("the fast path is not to be had here")
    yield emulator
    emulator.close()


def play(emulator: Emulator, n_decisions: int) -> None:
    for _ in range(n_decisions):
        list(emulator.run_frames([RIGHT] * 4, NAMES))


def one_by_one(emulator: Emulator, pads: list[np.ndarray]) -> list[dict[str, int]]:
    values = []
    for pad in pads:
        emulator.run_frame(pad, is_seen=True)
        values.append(emulator.read_variables(NAMES))
    return values


@pytest.mark.parametrize("is_last_seen", [True, False])
def test_variables_pictures_and_ram_are_those_of_single_frames(
    emulator: Emulator, is_last_seen: bool
) -> None:
    rng = np.random.default_rng(0)
    play(emulator, 20)
    for _ in range(40):
        first, then = (RIGHT, JUMP) if rng.random() < 0.5 else (JUMP, NO_BUTTONS)
        pads = [first, *[then] * 3]
        before = emulator.save_state()
        expected = one_by_one(emulator, pads)
        ram, screen = emulator.read_ram(), emulator.screen().copy()
        emulator.load_state(before)
        assert list(emulator.run_frames(pads, NAMES, is_last_seen)) == expected
        assert emulator.read_ram() == ram
        np.testing.assert_array_equal(emulator.screen(), screen)
    assert len({row["x"] for row in expected}) > 1, "it moves, so that rows differ"


@pytest.mark.parametrize("n_kept", [1, 2, 3, 4])
def test_goes_back_to_the_frame_that_was_the_last(emulator: Emulator, n_kept: int) -> None:
    play(emulator, 30)
    pads = [JUMP, *[RIGHT] * 3]
    before = emulator.save_state()
    one_by_one(emulator, pads[:n_kept])
    ram, screen = emulator.read_ram(), emulator.screen().copy()
    after = one_by_one(emulator, [RIGHT] * 3)
    emulator.load_state(before)
    list(emulator.run_frames(pads, NAMES))
    emulator.keep_frames(n_kept)
    assert emulator.read_ram() == ram
    np.testing.assert_array_equal(emulator.screen(), screen)
    assert list(emulator.run_frames([RIGHT] * 3, NAMES)) == after


def test_frames_that_nobody_listens_to_are_not_run_on_the_plain_path(emulator: Emulator) -> None:
    before = emulator.save_state()
    emulator.run_frame(RIGHT)
    ram = emulator.read_ram()
    plain = Emulator(GAME, LEVEL, use_fast_core=False)
    plain.load_state(before)
    next(iter(plain.run_frames([RIGHT] * 4, NAMES)))
    plain.keep_frames(1)
    assert plain.read_ram() == ram


def test_a_kind_of_variable_that_is_not_read_means_one_frame_after_the_other(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    address = emulator._variables["score"].address
    emulator._variables = {**emulator._variables, "digits": Variable(address, ">d4")}
    names = ("x", "digits")
    play(emulator, 20)
    before = emulator.save_state()
    expected = []
    for _ in range(4):
        emulator.run_frame(RIGHT)
        expected.append(emulator.read_variables(names))
    emulator.load_state(before)
    assert list(emulator.run_frames([RIGHT] * 4, names)) == expected
    assert ">d4" in caplog.text


@pytest.mark.parametrize("address", [0xFEFFFF, 0xFFFFFF])
def test_variables_outside_the_work_ram_are_refused(address: int) -> None:
    with pytest.raises(UnfitCoreError, match=f"{address:X}"):
        WatchedVariables([(address, ">u2")])


def test_reads_that_differ_from_stable_retros_are_found(emulator: Emulator) -> None:
    console = emulator_module._console
    extract = console.game_data.memory.extract
    assert core_proof.reads_variables_as(extract, console.fast_core)
    assert not core_proof.reads_variables_as(
        lambda address, kind: extract(address, kind.replace(">", "<")), console.fast_core
    )


def test_any_number_of_frames(emulator: Emulator) -> None:
    before = emulator.save_state()
    expected = one_by_one(emulator, [RIGHT] * 100)
    emulator.load_state(before)
    assert list(emulator.run_frames([RIGHT] * 100, NAMES)) == expected
