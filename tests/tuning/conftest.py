"""Storages for tests of studies: a SQLite file, and a real PostgreSQL server."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _load(name: str) -> ModuleType:
    """A module beside this file; the tests are no package."""
    full_name = f"sonic_sb3_tests_{name}"
    if full_name not in sys.modules:
        path = Path(__file__).parent / f"{name}.py"
        spec = importlib.util.spec_from_file_location(full_name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full_name] = module
        spec.loader.exec_module(module)
    return sys.modules[full_name]


@pytest.fixture(scope="session")
def kill_tune() -> ModuleType:
    return _load("kill_tune")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    module = _load("postgres_server")
    if module.find_programs() is None:
        pytest.skip(module.HOW_TO_GET_ONE)
    with module.running_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_database(postgres_server: Any) -> Iterator[str]:
    """One database for all tests, whose studies have different names."""
    from pytest_postgresql.janitor import DatabaseJanitor

    with DatabaseJanitor(
        user=postgres_server.user,
        host="127.0.0.1",
        port=postgres_server.port,
        dbname="studies",
        password=postgres_server.password,
    ):
        yield postgres_server.url("studies")


@pytest.fixture
def postgres_url(postgres_database: str, monkeypatch: Any) -> str:
    """The database; its URL has the password in it."""
    monkeypatch.setenv("PGPASSWORD", "to be put back")
    return postgres_database


@pytest.fixture(params=["sqlite", "postgresql"])
def storage_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each kind of storage in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'study.db'}"
    return str(request.getfixturevalue("postgres_url"))
