"""Colour, crop and shifted greys, against the pixels themselves."""

from __future__ import annotations

from typing import Any

import cv2
import gymnasium as gym
import numpy as np
import pytest

from sonic_sb3.envs.observations import GrayShift, WarpFrame
from sonic_sb3.envs.snapshots import restore_snapshot, take_snapshot
from sonic_sb3.errors import SettingsError

SCREEN = np.random.default_rng(0).integers(0, 256, (224, 320, 3), np.uint8)


class Pictures(gym.Env[Any, Any]):
    """Shows one picture all the time."""

    action_space = gym.spaces.Discrete(2)
    snapshot_attributes = ()

    def __init__(self, picture: Any = SCREEN) -> None:
        self.picture = picture
        self.observation_space = gym.spaces.Box(0, 255, picture.shape, np.uint8)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self.picture.copy(), {}

    def step(self, action: Any) -> Any:
        return self.picture.copy(), 0.0, False, False, {}


def test_colour_is_opencvs_area_of_the_screen() -> None:
    env = WarpFrame(Pictures(), 84, 60, grayscale=False)
    obs, _ = env.reset()
    assert obs.shape == env.observation_space.shape == (60, 84, 3)
    np.testing.assert_array_equal(obs, cv2.resize(SCREEN, (84, 60), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize("grayscale", [True, False])
def test_crop_equals_a_smaller_screen(grayscale: bool) -> None:
    cropped = WarpFrame(Pictures(), grayscale=grayscale, crop_top_px=32).reset()[0]
    smaller = WarpFrame(Pictures(SCREEN[32:]), grayscale=grayscale).reset()[0]
    np.testing.assert_array_equal(cropped, smaller)
    whole = WarpFrame(Pictures(), grayscale=grayscale).reset()[0]
    assert (cropped != whole).any()


def test_the_crop_must_leave_something() -> None:
    with pytest.raises(SettingsError, match="0 to 223 of the screen's 224 rows, got 224"):
        WarpFrame(Pictures(), crop_top_px=224)


RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)


def shift_of(env: GrayShift) -> int:
    """What was added, told from a pixel that is never clipped; the rest must agree."""
    obs = env.step(0)[0]
    shift = int(obs.reshape(-1)[128]) - 128
    expected = np.clip(RAMP.astype(int) + shift, 0, 255)
    np.testing.assert_array_equal(obs, expected)
    assert obs.dtype == np.uint8
    return shift


def test_shifts_are_borghis() -> None:
    """Half of the rollouts as they are, else an integer of -10..10, the same all rollout long."""
    env = GrayShift(Pictures(RAMP), 10)
    env.reset(seed=5)
    shifts = []
    for _ in range(2000):
        env.begin_rollout()
        shifts.append(shift_of(env))
        assert shift_of(env) == shifts[-1]
    assert set(shifts) == set(range(-10, 11))
    # 1/2 and a 21st of the other half: 1048 expected, deviation 22
    assert 920 < shifts.count(0) < 1180


def test_colours_shift_alike() -> None:
    env = GrayShift(Pictures(np.full((4, 4, 3), 100, np.uint8)), 10)
    env.reset(seed=5)
    while env._shift == 0:
        env.begin_rollout()
    assert np.unique(env.step(0)[0]).tolist() == [100 + env._shift]


def test_nothing_is_shifted_where_no_rollout_is_told() -> None:
    env = GrayShift(Pictures(RAMP), 10)
    for seed in range(20):
        assert (env.reset(seed=seed)[0] == RAMP).all()
        assert shift_of(env) == 0


def test_shifts_depend_on_the_seed_alone_and_survive_snapshots() -> None:
    def shifts(env: GrayShift, n: int) -> list[int]:
        result = []
        for _ in range(n):
            env.begin_rollout()
            env.reset()
            result.append(shift_of(env))
        return result

    env, same, other = (GrayShift(Pictures(RAMP), 10) for _ in range(3))
    env.reset(seed=1)
    same.reset(seed=1)
    other.reset(seed=2)
    first = shifts(env, 30)
    assert first == shifts(same, 30) != shifts(other, 30)
    snapshot = take_snapshot(env)
    restore_snapshot(other, snapshot)
    assert shift_of(other) == first[-1]
    assert shifts(other, 30) == shifts(env, 30)
    env.reset(seed=3)
    assert shift_of(env) == 0, "a seed begins anew"


def test_a_shift_out_of_range_is_refused() -> None:
    with pytest.raises(SettingsError, match="gray_shift"):
        GrayShift(Pictures(RAMP), 300)
