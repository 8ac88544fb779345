"""Works on one cell: train (or go on training), evaluate, write compact results; in processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sonic_sb3.campaign.cells import Cell
from sonic_sb3.campaign.leases import Lease
from sonic_sb3.campaign.results import compact_files, write_compact_results
from sonic_sb3.errors import RunFolderError, SonicError
from sonic_sb3.run_folder import RunFolder

_LAUNCHER = Path(__file__).with_name("dies_with_parent.py")
_RUN_MODULE = [sys.executable, "-m"]
_MAX_KILLS = 3
_LOG_TAIL_BYTES = 20_000
_STOP_PATIENCE_S = 60.0
_UNPRINTABLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x1f\x7f-\x9f]")
_TIMESTEPS_IN_TABLE = re.compile(r"total_timesteps\s*\|\s*(\d+)")


@dataclass(frozen=True)
class ProcessOptions:
    """
    How the processes of a run are started; only ``num_threads`` and ``device`` change its result.

    :param num_threads: Of torch.
    :param n_env_workers: Env processes at most: envs that share one are slower, 80 MB each.
    :param device: As torch names it.
    """

    num_threads: int = 1
    n_env_workers: int = 16
    device: str = "auto"


class CellRun:
    """
    The work on one cell, step by step; :meth:`poll` is called until it gives an outcome.

    :param cell: What to do.
    :param lease: The right to do it; released at the end.
    :param options: How.
    :param start: The run whose agent training starts from.
    :param stores: Keep the results here; ``False`` where somebody else does.
    """

    def __init__(
        self,
        cell: Cell,
        lease: Lease,
        options: ProcessOptions,
        start: RunFolder | None = None,
        *,
        stores: bool = True,
    ) -> None:
        self.cell = cell
        self.failure: str | None = None
        self.files: dict[str, bytes] | None = None
        self.notes: list[str] = []
        self._lease = lease
        self._options = options
        self._start = start
        self._stores = stores
        self._process: subprocess.Popen[bytes] | None = None
        self._n_kills = 0
        self._has_evaluated = False
        self._is_stopping = False

    def poll(self) -> bool:
        """
        Go on as far as possible without waiting.

        :returns: Whether it has ended: with ``files``, with ``failure``, or stopped.
        """
        status = None if self._process is None else self._process.poll()
        if self._process is not None and status is None:
            return False
        self._process = None
        if self._is_stopping:
            return self._end()
        if status:
            return self._handle_failure(status)
        try:
            arguments = self._next_step()
            if arguments is not None:
                self._begin(arguments)
                return False
            run = self.cell.find_run()
            assert run is not None  # _next_step found it finished
            self.files = compact_files(run, with_video=self.cell.shows_video)
            if self._stores:  # before the lease ends, or another campaign finds the cell undone
                store(self.cell, self.files)
        except SonicError as error:
            self._fail(str(error))
        return self._end()

    def stop(self) -> None:
        """Ask the process to save and end; :meth:`poll` tells when it has."""
        self._is_stopping = True
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait_stopped(self, timeout_s: float = _STOP_PATIENCE_S) -> None:
        """Wait for a stopped process; one that takes too long is killed with its children."""
        if self._process is not None:
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self.poll()

    def _next_step(self) -> list[str] | None:
        """Arguments of the next command; ``None`` when all is done."""
        cell = self.cell
        run = cell.find_run()
        if run is None:
            cell.remove_false_starts()
            return train_arguments(cell, self._options, self._start)
        if not cell.is_trained(run):
            return ["sonic_sb3.train", "--resume", str(run.path), "--verbose", "1", "--no-progress"]
        if cell.evaluation_difference(run.path) is not None:
            if self._has_evaluated:
                difference = cell.evaluation_difference(run.path)
                raise RunFolderError(f"the evaluation is not the one asked for: {difference}")
            self._has_evaluated = True
            return evaluate_arguments(cell, self._options, run)
        return None

    def _begin(self, arguments: list[str]) -> None:
        command = [*_RUN_MODULE, *arguments]
        launcher = [sys.executable, "-I", str(_LAUNCHER), str(os.getpid())]
        try:
            with self.cell.log.open("ab") as log:
                log.write(f"$ python -m {' '.join(arguments)}\n".encode())
                log.flush()
                self._process = subprocess.Popen(
                    [*launcher, *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C reaches the campaign alone, which passes it on
                    pass_fds=[self._lease.descriptor],
                )
        except OSError as error:
            raise RunFolderError(f"cannot start {command[0]}: {error}") from error

    def _handle_failure(self, status: int) -> bool:
        # A train that is asked to end saves and says so with 128 + signal.
        number = -status if status < 0 else status - 128
        if (status < 0 or number in (signal.SIGINT, signal.SIGTERM)) and self._n_kills < _MAX_KILLS:
            self._n_kills += 1
            name = signal.Signals(number).name
            how = "killed" if status < 0 else "ended"
            self.notes.append(f"{how} by {name}, goes on ({self._n_kills} of {_MAX_KILLS})")
            self._has_evaluated = False
            return False  # the next poll starts it again, from its last snapshot
        ending = signal.Signals(-status).name if status < 0 else f"status {status}"
        words = last_words(self.cell.log)
        self._fail(f"ended with {ending}: {words}" if words else f"ended with {ending}")
        return self._end()

    def _fail(self, reason: str) -> None:
        self.failure = " ".join(reason.split())
        self.cell.write_failure(self.failure)

    def _end(self) -> bool:
        self._lease.release()
        return True


def n_timesteps_done(cell: Cell) -> int:
    """How far training is, as its own process tells; 0 where it does not."""
    found = _TIMESTEPS_IN_TABLE.findall(_tail(cell.log))
    return min(int(found[-1]), cell.plan.n_timesteps) if found else 0


def train_arguments(
    cell: Cell, options: ProcessOptions, start: RunFolder | None = None
) -> list[str]:
    """
    The train command of a cell, without ``python -m``.

    :param cell: What to train.
    :param options: How.
    :param start: The run whose agent it starts from.
    """
    plan = cell.plan
    arguments = ["sonic_sb3.train", "--algo", plan.algo, "--env", plan.game]
    arguments += ["--levels", *plan.levels, "-n", str(plan.n_timesteps), "--seed", str(cell.seed)]
    if plan.conf_file is not None:
        arguments += ["--conf-file", _short_path(plan.conf_file)]
    if plan.overrides:
        arguments += ["-params", *(f"{k}:{_as_yaml(v)}" for k, v in plan.overrides.items())]
    if start is not None:
        arguments += ["-i", str(start.path)]
    n_workers = min(plan.hyperparameters.n_envs, options.n_env_workers)
    arguments += ["--num-threads", str(options.num_threads), "--n-workers", str(n_workers)]
    arguments += ["--eval-freq", str(plan.evaluation.eval_freq)]
    arguments += ["--eval-episodes", str(plan.evaluation.eval_episodes)]
    arguments += ["--device", options.device, "-f", str(cell.folder)]
    return [*arguments, "--verbose", "1", "--no-progress"]


def evaluate_arguments(cell: Cell, options: ProcessOptions, run: RunFolder) -> list[str]:
    """The evaluate command of a cell's trained run, without ``python -m``."""
    plan = cell.plan
    return [
        "sonic_sb3.evaluate",
        str(run.path),
        "-n",
        str(plan.evaluation.n_episodes),
        "--levels",
        *plan.evaluation_levels,
        "--seed",
        str(cell.evaluation_seed),
        "--num-threads",
        str(options.num_threads),
        "--video",
    ]


def store(cell: Cell, files: Mapping[str, bytes]) -> None:
    """
    Write a finished cell's compact results and forget that it ever failed.

    :raises RunFolderError: They cannot be written.
    """
    write_compact_results(cell.results, files)
    cell.failure.unlink(missing_ok=True)


def last_words(log: Path) -> str:
    """What the last command printed at its end, in one line without control characters."""
    text = _tail(log).rpartition("\n$ ")[2]
    lines = [_UNPRINTABLE.sub("", line).strip() for line in text.splitlines()[1:]]
    lines = [line for line in lines if line]
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines or [""])[-1].removeprefix("error: ")[:400]


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _LOG_TAIL_BYTES))
            return "\n" + file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _short_path(path: Path) -> str:
    """Relative to here where it lies below: commands are kept in manifests, and shared."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _as_yaml(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1_000_000)
    return text.strip().removesuffix("...").strip()
