"""What the actions of a run are called, as far as its settings tell, and where they go."""

from __future__ import annotations

from sonic_sb3.action_sets import action_names as names_of_set
from sonic_sb3.compared_runs import RunRecord
from sonic_sb3.errors import SonicError


def action_names(record: RunRecord) -> list[str]:
    """
    Names of a run's actions, such as ``RIGHT+DOWN``; numbers where its settings do not tell.

    :param record: The run.
    """
    known = known_action_names(record)
    return [f"action {k}" for k in range(_n_actions(record))] if known is None else known


def known_action_names(record: RunRecord) -> list[str] | None:
    """As :func:`action_names`; ``None`` where its settings do not tell."""
    try:
        known = names_of_set(record.env_kwargs.get("actions"), record.env_id)
    except SonicError:
        return None  # a set of another version
    return known if len(known) == _n_actions(record) else None


def _n_actions(record: RunRecord) -> int:
    tables = [t for t in (record.training, record.final) if t is not None]
    return next((t.action_counts.shape[1] for t in tables if t.action_counts is not None), 0)


def side_of(action: str) -> int:
    """Where an action goes by its name: 0 left, 1 neither, 2 right."""
    words = action.upper()
    return 0 if "LEFT" in words else 2 if "RIGHT" in words else 1
