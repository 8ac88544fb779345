"""
Leases: who works on a cell, told by locked files, so that it never runs twice.

One file lies with the cell's run folder and is inherited by the processes that do the work: it
stays locked as long as any of them lives, however the campaign ends. Another lies beside the
results, for campaigns that share those but keep their logs elsewhere.
"""

from __future__ import annotations

import fcntl
import os
import platform
from pathlib import Path

from sonic_sb3.errors import RunFolderError

_LOCK_NAME = "lease.lock"


class Lease:
    """
    The right to work on a cell, held through an open file.

    :param descriptor: Of the locked file.
    :param path: Of a file to delete when the lease is given back; ``None`` keeps it.
    :param other: Another lease, given back with this one.
    """

    def __init__(
        self, descriptor: int, path: Path | None = None, other: Lease | None = None
    ) -> None:
        self.descriptor = descriptor
        self._path = path
        self._other = other

    def release(self) -> None:
        """Give it back, once; processes that inherited the descriptor still hold it."""
        if self.descriptor < 0:
            return
        # Somebody may have deleted the folder since, and another one begun anew there.
        if self._path is not None and _is_same_file(self.descriptor, self._path):
            self._path.unlink(missing_ok=True)
        os.close(self.descriptor)
        self.descriptor = -1
        if self._other is not None:
            self._other.release()


def take_lease(folder: Path) -> Lease | None:
    """
    Take the lease on a cell's run folder.

    :param folder: Where it lies.
    :returns: ``None`` where somebody holds it.
    :raises RunFolderError: The folder cannot be written.
    """
    descriptor = _lock(folder / _LOCK_NAME)
    return None if descriptor is None else Lease(descriptor)


def take_results_lease(results: Path) -> Lease | None:
    """
    Take the lease on a cell's results, for this process alone.

    :param results: ``results/ARM/seed_K``, which need not be there.
    :returns: ``None`` where somebody holds it.
    :raises RunFolderError: The folder cannot be written.
    """
    if results.is_file():
        raise RunFolderError(f"{results}: expected a folder of results, got a file: move it away")
    path = _beside(results)
    descriptor = _lock(path)
    return None if descriptor is None else Lease(descriptor, path)


def take_both(folder: Path, results: Path) -> Lease | None:
    """As :func:`take_lease` and :func:`take_results_lease`; both or none."""
    of_results = take_results_lease(results)
    if of_results is None:
        return None
    of_folder = None
    try:
        of_folder = take_lease(folder)
    finally:
        if of_folder is None:
            of_results.release()
    return None if of_folder is None else Lease(of_folder.descriptor, other=of_results)


def is_leased(folder: Path, results: Path) -> bool:
    """Whether somebody works on a cell now."""
    return _is_locked(folder / _LOCK_NAME) or _is_locked(_beside(results))


def _beside(results: Path) -> Path:
    return results.with_name(f".{results.name}.lock")


def _lock(path: Path) -> int | None:
    """Open and lock a file. :returns: Its descriptor; ``None`` where somebody holds it."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RunFolderError(f"cannot write {path.parent}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError as error:
            os.close(descriptor)
            raise RunFolderError(
                f"cannot lock {path}: {error.strerror}; expected a file system that locks files"
            ) from error
        if _is_same_file(descriptor, path):
            os.truncate(descriptor, 0)
            os.write(descriptor, f"{platform.node()} process {os.getpid()}\n".encode())
            return descriptor
        # Whoever had it deleted it in between: what was locked is the lease no longer.
        os.close(descriptor)


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # nothing can be locked there, as whoever tries to is told
        return False
    finally:
        os.close(descriptor)
    return False
