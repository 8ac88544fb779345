"""A bundle for a terminal: what it claims, after that was checked against its own contents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sonic_sb3.bundles.claims import check_agent_weights, read_claims
from sonic_sb3.bundles.contents import PROVENANCE, Bundle
from sonic_sb3.plain_text import printable
from sonic_sb3.summary_table import format_summary

_MAX_LINES = 60


def describe(bundle: Bundle) -> str:
    """
    Check a bundle and tell of it, in plain text whatever its author wrote.

    :param bundle: Any.
    :raises SonicError: It contradicts itself.
    """
    lines = [f"{bundle.index.name}  ({bundle.kind}, id {bundle.id[:16]})"]
    if bundle.kind == "agent":
        lines += _describe_agent(bundle)
    elif bundle.kind == "study":
        lines.append(f"  hyperparameters of {bundle.subject.algo} for {bundle.subject.env}")
    if bundle.kind != "experiment":
        lines.append("hyperparameters")
        lines += _indented(bundle.hyperparameters.written())
    lines.append("provenance (as its author says)")
    lines += _indented(bundle.mapping(PROVENANCE))[:_MAX_LINES]
    lines.append("files (each with the sha256 that the index names)")
    lines += [f"  {facts.n_bytes:>11,}  {name}" for name, facts in bundle.index.files.items()]
    return "\n".join(printable(line) for line in "\n".join(lines).split("\n"))


def _describe_agent(bundle: Bundle) -> list[str]:
    claims = read_claims(bundle)
    check_agent_weights(bundle)
    agent = bundle.agent
    levels = ", ".join(agent.levels)
    n_timesteps = agent.n_timesteps_trained
    trained = "" if n_timesteps is None else f"{n_timesteps:,} timesteps, "
    return [
        f"  {agent.algo} on {agent.env} {levels}, {trained}weights in {agent.dtype}",
        format_summary("claims", claims.summary),
        f"  movie of episode {claims.best_episode.index}: {len(bundle.movie.inputs):,} frames",
        "  figures, card and weights agree with each other; `share verify` plays them again",
    ]


def _indented(data: Mapping[str, Any], depth: int = 1) -> list[str]:
    return list(_walk(data, depth))


def _walk(data: Mapping[str, Any], depth: int) -> Iterator[str]:
    for name, value in data.items():
        key = printable(name)[:200]
        if isinstance(value, Mapping):
            yield f"{'  ' * depth}{key}"
            yield from _walk(value, depth + 1)
        else:
            text = printable(value)
            yield f"{'  ' * depth}{key}: {text[:200]}"
