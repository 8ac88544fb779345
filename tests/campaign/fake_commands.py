"""
Stands in for ``python -m sonic_sb3.train|evaluate`` where a test is about campaigns, not learning.

It takes the same options, makes the same files, saves on SIGTERM and goes on with ``--resume``, but
counts instead of learning. ``LEDGER`` names a file with a line per timestep counted for good.
``FAKE_STEP_S`` is how long a step takes; ``FAKE_FAILS`` names an arm whose training fails.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from sonic_sb3 import evaluate, train
from sonic_sb3.run_folder import RunFolder, create_run_folder, open_run_folder

MONITOR = '#{"t_start": 0.0, "env_id": "None"}\nr,l,t,level\n1.0,3,0.123456,L\n2.0,4,0.98765,L\n'


def count(run: RunFolder, n_timesteps: int) -> None:
    """A step is done when it stands in the snapshot; the ledger hears of it only then."""
    step_s = float(os.environ.get("FAKE_STEP_S", "0"))
    n_done = int(run.snapshot.read_text()) if run.snapshot.is_file() else 0
    while n_done < n_timesteps:
        time.sleep(step_s)
        n_done += 1
        with Path(os.environ["LEDGER"]).open("a") as ledger:
            ledger.write(f"{run.path.parent.parent.name} {run.path.parents[2].name} {n_done}\n")
        temporary = run.path / "snapshot.new"
        temporary.write_text(str(n_done))
        temporary.replace(run.snapshot)
        print(f"| total_timesteps | {n_done} |", flush=True)


def run_train(argv: list[str]) -> int:
    args = train._make_parser().parse_args(argv)
    if args.resume is not None:
        run = open_run_folder(Path(args.resume))
        manifest = run.read_manifest()
    else:
        settings, hyperparameters = train._read_settings(args)
        run = create_run_folder(Path(args.log_folder), settings.algo, settings.env)
        manifest = {
            "settings": settings.model_dump(mode="json"),
            "hyperparameters": hyperparameters.written(),
        }
    with run.locked():
        run.write_manifest(manifest)
        if run.path.parents[2].name == os.environ.get("FAKE_FAILS"):
            print("error: \x1b[31mboom\x1b[0m", file=sys.stderr)
            return 2
        count(run, manifest["settings"]["n_timesteps"])
        run.monitor.write_text(MONITOR)
        run.snapshot.unlink()
        run.write_manifest(manifest | {"finished_at": "now"})
    return 0


def run_evaluate(argv: list[str]) -> int:
    args = evaluate._make_parser().parse_args(argv)
    run = open_run_folder(Path(args.run))
    levels = args.levels
    episodes: list[dict[str, Any]] = [
        {"level": levels[k % len(levels)], "episode_return": 0.5} for k in range(args.n_episodes)
    ]
    summary = {"completion_rate": 0.25, "means": {"episode_return": 0.5}}
    data = {"seed": args.seed, "summary": summary, "episodes": episodes}
    run.evaluation.write_text(json.dumps(data))
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    command = {"sonic_sb3.train": run_train, "sonic_sb3.evaluate": run_evaluate}[sys.argv[1]]
    sys.exit(command(sys.argv[2:]))
