"""What grows or shrinks between two frames, summed: a timestep's end alone would not tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Count -> the variable, and whether its rises (1) or its falls (-1) are summed.
COUNTED = {
    "rings_gained": ("rings", 1),
    "score_gained": ("score", 1),
    "lives_lost": ("lives", -1),
}


class FrameCounts:
    """
    Sums of the rises or falls of RAM variables since the episode's start.

    Counts nothing until it is told what; ``variables`` are those that :meth:`update` reads.
    """

    def __init__(self) -> None:
        self.variables: tuple[str, ...] = ()
        self.totals: dict[str, int] = {}
        self._last: dict[str, int] = {}

    def count(self, names: Iterable[str]) -> None:
        """Count these from now on. :param names: Of :data:`COUNTED`."""
        self.totals.update(dict.fromkeys(names, 0))
        self.variables = tuple({COUNTED[name][0]: None for name in self.totals})

    def reset(self, variables: Mapping[str, int]) -> None:
        """Begin an episode."""
        self.totals = dict.fromkeys(self.totals, 0)
        self._last = {name: variables[name] for name in self.variables}

    def update(self, variables: Mapping[str, int]) -> None:
        """Account for one more frame."""
        for name in self.totals:
            variable, sign = COUNTED[name]
            self.totals[name] += max(0, sign * (variables[variable] - self._last[variable]))
        for variable in self.variables:
            self._last[variable] = variables[variable]

    def get_snapshot(self) -> dict[str, dict[str, int]]:
        """Sums and last values."""
        return {"totals": dict(self.totals), "last": dict(self._last)}

    def set_snapshot(self, snapshot: Mapping[str, Mapping[str, int]]) -> None:
        """Put them back."""
        self.totals = dict(snapshot["totals"])
        self._last = dict(snapshot["last"])
