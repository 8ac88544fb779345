"""
One run read back for comparing: a run folder, or the compact results of an experiment.

A compact result is a folder with some of a run folder's files under the same names:
``manifest.json``, ``0.monitor.csv`` (or ``.gz``), ``evaluations.npz``, ``evaluation.json``. Needs
neither torch nor an emulator; nothing in a folder is executed or unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from sonic_sb3.algorithm_settings import EnvKwargs
from sonic_sb3.episode_tables import (
    UNKNOWN_LEVEL,
    EpisodeTable,
    EvaluationHistory,
    episodes_of_evaluation,
    episodes_of_monitor,
    read_history,
    without_pauses,
)
from sonic_sb3.errors import RunFolderError
from sonic_sb3.monitor_files import find_monitor, read_monitor_rows
from sonic_sb3.plain_text import one_line
from sonic_sb3.run_folder import RunFolder, open_run_folder

_MAX_EVALUATION_BYTES = 200_000_000
_MAX_SECONDS = 1e12
_MAX_EPISODE_STEPS: int = EnvKwargs.model_fields["max_episode_steps"].default


@dataclass(frozen=True)
class RunRecord:
    """
    What one run left behind, as far as comparisons need it.

    :param path: Its folder.
    :param arm: The name of what was tried; runs that differ in nothing but the seed share it.
    :param label: The run within its arm, for tables: its seed, where that tells it from others.
    :param env_id: The game.
    :param manifest: As read: settings, hyperparameters, versions.
    :param training: The episodes of training, in the order in which they ended.
    :param history: Evaluations during training; ``None`` where there were none.
    :param final: The episodes of the evaluation at the end; ``None`` where there was none.
    :param final_facts: How that evaluation was made.
    :param notes: What was missing or left out, in words.
    :param is_whole: Its training has ended, and its monitor file tells of it to the end.
    """

    path: Path
    arm: str
    label: str
    env_id: str
    manifest: Mapping[str, Any]
    training: EpisodeTable
    history: EvaluationHistory | None = None
    final: EpisodeTable | None = None
    final_facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    is_whole: bool = True

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the run was asked to do."""
        settings: Mapping[str, Any] = self.manifest["settings"]
        return settings

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """What it did it with; empty where the manifest has none."""
        written = self.manifest.get("hyperparameters")
        return written if isinstance(written, Mapping) else {}

    @property
    def env_kwargs(self) -> Mapping[str, Any]:
        """Settings of its envs that were not left at their defaults."""
        written = self.hyperparameters.get("env_kwargs")
        return written if isinstance(written, Mapping) else {}

    @property
    def algo(self) -> str:
        """The algorithm."""
        return str(self.settings.get("algo", "?"))

    @property
    def seed(self) -> int | None:
        """The seed; ``None`` where the manifest does not tell."""
        seed = self.settings.get("seed")
        return seed if isinstance(seed, int) else None

    @property
    def started_s(self) -> float:
        """When it was started, seconds since 1970; 0 where the manifest does not tell."""
        return _seconds_since_1970(self.manifest.get("started_at")) or 0.0


def load_record(path: Path, arm: str = "") -> RunRecord:
    """
    Read one run.

    :param path: A run folder or a compact result.
    :param arm: Its arm's name.
    :raises RunFolderError: There is no run, or its manifest cannot be read.
    """
    folder = open_run_folder(path)
    notes: list[str] = []
    manifest = folder.read_manifest()
    training = _read_training(folder, resume_times(manifest), notes)
    history = _read_history(folder, notes)
    final, facts = _read_final(folder, notes)
    if len(training) == 0 and final is None and history is None:
        notes.append("the run is empty: neither an episode of training nor an evaluation")
    record = RunRecord(
        path=path,
        arm=arm,
        label=_seed_label(manifest) or one_line(path.name),
        env_id=folder.env_id,
        manifest=manifest,
        training=training,
        history=history,
        final=final,
        final_facts=facts,
        notes=tuple(notes),
    )
    return record if _knows_all_training(record) else _as_partial(record)


def _knows_all_training(record: RunRecord) -> bool:
    """Whether training has ended and its episodes are known, but for those then under way."""
    if len(record.training) == 0:
        return True
    if "finished_at" not in record.manifest:
        return False
    trained = record.manifest.get("n_timesteps_trained")
    n_envs = record.hyperparameters.get("n_envs", 1)
    longest = record.env_kwargs.get("max_episode_steps", _MAX_EPISODE_STEPS)
    if not (isinstance(trained, int) and isinstance(n_envs, int) and isinstance(longest, int)):
        return True
    return bool(trained - int(record.training.timesteps[-1]) <= n_envs * longest)


def _as_partial(record: RunRecord) -> RunRecord:
    asked = record.settings.get("n_timesteps")
    of = f" of {asked:,}" if isinstance(asked, int) else ""
    seen = f"{int(record.training.timesteps[-1]):,}{of}"
    note = (
        "its training has not ended, or its monitor file is cut off: it is known up to timestep "
        f"{seen}, and beside whole runs of its arm that does not count"
    )
    return replace(record, is_whole=False, notes=(*record.notes, note))


def _seed_label(manifest: Mapping[str, Any]) -> str:
    seed = manifest["settings"].get("seed")
    return f"seed {seed}" if isinstance(seed, int) else ""


def resume_times(manifest: Mapping[str, Any]) -> list[float]:
    """When a run was gone on with, seconds since 1970."""
    resumed = manifest.get("resumed")
    entries = resumed if isinstance(resumed, list) else []
    texts = [entry.get("at") for entry in entries if isinstance(entry, dict)]
    times = [_seconds_since_1970(text) for text in texts]
    return [at for at in times if at is not None]


def _seconds_since_1970(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError):
        return None


def _read_training(
    folder: RunFolder, resumed_at: Sequence[float], notes: list[str]
) -> EpisodeTable:
    path = find_monitor(folder.path)
    if path is None:
        notes.append("no monitor file: nothing is known of its training episodes")
        return EpisodeTable.empty()
    rows = read_monitor_rows(path)
    table, n_odd = episodes_of_monitor(rows)
    started_s = rows.head.get("t_start")
    if resumed_at and isinstance(started_s, int | float) and abs(started_s) < _MAX_SECONDS:
        resumes = [at - started_s for at in resumed_at]
        table = replace(table, seconds=without_pauses(table.seconds, resumes))
        notes.append("it was stopped and resumed: the time in between is not in its minutes")
    notes.extend(f"{path.name}: {problem}" for problem in rows.problems)
    if n_odd:
        notes.append(f"{path.name}: {n_odd} rows are damaged and were left out")
    if len(table) == 0:
        notes.append(f"{path.name}: no episode has ended")
    return table


def _read_history(folder: RunFolder, notes: list[str]) -> EvaluationHistory | None:
    if not folder.evaluations.is_file():
        return None
    try:
        return read_history(folder.evaluations)
    except RunFolderError as error:
        notes.append(f"left out: {error}")
        return None


def _read_final(
    folder: RunFolder, notes: list[str]
) -> tuple[EpisodeTable | None, Mapping[str, Any]]:
    path = folder.evaluation
    if not path.is_file():
        notes.append("no evaluation.json: it has no evaluation at the end")
        return None, {}
    try:
        if path.stat().st_size > _MAX_EVALUATION_BYTES:
            raise ValueError("too large")
        data = json.loads(path.read_text(encoding="utf-8"))
        table = episodes_of_evaluation(data["episodes"], path)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        notes.append(f"evaluation.json is damaged and was left out ({one_line(repr(error))})")
        return None, {}
    facts = {k: v for k, v in data.items() if k not in ("summary", "episodes")}
    if n_unknown := int((table.level == UNKNOWN_LEVEL).sum()):
        notes.append(
            f"evaluation.json: {n_unknown} of {len(table)} episodes do not tell their level"
        )
    for measure, values in table.values.items():
        n_absent = int(np.isnan(values).sum())
        if n_absent:
            notes.append(f"evaluation.json: {n_absent} of {len(table)} episodes lack {measure}")
    return (table, facts) if len(table) else (None, facts)
