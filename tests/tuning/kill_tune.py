"""
Kills workers of a study for some minutes and looks whether anything was lost or counted twice.

``python -m tests.tuning.kill_tune --folder kills --minutes 5`` runs a real study with real env
workers, kills a worker every few seconds with SIGKILL (sometimes an env worker, sometimes the
parent itself, which is started again), and checks the storage in the end. ``--postgresql`` keeps
the study on a server of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
from optuna.trial import TrialState

from sonic_sb3.tuning.settings import Candidate
from sonic_sb3.tuning.storage import parse_storage_url, sqlite_url
from sonic_sb3.tuning.study import COUNTED, OpenStudy, open_study

SPACE = """\
learning_rate: {kind: float, low: 1.0e-5, high: 1.0e-3, log: true}
ent_coef: {kind: float, low: 1.0e-4, high: 3.0e-2, log: true}
"""
SMALL = [
    "n_envs:2",
    "n_steps:32",
    "batch_size:32",
    "n_epochs:1",
    "policy_kwargs.extractor:nature",
    "policy_kwargs.features_dim:16",
    "env_kwargs.frame_width:36",
    "env_kwargs.frame_height:36",
    "env_kwargs.max_episode_steps:100",
]


@dataclass
class Campaign:
    """A study to be disturbed."""

    folder: Path
    url: str
    n_trials: int
    n_workers: int
    n_timesteps: int = 1024
    name: str = "kills"
    env: str = "Airstriker-Genesis-v0"
    titles: set[str] = field(default_factory=set)

    def start(self) -> subprocess.Popen[bytes]:
        space = self.folder / "space.yml"
        space.write_text(SPACE)
        command = [sys.executable, "-m", "sonic_sb3.tune", "--study-name", self.name]
        command += ["--storage", self.url, "-f", str(self.folder), "--env", self.env]
        command += ["-n", str(self.n_timesteps), "--n-seeds", "1", "--eval-episodes", "2"]
        command += ["--space", str(space), "--seed", "1", "--pruner", "median", "--top", "0"]
        command += ["--workers", str(self.n_workers), "--n-trials", str(self.n_trials)]
        command += ["--snapshot-freq", "1", "--grace", "20", "-params", *SMALL]
        with (self.folder / "output.log").open("ab") as file:
            return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)

    def open(self) -> OpenStudy:
        return open_study(parse_storage_url(self.url), self.name)


@dataclass
class Outcome:
    """What was done to a study, and what became of it."""

    minutes: float = 0.0
    n_kills: int = 0
    n_env_kills: int = 0
    n_parent_kills: int = 0
    exit_code: int | None = None
    states: dict[str, int] = field(default_factory=dict)
    n_takeovers: int = 0
    problems: list[str] = field(default_factory=list)


def disturb(campaign: Campaign, kill_s: float, every_s: float, seed: int) -> Outcome:
    """Kill for so long, then let the study come to its end."""
    rng = random.Random(seed)
    outcome = Outcome()
    started_s = time.monotonic()
    seen: dict[int, float] = {}
    process = campaign.start()
    while process.poll() is None:
        time.sleep(rng.uniform(0.5, 1.5) * every_s)
        remember(process.pid, seen, campaign.titles)
        if time.monotonic() - started_s > kill_s:
            process.wait()
            break
        if rng.random() < 0.05:
            process.kill()
            process.wait()
            outcome.n_parent_kills += 1
            process = campaign.start()
            continue
        victim, is_env = pick_victim(process.pid, rng)
        if victim is not None:
            victim.kill()
            outcome.n_kills += 1
            outcome.n_env_kills += is_env
    outcome.exit_code = process.returncode
    outcome.minutes = round((time.monotonic() - started_s) / 60, 2)
    judge(campaign, outcome)
    outcome.problems += find_orphans(seen)
    return outcome


def remember(pid: int, seen: dict[int, float], titles: set[str]) -> None:
    """Note every process of the study and its title, to look for it when the study has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        command = psutil.Process(pid)
        children = command.children(recursive=True)
        # Before it has children it may be about to take a password out of its title.
        for process in [command, *children] if children else []:
            titles.add(" ".join(process.cmdline()))
            if process is not command:
                seen[process.pid] = process.create_time()


def pick_victim(pid: int, rng: random.Random) -> tuple[psutil.Process | None, bool]:
    """A tune worker, or one time in four a process below one."""
    try:
        # The command, its fork server, the workers.
        servers = [p for p in psutil.Process(pid).children() if "forkserver" in str(p.cmdline())]
        workers = [worker for server in servers for worker in server.children()]
        below = [child for worker in workers for child in worker.children(recursive=True)]
    except psutil.NoSuchProcess:
        return None, False
    if below and rng.random() < 0.25:
        return rng.choice(below), True
    return (rng.choice(workers), False) if workers else (None, False)


def find_orphans(seen: dict[int, float]) -> list[str]:
    """Processes of the study that are still there."""
    deadline_s = time.monotonic() + 20
    while True:
        left = []
        for pid, created in seen.items():
            try:
                process = psutil.Process(pid)
                is_same = process.create_time() == created
                if is_same and process.status() != psutil.STATUS_ZOMBIE:
                    left.append(f"process {pid} is left: {' '.join(process.cmdline())[:100]}")
            except psutil.NoSuchProcess:
                continue
        if not left or time.monotonic() > deadline_s:
            return left
        time.sleep(0.5)


def judge(campaign: Campaign, outcome: Outcome) -> None:
    """Compare the storage with what was asked for."""
    study = campaign.open()
    trials, slots = study.trials(), study.slots.read()
    study.close()
    outcome.states = dict(Counter(t.state.name for t in trials))
    outcome.n_takeovers = sum(slot.n_takeovers for slot in slots)
    counted = Counter(t.user_attrs.get("slot") for t in trials if t.state in COUNTED)
    expected = dict.fromkeys(range(campaign.n_trials), 1)
    problems = outcome.problems
    if outcome.exit_code != 0:
        problems.append(f"the command ended with {outcome.exit_code}")
    if dict(counted) != expected:
        problems.append(f"expected every slot once, got {dict(counted)}")
    if any(t.state not in (*COUNTED, TrialState.FAIL) for t in trials):
        problems.append("a trial is left that is neither finished nor failed")
    if outcome.states.get("FAIL"):
        problems.append(f"failures: {[t.user_attrs for t in trials if t.state.name == 'FAIL']}")
    points = [Candidate(trial=0, params=t.params).model_dump_json() for t in trials]
    if len(set(points)) < len(points):
        problems.append("two trials have the same parameters")
    for trial in trials:
        if trial.state == TrialState.COMPLETE and len(trial.user_attrs["seed_0"]["curve"]) != 20:
            problems.append(f"trial {trial.number} lost reports")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. :returns: 0 where nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where to work; must be empty")
    parser.add_argument("--storage", default=None, help="default: SQLite in the folder")
    parser.add_argument("--postgresql", action="store_true", help="start a server for it")
    parser.add_argument("--minutes", type=float, default=5.0, help="of killing")
    parser.add_argument("--every", type=float, default=4.0, help="seconds between kills")
    parser.add_argument("--n-trials", type=int, default=40)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    args.folder.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.ExitStack() as stack:
        url = args.storage or sqlite_url(args.folder.absolute() / "study.db")
        if args.postgresql:
            from tests.tuning.postgres_server import running_server

            url = stack.enter_context(running_server()).url("postgres")
        campaign = Campaign(args.folder, url, args.n_trials, args.workers)
        outcome = disturb(campaign, args.minutes * 60, args.every, args.seed)
    print(json.dumps(asdict(outcome), indent=2))
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
