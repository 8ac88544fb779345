"""Names for what was tried: runs that differ in nothing but the seed are one arm."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from sonic_sb3.plain_text import one_line

# Settings that decide how a run is carried out or watched, not what it tries.
_NOT_TRIED = frozenset(
    {
        "seed",
        "num_threads",
        "n_workers",
        "device",
        "eval_freq",
        "eval_episodes",
        "save_freq",
        "snapshot_freq",
    }
)
_MAX_NAME = 60
_SEED_FOLDER = re.compile(r"seed_\d+")


def name_arms(runs: Sequence[tuple[Path, Mapping[str, Any]]]) -> list[str]:
    """
    Name the arm of each run.

    ``EXPERIMENT/results/ARM/seed_K`` gives ARM, also without ``results`` and for run folders below
    it (``EXPERIMENT: ARM``, where two experiments have one of that name, with as many folders
    before it as tell them apart). Any other run's arm is called after its algorithm and those
    settings and hyperparameters in which arms of that algorithm differ, or, where that takes too
    many words, after the first of its folders.

    :param runs: Folder and manifest of each run.
    """
    from_folders = _without_mixtures(
        [_folder_arm(path) for path, _ in runs],
        [str(manifest["settings"].get("algo")) for _, manifest in runs],
    )
    tried = [
        flatten_settings(manifest) if arm is None else {}
        for arm, (_, manifest) in zip(from_folders, runs, strict=True)
    ]
    from_settings = _name_by_settings(
        [(path, settings) for (path, _), settings in zip(runs, tried, strict=True) if settings]
    )
    experiments = _tell_apart({arm[0] for arm in from_folders if arm is not None})
    names = []
    for arm, settings in zip(from_folders, tried, strict=True):
        if arm is None:
            names.append(from_settings[_key(settings)])
        else:
            experiment, name = arm
            is_shared = len({a for a in from_folders if a and a[1] == name}) > 1
            names.append(f"{experiments[experiment]}: {name}" if is_shared else name)
    taken = {n for n, arm in zip(names, from_folders, strict=True) if arm is not None}
    return _shortened(
        [
            f"{name} (by settings)" if arm is None and name in taken else name
            for name, arm in zip(names, from_folders, strict=True)
        ]
    )


def _without_mixtures(
    arms: Sequence[tuple[Path, str] | None], algos: Sequence[str]
) -> list[tuple[Path, str] | None]:
    """A folder with several algorithms in it was not named after an arm."""
    algos_of: dict[tuple[Path, str] | None, set[str]] = {}
    for arm, algo in zip(arms, algos, strict=True):
        algos_of.setdefault(arm, set()).add(algo)
    return [arm if len(algos_of[arm]) == 1 else None for arm in arms]


def _shortened(names: Sequence[str]) -> list[str]:
    """Names that fit into tables; those that only their ends told apart are numbered."""
    short: dict[str, str] = {}
    for name in names:
        if name in short:
            continue
        number, candidate = 1, one_line(name)
        while candidate in short.values():
            number += 1
            candidate = f"{one_line(name)} #{number}"
        short[name] = candidate
    return [short[name] for name in names]


def _tell_apart(folders: Set[Path]) -> dict[Path, str]:
    """The last parts of each path, as many as no other one ends with."""
    names = {}
    for folder in folders:
        n_parts = 1
        while n_parts < len(folder.parts) and any(
            other.parts[-n_parts:] == folder.parts[-n_parts:] for other in folders - {folder}
        ):
            n_parts += 1
        names[folder] = "/".join(folder.parts[-n_parts:])
    return names


def arm_of_folder(path: Path) -> str | None:
    """The arm that a run's folder is named after, if it is."""
    found = _folder_arm(path)
    return None if found is None else found[1]


def _folder_arm(path: Path) -> tuple[Path, str] | None:
    """Experiment and arm that the folders' names tell: of ``seed_K`` or ``seed_K/ALGO/GAME_1``."""
    absolute = Path(os.path.normpath(path.absolute()))
    for seed in (absolute, *absolute.parents[1:2]):
        if _SEED_FOLDER.fullmatch(seed.name):
            above = seed.parent.parent
            return above.parent if above.name == "results" else above, seed.parent.name
    return None


def flatten_settings(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """All that a run tried, without its seed; nested keys are joined by dots."""
    settings = {k: v for k, v in manifest["settings"].items() if k not in _NOT_TRIED}
    if isinstance(settings.get("init_run"), str):
        settings["init_run"] = _without_number(Path(settings["init_run"]))
    hyperparameters = manifest.get("hyperparameters")
    flat: dict[str, Any] = {}
    _flatten_into(flat, "", hyperparameters if isinstance(hyperparameters, Mapping) else {})
    _flatten_into(flat, "", settings)
    return {name: value for name, value in flat.items() if value not in (None, [], ())}


def differing_settings(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """
    The keys in which runs differ.

    :param runs: Of :func:`flatten_settings`.
    """
    return sorted(
        name
        for name in set().union(*runs)
        if len({json.dumps(settings.get(name), default=str) for settings in runs}) > 1
    )


def run_of_experiment(path: str) -> str:
    """``ARM/seed_K/ALGO/GAME_1`` of an experiment's run, wherever the logs are."""
    return "/".join(Path(path).parts[-4:])


def _without_number(run: Path) -> str:
    """A run that each seed begins with a run of its own from: ``ppo/ENV`` of ``ppo/ENV_3``."""
    return f"{run.parent.name}/{re.sub(r'_[0-9]+$', '', run.name)}"


def _flatten_into(flat: dict[str, Any], prefix: str, data: Mapping[str, Any]) -> None:
    for key, value in data.items():
        if isinstance(value, Mapping):
            _flatten_into(flat, f"{prefix}{key}.", value)
        else:
            flat[f"{prefix}{key}"] = value


def _key(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True, default=str)


def _name_by_settings(runs: Sequence[tuple[Path, Mapping[str, Any]]]) -> dict[str, str]:
    """Key of an arm -> a short name that tells it from the other arms of its algorithm."""
    arms = {_key(settings): settings for _, settings in runs}
    names = {}
    for key, settings in arms.items():
        algo = str(settings.get("algo", "?"))
        siblings = [s for s in arms.values() if s.get("algo") == settings.get("algo")]
        differing = differing_settings(siblings)
        told = [f"{name.split('.')[-1]}={_say(settings.get(name))}" for name in differing]
        names[key] = " ".join([algo, *told])
    firsts = {
        key: min((path for path, other in runs if _key(other) == key), key=_natural)
        for key, name in names.items()
        if len(name) > _MAX_NAME
    }
    told_apart = _tell_apart({path.absolute() for path in firsts.values()})
    for key, path in firsts.items():
        names[key] = f"{arms[key].get('algo', '?')}: {told_apart[path.absolute()]}"
    return names


def _natural(path: Path) -> list[tuple[int, str]]:
    """For sorting: ENV_2 comes before ENV_10."""
    parts = re.split(r"([0-9]+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def shown_setting(value: Any) -> str:
    """A setting for a table; ``-`` where it was left to the algorithm."""
    return "-" if value is None else one_line(_say(value))


def _say(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "+".join(str(v) for v in value)
    return "default" if value is None else str(value)
