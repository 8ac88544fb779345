"""A small agent, untrained but real, packed once for all tests of bundles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sonic_sb3.bundles.archive import write_zip
from sonic_sb3.bundles.pack_agent import TrainedAgent
from tests.bundles.small_agent import NAME, make_small_agent, pack_small_agent


@pytest.fixture(scope="session")
def agent_files() -> dict[str, bytes]:
    """The files of a bundle."""
    return pack_small_agent()


@pytest.fixture
def make_agent() -> Callable[..., TrainedAgent]:
    """Makes the agent that ``agent_files`` holds, or with another seed another one."""
    return make_small_agent


@pytest.fixture
def bundle_path(agent_files: dict[str, bytes], tmp_path: Path) -> Path:
    """A bundle of one's own."""
    path = tmp_path / f"{NAME}.sonic.zip"
    write_zip(path, agent_files)
    return path


@pytest.fixture(autouse=True)
def user_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing goes to the folders of whoever runs the tests."""
    home = tmp_path / "data-home"
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    return home / "sonic_sb3"
