"""Runs a grid on this machine: so many cells at once, until there is nothing left to do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from sonic_sb3.campaign.cell_run import CellRun, ProcessOptions
from sonic_sb3.campaign.cells import Cell, State
from sonic_sb3.campaign.leases import take_both
from sonic_sb3.campaign.view import View
from sonic_sb3.run_folder import RunFolder
from sonic_sb3.stop_signals import StopRequest

_POLL_S = 0.2
_SCAN_S = 1.0


@dataclass
class Grid:
    """
    The cells of a campaign and what this process knows of them.

    :param cells: In the order in which they are begun.
    :param retries: Try failed ones again.
    """

    cells: Sequence[Cell]
    retries: bool = False
    _begun: set[tuple[str, int]] = field(default_factory=set)

    def begin(self, cell: Cell) -> None:
        """Note that a cell is worked on, so that it is not retried twice."""
        self._begun.add(cell.key)
        cell.failure.unlink(missing_ok=True)

    def was_begun(self, cell: Cell) -> bool:
        """Whether this process has worked on a cell before."""
        return cell.key in self._begun

    def may_begin(self, cell: Cell, state: State) -> bool:
        """Whether work on a cell in this state makes sense now."""
        if state is State.FAILED:
            return self.retries and not self.was_begun(cell) and self.start_is_there(cell)
        return state in (State.WAITING, State.STOPPED) and self.start_is_there(cell)

    def start_is_there(self, cell: Cell) -> bool:
        """Whether the agent that a cell starts from is trained and lies here."""
        if cell.plan.init_from is None:
            return True
        parent = self.parent(cell)
        run = parent.find_run()
        return run is not None and parent.state() is State.DONE and parent.is_trained(run)

    def start(self, cell: Cell) -> RunFolder | None:
        """The run that a cell starts from."""
        return None if cell.plan.init_from is None else self.parent(cell).find_run()

    def parent(self, cell: Cell) -> Cell:
        """The cell whose agent this one starts from."""
        key = (cell.plan.init_from, cell.seed)
        return next(other for other in self.cells if other.key == key)

    def is_blocked(self, cell: Cell) -> str | None:
        """Why a waiting cell can never begin as things are."""
        if cell.plan.init_from is None or self.start_is_there(cell):
            return None
        parent = self.parent(cell)
        state = parent.state()
        if state is State.DONE:
            return f"needs the run folder of {parent}, which is not in {parent.folder}"
        if state in (State.FAILED, State.OUTDATED):
            return f"needs {parent}, which is {state.value}"
        return self.is_blocked(parent)


def run_grid(
    grid: Grid,
    n_workers: int,
    options: ProcessOptions,
    view: View,
    request: StopRequest,
) -> None:
    """
    Work until every cell is done, failed, outdated or blocked, or until a signal came.

    Cells that another campaign holds are waited for, and taken over if it dies.

    :param grid: What to do.
    :param n_workers: Cells at once.
    :param options: How.
    :param view: Who is told.
    :param request: Whether to stop.
    """
    active: list[CellRun] = []
    scanned_at_s = float("-inf")
    try:
        while request.number is None:
            ended = [run for run in active if run.poll()]
            for run in active:
                _tell_notes(run, view)
            for run in ended:
                active.remove(run)
                _finish(run, view)
            now_s = time.monotonic()
            if len(active) < n_workers and (ended or now_s - scanned_at_s >= _SCAN_S):
                scanned_at_s = now_s
                if not _begin_more(grid, active, n_workers, options, view) and not active:
                    return
            view.update()
            time.sleep(_POLL_S)
    finally:
        _stop_all(active, view)


def _begin_more(
    grid: Grid, active: list[CellRun], n_workers: int, options: ProcessOptions, view: View
) -> bool:
    """:returns: Whether there is anything left to begin or to wait for."""
    is_waiting = False
    busy = {run.cell.key for run in active}
    for cell in grid.cells:
        if len(active) >= n_workers:
            return True
        if cell.key in busy:
            continue
        state = cell.state()
        if state is State.RUNNING:
            view.note_held(cell)
            is_waiting = True
        elif state in (State.WAITING, State.STOPPED) and not grid.start_is_there(cell):
            is_waiting = is_waiting or grid.is_blocked(cell) is None
        elif grid.may_begin(cell, state):
            lease = take_both(cell.folder, cell.results)
            if lease is None or not grid.may_begin(cell, cell.state(is_mine=True)):
                is_waiting = True
                if lease is not None:
                    lease.release()
                continue
            view.tell_begun(cell, "goes on" if state is State.STOPPED else "begins")
            grid.begin(cell)
            active.append(CellRun(cell, lease, options, grid.start(cell)))
    return is_waiting or bool(active)


def _finish(run: CellRun, view: View) -> None:
    if run.failure is not None:
        view.tell(run.cell, f"failed: {run.failure}")
    else:
        view.tell_done(run.cell)


def _tell_notes(run: CellRun, view: View) -> None:
    while run.notes:
        view.tell(run.cell, run.notes.pop(0))


def _stop_all(active: list[CellRun], view: View) -> None:
    for run in active:
        run.stop()
    for run in active:
        run.wait_stopped()
        view.tell(run.cell, "stopped, goes on from its snapshot next time")
