"""
Compact results: what comparisons read of a run, small enough for a repository.

A folder with the same names as a run folder and fewer files: ``manifest.json``,
``0.monitor.csv.gz``, ``evaluations.npz`` where there is one, ``evaluation.json``; of an arm's first
seed also a small ``video.mp4``.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sonic_sb3.arm_names import run_of_experiment
from sonic_sb3.episode_tables import episodes_of_evaluation
from sonic_sb3.errors import RunFolderError
from sonic_sb3.run_folder import RunFolder
from sonic_sb3.video_size import shrink_video

MONITOR = "0.monitor.csv.gz"
_MAX_EVALUATION_BYTES = 50_000_000
_SECONDS_COLUMN = "t"
# Metrics of experiments that tables of episodes call otherwise.
_MEASURES = {"completion_rate": "completion", "completion_time_s": "game_time_s"}


def compact_files(run: RunFolder, *, with_video: bool = False) -> dict[str, bytes]:
    """
    The files of a run's compact results, the same bytes for the same run.

    :param run: A finished run.
    :param with_video: Its video too, made small.
    :raises RunFolderError: One of them cannot be read.
    :raises WorkerError: The video cannot be encoded.
    """
    try:
        files = {run.manifest.name: _without_folder(run.manifest.read_bytes())}
        if run.monitor.is_file():
            rows = _shorten_monitor(run.monitor.read_text(encoding="utf-8"))
            files[MONITOR] = gzip.compress(rows.encode(), mtime=0)
        for path in (run.evaluations, run.evaluation):
            if path.is_file():
                files[path.name] = path.read_bytes()
        if with_video and run.video.is_file():
            files[run.video.name] = shrink_video(run.video)
    except (OSError, ValueError, csv.Error) as error:
        raise RunFolderError(f"cannot read the results of {run.path}: {error}") from error
    return files


def write_compact_results(folder: Path, files: Mapping[str, bytes]) -> None:
    """
    Make or replace a folder of compact results; it is there whole or not at all.

    :param folder: ``results/ARM/seed_K``.
    :param files: Contents by name.
    :raises RunFolderError: It cannot be written.
    """
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        for left_over in folder.parent.glob(f".{folder.name}.*"):  # of a process that was killed
            if left_over.is_dir():  # the lease beside it is a file
                shutil.rmtree(left_over, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        for name, contents in files.items():
            with (temporary / name).open("wb") as file:
                file.write(contents)
                file.flush()
                os.fsync(file.fileno())
        temporary.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    except OSError as error:
        raise RunFolderError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def read_evaluation(path: Path) -> dict[str, Any] | None:
    """
    An ``evaluation.json`` as a mapping with the lists and mappings that it should have.

    :param path: The file.
    :returns: ``None`` where there is none that can be used.
    """
    try:
        if path.stat().st_size > _MAX_EVALUATION_BYTES:
            return None
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    episodes = data.get("episodes")
    if not isinstance(episodes, list) or not all(isinstance(e, dict) for e in episodes):
        return None
    return data


def metric_value(evaluation: Mapping[str, Any], metric: str) -> float | None:
    """
    A mean over an evaluation's episodes, as reports have it; its summary may be edited.

    :param evaluation: As :func:`read_evaluation` gives it.
    :param metric: Its name.
    :returns: ``None`` where an episode lacks it, or has no finite number there.
    """
    values = episodes_of_evaluation(evaluation["episodes"], Path()).values
    column = values.get(_MEASURES.get(metric, metric), np.zeros(0))
    if metric == "completion_time_s" and len(column):
        column = column[values.get("completion", np.full(len(column), np.nan)) == 1]
    return float(column.mean()) if len(column) and np.isfinite(column).all() else None


def _without_folder(manifest: bytes) -> bytes:
    """Results are made to be published; where somebody keeps their logs is nobody's business."""
    data = json.loads(manifest)
    if isinstance(data, dict) and isinstance(data.get("command"), str):
        words = shlex.split(data["command"])
        for option in {"-f", "--log-folder"} & set(words):
            place = words.index(option)
            del words[place : place + 2]
        for option in {"-i", "--init-run"} & set(words):
            place = words.index(option) + 1
            words[place : place + 1] = map(run_of_experiment, words[place : place + 1])
        data["command"] = shlex.join(words)
    if isinstance(data, dict):
        settings, resumed = data.get("settings"), data.get("resumed")
        if isinstance(settings, dict) and isinstance(settings.get("init_run"), str):
            settings["init_run"] = run_of_experiment(settings["init_run"])
        for entry in resumed if isinstance(resumed, list) else ():
            if isinstance(entry, dict):
                entry.pop("command", None)
    return (json.dumps(data, indent=2) + "\n").encode()


def _shorten_monitor(text: str) -> str:
    """Whole rows alone, seconds since the start with one decimal."""
    rows = list(csv.reader(io.StringIO(text)))
    first = 1 if rows and rows[0] and rows[0][0].startswith("#") else 0
    names = rows[first] if len(rows) > first else []
    column = names.index(_SECONDS_COLUMN) if _SECONDS_COLUMN in names else None
    out = io.StringIO()
    if first:
        out.write(text[: text.index("\n") + 1])
    writer = csv.writer(out, lineterminator="\n")
    for number, row in enumerate(rows[first:]):
        if len(row) != len(names):
            continue
        if number and column is not None:
            row[column] = f"{float(row[column]):.1f}"
        writer.writerow(row)
    return out.getvalue()
