"""The learning curve of one run as a picture."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt

from sonic_sb3.atomic_files import write_bytes
from sonic_sb3.errors import RunFolderError
from sonic_sb3.monitor_files import RETRY_COLUMN
from sonic_sb3.strange_files import read_file

_WINDOW_EPISODES = 50
_MAX_MONITOR_BYTES = 2_000_000_000


def read_monitor(path: Path) -> dict[str, list[str]]:
    """
    Read a monitor file's columns as text; a last row that was cut off is left out.

    :param path: A ``*.monitor.csv``.
    :raises RunFolderError: It is missing, or no such file.
    """
    try:
        text = read_file(path, _MAX_MONITOR_BYTES).decode()
        if text.startswith("#"):
            text = text.partition("\n")[2]
        reader = csv.reader(io.StringIO(text, newline=""))
        names = next(reader, [])
        rows = [row for row in reader if len(row) == len(names)]
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, csv.Error) as error:
        raise RunFolderError(f"{path}: expected SB3's monitor file, a CSV ({error})") from error
    return {name: [row[k] for row in rows] for k, name in enumerate(names)}


def _read_numbers(columns: dict[str, list[str]], name: str, path: Path) -> npt.NDArray[np.float64]:
    try:
        return np.array(columns.get(name, []), dtype=np.float64)
    except ValueError as error:
        raise RunFolderError(f"{path}: {name}: expected numbers ({error})") from error


def plot_learning_curve(monitor: Path, picture: Path, title: str) -> None:
    """
    Draw progress (where the game has it) and return over timesteps.

    :param monitor: The run's monitor file.
    :param picture: The PNG to make or replace.
    :param title: Above it.
    """
    columns = read_monitor(monitor)
    lengths = _read_numbers(columns, "l", monitor)
    # Retries are timesteps, and no episodes from a level's start.
    is_whole = ~_are_true(columns, RETRY_COLUMN, len(lengths))
    timesteps = np.cumsum(lengths)[is_whole]
    has_progress = "progress" in columns
    panels = [("progress", "progress at the episode's end")] if has_progress else []
    panels.append(("r", "return"))
    figure, axes = plt.subplots(len(panels), 1, figsize=(8, 3 * len(panels)), sharex=True)
    for axis, (name, label) in zip(np.atleast_1d(axes), panels, strict=True):
        values = _read_numbers(columns, name, monitor)[is_whole]
        axis.plot(timesteps, values, ".", markersize=3, alpha=0.3, color="tab:blue")
        axis.plot(timesteps, _running_mean(values), color="tab:blue", label="mean of 50 episodes")
        if name == "progress":
            success = _are_true(columns, "is_success", len(lengths))[is_whole].astype(float)
            axis.plot(timesteps, _running_mean(success), color="tab:green", label="completed")
            axis.set_ylim(-0.02, 1.02)
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        axis.legend(loc="best", fontsize="small")
    np.atleast_1d(axes)[-1].set_xlabel("timesteps")
    figure.suptitle(title)
    figure.tight_layout()
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=120, metadata={"Software": ""})
    plt.close(figure)
    write_bytes(picture, png.getbuffer())


def _are_true(columns: dict[str, list[str]], name: str, n_rows: int) -> npt.NDArray[np.bool_]:
    """All false where there is no such column."""
    return np.array([text == "True" for text in columns.get(name, [""] * n_rows)], dtype=bool)


def _running_mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean of each value and those before it, at most a window of them."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - _WINDOW_EPISODES)
    means: npt.NDArray[np.float64] = (sums[ends] - sums[starts]) / (ends - starts)
    return means
