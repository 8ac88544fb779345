"""The report as Markdown, for a repository."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sonic_sb3.report.content import Content
from sonic_sb3.report.tables import Table


def render_markdown(content: Content, runs: Sequence[tuple[str, str, str]]) -> str:
    """
    The whole text.

    :param content: What it says.
    :param runs: Arm, run, and the run's folder as seen from the report.
    """
    parts = [
        f"# {_plain(content.title)}",
        "\n\n".join(map(_plain, content.intro.strip().split("\n\n"))),
        _table(content.tables[0]),
        "## Good to know" if content.notes else "",
        "\n".join(f"- {_plain(note)}" for note in content.notes),
    ]
    for picture in content.pictures:
        parts.append(f"## {_plain(picture.title)}")
        parts += [f"![{_plain(picture.title)}](pictures/{name})" for name in picture.panels]
        parts.append(_plain(picture.caption))
    parts += [_table(table) for table in content.tables[1:]]
    parts.append("## What the numbers mean")
    parts.append("\n".join(f"- **{_plain(a)}**: {_plain(b)}" for a, b in content.definitions))
    parts.append("## Where they come from")
    parts.append(
        "`numbers.csv` names for every number the file it comes from. In `data/`, what is of "
        "training comes from the monitor files of the runs, what is of the evaluation from their "
        "`evaluation.json`. The runs:"
    )
    parts.append("\n".join(f"- {_plain(a)}, {_plain(run)}: {_code(p)}" for a, run, p in runs))
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(table: Table) -> str:
    lines = [
        f"## {_plain(table.title)}",
        "",
        _row(table.head),
        _row(["---", *["---:"] * (len(table.head) - 1)], is_rule=True),
        *[_row(row) for row in table.rows],
    ]
    return "\n".join(lines)


def _row(cells: Sequence[str], is_rule: bool = False) -> str:
    texts = cells if is_rule else [_cell(cell) for cell in cells]
    return "| " + " | ".join(texts) + " |"


def _cell(text: str) -> str:
    value, _, interval = text.partition("\n")
    return _plain(value) + (f" ({_plain(interval)})" if interval else "")


def _code(text: str) -> str:
    """A path; backticks in it must not end the quotation."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    if longest == 0:
        return f"`{text}`"
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}"


def _plain(text: str) -> str:
    """Names may be a stranger's: nothing in them is markup."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
