"""Comparisons written down: Markdown, one HTML page, PNG, CSV, and a folder for TensorBoard."""

from __future__ import annotations

import csv
import io
import math
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sonic_sb3.atomic_files import is_unfinished, replacing, write_text
from sonic_sb3.comparison import with_distinct_labels
from sonic_sb3.errors import RunFolderError
from sonic_sb3.report.content import Content, check_groups, collect, relative
from sonic_sb3.report.illustrate import best_videos, curves_over_timesteps, illustrate
from sonic_sb3.report.markdown import render_markdown
from sonic_sb3.report.measures import Groups, Number
from sonic_sb3.report.page import render_page
from sonic_sb3.report.tensorboard_files import FILE_NAME, write_tensorboard

__all__ = ["write_report"]

_HEAD = (
    "arm", "run", "level", "measure", "value", "low", "high", "n_seeds", "n_episodes", "method",
    "sources",
)  # fmt: skip
# Names in a report's folders, which are deleted before they are written again.
_NAMES = {
    "pictures": re.compile(r"(arms_\w+|curves_\w+|profile|actions_\d+|map_\d+)\.png"),
    "data": re.compile(r"(actions|curves|ends|profile)\.csv"),
    "tensorboard": re.compile(re.escape(FILE_NAME)),
}


def write_report(
    groups: Groups,
    folder: Path,
    *,
    title: str,
    intro: str = "",
    metric: str | None = None,
    mix_games: bool = False,
) -> Content:
    """
    Compare arms and write ``report.md``, ``report.html``, ``numbers.csv``, ``pictures/*.png``,
    ``data/*.csv`` and ``tensorboard/`` into a folder. The same runs give the same bytes.

    :param groups: Arms and their runs.
    :param folder: Made where it is missing; a report that lies there is replaced.
    :param title: Of the report.
    :param intro: Under it; paragraphs.
    :param metric: By which arms are compared: ``completion``, ``progress``, ``contest_score`` or
        ``episode_return``; ``None`` for the game's own.
    :param mix_games: Runs of several games may stand in one table.
    :returns: What was written.
    :raises SonicError: Nothing can be compared, or the folder cannot be written.
    """
    check_groups(groups, mix_games)
    _check_folder(folder)
    groups = {arm: with_distinct_labels(records) for arm, records in groups.items()}
    content = collect(groups, title=title, intro=intro, metric=metric)
    try:
        folder.mkdir(parents=True, exist_ok=True)  # before the pictures, which take their time
        illustrate(content, groups)
        _write(content, groups, folder)
    except OSError as error:
        raise RunFolderError(f"cannot write a report in {folder}: {error.strerror}") from error
    return content


def _check_folder(folder: Path) -> None:
    """What an older report left is deleted, so all that lies in its folders must be a report's."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not _is_report(folder):
        raise RunFolderError(
            f"{folder} holds other files than a report: expected a new or empty folder, or an older"
            " report"
        )
    for name, pattern in _NAMES.items():
        for path in sorted((folder / name).rglob("*")):
            is_own = pattern.fullmatch(path.name) or is_unfinished(path)
            if not path.is_dir() and not is_own:
                raise RunFolderError(
                    f"{path} is none of a report's files, and would be deleted with the older "
                    "report: move it away, or name another folder"
                )


def _is_report(folder: Path) -> bool:
    try:
        with (folder / "numbers.csv").open("rb") as file:
            return file.readline(1000).decode("utf-8", "replace").strip() == ",".join(_HEAD)
    except OSError:
        return False


def _write(content: Content, groups: Groups, folder: Path) -> None:
    # First, because by it the folder is known for a report also when the rest is cut short.
    write_text(folder / "numbers.csv", _to_csv(_number_rows(content.numbers, folder)))
    for name in ("pictures", "data"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    runs = [(arm, r.label, relative(r.path, folder)) for arm, rs in groups.items() for r in rs]
    write_text(folder / "report.md", render_markdown(content, runs))
    write_text(folder / "report.html", render_page(content, best_videos(groups)))
    for name, rows in content.data.items():
        write_text(folder / "data" / name, _to_csv(rows))
    for picture in content.pictures:
        for name, png in picture.panels.items():
            with replacing(folder / "pictures" / name) as temporary:
                temporary.write_bytes(png)
    curves = curves_over_timesteps(groups)
    write_tensorboard(groups, content.numbers, curves, folder / "tensorboard")


def _number_rows(numbers: Sequence[Number], folder: Path) -> list[list[Any]]:
    rows: list[list[Any]] = [list(_HEAD)]
    for n in numbers:
        low, high = n.interval or ("", "")
        sources = ";".join(relative(path, folder) for path in dict.fromkeys(n.sources))
        sizes = [n.n_seeds, n.n_episodes]
        rows.append(
            [n.arm, n.run, n.level, n.measure, n.value, low, high, *sizes, n.method, sources]
        )
    return rows


def _to_csv(rows: Sequence[Sequence[Any]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([_csv_cell(c) for c in row] for row in rows)
    return file.getvalue()


def _csv_cell(cell: Any) -> Any:
    if isinstance(cell, str):
        # A spreadsheet would run a name that looks like a formula.
        return f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell
    if isinstance(cell, float):
        if math.isnan(cell):
            return ""
        return "not reached" if math.isinf(cell) else repr(round(float(cell), 9))
    return cell
