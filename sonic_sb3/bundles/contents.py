"""
A bundle that was opened: each file is the one the index names, each text plain, each setting valid.

Needs neither torch nor an emulator; weights and figures are checked where they are used.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from sonic_sb3.algorithm_settings import Hyperparameters
from sonic_sb3.bundles.archive import read_files
from sonic_sb3.bundles.movies import InputMovie, parse_movie
from sonic_sb3.bundles.texts import check_markdown, check_table, decode
from sonic_sb3.errors import BundleError, SettingsError, SonicError
from sonic_sb3.games import find_game, resolve_levels
from sonic_sb3.hyperparams import check_algo, choose_hyperparameters
from sonic_sb3.plain_json import check_plain, parse_json
from sonic_sb3.plain_yaml import parse_mapping
from sonic_sb3.strict_settings import Count, StrictSettings, validate

INDEX = "index.json"
CARD = "README.md"
AGENT = "agent.yml"
STUDY = "study.yml"
HYPERPARAMETERS = "hyperparameters.yml"
PROVENANCE = "provenance.yml"
WEIGHTS = "policy.safetensors"
EVALUATION = "evaluation.json"
MOVIE = "best_episode.movie.txt"
BK2 = "best_episode.bk2"
VIDEO = "video.mp4"
TRAINING_CURVE = "curves/training.csv"
EVALUATION_CURVE = "curves/evaluations.csv"
TRIALS = "trials.csv"
EXPERIMENT = "experiment.yml"

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
Kind = Literal["agent", "study", "experiment"]
_NEEDED: dict[Kind, set[str]] = {
    "agent": {CARD, AGENT, HYPERPARAMETERS, PROVENANCE, WEIGHTS, EVALUATION, MOVIE, BK2},
    "study": {CARD, STUDY, HYPERPARAMETERS, PROVENANCE},
    "experiment": {CARD, EXPERIMENT, PROVENANCE},
}
_ALLOWED: dict[Kind, re.Pattern[str]] = {
    "agent": re.compile(r"video\.mp4|curves/[\w-]+\.csv"),
    "study": re.compile(r"[\w-]+\.(csv|png)"),
    "experiment": re.compile(r"(results|report)/.+\.(csv|json|md|png|txt|yml)|[\w-]+\.(md|csv)"),
}
_MAGIC = {".png": (0, b"\x89PNG\r\n\x1a\n"), ".mp4": (4, b"ftyp"), ".bk2": (0, b"PK\x03\x04")}


class FileFacts(StrictSettings):
    """What the index says of a file."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    n_bytes: Annotated[int, Field(ge=0)]


class Index(StrictSettings):
    """``index.json``: what the bundle is and what it holds."""

    format: Literal[1]
    kind: Kind
    name: Annotated[str, Field(pattern=rf"^{NAME_PATTERN}$")]
    files: dict[str, FileFacts]


class AgentSettings(StrictSettings):
    """``agent.yml``: what an agent plays and how its weights are kept."""

    format: Literal[1]
    algo: str
    env: str
    levels: Annotated[tuple[str, ...], Field(min_length=1)]
    rom_sha1: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    num_threads: Annotated[Count, Field(le=1024)]
    n_timesteps_trained: Annotated[int, Field(ge=0, le=10**12)] | None = None  # where known
    dtype: Literal["float16", "float32"]


class StudySettings(StrictSettings):
    """``study.yml``: what a study tuned."""

    format: Literal[1]
    algo: str
    env: str


@dataclass(frozen=True)
class Bundle:
    """
    A bundle whose files are what its index says.

    :param path: Where it was read.
    :param index: What it holds.
    :param files: Contents by name, the index's own included.
    """

    path: Path
    index: Index
    files: Mapping[str, bytes]

    @property
    def id(self) -> str:
        """The sha256 of the index, and so of everything."""
        return hashlib.sha256(self.files[INDEX]).hexdigest()

    @cached_property
    def agent(self) -> AgentSettings:
        """
        What the agent plays.

        :raises SonicError: This is no agent, or its settings are not valid.
        """
        if self.index.kind != "agent":
            raise BundleError(f"{self.path}: expected an agent, this bundle is of kind {self.kind}")
        agent = validate(AgentSettings, self.mapping(AGENT), self.source(AGENT))
        with self._naming(AGENT):
            check_algo(agent.algo)
            find_game(agent.env)
            resolve_levels(agent.env, agent.levels)
        return agent

    @property
    def kind(self) -> Kind:
        """``agent``, ``study`` or ``experiment``."""
        return self.index.kind

    @cached_property
    def subject(self) -> AgentSettings | StudySettings:
        """
        Algorithm and game that the hyperparameters are of.

        :raises SonicError: An experiment has none of its own, or they are not valid.
        """
        if self.kind == "agent":
            return self.agent
        if self.kind == "experiment":
            raise BundleError(
                f"{self.path}: expected an agent or a study, an experiment has no "
                "hyperparameters of its own"
            )
        study = validate(StudySettings, self.mapping(STUDY), self.source(STUDY))
        with self._naming(STUDY):
            check_algo(study.algo)
            find_game(study.env)
        return study

    @cached_property
    def hyperparameters(self) -> Hyperparameters:
        """
        Those of its own algorithm and game.

        :raises SonicError: They are not valid.
        """
        return self.choose_hyperparameters(self.subject.env)

    def choose_hyperparameters(
        self, env_id: str, overrides: Mapping[str, Any] | None = None
    ) -> Hyperparameters:
        """
        Those for a game.

        :param env_id: The game; one that the file does not name gets the ``default``, and where
            there is none, those of the bundle's own game.
        :param overrides: As for :func:`sonic_sb3.load_hyperparameters`.
        :raises SonicError: They are not valid.
        """
        entries = self.mapping(HYPERPARAMETERS)
        subject = self.subject
        key = env_id if env_id in entries or "default" in entries else subject.env
        source = self.source(HYPERPARAMETERS)
        return choose_hyperparameters(subject.algo, key, entries, source, overrides)

    @cached_property
    def movie(self) -> InputMovie:
        """
        The best episode's.

        :raises BundleError: It is damaged, or of another game or ROM.
        """
        movie = parse_movie(decode(self.files[MOVIE], self.source(MOVIE)), self.source(MOVIE))
        agent = self.agent
        if (movie.game, movie.rom_sha1) != (agent.env, agent.rom_sha1):
            raise BundleError(
                f"{self.source(MOVIE)}: a movie of another ROM: expected {agent.env} with sha1 "
                f"{agent.rom_sha1}, got {movie.game} with {movie.rom_sha1}"
            )
        with self._naming(MOVIE):
            resolve_levels(movie.game, movie.level)
        return movie

    def mapping(self, name: str) -> dict[str, Any]:
        """
        A YAML file's contents.

        :raises SettingsError: It is no plain mapping.
        """
        return parse_plain_yaml(self.files[name], self.source(name))

    def json(self, name: str) -> Any:
        """
        A JSON file's contents.

        :raises SettingsError: It is not plain.
        """
        return parse_json(self.files[name], self.source(name))

    @contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        """What is wrong in there is told with the file's name."""
        try:
            yield
        except SonicError as error:
            raise BundleError(f"{self.source(name)}: {error}") from None

    def source(self, name: str) -> str:
        """What messages call a file of this bundle."""
        return f"{self.path}: {name}"


def open_bundle(path: str | Path) -> Bundle:
    """
    Open a bundle, which may come from a stranger.

    :param path: A ``.sonic.zip`` or a folder.
    :raises SonicError: It is no bundle, is damaged, or holds what no bundle may hold; one line.
    """
    path = Path(path)
    files = read_files(path)
    if INDEX not in files:
        raise BundleError(f"{path}: expected a bundle with {INDEX}, as `share pack` makes it")
    index = _read_index(files[INDEX], f"{path}: {INDEX}")
    bundle = Bundle(path, index, files)
    _check_listed(bundle)
    for name in files:
        _check_content(bundle, name)
    if bundle.kind == "agent":
        _ = bundle.movie
    if bundle.kind in ("agent", "study"):
        _ = bundle.hyperparameters
    return bundle


def add_index(kind: Kind, name: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """
    Complete a bundle's files.

    :param kind: What it is.
    :param name: What it is called.
    :param files: All but the index.
    :returns: The files with their index.
    """
    facts = {
        file: {"sha256": hashlib.sha256(files[file]).hexdigest(), "n_bytes": len(files[file])}
        for file in sorted(files)
    }
    index = {"format": 1, "kind": kind, "name": name, "files": facts}
    return {**files, INDEX: (json.dumps(index, indent=1) + "\n").encode()}


def check_bundle_name(name: str) -> None:
    """
    Accept a name that can be a file's and a repository's.

    :raises SettingsError: It cannot.
    """
    if not re.fullmatch(NAME_PATTERN, name) or ".." in name or name.endswith("."):
        raise SettingsError(
            f"name {name[:80]!a}: expected up to 64 letters, digits and _ . -, as in ppo-canopy1"
        )


def parse_plain_yaml(content: bytes, source: str) -> dict[str, Any]:
    """
    A YAML mapping of texts, finite numbers and lists and mappings of them.

    :param content: UTF-8.
    :param source: What to call it in messages.
    :raises SonicError: It is something else.
    """
    data = parse_mapping(decode(content, source), source)
    try:
        check_plain(data)
    except ValueError as error:
        raise SettingsError(f"{source}: {error}") from error
    return data


def _read_index(content: bytes, source: str) -> Index:
    data = parse_json(content, source)
    if not isinstance(data, dict):
        raise BundleError(f"{source}: expected a mapping, got {type(data).__name__}")
    index = validate(Index, data, source)
    check_bundle_name(index.name)
    return index


def _check_listed(bundle: Bundle) -> None:
    listed = bundle.index.files
    present = bundle.files.keys() - {INDEX}
    for name in sorted(listed.keys() ^ present):
        what = "is not there" if name in listed else "is not in the index"
        raise BundleError(f"{bundle.path}: {name[:80]!r} {what}")
    for name, facts in listed.items():
        content = bundle.files[name]
        sha256 = hashlib.sha256(content).hexdigest()
        if len(content) != facts.n_bytes or sha256 != facts.sha256:
            raise BundleError(
                f"{bundle.path}: {name}: damaged or changed: expected sha256 {facts.sha256}, "
                f"got {sha256}"
            )
    for name in sorted(_NEEDED[bundle.kind] - present):
        raise BundleError(f"{bundle.path}: expected {name} in a bundle of kind {bundle.kind}")
    for name in sorted(present - _NEEDED[bundle.kind]):
        if not _ALLOWED[bundle.kind].fullmatch(name):
            raise BundleError(f"{bundle.path}: {name!r}: not a file of a shared {bundle.kind}")


def _check_content(bundle: Bundle, name: str) -> None:
    content, source = bundle.files[name], bundle.source(name)
    suffix = Path(name).suffix
    if suffix == ".md":
        check_markdown(content, source)
    elif suffix == ".csv":
        check_table(content, source)
    elif suffix == ".yml":
        parse_plain_yaml(content, source)
    elif suffix == ".json":
        parse_json(content, source)
    elif suffix == ".txt":
        decode(content, source)
    elif suffix in _MAGIC:
        start, magic = _MAGIC[suffix]
        if content[start : start + len(magic)] != magic:
            raise BundleError(f"{source}: expected a {suffix[1:].upper()} file, got something else")
