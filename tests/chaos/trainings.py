"""Small trainings to torment, their results, and who of their processes is still there."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.save_util import load_from_zip_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sonic_sb3.plots import read_monitor

GAME = "Airstriker-Genesis-v0"
ROOT = Path(__file__).parents[2]
_WALL_CLOCK_TAGS = ("time/fps", "env/restarts")
_MARK = "SONIC_CHAOS_MARK"
_HANG_S = 1800.0


@dataclass(frozen=True)
class Plan:
    """
    A training that takes seconds: small pictures, a small network, evaluations on the way.

    :param algo: ppo or a2c.
    :param n_timesteps: Of training.
    :param n_envs: Side by side.
    """

    algo: str = "ppo"
    n_timesteps: int = 960
    n_envs: int = 3

    @property
    def rollout(self) -> int:
        """Timesteps of a rollout, of all envs."""
        return self.n_envs * (32 if self.algo == "ppo" else 5)

    def arguments(self, logs: Path) -> list[str]:
        argv = ["--algo", self.algo, "--env", GAME, "-f", str(logs), "--seed", "5"]
        argv += ["--n-envs", str(self.n_envs), "-n", str(self.n_timesteps), "--num-threads", "1"]
        argv += ["--eval-freq", str(self.n_timesteps // 4), "--eval-episodes", "2"]
        argv += ["--save-freq", str(self.n_timesteps // 3), "--snapshot-freq", "1", "-params"]
        argv += ["env_kwargs.max_episode_steps:60", "policy_kwargs.features_dim:16"]
        argv += ["env_kwargs.frame_width:36", "env_kwargs.frame_height:36"]
        argv += ["policy_kwargs.extractor:nature"]
        if self.algo == "ppo":
            argv += ["n_steps:32", "batch_size:32", "n_epochs:2"]
        return argv

    def run(self, logs: Path) -> Path:
        """The run folder that it makes."""
        return logs / self.algo / f"{GAME}_1"


@dataclass
class Training:
    """
    One process of training, in a group of its own.

    :param arguments: Of the train command.
    :param log: What it prints is appended there.
    :param options: Of :mod:`tests.chaos.victim`.
    """

    arguments: list[str]
    log: Path
    options: list[str] = field(default_factory=list)
    mark: str = field(default_factory=lambda: secrets.token_hex(8))

    def __post_init__(self) -> None:
        env = {**os.environ, _MARK: self.mark, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "tests.chaos.victim", *self.options, "--"]
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                [*command, *self.arguments],
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=ROOT,
                env=env,
            )

    def processes(self) -> list[int]:
        """Ids of all living processes that descend from it, found by a mark they inherit."""
        found = []
        wanted = f"{_MARK}={self.mark}".encode()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    if wanted in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
        return found

    def workers(self) -> list[int]:
        """Ids of its env workers: the children of its fork server."""
        children = {pid: _parent(pid) for pid in self.processes()}
        servers = {pid for pid in children if b"forkserver" in _command(pid)}
        return [pid for pid, parent in children.items() if parent in servers]

    def is_running(self) -> bool:
        return self.process.poll() is None

    def kill(self, whole_group: bool = True) -> None:
        with suppress(ProcessLookupError):
            if whole_group:
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        self.process.wait()

    def wait(self) -> int | None:
        """Its exit status; ``None`` if it hung."""
        try:
            return self.process.wait(_HANG_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def orphans(self, after_s: float = 5.0) -> list[int]:
        """Who is left of it some seconds after its end."""
        deadline_s = time.monotonic() + after_s
        while (left := self.processes()) and time.monotonic() < deadline_s:
            time.sleep(0.1)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return left


def _parent(pid: int) -> int:
    with suppress(OSError, IndexError, ValueError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def _command(pid: int) -> bytes:
    with suppress(OSError):
        # A worker's command is that of its server, whose parent is the training.
        if b"forkserver" not in Path(f"/proc/{_parent(pid)}/cmdline").read_bytes():
            return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def read_result(run: Path) -> dict[str, Any]:
    """Everything that must not depend on kills."""
    _, parameters, _ = load_from_zip_file(run / f"{GAME}.zip", load_data=False)
    monitor = read_monitor(run / "0.monitor.csv")
    monitor.pop("t")
    with np.load(run / "evaluations.npz") as file:
        evaluations = {name: file[name].tolist() for name in file.files}
    return {
        "parameters": parameters,
        "monitor": monitor,
        "points": read_points(run / "tensorboard"),
        "evaluations": evaluations,
        "evaluation": json.loads((run / "evaluation.json").read_text()),
        "files": sorted(path.name for path in run.glob("*.zip")),
        "unfinished": [path.name for path in run.rglob("*.part*")],
    }


def read_points(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """TensorBoard's points, without those of the wall clock."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
        if tag not in _WALL_CLOCK_TAGS
    }


def difference(one: Any, other: Any, where: str = "result") -> str | None:
    """Where two results differ first."""
    if type(one) is not type(other):
        return f"{where}: {type(one).__name__} and {type(other).__name__}"
    if isinstance(one, dict):
        if one.keys() != other.keys():
            return f"{where}: keys {set(one) ^ set(other)}"
        found = (difference(one[key], other[key], f"{where}.{key}") for key in one)
        return next((text for text in found if text), None)
    same = torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    return None if same else where


def last_words(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").splitlines()[-6:])[-800:]


def train_undisturbed(plan: Plan, folder: Path) -> dict[str, Any]:
    """The result that every tormented run must have."""
    folder.mkdir(parents=True, exist_ok=True)
    training = Training(plan.arguments(folder / "calm"), folder / "calm.log")
    status = training.wait()
    if status != 0:
        raise RuntimeError(f"the undisturbed run ended with {status}: {last_words(training.log)}")
    return read_result(plan.run(folder / "calm"))
