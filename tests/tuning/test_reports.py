"""What trials are told to be worth while they learn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sonic_sb3.tuning.reports import TrainingReports


def test_retries_are_no_episodes() -> None:
    told: list[float] = []
    deaf = SimpleNamespace(logger=SimpleNamespace(record=lambda *_: None))
    reports = TrainingReports("progress", 3, 1, lambda _, value: told.append(value), lambda _: None)
    reports.model = deaf  # type: ignore[assignment]

    def step(n_timesteps: int, done: bool, **info: Any) -> None:
        reports.num_timesteps = n_timesteps
        reports.locals = {"infos": [info], "dones": [done]}
        reports._on_step()

    step(1, True, progress=0.2, is_retry=False)
    step(2, False, progress=0.9)
    step(2, True, progress=0.9, is_retry=True)
    step(3, True, progress=0.4, is_retry=False)
    assert told == [pytest.approx(0.3)]
