"""Runs that lie in several folders, as a run folder and its compact results do, count once."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace

from sonic_sb3.arm_names import arm_of_folder, run_of_experiment
from sonic_sb3.compared_runs import RunRecord
from sonic_sb3.plain_text import one_line


def without_copies(records: Sequence[RunRecord]) -> list[RunRecord]:
    """
    Count a run once that lies in several folders, as its run folder and compact results do.

    :param records: Runs; of copies the one is kept, with a note, that goes furthest, of equals the
        one whose folder tells its arm, compact results before run folders, else the first.
    """
    kept: list[RunRecord] = []
    places: dict[str, list[int]] = {}
    for record in records:
        of_same_settings = places.setdefault(_identity(record), [])
        at = next((k for k in of_same_settings if _is_copy(kept[k], record)), None)
        if at is None:
            of_same_settings.append(len(kept))
            kept.append(record)
        elif kept[at].path.resolve() != record.path.resolve():
            kept[at] = _merge_copies(kept[at], record)
    return kept


def _merge_copies(first: RunRecord, second: RunRecord) -> RunRecord:
    one, other = (second, first) if _tells(second) > _tells(first) else (first, second)
    # Seen from the run, so that a report does not depend on where it was asked for.
    place = os.path.relpath(other.path.resolve(), one.path.resolve())
    note = f"the same run lies in {one_line(place)} too; it counts once"
    if one.final is None and other.final is not None:
        note += ", with the evaluation that lies there"
        one = replace(one, final=other.final, final_facts=other.final_facts)
    elif other.final is not None and _final_bytes(one) != _final_bytes(other):
        note += ", without the other evaluation that lies there"
    return replace(one, notes=(*one.notes, note))


def _tells(record: RunRecord) -> tuple[bool, int, bool, bool]:
    """How far a copy goes, then how much its folder's place tells of what is in it."""
    has_arm = arm_of_folder(record.path) is not None
    is_result = "results" in record.path.absolute().parts
    return "finished_at" in record.manifest, len(record.training), has_arm, is_result


def _identity(record: RunRecord) -> str:
    """What a run shares with its copies alone; it may be the same of arms that begin together."""
    started_at = record.manifest.get("started_at")
    if started_at is None:
        return str(record.path.resolve())
    settings = dict(record.settings)
    if isinstance(settings.get("init_run"), str):
        settings["init_run"] = run_of_experiment(settings["init_run"])  # as in compact results
    facts = [record.arm, started_at, settings, record.hyperparameters]
    return json.dumps(facts, sort_keys=True, default=str)


def _is_copy(first: RunRecord, second: RunRecord) -> bool:
    """Arms that differ in their evaluation alone may begin in the same second."""
    arms = {arm_of_folder(first.path), arm_of_folder(second.path)}
    return len(arms - {None}) < 2


def _final_bytes(record: RunRecord) -> bytes | None:
    path = None if record.final is None else record.final.path
    return None if path is None else path.read_bytes()
