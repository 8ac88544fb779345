"""What a campaign shows: a table that lives in a terminal, elsewhere a line per event."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from sonic_sb3.campaign.cell_run import n_timesteps_done
from sonic_sb3.campaign.cells import Cell, State
from sonic_sb3.campaign.results import metric_value, read_evaluation
from sonic_sb3.errors import SonicError
from sonic_sb3.run_folder import RunFolder

_REFRESH_S = 2.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
Key = tuple[str, int]


class View:
    """
    Tells what happens.

    :param cells: The grid.
    :param metric: The number to show of finished cells.
    :param n_workers: Cells at once, for the time that is left.
    :param stream: Where to write.
    """

    def __init__(
        self, cells: Sequence[Cell], metric: str, n_workers: int, stream: TextIO | None = None
    ) -> None:
        self._cells = cells
        self._metric = metric
        self._n_workers = n_workers
        self._stream = stream or sys.stdout
        self._live: Live | None = None
        self._shown_at_s = 0.0
        self._held: set[Key] = set()
        self._speed = Speed(cells)

    def __enter__(self) -> View:
        if self._stream.isatty():
            self._live = Live(console=Console(file=self._stream), auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.update(Text(""))
            self._live.stop()
            self._live = None

    def say(self, text: str) -> None:
        """One line."""
        line = f"{time.strftime('%H:%M:%S')} {_CONTROL.sub(' ', text)}"
        if self._live is not None:
            self._live.console.print(Text(line))
        else:
            print(line, file=self._stream, flush=True)

    def tell(self, cell: Cell, text: str) -> None:
        """One line about a cell."""
        self.say(f"{cell}: {text}")

    def tell_begun(self, cell: Cell, text: str) -> None:
        """One line about a cell that is now worked on."""
        self._speed.begin(cell)
        self.tell(cell, text)

    def tell_done(self, cell: Cell) -> None:
        """One line about a finished cell, with its result and the time that is left."""
        states = {other.key: other.state() for other in self._cells}
        n_done = sum(state is State.DONE for state in states.values())
        value = cell_metric(cell, self._metric)
        took = self._speed.end(cell)
        self.tell(
            cell,
            f"done{took}, {self._metric} {format_value(value)} ({n_done} of {len(self._cells)} done"
            f"{self._speed.describe_rest(states, {}, self._n_workers)})",
        )

    def note_held(self, cell: Cell) -> None:
        """Say once that another campaign works on a cell."""
        if cell.key not in self._held:
            self._held.add(cell.key)
            self.tell(cell, "another process works on it, waiting")

    def update(self) -> None:
        """Draw the table again, every now and then."""
        now_s = time.monotonic()
        if self._live is None or now_s - self._shown_at_s < _REFRESH_S:
            return
        self._shown_at_s = now_s
        lines = format_table(self._cells, self._metric, self._n_workers, self._speed)
        self._live.update(Text("\n".join(lines)), refresh=True)


class Speed:
    """
    How fast arms train, from what is finished and from what is seen now.

    :param cells: The grid.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._cells = cells
        self._first_seen: dict[Key, tuple[float, int]] = {}
        self._seen: dict[str, float] = {}
        self._finished: dict[Key, float] = {}
        self._begun_at_s: dict[Key, float] = {}

    def begin(self, cell: Cell) -> None:
        """Start a cell's clock, unless part of it was done before."""
        if cell.find_run() is None:
            self._begun_at_s[cell.key] = time.monotonic()

    def end(self, cell: Cell) -> str:
        """Stop a cell's clock. :returns: Part of a line: how long it took, if that is known."""
        if cell.key not in self._begun_at_s:
            return ""
        took_s = time.monotonic() - self._begun_at_s.pop(cell.key)
        self._finished[cell.key] = cell.plan.n_timesteps / max(took_s, 1e-3)
        return f" in {format_duration(took_s)}"

    def watch(self, n_done: Mapping[Key, int]) -> None:
        """
        Learn from cells that run.

        :param n_done: Their timesteps so far.
        """
        now_s = time.monotonic()
        for key, n_timesteps in n_done.items():
            began_s, n_first = self._first_seen.setdefault(key, (now_s, n_timesteps))
            if n_timesteps > n_first:
                self._seen[key[0]] = (n_timesteps - n_first) / max(now_s - began_s, 1e-3)

    def rest_s(
        self, states: Mapping[Key, State], n_done: Mapping[Key, int], n_workers: int
    ) -> float | None:
        """
        Seconds until all is done; ``None`` while nothing is known.

        :param states: Of all cells.
        :param n_done: Timesteps of those that run here.
        :param n_workers: Cells at once.
        """
        rates = self._rates(states)
        if not rates:
            return None
        usual = sum(rates.values()) / len(rates)
        rest_s = 0.0
        for cell in self._cells:
            if states[cell.key] in (State.WAITING, State.STOPPED, State.RUNNING):
                n_left = cell.plan.n_timesteps - n_done.get(cell.key, 0)
                rest_s += max(0, n_left) / rates.get(cell.plan.arm, usual)
        return rest_s / max(1, n_workers)

    def describe_rest(
        self, states: Mapping[Key, State], n_done: Mapping[Key, int], n_workers: int
    ) -> str:
        """Part of a line: about how long it takes yet."""
        rest_s = self.rest_s(states, n_done, n_workers)
        return f", about {format_duration(rest_s)} left" if rest_s else ""

    def _rates(self, states: Mapping[Key, State]) -> dict[str, float]:
        for cell in self._cells:
            if states[cell.key] is State.DONE and cell.key not in self._finished:
                self._finished[cell.key] = _training_rate(cell)
        rates = dict(self._seen)
        for arm in {key[0] for key in self._finished}:
            known = [rate for key, rate in self._finished.items() if key[0] == arm and rate > 0]
            if known:
                rates[arm] = sum(known) / len(known)
        return rates


def _training_rate(cell: Cell) -> float:
    """Timesteps a second of a finished run, 0 where it does not tell."""
    try:
        manifest = RunFolder(cell.results, cell.plan.game).read_manifest()
        return float(manifest["n_timesteps_trained"]) / float(manifest["training_s"])
    except (SonicError, KeyError, TypeError, ValueError, ZeroDivisionError):
        return 0.0


def cell_metric(cell: Cell, metric: str) -> float | None:
    """A finished cell's number."""
    evaluation = read_evaluation(cell.results / "evaluation.json")
    return None if evaluation is None else metric_value(evaluation, metric)


def format_table(
    cells: Sequence[Cell], metric: str, n_workers: int, speed: Speed | None = None
) -> list[str]:
    """
    The grid as lines: a row per arm, a column per seed, at the end the mean of the metric.

    :param cells: The grid.
    :param metric: Which number finished cells show.
    :param n_workers: Cells at once, for the time that is left.
    :param speed: What is known of it already.
    """
    states = {cell.key: cell.state() for cell in cells}
    running = [cell for cell in cells if states[cell.key] is State.RUNNING]
    n_done = {cell.key: n_timesteps_done(cell) for cell in running}
    speed = speed or Speed(cells)
    speed.watch(n_done)
    counts = Counter(states.values())
    head = f"{counts[State.DONE]} of {len(cells)} done"
    for state in (State.RUNNING, State.STOPPED, State.FAILED, State.OUTDATED):
        head += f", {counts[state]} {state.value}" if counts[state] else ""
    head += speed.describe_rest(states, n_done, n_workers)
    arms = list(dict.fromkeys(cell.plan.arm for cell in cells))
    seeds = list(dict.fromkeys(cell.seed for cell in cells))
    by_key = {cell.key: cell for cell in cells}
    rows = [["arm", *(f"seed {seed}" for seed in seeds), f"{metric}, mean"]]
    for arm in arms:
        values: list[float] = []
        row = [arm]
        for seed in seeds:
            cell = by_key.get((arm, seed))
            row.append("" if cell is None else _describe(cell, states, metric, n_done, values))
        mean = sum(values) / len(values) if values else None
        row.append(f"{format_value(mean)} (n = {len(values)})" if values else "")
        rows.append(row)
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        head,
        *("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows),
    ]


def _describe(
    cell: Cell,
    states: Mapping[Key, State],
    metric: str,
    n_done: Mapping[Key, int],
    values: list[float],
) -> str:
    state = states[cell.key]
    if state is State.DONE:
        value = cell_metric(cell, metric)
        if value is not None:
            values.append(value)
        return format_value(value)
    if state is State.RUNNING:
        return f"{n_done[cell.key] / cell.plan.n_timesteps:.0%}"
    return str(state.value)


def format_value(value: float | None) -> str:
    """A number of a table; a run may lack it (nobody completed, so no completion time)."""
    return "none" if value is None else format(value, ".4g")


def format_duration(seconds: float) -> str:
    """Hours and minutes, for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"
