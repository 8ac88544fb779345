"""
One cell of the grid: an arm with a seed, and what is there of it on disk.

The disk is the only memory: a campaign that is killed finds everything again, and folders copied
from another machine count as if they had been made here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from sonic_sb3.atomic_files import write_json
from sonic_sb3.campaign.definition import Experiment, Plan
from sonic_sb3.campaign.leases import is_leased
from sonic_sb3.campaign.places import Places
from sonic_sb3.campaign.results import read_evaluation
from sonic_sb3.errors import SonicError
from sonic_sb3.run_folder import RunFolder
from sonic_sb3.settings import read_settings


class State(Enum):
    """How far a cell is."""

    DONE = "done"
    RUNNING = "running"
    STOPPED = "stopped"
    WAITING = "waiting"
    FAILED = "failed"
    OUTDATED = "outdated"


@dataclass(frozen=True)
class Cell:
    """
    An arm with a seed.

    :param plan: The arm.
    :param seed: The seed.
    :param folder: Where its run folder, its log and its lease lie.
    :param results: Where its compact results go.
    :param shows_video: It is the one of its arm whose results hold a video.
    :param start: The cell whose agent it starts from, where there is one.
    """

    plan: Plan
    seed: int
    folder: Path
    results: Path
    shows_video: bool = False
    start: Cell | None = None

    @property
    def key(self) -> tuple[str, int]:
        """Arm and seed."""
        return self.plan.arm, self.seed

    @property
    def evaluation_seed(self) -> int:
        """Of the first episode of the evaluation at the end."""
        wanted = self.plan.evaluation
        return wanted.seed + self.seed * wanted.n_episodes

    @property
    def log(self) -> Path:
        """What its processes printed."""
        return self.folder / "output.log"

    @property
    def failure(self) -> Path:
        """Why it failed, if it did."""
        return self.folder / "failed.json"

    def __str__(self) -> str:
        return f"{self.plan.arm} seed {self.seed}"

    def find_run(self) -> RunFolder | None:
        """The run folder with a manifest, if training ever came so far."""
        parent = self.folder / self.plan.algo
        runs = sorted(parent.glob(f"{self.plan.game}_*"))
        for path in runs:
            if (path / "manifest.json").is_file():
                return RunFolder(path, self.plan.game)
        return None

    def remove_false_starts(self) -> None:
        """Delete run folders of processes that were killed before they wrote a manifest."""
        for path in (self.folder / self.plan.algo).glob(f"{self.plan.game}_*"):
            if path.is_dir() and not (path / "manifest.json").is_file():
                shutil.rmtree(path, ignore_errors=True)

    def state(self, *, is_mine: bool = False) -> State:
        """
        How far it is, by what lies on disk now.

        :param is_mine: Whoever asks holds the lease, which so does not mean that it runs.
        """
        if (self.results / "manifest.json").is_file():
            return State.OUTDATED if self.difference(self.results) else State.DONE
        if not is_mine and is_leased(self.folder, self.results):
            return State.RUNNING
        run = self.find_run()
        if run is not None and _settings_difference(self, run.path):
            return State.OUTDATED
        if self.failure.is_file():
            return State.FAILED
        return State.STOPPED if run is not None else State.WAITING

    def difference(self, folder: Path) -> str | None:
        """
        In what a finished run differs from what the experiment asks for now.

        :param folder: A run folder or compact results.
        :returns: ``None`` where it is what was asked for.
        """
        return _settings_difference(self, folder) or self.evaluation_difference(folder)

    def evaluation_difference(self, folder: Path) -> str | None:
        """As :meth:`difference`, of the evaluation at the end alone."""
        evaluation = read_evaluation(folder / "evaluation.json")
        if evaluation is None:
            return "no evaluation.json"
        wanted = self.plan.evaluation
        levels = {str(episode.get("level")) for episode in evaluation["episodes"]}
        expected = set(self.plan.evaluation_levels[: wanted.n_episodes])
        pairs = [
            ("evaluation.n_episodes", len(evaluation["episodes"]), wanted.n_episodes),
            ("evaluation.seed", evaluation.get("seed"), self.evaluation_seed),
            ("evaluation.levels", sorted(levels), sorted(expected)),
        ]
        return _first_difference(pairs)

    def is_trained(self, run: RunFolder) -> bool:
        """Whether a run has come to its end."""
        return "finished_at" in run.read_manifest()

    def write_failure(self, reason: str) -> None:
        """Keep why it failed, for whoever looks later."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.failure, {"reason": reason})

    def read_failure(self) -> str:
        """Why it failed."""
        try:
            return str(json.loads(self.failure.read_text(encoding="utf-8"))["reason"])
        except (OSError, ValueError, KeyError, TypeError):
            return "no reason is known"


def make_cells(experiment: Experiment, plans: dict[str, Plan], places: Places) -> list[Cell]:
    """
    The whole grid, seed by seed: the first numbers of all arms come early.

    :param experiment: What was asked.
    :param plans: Its arms.
    :param places: Where things go.
    """

    def make_cell(plan: Plan, seed: int) -> Cell:
        part = Path(plan.arm) / f"seed_{seed}"
        is_first = seed == experiment.seeds[0]
        start = None if plan.init_from is None else make_cell(plans[plan.init_from], seed)
        return Cell(plan, seed, places.logs / part, places.results / part, is_first, start)

    return [make_cell(plan, seed) for seed in experiment.seeds for plan in plans.values()]


def select_shard(cells: list[Cell], index: int, n_shards: int) -> list[Cell]:
    """
    The part of a grid that one of several machines does.

    An arm that starts from another one's agent goes to the machine that trains that agent.

    :param cells: The grid.
    :param index: Of the machine, from 1.
    :param n_shards: How many machines.
    """
    starts = {cell.plan.arm: cell.plan.init_from for cell in cells}

    def root(cell: Cell) -> tuple[str, int]:
        arm = cell.plan.arm
        while (parent := starts[arm]) is not None:
            arm = parent
        return arm, cell.seed

    roots = list(dict.fromkeys(root(cell) for cell in cells))
    mine = set(roots[index - 1 :: n_shards])
    return [cell for cell in cells if root(cell) in mine]


def _settings_difference(cell: Cell, folder: Path) -> str | None:
    plan = cell.plan
    run = RunFolder(folder, plan.game)
    try:
        manifest = run.read_manifest()
        settings, hyperparameters = read_settings(manifest, str(run.manifest))
        if (reason := _start_difference(cell, settings.init_run, manifest)) is not None:
            return reason
    except SonicError as error:
        return str(error)
    wanted = {
        "algo": plan.algo,
        "env": plan.game,
        "levels": plan.levels,
        "seed": cell.seed,
        "n_timesteps": plan.n_timesteps,
        "eval_freq": plan.evaluation.eval_freq,
        "eval_episodes": plan.evaluation.eval_episodes,
    }
    pairs = [(key, getattr(settings, key), value) for key, value in wanted.items()]
    found = _flatten(hyperparameters.model_dump())
    pairs += [
        (key, found.get(key), value)
        for key, value in _flatten(plan.hyperparameters.model_dump()).items()
    ]
    return _first_difference(pairs)


def _start_difference(cell: Cell, init_run: str | None, manifest: Mapping[str, Any]) -> str | None:
    """In what the agent that a run started from differs from the one that it should have."""
    start = cell.start
    # .../ARM/seed_K/ALGO/GAME_1, wherever the logs were
    started_from = None if init_run is None else "/".join(Path(init_run).parts[-4:-2])
    wanted = None if start is None else f"{start.plan.arm}/seed_{start.seed}"
    if started_from != wanted:
        return f"init_from was {started_from!r}, the experiment now says {wanted!r}"
    if start is None:
        return None
    if start.state() is State.OUTDATED:
        return f"init_from: {start}, whose agent it started from, is outdated"
    if start.state() is not State.DONE:
        return None
    sha256 = RunFolder(start.results, start.plan.game).read_manifest().get("model_sha256")
    if sha256 is not None and sha256 != manifest.get("init_model_sha256"):
        return f"init_from: it started from another agent than the one that {start} now has"
    return None


def _first_difference(pairs: list[tuple[str, Any, Any]]) -> str | None:
    for key, found, wanted in pairs:
        if found != wanted:
            return f"{key} was {found!r}, the experiment now says {wanted!r}"
    return None


def _flatten(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
