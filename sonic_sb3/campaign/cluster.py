"""
Runs a grid on a Dask cluster: a task per cell, results come back as bytes.

A worker that dies takes no cell with it: Dask hands its tasks on, and where the log folder is
shared, the next worker waits for the lease and goes on from the last snapshot.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonic_sb3.campaign.cell_run import CellRun, ProcessOptions, store
from sonic_sb3.campaign.cells import Cell, State, make_cells
from sonic_sb3.campaign.definition import make_plans, parse_experiment_text
from sonic_sb3.campaign.leases import Lease, take_lease, take_results_lease
from sonic_sb3.campaign.local import Grid
from sonic_sb3.campaign.places import Places, make_places
from sonic_sb3.campaign.view import View
from sonic_sb3.errors import SettingsError, SonicError
from sonic_sb3.stop_signals import StopRequest

if TYPE_CHECKING:
    from distributed import Client, Future

_POLL_S = 0.5
_CONNECT_S = 15.0
_STOP_PATIENCE_S = 90.0
_MAX_LOSSES = 3


@dataclass(frozen=True)
class ClusterJob:
    """
    What every worker is told, as plain data.

    :param definition: Where ``experiment.yml`` lies, for paths in it.
    :param text: What it holds.
    :param log_folder: Absolute.
    :param scale: Of the budgets.
    :param options: Of :class:`ProcessOptions`.
    :param stop_name: Of the event that asks all workers to stop.
    """

    definition: str
    text: str
    log_folder: str
    scale: float
    options: Mapping[str, Any]
    stop_name: str


@dataclass(frozen=True)
class Task:
    """
    A cell that was given to the cluster.

    :param future: Its outcome.
    :param lease: On its results, so that no other campaign gives it away too.
    """

    future: Future
    lease: Lease


def make_job(places: Places, log_folder: Path, scale: float, options: ProcessOptions) -> ClusterJob:
    """
    Describe a campaign to its workers.

    :param places: The experiment's.
    :param log_folder: Where run folders are made.
    :param scale: Of the budgets.
    :param options: How processes are started.
    """
    return ClusterJob(
        definition=str(places.definition.resolve()),
        text=places.definition.read_text(encoding="utf-8"),
        log_folder=str(log_folder.resolve()),
        scale=scale,
        options=asdict(options),
        stop_name=f"sonic_sb3-stop-{uuid.uuid4().hex}",
    )


def run_on_cluster(
    grid: Grid, address: str, job: ClusterJob, view: View, request: StopRequest
) -> None:
    """
    Work until every cell is done, failed, outdated or blocked, or until a signal came.

    :param grid: What to do.
    :param address: Of the scheduler, such as ``tcp://host:8786``.
    :param job: What workers are told.
    :param view: Who is told.
    :param request: Whether to stop.
    :raises SettingsError: Dask is missing, or there is no scheduler.
    """
    client = _connect(address)
    try:
        _run(grid, client, job, view, request)
    finally:
        client.close()


def _connect(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        raise SettingsError(
            "--scheduler needs Dask: install it with `pip install 'sonic_sb3[cluster]'`"
        ) from error
    try:
        return Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(
            f"--scheduler: expected a Dask scheduler at {address} ({error}); start one with "
            "`dask scheduler`, workers with `dask worker ADDRESS`"
        ) from error


def _run(grid: Grid, client: Client, job: ClusterJob, view: View, request: StopRequest) -> None:
    from distributed import Event

    tasks: dict[tuple[str, int], Task] = {}
    losses: Counter[tuple[str, int]] = Counter()
    stop = Event(job.stop_name, client=client)
    try:
        while request.number is None:
            is_waiting = _submit_more(grid, client, job, tasks, view)
            if not tasks and not is_waiting:
                return
            _collect(grid, tasks, losses, view)
            time.sleep(_POLL_S)
    finally:
        stop.set()
    deadline_s = time.monotonic() + _STOP_PATIENCE_S
    while tasks and time.monotonic() < deadline_s:
        _collect(grid, tasks, losses, view)
        waiting = [key for key, task in tasks.items() if not _is_processing(client, task.future)]
        for key in waiting:
            task = tasks.pop(key)
            task.future.cancel()
            task.lease.release()
        time.sleep(_POLL_S)


def _is_processing(client: Client, future: Future) -> bool:
    """Whether some worker has begun it; what only waits in a queue need not be waited for."""
    processing = client.processing()
    return any(str(future.key) in map(str, keys) for keys in processing.values())


def _submit_more(
    grid: Grid,
    client: Client,
    job: ClusterJob,
    tasks: dict[tuple[str, int], Task],
    view: View,
) -> bool:
    """:returns: Whether another campaign works on a cell that is to be waited for."""
    is_waiting = False
    for cell in grid.cells:
        if cell.key in tasks:
            continue
        if not _is_wanted(cell, cell.state(), grid):
            continue
        lease = take_results_lease(cell.results)
        if lease is None:
            view.note_held(cell)
            is_waiting = True
            continue
        # Somebody may have finished it between the look and the lease.
        if not _is_wanted(cell, cell.state(is_mine=True), grid):
            lease.release()
            continue
        grid.begin(cell)
        view.tell(cell, "given to the cluster")
        arm, seed = cell.key
        future = client.submit(
            work_on_cell,
            asdict(job),
            arm,
            seed,
            key=f"{job.stop_name}-{arm}-{seed}-{uuid.uuid4().hex}",
            pure=False,
        )
        tasks[cell.key] = Task(future, lease)
    return is_waiting


def _is_wanted(cell: Cell, state: State, grid: Grid) -> bool:
    # On a cluster the agent to start from may lie on the workers' disk alone.
    if cell.plan.init_from is not None and grid.parent(cell).state() is not State.DONE:
        return False
    if state is State.FAILED:
        return grid.retries and not grid.was_begun(cell)
    return state in (State.WAITING, State.STOPPED, State.RUNNING)


def _collect(
    grid: Grid,
    tasks: dict[tuple[str, int], Task],
    losses: Counter[tuple[str, int]],
    view: View,
) -> None:
    for cell in grid.cells:
        task = tasks.get(cell.key)
        if task is None or not task.future.done():
            continue
        del tasks[cell.key]
        outcome = _outcome(task.future)
        failure = outcome.get("failure")
        for note in outcome.get("notes", ()):
            view.tell(cell, note)
        is_stored = False
        if outcome.get("files"):
            try:
                store(cell, outcome["files"])
                is_stored = True
            except SonicError as error:
                failure = str(error)
        if failure:  # before the lease ends, or another campaign would try it again
            cell.write_failure(failure)
        task.lease.release()
        if is_stored:
            view.tell_done(cell)
        elif not failure and outcome.get("is_lost"):
            losses[cell.key] += 1
            if losses[cell.key] > _MAX_LOSSES:
                failure = f"the cluster lost it {losses[cell.key]} times"
            else:
                view.tell(cell, "the cluster lost it, it goes on from its snapshot")
        elif not failure:
            view.tell(cell, "stopped, goes on from its snapshot next time")
        if failure:
            view.tell(cell, f"failed: {failure}")


def _outcome(future: Future) -> dict[str, Any]:
    if future.status == "finished":
        result: dict[str, Any] = future.result()
        return result
    if future.status in ("cancelled", "lost"):  # so it is after the scheduler was out of reach
        return {"is_lost": True}
    error = future.exception()
    return {"failure": f"on the cluster: {' '.join(f'{type(error).__name__}: {error}'.split())}"}


def work_on_cell(job_data: Mapping[str, Any], arm: str, seed: int) -> dict[str, Any]:
    """
    On a worker: do one cell.

    :param job_data: Of :class:`ClusterJob`.
    :param arm: Which arm.
    :param seed: Which seed.
    :returns: Plain data: ``files`` (contents by name), or ``failure``, or neither when stopped.
    """
    from distributed import Event

    job = ClusterJob(**job_data)
    event = Event(job.stop_name)
    try:
        grid = _rebuild_grid(job)
        cell = next(cell for cell in grid.cells if cell.key == (arm, seed))
        return _work(cell, grid, ProcessOptions(**job.options), event.is_set)
    except SonicError as error:
        return {"failure": str(error)}


def _rebuild_grid(job: ClusterJob) -> Grid:
    definition = Path(job.definition)
    experiment = parse_experiment_text(job.text, str(definition))
    plans = make_plans(experiment, definition.parent, job.scale, str(definition))
    places = make_places(definition, Path(job.log_folder), job.scale)
    return Grid(make_cells(experiment, plans, places))


def _work(
    cell: Cell, grid: Grid, options: ProcessOptions, is_stopped: Callable[[], bool]
) -> dict[str, Any]:
    while (lease := take_lease(cell.folder)) is None:
        # The processes of a worker that died save and end, then the lease is free. A run of a
        # campaign that was killed goes on without it, and is collected when it is finished.
        if is_stopped():
            return {}
        time.sleep(_POLL_S)
    start = grid.start(cell)
    if cell.plan.init_from is not None and start is None:
        lease.release()
        return {"failure": f"needs the run folder of {grid.parent(cell)}: share the log folder"}
    run = CellRun(cell, lease, options, start, stores=False)
    has_ended = False
    try:
        while not (has_ended := run.poll()) and not is_stopped():
            time.sleep(_POLL_S)
    finally:  # also when the scheduler is out of reach: no process without a task
        if not has_ended:
            run.stop()
            run.wait_stopped()
    return {"files": run.files, "failure": run.failure, "notes": run.notes}
