"""``python -m sonic_sb3.compare RUN...``: runs side by side, in tables, pictures, TensorBoard."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sonic_sb3.command_line import Parser, make_parser, run_command
from sonic_sb3.errors import SettingsError
from sonic_sb3.plain_text import printable

if TYPE_CHECKING:
    from sonic_sb3.compared_runs import RunRecord
    from sonic_sb3.report.content import Content


def _make_parser() -> Parser:
    parser = make_parser("compare", "Compare runs: statistics, curves, maps, TensorBoard.")
    add = parser.add_argument
    add(
        "paths",
        nargs="+",
        metavar="RUN",
        help="run folders, experiments, or folders of runs; NAME=FOLDER names the arm",
    )
    add("-o", "--output", default="comparison", metavar="FOLDER", help="where the report goes")
    add("--title", default="Comparison", help="of the report")
    add(
        "--metric",
        default=None,
        help="by which arms are compared: completion, progress, contest_score or episode_return "
        "(default: contest_score where the game has it)",
    )
    add("--mix-games", action="store_true", help="runs of several games may be in one table")
    return parser


def _main(argv: Sequence[str] | None) -> int:
    args = _make_parser().parse_args(argv)

    from sonic_sb3.comparison import find_foreign_runs, group_records
    from sonic_sb3.report import write_report

    groups = group_records(_load(args.paths))
    for path in find_foreign_runs([_find(_folder(word)) for word in args.paths]):
        print(printable(f"- left out: {path}, which has no manifest.json: `train` did not make it"))
    folder = Path(args.output)
    content = write_report(
        groups, folder, title=args.title, metric=args.metric, mix_games=args.mix_games
    )
    _print(content)
    print(f"page:        {folder / 'report.html'}")
    print(f"Markdown:    {folder / 'report.md'}")
    print(f"numbers:     {folder / 'numbers.csv'}")
    print(f"TensorBoard: tensorboard --logdir {folder / 'tensorboard'}")
    return 0


def _load(words: Sequence[str]) -> list[RunRecord]:
    """Runs as named on the command line; those without a name share out their own."""
    from sonic_sb3.comparison import load_records
    from sonic_sb3.run_copies import without_copies

    unnamed = [_find(word) for word in words if _split(word) is None]
    records = load_records(unnamed) if unnamed else []
    taken = {record.arm for record in records}
    for arm, word in filter(None, map(_split, words)):
        if arm in taken:
            raise SettingsError(
                f"{arm}={word}: expected another name, other runs here form an arm called {arm!r}"
            )
        records += [replace(record, arm=arm) for record in load_records([_find(word)])]
    return without_copies(records)


def _folder(word: str) -> str:
    named = _split(word)
    return word if named is None else named[1]


def _split(word: str) -> tuple[str, str] | None:
    name, equals, folder = word.partition("=")
    return (name, folder) if equals and name and folder and not Path(word).exists() else None


def _find(word: str) -> Path:
    """A folder, or the name of an experiment, here or of those that came with this package."""
    from sonic_sb3.shipped_files import experiments_dir

    folders = (Path(word), Path("experiments") / word, experiments_dir() / word)
    return next((folder for folder in folders if folder.is_dir()), Path(word))


def _print(content: Content) -> None:
    from sonic_sb3.report.tables import Table

    def show(table: Table) -> None:
        rows = [table.head, *([c.replace("\n", "  ") for c in row] for row in table.rows)]
        widths = [max(len(row[k]) for row in rows) for k in range(len(table.head))]
        for row in rows:
            line = "  ".join(f"{text:<{w}}" for text, w in zip(row, widths, strict=True))
            print(printable(line.rstrip()))

    show(content.tables[0])
    for note in content.notes:
        print(f"- {printable(note)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. :returns: Its exit status."""
    return run_command(_main, argv)


if __name__ == "__main__":
    sys.exit(main())
