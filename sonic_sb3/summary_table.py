"""An evaluation as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sonic_sb3.plain_text import counted, one_line
from sonic_sb3.rom_files import rom_sha1

if TYPE_CHECKING:
    from sonic_sb3.evaluation import Summary

_LABELS = {
    "progress": ("progress", "{:.1%}"),
    "contest_score": ("contest score", "{:,.0f}"),
    "score": ("game score", "{:,.0f}"),
    "episode_return": ("return, as scaled", "{:.2f}"),
    "n_timesteps": ("timesteps", "{:,.0f}"),
    "game_time_s": ("game seconds", "{:.1f}"),
    "completion_time_s": ("seconds when completed", "{:.1f}"),
}


def unplayed_levels(n_episodes: int, levels: Sequence[str]) -> str | None:
    """
    What to say of an evaluation that does not play each level, for episode k plays level k.

    :param n_episodes: Its episodes; 0 for none, which is nobody's mistake.
    :param levels: The levels that are meant.
    """
    if not 0 < n_episodes < len(levels):
        return None
    return f"note: {counted(n_episodes, 'episode')} play {n_episodes} of {len(levels)} levels"


def other_rom(trained_on: object, env_id: str) -> str | None:
    """
    What to say of an agent that plays another ROM than the one it knows.

    :param trained_on: That one's sha1, as the agent's files tell it; ``None`` where they do not.
    :param env_id: The game.
    :raises SonicError: The game has no ROM here.
    """
    here = rom_sha1(env_id)
    if trained_on in (None, here):
        return None
    return (
        f"note: trained on a ROM of {env_id} with sha1 {one_line(trained_on)[:40]}, played on one "
        f"with {here}: it may be another game"
    )


def format_summary(title: str, summary: Summary) -> str:
    """
    An evaluation as a table.

    :param title: Its heading.
    :param summary: What to show.
    """
    rows = []
    if summary.completion_rate is not None and summary.completion_rate_interval is not None:
        low, high = summary.completion_rate_interval
        rows.append(("completed", f"{summary.completion_rate:.1%}", f"{low:.1%} .. {high:.1%}"))
    for name, mean in summary.means.items():
        label, pattern = _LABELS[name]
        interval = summary.mean_intervals[name]
        bounds = " .. ".join(pattern.format(v) for v in interval) if interval else ""
        rows.append((label, pattern.format(mean), bounds))
    endings = ", ".join(f"{reason} {count}" for reason, count in summary.end_reasons.items())
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    episodes = counted(summary.n_episodes, "episode")
    lines = [f"{title} ({episodes}; mean, 95 % interval)"]
    lines += [f"  {a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
    return "\n".join([*lines, f"  ended by: {endings}"])
