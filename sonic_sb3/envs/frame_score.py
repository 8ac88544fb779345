"""What one frame is worth: the answer of every kind of scoring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Variables = Mapping[str, int]


class FrameScore(NamedTuple):
    """
    What one frame brought.

    :param points: The unshaped reward of this frame.
    :param end_reason: Why the episode is over, or ``None`` while it goes on.
    """

    points: float
    end_reason: str | None
