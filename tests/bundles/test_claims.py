"""What a bundle claims of its agent, also when another version drew its intervals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sonic_sb3.bundles.archive import write_folder
from sonic_sb3.bundles.claims import read_claims
from sonic_sb3.bundles.contents import EVALUATION, INDEX, Bundle, add_index, open_bundle
from sonic_sb3.errors import BundleError


def with_evaluation(path: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> Bundle:
    """The bundle at ``path`` with another ``evaluation.json``."""
    bundle = open_bundle(path)
    data = json.loads(bundle.files[EVALUATION])
    change(data)
    files = {name: content for name, content in bundle.files.items() if name != INDEX}
    files[EVALUATION] = json.dumps(data).encode()
    write_folder(folder, add_index("agent", bundle.index.name, files))
    return open_bundle(folder)


def set_interval(data: dict[str, Any], name: str, interval: Any) -> None:
    for summary in (data["summary"], *data["by_level"].values()):
        summary["mean_intervals"][name] = interval


def as_an_older_version(data: dict[str, Any]) -> None:
    """No word of how intervals are drawn, and narrower ones, as version 0.1's first bundles had."""
    del data["mean_interval_method"]
    mean = data["summary"]["means"]["contest_score"]
    set_interval(data, "contest_score", [mean - 1.0, mean + 0.5])


def test_intervals_of_another_rule_are_no_lie(bundle_path: Path, tmp_path: Path) -> None:
    honest = read_claims(open_bundle(bundle_path))
    older = with_evaluation(bundle_path, tmp_path / "older", as_an_older_version)
    assert read_claims(older).summary == honest.summary  # shown are those of this version


@pytest.mark.parametrize(
    "interval", [[1e6, 2e6], [-2e6, -1e6], [1.0], ["-1e9", "1e9"], [False, True], 5, {}]
)
def test_an_interval_without_its_mean_is_none(
    bundle_path: Path, tmp_path: Path, interval: Any
) -> None:
    def change(data: dict[str, Any]) -> None:
        as_an_older_version(data)
        set_interval(data, "contest_score", interval)

    with pytest.raises(BundleError, match="expected an interval that holds the mean"):
        read_claims(with_evaluation(bundle_path, tmp_path / "odd", change))


def test_intervals_of_this_versions_rule_are_drawn_again(bundle_path: Path, tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        mean = data["summary"]["means"]["contest_score"]
        set_interval(data, "contest_score", [mean - 0.1, mean + 0.1])

    with pytest.raises(BundleError, match="as its own episodes make it"):
        read_claims(with_evaluation(bundle_path, tmp_path / "narrow", change))


@pytest.mark.parametrize("summary", [None, 3, [], {}, {"mean_intervals": {"x": [1.0, 2.0]}}])
def test_an_older_summary_that_is_none(bundle_path: Path, tmp_path: Path, summary: Any) -> None:
    def change(data: dict[str, Any]) -> None:
        as_an_older_version(data)
        data["by_level"] = {"CanopyZone.Act1": summary}

    with pytest.raises(BundleError, match=r"by_level\.CanopyZone\.Act1: expected intervals"):
        read_claims(with_evaluation(bundle_path, tmp_path / "odd", change))
