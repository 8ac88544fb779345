"""What all tests share: emulators that are given back, games that tests may play."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from sonic_sb3.envs import emulator

# Test machines are shared: how long an example takes says nothing about the code.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.fixture(autouse=True)
def free_emulator() -> Iterator[None]:
    """A test that leaves an env open must not keep the emulator from the next one."""
    yield
    emulator._console.eject()


@pytest.fixture
def airstriker() -> str:
    """The game whose ROM comes with stable-retro."""
    return "Airstriker-Genesis-v0"
