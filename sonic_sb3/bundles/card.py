"""The card of a bundle: a README for people, with the figures where the Hugging Face Hub looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from sonic_sb3.bundles.contents import parse_plain_yaml
from sonic_sb3.bundles.texts import check_markdown
from sonic_sb3.errors import BundleError
from sonic_sb3.evaluation import Summary

_TAGS = ("deep-reinforcement-learning", "reinforcement-learning", "stable-baselines3", "sonic_sb3")
_TASK = {"type": "reinforcement-learning", "name": "reinforcement-learning"}
_VERIFY = "python -m sonic_sb3.share verify FILE"


@dataclass(frozen=True)
class CardFacts:
    """
    What an agent's card tells.

    :param name: The bundle's.
    :param algo: The algorithm.
    :param env: The game.
    :param n_timesteps_trained: Timesteps of training, where known.
    :param training_s: Seconds of training, where known.
    :param dtype: Of the weights.
    :param license: An identifier that the Hub knows, such as ``mit``; ``None`` leaves it open.
    :param notes: Markdown that the packer adds.
    :param trained_by: The program that trained it.
    :param is_sticky: Whether it was evaluated under sticky frame skip.
    """

    name: str
    algo: str
    env: str
    n_timesteps_trained: int | None
    training_s: float | None
    dtype: str
    license: str | None
    notes: str
    trained_by: str = "sonic_sb3"
    is_sticky: bool = True


def make_agent_card(
    facts: CardFacts, levels: Mapping[str, Summary], return_stds: Mapping[str, float]
) -> str:
    """
    Write an agent's card.

    :param facts: What it is.
    :param levels: Its evaluation, by level.
    :param return_stds: Standard deviations of its episodes' returns, by level.
    """
    front = {
        "library_name": "stable-baselines3",
        "tags": [facts.env, *_TAGS],
        **({"license": facts.license} if facts.license else {}),
        "model-index": [{"name": facts.name, "results": _results(facts.env, levels, return_stds)}],
    }
    lines = [
        "---",
        yaml.safe_dump(front, sort_keys=False).rstrip(),
        "---",
        "",
        f"# {facts.name}",
        "",
        f"An agent for `{facts.env}`, trained with {facts.algo.upper()}{_length(facts)} by "
        f"{facts.trained_by}.",
        "",
        *_table(levels),
        "",
        f"Episodes{' under sticky frame skip' if facts.is_sticky else ''}, each with a seed of its "
        f"own, played with the weights as they lie here ({facts.dtype}). `{_VERIFY}` plays them "
        "again.",
        "",
        "```",
        f"python -m sonic_sb3.evaluate {facts.name}.sonic.zip --video best.mp4",
        f"python -m sonic_sb3.train --algo {facts.algo} --conf-file {facts.name}.sonic.zip",
        "```",
        *(["", facts.notes.strip()] if facts.notes.strip() else []),
    ]
    return "\n".join(lines) + "\n"


def make_plain_card(name: str, what: str, notes: str, license_id: str | None) -> str:
    """
    Write the card of something that is no agent.

    :param name: The bundle's.
    :param what: A sentence or more about it, Markdown.
    :param notes: Markdown that the packer adds.
    :param license_id: As in :class:`CardFacts`.
    """
    front: dict[str, Any] = {"tags": ["reinforcement-learning", "sonic_sb3"]}
    if license_id:
        front["license"] = license_id
    head = ["---", yaml.safe_dump(front, sort_keys=False).rstrip(), "---", ""]
    lines = [*head, f"# {name}", "", what, *(["", notes.strip()] if notes.strip() else [])]
    return "\n".join(lines) + "\n"


def read_front_matter(content: bytes, source: str) -> dict[str, Any]:
    """
    The YAML at a card's beginning.

    :param content: The card.
    :param source: What to call it in messages.
    :raises SonicError: There is none, or it is not plain.
    """
    text = check_markdown(content, source)
    parts = text.split("---\n", 2)
    if len(parts) != 3 or parts[0]:
        raise BundleError(f"{source}: expected front matter between two lines of ---")
    return parse_plain_yaml(parts[1].encode(), source)


def check_card(
    content: bytes,
    source: str,
    name: str,
    env_id: str,
    levels: Mapping[str, Summary],
    return_stds: Mapping[str, float],
) -> None:
    """
    Accept a card whose game and figures are those of the evaluation.

    :param content: The card.
    :param source: What to call it in messages.
    :param name: The bundle's.
    :param env_id: The game.
    :param levels: The evaluation's summaries, by level.
    :param return_stds: Standard deviations of its episodes' returns, by level.
    :raises SonicError: It claims something else.
    """
    front = read_front_matter(content, source)
    tags = front.get("tags")
    if not isinstance(tags, list) or tags[:1] != [env_id]:
        raise BundleError(
            f"{source}: expected {env_id}, the agent's game, as its first tag, got {tags!r:.80}"
        )
    # In the first bundles, half of the mean's interval stood behind +/-.
    half_intervals = {level: _half_interval(summary) for level, summary in levels.items()}
    honest = [
        [{"name": name, "results": _results(env_id, levels, spreads)}]
        for spreads in (return_stds, half_intervals)
    ]
    if front.get("model-index") not in honest:
        raise BundleError(
            f"{source}: its model-index claims other figures than {name}'s episodes; expected "
            "those of evaluation.json"
        )
    text, table = content.decode(), _table(levels)
    if "\n".join(["", *table, "", ""]) not in text or text.count(table[0]) != 1:
        raise BundleError(
            f"{source}: its table claims other figures than {name}'s episodes; expected those of "
            "evaluation.json"
        )


def _results(
    env_id: str, levels: Mapping[str, Summary], spreads: Mapping[str, float]
) -> list[dict[str, Any]]:
    return [
        {
            "task": dict(_TASK),
            "dataset": {"name": f"{env_id} {level}", "type": env_id},
            "metrics": _metrics(summary, spreads[level]),
        }
        for level, summary in levels.items()
    ]


def _half_interval(summary: Summary) -> float:
    interval = summary.mean_intervals["episode_return"]
    return (interval[1] - interval[0]) / 2 if interval else 0.0


def _metrics(summary: Summary, spread: float) -> list[dict[str, Any]]:
    metrics: list[dict[str, Any]] = []
    if summary.completion_rate is not None:
        metrics.append(_metric("completion_rate", round(summary.completion_rate, 4)))
    for name, digits in (("contest_score", 1), ("completion_time_s", 2), ("score", 1)):
        if name in summary.means:
            metrics.append(_metric(name, round(summary.means[name], digits)))
    # As all cards on the Hub have it: the standard deviation over episodes.
    reward = f"{summary.means['episode_return']:.2f} +/- {spread:.2f}"
    metrics.append(_metric("mean_reward", reward))
    return metrics


def _metric(name: str, value: float | str) -> dict[str, Any]:
    return {"type": name, "value": value, "name": name, "verified": False}


def _length(facts: CardFacts) -> str:
    """How long it learned, as far as that is known."""
    minutes = "" if facts.training_s is None else f" ({facts.training_s / 60:.0f} minutes)"
    n_timesteps = facts.n_timesteps_trained
    return "" if n_timesteps is None else f" for {n_timesteps:,} timesteps{minutes}"


def _table(levels: Mapping[str, Summary]) -> list[str]:
    return [
        "| level | completed | 95 % interval | seconds when completed | episodes |",
        "|---|---|---|---|---|",
        *(_row(level, summary) for level, summary in levels.items()),
    ]


def _row(level: str, summary: Summary) -> str:
    cells = [level, "-", "-", "-", str(summary.n_episodes)]
    if summary.completion_rate is not None and summary.completion_rate_interval is not None:
        low, high = summary.completion_rate_interval
        cells[1:3] = [f"{summary.completion_rate:.0%}", f"{low:.0%} .. {high:.0%}"]
    if "completion_time_s" in summary.means:
        cells[3] = f"{summary.means['completion_time_s']:.1f}"
    return f"| {' | '.join(cells)} |"
