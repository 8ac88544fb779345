"""
Where studies are kept: one SQLite file, or a PostgreSQL server that several machines share.

A password is taken out of the URL before anything else sees it; PostgreSQL's own client library
finds it in the environment.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from sonic_sb3.errors import StudyError
from sonic_sb3.tuning.slots import make_tables


class NoStudyError(StudyError):
    """There is no such study, or no storage yet."""


class StorageAwayError(StudyError):
    """The storage does not answer."""


STORAGE_ERRORS = (sqlalchemy.exc.SQLAlchemyError, StorageInternalError)
_EXPECTED = "expected sqlite:///FILE or postgresql://USER@HOST/DATABASE"
_POSTGRESQL = ("postgresql", "postgresql+psycopg")
_BUSY_TIMEOUT_S = 120
_N_ATTEMPTS = 8
_TABLES_LOCK = 0x50A1C  # any number that others are not likely to choose


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path}"


def parse_storage_url(text: str) -> URL:
    """
    Read a storage's URL; a password in it goes to ``PGPASSWORD`` and is in the result no more.

    :param text: What a user gave.
    :raises StudyError: It is no URL of a storage that studies can be kept in.
    """
    try:
        url = make_url(text)
    except sqlalchemy.exc.ArgumentError:
        # The text is not repeated: who knows where in it a password stands.
        raise StudyError(f"--storage: {_EXPECTED}, got something else") from None
    if url.drivername == "sqlite":
        if not url.database or url.database == ":memory:":
            raise StudyError("--storage: expected a file after sqlite:///, got none")
        return url
    if url.drivername not in _POSTGRESQL:
        raise StudyError(f"--storage: {_EXPECTED}, got one that begins with {url.drivername}")
    if "@" in (url.host or ""):
        raise StudyError(f"--storage: {_EXPECTED}; in a password @ is written %40")
    secrets = sorted(key for key in url.query if "password" in key and key != "password")
    if secrets:
        raise StudyError(
            f"--storage: expected no {', '.join(secrets)} in the URL, which others could read: "
            "libpq takes it from the environment or a service file"
        )
    password = url.password or url.query.get("password")
    if password:
        os.environ["PGPASSWORD"] = str(password)
    # URL.set() takes None for "leave it as it is".
    bare = URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
    return bare.update_query_dict(
        {key: value for key, value in url.query.items() if key != "password"}
    )


def show_url(url: URL) -> str:
    """A URL as it may be printed and typed again."""
    return url.render_as_string(hide_password=True)


def open_storage(url: URL, creates: bool = True) -> RDBStorage:
    """
    Connect to a storage, and make its tables where they are missing.

    :param url: Of :func:`parse_storage_url`.
    :param creates: Whether a SQLite file that is not there is made.
    :raises StudyError: It cannot be reached.
    """
    if url.drivername == "sqlite":
        _check_sqlite_file(Path(str(url.database)), creates)
    for attempt in range(_N_ATTEMPTS):
        try:
            return _connect(url)
        except ImportError as error:
            raise StudyError(
                "PostgreSQL needs a package that is not installed: pip install "
                "'sonic_sb3[postgresql]'"
            ) from error
        except (*STORAGE_ERRORS, RuntimeError) as error:
            # Several workers that start at once make the same tables; all but one are refused.
            if attempt == _N_ATTEMPTS - 1 or _is_hopeless(error):
                raise StorageAwayError(
                    f"cannot reach the storage {show_url(url)}: {_EXPECTED} that answers "
                    f"({_first_line(error)})"
                ) from error
            time.sleep(random.uniform(0.1, 1.0))
    raise AssertionError


@contextmanager
def storage_answers(url: URL) -> Iterator[None]:
    """:raises StorageAwayError: In place of whatever a storage's being away raises inside."""
    try:
        yield
    except STORAGE_ERRORS as error:
        raise StorageAwayError(
            f"the storage {show_url(url)} does not answer any more ({_first_line(error)}): "
            "the same command goes on when it does"
        ) from error


def _connect(url: URL) -> RDBStorage:
    is_sqlite = url.drivername == "sqlite"
    if not is_sqlite:
        url = url.set(drivername="postgresql+psycopg")
    connect_args: dict[str, Any] = (
        {"timeout": _BUSY_TIMEOUT_S} if is_sqlite else {"connect_timeout": 10}
    )
    engine_kwargs: dict[str, Any] = {"connect_args": connect_args, "pool_pre_ping": True}
    if is_sqlite:
        engine_kwargs["pool_events"] = [(_prepare_sqlite, "connect")]
    with _alone(url, connect_args):
        storage = RDBStorage(url.render_as_string(hide_password=False), engine_kwargs=engine_kwargs)
        if is_sqlite:
            _lock_at_begin(storage.engine)
        make_tables(storage.engine)
    return storage


@contextmanager
def _alone(url: URL, connect_args: dict[str, Any]) -> Iterator[None]:
    """Let one worker at a time make tables on a server; for SQLite trying again is enough."""
    if url.drivername == "sqlite":
        yield
        return
    engine = sqlalchemy.create_engine(url, poolclass=NullPool, connect_args=connect_args)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"select pg_advisory_xact_lock({_TABLES_LOCK})"))
        yield


def _prepare_sqlite(connection: Any, record: Any) -> None:
    """
    Transactions are begun by us, and written to a log of changes: without it each of some dozen
    waits for the disk. After a power cut the last ones may be missing; the file stays whole.
    """
    connection.isolation_level = None
    for pragma in ("journal_mode = wal", "synchronous = normal"):
        connection.execute(f"pragma {pragma}")


def _lock_at_begin(engine: sqlalchemy.Engine) -> None:
    """
    Let every transaction take SQLite's write lock when it begins.

    SQLite ignores ``SELECT ... FOR UPDATE``, on which Optuna relies: two processes read, then both
    write. Source: SQLAlchemy's documentation of its pysqlite dialect.
    """

    @sqlalchemy.event.listens_for(engine, "begin")
    def begin_with_lock(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _check_sqlite_file(path: Path, creates: bool) -> None:
    if not path.is_file() and not creates:
        raise NoStudyError(f"no storage {path}: expected the file of a study that was begun")
    if not path.parent.is_dir():
        raise StudyError(f"cannot reach the storage {path}: there is no folder {path.parent}")


def _is_hopeless(error: BaseException) -> bool:
    """Whether waiting cannot help."""
    text = str(error).lower()
    return any(
        words in text
        for words in (
            "connection refused",
            "could not translate",
            "resolve host",
            "authentication failed",
            "does not exist",
            "not a database",
            "unable to open",
            "readonly",
            "no longer compatible",
            "no password",
            "timeout expired",
        )
    )


def _first_line(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
