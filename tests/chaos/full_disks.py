"""Runs whose disk fills up under them: they stop and are resumed, or wait for room."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sonic_sb3.errors import SonicError
from sonic_sb3.plain_data import load_data
from sonic_sb3.runs import load_run
from tests.chaos.outcome import Outcome, Progress
from tests.chaos.trainings import (
    Plan,
    Training,
    difference,
    last_words,
    read_result,
    train_undisturbed,
)

_DISK = "16m"
_MAX_RUNS = 30


class Disk:
    """
    A small disk that can be filled and freed; where none can be mounted, a file that stands for it.

    :param folder: Where it is.
    :param is_real: Mounted.
    """

    def __init__(self, folder: Path, is_real: bool) -> None:
        self.folder, self.is_real = folder, is_real
        self._ballast = folder.with_name("ballast") if not is_real else folder / "ballast"

    @property
    def options(self) -> list[str]:
        options = ["--retry-s", "1"]
        return options if self.is_real else [*options, "--full-disk-flag", str(self._ballast)]

    def fill(self, n_free_bytes: int) -> None:
        """Leave a few bytes: a record may fit, or its beginning."""
        if not self.is_real:
            self._ballast.touch()
            return
        with self._ballast.open("wb", buffering=0) as file:
            with suppress(OSError):
                while True:
                    file.write(bytes(1 << 16))
            file.truncate(max(0, file.tell() - n_free_bytes))

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def mounted_disk(folder: Path) -> Iterator[Disk]:
    """A tmpfs of a few megabytes, where mounting is allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder)]
    try:
        is_real = subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        is_real = False
    try:
        yield Disk(folder, is_real)
    finally:
        if is_real:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


def fill_disks(folder: Path, n_events: int, seed: int, plan: Plan) -> Outcome:
    """
    Let so many disks fill up, half of them under runs that stop, half under runs that wait.

    :param folder: To work in.
    :param n_events: So many.
    :param seed: Of the moments.
    :param plan: The training.
    """
    outcome = Outcome("full disks")
    rng = random.Random(seed)
    expected = train_undisturbed(plan, folder)
    progress = Progress("full disks", n_events)
    with mounted_disk(folder / "disk") as disk:
        outcome.facts["disk"] = "tmpfs" if disk.is_real else "pretended"
        for number in range(_MAX_RUNS):
            if outcome.n_events >= n_events:
                break
            choice = "stop" if number % 2 == 0 else "wait"
            most = min(n_events - outcome.n_events, max(1, n_events // 6))
            logs, log = disk.folder / f"run_{number}", folder / f"run_{number}.log"
            status = _train(disk, plan, logs, log, choice, most, rng, outcome)
            disk.free()
            outcome.check(status == 0, f"run {number} ended with {status}: {last_words(log)}")
            if status == 0:
                found = difference(expected, read_result(plan.run(logs)))
                outcome.check(found is None, f"run {number} ({choice}) differs at {found}")
                outcome.count("runs bit-identical", int(found is None))
            progress.show(outcome.n_events)
            subprocess.run(["rm", "-rf", str(logs)], check=True)
    outcome.check(outcome.facts.get("orphans", 0) == 0, "orphans were left")
    return outcome


def _train(
    disk: Disk,
    plan: Plan,
    logs: Path,
    log: Path,
    choice: str,
    n_events: int,
    rng: random.Random,
    outcome: Outcome,
) -> int | None:
    arguments = plan.arguments(logs)
    run = plan.run(logs)
    left = n_events
    while True:
        training = Training([*_with(arguments, choice)], log, disk.options)
        while left and _fill_in_training(disk, training, run, rng):
            left -= 1
            outcome.n_events += 1
            if choice == "stop":
                break
            n_before = log.read_text(errors="replace").count("waiting until it works")
            _await_words(training, log, "waiting until it works", n_before)
            outcome.count("waited")
            time.sleep(rng.uniform(0.0, 1.0))
            disk.free()
        status = training.wait()
        outcome.count("orphans", len(training.orphans()))
        outcome.failures += _check_files(run)
        disk.free()
        if choice == "wait" or status != 2:
            return status
        outcome.count("stopped")
        words = last_words(log)
        outcome.check("--resume" in words and "cannot write" in words, f"unclear: {words}")
        arguments = ["--resume", str(run)]


def _with(arguments: list[str], choice: str) -> list[str]:
    return ["--on-full-disk", choice, *arguments]


def _fill_in_training(disk: Disk, training: Training, run: Path, rng: random.Random) -> bool:
    n_before = len(list(run.glob("tensorboard/events*")))
    started_s = time.monotonic()
    while not (run / "resume.snapshot").exists() or (
        len(list(run.glob("tensorboard/events*"))) == n_before and time.monotonic() < started_s + 3
    ):
        if not training.is_running():
            return False
        time.sleep(0.02)
    time.sleep(rng.uniform(0.0, 1.5))
    if not training.is_running():
        return False
    disk.fill(rng.choice([0, 100, 5_000, 40_000]))
    return True


def _await_words(training: Training, log: Path, words: str, n_before: int) -> None:
    while training.is_running() and log.read_text(errors="replace").count(words) <= n_before:
        time.sleep(0.05)


def _check_files(run: Path) -> list[str]:
    """Whatever is there can be read."""
    failures = []
    try:
        opened = load_run(run)
        for path in run.glob("*.zip"):
            name = path.stem
            checkpoint = name.split("_")[2] if name.startswith("rl_model") else None
            opened.load_policy("best" if name == "best_model" else checkpoint)
        if (run / "resume.snapshot").exists():
            load_data(run / "resume.snapshot")
    except (SonicError, OSError) as error:
        failures.append(f"unreadable after a full disk: {error}")
    if not os.listdir(run):
        failures.append("the run folder is empty")
    return failures
