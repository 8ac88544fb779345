from __future__ import annotations

import gc
import weakref

import pytest

from sonic_sb3.machine import give_back_memory, what_is_there_stays


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
