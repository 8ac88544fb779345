"""The folder for TensorBoard, asked through TensorBoard's own data API."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sonic_sb3.report.tensorboard_files import safe_names

SEEDS = {
    "learns/seed 0",
    "learns/seed 1",
    "learns/seed 2",
    "collapses/seed 0",
    "collapses/seed 1",
}


@pytest.fixture(scope="module")
def address(written: Path) -> Iterator[str]:
    """TensorBoard as a user starts it; its own code warns, so it runs in a process of its own."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(written / "tensorboard")]
    options = ["--port", "0", "--host", "127.0.0.1", "--load_fast", "false"]
    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        lines = iter(server.stderr.readline, "")
        found = next((m for line in lines if (m := re.search(r"http://[\w.:]+/", line))), None)
        assert found, "TensorBoard ended without an address"
        yield found.group()
        server.terminate()


def ask(address: str, route: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}data/{route}", data)
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


def wait_for(address: str) -> dict[str, Any]:
    """TensorBoard loads in the background."""
    for _ in range(600):
        tags: dict[str, Any] = ask(address, "plugin/scalars/tags")
        if SEEDS | {"learns/mean of seeds", "collapses/mean of seeds"} <= set(tags):
            return tags
        time.sleep(0.2)
    raise AssertionError(f"only {sorted(tags)}")


def test_runs_are_grouped_by_arm_with_their_scalars(address: str) -> None:
    tags = wait_for(address)
    assert {run for run in tags if "seed " in run} == SEEDS
    assert {"training/progress", "training/completion", "final/progress", "actions/LEFT"} <= set(
        tags["learns/seed 0"]
    )
    assert {"band/progress/mean", "band/progress/low", "band/progress/high"} <= set(
        tags["learns/mean of seeds"]
    )
    points = ask(
        address, "plugin/scalars/scalars?run=collapses%2Fseed+0&tag=actions%2FLEFT"
    )  # (wall time, step, value)
    assert points[-1][2] > 0.9
    assert points[0][2] < 0.3
    assert points[-1][1] > points[0][1]
    assert points[-1][0] > points[0][0] > 1_700_000_000


def test_hparams_has_a_group_per_arm_and_the_final_numbers(address: str) -> None:
    wait_for(address)
    experiment = ask(address, "plugin/hparams/experiment", {"experimentName": ""})
    names = {info["name"] for info in experiment["hparamInfos"]}
    assert {"arm", "algo", "learning_rate"} <= names
    assert "seed" not in names  # seeds of an arm are one row
    request = {
        "experimentName": "",
        "allowedStatuses": ["STATUS_SUCCESS", "STATUS_UNKNOWN"],
        "colParams": [{"metric": {"tag": "final/completion"}}],
        "startIndex": 0,
        "sliceSize": 100,
    }
    groups = ask(address, "plugin/hparams/session_groups", request)["sessionGroups"]
    found = {g["name"]: (g["hparams"]["algo"], len(g["sessions"])) for g in groups}
    assert found == {"learns": ("ppo", 3), "collapses": ("a2c", 2)}
    metrics = {v["name"]["tag"] for v in groups[0]["metricValues"]}
    assert "final/progress" in metrics
    # A schedule beside a constant: a table that is sorted by it must not mix texts and numbers.
    request["colParams"] = [{"hparam": "learning_rate", "order": "ORDER_ASC"}]
    groups = ask(address, "plugin/hparams/session_groups", request)["sessionGroups"]
    assert [g["hparams"]["learning_rate"] for g in groups] == ["0.001", "lin_0.0005"]


def test_custom_scalars_are_laid_out(address: str) -> None:
    wait_for(address)
    layout = ask(address, "plugin/custom_scalars/layout")
    titles = [category["title"] for category in layout["category"]]
    assert titles == ["arms: mean of seeds and 95 % band", "seeds", "share of actions"]
    series = layout["category"][0]["chart"][0]["margin"]["series"]
    assert series == [
        {
            "value": "band/progress/mean",
            "lower": "band/progress/low",
            "upper": "band/progress/high",
        }
    ]
    charts = [chart["title"] for chart in layout["category"][2]["chart"]]
    assert "RIGHT+DOWN" in charts


def test_folder_names_are_safe_and_distinct() -> None:
    names = safe_names(["a/b", "a_b", "A_B", "../..", "", "ppo x=1"])
    assert len({name.lower() for name in names.values()}) == 6
    assert all("/" not in name and not name.startswith(".") and name for name in names.values())
    assert names["ppo x=1"] == "ppo x=1"
