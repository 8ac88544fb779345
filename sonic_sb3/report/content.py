"""What a report says, put together once, for the page, the Markdown and the CSV files alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sonic_sb3.algorithm_settings import EnvKwargs
from sonic_sb3.arm_names import differing_settings, flatten_settings, shown_setting
from sonic_sb3.comparison import RunRecord
from sonic_sb3.errors import RunFolderError, SettingsError
from sonic_sb3.plain_text import one_line
from sonic_sb3.report.arm_numbers import (
    aggregate_numbers,
    arm_numbers,
    common_levels,
    evaluated_levels,
)
from sonic_sb3.report.measures import (
    COURSE,
    EVALUATED,
    MEASURES,
    METRICS,
    Number,
    format_interval,
    format_value,
    metric_of,
)
from sonic_sb3.report.run_numbers import run_numbers
from sonic_sb3.seed_statistics import HOW_TO_INSTALL_RLIABLE, has_rliable

Groups = Mapping[str, Sequence[RunRecord]]
FEW_SEEDS = 5
_MAX_NAMES = 8
_PROTOCOL = ("frame_skip", "sticky_prob", "noop_max", "max_episode_steps")


@dataclass(frozen=True)
class Table:
    """
    A table of texts.

    :param title: Above it.
    :param head: (n_columns,).
    :param rows: (n_rows, n_columns); a cell of two lines holds a value and its interval.
    """

    title: str
    head: list[str]
    rows: list[list[str]]


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
    tables = []
    by_level = len(evaluated_levels(groups)) > 1
    for arm, records in groups.items():
        of_runs = [n for record in records for n in run_numbers(arm, record, by_level=by_level)]
        numbers += [*arm_numbers(arm, of_runs), *of_runs]
    aggregates = aggregate_numbers(groups, metric)
    numbers += aggregates
    tables.append(_arm_table(groups, numbers, metric))
    tables += _aggregate_tables(groups, aggregates, metric)
    levels = sorted({n.level for n in numbers if n.level})
    tables += [_level_table(groups, numbers, levels, metric)] if levels else []
    tables += _settings_table(groups)
    tables.append(_run_table(groups, numbers))
    tables += _course_tables(groups, numbers)
    used = {n.measure for n in numbers}
    definitions = [(m.label, m.meaning) for name, m in MEASURES.items() if name in used]
    return Content(
        title=title,
        intro=intro,
        metric=metric,
        numbers=numbers,
        tables=tables,
        notes=_notes(groups),
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


def cell(number: Number | None) -> str:
    """A number and, on a second line, its interval."""
    if number is None:
        return "-"
    interval = format_interval(number)
    return format_value(number.measure, number.value) + (f"\n{interval}" if interval else "")


def _find(numbers: Sequence[Number], **wanted: str) -> Number | None:
    for number in numbers:
        if all(getattr(number, name) == value for name, value in wanted.items()):
            return number
    return None


def _columns(numbers: Sequence[Number]) -> list[str]:
    used = {n.measure for n in numbers if not n.level}
    return [m for m in MEASURES if m in used and m not in COURSE]


def _comparable(measures: Sequence[str], metric: str) -> list[str]:
    """Returns, which may be shaped differently, say nothing side by side, unless asked for."""
    is_left_out = "progress" in measures and metric != "episode_return"
    return [m for m in measures if m != "episode_return" or not is_left_out]


def _arm_table(groups: Groups, numbers: Sequence[Number], metric: str) -> Table:
    columns = _comparable(_columns(numbers), metric)
    rows = []
    for arm, records in groups.items():
        found = [_find(numbers, arm=arm, run="", measure=m, level="") for m in columns]
        rows.append([arm, _size(records), *[_sized_cell(n, records) for n in found]])
    return Table("Arms", ["arm", "n", *[MEASURES[m].label for m in columns]], rows)


def _size(records: Sequence[RunRecord]) -> str:
    evaluated = [r.final for r in records if r.final is not None]
    seeds = f"{len(records)} seed{'s' * (len(records) != 1)}"
    if 0 < len(evaluated) < len(records):
        seeds += f" ({len(evaluated)} evaluated)"
    return f"{seeds}, {sum(map(len, evaluated))} episodes"


def _sized_cell(number: Number | None, records: Sequence[RunRecord]) -> str:
    """As :func:`cell`, with n where that is not the arm's."""
    if number is None or number.measure not in EVALUATED:
        return cell(number)
    sizes = [len(r.final) for r in records if r.final is not None]
    if (number.n_seeds, number.n_episodes) == (len(sizes), sum(sizes)):
        return cell(number)
    n = f"{number.n_episodes} episode{'s' * (number.n_episodes != 1)}"
    if number.n_seeds != len(sizes):
        n += f" of {number.n_seeds} seed{'s' * (number.n_seeds != 1)}"
    if number.interval is None:  # what n says
        return f"{format_value(number.measure, number.value)}\n{n}"
    return f"{cell(number)}; {n}"


def _aggregate_tables(groups: Groups, numbers: Sequence[Number], metric: str) -> list[Table]:
    if not numbers:
        return []
    found = [m for m in METRICS if any(n.measure == f"iqm_{m}" for n in numbers)]
    measures = _comparable(found, metric)
    rows = [
        [arm, *[cell(_find(numbers, arm=arm, measure=f"iqm_{m}")) for m in measures]]
        for arm in groups
    ]
    tables = [Table("Interquartile means", ["arm", *[MEASURES[m].label for m in measures]], rows)]
    improvements = [n for n in numbers if n.measure.startswith("improvement_")]
    if improvements:
        title = f"Probability of improvement, by {MEASURES[metric].label}"
        pairs = [[n.arm, cell(n)] for n in improvements]
        tables.append(Table(title, ["first > second", "probability"], pairs))
    return tables


def _level_table(
    groups: Groups, numbers: Sequence[Number], levels: Sequence[str], metric: str
) -> Table:
    rows = [
        [arm, *[cell(_find(numbers, arm=arm, run="", measure=metric, level=v)) for v in levels]]
        for arm in groups
    ]
    return Table(f"By level: {MEASURES[metric].label}", ["arm", *levels], rows)


def _settings_table(groups: Groups) -> list[Table]:
    """What was tried: the settings in which the arms differ, of each arm's first run."""
    tried = {arm: flatten_settings(records[0].manifest) for arm, records in groups.items()}
    rows = [
        [name, *[shown_setting(settings.get(name)) for settings in tried.values()]]
        for name in differing_settings(list(tried.values()))
    ]
    return [Table("What was tried", ["setting", *groups], rows)] if rows else []


def _run_table(groups: Groups, numbers: Sequence[Number]) -> Table:
    columns = _columns(numbers)
    rows = []
    for arm, records in groups.items():
        for record in records:
            found = [
                _find(numbers, arm=arm, run=record.label, measure=m, level="") for m in columns
            ]
            n = len(record.final) if record.final is not None else 0
            rows.append(
                [arm, record.label, f"{n} and {len(record.training)}", *[cell(f) for f in found]]
            )
    head = ["arm", "run", "episodes evaluated and trained", *[MEASURES[m].label for m in columns]]
    return Table("Runs", head, rows)


def _notes(groups: Groups) -> list[str]:
    records = [r for of_arm in groups.values() for r in of_arm]
    notes = [
        f"{arm}, {record.label}: {note}."
        for arm, of_arm in groups.items()
        for record in of_arm
        for note in record.notes
    ]
    for arm, of_arm in groups.items():
        seeds = [r.seed for r in of_arm if r.seed is not None]
        notes += [
            f"{arm}: several runs with seed {seed}; they count as independent and may not be."
            for seed in sorted(set(seeds))
            if seeds.count(seed) > 1
        ]
        notes += _differences_within(arm, of_arm)
        notes += _whole_rollouts(arm, of_arm)
    fewest = min(len(of_arm) for of_arm in groups.values())
    if fewest < FEW_SEEDS:
        notes.append(
            f"An arm has {fewest} seed{'s' * (fewest > 1)}: that seeds scatter normally, as their "
            "intervals assume, cannot be seen of so few; take them for hints."
        )
    notes += _left_out_levels(groups)
    for what, value_of in _PROTOCOL_FACTS.items():
        notes += _differences(groups, what, value_of)
    if not has_rliable() and any(r.final is not None for r in records):
        notes.append(f"{HOW_TO_INSTALL_RLIABLE}.")
    return notes


def _whole_rollouts(arm: str, records: Sequence[RunRecord]) -> list[str]:
    """One sentence where whole rollouts made training much longer than what was asked for."""
    found = set()
    for record in records:
        asked = record.settings.get("n_timesteps")
        trained = record.manifest.get("n_timesteps_trained")
        if isinstance(asked, int) and isinstance(trained, int) and trained > 1.02 * asked > 0:
            found.add(f"{trained:,} timesteps for {asked:,}")
    return [f"{arm}: trained in whole rollouts, {', '.join(sorted(found))}."] if found else []


def _left_out_levels(groups: Groups) -> list[str]:
    """What is taken over levels that all runs share, where they do not share all."""
    common, found = common_levels(groups), evaluated_levels(groups)
    if len(common) == len(found):
        return []
    what = "Interquartile means, probabilities of improvement and the performance profile"
    if not common:
        return [f"{what} are missing: no level is one on which every run was evaluated."]
    return [f"{what} are over {', '.join(common)} alone, on which every run was evaluated."]


def _env_default(name: str) -> Callable[[RunRecord], Any]:
    default = EnvKwargs.model_fields[name].default
    return lambda record: record.env_kwargs.get(name, default)


def _final_fact(name: str) -> Callable[[RunRecord], Any]:
    return lambda record: record.final_facts.get(name) if record.final is not None else _ABSENT


def _manifest_fact(section: str, name: str) -> Callable[[RunRecord], Any]:
    """What a manifest tells; runs whose manifests do not tell it are left out."""

    def value_of(record: RunRecord) -> Any:
        facts = record.manifest.get(section)
        return facts.get(name, _ABSENT) if isinstance(facts, Mapping) else _ABSENT

    return value_of


def _commit(record: RunRecord) -> Any:
    git = record.manifest.get("git")
    commit = git.get("commit") if isinstance(git, Mapping) else None
    return str(commit)[:8] if commit else _ABSENT


def _levels(record: RunRecord) -> str:
    levels = record.settings.get("levels")
    return ", ".join(map(str, levels)) if isinstance(levels, list | tuple) else str(levels)


_ABSENT = object()
_PROTOCOL_FACTS: dict[str, Callable[[RunRecord], Any]] = {
    "Games differ": lambda r: r.env_id,
    "Levels of training differ": _levels,
    "Evaluation levels differ": lambda r: (
        _ABSENT if r.final is None else ", ".join(sorted(set(r.final.level.tolist())))
    ),
    **{f"Protocols differ in {name}": _env_default(name) for name in _PROTOCOL},
    "Evaluations differ in deterministic": _final_fact("deterministic"),
    "Evaluations differ in protocol": _final_fact("protocol"),
    "Evaluated checkpoints differ": _final_fact("checkpoint"),
    "Budgets (n_timesteps) differ": lambda r: r.settings.get("n_timesteps"),
    "ROMs differ": lambda r: r.manifest.get("rom_sha1"),
    "Versions of this package differ": _manifest_fact("packages", "sonic_sb3"),
    "Commits of this package differ": _commit,
    "Versions of torch differ": _manifest_fact("packages", "torch"),
    "Precisions of gradient steps differ": lambda r: (
        r.manifest.get("precision", _ABSENT) if "learning_rate" in r.hyperparameters else _ABSENT
    ),
    "Devices differ, so minutes do not compare": lambda r: r.manifest.get("device") or _ABSENT,
    "Processors differ, so minutes do not compare": _manifest_fact("hardware", "cpu"),
    "Threads of torch differ, so minutes do not compare": lambda r: r.settings.get("num_threads"),
}


def _course_tables(groups: Groups, numbers: Sequence[Number]) -> list[Table]:
    columns = [m for m in COURSE if any(n.measure == m for n in numbers)]
    if not columns:
        return []
    rows = []
    for arm, records in groups.items():
        for run in ["", *[record.label for record in records]]:
            found = [_find(numbers, arm=arm, run=run, measure=m, level="") for m in columns]
            rows.append([arm, run or "all", *[cell(n) for n in found]])
    head = ["arm", "run", *[MEASURES[m].label for m in columns]]
    return [Table("The course of training", head, rows)]


def _differences_within(arm: str, records: Sequence[RunRecord]) -> list[str]:
    """One sentence where the runs of an arm differ in more than the seed."""
    differing = differing_settings([flatten_settings(record.manifest) for record in records])
    if not differing:
        return []
    shown = ", ".join(map(one_line, differing[:_MAX_NAMES]))
    more = f" and {len(differing) - _MAX_NAMES} more" if len(differing) > _MAX_NAMES else ""
    return [f"{arm}: its runs differ in more than the seed: {shown}{more}."]


def _differences(groups: Groups, what: str, value_of: Callable[[RunRecord], Any]) -> list[str]:
    """One sentence where runs side by side were not made alike."""
    arms_of: dict[str, list[str]] = {}
    for arm, records in groups.items():
        for record in records:
            value = value_of(record)
            if value is not _ABSENT:
                names = arms_of.setdefault(str(value), [])
                names += [arm] if arm not in names else []
    if len(arms_of) < 2:
        return []
    parts = [f"{one_line(value)} ({', '.join(names)})" for value, names in sorted(arms_of.items())]
    return [f"{what}: {'; '.join(parts)}."]


def relative(path: Path, folder: Path) -> str:
    """A path as seen from the report's folder, so that both can be moved together."""
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
