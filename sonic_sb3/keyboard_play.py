"""A person plays: a window, the keyboard, sixty frames a second."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sonic_sb3.atomic_files import replacing
from sonic_sb3.envs.game_env import GameEnv
from sonic_sb3.errors import SettingsError
from sonic_sb3.games import BUTTONS, FRAMES_PER_SECOND

try:
    import pygame
except ImportError as missing:
    raise SettingsError(
        "playing needs pygame: expected the extra 'play', install it with "
        "`pip install 'sonic_sb3[play]'`"
    ) from missing

KEYS = {
    pygame.K_UP: "UP",
    pygame.K_DOWN: "DOWN",
    pygame.K_LEFT: "LEFT",
    pygame.K_RIGHT: "RIGHT",
    pygame.K_y: "A",
    pygame.K_z: "A",
    pygame.K_x: "B",
    pygame.K_SPACE: "B",
    pygame.K_c: "C",
    pygame.K_RETURN: "START",
}
HELP = "arrows: move   X or space: B (jump)   Z: A   C: C   enter: start   R: again   esc: quit"

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")

Poll = Callable[[], list["pygame.event.Event"]]


def _no_display(why: str) -> SettingsError:
    return SettingsError(
        f"expected a display to open a window on ({why}); without one, record a video with "
        "`python -m sonic_sb3.evaluate RUN --video`"
    )


class KeyboardPlay:
    """
    Plays a level by keyboard until the window is closed.

    :param game_id: The game.
    :param level: The level; ``None`` for the default.
    :param scale: Window pixels per pixel of the console.
    :param poll: Where events come from; tests give their own.
    :raises SettingsError: No window can be opened here.
    """

    def __init__(
        self, game_id: str, level: str | None, scale: int = 3, poll: Poll | None = None
    ) -> None:
        if sys.platform == "linux" and not any(os.environ.get(name) for name in _DISPLAYS):
            # SDL would draw into a window that nobody can see, and play on.
            raise _no_display(f"none of {', '.join(_DISPLAYS)} is set")
        self._env = GameEnv(game_id, level, render_mode="rgb_array")
        screen, self._info = self._env.reset()
        height, width = screen.shape[:2]
        try:
            pygame.display.init()
            self._window = pygame.display.set_mode((width * scale, height * scale))
        except pygame.error as error:
            self._env.close()
            raise _no_display(str(error)) from error
        pygame.display.set_caption(f"{self._env.game.title} - {self._env.level} - {HELP}")
        self._poll = poll or pygame.event.get
        self._held: set[str] = set()
        self.pressed_frames: list[npt.NDArray[np.uint8]] = []

    def run(self, max_frames: int | None = None) -> dict[str, object]:
        """
        Play.

        :param max_frames: Stop after so many; ``None`` for as long as the person likes.
        :returns: The last info.
        """
        clock = pygame.time.Clock()
        n_frames = 0
        while (max_frames is None or n_frames < max_frames) and self._handle_events():
            pad = np.array([button in self._held for button in BUTTONS], dtype=np.uint8)
            self.pressed_frames.append(pad)
            # The game itself goes on after a life is lost or an act is done, and so does the
            # person.
            screen, _, _, _, self._info = self._env.step(pad)
            self._show(screen)
            clock.tick(FRAMES_PER_SECOND)
            n_frames += 1
        return dict(self._info)

    def save_movie(self, path: Path) -> None:
        """
        Write the buttons of each frame since the level's start, (n_frames, 12) uint8, as .npy.
        """
        frames = np.array(self.pressed_frames, dtype=np.uint8).reshape(-1, len(BUTTONS))
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, frames, allow_pickle=False)

    def close(self) -> None:
        """Close the window and free the emulator."""
        pygame.display.quit()
        self._env.close()

    def _handle_events(self) -> bool:
        for event in self._poll():
            if event.type == pygame.QUIT:
                return False
            if event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE:
                return False
            if event.type == pygame.KEYDOWN and event.key == pygame.K_r:
                self._env.reset()
                self.pressed_frames.clear()
            elif event.type in (pygame.KEYDOWN, pygame.KEYUP) and event.key in KEYS:
                change = self._held.add if event.type == pygame.KEYDOWN else self._held.discard
                change(KEYS[event.key])
        return True

    def _show(self, screen: npt.NDArray[np.uint8]) -> None:
        picture = pygame.surfarray.make_surface(screen.swapaxes(0, 1))
        pygame.transform.scale(picture, self._window.get_size(), self._window)
        pygame.display.flip()
