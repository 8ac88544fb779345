"""Where the files lie that come with this package, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def hyperparams_dir() -> Path:
    """The folder with one hyperparameters file per algorithm."""
    installed = _PACKAGE / "shipped" / "hyperparams"
    return installed if installed.is_dir() else _PACKAGE.parent / "hyperparams"


def search_dir() -> Path:
    """The folder with the search spaces of ``tune``."""
    return hyperparams_dir() / "search"


def experiments_dir() -> Path:
    """The folder with one folder per experiment."""
    installed = _PACKAGE / "shipped" / "experiments"
    return installed if installed.is_dir() else _PACKAGE.parent / "experiments"


def zoo_dir() -> Path:
    """The folder with the tuned agents, as bundles; a wheel brings none."""
    return _PACKAGE.parent / "zoo"
