"""What is shipped: rebuilt it is the same, its states start well, its scripts agree with ours."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pangolin.tools import release
from pangolin.tools.emulator import BUTTON_ORDER, INTEGRATION, Emulator
from pangolin.tools.lockstep import load_release_state
from pangolin.tools.movies import MOVIES, read_movie
from pangolin.tools.native import BUTTONS
from pangolin.tools.save_states import save_canonical
from sonic_sb3.envs.scoring import ContestScoring
from sonic_sb3.games import DEFAULT_GAME, find_game

LEVELS = json.loads((INTEGRATION / "levels.json").read_text())
FIRST = "CanopyZone.Act1"


def test_rom_header() -> None:
    rom = (INTEGRATION / "rom.md").read_bytes()
    assert rom[0x100:0x10F] == b"SEGA MEGA DRIVE"
    assert len(rom).bit_count() == 1
    words = np.frombuffer(rom[0x200:], ">u2").astype(np.uint64)
    assert int(words.sum()) & 0xFFFF == int.from_bytes(rom[0x18E:0x190], "big")
    assert (INTEGRATION / "rom.sha").read_text().strip() == hashlib.sha1(rom).hexdigest()


def test_a_rebuild_is_byte_for_byte_the_same(tmp_path: Path) -> None:
    if shutil.which("m68k-linux-gnu-gcc") is None:
        pytest.skip("m68k-linux-gnu-gcc not found: install Debian's gcc-m68k-linux-gnu")
    built = release.build_release(release.act_files(), tmp_path)
    assert release.differences(built, INTEGRATION) == []


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    built = {"rom.sha": b"0\n", "A.state": gzip.compress(b"a"), "maps/A.png": _png(1)}
    release.write_release(built, tmp_path)
    assert release.differences(built, tmp_path) == []
    (tmp_path / "rom.sha").write_text("1\n")
    (tmp_path / "B.state").write_bytes(b"")
    (tmp_path / "maps" / "A.png").write_bytes(_png(2))
    (tmp_path / "maps" / "B.png").write_bytes(_png(1))
    lines = release.differences({**built, "C.json": b""}, tmp_path)
    names = ["rom.sha", "maps/A.png", "C.json", "B.state", "maps/B.png"]
    assert [line.split(":")[0] for line in lines] == names
    release.write_release(built, tmp_path)
    assert release.differences(built, tmp_path) == []


def test_maps_are_compared_by_their_pixels(tmp_path: Path) -> None:
    built = {"maps/A.png": _png(1, compress_level=9)}
    release.write_release(built, tmp_path)
    other = {"maps/A.png": _png(1, compress_level=0)}
    assert other != built
    assert release.differences(other, tmp_path) == []


def _png(colour: int, **options: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (colour, 0, 0)).save(file, format="PNG", **options)
    return file.getvalue()


def test_without_the_compiler_the_message_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert release.main(["--check"]) == 2
    assert "install Debian's gcc-m68k-linux-gnu" in capsys.readouterr().err


@pytest.mark.parametrize("name", LEVELS)
def test_states_start_with_three_lives_and_obey_at_once(released: Emulator, name: str) -> None:
    released.load(load_release_state(name))
    info = released.step(BUTTONS["RIGHT"])
    facts = LEVELS[name]
    assert (info["zone"], info["act"], info["lives"]) == (facts["zone"], facts["act"], 3)
    assert (info["x"], info["score"], info["rings"]) == (facts["start_x"], 0, 0)
    assert info["gsp"] > 0
    assert info["screen_x_end"] == facts["width_px"] - 320


def test_canonical_states_play_like_the_cores_own(released: Emulator) -> None:
    """600 frames after loading either, everything the core saves is the same, and the picture."""
    released.load(load_release_state(FIRST))
    pads = list(read_movie(MOVIES / f"{FIRST}.txt"))
    for pad_byte in pads[:100]:
        released.run_frame(pad_byte)
    ends = []
    for state in (released.save(), save_canonical()):
        released.load(state)
        for pad_byte in pads[100:700]:
            released.run_frame(pad_byte)
        ends.append((save_canonical(), released.screen.tobytes(), released.ram()))
    assert ends[0] == ends[1]
    assert len(ends[0][0]) == len(released.save())


def _buttons(pad_byte: int) -> list[int]:
    return [int(bool(pad_byte & BUTTONS.get(name, 0))) for name in BUTTON_ORDER]


@pytest.mark.parametrize("scenario", ["contest", "xpos"])
def test_scripts_agree_with_our_accounting(scenario: str) -> None:
    """stable-retro with the shipped Lua script plays the movie of an act."""
    import stable_retro as retro

    retro.data.Integrations.add_custom_path(str(INTEGRATION.parent))
    env: Any = retro.make(
        DEFAULT_GAME,
        state=FIRST,
        scenario=scenario,
        inttype=retro.data.Integrations.CUSTOM_ONLY,
        use_restricted_actions=retro.Actions.ALL,
        render_mode="rgb_array",
    )
    try:
        env.reset()
        info = env.data.lookup_all()
        scoring = ContestScoring(find_game(DEFAULT_GAME))
        scoring.reset(info)
        x = info["x"]
        for pad_byte in read_movie(MOVIES / f"{FIRST}.txt"):
            _, reward, done, _, info = env.step(_buttons(pad_byte))
            ours = scoring.update(info)
            expected = ours.points if scenario == "contest" else info["x"] - x
            assert reward == pytest.approx(expected, rel=1e-5, abs=1e-3)
            assert done == (ours.end_reason is not None)
            x = info["x"]
            if done:
                break
        assert ours.end_reason == "completed"
        if scenario == "contest":
            assert 9800 < scoring.score < 10_000
    finally:
        env.close()
