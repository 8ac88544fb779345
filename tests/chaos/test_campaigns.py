"""A small share of each cheap campaign; the others are too long for every day."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from tests.chaos import __main__ as chaos
from tests.chaos.mutants import feed_mutants
from tests.chaos.saving_kills import kill_while_saving
from tests.chaos.settings_fuzz import check_settings
from tests.chaos.strategies import mutated_entries, texts


@settings(max_examples=80)
@given(case=mutated_entries())
def test_settings_with_one_mistake(case: tuple[str, str], tmp_path_factory: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "settings.yml"
    assert check_settings(path, *case) is None


@settings(max_examples=80)
@given(text=texts())
def test_any_text_as_settings(text: str, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "settings.yml"
    assert check_settings(path, text, None) is None


@pytest.mark.filterwarnings("ignore")
def test_mutants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    outcome = feed_mutants(tmp_path / "mutants", 50, seed=1)
    assert outcome.failures == []
    assert outcome.n_events == 50


@pytest.mark.filterwarnings("ignore")
def test_kills_while_saving(tmp_path: Path, capsys: Any) -> None:
    result = tmp_path / "result.json"
    argv = ["saving", "-n", "10", "--folder", str(tmp_path), "--json", str(result)]
    assert chaos.main(argv) == 0
    assert "saving" in capsys.readouterr().out
    (campaign,) = json.loads(result.read_text())["campaigns"]
    assert campaign["n_events"] == 10
    assert campaign["failures"] == []
    assert kill_while_saving(tmp_path / "again", 1, seed=2).failures == []


def test_unknown_campaign(capsys: Any) -> None:
    assert chaos.main(["nothing"]) == 2
    assert "expected campaigns of workers, groups" in capsys.readouterr().err
