"""
Who works on what: a table of our own beside Optuna's, with one row per trial that was asked for.

A study of n trials has the slots 0..n-1. Whoever takes a slot has it until it is finished, given
back, or not renewed for the grace period; then another one may take it, with the trial that is in
it. So the budget cannot be overdrawn, no trial is worked on twice, and none is lost. Time is the
database's alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

_METADATA = sa.MetaData()
_STUDIES = sa.Table(
    "sonic_sb3_studies",
    _METADATA,
    sa.Column("study_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("settings_json", sa.Text, nullable=False),
)
_SLOTS = sa.Table(
    "sonic_sb3_slots",
    _METADATA,
    sa.Column("study_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("token", sa.Integer, nullable=False),
    sa.Column("renewed_s", sa.Double, nullable=False),
    sa.Column("n_timesteps", sa.BigInteger, nullable=False),
    sa.Column("n_deaths", sa.Integer, nullable=False),
    sa.Column("n_takeovers", sa.Integer, nullable=False),
    sa.Column("is_finished", sa.Boolean, nullable=False),
)
_GIVEN_BACK_S = 0.0


@dataclass
class Lease:
    """
    The right to work on a slot.

    :param slot: Its number.
    :param owner: Who has it.
    :param token: Another one for every lease of a slot: who has an old one has lost it.
    :param n_deaths: How many workers died on it in a row without getting any further.
    :param n_timesteps: How far its trial has come; the owner updates it.
    """

    slot: int
    owner: str
    token: int
    n_deaths: int
    n_timesteps: int


@dataclass(frozen=True)
class SlotState:
    """
    A slot as others see it.

    :param slot: Its number.
    :param owner: Who had it last.
    :param is_finished: Its trial counts.
    :param is_held: Somebody is at work.
    :param n_timesteps: How far.
    :param n_takeovers: How often it went to another worker.
    """

    slot: int
    owner: str
    is_finished: bool
    is_held: bool
    n_timesteps: int
    n_takeovers: int


class SlotTable:
    """
    The slots of one study.

    :param engine: Of Optuna's storage.
    :param study_id: Of the study in it.
    :param grace_s: A lease that was not renewed for so long is free.
    """

    def __init__(self, engine: sa.Engine, study_id: int, grace_s: float) -> None:
        self.engine = engine
        self._study_id = study_id
        self._grace_s = grace_s
        self._mine = _SLOTS.c.study_id == study_id
        is_sqlite = engine.dialect.name == "sqlite"
        self._now: sa.ColumnElement[float] = sa.literal_column(
            "((julianday('now') - 2440587.5) * 86400.0)"
            if is_sqlite
            else "extract(epoch from clock_timestamp())",
            sa.Double,
        )

    def claim(self, owner: str, n_slots: int) -> Lease | None:
        """
        Take a slot that nobody works on: one that was begun, or else a new one.

        :param owner: Who takes it.
        :param n_slots: How many the study has.
        :returns: ``None`` where all are finished or held.
        """
        while True:
            with self.engine.connect() as connection:
                rows = connection.execute(
                    sa.select(_SLOTS, (self._now - _SLOTS.c.renewed_s).label("age_s"))
                    .where(self._mine)
                    .order_by(_SLOTS.c.slot)
                ).all()
            free = [
                row
                for row in rows
                if not row.is_finished and row.age_s > self._grace_s and row.slot < n_slots
            ]
            known = {row.slot for row in rows}
            new = next((slot for slot in range(n_slots) if slot not in known), None)
            if not free and new is None:
                return None
            lease = self._take_over(free[0], owner) if free else self._begin(new or 0, owner)
            if lease is not None:
                return lease

    def _take_over(self, row: Any, owner: str) -> Lease | None:
        """Take a free slot. :returns: ``None`` where another was faster."""
        lease = Lease(row.slot, owner, row.token + 1, row.n_deaths + 1, row.n_timesteps)
        change = (
            sa.update(_SLOTS)
            .where(self._mine, _SLOTS.c.slot == row.slot, _SLOTS.c.token == row.token)
            .where(self._now - _SLOTS.c.renewed_s > self._grace_s)
            .values(
                owner=owner,
                token=lease.token,
                renewed_s=self._now,
                n_deaths=lease.n_deaths,
                n_takeovers=_SLOTS.c.n_takeovers + 1,
            )
        )
        return lease if self._execute(change) else None

    def _begin(self, slot: int, owner: str) -> Lease | None:
        row = {
            "study_id": self._study_id,
            "slot": slot,
            "owner": owner,
            "token": 1,
            "renewed_s": self._now,
            "n_timesteps": 0,
            "n_deaths": 0,
            "n_takeovers": 0,
            "is_finished": False,
        }
        try:
            self._execute(sa.insert(_SLOTS).values(row))
        except sa.exc.IntegrityError:
            return None  # another was faster
        return Lease(slot, owner, 1, 0, 0)

    def renew(self, lease: Lease) -> bool:
        """
        Say that the work goes on.

        :returns: Whether the lease is still good.
        """
        has_advanced = _SLOTS.c.n_timesteps < lease.n_timesteps
        change = self._owned(lease).values(
            renewed_s=self._now,
            n_timesteps=sa.case((has_advanced, lease.n_timesteps), else_=_SLOTS.c.n_timesteps),
            n_deaths=sa.case((has_advanced, 0), else_=_SLOTS.c.n_deaths),
        )
        return self._execute(change) == 1

    def finish(self, lease: Lease) -> None:
        """The slot's trial counts."""
        self._execute(self._owned(lease).values(is_finished=True))

    def start_anew(self, lease: Lease) -> None:
        """The slot gets another trial."""
        lease.n_timesteps = 0
        self._execute(self._owned(lease).values(n_timesteps=0, n_deaths=0))

    def give_back(self, lease: Lease) -> None:
        """Let somebody else go on with it, at once."""
        self._execute(self._owned(lease).values(renewed_s=_GIVEN_BACK_S, n_deaths=0))

    def give_back_all(self, owner: str) -> int:
        """
        Hand on at once what a dead worker had.

        :param owner: Who died.
        :returns: How many slots.
        """
        return self._execute(
            sa.update(_SLOTS)
            .where(self._mine, _SLOTS.c.owner == owner, ~_SLOTS.c.is_finished)
            .values(renewed_s=_GIVEN_BACK_S)
        )

    def read(self) -> list[SlotState]:
        """All slots that were begun."""
        with self.engine.connect() as connection:
            rows = connection.execute(
                sa.select(_SLOTS, (self._now - _SLOTS.c.renewed_s).label("age_s"))
                .where(self._mine)
                .order_by(_SLOTS.c.slot)
            ).all()
        return [
            SlotState(
                row.slot,
                row.owner,
                bool(row.is_finished),
                not row.is_finished and row.age_s <= self._grace_s,
                row.n_timesteps,
                row.n_takeovers,
            )
            for row in rows
        ]

    def are_finished(self, n_slots: int) -> bool:
        """Whether a study of so many slots has all it asked for."""
        slots = [slot for slot in self.read() if slot.slot < n_slots]
        return len(slots) == n_slots and all(slot.is_finished for slot in slots)

    def _owned(self, lease: Lease) -> sa.Update:
        return sa.update(_SLOTS).where(
            self._mine,
            _SLOTS.c.slot == lease.slot,
            _SLOTS.c.token == lease.token,
            _SLOTS.c.owner == lease.owner,
        )

    def _execute(self, change: sa.Update | sa.Insert) -> int:
        with self.engine.begin() as connection:
            return int(connection.execute(change).rowcount)


def make_tables(engine: sa.Engine) -> None:
    """Make our tables where they are missing. Of several who do so at once, one may be refused."""
    _METADATA.create_all(engine)


def record_settings(engine: sa.Engine, study_id: int, settings: dict[str, Any]) -> dict[str, Any]:
    """
    Write a study's settings, unless it has some.

    :param engine: Of the storage.
    :param study_id: The study.
    :param settings: Plain data.
    :returns: The settings that the study has.
    """
    try:
        with engine.begin() as connection:
            row = {"study_id": study_id, "settings_json": json.dumps(settings)}
            connection.execute(sa.insert(_STUDIES).values(row))
    except sa.exc.IntegrityError:
        pass  # somebody else was first
    recorded = read_settings_record(engine, study_id)
    assert recorded is not None
    return recorded


def forget_rows(engine: sa.Engine, study_id: int) -> None:
    """
    Delete what our tables say of a study.

    :param engine: Of the storage.
    :param study_id: The study.
    """
    with engine.begin() as connection:
        for table in (_STUDIES, _SLOTS):
            if sa.inspect(connection).has_table(table.name):
                connection.execute(sa.delete(table).where(table.c.study_id == study_id))


def read_settings_record(engine: sa.Engine, study_id: int) -> dict[str, Any] | None:
    """
    Read a study's settings.

    :param engine: Of the storage.
    :param study_id: The study.
    :returns: ``None`` where it is no study of ours.
    """
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table(_STUDIES.name):
            return None
        text = connection.execute(
            sa.select(_STUDIES.c.settings_json).where(_STUDIES.c.study_id == study_id)
        ).scalar()
    data = None if text is None else json.loads(text)
    return data if isinstance(data, dict) else None
