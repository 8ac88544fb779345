"""Playing by keyboard, without a screen."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pygame
import pytest

from sonic_sb3 import play
from sonic_sb3.games import BUTTONS
from sonic_sb3.keyboard_play import KeyboardPlay


@pytest.fixture
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.mark.skipif(sys.platform != "linux", reason="others have a display or say so themselves")
def test_without_a_display_nobody_plays(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    assert play.main(["--frames", "1"]) == 2
    assert "expected a display to open a window on" in capsys.readouterr().err
    assert play.main(["--level", "train"]) == 2
    assert "--level: expected one level" in capsys.readouterr().err


@pytest.mark.usefixtures("no_screen")
def test_keys_press_buttons_until_released(airstriker: str, tmp_path: Path) -> None:
    events = [
        [],
        [pygame.event.Event(pygame.KEYDOWN, key=pygame.K_RIGHT)],
        [pygame.event.Event(pygame.KEYDOWN, key=pygame.K_SPACE)],
        [pygame.event.Event(pygame.KEYUP, key=pygame.K_RIGHT)],
        [pygame.event.Event(pygame.KEYDOWN, key=pygame.K_q)],
        [pygame.event.Event(pygame.KEYDOWN, key=pygame.K_ESCAPE)],
    ]
    game = KeyboardPlay(airstriker, None, scale=1, poll=lambda: events.pop(0))
    info = game.run()
    game.save_movie(tmp_path / "movie.npy")
    game.close()
    held = [{BUTTONS[k] for k in np.flatnonzero(pad)} for pad in game.pressed_frames]
    assert held == [set(), {"RIGHT"}, {"RIGHT", "B"}, {"B"}, {"B"}]
    assert info["lives"] == 3
    movie = np.load(tmp_path / "movie.npy", allow_pickle=False)
    np.testing.assert_array_equal(movie, game.pressed_frames)


@pytest.mark.usefixtures("no_screen")
def test_command_plays_and_tells_how(airstriker: str, capsys: Any) -> None:
    assert play.main(["--env", airstriker, "--frames", "20", "--scale", "1"]) == 0
    out = capsys.readouterr().out
    assert "arrows" in out
    assert "lives 3" in out
    assert play.main(["--env", airstriker, "--scale", "0"]) == 2
    assert play.main(["--env", airstriker, "--level", "Level7"]) == 2


@pytest.mark.usefixtures("no_screen")
def test_what_was_played_is_kept_however_the_game_ends(
    airstriker: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = ["--env", airstriker, "--scale", "1", "--record"]
    assert play.main([*common, str(tmp_path / "nowhere" / "x.npy")]) == 2
    assert "--record: expected a folder that is there" in capsys.readouterr().err
    shown = KeyboardPlay._show

    def show(self: KeyboardPlay, screen: Any) -> None:
        shown(self, screen)
        if len(self.pressed_frames) == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(KeyboardPlay, "_show", show)
    assert play.main([*common, str(tmp_path / "x.npy")]) == 130
    assert np.load(tmp_path / "x.npy", allow_pickle=False).shape == (7, len(BUTTONS))


@pytest.mark.skipif(not shutil.which("xvfb-run"), reason="needs Debian's xvfb (apt install xvfb)")
def test_it_opens_a_real_window(airstriker: str) -> None:
    command = ["xvfb-run", "-a", sys.executable, "-m", "sonic_sb3.play", "--env", airstriker]
    result = subprocess.run(
        [*command, "--frames", "30"], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert "lives" in result.stdout
