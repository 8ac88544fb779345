"""Campaigns on this machine: every run once, whatever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

ALL = ["one/seed_3", "one/seed_8", "two/seed_3", "two/seed_8"]
TWENTY_EACH = {
    f"{arm} {seed} {k}" for arm, seed in (c.split("/") for c in ALL) for k in range(1, 21)
}


def counted_names(bench: Any) -> set[str]:
    names = set()
    for line in bench.counts():
        seed, arm, step = line.split()
        names.add(f"{arm} {seed} {step}")
    return names


def descendants(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_every_run_once_and_a_second_time_nothing(bench: Any) -> None:
    status, text = bench.run("run", "counting", "--workers", "2")
    assert status == 0, text
    assert bench.results() == ALL
    assert set(bench.counts().values()) == {1}
    assert counted_names(bench) == TWENTY_EACH
    assert "\x1b" not in text, "no terminal, no escapes"
    lines = text.splitlines()
    assert sum(": begins" in line for line in lines) == 4
    assert sum(": done" in line for line in lines) == 4
    before = bench.ledger.read_text()
    status, text = bench.run("run", "counting")
    assert status == 0
    assert "begins" not in text
    assert "4 of 4 done" in text
    assert bench.ledger.read_text() == before


def test_two_campaigns_share_a_grid(bench: Any) -> None:
    first = bench.start("run", "counting", "--workers", "1", FAKE_STEP_S="0.02")
    first_log = bench.log
    second = bench.start("run", "counting", "--workers", "2", FAKE_STEP_S="0.02")
    assert first.wait(240) == 0, first_log.read_text()
    assert second.wait(240) == 0, bench.log.read_text()
    assert bench.results() == ALL
    assert set(bench.counts().values()) == {1}
    text = first_log.read_text() + bench.log.read_text()
    assert text.count(": begins") == 4


def test_two_campaigns_with_logs_of_their_own_share_a_grid(bench: Any) -> None:
    """As when it is started from two folders: the logs lie below the current one."""
    first = bench.start("run", "counting", "-f", "logs1", "--workers", "1", FAKE_STEP_S="0.02")
    first_log = bench.log
    second = bench.start("run", "counting", "-f", "logs2", "--workers", "2", FAKE_STEP_S="0.02")
    assert first.wait(240) == 0, first_log.read_text()
    assert second.wait(240) == 0, bench.log.read_text()
    assert bench.results() == ALL
    assert set(bench.counts().values()) == {1}
    assert not list(bench.experiment.rglob(".*")), "no lock is left behind"


def test_killed_campaign_takes_its_runs_along_and_goes_on(bench: Any) -> None:
    process = bench.start("run", "counting", "--workers", "2", FAKE_STEP_S="0.2")
    bench.wait_for(lambda: len(bench.counts()) > 6, process)
    children = descendants(process)
    assert children
    process.kill()
    process.wait()
    bench.wait_for(lambda: not alive(children))
    n_before = len(bench.counts())
    assert n_before < 80
    status, text = bench.run("run", "counting")
    assert status == 0, text
    assert "goes on" in text
    assert bench.results() == ALL
    assert counted_names(bench) == TWENTY_EACH
    # A step may be counted and killed before it is saved, once per run that was killed.
    assert sum(bench.counts().values()) <= 80 + 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_all_children(bench: Any, number: signal.Signals, status: int) -> None:
    process = bench.start("run", "counting", "--workers", "2", FAKE_STEP_S="0.2")
    bench.wait_for(lambda: len(bench.counts()) > 4, process)
    children = descendants(process)
    status_text = bench.run_beside("status", "counting")
    assert "0 of 4 done, 2 running" in status_text
    assert "%" in status_text
    process.send_signal(number)
    assert process.wait(60) == status
    assert not alive(children)
    text = bench.log.read_text()
    assert "the same command goes on" in text
    assert text.count("goes on from its snapshot") == 2
    assert "failed" not in text
    assert bench.results() == []


def test_a_killed_run_is_gone_on_with(bench: Any) -> None:
    process = bench.start("run", "counting", "--arms", "one", "--workers", "1", FAKE_STEP_S="0.1")
    bench.wait_for(lambda: len(bench.counts()) > 4, process)
    for child in descendants(process):
        child.kill()
    assert process.wait(240) == 0
    assert "killed by SIGKILL, goes on (1 of 3)" in bench.log.read_text()
    assert bench.results() == ["one/seed_3", "one/seed_8"]


def test_a_failed_run_is_shown_and_retried(bench: Any) -> None:
    status, text = bench.run("run", "counting", FAKE_FAILS="two")
    assert status == 1
    assert "two seed 3: failed: ended with status 2: boom" in text
    assert "--retry" in text
    assert bench.results() == ["one/seed_3", "one/seed_8"]
    status, text = bench.run("status", "counting")
    assert status == 0
    assert "2 of 4 done, 2 failed" in text
    assert "two seed 8 failed: ended with status 2: boom" in text
    status, text = bench.run("run", "counting")
    assert status == 1, "not again without being asked"
    assert "begins" not in text
    assert "goes on" not in text
    status, text = bench.run("run", "counting", "--retry")
    assert status == 0, text
    assert bench.results() == ALL


def test_shards_share_nothing_and_merge_by_copying(bench: Any, tmp_path: Path) -> None:
    import shutil

    results = bench.experiment / "results"
    elsewhere = tmp_path / "other_machine"
    for shard in ("1/2", "2/2"):
        argv = ["run", "counting", "--shard", shard, "-f", f"logs{shard[0]}"]
        status, text = bench.run(*argv)
        assert status == 0, text
        assert "2 of 2 done" in text
        shutil.copytree(results, elsewhere, dirs_exist_ok=True)
        shutil.rmtree(results)
    shutil.copytree(elsewhere, results)
    assert bench.results() == ALL
    assert set(bench.counts().values()) == {1}
    assert "4 of 4 done" in bench.run("status", "counting")[1]


def test_scaled_budgets_lie_apart(bench: Any) -> None:
    status, text = bench.run("run", "counting", "--scale", "0.1")
    assert status == 0, text
    assert "counting at scale 0.1: 4 of 4 done" in text
    assert sum(bench.counts().values()) == 4 * 2
    assert bench.results() == []
    manifest = bench.experiment / "scale_0.1" / "results" / "one" / "seed_3" / "manifest.json"
    assert json.loads(manifest.read_text())["settings"]["n_timesteps"] == 2
    assert "0 of 4 done" in bench.run("status", "counting")[1]


def test_changed_experiment_is_not_mixed_with_old_runs(bench: Any) -> None:
    assert bench.run("run", "counting", "--arms", "one")[0] == 0
    file = bench.experiment / "experiment.yml"
    file.write_text(file.read_text().replace("n_steps: 4", "n_steps: 8"))
    status, text = bench.run("run", "counting", "--arms", "one")
    assert status == 1
    assert "one seed 3 is outdated: n_steps was 4, the experiment now says 8; delete" in text
    file.write_text(file.read_text().replace("n_steps: 8", "n_steps: 4"))
    assert bench.run("run", "counting", "--arms", "one")[0] == 0


def test_an_arm_starts_from_the_agent_of_another(bench: Any) -> None:
    text = (bench.experiment / "experiment.yml").read_text()
    bench.write(
        text.replace("  two: {algo: a2c}", "  two: {algo: a2c}\n  zz: {algo: ppo, init_from: one}")
    )
    status, text = bench.run("run", "counting", "--arms", "zz", FAKE_FAILS="one")
    assert status == 1
    assert "zz seed 3: needs one seed 3, which is failed" in text


def test_a_missing_rom_skips_and_is_no_error(bench: Any) -> None:
    text = (bench.experiment / "experiment.yml").read_text()
    bench.write(text.replace("Airstriker-Genesis-v0", "SonicTheHedgehog-Genesis-v0"))
    home = str(bench.folder)
    status, text = bench.run("run", "counting", XDG_DATA_HOME=home)
    assert status == 0
    assert "skipped one, two: no ROM for SonicTheHedgehog-Genesis-v0" in text
    assert len(text.splitlines()) == 2
    assert text.endswith("nothing to do here\n")
    assert bench.results() == []


def test_false_starts_are_cleared_away(bench: Any) -> None:
    cell = bench.folder / "logs" / "experiments" / "counting" / "one" / "seed_3"
    (cell / "ppo" / "Airstriker-Genesis-v0_1").mkdir(parents=True)
    assert bench.run("run", "counting", "--arms", "one")[0] == 0
    assert [p.name for p in (cell / "ppo").iterdir()] == ["Airstriker-Genesis-v0_1"]
    assert (cell / "ppo" / "Airstriker-Genesis-v0_1" / "manifest.json").is_file()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo-terminals")
def test_table_in_a_terminal(bench: Any) -> None:
    import sys

    leader, follower = os.openpty()
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("with_fakes.py")), "run", "counting"],
        cwd=bench.folder,
        env=bench.environment(FAKE_STEP_S="0.3", TERM="xterm", COLUMNS="100"),
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    output = b""
    try:
        while chunk := os.read(leader, 65536):
            output += chunk
    except OSError:
        pass  # the other end is closed
    os.close(leader)
    assert process.wait(60) == 0
    text = output.decode()
    assert "seed 3" in text
    assert "%" in text, "how far the runs are"
    assert " left" in text
    assert "4 of 4 done" in text
