"""
Points and ends of a fight between two players with health, computed from RAM frame by frame.

Written from the variables that stable-retro's ``data.json`` names for Street Fighter II: Special
Champion Edition, and from what is known of them in public; never run on its ROM.
"""

from __future__ import annotations

from typing import Any

from sonic_sb3.envs.frame_score import FrameScore, Variables
from sonic_sb3.games import Game

ROUNDS_OF_A_MATCH = 2
COMBO_POINTS = 10.0
# A second without a hit ends a sequence.
MAX_FRAMES_BETWEEN_HITS = 60
CONTINUE_SCREEN = 10  # of continuetimer, as in the scenario that stable-retro ships


class FightScoring:
    """
    A match: damage dealt minus damage taken, and more for hits in unbroken sequence.

    Points of a frame: health that the opponent lost, minus health that the player lost (so their
    sum is what the difference of health has gained), plus :data:`COMBO_POINTS` x (k - 1) for the
    k-th hit of a sequence. A hit is a frame in which the opponent's health falls. A sequence is
    broken by damage taken, by :data:`MAX_FRAMES_BETWEEN_HITS` without a hit, and by a round's end.

    Health is counted while a round is on, from both being above 0 until one is not: what happens to
    the bars between rounds (they are blanked and filled) is nobody's hit.

    The episode ends when either has won two rounds more than at its start, or at the screen that
    asks whether to continue.

    :param game: Not asked anything: all fights are scored alike.
    """

    frame_variables: tuple[str, ...] = (
        "health",
        "enemy_health",
        "matches_won",
        "enemy_matches_won",
        "continuetimer",
    )
    recorded_facts: tuple[str, ...] = (
        "is_success",
        "n_hits",
        "max_combo",
        "damage_dealt",
        "damage_taken",
    )

    def __init__(self, game: Game) -> None:
        self.x_shift_px = 0
        self.counts: dict[str, float] = {}
        self._health = 0
        self._enemy_health = 0
        self._is_round_on = False
        self._n_combo = 0
        self._max_combo = 0
        self._n_hits = 0
        self._n_frames_since_hit = 0
        self._rounds_counters = (0, 0)
        self._rounds_won = [0, 0]
        self._clear_counts()

    def reset(self, variables: Variables) -> None:
        """Begin an episode with the RAM after the first frame."""
        self._take_health(variables)
        self._is_round_on = self._health > 0 and self._enemy_health > 0
        self._n_combo = self._max_combo = self._n_hits = self._n_frames_since_hit = 0
        self._rounds_counters = _read_counters(variables)
        self._rounds_won = [0, 0]
        self._clear_counts()

    def update(self, variables: Variables) -> FrameScore:
        """Account for one more frame."""
        health, enemy_health = self._health, self._enemy_health
        self._take_health(variables)
        dealt = taken = 0
        is_blanked = self._health == 0 and self._enemy_health == 0
        if self._is_round_on and not is_blanked:
            dealt = max(0, enemy_health - self._enemy_health)
            taken = max(0, health - self._health)
        combo = self._follow_sequence(dealt, taken)
        self.counts["damage_dealt"] += dealt
        self.counts["damage_taken"] += taken
        self.counts["combo"] += combo
        self._is_round_on = self._health > 0 and self._enemy_health > 0
        if not self._is_round_on:
            self._n_combo = 0
        return FrameScore(dealt - taken + COMBO_POINTS * combo, self._find_end(variables))

    def progress_facts(self) -> dict[str, float]:
        """A fight has no progress."""
        return {}

    def end_facts(self, end_reason: str) -> dict[str, float | bool]:
        """How the match went."""
        return {
            "is_success": end_reason == "completed",
            "n_hits": self._n_hits,
            "max_combo": self._max_combo,
            "damage_dealt": self.counts["damage_dealt"],
            "damage_taken": self.counts["damage_taken"],
        }

    def get_snapshot(self) -> dict[str, Any]:
        """All that changes during an episode."""
        state = dict(vars(self))
        state["counts"] = dict(self.counts)
        state["_rounds_won"] = list(self._rounds_won)
        return state

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Put it back."""
        vars(self).update(snapshot)
        self.counts = dict(self.counts)
        self._rounds_won = list(self._rounds_won)

    def _follow_sequence(self, dealt: int, taken: int) -> int:
        """:returns: How many hits the one of this frame follows; 0 where there is none."""
        self._n_frames_since_hit += 1
        if self._n_frames_since_hit > MAX_FRAMES_BETWEEN_HITS:
            self._n_combo = 0
        n_followed = 0
        if dealt:
            n_followed = self._n_combo
            self._n_combo += 1
            self._n_hits += 1
            self._max_combo = max(self._max_combo, self._n_combo)
            self._n_frames_since_hit = 0
        if taken:
            self._n_combo = 0
        return n_followed

    def _find_end(self, variables: Variables) -> str | None:
        # Counters are compared with themselves only: the game sets them back after a match, and
        # data.json reads the opponent's as four bytes.
        before, self._rounds_counters = self._rounds_counters, _read_counters(variables)
        for index in (0, 1):
            self._rounds_won[index] += self._rounds_counters[index] > before[index]
        if self._rounds_won[0] >= ROUNDS_OF_A_MATCH:
            return "completed"
        if self._rounds_won[1] >= ROUNDS_OF_A_MATCH:
            return "match_lost"
        return "match_lost" if variables["continuetimer"] == CONTINUE_SCREEN else None

    def _take_health(self, variables: Variables) -> None:
        # A knocked out player has less than 0.
        self._health = max(0, variables["health"])
        self._enemy_health = max(0, variables["enemy_health"])

    def _clear_counts(self) -> None:
        self.counts = {"damage_dealt": 0.0, "damage_taken": 0.0, "combo": 0.0}


def _read_counters(variables: Variables) -> tuple[int, int]:
    return variables["matches_won"], variables["enemy_matches_won"]
