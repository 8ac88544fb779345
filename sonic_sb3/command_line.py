"""What all commands share: options, one-line errors with status 2, tables for people."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from sonic_sb3.errors import SettingsError, SonicError
from sonic_sb3.stop_signals import StoppedBySignal

if TYPE_CHECKING:
    from sonic_sb3.evaluation import Summary

_LABELS = {
    "progress": ("progress", "{:.1%}"),
    "contest_score": ("contest score", "{:,.0f}"),
    "score": ("game score", "{:,.0f}"),
    "episode_return": ("return", "{:.2f}"),
    "n_timesteps": ("timesteps", "{:,.0f}"),
    "game_time_s": ("game seconds", "{:.1f}"),
    "completion_time_s": ("seconds when completed", "{:.1f}"),
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, as all errors of this package."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage."""
        raise SettingsError(f"{message}; `python -m {self.prog} --help` lists the options")


def make_parser(name: str, description: str) -> Parser:
    """
    A parser for ``python -m sonic_sb3.NAME``.

    :param name: The command.
    :param description: What it does, in a sentence.
    """
    return Parser(
        prog=f"sonic_sb3.{name}",
        description=description,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )


def run_command(main: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None) -> int:
    """
    Run a command's body; a user's mistake becomes one line on standard error.

    :param main: The body.
    :param argv: Options; ``None`` for those of the process.
    :returns: The exit status: 2 after a mistake, 130 after Ctrl-C, 143 after SIGTERM.
    """
    try:
        return main(argv)
    except SonicError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except StoppedBySignal as stop:
        print(f"stopped by {stop}; `--resume RUN` goes on with a training run", file=sys.stderr)
        return 128 + stop.number
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def format_summary(title: str, summary: Summary) -> str:
    """
    An evaluation as a table.

    :param title: Its heading.
    :param summary: What to show.
    """
    rows = []
    if summary.completion_rate is not None and summary.completion_rate_interval is not None:
        low, high = summary.completion_rate_interval
        rows.append(("completed", f"{summary.completion_rate:.1%}", f"{low:.1%} .. {high:.1%}"))
    for name, mean in summary.means.items():
        label, pattern = _LABELS[name]
        interval = summary.mean_intervals[name]
        bounds = " .. ".join(pattern.format(v) for v in interval) if interval else ""
        rows.append((label, pattern.format(mean), bounds))
    endings = ", ".join(f"{reason} {count}" for reason, count in summary.end_reasons.items())
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    lines = [f"{title} ({summary.n_episodes} episodes; mean, 95 % interval)"]
    lines += [f"  {a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
    return "\n".join([*lines, f"  ended by: {endings}"])
