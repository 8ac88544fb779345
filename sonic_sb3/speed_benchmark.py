"""Runs the benchmark's rounds in turns, measures memory, and makes the table and the picture."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from sonic_sb3.atomic_files import replacing
from sonic_sb3.devices import describe_device
from sonic_sb3.errors import WorkerError
from sonic_sb3.machine import n_usable_cores
from sonic_sb3.speed_contestants import FRAME_SKIP, PREPARATIONS, Contest, Timings, serve

_SAMPLE_S = 0.1
# Where the time of a training goes.
_PARTS = {"env": "its envs", "policy": "the policy's forward passes", "update": "gradient steps"}


@dataclass
class Contestant:
    """One process that waits for its rounds, what it measured, and its peak memory in MB."""

    name: str
    process: Any
    pipe: Connection
    rounds: list[Timings]
    peak_mb: float = 0.0

    def run_round(self) -> None:
        """Let it run one round."""
        self.pipe.send("go")
        self.rounds.append(self._receive())

    def wait_until_ready(self) -> None:
        """
        Wait for its envs and models to be made, and a first round that is not counted: its memory
        is, which to look at would slow down what is timed.
        """
        with _WatchMemory(self):
            self._receive()

    def _receive(self) -> Any:
        try:
            return self.pipe.recv()
        except EOFError:
            self.process.join()
            raise WorkerError(
                f"benchmark: {self.name!r} failed with exit code {self.process.exitcode}; "
                "what it printed stands above"
            ) from None

    def median(self, key: str) -> float:
        """The median over rounds."""
        return float(np.median([timings[key] for timings in self.rounds]))

    def bounds(self, key: str) -> tuple[float, float]:
        """Lowest and highest round."""
        values = [timings[key] for timings in self.rounds]
        return min(values), max(values)


class _WatchMemory:
    """Samples the proportional memory of a process and all its descendants."""

    def __init__(self, contestant: Contestant) -> None:
        self._contestant = contestant
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(_SAMPLE_S):
            mb = _tree_memory_mb(self._contestant.process.pid)
            self._contestant.peak_mb = max(self._contestant.peak_mb, mb)


def _tree_memory_mb(pid: int) -> float:
    total = 0
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.Error:
        return 0.0
    for process in processes:
        try:
            memory = process.memory_full_info()
            total += getattr(memory, "pss", memory.rss)
        except psutil.Error:
            continue  # it has just ended
    return total / 1e6


def run_contest(
    contest: Contest, names: Sequence[str], n_rounds: int, tell: Callable[[str], None]
) -> list[Contestant]:
    """
    Run all contestants in turns.

    :param contest: What to do.
    :param names: Keys of :data:`PREPARATIONS`.
    :param n_rounds: How often.
    :param tell: Gets a line of progress.
    """
    contestants: list[Contestant] = []
    try:
        for name in names:
            tell(f"preparing {name} on {contest.game_id}, {contest.n_envs} envs")
            contestants.append(_start(name, contest))
            contestants[-1].wait_until_ready()
        started_s = time.monotonic()
        for index in range(n_rounds):
            for contestant in contestants:
                contestant.run_round()
            left_s = (time.monotonic() - started_s) / (index + 1) * (n_rounds - index - 1)
            tell(f"round {index + 1} of {n_rounds}, {left_s:.0f} s left")
    finally:
        for contestant in contestants:
            contestant.pipe.close()
        for contestant in contestants:
            contestant.process.join(10)
            if contestant.process.is_alive():
                contestant.process.kill()
    return contestants


def _start(name: str, contest: Contest) -> Contestant:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(name, contest, theirs), name=f"bench {name}")
    process.start()
    theirs.close()
    return Contestant(name, process, ours, [])


def measure(
    contest: Contest, n_rounds: int, with_training: bool, tell: Callable[[str], None]
) -> dict[str, Any]:
    """
    Measure everything on one game.

    :param contest: What to do.
    :param n_rounds: Rounds of each contestant.
    :param with_training: Also the trainings, which take most of the time.
    :param tell: Gets a line of progress.
    :returns: Plain data: medians with minimum and maximum, memory, what limits each training, and
        ratios round by round, to the faster of the stock contestants.
    """
    names = [n for n in PREPARATIONS if with_training or not n.startswith("train")]
    results: dict[str, Contestant] = {}
    # Envs and trainings apart, so that no more processes wait beside a round than must.
    for kinds in (("raw", "env"), ("train",)):
        group = [name for name in names if name.startswith(kinds)]
        if group:
            results |= {c.name: c for c in run_contest(contest, group, n_rounds, tell)}
    n_cores = n_usable_cores()
    raw = results["raw"].median("frames_per_s")
    report: dict[str, Any] = {
        "contest": asdict(contest),
        "n_cores": n_cores,
        "device": describe_device("auto"),  # which SB3 and this package choose alike
        "n_rounds": n_rounds,
        "raw_frames_per_s": _describe(results["raw"], "frames_per_s"),
        "plain_limit_timesteps_per_s": n_cores * raw / FRAME_SKIP,
        "contestants": {},
        "ratios": {},
    }
    best_stock = {
        kind: max(
            (results[name] for name in names if name.startswith(f"{kind} stock")),
            key=lambda stock: stock.median("timesteps_per_s"),
        )
        for kind in dict.fromkeys(name.split()[0] for name in names[1:])
    }
    for name in names[1:]:
        contestant = results[name]
        entry = {
            "timesteps_per_s": _describe(contestant, "timesteps_per_s"),
            "peak_mb": contestant.peak_mb,
        }
        if name.startswith("train"):
            seconds = {part: contestant.median(f"{part}_s") for part in _PARTS}
            longest = max(seconds, key=seconds.__getitem__)
            entry["seconds"] = seconds
            entry["limit"] = {"part": longest, "share": seconds[longest] / sum(seconds.values())}
            if "gpu_mb" in contestant.rounds[0]:
                entry["peak_gpu_mb"] = contestant.bounds("gpu_mb")[1]
        report["contestants"][name] = entry
        if " stock" not in name:
            report["ratios"][name] = _ratio(contestant, best_stock[name.split()[0]])
    pairs = zip(results["env ours"].rounds, results["raw"].rounds, strict=True)
    shares = [a["timesteps_per_s"] * FRAME_SKIP / n_cores / b["frames_per_s"] for a, b in pairs]
    report["share_of_plain_limit"] = _spread(shares)
    return report


def _describe(contestant: Contestant, key: str) -> dict[str, float]:
    low, high = contestant.bounds(key)
    return {"median": contestant.median(key), "min": low, "max": high}


def _ratio(one: Contestant, other: Contestant) -> dict[str, float]:
    """Round by round, because a shared machine's speed drifts."""
    pairs = zip(one.rounds, other.rounds, strict=True)
    ratios = [a["timesteps_per_s"] / b["timesteps_per_s"] for a, b in pairs]
    return _spread(ratios)


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": float(np.median(values)), "min": min(values), "max": max(values)}


def format_report(report: dict[str, Any]) -> str:
    """One game's measurements as a table."""
    contest = report["contest"]
    raw = report["raw_frames_per_s"]
    lines = [
        f"{contest['game_id']} {contest['level']}: {contest['n_envs']} envs, {report['n_cores']} "
        f"cores, network {contest['extractor']} on {report['device']}, median of "
        f"{report['n_rounds']} rounds (min .. max)",
        f"  emulator, every frame drawn, on all cores: {raw['median']:,.0f} frames/s per core "
        f"({raw['min']:,.0f} .. {raw['max']:,.0f}); cores x frames / {FRAME_SKIP} = "
        f"{report['plain_limit_timesteps_per_s']:,.0f} timesteps/s",
    ]
    for name, entry in report["contestants"].items():
        speed = entry["timesteps_per_s"]
        line = f"  {name:<20} {speed['median']:>7,.0f} timesteps/s "
        line += f"({speed['min']:,.0f} .. {speed['max']:,.0f})  {entry['peak_mb']:>6,.0f} MB"
        if name in report["ratios"]:
            ratio = report["ratios"][name]
            line += f"  {ratio['median']:.2f} x stock ({ratio['min']:.2f} .. {ratio['max']:.2f})"
        if "seconds" in entry:
            parts = entry["seconds"].items()
            line += "  " + ", ".join(f"{part} {seconds:.1f} s" for part, seconds in parts)
            limit = entry["limit"]
            line += f"; limited by {_PARTS[limit['part']]} ({limit['share']:.0%} of its time)"
        if "peak_gpu_mb" in entry:
            line += f"; {entry['peak_gpu_mb']:,.0f} MB on the GPU"
        lines.append(line)
    share = report["share_of_plain_limit"]
    lines.append(
        f"  our envs reach {share['median']:.2f} of the plain limit ({share['min']:.2f} .. "
        f"{share['max']:.2f})"
    )
    return "\n".join(lines)


def plot_reports(reports: Sequence[dict[str, Any]], path: Path) -> None:
    """
    Draw the speeds of all contestants, with their ranges.

    :param reports: Of :func:`measure`, one per game.
    :param path: The PNG to make or replace.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(reports), figsize=(6 * len(reports), 4), squeeze=False)
    for axis, report in zip(axes[0], reports, strict=True):
        names = list(report["contestants"])
        speeds = [report["contestants"][name]["timesteps_per_s"] for name in names]
        medians = np.array([s["median"] for s in speeds])
        errors = [medians - [s["min"] for s in speeds], [s["max"] for s in speeds] - medians]
        colors = ["tab:gray" if "stock" in name else "tab:blue" for name in names]
        axis.bar(names, medians, yerr=errors, color=colors, capsize=4)
        limit = report["plain_limit_timesteps_per_s"]
        axis.axhline(limit, color="tab:red", linestyle="--", label="plain emulator's limit")
        axis.set_title(report["contest"]["game_id"])
        axis.set_ylabel("timesteps/s")
        axis.tick_params(axis="x", rotation=30)
        axis.legend()
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, metadata={"Software": ""})
    plt.close(figure)
