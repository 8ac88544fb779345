"""Env workers are killed and frozen at random moments, also while others are brought back."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

from tests.chaos.outcome import Outcome, Progress
from tests.chaos.trainings import (
    Plan,
    Training,
    difference,
    last_words,
    read_result,
    train_undisturbed,
)

_SIGNALS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP)
_REPLY_TIMEOUT_S = 10.0
_MAX_RUNS = 60


def torment_workers(folder: Path, n_kills: int, seed: int, plan: Plan) -> Outcome:
    """
    Train again and again until so many workers were hit; each run must end as if undisturbed.

    :param folder: To work in.
    :param n_kills: At least so many.
    :param seed: Of whom to hit, when and how.
    :param plan: The training.
    """
    outcome = Outcome("workers")
    rng = random.Random(seed)
    expected = train_undisturbed(plan, folder)
    progress = Progress("workers", n_kills)
    for number in range(_MAX_RUNS):
        if outcome.n_events >= n_kills:
            break
        logs = folder / f"run_{number}"
        log = folder / f"run_{number}.log"
        timeout = ["--reply-timeout-s", str(_REPLY_TIMEOUT_S)]
        training = Training(plan.arguments(logs), log, timeout)
        _hit(training, rng, outcome, n_kills, progress)
        status = training.wait()
        outcome.check(status == 0, f"run {number} ended with {status}: {last_words(log)}")
        if status == 0:
            found = difference(expected, read_result(plan.run(logs)))
            outcome.check(found is None, f"run {number} differs at {found}")
            outcome.count("runs bit-identical", int(found is None))
        outcome.count("restarts", log.read_text(errors="replace").count("it is restarted"))
        outcome.count("orphans", len(training.orphans()))
    outcome.check(outcome.facts["orphans"] == 0, "orphans were left")
    return outcome


def _hit(
    training: Training, rng: random.Random, outcome: Outcome, n_kills: int, progress: Progress
) -> None:
    while training.is_running() and outcome.n_events < n_kills:
        workers = training.workers()
        if not workers:
            time.sleep(0.05)
            continue
        how = rng.choice(_SIGNALS)
        with suppress(ProcessLookupError):
            os.kill(rng.choice(workers), how)
            outcome.n_events += 1
            outcome.count(how.name)
        progress.show(outcome.n_events)
        # Half of the next ones come while this one is being brought back.
        time.sleep(rng.uniform(0.0, 0.6) if rng.random() < 0.5 else rng.uniform(0.6, 2.5))
