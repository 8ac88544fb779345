"""A small experiment on disk, and campaigns over it in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
EXPERIMENT = """
question: Which of them counts faster?
game: Airstriker-Genesis-v0
seeds: [3, 8]
n_timesteps: 20
metric: episode_return
decision_rule: The faster one, if it is twice as fast.
evaluation: {n_episodes: 2}
arms:
  one: {algo: ppo, hyperparameters: {n_steps: 4, n_envs: 1, batch_size: 4}}
  two: {algo: a2c}
"""


class Bench:
    """
    A folder with an experiment, and what can be done to it.

    :param folder: An empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.experiment = folder / "experiments" / "counting"
        self.experiment.mkdir(parents=True)
        self.ledger = folder / "ledger"
        self.ledger.touch()
        self.n_started = 0
        self.write(EXPERIMENT)

    def write(self, text: str) -> None:
        (self.experiment / "experiment.yml").write_text(text)

    def environment(self, **more: str) -> dict[str, str]:
        root = str(HERE.parent.parent)
        path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
        mine = {"LEDGER": str(self.ledger), "FAKE_COMMANDS": str(HERE / "fake_commands.py")}
        return os.environ | {"PYTHONPATH": path} | mine | more

    def start(self, *argv: str, **environment: str) -> subprocess.Popen[bytes]:
        """``experiment ARGV`` with fakes; what it prints goes to ``self.log``."""
        self.n_started += 1
        self.log = self.folder / f"log{self.n_started}"
        with self.log.open("wb") as file:
            return subprocess.Popen(
                [sys.executable, str(HERE / "with_fakes.py"), *argv],
                cwd=self.folder,
                env=self.environment(**environment),
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def run(self, *argv: str, **environment: str) -> tuple[int, str]:
        """As :meth:`start`, to its end: exit status and output."""
        status = self.start(*argv, **environment).wait(240)
        return status, self.log.read_text()

    def run_beside(self, *argv: str) -> str:
        """As :meth:`run`, while another one is under way."""
        log = self.log
        try:
            status, text = self.run(*argv)
        finally:
            self.log = log
        assert status == 0, text
        return text

    def counts(self) -> Counter[str]:
        """How often each timestep of each run was counted."""
        return Counter(self.ledger.read_text().splitlines())

    def results(self) -> list[str]:
        root = self.experiment / "results"
        return sorted(str(p.parent.relative_to(root)) for p in root.glob("*/*/manifest.json"))

    def wait_for(
        self, condition: Callable[[], Any], process: subprocess.Popen[bytes] | None = None
    ) -> None:
        """Until something holds; fails when a process ends before, or after two minutes."""
        deadline_s = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline_s, self.log.read_text()
            assert process is None or process.poll() is None, self.log.read_text()
            time.sleep(0.05)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
