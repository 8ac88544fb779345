"""Where experiments, their run folders and their results lie."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from sonic_sb3.errors import RunFolderError, SettingsError, unknown_name
from sonic_sb3.shipped_files import experiments_dir

FILE_NAME = "experiment.yml"


@dataclass(frozen=True)
class Places:
    """
    The folders of one experiment at one scale.

    :param definition: ``experiment.yml``.
    :param results: Compact results of the runs, ``ARM/seed_K``.
    :param report: What is written from them.
    :param logs: Run folders, ``ARM/seed_K/ALGO/ENV_k``.
    """

    definition: Path
    results: Path
    report: Path
    logs: Path

    @property
    def name(self) -> str:
        """What the experiment is called: its folder's name."""
        return self.definition.resolve().parent.name


def find_experiment(name: str) -> Path:
    """
    Find an experiment's file.

    :param name: A folder with ``experiment.yml``, that file itself, or the name of a folder in
        ``experiments/`` here or of an experiment that this package brings.
    :raises SonicError: There is none; the message names the closest.
    """
    given = Path(name)
    if given.name == FILE_NAME and given.is_file():
        return given
    for path in (given / FILE_NAME, Path("experiments") / name / FILE_NAME):
        if path.is_file():
            return path
    shipped = {path.parent.name: path for path in experiments_dir().glob(f"*/{FILE_NAME}")}
    if name in shipped:
        return shipped[name]
    if given.suffix in (".yml", ".yaml") or given.exists() or len(given.parts) > 1:
        raise SettingsError(f"no experiment {name}: expected a folder with {FILE_NAME} in it")
    here = {path.parent.name for path in Path("experiments").glob(f"*/{FILE_NAME}")}
    raise unknown_name("experiment", name, here | set(shipped))


def known_experiments() -> list[Path]:
    """The files of all experiments in ``experiments/`` here and of those that this package has."""
    found = {path.parent.name: path for path in experiments_dir().glob(f"*/{FILE_NAME}")}
    found |= {path.parent.name: path for path in Path("experiments").glob(f"*/{FILE_NAME}")}
    return [found[name] for name in sorted(found)]


def make_places(definition: Path, log_folder: Path, scale: float = 1.0) -> Places:
    """
    Say where everything goes; runs of another scale never lie beside full ones.

    :param definition: The experiment's file. One inside an installed package stays there; its
        results go to ``experiments/NAME/`` in the current folder.
    :param log_folder: Where run folders are made, of all experiments.
    :param scale: Of the budgets.
    """
    folder = definition.parent
    if _is_installed(definition):
        folder = Path("experiments") / folder.name
    logs = log_folder / definition.resolve().parent.name
    if scale != 1:
        part = f"scale_{scale:g}"
        folder, logs = folder / part, logs / part
    return Places(definition, folder / "results", folder / "report", logs)


def copy_installed_definition(places: Places) -> Places:
    """
    Put an installed experiment's file beside the results that are about to be made.

    :raises RunFolderError: The folder cannot be written.
    """
    if not _is_installed(places.definition):
        return places
    copy = Path("experiments") / places.name / FILE_NAME
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(places.definition, copy)
    except OSError as error:
        raise RunFolderError(f"cannot write {copy}: {error.strerror}") from error
    return Places(copy, places.results, places.report, places.logs)


def _is_installed(definition: Path) -> bool:
    package = Path(__file__).resolve().parent.parent
    return definition.resolve().is_relative_to(package)
