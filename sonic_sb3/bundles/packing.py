"""What ``share pack`` does: recognise the source, pack it, write what is wanted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from sonic_sb3.bundles.archive import SUFFIX, write_folder, write_zip
from sonic_sb3.bundles.contents import Bundle, check_bundle_name, open_bundle
from sonic_sb3.bundles.pack_agent import (
    PackOptions,
    TrainedAgent,
    default_name,
    pack_agent,
    read_agent,
)
from sonic_sb3.bundles.pack_files import Packed, is_experiment, pack_experiment, pack_study
from sonic_sb3.bundles.places import find_bundle
from sonic_sb3.bundles.rl_zoo3 import read_rl_zoo3_run, write_rl_zoo3_folder, write_sb3_zip
from sonic_sb3.bundles.shown import describe
from sonic_sb3.bundles.texts import check_markdown
from sonic_sb3.errors import BundleError, SettingsError

# What is packed, in words, and the options that mean something to it.
_ABOUT = ("name", "license", "notes")
_PLAYING = ("dtype", "n_episodes", "seed", "deterministic", "has_video")
_KINDS = {
    "bundle": ("a bundle, which is passed on as it is", ()),
    "import": ("a run of rl-zoo3", (*_ABOUT, *_PLAYING, "algo")),
    "experiment": ("an experiment", _ABOUT),
    "run": ("a run folder, whose manifest tells it", (*_ABOUT, *_PLAYING, "checkpoint")),
    "study": ("a study's export", (*_ABOUT, "algo")),
}
_SPELLINGS = {"n_episodes": "-n", "has_video": "--no-video"}  # other options than `--FIELD`
Form = Literal["bundle", "folder", "rl-zoo3", "sb3"]


@dataclass(frozen=True)
class PackRequest:
    """
    What is to be made of what.

    :param source: A run, a study's export, an experiment or a bundle.
    :param is_rl_zoo3: The source is a run folder that rl-zoo3 made.
    :param form: What to make: a zip, a folder of the same files, rl-zoo3's run folder, SB3's zip.
    :param output: Where; ``None`` for a name in the current folder.
    :param algo: The algorithm, where the source does not tell it.
    :param max_mb: Refuse to make a larger bundle; ``None`` for no limit.
    :param replaces: Overwrite another bundle.
    """

    source: Path
    is_rl_zoo3: bool = False
    form: Form = "bundle"
    output: Path | None = None
    algo: str | None = None
    max_mb: float | None = None
    replaces: bool = False


def pack(request: PackRequest, options: PackOptions) -> Iterator[str]:
    """
    Pack, check what was packed as a receiver would, and write it.

    :param request: What of what.
    :param options: How.
    :returns: Lines for people: what was left out, what was made.
    :raises SonicError: The source is none of those, or something in it may not be shared.
    """
    with tempfile.TemporaryDirectory() as folder:
        bundle_path = find_bundle(request.source)
        kind = "bundle" if bundle_path is not None else _kind_of(request)
        _check_options(kind, request, options)
        if bundle_path is None:
            packed = _pack_source(kind, request, options)
            bundle_path = Path(folder) / f"packed{SUFFIX}"
            write_zip(bundle_path, packed.files)
            yield from (f"left out: {line}" for line in packed.left_out)
        bundle = open_bundle(bundle_path)
        describe(bundle)
        n_mb = bundle_path.stat().st_size / 1e6
        if request.max_mb is not None and n_mb > request.max_mb:
            raise BundleError(
                f"{bundle.index.name} takes {n_mb:.1f} MB, expected at most {request.max_mb:g}: "
                "try --no-video or --dtype float16"
            )
        path = _write(bundle, request)
        yield f"packed: {path} ({n_mb:.1f} MB, id {bundle.id[:16]})"


def _kind_of(request: PackRequest) -> str:
    """A key of :data:`_KINDS`."""
    source = request.source
    if request.is_rl_zoo3:
        return "import"
    if not source.exists():
        raise BundleError(
            f"nothing at {source}: expected a run folder, a study's export, an experiment or "
            "a bundle"
        )
    if is_experiment(source):
        return "experiment"
    return "run" if source.is_dir() and (source / "manifest.json").is_file() else "study"


def _check_options(kind: str, request: PackRequest, options: PackOptions) -> None:
    """What is wrong with them is told before anything is played; so is what would be ignored."""
    what, meant = _KINDS[kind]
    given = [f.name for f in fields(options) if getattr(options, f.name) != f.default]
    given += ["algo"] if request.algo is not None else []
    for name in given:
        if name not in meant:
            option = _SPELLINGS.get(name, f"--{name}")
            raise SettingsError(f"{option}: expected no such option with {what}")
    if options.name is not None:
        check_bundle_name(options.name)
    check_markdown(options.notes.encode(errors="replace"), "--notes")
    check_markdown((options.license or "").encode(errors="replace"), "--license")


def _pack_source(kind: str, request: PackRequest, options: PackOptions) -> Packed:
    source = request.source
    if kind == "import":
        return _pack_agent(read_rl_zoo3_run(source, request.algo), request, options)
    if kind == "run":
        return _pack_agent(read_agent(source, options.checkpoint), request, options)
    if kind == "experiment":
        return pack_experiment(
            source, name=options.name, notes=options.notes, license_id=options.license
        )
    return pack_study(
        source,
        name=options.name,
        algo=request.algo,
        notes=options.notes,
        license_id=options.license,
    )


def _pack_agent(agent: TrainedAgent, request: PackRequest, options: PackOptions) -> Packed:
    name = options.name or default_name(agent.algo, agent.env, agent.levels)
    path = _place(name, request)
    if path.exists() and request.form != "rl-zoo3" and not request.replaces:
        raise BundleError(
            f"{path} is there already: nothing was played; choose another --output, or --replace "
            "to overwrite a file"
        )
    return Packed(pack_agent(agent, options))


def _place(name: str, request: PackRequest) -> Path:
    """Where the result goes, checked as far as it can be before there is one."""
    names = {"bundle": f"{name}{SUFFIX}", "folder": name, "rl-zoo3": "logs", "sb3": f"{name}.zip"}
    path = request.output or Path(names[request.form])
    if request.form == "bundle" and not path.name.endswith(SUFFIX):
        raise BundleError(f"--output {path}: expected a file that ends in {SUFFIX}")
    if request.form == "folder" and path.exists():
        raise BundleError(f"{path} is there already: expected a folder to make, choose another")
    if request.form == "rl-zoo3" and path.exists() and not path.is_dir():
        raise BundleError(f"--output {path}: expected a folder for runs, it is a file")
    if request.form in ("bundle", "sb3") and (path.is_dir() or not path.parent.is_dir()):
        raise BundleError(f"--output {path}: expected a file in a folder that is there")
    return path


def _write(bundle: Bundle, request: PackRequest) -> Path:
    path = _place(bundle.index.name, request)
    if request.form == "rl-zoo3":
        return write_rl_zoo3_folder(bundle, path)
    if request.form == "folder":
        write_folder(path, bundle.files)
        return path
    if path.exists() and not request.replaces and not _is_same(path, bundle, request.form):
        raise BundleError(f"{path} is there already and is another one; --replace overwrites it")
    if request.form == "sb3":
        write_sb3_zip(bundle, path)
    else:
        write_zip(path, bundle.files)
    return path


def _is_same(path: Path, bundle: Bundle, form: Form) -> bool:
    return form == "bundle" and open_bundle(path).id == bundle.id
