"""What a reader must know of the runs of a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sonic_sb3.algorithm_settings import EnvKwargs
from sonic_sb3.arm_names import differing_settings, flatten_settings
from sonic_sb3.compared_runs import RunRecord
from sonic_sb3.plain_text import one_line
from sonic_sb3.report.arm_numbers import common_levels, evaluated_levels
from sonic_sb3.report.measures import Groups
from sonic_sb3.seed_statistics import HOW_TO_INSTALL_RLIABLE, has_rliable

FEW_SEEDS = 5
_MAX_NAMES = 8
_PROTOCOL = ("frame_skip", "sticky_prob", "noop_max", "max_episode_steps")


def make_notes(groups: Groups) -> list[str]:
    """A sentence for each thing that is missing, was left out, or differs side by side."""
    records = [r for of_arm in groups.values() for r in of_arm]
    notes = [
        f"{arm}, {record.label}: {note}."
        for arm, of_arm in groups.items()
        for record in of_arm
        for note in record.notes
    ]
    for arm, of_arm in groups.items():
        seeds = [r.seed for r in of_arm if r.seed is not None]
        notes += [
            f"{arm}: several runs with seed {seed}; they count as independent and may not be."
            for seed in sorted(set(seeds))
            if seeds.count(seed) > 1
        ]
        notes += _differences_within(arm, of_arm)
        notes += _whole_rollouts(arm, of_arm)
    fewest = min(len(of_arm) for of_arm in groups.values())
    if fewest < FEW_SEEDS:
        notes.append(
            f"An arm has {fewest} seed{'s' * (fewest > 1)}: that seeds scatter normally, as their "
            "intervals assume, cannot be seen of so few; take them for hints."
        )
    notes += _left_out_levels(groups)
    for what, value_of in _PROTOCOL_FACTS.items():
        notes += _differences(groups, what, value_of)
    if not has_rliable() and any(r.final is not None for r in records):
        notes.append(f"{HOW_TO_INSTALL_RLIABLE}.")
    return notes


def _whole_rollouts(arm: str, records: Sequence[RunRecord]) -> list[str]:
    """One sentence where whole rollouts made training much longer than what was asked for."""
    found = set()
    for record in records:
        asked = record.settings.get("n_timesteps")
        trained = record.manifest.get("n_timesteps_trained")
        if isinstance(asked, int) and isinstance(trained, int) and 100 * trained > 102 * asked > 0:
            found.add(f"{trained:,} timesteps for {asked:,}")
    return [f"{arm}: trained in whole rollouts, {', '.join(sorted(found))}."] if found else []


def _left_out_levels(groups: Groups) -> list[str]:
    """What is taken over levels that all runs share, where they do not share all."""
    common, found = common_levels(groups), evaluated_levels(groups)
    if len(common) == len(found):
        return []
    what = "Interquartile means, probabilities of improvement and the performance profile"
    if not common:
        return [f"{what} are missing: no level is one on which every run was evaluated."]
    return [f"{what} are over {', '.join(common)} alone, on which every run was evaluated."]


def _env_default(name: str) -> Callable[[RunRecord], Any]:
    default = EnvKwargs.model_fields[name].default
    return lambda record: record.env_kwargs.get(name, default)


def _final_fact(name: str) -> Callable[[RunRecord], Any]:
    return lambda record: record.final_facts.get(name) if record.final is not None else _ABSENT


def _manifest_fact(section: str, name: str) -> Callable[[RunRecord], Any]:
    """What a manifest tells; runs whose manifests do not tell it are left out."""

    def value_of(record: RunRecord) -> Any:
        facts = record.manifest.get(section)
        return facts.get(name, _ABSENT) if isinstance(facts, Mapping) else _ABSENT

    return value_of


def _commit(record: RunRecord) -> Any:
    git = record.manifest.get("git")
    commit = git.get("commit") if isinstance(git, Mapping) else None
    return str(commit)[:8] if commit else _ABSENT


def _levels(record: RunRecord) -> str:
    levels = record.settings.get("levels")
    return ", ".join(map(str, levels)) if isinstance(levels, list | tuple) else str(levels)


_ABSENT = object()
_PROTOCOL_FACTS: dict[str, Callable[[RunRecord], Any]] = {
    "Games differ": lambda r: r.env_id,
    "Levels of training differ": _levels,
    "Evaluation levels differ": lambda r: (
        _ABSENT if r.final is None else ", ".join(sorted(set(r.final.level.tolist())))
    ),
    **{f"Protocols differ in {name}": _env_default(name) for name in _PROTOCOL},
    "Evaluations differ in deterministic": _final_fact("deterministic"),
    "Evaluations differ in protocol": _final_fact("protocol"),
    "Evaluated checkpoints differ": _final_fact("checkpoint"),
    "Budgets (n_timesteps) differ": lambda r: r.settings.get("n_timesteps"),
    "ROMs differ": lambda r: r.manifest.get("rom_sha1"),
    "Versions of this package differ": _manifest_fact("packages", "sonic_sb3"),
    "Commits of this package differ": _commit,
    "Versions of torch differ": _manifest_fact("packages", "torch"),
    "Precisions of gradient steps differ": lambda r: (
        r.manifest.get("precision", _ABSENT) if "learning_rate" in r.hyperparameters else _ABSENT
    ),
    "Devices differ, so minutes do not compare": lambda r: r.manifest.get("device") or _ABSENT,
    "Processors differ, so minutes do not compare": _manifest_fact("hardware", "cpu"),
    "Threads of torch differ, so minutes do not compare": lambda r: r.settings.get("num_threads"),
}


def _differences_within(arm: str, records: Sequence[RunRecord]) -> list[str]:
    """One sentence where the runs of an arm differ in more than the seed."""
    differing = differing_settings([flatten_settings(record.manifest) for record in records])
    if not differing:
        return []
    shown = ", ".join(map(one_line, differing[:_MAX_NAMES]))
    more = f" and {len(differing) - _MAX_NAMES} more" if len(differing) > _MAX_NAMES else ""
    return [f"{arm}: its runs differ in more than the seed: {shown}{more}."]


def _differences(groups: Groups, what: str, value_of: Callable[[RunRecord], Any]) -> list[str]:
    """One sentence where runs side by side were not made alike."""
    arms_of: dict[str, list[str]] = {}
    for arm, records in groups.items():
        for record in records:
            value = value_of(record)
            if value is not _ABSENT:
                names = arms_of.setdefault(str(value), [])
                names += [arm] if arm not in names else []
    if len(arms_of) < 2:
        return []
    parts = [f"{one_line(value)} ({', '.join(names)})" for value, names in sorted(arms_of.items())]
    return [f"{what}: {'; '.join(parts)}."]
