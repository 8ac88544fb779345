"""A run that is killed and resumed ends as the run that was never killed, bit for bit."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.save_util import load_from_zip_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sonic_sb3 import train
from sonic_sb3.devices import describe_device
from sonic_sb3.plots import read_monitor
from tests.run_checks import assert_same

GAME = "Airstriker-Genesis-v0"
WALL_CLOCK_TAGS = {"time/fps"}


def arguments(algo: str, logs: Path) -> list[str]:
    argv = ["--algo", algo, "--env", GAME, "-f", str(logs), "--seed", "5", "--n-envs", "3"]
    argv += ["-n", "600", "--eval-freq", "200", "--eval-episodes", "2", "--save-freq", "400"]
    argv += ["--snapshot-freq", "1", "-params", "env_kwargs.max_episode_steps:70"]
    if algo == "ppo":
        argv += ["n_steps:48", "batch_size:48", "n_epochs:2"]
    return argv


def start(argv: list[str], log: Path) -> subprocess.Popen[bytes]:
    """The command in a process group of its own; what it prints goes to a file."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "sonic_sb3.train", *argv],
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait(process: subprocess.Popen[bytes], log: Path, status: int = 0) -> None:
    process.wait(300)
    assert process.returncode == status, log.read_text()


def read_result(run: Path) -> dict[str, Any]:
    """Everything that must not depend on kills."""
    _, parameters, _ = load_from_zip_file(run / f"{GAME}.zip", load_data=False)
    monitor = read_monitor(run / "0.monitor.csv")
    monitor.pop("t")
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    points = {
        tag: [(e.step, e.value) for e in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
        if tag not in WALL_CLOCK_TAGS
    }
    with np.load(run / "evaluations.npz") as file:
        evaluations = {name: file[name].tolist() for name in file.files}
    return {
        "parameters": parameters,
        "monitor": monitor,
        "points": points,
        "evaluations": evaluations,
        "evaluation": json.loads((run / "evaluation.json").read_text()),
        "files": sorted(p.name for p in run.glob("*.zip")),
    }


def train_undisturbed(algo: str, logs: Path) -> dict[str, Any]:
    log = logs.with_suffix(".log")
    wait(start(arguments(algo, logs), log), log)
    return read_result(logs / algo / f"{GAME}_1")


@pytest.mark.parametrize("algo", ["ppo", "a2c"])
def test_kills_of_the_whole_process_group(algo: str, tmp_path: Path) -> None:
    expected = train_undisturbed(algo, tmp_path / "calm")
    rng = random.Random(1)
    logs = tmp_path / "killed"
    run = logs / algo / f"{GAME}_1"
    log = tmp_path / "killed.log"
    process = start(arguments(algo, logs), log)
    n_kills = 0
    while n_kills < 3:
        deadline = time.monotonic() + 120
        while not (run / "resume.snapshot").exists() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 2.5) + (2.5 if n_kills else 0.0))
        # One that is finished and about to exit leaves nothing to resume.
        if process.poll() is not None or "finished_at" in (run / "manifest.json").read_text():
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        n_kills += 1
        process = start(["--resume", str(run)], log)
    wait(process, log)
    assert n_kills > 0
    assert_same(expected, read_result(run))
    assert not (run / "resume.snapshot").exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_save_and_end(number: signal.Signals, status: int, tmp_path: Path) -> None:
    argv = [*arguments("ppo", tmp_path), "-n", "100000"]
    log = tmp_path / "log"
    process = start(argv, log)
    run = tmp_path / "ppo" / f"{GAME}_1"
    while not (run / "resume.snapshot").exists():
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(1.0)
    assert train.main(["--resume", str(run)]) == 2, "a run folder in use is locked"
    process.send_signal(number)
    started_s = time.monotonic()
    wait(process, log, status)
    assert time.monotonic() - started_s < 15  # under 5 s on a machine that is not shared
    text = log.read_text()
    assert f"folder     {run}\n" in text, "said at the beginning"
    assert "now" not in text, "nothing is judged"
    name = signal.Signals(number).name
    advice = f"`python -m sonic_sb3.train --resume {run}` goes on"
    assert f"stopped by {name}; {advice}\n" in text
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _is_alive(process.pid):
        time.sleep(0.1)
    assert not _is_alive(process.pid), "no process of the group is left"


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_finished_and_foreign_runs_are_refused(tmp_path: Path, capsys: Any) -> None:
    argv = ["--env", GAME, "-n", "32", "--n-envs", "1", "--eval-episodes", "0", "-f", str(tmp_path)]
    assert train.main([*argv, "-params", "n_steps:32", "batch_size:32", "n_epochs:1"]) == 0
    run = tmp_path / "ppo" / f"{GAME}_1"
    assert train.main(["--resume", str(run)]) == 2
    assert "nothing to resume" in capsys.readouterr().err
    manifest = json.loads((run / "manifest.json").read_text())
    del manifest["finished_at"]
    (run / "manifest.json").write_text(json.dumps(manifest))
    (run / "resume.snapshot").write_bytes(b"sonic_sb3 data 1\n" + b"x" * 100)
    assert train.main(["--resume", str(run)]) == 2
    assert "damaged" in capsys.readouterr().err
    (run / "manifest.json").write_text(json.dumps(manifest | {"rom_sha1": "0" * 40}))
    assert train.main(["--resume", str(run)]) == 2
    assert "expected the same one" in capsys.readouterr().err
    assert train.main(["--resume", str(tmp_path)]) == 2
    assert "is no run folder" in capsys.readouterr().err


def test_another_device_is_told_and_recorded(tmp_path: Path, capsys: Any) -> None:
    argv = ["--env", GAME, "-n", "32", "--n-envs", "1", "--eval-episodes", "0", "-f", str(tmp_path)]
    argv += ["--device", "auto", "-params", "n_steps:32", "batch_size:32", "n_epochs:1"]
    assert train.main(argv) == 0
    device = describe_device("auto")
    assert f"device     {device}, gradient steps in " in capsys.readouterr().out
    path = tmp_path / "ppo" / f"{GAME}_1" / "manifest.json"
    manifest = json.loads(path.read_text())
    assert manifest["device"] == device
    del manifest["finished_at"]
    path.write_text(json.dumps(manifest | {"device": "cuda (another card)"}))
    assert train.main(["--resume", str(path.parent)]) == 0
    assert "the run began with other device: " in capsys.readouterr().out
    assert json.loads(path.read_text())["resumed"][0]["device"] == device
