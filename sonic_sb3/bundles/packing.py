"""What ``share pack`` does: recognise the source, pack it, write what is wanted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sonic_sb3.bundles.archive import SUFFIX, write_folder, write_zip
from sonic_sb3.bundles.contents import Bundle, open_bundle
from sonic_sb3.bundles.pack_agent import PackOptions, pack_agent, pack_run
from sonic_sb3.bundles.pack_files import Packed, is_experiment, pack_experiment, pack_study
from sonic_sb3.bundles.places import find_bundle
from sonic_sb3.bundles.rl_zoo3 import read_rl_zoo3_run, write_rl_zoo3_folder, write_sb3_zip
from sonic_sb3.bundles.shown import describe
from sonic_sb3.errors import BundleError

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
        if bundle_path is None:
            packed = _pack_source(request, options)
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


def _pack_source(request: PackRequest, options: PackOptions) -> Packed:
    source = request.source
    if request.is_rl_zoo3:
        return Packed(pack_agent(read_rl_zoo3_run(source, request.algo), options))
    if not source.exists():
        raise BundleError(
            f"nothing at {source}: expected a run folder, a study's export, an experiment or "
            "a bundle"
        )
    if is_experiment(source):
        return pack_experiment(
            source, name=options.name, notes=options.notes, license_id=options.license
        )
    if source.is_dir() and (source / "manifest.json").is_file():
        return Packed(pack_run(source, options))
    return pack_study(
        source,
        name=options.name,
        algo=request.algo,
        notes=options.notes,
        license_id=options.license,
    )


def _write(bundle: Bundle, request: PackRequest) -> Path:
    name, output = bundle.index.name, request.output
    if request.form == "rl-zoo3":
        return write_rl_zoo3_folder(bundle, output or Path("logs"))
    if request.form == "folder":
        path = output or Path(name)
        write_folder(path, bundle.files)
        return path
    path = output or Path(f"{name}.zip" if request.form == "sb3" else f"{name}{SUFFIX}")
    if request.form == "bundle" and not path.name.endswith(SUFFIX):
        raise BundleError(f"--output {path}: expected a file that ends in {SUFFIX}")
    if path.exists() and not request.replaces and not _is_same(path, bundle, request.form):
        raise BundleError(f"{path} is there already and is another one; --replace overwrites it")
    if request.form == "sb3":
        write_sb3_zip(bundle, path)
    else:
        write_zip(path, bundle.files)
    return path


def _is_same(path: Path, bundle: Bundle, form: Form) -> bool:
    return form == "bundle" and open_bundle(path).id == bundle.id
