"""A grid on a real Dask scheduler with two worker processes, one of which is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

ALL = ["one/seed_3", "one/seed_8", "two/seed_3", "two/seed_8"]


class Cluster:
    """
    A scheduler and its workers.

    :param bench: Where they run.
    """

    def __init__(self, bench: Any) -> None:
        self._bench = bench
        self.processes: list[subprocess.Popen[bytes]] = []
        file = bench.folder / "scheduler.json"
        self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)
        )
        bench.log = bench.folder / "scheduler.log"
        bench.wait_for(file.is_file)
        fakes = str(Path(__file__).with_name("with_fakes.py"))
        self.workers = [
            self._start(
                "worker", "--scheduler-file", str(file), "--no-nanny", "--nthreads", "1",
                "--name", f"worker{k}", "--preload", fakes, "--no-dashboard",
            )
            for k in range(2)
        ]  # fmt: skip
        import json

        self.address = json.loads(file.read_text())["address"]

    def _start(self, kind: str, *argv: str) -> subprocess.Popen[bytes]:
        log = self._bench.folder / f"{kind}{len(self.processes) or ''}.log"
        command = [sys.executable, "-m", "dask", kind, *argv]
        if kind == "scheduler":
            command += ["--no-dashboard"]
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                cwd=self._bench.folder,
                env=self._bench.environment(FAKE_STEP_S="0.1"),
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process


@pytest.fixture
def cluster(bench: Any) -> Iterator[Cluster]:
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    cluster = Cluster(bench)
    yield cluster
    for process in cluster.processes:
        process.kill()
        process.wait()


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def test_a_killed_worker_loses_no_run_and_none_runs_twice(bench: Any, cluster: Cluster) -> None:
    process = bench.start("run", "counting", "--scheduler", cluster.address)
    bench.wait_for(lambda: all(children(worker) for worker in cluster.workers), process)
    bench.wait_for(lambda: len(bench.counts()) > 4, process)
    orphans = children(cluster.workers[0])
    cluster.workers[0].send_signal(signal.SIGKILL)
    assert process.wait(240) == 0, bench.log.read_text()
    assert bench.results() == ALL
    counts = bench.counts()
    assert len(counts) == 80, "every timestep of every run"
    assert sum(counts.values()) <= 81, "at most the one that was counted when the worker died"
    assert not [o for o in orphans if o.is_running() and o.status() != psutil.STATUS_ZOMBIE]
    text = bench.log.read_text()
    assert text.count(": done") == 4
    assert "4 of 4 done" in text


def test_a_signal_stops_the_workers_runs(bench: Any, cluster: Cluster) -> None:
    process = bench.start("run", "counting", "--scheduler", cluster.address)
    bench.wait_for(lambda: all(children(worker) for worker in cluster.workers), process)
    bench.wait_for(lambda: len(bench.counts()) > 4, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 143, bench.log.read_text()
    assert "the same command goes on" in bench.log.read_text()
    bench.wait_for(lambda: not any(children(worker) for worker in cluster.workers))
    n_counted = len(bench.counts())
    assert n_counted < 80
    assert bench.results() == []
    status, text = bench.run("run", "counting", "--workers", "4")
    assert status == 0, text
    assert len(bench.counts()) == 80


def test_two_campaigns_with_logs_of_their_own_share_a_grid(bench: Any, cluster: Cluster) -> None:
    run = ("run", "counting", "--scheduler", cluster.address, "-f")
    first = bench.start(*run, str(bench.folder / "logs1"))
    first_log = bench.log
    bench.wait_for(lambda: len(bench.counts()) > 4, first)
    second = bench.start(*run, str(bench.folder / "logs2"))
    assert first.wait(240) == 0, first_log.read_text()
    assert second.wait(240) == 0, bench.log.read_text()
    assert bench.results() == ALL
    assert set(bench.counts().values()) == {1}, "no cell was given away twice"
    assert "another process works on it, waiting" in bench.log.read_text()
