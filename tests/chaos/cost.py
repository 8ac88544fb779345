"""What all of it costs: the same training with everything on and everything off, side by side."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil
from stable_baselines3.common.callbacks import BaseCallback

from tests.chaos.outcome import Outcome, Progress

# What `make train` does, on one thread.
_ARGUMENTS = ["--env", "PangolinDash-Genesis-v0", "-n", "100000000", "--num-threads", "1"]
_ARGUMENTS += ["--seed", "1", "--eval-freq", "-1"]


class Gate(BaseCallback):
    """Lets one rollout and update pass when told to, and tells what it cost."""

    def __init__(self, pipe: Connection) -> None:
        super().__init__()
        self._pipe = pipe
        self._before: tuple[float, float] | None = None

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        now = time.perf_counter(), _cpu_s()
        if self._before is not None:
            self._pipe.send([b - a for a, b in zip(self._before, now, strict=True)])
        else:
            self._pipe.send(None)
        if self._pipe.recv() == "end":
            os.kill(os.getpid(), 15)
        self._before = time.perf_counter(), _cpu_s()


def _cpu_s() -> float:
    """Of this process and its workers, so that what other programs take does not count."""
    total = 0.0
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


def _train(folder: Path, is_safe: bool, pipe: Connection) -> None:
    from stable_baselines3.common.callbacks import CallbackList

    from sonic_sb3 import train, training

    def with_gate(callbacks: list[Any]) -> CallbackList:
        # First of all, so that a round has one of everything that comes at a rollout's start.
        return CallbackList([Gate(pipe), *callbacks])

    training.CallbackList = with_gate  # type: ignore[assignment,misc]
    if not is_safe:
        _switch_off()
    train.main([*_ARGUMENTS, "-f", str(folder)])


def _switch_off() -> None:
    """No snapshots, no journals, no checks of numbers."""
    from sonic_sb3.envs.vec_env import SonicVecEnv
    from sonic_sb3.envs.worker_handle import WorkerHandle
    from sonic_sb3.finite_numbers import StopAtNotFinite
    from sonic_sb3.training_snapshot import KeepSnapshots

    def nothing(*_: Any, **__: Any) -> None:
        pass

    SonicVecEnv._keep_snapshots = nothing  # type: ignore[method-assign]
    KeepSnapshots._keep = nothing  # type: ignore[method-assign]
    StopAtNotFinite._on_training_start = nothing  # type: ignore[method-assign]
    StopAtNotFinite._on_rollout_start = nothing  # type: ignore[method-assign]
    original = WorkerHandle.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self._journal = None

    WorkerHandle.__init__ = init  # type: ignore[method-assign]


def measure_cost(folder: Path, n_rounds: int, seed: int) -> Outcome:
    """
    Let two trainings take turns, a rollout and its update each, and compare their medians.

    :param folder: To work in.
    :param n_rounds: Of each.
    :param seed: Not used; the work is the same every time.
    """
    outcome = Outcome("cost")
    context = multiprocessing.get_context("spawn")
    pipes, processes = {}, {}
    for name in ("on", "off"):
        pipes[name], end = context.Pipe()
        # Not a daemon: it has worker processes.
        processes[name] = context.Process(target=_train, args=(folder / name, name == "on", end))
        processes[name].start()
    rounds: dict[str, list[list[float]]] = {"on": [], "off": []}
    for pipe in pipes.values():
        pipe.recv()
    progress = Progress("cost", n_rounds)
    for number in range(n_rounds + 1):
        for name in ("on", "off") if number % 2 else ("off", "on"):
            pipes[name].send("go")
            timing = pipes[name].recv()
            if number:  # the first warms up
                rounds[name].append(timing)
        progress.show(number)
    for name, process in processes.items():
        pipes[name].send("end")
        process.join(60)
        process.kill()
    for index, kind in enumerate(("wall", "cpu")):
        on, off = ([one[index] for one in rounds[name]] for name in ("on", "off"))
        ratios = sorted(a / b for a, b in zip(on, off, strict=True))
        cost = statistics.median(ratios) - 1
        spread = [ratios[round(q * (len(ratios) - 1))] - 1 for q in (0.25, 0.75)]
        outcome.facts[f"{kind} cost"] = f"{cost:+.1%} ({spread[0]:+.1%} .. {spread[1]:+.1%})"
        outcome.facts[f"{kind} s a round"] = f"{statistics.median(on):.2f}"
        total = sum(on) / sum(off) - 1
        outcome.facts[f"{kind} cost of all"] = f"{total:+.1%}"
    outcome.n_events = n_rounds
    return outcome
