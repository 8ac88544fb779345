"""The whole process group, or the training alone, is killed and resumed, again and again."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

from sonic_sb3.plain_data import load_data
from tests.chaos.outcome import Outcome, Progress
from tests.chaos.trainings import (
    Plan,
    Training,
    difference,
    last_words,
    read_points,
    read_result,
    train_undisturbed,
)

_MAX_RUNS = 60


def torment_groups(folder: Path, n_kills: int, seed: int, plan: Plan) -> Outcome:
    """
    Kill trainings with SIGKILL and resume them; each run must end as if undisturbed.

    Three kills of four hit the whole group, one the parent alone, whose workers must end too.

    :param folder: To work in.
    :param n_kills: So many.
    :param seed: Of the moments.
    :param plan: The training.
    """
    outcome = Outcome(f"groups {plan.algo}")
    rng = random.Random(seed)
    expected = train_undisturbed(plan, folder)
    progress = Progress(outcome.campaign, n_kills)
    for number in range(_MAX_RUNS):
        if outcome.n_events >= n_kills:
            break
        logs, log = folder / f"run_{number}", folder / f"run_{number}.log"
        run = plan.run(logs)
        arguments = plan.arguments(logs)
        while True:
            training = Training(arguments, log)
            is_last = outcome.n_events >= n_kills
            if is_last or not _kill_in_training(training, run, rng):
                status = training.wait()
                break
            outcome.n_events += 1
            _note_loss(outcome, run, plan)
            outcome.count("orphans", len(training.orphans()))
            arguments = ["--resume", str(run)]
            progress.show(outcome.n_events)
        outcome.check(status == 0, f"run {number} ended with {status}: {last_words(log)}")
        if status == 0:
            found = difference(expected, read_result(run))
            outcome.check(found is None, f"run {number} differs at {found}")
            outcome.count("runs bit-identical", int(found is None))
            _check_resumptions(outcome, run)
        outcome.count("orphans", len(training.orphans()))
    outcome.check(outcome.facts["orphans"] == 0, "orphans were left")
    return outcome


def _kill_in_training(training: Training, run: Path, rng: random.Random) -> bool:
    """Kill it at a random moment after it has begun to train. :returns: Whether it could be."""
    n_before = len(_event_files(run))
    while len(_event_files(run)) == n_before or not (run / "resume.snapshot").exists():
        if not training.is_running():
            return False
        time.sleep(0.02)
    time.sleep(rng.uniform(0.0, 2.0))
    if not training.is_running():
        return False
    training.kill(whole_group=rng.random() < 0.75)
    return training.process.returncode < 0


def _event_files(run: Path) -> list[Path]:
    return list(run.glob("tensorboard/events*"))


def _note_loss(outcome: Outcome, run: Path, plan: Plan) -> None:
    """How much of what was done must be done again: points logged after the snapshot's moment."""
    snapshot = load_data(run / "resume.snapshot")
    n_kept = snapshot["counters"]["num_timesteps"]
    steps = [step for points in read_points(run / "tensorboard").values() for step, _ in points]
    n_lost = max(0, max(steps, default=0) - n_kept)
    worst = max(n_lost, outcome.facts.get("timesteps recomputed at most", 0))
    outcome.facts["timesteps recomputed at most"] = worst
    outcome.facts["of a rollout of"] = plan.rollout
    outcome.check(n_lost <= plan.rollout, f"{n_lost} timesteps lost by one kill")


def _check_resumptions(outcome: Outcome, run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    outcome.count("resumes", len(manifest.get("resumed", [])))
