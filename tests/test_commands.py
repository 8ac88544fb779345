"""What commands say to wrong input: one line, status 2, nothing left behind."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sonic_sb3 import evaluate, train
from sonic_sb3.command_line import whole

COMMANDS = ["train", "evaluate", "experiment", "roms", "compare", "tune", "share"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_fast_and_needs_no_torch(command: str) -> None:
    started_s = time.monotonic()
    code = (
        f"import sys; sys.argv = ['x', '--help']; from sonic_sb3 import {command} as c\n"
        "try: c.main()\n"
        "except SystemExit as e: assert e.code == 0\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert time.monotonic() - started_s < 5  # under 1 s on an idle machine; this one may not be


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--env", "Airstriker-Genesis"], "did you mean 'Airstriker-Genesis-v0'"),
        (["--env", "SonicTheHedgehog-Genesis-v0"], "sonic_sb3.roms import PATH"),
        (["--levels", "Level9"], "did you mean 'Level1'"),
        (["--levels", "test"], "names none"),
        (["--algo", "sac"], "sac needs continuous actions"),
        (["--algo", "pppo"], "did you mean 'ppo'"),
        (["--algo", "ppo", "--conf-file", "tutorial-a2c"], "expected --algo a2c_reuse, got ppo"),
        (["--conf-file", "borgi-fast"], "did you mean 'borghi-fast'"),
        (["--algo", "dqn"], "learning_starts: expected fewer than n_timesteps = 64"),
        (
            ["--algo", "dqn", "-params", "learning_starts:5", "buffer_size:9"],
            "buffer_size: expected at",
        ),
        (["--algo", "trpo", "-params", "policy_kwargs.runs_fast:true"], "runs_fast"),
        (["--algo", "jerk", "-params", "jump_prob:2"], "jump_prob"),
        (["--algo", "jerk", "-params", "policy_kwargs.extractor:blog"], "'policy_kwargs'"),
        (["--algo", "jerk", "-params", "env_kwargs.actions:paper8"], "presses RIGHT+B"),
        (["--algo", "right", "-i", "."], "is no run folder"),
        (["-params", "learning_rat:1"], "did you mean 'learning_rate'"),
        (["-params", "gamma:7"], "gamma"),
        (["-params", "gamma"], "expected key:value"),
        (["--env-kwargs", "frame_skip:0"], "env_kwargs.frame_skip"),
        (["-params", "n_steps:0"], "error: options: n_steps: "),
        (["--levels", "GreenHillZone.Act1"], "it is one of SonicTheHedgehog-Genesis-v0"),
        (["-n", "0"], "--n-timesteps: expected a whole number, at least 1, got 0"),
        (["-n", "many"], "expected a whole number, at least 1, got many"),
        (["-n", "1.5"], "expected a whole number"),
        (["-n", "nan"], "expected a whole number"),
        (["--n-envs", "0"], "--n-envs"),
        (["--seed", "-5"], "--seed"),
        (["--eval-freq", "0"], "expected a whole number, at least 1, or -1, got 0"),
        (["--n-workers", "0"], "--n-workers"),
        (["--verbose", "-3"], "--verbose"),
        (["--init-checkpoint", "best"], "expected -i RUN with it"),
        (["--resume", "RUN"], "expected none of --env, --n-timesteps, --log-folder with it"),
        (["--conf-file", "nowhere.yml"], "cannot read nowhere.yml"),
        (["--device", "gpu9"], "device"),
        (["--eval-episodes", "-1"], "--eval-episodes"),
        (["--no-such-option"], "unrecognized arguments"),
        (["--num-threads", "-1"], "--num-threads: expected a whole number, 1 to 1,024"),
        (["--num-threads", "0"], "--num-threads"),
    ],
)
def test_train_refuses_in_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: Any
) -> None:
    logs = tmp_path / "logs"
    argv = ["-n", "64", "-f", str(logs), "--env", "Airstriker-Genesis-v0", *arguments]
    assert train.main(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not logs.exists(), "no run folder is left behind"


def test_numbers_may_be_written_as_in_hyperparameters_files() -> None:
    read = whole(1)
    assert [read(text) for text in ("12", "+3", "1e6", "2.5e5")] == [12, 3, 1_000_000, 250_000]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_defaults_once(command: str, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        importlib.import_module(f"sonic_sb3.{command}").main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert not re.search(r"\(default: [^)]*\) \(default|default: (None|False|\[\])", text)


@pytest.mark.skipif(os.name == "nt", reason="expects POSIX files")
def test_unwritable_log_folder(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "file").write_text("")
    argv = ["-n", "64", "--env", "Airstriker-Genesis-v0", "-f", str(tmp_path / "file" / "logs")]
    assert train.main(argv) == 2
    assert "--log-folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no run folder nowhere"),
        (["."], "is no run folder"),
        ([".", "-n", "0"], "--n-episodes"),
        ([".", "--seed", "-1"], "--seed"),
        ([".", "--protocol", "contest", "--seed", "3000000000"], "--seed: expected"),
        (["a" * 5000], "expected a shorter path"),
        (["random", "--num-threads", "-1"], "--num-threads"),
        (
            ["random", "--checkpoint", "best"],
            "--checkpoint: expected --protocol contest with it or",
        ),
        (["random", "--budget", "5"], "--budget: expected --protocol contest with it"),
        ([".", "--protocol", "zero-shot", "--video"], "--video: expected a RUN or bundle"),
        ([".", "-params", "gamma:1"], "--hyperparams: expected --protocol contest with it"),
        (["random", "--json", "nowhere/x.json"], "--json: there is no folder nowhere"),
        (["random", "--video", "nowhere/x.mp4"], "--video: there is no folder nowhere"),
    ],
)
def test_evaluate_refuses_in_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert evaluate.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


def test_run_folder_without_a_model(tmp_path: Path, capsys: Any) -> None:
    argv = ["-n", "16", "--env", "Airstriker-Genesis-v0", "--n-envs", "1", "--eval-episodes", "0"]
    argv += ["-f", str(tmp_path), "-params", "n_steps:16", "batch_size:16", "n_epochs:1"]
    assert train.main(argv) == 0
    run = tmp_path / "ppo" / "Airstriker-Genesis-v0_1"
    (run / "Airstriker-Genesis-v0.zip").unlink()
    assert evaluate.main([str(run)]) == 2
    assert "the run saved none yet" in capsys.readouterr().err
    (run / "Airstriker-Genesis-v0.zip").write_bytes(b"no zip")
    assert evaluate.main([str(run)]) == 2
    assert "cannot load" in capsys.readouterr().err
    (run / "manifest.json").write_text("{")
    assert evaluate.main([str(run)]) == 2
    assert "is no run folder" in capsys.readouterr().err


def test_output_that_nobody_reads_to_its_end() -> None:
    command = f"{sys.executable} -m sonic_sb3.roms list; echo $? >&2"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; ({command}) | true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.strip() in ("0", "141"), "no traceback"
