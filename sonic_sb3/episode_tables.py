"""Episodes as columns of numbers, whether they come from training or from an evaluation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sonic_sb3.array_files import read_arrays
from sonic_sb3.errors import RunFolderError
from sonic_sb3.monitor_files import RETRY_COLUMN, MonitorRows
from sonic_sb3.plain_text import one_line

Column = npt.NDArray[np.float64]
# Beyond them a number is damage: sums and squares of it would overflow.
_MAX_TIMESTEPS = 10**12
_MAX_EPISODE_TIMESTEPS = 10**9
_MAX_VALUE = 1e30
# Measure -> column of the monitor file, key of an evaluation's episode.
_SOURCES = {
    "completion": ("is_success", "is_success"),
    "progress": ("progress", "progress"),
    "contest_score": ("contest_score", "contest_score"),
    "episode_return": ("r", "episode_return"),
    "game_time_s": ("game_time_s", "game_time_s"),
    "x": ("x", "x"),
    "y": ("y", "y"),
    "n_timesteps": ("l", "n_timesteps"),
}
UNKNOWN_LEVEL = "unknown level"
_TRUTH = {"True": 1.0, "False": 0.0, "": np.nan, "None": np.nan}


@dataclass(frozen=True)
class EpisodeTable:
    """
    Episodes in their order; a value that the game does not have is NaN.

    :param path: The file they come from; ``None`` of an empty table.
    :param level: (n_episodes,) names.
    :param end_reason: (n_episodes,) why each ended.
    :param values: Measure -> (n_episodes,); only those that at least one episode has.
    :param action_counts: (n_episodes, n_actions); ``None`` where not recorded.
    :param timesteps: (n_episodes,) lengths of the episodes ended so far, added up.
    :param seconds: (n_episodes,) wall-clock seconds of training at each end; NaN in evaluations.
    """

    path: Path | None
    level: npt.NDArray[np.str_]
    end_reason: npt.NDArray[np.str_]
    values: dict[str, Column]
    action_counts: Column | None
    timesteps: Column
    seconds: Column

    def __len__(self) -> int:
        return len(self.timesteps)

    @classmethod
    def empty(cls) -> EpisodeTable:
        """No episode at all."""
        none = np.zeros(0)
        return cls(None, np.zeros(0, "U1"), np.zeros(0, "U1"), {}, None, none, none)


@dataclass(frozen=True)
class EvaluationHistory:
    """
    Evaluations during training.

    :param path: The file.
    :param timesteps: (n_evaluations,).
    :param values: Measure -> (n_evaluations, n_episodes).
    """

    path: Path
    timesteps: Column
    values: dict[str, Column]


def episodes_of_monitor(rows: MonitorRows) -> tuple[EpisodeTable, int]:
    """
    Columns of a monitor file as numbers.

    Retries count as timesteps, and are no episodes: they begin in the middle of a level.

    :param rows: As read.
    :returns: The episodes, and how many rows were left out because a number in them is none.
    """
    columns = rows.columns
    numbers = {
        measure: _to_numbers(columns[name])
        for measure, (name, _) in _SOURCES.items()
        if name in columns
    }
    seconds = _to_numbers(columns.get("t", []))
    n_rows = len(next(iter(columns.values()), []))
    lengths = numbers.get("n_timesteps", np.full(n_rows, np.nan))
    kept = np.isfinite(lengths) & (lengths > 0) & (lengths <= _MAX_EPISODE_TIMESTEPS)
    if len(seconds) != n_rows:
        seconds = np.full(n_rows, np.nan)
    counts = _parse_counts(columns.get("action_counts", []), n_rows)
    if counts is not None:
        kept &= np.isfinite(counts).all(axis=1)
    n_damaged = int(n_rows - kept.sum())
    timesteps = np.cumsum(np.where(kept, lengths, 0.0))
    kept &= _texts(columns.get(RETRY_COLUMN), n_rows) != "True"
    table = EpisodeTable(
        path=rows.path,
        level=_texts(columns.get("level"), n_rows)[kept],
        end_reason=_texts(columns.get("end_reason"), n_rows)[kept],
        values=_present({name: column[kept] for name, column in numbers.items()}),
        action_counts=None if counts is None else counts[kept],
        timesteps=timesteps[kept],
        seconds=seconds[kept],
    )
    return table, n_damaged


def without_pauses(seconds: Column, resumes: Sequence[float]) -> Column:
    """
    Wall-clock seconds of training without the time in which a stopped run waited.

    :param seconds: (n_episodes,) since the start.
    :param resumes: When it was gone on with, in the same seconds; from the last episode before to
        that moment it counts as waiting.
    """
    running = seconds.copy()
    counted_until = 0.0  # two stops without an episode between them are one after the other
    for at in sorted(at for at in resumes if at > 0):
        last_episode = float(np.max(seconds[seconds < at], initial=0.0))
        running[seconds >= at] -= at - max(last_episode, counted_until)
        counted_until = at
    return running


def episodes_of_evaluation(episodes: Sequence[dict[str, Any]], path: Path) -> EpisodeTable:
    """
    The episodes that ``evaluation.json`` lists.

    :param episodes: As read.
    :param path: The file.
    :raises ValueError: They are not what an evaluation writes.
    """
    if not isinstance(episodes, list) or not all(isinstance(e, dict) for e in episodes):
        raise ValueError("expected a list of episodes")
    n = len(episodes)
    columns = {
        measure: np.array([_number(episode.get(key)) for episode in episodes])
        for measure, (_, key) in _SOURCES.items()
    }
    counts = [episode.get("action_counts") for episode in episodes]
    return EpisodeTable(
        path=path,
        level=_texts([episode.get("level") or UNKNOWN_LEVEL for episode in episodes], n),
        end_reason=_texts([episode.get("end_reason", "") for episode in episodes], n),
        values=_present(columns),
        action_counts=_parse_counts([json.dumps(c) for c in counts], n),
        timesteps=np.cumsum(np.nan_to_num(columns["n_timesteps"])),
        seconds=np.full(n, np.nan),
    )


def read_history(path: Path) -> EvaluationHistory:
    """
    Read ``evaluations.npz``.

    :param path: The file, in the format of SB3's EvalCallback.
    :raises RunFolderError: It is damaged or something else.
    """
    names = {
        "results": "episode_return",
        "successes": "completion",
        "contest_scores": "contest_score",
        "progress": "progress",
    }
    arrays = read_arrays(path)
    if "timesteps" not in arrays:
        raise RunFolderError(f"{path.name}: expected an array timesteps")
    timesteps = np.atleast_1d(arrays["timesteps"].astype(np.float64))
    if not ((timesteps >= 0) & (timesteps <= _MAX_TIMESTEPS)).all():
        raise RunFolderError(f"{path.name}: expected timesteps of 0 to {_MAX_TIMESTEPS:,}")
    values = {
        measure: arrays[name].astype(np.float64)
        for name, measure in names.items()
        if name in arrays
    }
    for table in values.values():
        if table.ndim != 2 or len(table) != len(timesteps) or table.shape[1] == 0:
            raise RunFolderError(f"{path.name}: expected a row of episodes per evaluation")
        if not (np.abs(table) <= _MAX_VALUE).all():
            raise RunFolderError(f"{path.name}: expected finite numbers")
    return EvaluationHistory(path, timesteps, values)


def _to_numbers(texts: Sequence[str]) -> Column:
    return np.array([_number(_TRUTH.get(text, text)) for text in texts], dtype=np.float64)


def _number(value: Any) -> float:
    try:
        number = float(np.nan if value is None else value)
    except (TypeError, ValueError, OverflowError):
        return np.nan
    return number if abs(number) <= _MAX_VALUE else np.nan


def _present(columns: dict[str, Column]) -> dict[str, Column]:
    """Those that hold a number; what was completed is 0 or 1."""
    completion = columns.get("completion")
    if completion is not None:
        completion[(completion != 0) & (completion != 1)] = np.nan
    return {name: column for name, column in columns.items() if np.isfinite(column).any()}


def _texts(values: Sequence[Any] | None, n: int) -> npt.NDArray[np.str_]:
    return np.array([one_line(v) for v in values] if values else [""] * n, dtype=np.str_)


def _parse_counts(texts: Sequence[str], n: int) -> Column | None:
    """Rows of counts; a row that cannot be read, or has another length, is NaN."""
    rows = [_count_row(text) for text in texts]
    lengths = [len(row) for row in rows if row]
    if len(rows) != n or not lengths:
        return None
    width = max(set(lengths), key=lambda length: (lengths.count(length), length))
    blank = [np.nan] * width
    return np.array([row if len(row) == width else blank for row in rows], dtype=np.float64)


def _count_row(text: str) -> list[float]:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [_number(value) for value in row] if isinstance(row, list) else []
