"""Wrappers that alter what the agent sees."""

from __future__ import annotations

from typing import Any

import cv2
import gymnasium as gym
import numpy as np
import numpy.typing as npt

from sonic_sb3.errors import SettingsError


def check_frame_size(width: int, height: int) -> None:
    """
    Accept a size in pixels that a picture can have.

    :raises SettingsError: It cannot.
    """
    if width < 1 or height < 1:
        raise SettingsError(f"expected a frame of at least 1x1, got {width}x{height}")


class WarpFrame(gym.ObservationWrapper[Any, Any, Any]):
    """
    Shrinks the screen and takes the colour out: (height, width, 1) uint8 0..255.

    A frame that is of that size and grey already is passed on as it is.

    :param env: An env whose observation is (height, width, 3) RGB or (height, width, 1) grey uint8.
    :param width: Width of the result.
    :param height: Height of the result.
    :param grayscale: Off, colours stay: (height, width, 3).
    :param crop_top_px: So many rows of the screen are cut off its top first (a HUD).

    Source: ``WarpFrame`` of OpenAI's retro-baselines, 96x96 with area interpolation.
    """

    snapshot_attributes = ()

    def __init__(
        self,
        env: gym.Env[Any, Any],
        width: int = 96,
        height: int = 96,
        *,
        grayscale: bool = True,
        crop_top_px: int = 0,
    ) -> None:
        super().__init__(env)
        check_frame_size(width, height)
        n_rows, _, n_channels = env.observation_space.shape or (0, 0, 0)
        if not 0 <= crop_top_px < n_rows:
            raise SettingsError(
                f"crop_top_px: expected 0 to {n_rows - 1} of the screen's {n_rows} rows, "
                f"got {crop_top_px}"
            )
        self.width = width
        self.height = height
        self.crop_top_px = crop_top_px
        self._grayscale = grayscale
        n_kept = 1 if grayscale else n_channels
        self.observation_space = gym.spaces.Box(0, 255, (height, width, n_kept), np.uint8)

    def observation(self, observation: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        if not self.crop_top_px and observation.shape == self.observation_space.shape:
            return observation
        picture = observation[self.crop_top_px :]
        if self._grayscale and picture.shape[2] == 3:
            picture = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)  # type: ignore[assignment]
        size = (self.width, self.height)
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        return np.asarray(small, dtype=np.uint8).reshape(self.observation_space.shape or ())


class GrayShift(gym.ObservationWrapper[Any, Any, Any]):
    """
    Makes all pictures of a rollout brighter or darker by the same amount, drawn per rollout.

    With probability 1/2 an integer of -max_shift..max_shift is added to every pixel, clipped to
    0..255. Only an env that is told where rollouts begin (:meth:`begin_rollout`) does so: those
    that are trained on, never those of an evaluation. Pictures already in a frame stack stay as
    they were seen. Draws come from a generator of its own, so that the game goes as it would
    without.

    :param env: An env with pictures, uint8.
    :param max_shift: The most that is added or taken away; 10 in Borghi's agent.

    Source: the joint training of Alexandre Borghi's ``retro_contest_agent``.
    """

    def __init__(self, env: gym.Env[Any, Any], max_shift: int = 10) -> None:
        super().__init__(env)
        if not 1 <= max_shift <= 255:
            raise SettingsError(f"gray_shift: expected 0 (off) to 255, got {max_shift}")
        self.max_shift = max_shift
        self._generator = np.random.default_rng()
        self._shift = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        if seed is not None:
            self._generator = np.random.default_rng([seed, 0x6A4])
            self._shift = 0
        return super().reset(seed=seed, options=options)

    def begin_rollout(self) -> None:
        """Draw the shift of the observations from now on."""
        is_shifted = self._generator.random() < 0.5
        shift = int(self._generator.integers(-self.max_shift, self.max_shift + 1))
        self._shift = shift if is_shifted else 0

    def observation(self, observation: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        if self._shift == 0:
            return observation
        # OpenCV's arithmetic saturates, and costs a tenth of widening and clipping.
        shift = cv2.subtract if self._shift < 0 else cv2.add
        amount = np.full_like(observation, abs(self._shift))
        return np.asarray(shift(observation, amount), dtype=np.uint8).reshape(observation.shape)

    def get_snapshot(self) -> dict[str, Any]:
        """The generator's state and the shift in force."""
        return {"generator": self._generator.bit_generator.state, "shift": self._shift}

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Put them back."""
        self._generator.bit_generator.state = snapshot["generator"]
        self._shift = snapshot["shift"]
