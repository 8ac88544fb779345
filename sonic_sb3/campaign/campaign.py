"""An experiment that is opened: its grid, what is done of it, running the rest, the report."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sonic_sb3.campaign.cell_run import ProcessOptions
from sonic_sb3.campaign.cells import Cell, State, make_cells, select_shard
from sonic_sb3.campaign.definition import Experiment, load_experiment, make_plans
from sonic_sb3.campaign.local import Grid, run_grid
from sonic_sb3.campaign.places import (
    Places,
    copy_installed_definition,
    find_experiment,
    known_experiments,
    make_places,
)
from sonic_sb3.campaign.view import View, cell_metric, format_table
from sonic_sb3.errors import RomError, RunFolderError, SettingsError, SonicError, unknown_name
from sonic_sb3.machine import n_usable_cores
from sonic_sb3.plain_text import printable
from sonic_sb3.rom_files import find_rom
from sonic_sb3.stop_signals import StopRequest, stop_requests

# What reports compare arms by, of the metrics of an experiment; the others leave it to the report.
_REPORTED = {
    "completion_rate": "completion",
    "progress": "progress",
    "contest_score": "contest_score",
    "episode_return": "episode_return",
}
_QUESTION_WIDTH = 120
_SHARD = re.compile(r"(\d{1,6})/(\d{1,6})")


@dataclass(frozen=True)
class RunOptions:
    """
    How a grid is run.

    :param n_workers: Cells at once; ``None`` means one per core.
    :param num_threads: Of torch in each.
    :param device: As torch names it.
    :param retries: Try failed ones again.
    :param scheduler: Of a Dask cluster, in place of this machine.
    """

    n_workers: int | None = None
    num_threads: int = 1
    device: str = "auto"
    retries: bool = False
    scheduler: str | None = None


@dataclass(frozen=True)
class Campaign:
    """
    An experiment with its grid, or a part of it.

    :param experiment: What was asked.
    :param places: Where things lie.
    :param log_folder: Of all experiments.
    :param scale: Of the budgets.
    :param cells: The grid.
    :param skipped: A line for each thing that cannot be run here.
    :param given_name: What whoever opened it called it.
    """

    experiment: Experiment
    places: Places
    log_folder: Path
    scale: float
    cells: list[Cell]
    skipped: list[str]
    given_name: str

    def status(self, n_workers: int | None = None) -> list[str]:
        """
        The grid as a table, and a line for everything that went wrong.

        :param n_workers: Runs at once, for the time that is left; ``None`` means one per core.
        """
        title = self.places.name + (f" at scale {self.scale:g}" if self.scale != 1 else "")
        lines = format_table(self.cells, self.experiment.metric, n_workers or n_usable_cores())
        lines[0] = f"{title}: {lines[0]}"
        lines += self._problems()
        if missing := self._cells_without_metric():
            lines.append(f"{self.experiment.metric}: the runs of {', '.join(missing)} lack it")
        return lines

    def run(self, options: RunOptions) -> int:
        """
        Do what is left to do.

        :param options: How.
        :returns: 0 when all is done, 1 when something failed, 128 + signal after a signal.
        :raises SonicError: It cannot even be begun.
        """
        places = copy_installed_definition(self.places)
        n_workers = options.n_workers or n_usable_cores()
        grid = Grid(self.cells, options.retries)
        process_options = ProcessOptions(num_threads=options.num_threads, device=options.device)
        view = View(self.cells, self.experiment.metric, n_workers)
        with stop_requests() as request:
            with view:
                if options.scheduler is None:
                    run_grid(grid, n_workers, process_options, view, request)
                else:
                    from sonic_sb3.campaign.cluster import make_job, run_on_cluster

                    job = make_job(places, self.log_folder, self.scale, process_options)
                    run_on_cluster(grid, options.scheduler, job, view, request)
            return self._end(grid, request)

    def write_report(self) -> tuple[Path, list[str]]:
        """
        Write the report on what is done.

        :returns: Its folder (of some arms alone another one, beside the experiment's), and what a
            reader must know of it.
        :raises RunFolderError: Nothing is done yet.
        """
        groups: dict[str, list[Path]] = {}
        for cell in self.cells:
            if cell.state() is State.DONE:
                groups.setdefault(cell.plan.arm, []).append(cell.results)
        if not groups:
            raise RunFolderError(
                f"no results in {self.places.results}: expected finished runs, "
                f"`python -m sonic_sb3.experiment run {self.given_name}` makes them"
            )
        if missing := self._cells_without_metric():
            raise SettingsError(
                f"{self.places.definition}: metric {self.experiment.metric!r}: "
                f"the runs of {', '.join(missing)} lack it"
            )
        from sonic_sb3.comparison import load_records
        from sonic_sb3.report import write_report

        records = {arm: load_records(paths) for arm, paths in groups.items()}
        folder = self.places.report
        if not self.is_whole:
            folder = folder.with_name(f"partial_{folder.name}")
        content = write_report(
            records,
            folder,
            title=self.places.name,
            intro=self.introduction(),
            metric=_REPORTED.get(self.experiment.metric),
            mix_games=self.experiment.mixes_games,
        )
        return folder, content.notes

    @property
    def is_whole(self) -> bool:
        """Whether all arms are here."""
        return {cell.plan.arm for cell in self.cells} == set(self.experiment.arms)

    def introduction(self) -> str:
        """What the report begins with: question, decision rule, how much of the grid is done."""
        # The answer is of the whole experiment: data that it was not written of cannot bear it.
        experiment = self.experiment
        states = Counter(cell.state() for cell in self.cells)
        arms = list(dict.fromkeys(cell.plan.arm for cell in self.cells))
        paragraphs = [
            f"Question: {experiment.question.strip()}",
            f"Metric: {experiment.metric}{_where_it_stands(experiment.metric)}.",
            f"Decision rule, written before the runs: {experiment.decision_rule.strip()}",
            f"Runs finished: {states[State.DONE]} of {len(self.cells)}.",
        ]
        if not self.is_whole:
            paragraphs.append(f"Not the whole experiment: of its arms only {', '.join(arms)}.")
        if states[State.OUTDATED]:
            paragraphs.append(
                f"Left out: {states[State.OUTDATED]} runs made with other settings than those "
                "that the experiment has now."
            )
        if experiment.answer:
            is_all = self.is_whole and states[State.DONE] == len(self.cells) and self.scale == 1
            answer = "there is one of the whole experiment, which these runs are not."
            paragraphs.append(f"Answer: {experiment.answer.strip() if is_all else answer}")
        if self.scale != 1:
            paragraphs.append(f"Budgets scaled by {self.scale:g}: not the full experiment.")
        notes = [f"{name}: {arm.note.strip()}" for name, arm in experiment.arms.items() if arm.note]
        return "\n\n".join([*paragraphs, *notes])

    def _end(self, grid: Grid, request: StopRequest) -> int:
        print("\n".join(self.status()), flush=True)
        if request.number is not None:
            print("stopped; the same command goes on", flush=True)
            return 128 + request.number
        for cell in self.cells:
            reason = grid.is_blocked(cell) if cell.state() is State.WAITING else None
            if reason:
                print(f"{cell}: {reason}")
        return 0 if all(cell.state() is State.DONE for cell in self.cells) else 1

    def _problems(self) -> list[str]:
        lines = []
        counts: Counter[State] = Counter()
        for cell in self.cells:
            state = cell.state()
            counts[state] += 1
            if state is State.FAILED:
                lines.append(f"{cell} failed: {cell.read_failure()} (log: {cell.log})")
            elif state is State.OUTDATED:
                lines.append(f"{cell} is outdated: {_explain_outdated(cell)}")
        if counts[State.FAILED]:
            lines.append("`run` with --retry tries failed runs again")
        return lines

    def _cells_without_metric(self) -> list[str]:
        """Arms whose finished runs all lack the metric although every evaluation could have it."""
        if self.experiment.metric == "completion_time_s":
            return []  # nobody may have completed
        done = [cell for cell in self.cells if cell.state() is State.DONE]
        having = {c.plan.arm for c in done if cell_metric(c, self.experiment.metric) is not None}
        return sorted({cell.plan.arm for cell in done} - having)


def open_campaign(
    name: str,
    log_folder: Path,
    *,
    scale: float = 1.0,
    shard: str | None = None,
    arms: Sequence[str] | None = None,
    needs_roms: bool = True,
) -> Campaign:
    """
    Open an experiment.

    :param name: As :func:`sonic_sb3.campaign.places.find_experiment` takes it.
    :param log_folder: Where run folders are made.
    :param scale: Of the budgets.
    :param shard: ``I/N``: the I-th of N parts.
    :param arms: These alone.
    :param needs_roms: Leave out what cannot be played here.
    :raises SonicError: There is none, or something in it is wrong.
    """
    definition = find_experiment(name)
    experiment = load_experiment(definition)
    plans = make_plans(experiment, definition.parent, scale, str(definition))
    places = make_places(definition, log_folder, scale)
    cells = make_cells(experiment, plans, places)
    if shard is not None:
        cells = select_shard(cells, *parse_shard(shard))
    for arm in arms or ():
        if arm not in plans:
            raise unknown_name(f"arm of {places.name}", arm, plans)
    skipped = []
    for game in dict.fromkeys(plan.game for plan in plans.values()) if needs_roms else ():
        try:
            find_rom(game)
        except RomError as error:
            missing = [plan.arm for plan in plans.values() if plan.game == game]
            cells = [cell for cell in cells if cell.plan.arm not in missing]
            skipped.append(f"{places.name}: skipped {', '.join(missing)}: {error}")
    if arms:
        cells = _with_starts(cells, set(arms))
    return Campaign(experiment, places, log_folder, scale, cells, skipped, name)


def parse_shard(text: str) -> tuple[int, int]:
    """
    Read ``I/N``.

    :raises SettingsError: It is something else.
    """
    match = _SHARD.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise SettingsError(f"--shard: expected I/N with 1 <= I <= N, such as 1/2, got {text!r}")
    return int(match[1]), int(match[2])


def list_experiments(log_folder: Path) -> list[str]:
    """
    A line for each experiment that can be named here: its name, what is done, its question.

    :param log_folder: Where run folders are made.
    """
    lines = []
    for path in known_experiments():
        try:
            campaign = open_campaign(str(path), log_folder, needs_roms=False)
        except SonicError as error:
            text = f"cannot be read: {error}"
        else:
            n_done = sum(cell.state() is State.DONE for cell in campaign.cells)
            question = textwrap.shorten(campaign.experiment.question, _QUESTION_WIDTH)
            text = f"{n_done} of {len(campaign.cells)} done. {question}"
        lines.append(printable(f"{path.parent.name}: {text}"))
    return lines or ["no experiments here: expected folders with experiment.yml in experiments/"]


def _with_starts(cells: list[Cell], arms: set[str]) -> list[Cell]:
    """The cells of some arms, and of the arms that they start from."""
    starts = {cell.plan.arm: cell.plan.init_from for cell in cells}
    for arm in list(arms):
        parent = starts.get(arm)
        while parent is not None:
            arms.add(parent)
            parent = starts.get(parent)
    return [cell for cell in cells if cell.plan.arm in arms]


def _where_it_stands(metric: str) -> str:
    if metric in (*_REPORTED, "completion_time_s"):
        return ""
    return ", which `experiment status` shows; it is none of those that reports compare arms by"


def _explain_outdated(cell: Cell) -> str:
    if (cell.results / "manifest.json").is_file():
        return (
            f"{cell.difference(cell.results)}; delete {cell.results} and {cell.folder} to redo it"
        )
    run = cell.find_run()
    reason = cell.difference(run.path) if run is not None else None
    return f"{reason}; delete {cell.folder} to redo it"
