from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from sonic_sb3 import machine
from sonic_sb3.machine import give_back_memory, n_usable_cores, what_is_there_stays


@pytest.mark.parametrize(
    ("text", "n_cores"),
    [("max 100000\n", 64), ("-1 100000", 64), ("150000 100000", 2), ("20000 100000", 1), ("", 64)],
)
def test_a_control_group_may_give_fewer_cores(
    text: str, n_cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr(machine, "_CPU_QUOTAS", ((tmp_path / "cpu.max",),))
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: set(range(64)))
    assert n_usable_cores() == n_cores


def test_garbage_collection_is_as_before_afterwards() -> None:
    with what_is_there_stays():
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0


def test_garbage_collection_is_as_before_after_an_error() -> None:
    with pytest.raises(KeyError), what_is_there_stays():
        raise KeyError
    assert gc.get_freeze_count() == 0


def test_memory_is_given_back_with_what_refers_to_itself() -> None:
    class Model:
        pass

    model = Model()
    model.callback = model  # type: ignore[attr-defined]
    is_there = weakref.ref(model)
    del model
    give_back_memory()
    assert is_there() is None
