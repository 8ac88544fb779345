"""
Where bundles and shared hyperparameters lie on this machine, and how a name finds them.

Installed things go to folders of the user's beside the imported ROMs:
``~/.local/share/sonic_sb3/zoo`` and ``.../hyperparams`` (``XDG_DATA_HOME`` moves them).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sonic_sb3.algorithm_settings import Hyperparameters
from sonic_sb3.atomic_files import replacing
from sonic_sb3.bundles.archive import SUFFIX, write_zip
from sonic_sb3.bundles.contents import HYPERPARAMETERS, INDEX, Bundle, open_bundle
from sonic_sb3.errors import BundleError, SettingsError
from sonic_sb3.hyperparams import NAMED_CONFIGURATIONS, load_hyperparameters
from sonic_sb3.rom_files import roms_dir
from sonic_sb3.shipped_files import zoo_dir

_SUFFIXES = (".yml", ".yaml", ".zip")


def user_zoo_dir() -> Path:
    """The user's agents."""
    return roms_dir().parent / "zoo"


def user_hyperparams_dir() -> Path:
    """The user's hyperparameters files, which ``--conf-file NAME`` finds."""
    return roms_dir().parent / "hyperparams"


def find_bundle(name: str | Path) -> Path | None:
    """
    Find a bundle by its path or its name.

    :param name: A path, with or without ``.sonic.zip``; or the name of an agent in the checkout's
        or the user's zoo, with or without ``zoo/`` in front of it.
    :returns: The bundle's path; ``None`` where there is none, or a folder that is no bundle.
    """
    path = Path(name)
    if path.is_dir():
        return path if (path / INDEX).is_file() else None
    if path.is_file():
        return path if path.suffix == ".zip" else None
    for candidate in _candidates(path):
        if candidate.is_file():
            return candidate
    return None


def open_named_bundle(name: str | Path) -> Bundle:
    """
    Open a bundle by its path or its name.

    :param name: As for :func:`find_bundle`.
    :raises SonicError: There is none, or it may not be opened.
    """
    path = find_bundle(name)
    if path is None:
        raise BundleError(
            f"no bundle {str(name)!r}: expected a {SUFFIX} file, a bundle's folder, or the name of "
            f"an agent in zoo/ or in {user_zoo_dir()}"
        )
    return open_bundle(path)


def load_conf_file(
    algo: str, env_id: str, conf_file: str | None, overrides: Mapping[str, Any] | None = None
) -> Hyperparameters:
    """
    The hyperparameters that ``--conf-file`` names.

    :param algo: The algorithm.
    :param env_id: The game.
    :param conf_file: A YAML file, a configuration's name, a bundle, or the name of either among
        the installed ones; ``None`` for the file that this package brings.
    :param overrides: As for :func:`sonic_sb3.load_hyperparameters`.
    :raises SonicError: There is no such file, it is of another algorithm, or not valid.
    """
    is_file = conf_file and Path(conf_file).is_file() and Path(conf_file).suffix != ".zip"
    if conf_file is None or is_file or conf_file in NAMED_CONFIGURATIONS:
        return load_hyperparameters(algo, env_id, conf_file, overrides)
    installed = user_hyperparams_dir() / f"{conf_file.removesuffix('.yml')}.yml"
    if "/" not in conf_file and installed.is_file():
        return load_hyperparameters(algo, env_id, installed, overrides)
    bundle_path = find_bundle(conf_file)
    if bundle_path is None:
        return load_hyperparameters(algo, env_id, conf_file, overrides)
    bundle = open_bundle(bundle_path)
    if bundle.subject.algo != algo:
        raise SettingsError(
            f"{bundle_path} has hyperparameters of {bundle.subject.algo}, expected "
            f"those of {algo}: add --algo {bundle.subject.algo}"
        )
    return bundle.choose_hyperparameters(env_id, overrides)


def install(bundle: Bundle, *, replaces: bool = False) -> list[Path]:
    """
    Put an agent into the user's zoo and hyperparameters among the user's.

    :param bundle: An agent or a study, already checked.
    :param replaces: Overwrite what is there under the same name.
    :returns: The files that were written, or were there with the same contents.
    :raises SonicError: Another bundle has the name, it could be taken for something else, or
        nothing in this one can be installed.
    """
    _check_name(bundle.index.name)
    if bundle.kind == "experiment":
        raise BundleError(
            f"{bundle.path}: an experiment is read, not installed; `share show` tells of it"
        )
    files: dict[Path, bytes | None] = {
        user_hyperparams_dir() / f"{bundle.index.name}.yml": bundle.files[HYPERPARAMETERS]
    }
    if bundle.kind == "agent":
        files[user_zoo_dir() / f"{bundle.index.name}{SUFFIX}"] = None
    if not replaces:
        for path, content in files.items():
            _check_free(path, content, bundle)
    for path, content in files.items():
        _make_folder(path.parent)
        if content is None:
            write_zip(path, bundle.files)
        else:
            with replacing(path) as temporary:
                temporary.write_bytes(content)
    return list(files)


def _candidates(path: Path) -> Iterator[Path]:
    """A name may have dots of its own, so its suffix is added, not replaced."""
    file = path if path.name.endswith(SUFFIX) else path.with_name(path.name + SUFFIX)
    yield file
    if file.is_absolute() or file.parent not in (Path(), Path("zoo")):
        return
    yield zoo_dir() / file.name
    yield user_zoo_dir() / file.name


def _check_name(name: str) -> None:
    """A stranger's bundle must not answer to a name by which somebody means another thing."""
    if name.lower() in NAMED_CONFIGURATIONS:
        raise BundleError(
            f"{name} is a configuration that comes with this package: expected another name of a "
            "bundle to install; use it by its path"
        )
    if name.lower().endswith(_SUFFIXES):
        raise BundleError(
            f"{name} could be taken for a file's name: expected none of the endings "
            f"{', '.join(_SUFFIXES)} of a bundle to install; use it by its path"
        )


def _check_free(path: Path, content: bytes | None, bundle: Bundle) -> None:
    if not path.exists():
        return
    packs = content is None
    if (open_bundle(path).id != bundle.id) if packs else (path.read_bytes() != content):
        raise BundleError(
            f"{path} is there already and is another one: nothing was installed; "
            "--replace overwrites it"
        )


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(f"cannot make the folder {path}: {error.strerror}") from error
