"""The runs that a comparison is about: found in folders, each counted once, grouped by arm."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sonic_sb3.arm_names import name_arms
from sonic_sb3.compared_runs import RunRecord, load_record
from sonic_sb3.errors import RunFolderError
from sonic_sb3.run_copies import without_copies


def load_records(paths: Sequence[Path]) -> list[RunRecord]:
    """
    Read runs, each with the name of its arm, ordered by arm, seed and folder.

    Arms: runs under ``results/ARM/seed_K`` are named after that folder; others that differ in
    nothing but the seed form an arm, named after the algorithm and what else tells it from others.

    :param paths: Run folders, experiments (folders with ``results/``), or folders of any of them.
    :raises RunFolderError: A path holds no run, or a run's manifest cannot be read.
    """
    folders: dict[Path, Path] = {}
    for path in paths:
        found = list(_run_folders(path))
        if not found:
            raise RunFolderError(
                f"no run in {path}: expected a run folder with manifest.json, an experiment with "
                "results, or a folder of runs"
            )
        folders.update({folder.resolve(): folder for folder in found})
    # In the order of their places, so that it does not matter in which order they were named.
    records = without_copies([load_record(folders[place]) for place in sorted(folders)])
    names = name_arms([(r.path, r.manifest) for r in records])
    named = [replace(r, arm=name) for r, name in zip(records, names, strict=True)]
    return sorted(named, key=_order)


def group_records(records: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    """Runs by arm, in the order in which the arms come first."""
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(record.arm, []).append(record)
    return groups


def with_distinct_labels(records: Sequence[RunRecord]) -> list[RunRecord]:
    """Runs of an arm; where labels are the same, the folders' names are added."""
    labels = [r.label for r in records]
    named = [
        replace(r, label=f"{r.label}, {r.path.name}") if labels.count(r.label) > 1 else r
        for r in records
    ]
    again = [r.label for r in named]
    return [
        replace(r, label=f"{r.label} ({k + 1})") if again.count(r.label) > 1 else r
        for k, r in enumerate(named)
    ]


def _order(record: RunRecord) -> tuple[str, float, str]:
    seed = record.seed
    return record.arm, -1 if seed is None else seed, str(record.path)


def find_foreign_runs(paths: Sequence[Path]) -> list[Path]:
    """
    Folders that :func:`load_records` leaves out although training was monitored in them, as in
    rl-zoo3's: they have no manifest.

    :param paths: As there.
    """
    return [
        folder
        for path in paths
        for folder, files in _walk_runs(path)
        if "manifest.json" not in files and any(f.endswith(".monitor.csv") for f in files)
    ]


def _run_folders(path: Path) -> Iterator[Path]:
    """Folders with a manifest; what lies within one of them is part of it."""
    if (path / "experiment.yml").is_file():
        path = path / "results"  # beside it may lie results of other budgets
    for folder, files in _walk_runs(path):
        if "manifest.json" in files:
            yield folder


def _walk_runs(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """
    Folders and their files, in order; nothing hidden, and nothing below a manifest. Links to
    folders are followed, into each folder once.
    """
    seen: set[str] = set()
    for folder, names, files in os.walk(path, onerror=_tell_unreadable, followlinks=True):
        place = os.path.realpath(folder)
        if place in seen:
            names.clear()
            continue
        seen.add(place)
        names[:] = sorted(name for name in names if not name.startswith("."))
        if "manifest.json" in files:
            names.clear()
        yield Path(folder), files


def _tell_unreadable(error: OSError) -> None:
    """Runs that cannot be read must not be missing silently."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return
    raise RunFolderError(f"cannot read {error.filename}: {error.strerror}") from error
