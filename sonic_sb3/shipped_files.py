"""Where the files lie that come with this package, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def hyperparams_dir() -> Path:
    """The folder with one hyperparameters file per algorithm."""
    installed = _PACKAGE / "shipped" / "hyperparams"
    return installed if installed.is_dir() else _PACKAGE.parent / "hyperparams"


def zoo_dir() -> Path:
    """The folder with the tuned agents, as bundles; a wheel brings none."""
    return _PACKAGE.parent / "zoo"
