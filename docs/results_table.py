"""``make results-table``: the README's first tables, out of the experiments' ``numbers.csv``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from sonic_sb3.bundles.zoo_table import replace_table

ROOT = Path(__file__).parent.parent
_NOT_REACHED = "not reached"

Number = dict[str, str]


def _percent(text: str) -> str:
    return f"{float(text):.0%}"


def _decimal(text: str) -> str:
    return f"{float(text):.1f}"


def _airstriker_score(text: str) -> str:
    return f"{100 * float(text):,.0f}"  # the file's reward_scale is 0.01


def _thousands(text: str) -> str:
    return f"{float(text):,.0f}"


# Of each table: its arms as the README calls them, and its columns. An arm without an experiment
# is of the one that names the table.
TABLES: dict[str, tuple[Mapping[str, str], Mapping[str, tuple[str, Callable[[str], str]]]]] = {
    "first-act": (
        {
            "entropy/entropy": "**PPO, `make train`**",
            "annealing/annealing": "the same, entropy coefficient 0.01 to the end",
            "steady/longer": "the same, learning rate lin_5e-4 over 800,000 timesteps",
            "ppo": "the same, over 600,000",
            "tuned": "PPO, `--conf-file tuned-ppo`",
            "jerk": "JERK, remembers what worked",
            "right": "always right",
            "random": "random actions",
        },
        {
            "completed": ("completion", _percent),
            "way made": ("progress", _percent),
            "contest score": ("contest_score", _thousands),
            "seconds of play": ("completion_time_s", _decimal),
            "timesteps to 95 %": ("timesteps_to_goal", _thousands),
            "minutes to 95 %": ("minutes_to_goal", _decimal),
        },
    ),
    "a2c-ppo-borghi": (
        {
            "tuned-ppo": "PPO, `--conf-file tuned-ppo`",
            "default-ppo": "PPO, the default with `-params learning_rate:lin_5e-4 callback:{}`",
            "atari-ppo": "PPO, rl-zoo3's settings for Atari",
            "jerk": "JERK, remembers what worked",
            "openai-ppo": "PPO, OpenAI's baseline, `--conf-file openai-ppo`",
            "borghi": "PPO, Borghi's settings, `--conf-file borghi-fast`",
            "tutorial-ppo": "PPO, the tutorial's, `--conf-file tutorial-ppo`",
            "tutorial-a2c": "A2C, the tutorial's, `--algo a2c_reuse --conf-file tutorial-a2c`",
        },
        {
            "completed": ("completion", _percent),
            "way made": ("progress", _percent),
            "past the loop": ("past_loop", _percent),
            "timesteps to 95 %": ("timesteps_to_goal", _thousands),
            "minutes to 95 %": ("minutes_to_goal", _decimal),
        },
    ),
    "airstriker": (
        {"ppo": "PPO, 200,000 timesteps", "random": "random actions"},
        {"score of an episode": ("episode_return", _airstriker_score)},
    ),
}


def make_table(table: str) -> str:
    """
    One of the README's tables in Markdown.

    :param table: A key of :data:`TABLES`.
    """
    arms, columns = TABLES[table]
    lines = [f"| agent | seeds | {' | '.join(columns)} |", "|---" * (2 + len(columns)) + "|"]
    for name, title in arms.items():
        experiment, arm = name.split("/") if "/" in name else (table, name)
        numbers = _read_numbers(experiment, arm)
        found = [numbers[measure] for measure, _ in columns.values() if measure in numbers]
        if not found:
            continue
        cells = [_cell(numbers.get(measure), show) for measure, show in columns.values()]
        lines.append(f"| {title} | {found[0]['n_seeds']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _read_numbers(experiment: str, arm: str) -> dict[str, Number]:
    """What is known of an arm over all its seeds and levels: measure -> row."""
    path = ROOT / "experiments" / experiment / "report" / "numbers.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["run"] and not row["level"]]
    return {row["measure"]: row for row in rows if row["arm"] == arm}


def _cell(number: Number | None, show: Callable[[str], str]) -> str:
    """A mean (or median) with its interval."""
    if number is None or not number["value"]:
        return "-"
    shown = {key: _shown(number[key], show) for key in ("value", "low", "high")}
    if not number["low"] or shown["low"] == shown["high"]:
        return shown["value"]
    return f"{shown['value']} ({shown['low']} .. {shown['high']})"


def _shown(text: str, show: Callable[[str], str]) -> str:
    return text if text == _NOT_REACHED else show(text)


def fill(text: str) -> str:
    """
    Put the tables between their marks.

    :param text: The README's.
    """
    for table in TABLES:
        begin = f"<!-- results of {table}: `make results-table` -->"
        text = replace_table(text, make_table(table), begin, "<!-- /results -->")
    return text


def main() -> int:
    """Bring the README up to date. :returns: The exit status."""
    readme = ROOT / "README.md"
    readme.write_text(fill(readme.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
