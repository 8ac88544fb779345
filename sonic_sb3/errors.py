"""The errors a user can meet. Each message says what was expected, what came and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SonicError(Exception):
    """Base of all errors of this package; a command prints its message in one line and exits 2."""


class UnknownNameError(SonicError):
    """A game, level, algorithm, key or option that does not exist."""


class SettingsError(SonicError):
    """A settings file or value that cannot be used."""


class RomError(SonicError):
    """A ROM that is missing, damaged or not the expected one."""


class EmulatorError(SonicError):
    """The emulator cannot be started, or a save state cannot be loaded."""


class WorkerError(SonicError):
    """An env worker process failed; the message holds its last words."""


class RunFolderError(SonicError):
    """A run folder that is missing, incomplete, in use or cannot be written."""


class CannotWriteError(RunFolderError):
    """
    A file that cannot be written: the disk is full, or a permission is gone.

    :param message: Says so; the file that was there before is intact.
    :param path: The file.
    """

    def __init__(self, message: str, path: object = None) -> None:
        super().__init__(message)
        self.path = path


class NotFiniteError(SonicError):
    """A loss, gradient or weight that is NaN or infinite: what was learned last is worthless."""


class StudyError(SonicError):
    """A study that cannot be reached, joined or exported."""


class BundleError(SonicError):
    """A shared bundle that is damaged, not what it claims to be, or not to be trusted."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> UnknownNameError:
    """
    Build the error for a name that is in no table, naming the closest known one.

    :param kind: What the name stands for, as a user would say it ("level", "algorithm").
    :param name: What came.
    :param known: All names that would have been right.
    """
    names = sorted(known)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.4)
    hint = f"did you mean {close[0]!r}? " if close else ""
    listed = ", ".join(names[:12]) + (f", ... ({len(names)} in all)" if len(names) > 12 else "")
    return UnknownNameError(f"unknown {kind} {name!r}: {hint}known: {listed or 'none'}")
