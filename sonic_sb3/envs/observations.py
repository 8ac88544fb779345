"""Wrappers that alter what the agent sees."""

from __future__ import annotations

from typing import Any

import cv2
import gymnasium as gym
import numpy as np
import numpy.typing as npt

from sonic_sb3.errors import SettingsError


class WarpFrame(gym.ObservationWrapper[Any, Any, Any]):
    """
    Shrinks the screen and takes the colour out: (height, width, 1) uint8 0..255.

    A frame that is of that size and grey already is passed on as it is.

    :param env: An env whose observation is (height, width, 3) RGB or (height, width, 1) grey uint8.
    :param width: Width of the result.
    :param height: Height of the result.

    Source: ``WarpFrame`` of OpenAI's retro-baselines, 96x96 with area interpolation.
    """

    snapshot_attributes = ()

    def __init__(self, env: gym.Env[Any, Any], width: int = 96, height: int = 96) -> None:
        super().__init__(env)
        if width < 1 or height < 1:
            raise SettingsError(f"expected a frame of at least 1x1, got {width}x{height}")
        self.width = width
        self.height = height
        self.observation_space = gym.spaces.Box(0, 255, (height, width, 1), np.uint8)

    def observation(self, observation: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        if observation.shape == self.observation_space.shape:
            return observation
        if observation.shape[2] == 3:
            observation = cv2.cvtColor(observation, cv2.COLOR_RGB2GRAY)  # type: ignore[assignment]
        size = (self.width, self.height)
        small = cv2.resize(observation, size, interpolation=cv2.INTER_AREA)
        return np.asarray(small, dtype=np.uint8).reshape(self.height, self.width, 1)
