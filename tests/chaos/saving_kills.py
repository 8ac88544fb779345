"""A process that does nothing but save is killed at random moments; what is read back is whole."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from sonic_sb3.atomic_files import remove_unfinished, write_json
from sonic_sb3.envs.monitor_file import MonitorFile
from sonic_sb3.event_files import TensorBoardFile, cut_event_files
from sonic_sb3.models import load_policy_weights
from sonic_sb3.plain_data import load_data, save_data
from sonic_sb3.plots import read_monitor
from sonic_sb3.policies import SonicPolicy
from tests.chaos.outcome import Outcome, Progress
from tests.chaos.trainings import read_points

_LONGEST_LIFE_S = 0.06


def kill_while_saving(folder: Path, n_kills: int, seed: int) -> Outcome:
    """
    Fork a process that saves new versions of all kinds of files, kill it, read them back.

    Each file must be whole and of the last version that was reported saved, or of the next one.

    :param folder: To work in.
    :param n_kills: So many.
    :param seed: Of the moments.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # threads do not survive a fork
    outcome = Outcome("saving")
    rng = random.Random(seed)
    policy = _make_policy()
    progress = Progress("saving", n_kills)
    version = 0
    for _ in range(n_kills):
        version = _save_until_killed(folder, policy, version, rng.uniform(0.0, _LONGEST_LIFE_S))
        outcome.n_events += 1
        torn = len(list(folder.rglob(".*.part*")))
        outcome.count("kills amid a file", int(torn > 0))
        outcome.failures += _read_back(folder, policy, version)
        remove_unfinished(folder)
        progress.show(outcome.n_events)
    outcome.facts["versions saved"] = version
    return outcome


def _make_policy() -> SonicPolicy:
    space = gym.spaces.Box(0, 255, (1, 36, 36), np.uint8)
    actions = gym.spaces.Discrete(7)
    return SonicPolicy(space, actions, lambda _: 0.0, extractor="nature", features_dim=16)


def _save_until_killed(folder: Path, policy: SonicPolicy, version: int, life_s: float) -> int:
    """:returns: The last version that was reported to be on disk."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            while True:
                version += 1
                _save(folder, policy, version)
                os.write(writing, version.to_bytes(8, "little"))
        finally:
            os._exit(1)
    os.close(writing)
    # The clock starts when saving does; the first of all versions must come whole.
    first = os.read(reading, 8)
    time.sleep(life_s)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with os.fdopen(reading, "rb") as pipe:
        reports = first + pipe.read()
    return int.from_bytes(reports[-8:], "little")


def _save(folder: Path, policy: SonicPolicy, version: int) -> None:
    from sonic_sb3.atomic_files import write_bytes
    from sonic_sb3.models import save_model

    with torch.no_grad():
        for weight in policy.parameters():
            weight.fill_(version)
    save_model(_Model(policy), folder / "model.zip")  # type: ignore[arg-type]
    save_data(folder / "resume.snapshot", {"version": version, "array": np.full(5000, version)})
    write_json(folder / "manifest.json", {"version": version, "more": list(range(500))})
    write_bytes(folder / "evaluations.npz", f"{version:08d}".encode() * 1000)
    monitor = folder / "0.monitor.csv"
    rows = MonitorFile(monitor, {}, ("r", "l"), appends=monitor.exists())
    rows.write_row({"r": version, "l": version})
    rows.close()
    if version % 50 == 1:
        points = TensorBoardFile(folder / "tensorboard")
        points.write({"a": float(version)}, {"a": ()}, step=version)
        points.close()


class _Model:
    """As much of a model as :func:`save_model` needs."""

    def __init__(self, policy: SonicPolicy) -> None:
        self._policy = policy

    def save(self, file: Any) -> None:
        from stable_baselines3.common.save_util import save_to_zip_file

        save_to_zip_file(file, data={}, params={"policy": self._policy.state_dict()})


def _read_back(folder: Path, policy: SonicPolicy, version: int) -> list[str]:
    failures = []
    try:
        load_policy_weights(policy, folder / "model.zip")
        values = {weight.flatten()[0].item() for weight in policy.parameters()}
        found = {
            "model.zip": values.pop() if len(values) == 1 else None,
            "resume.snapshot": load_data(folder / "resume.snapshot")["version"],
            "manifest.json": json.loads((folder / "manifest.json").read_text())["version"],
            "evaluations.npz": int((folder / "evaluations.npz").read_bytes()[-8:]),
        }
        failures += [
            f"{name}: version {one} after {version} was saved"
            for name, one in found.items()
            if one not in (version, version + 1)
        ]
        rows = read_monitor(folder / "0.monitor.csv")["r"]
        if str(version) not in rows[-3:]:
            failures.append(f"0.monitor.csv: row {version} is missing, it ends with {rows[-3:]}")
        if version % 100 < 3:
            cut_event_files(folder / "tensorboard", version)
            read_points(folder / "tensorboard")
    except Exception as error:
        failures.append(f"unreadable after version {version}: {error}")
    return failures
