"""What the actions of a run are called, as far as its settings tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sonic_sb3.comparison import RunRecord
from sonic_sb3.envs.actions import CONTEST_ACTIONS


def action_names(record: RunRecord) -> list[str]:
    """
    Names of a run's actions, such as ``RIGHT+DOWN``; numbers where its settings do not tell.

    :param record: The run.
    """
    tables = [t for t in (record.training, record.final) if t is not None]
    widths = [t.action_counts.shape[1] for t in tables if t.action_counts is not None]
    if not widths:
        return []
    written = record.env_kwargs.get("actions")
    known = _known_names(written)
    if len(known) == widths[0]:
        return known
    return [f"action {k}" for k in range(widths[0])]


def _known_names(written: Any) -> list[str]:
    if written is None:
        return [_join(buttons) for buttons in CONTEST_ACTIONS]
    if isinstance(written, list | tuple):
        return [_name_of(action) for action in written]
    return [_join(buttons) for buttons in CONTEST_ACTIONS] if written == "contest7" else []


def _name_of(action: Any) -> str:
    """Buttons, or a macro with a name of its own."""
    if isinstance(action, list | tuple):
        return _join(action)
    return str(action.get("name", "?") if isinstance(action, Mapping) else action)


def _join(buttons: Sequence[str]) -> str:
    return "+".join(str(button) for button in buttons) or "NOTHING"
