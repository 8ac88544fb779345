"""From a study's or an experiment's folder to a bundle: its files, as far as they are safe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sonic_sb3.algorithm_settings import ALGORITHM_SETTINGS
from sonic_sb3.bundles.card import make_plain_card
from sonic_sb3.bundles.contents import (
    CARD,
    EXPERIMENT,
    HYPERPARAMETERS,
    PROVENANCE,
    STUDY,
    TRIALS,
    add_index,
    check_bundle_name,
    parse_plain_yaml,
)
from sonic_sb3.bundles.curves import clean_table, evaluations_table, read_table
from sonic_sb3.bundles.limits import MAX_BYTES, check_name, check_size
from sonic_sb3.bundles.texts import check_markdown
from sonic_sb3.errors import BundleError, SettingsError, SonicError
from sonic_sb3.games import catalogue
from sonic_sb3.hyperparams import choose_hyperparameters
from sonic_sb3.plain_json import parse_json
from sonic_sb3.plain_yaml import read_yaml
from sonic_sb3.run_folder import describe_machine

_EXPERIMENT_PARTS = ("results", "report")
# Folders, command lines and databases' addresses, which may hold passwords, stay at home.
_PRIVATE_KEYS = ("command", "tensorboard_log", "resumed", "storage")


@dataclass(frozen=True)
class Packed:
    """
    A bundle, and what was left out of it.

    :param files: Contents by name.
    :param left_out: ``PATH: why`` for each file that may not be in a bundle.
    """

    files: dict[str, bytes]
    left_out: tuple[str, ...] = ()


def is_experiment(path: Path) -> bool:
    """Whether a folder is an experiment's."""
    return (path / EXPERIMENT).is_file()


def pack_study(
    path: Path,
    *,
    name: str | None,
    algo: str | None,
    notes: str = "",
    license_id: str | None = None,
) -> Packed:
    """
    Make a bundle of what a study exported.

    :param path: The exported hyperparameters file, or the folder that it lies in; a ``trials.csv``
        beside it goes along, and pictures.
    :param name: Of the bundle; ``None`` for the folder's.
    :param algo: The algorithm, where neither the file's name nor its contents tell it.
    :param notes: Markdown for the card.
    :param license_id: As the Hub knows it.
    :raises SonicError: There is no such file, or it is not valid.
    """
    file = _find_exported(path)
    folder = file.parent
    name = name or (path.name if path.is_dir() else f"{folder.resolve().name}-{file.stem}")
    check_bundle_name(name)
    data = read_yaml(file)
    entries = {key: value for key, value in data.items() if key in {*catalogue(), "default"}}
    provenance = {str(key): value for key, value in data.items() if key not in entries}
    if set(provenance) == {"provenance"} and isinstance(provenance["provenance"], dict):
        provenance = provenance["provenance"]  # as `tune export` writes it
    algo = algo or _find_algo(provenance, file)
    env_id = next((key for key in entries if key != "default"), next(iter(catalogue())))
    choose_hyperparameters(algo, env_id, entries, str(file))
    files = {
        STUDY: _to_yaml({"format": 1, "algo": algo, "env": env_id}),
        HYPERPARAMETERS: _to_yaml(entries),
        PROVENANCE: _to_yaml({**_public(provenance), "packed_with": describe_machine()}),
    }
    left_out = []
    for other in sorted([*folder.glob("*.csv"), *folder.glob("*.png")]):
        left_out += _add(files, other.name, other)
    what = f"Hyperparameters of {algo.upper()} for `{env_id}`, tuned with sonic_sb3."
    if TRIALS in files:
        what += f" Every trial is in [{TRIALS}]({TRIALS})."
    files[CARD] = make_plain_card(name, what, notes, license_id).encode()
    return Packed(add_index("study", name, files), tuple(left_out))


def pack_experiment(
    path: Path, *, name: str | None, notes: str = "", license_id: str | None = None
) -> Packed:
    """
    Make a bundle of an experiment: its file, its results, its report.

    Web pages stay behind (they may hold programs), as do notes with HTML in them; SB3's
    ``evaluations.npz`` and gzipped tables become CSV.

    :param path: ``experiments/NAME``.
    :param name: Of the bundle; ``None`` for the folder's.
    :param notes: Markdown for the card.
    :param license_id: As the Hub knows it.
    :raises SonicError: There is no experiment, or it is too large.
    """
    name = name or path.resolve().name
    check_bundle_name(name)
    experiment = (path / EXPERIMENT).read_bytes()
    question = parse_plain_yaml(experiment, str(path / EXPERIMENT)).get("question", "")
    files = {
        EXPERIMENT: experiment,
        PROVENANCE: _to_yaml({"packed_with": describe_machine()}),
    }
    left_out: list[str] = []
    for part in _EXPERIMENT_PARTS:
        for file in sorted((path / part).rglob("*")):
            if file.is_file() and not file.is_symlink():
                left_out += _add(files, file.relative_to(path).as_posix(), file)
    what = "An experiment of sonic_sb3." + (f" The question: {question}" if question else "")
    card = make_plain_card(name, " ".join(what.split()), notes, license_id).encode()
    files[CARD] = card
    check_markdown(card, CARD)
    return Packed(add_index("experiment", name, files), tuple(left_out))


def _find_exported(path: Path) -> Path:
    if path.is_file():
        return path
    found = [file for file in sorted(path.glob("*.yml")) if _holds_hyperparameters(file)]
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise BundleError(
            f"{path}: expected one exported hyperparameters file, it has {names}: name the file, "
            "as `tune export` wrote it"
        )
    return found[0]


def _holds_hyperparameters(path: Path) -> bool:
    try:
        data = read_yaml(path)
    except SonicError:
        return False
    return any(isinstance(data.get(key), dict) for key in ("default", *catalogue()))


def _find_algo(provenance: Mapping[str, Any], file: Path) -> str:
    """In the file's provenance, wherever it stands there, or in its name."""
    for value in (provenance, *provenance.values()):
        if isinstance(value, Mapping) and value.get("algo") in ALGORITHM_SETTINGS:
            return str(value["algo"])
    for algo in sorted(ALGORITHM_SETTINGS, key=len, reverse=True):
        if file.stem == algo or file.stem.startswith((f"{algo}-", f"{algo}_")):
            return algo
    raise SettingsError(f"{file}: of which algorithm? Add --algo")


def _public(data: Any) -> Any:
    """The same without the keys that are nobody's business, however deep."""
    if isinstance(data, Mapping):
        return {k: _public(v) for k, v in data.items() if k not in _PRIVATE_KEYS}
    return [_public(item) for item in data] if isinstance(data, list) else data


def _add(files: dict[str, bytes], name: str, path: Path) -> list[str]:
    """Add a file as a bundle may hold it. :returns: Why it was left out, if it was."""
    try:
        if path.name == "evaluations.npz":
            name, content = f"{name[:-4]}.csv", evaluations_table(path)
        elif path.name.endswith((".csv", ".csv.gz")):
            name, content = name.removesuffix(".gz"), clean_table(read_table(path))
        elif path.suffix not in MAX_BYTES or path.suffix in (".safetensors", ".bk2", ".mp4"):
            return [f"{path}: not a kind of file that is shared"]
        else:
            content = path.read_bytes()
        check_name(name)
        check_size(name, len(content))
        files[name] = _checked(name, content)
    except SonicError as error:
        return [str(error)]
    return []


def _checked(name: str, content: bytes) -> bytes:
    if name.endswith(".md"):
        check_markdown(content, name)
    elif name.endswith(".yml"):
        parse_plain_yaml(content, name)
    elif name.endswith(".json"):
        data = parse_json(content, name)
        public = _public(data)
        return content if public == data else _to_json(public)
    return content


def _to_json(data: Any) -> bytes:
    return (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()


def _to_yaml(data: Mapping[str, Any]) -> bytes:
    return yaml.safe_dump(dict(data), sort_keys=False).encode()
