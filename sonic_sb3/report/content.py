"""What a report says, put together once, for the page, the Markdown and the CSV files alike."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sonic_sb3.errors import RunFolderError, SettingsError
from sonic_sb3.plain_text import printable
from sonic_sb3.report.arm_numbers import aggregate_numbers, arm_numbers, evaluated_levels
from sonic_sb3.report.measures import MEASURES, Groups, Number, metric_of
from sonic_sb3.report.notes import make_notes
from sonic_sb3.report.run_numbers import run_numbers
from sonic_sb3.report.tables import Table, make_tables


@dataclass(frozen=True)
class Picture:
    """
    A picture of the report, in one or more panels that stand side by side where there is room.

    :param title: Above it.
    :param caption: What it shows.
    :param panels: Name of a file -> PNG.
    :param is_wide: It is much wider than high, and scrolls on a narrow screen.
    """

    title: str
    caption: str
    panels: dict[str, bytes]
    is_wide: bool = False


@dataclass(frozen=True)
class Content:
    """
    Everything but the layout.

    :param title: Of the report.
    :param intro: Under it, in Markdown's plain paragraphs.
    :param metric: By which arms are compared.
    :param numbers: All numbers, of arms and runs.
    :param tables: In their order.
    :param notes: What a reader must know of these runs.
    :param definitions: What each number means.
    :param pictures: In their order.
    :param data: Name of a CSV file -> its rows, the first being its head.
    """

    title: str
    intro: str
    metric: str
    numbers: list[Number]
    tables: list[Table]
    notes: list[str]
    definitions: list[tuple[str, str]]
    pictures: list[Picture] = field(default_factory=list)
    data: dict[str, list[list[Any]]] = field(default_factory=dict)


def check_groups(groups: Groups, mix_games: bool) -> None:
    """
    Refuse what cannot be compared.

    :raises RunFolderError: There is no run, or none with an episode.
    :raises SettingsError: Runs of several games, and nobody said that they may be mixed.
    """
    records = [r for of_arm in groups.values() for r in of_arm]
    if not records:
        raise RunFolderError("expected at least one run to compare, got none")
    if all(len(r.training) == 0 and r.final is None for r in records):
        folders = ", ".join(str(r.path) for r in records[:3])
        raise RunFolderError(f"nothing to compare: the runs are empty ({folders})")
    games = sorted({r.env_id for r in records})
    if len(games) > 1 and not mix_games:
        raise SettingsError(
            f"expected runs of one game, got {', '.join(games)}: name runs of one of them, or say "
            "--mix-games if they belong in one table"
        )


def collect(groups: Groups, *, title: str, intro: str, metric: str | None) -> Content:
    """
    Numbers, tables, notes and definitions.

    :param groups: Arms.
    :param title: Of the report.
    :param intro: Under it.
    :param metric: By which arms are compared; ``None`` for the game's own.
    :raises SonicError: The metric is unknown, or runs lack it.
    """
    metric = metric_of(groups, metric)
    numbers: list[Number] = []
    by_level = len(evaluated_levels(groups)) > 1
    for arm, records in groups.items():
        of_runs = [n for record in records for n in run_numbers(arm, record, by_level=by_level)]
        numbers += [*arm_numbers(arm, of_runs), *of_runs]
    numbers += aggregate_numbers(groups, metric)
    used = {n.measure for n in numbers}
    definitions = [(m.label, m.meaning) for name, m in MEASURES.items() if name in used]
    return Content(
        title=title,
        intro=intro,
        metric=metric,
        numbers=numbers,
        tables=make_tables(groups, numbers, metric),
        notes=make_notes(groups),
        definitions=[*definitions, *_METHODS],
    )


_METHODS = [
    (
        "intervals",
        "95 %. Of an arm's mean: Student's over its seeds; of a share of episodes what that or "
        "Wilson's interval of all episodes together covers; of times to a goal, which may be "
        "never, from one seed to another, with five seeds from the first to the last (94 %). Of "
        "one run: over its episodes.",
    ),
    ("what was tried", "settings as they were written; - is a default"),
    (
        "IQM",
        "interquartile mean over seeds and levels (rliable); its interval is Student's with the "
        "standard error of a bootstrap over seeds, without width where all seeds agree",
    ),
    (
        "probability of improvement",
        "how probably a run of one arm beats a run of another on a level drawn at random, ties "
        "counting half (rliable); Newcombe's interval",
    ),
    (
        "curves",
        "running mean of the last 100 training episodes of each run (thin), mean over seeds "
        "(thick) with Student's 95 % band, as far as all seeds of the arm go; timesteps are the "
        "lengths of the episodes ended so far, added up, so that a curve ends a little before "
        "the run did",
    ),
]


def relative(path: Path, folder: Path) -> str:
    """A path as seen from the report's folder, so that both can be moved together."""
    return printable(Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix())
