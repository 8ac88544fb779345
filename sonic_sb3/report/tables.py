"""The tables of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sonic_sb3.arm_names import differing_settings, flatten_settings, shown_setting
from sonic_sb3.compared_runs import RunRecord
from sonic_sb3.plain_text import counted
from sonic_sb3.report.arm_numbers import evaluated_levels
from sonic_sb3.report.measures import (
    COURSE,
    EVALUATED,
    MEASURES,
    METRICS,
    Groups,
    Number,
    format_interval,
    format_value,
)


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


def make_tables(groups: Groups, numbers: Sequence[Number], metric: str) -> list[Table]:
    """
    All tables, the arms' first.

    :param groups: Arms.
    :param numbers: All numbers, of arms and runs.
    :param metric: By which arms are compared.
    """
    levels = evaluated_levels(groups)
    return [
        _arm_table(groups, numbers, metric),
        *_aggregate_tables(groups, numbers, metric),
        *([_level_table(groups, numbers, levels, metric)] if len(levels) > 1 else []),
        *_settings_table(groups),
        _run_table(groups, numbers),
        *_course_tables(groups, numbers),
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
    seeds = counted(len(records), "seed")
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
    n = counted(number.n_episodes, "episode")
    if number.n_seeds != len(sizes):
        n += f" of {counted(number.n_seeds, 'seed')}"
    if number.interval is None:  # what n says
        return f"{format_value(number.measure, number.value)}\n{n}"
    return f"{cell(number)}; {n}"


def _aggregate_tables(groups: Groups, numbers: Sequence[Number], metric: str) -> list[Table]:
    found = [m for m in METRICS if any(n.measure == f"iqm_{m}" for n in numbers)]
    if not found:
        return []
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
