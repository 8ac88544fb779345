"""What a campaign found: a row of the table, an entry of the JSON file."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Outcome:
    """
    :param campaign: Its name.
    :param n_events: Kills, full disks or inputs.
    :param failures: What did not survive, in words.
    :param facts: Counts and figures.
    """

    campaign: str
    n_events: int = 0
    failures: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    duration_s: float = 0.0

    def count(self, fact: str, n: int = 1) -> None:
        self.facts[fact] = self.facts.get(fact, 0) + n

    def check(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.failures.append(otherwise)


class Progress:
    """One line on standard error, in place in a terminal, now and then elsewhere."""

    def __init__(self, name: str, total: int) -> None:
        self._name, self._total = name, total
        self._started_s = self._shown_s = time.monotonic()

    def show(self, n_done: int) -> None:
        now_s = time.monotonic()
        is_terminal = sys.stderr.isatty()
        if now_s - self._shown_s < (1 if is_terminal else 30) and n_done < self._total:
            return
        self._shown_s = now_s
        elapsed_s = now_s - self._started_s
        left_s = elapsed_s / max(n_done, 1) * max(self._total - n_done, 0)
        line = f"{self._name}: {n_done} of {self._total}, {elapsed_s:.0f} s, ETA {left_s:.0f} s"
        print(line, end="\r" if is_terminal and n_done < self._total else "\n", file=sys.stderr)


def format_table(outcomes: list[Outcome]) -> str:
    rows = [("campaign", "events", "failures", "seconds", "figures")]
    for one in outcomes:
        facts = ", ".join(f"{name} {value}" for name, value in one.facts.items())
        row = (one.campaign, one.n_events, len(one.failures), f"{one.duration_s:.0f}", facts)
        rows.append(tuple(map(str, row)))  # type: ignore[arg-type]
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(row[k].rjust(widths[k]) for k in (1, 2, 3)), row[4]])
        for row in rows
    ]
    lines += [f"{one.campaign} FAILED: {failure}" for one in outcomes for failure in one.failures]
    return "\n".join(lines)


def write_outcomes(path: Path, outcomes: list[Outcome], facts: dict[str, Any]) -> None:
    data = {**facts, "campaigns": [asdict(one) for one in outcomes]}
    path.write_text(json.dumps(data, indent=2) + "\n")
