"""Leases on both storages: one owner at a time, nothing overdrawn, nothing lost."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from sonic_sb3.tuning.slots import SlotTable, forget_rows, read_settings_record, record_settings
from sonic_sb3.tuning.storage import open_storage, parse_storage_url


@pytest.fixture
def engine(storage_url: str) -> Iterator[sa.Engine]:
    storage = open_storage(parse_storage_url(storage_url))
    yield storage.engine
    storage.remove_session()
    storage.engine.dispose()


@pytest.fixture
def study_id() -> int:
    """Of no other test's study: a database may serve them all."""
    return secrets.randbelow(2**30)


def test_a_slot_has_one_owner(engine: sa.Engine, study_id: int) -> None:
    slots = SlotTable(engine, study_id, grace_s=1000.0)
    first, second = slots.claim("a", 2), slots.claim("b", 2)
    assert first is not None
    assert second is not None
    assert (first.slot, second.slot) == (0, 1)
    assert slots.claim("c", 2) is None, "all are held"
    assert slots.renew(first)
    slots.give_back(first)
    taken = slots.claim("c", 2)
    assert taken is not None
    assert (taken.slot, taken.owner, taken.token) == (0, "c", 2)
    assert not slots.renew(first), "who gave it back has lost it"
    slots.finish(first)
    assert not slots.read()[0].is_finished, "an old lease changes nothing"
    slots.finish(taken)
    assert slots.read()[0].is_finished
    assert slots.claim("d", 2) is None
    assert SlotTable(engine, study_id + 1, 1000.0).claim("d", 1) is not None, "studies do not mix"


def test_a_deleted_studys_rows_are_not_the_next_ones(engine: sa.Engine, study_id: int) -> None:
    slots = SlotTable(engine, study_id, 1000.0)
    record_settings(engine, study_id, {"seed": 1})
    lease = slots.claim("a", 1)
    assert lease is not None
    slots.finish(lease)
    forget_rows(engine, study_id)  # as whoever makes a new study of that number does
    assert read_settings_record(engine, study_id) is None
    assert slots.claim("b", 1) is not None


def test_a_silent_owner_loses_its_slot(engine: sa.Engine, study_id: int) -> None:
    patient, hasty = SlotTable(engine, study_id, 1000.0), SlotTable(engine, study_id, -1.0)
    lease = patient.claim("a", 1)
    assert lease is not None
    assert patient.claim("b", 1) is None
    taken = hasty.claim("b", 1)
    assert taken is not None
    assert taken.n_deaths == 1
    assert not patient.renew(lease)
    taken.n_timesteps = 64
    assert patient.renew(taken)
    again = hasty.claim("c", 1)
    assert again is not None
    assert again.n_deaths == 1, "progress was made in between"
    assert again.n_timesteps == 64
    third = hasty.claim("d", 1)
    assert third is not None
    assert third.n_deaths == 2
    assert patient.read()[0].n_takeovers == 3


def test_a_dead_owners_slots_are_free_at_once(engine: sa.Engine, study_id: int) -> None:
    slots = SlotTable(engine, study_id, grace_s=1000.0)
    held, finished = slots.claim("a", 3), slots.claim("a", 3)
    assert held is not None
    assert finished is not None
    slots.finish(finished)
    other = slots.claim("b", 3)
    assert other is not None
    assert slots.give_back_all("a") == 1
    taken = slots.claim("c", 3)
    assert taken is not None
    assert taken.slot == held.slot
    assert slots.renew(other)


def test_many_at_once_take_each_slot_once(storage_url: str, study_id: int) -> None:
    """Four clients with a connection each, as processes would have it."""
    url = parse_storage_url(storage_url)
    n_slots, n_clients = 24, 4

    def take_all(client: int) -> list[int]:
        storage = open_storage(url)
        slots = SlotTable(storage.engine, study_id, 1000.0)
        taken = []
        while (lease := slots.claim(f"client {client}", n_slots)) is not None:
            taken.append(lease.slot)
            if lease.slot % 2:
                slots.finish(lease)
        storage.remove_session()
        storage.engine.dispose()
        return taken

    with ThreadPoolExecutor(n_clients) as pool:
        taken = list(pool.map(take_all, range(n_clients)))
    assert sorted(slot for part in taken for slot in part) == list(range(n_slots))


def test_the_first_settings_stay(engine: sa.Engine, study_id: int) -> None:
    assert read_settings_record(engine, study_id) is None
    first: dict[str, Any] = {"algo": "ppo"}
    assert record_settings(engine, study_id, first) == first
    assert record_settings(engine, study_id, {"algo": "a2c"}) == first
    with engine.begin() as connection:
        connection.execute(
            sa.text(f"update sonic_sb3_studies set settings_json='[]' where study_id={study_id}")
        )
    assert read_settings_record(engine, study_id) is None


def test_sqlite_locks_when_a_transaction_begins(tmp_path: Any) -> None:
    """Or two processes would read, and then both write: FOR UPDATE means nothing to SQLite."""
    url = parse_storage_url(f"sqlite:///{tmp_path / 's.db'}")
    one, other = open_storage(url).engine, open_storage(url).engine
    with one.begin() as connection:
        connection.execute(sa.text("select 1"))
        raw = other.raw_connection()
        raw.execute("pragma busy_timeout = 50")  # type: ignore[attr-defined]
        with pytest.raises(Exception, match="locked"):
            raw.execute("begin immediate")  # type: ignore[attr-defined]
        raw.close()
    one.dispose()
    other.dispose()
