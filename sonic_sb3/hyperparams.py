"""
Hyperparameters files: rl-zoo3's YAML with neither eval nor imports.

Every key is a field of :mod:`sonic_sb3.algorithm_settings`; an unknown one is an error that names
the closest. Names are looked up in tables, schedules are texts such as ``lin_2.5e-4``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sonic_sb3.algorithm_settings import ALGORITHM_SETTINGS, Hyperparameters
from sonic_sb3.errors import SettingsError, unknown_name
from sonic_sb3.plain_yaml import parse_value, read_yaml
from sonic_sb3.shipped_files import hyperparams_dir
from sonic_sb3.strict_settings import validate

# Files in folders under hyperparams/, and the algorithm each is for: recipes of others, reproduced
# (seed), and what our studies found (tuned).
NAMED_CONFIGURATIONS = {
    "tutorial-a2c": "a2c_reuse",
    "tutorial-ppo": "ppo",
    "openai-ppo": "ppo",
    "borghi-fast": "ppo",
    "borghi-joint": "ppo",
    "tuned-ppo": "ppo",
    "tuned-a2c": "a2c",
}
CONTINUOUS_ALGORITHMS = ("sac", "td3", "ddpg", "tqc", "crossq")


def check_algo(algo: str) -> None:
    """
    Accept an algorithm's name.

    :raises UnknownNameError: It is none of ours.
    :raises SettingsError: It cannot play with a pad.
    """
    if algo in CONTINUOUS_ALGORITHMS:
        raise SettingsError(
            f"{algo} needs continuous actions and a pad has discrete ones: expected one of "
            f"{', '.join(ALGORITHM_SETTINGS)}"
        )
    if algo not in ALGORITHM_SETTINGS:
        raise unknown_name("algorithm", algo, ALGORITHM_SETTINGS)


def load_hyperparameters(
    algo: str,
    env_id: str = "default",
    conf_file: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Hyperparameters:
    """
    Read the hyperparameters of an algorithm for a game.

    :param algo: A name of :data:`ALGORITHM_SETTINGS`.
    :param env_id: The file's key; where the file lacks it, ``default``.
    :param conf_file: Another file than the one this package brings, or a configuration's name.
    :param overrides: Keys to replace; ``env_kwargs.level`` reaches into a mapping.
    :raises SonicError: An unknown algorithm or key, a value out of range, a file that cannot be
        read.
    """
    check_algo(algo)
    path = find_conf_file(conf_file) if conf_file else hyperparams_dir() / f"{algo}.yml"
    return choose_hyperparameters(algo, env_id, read_yaml(path), str(path), overrides)


def choose_hyperparameters(
    algo: str,
    env_id: str,
    entries: Mapping[str, Any],
    source: str,
    overrides: Mapping[str, Any] | None = None,
) -> Hyperparameters:
    """
    Take a game's hyperparameters out of a file's contents.

    :param algo: A name of :data:`ALGORITHM_SETTINGS`.
    :param env_id: The key; where it is lacking, ``default``.
    :param entries: The contents.
    :param source: Where they came from, for messages.
    :param overrides: As for :func:`load_hyperparameters`.
    :raises SonicError: As :func:`load_hyperparameters`.
    """
    check_algo(algo)
    key = env_id if env_id in entries else "default"
    if key not in entries:
        raise SettingsError(
            f"{source}: expected a key {env_id!r} or 'default', "
            f"it has {', '.join(map(str, entries))}"
        )
    entry = entries[key]
    if not isinstance(entry, dict):
        raise SettingsError(
            f"{source}: {key}: expected a mapping of hyperparameters, got {entry!r}"
        )
    return override_hyperparameters(algo, entry, overrides or {}, f"{source}: {key}")


def override_hyperparameters(
    algo: str, entry: Mapping[str, Any], overrides: Mapping[str, Any], source: str
) -> Hyperparameters:
    """
    Replace single hyperparameters and check them all.

    :param algo: A name of :data:`ALGORITHM_SETTINGS`.
    :param entry: As written in a file.
    :param overrides: As for :func:`load_hyperparameters`.
    :param source: Where they came from, for messages.
    :raises SonicError: Something is unknown or out of range.
    """
    kind, merged = ALGORITHM_SETTINGS[algo], _merge(entry, overrides)
    try:
        return validate(kind, merged, source)
    except SettingsError:
        if overrides:
            validate(kind, entry, source)  # what is wrong without them is the file's fault
            return validate(kind, merged, "options")
        raise


def find_conf_file(name: str | Path) -> Path:
    """
    The file that a user means: a path, or the short name of a shipped configuration.

    :param name: Such as ``my/ppo.yml`` or ``borghi-fast``.
    :raises UnknownNameError: It has neither a suffix nor a folder and is no configuration's name.
    """
    path = Path(name)
    if path.is_file() or path.suffix or len(path.parts) > 1:
        return path
    if str(name) not in NAMED_CONFIGURATIONS:
        raise unknown_name("configuration", str(name), NAMED_CONFIGURATIONS)
    return find_configurations()[str(name)]


def find_configurations() -> dict[str, Path]:
    """The files of :data:`NAMED_CONFIGURATIONS`, by name."""
    folder = hyperparams_dir()
    return {file.stem: file for part in ("seed", "tuned") for file in folder.glob(f"{part}/*.yml")}


def parse_overrides(pairs: Sequence[str], option: str) -> dict[str, Any]:
    """
    Read ``key:value`` words of a command line; values are YAML.

    :param pairs: The words.
    :param option: The option they came with, for messages.
    :raises SettingsError: A word has no colon, or its value is not YAML.
    """
    overrides = {}
    for pair in pairs:
        key, colon, value = pair.partition(":")
        if not colon or not key:
            raise SettingsError(f"{option}: expected key:value, got {pair!r}")
        overrides[key.strip()] = parse_value(value, f"{option} {key}")
    return overrides


def _merge(entry: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(entry)
    for key, value in overrides.items():
        parent, dot, child = key.partition(".")
        if dot:
            inner = merged.get(parent)
            merged[parent] = _merge(inner if isinstance(inner, Mapping) else {}, {child: value})
        else:
            merged[key] = value
    return merged
