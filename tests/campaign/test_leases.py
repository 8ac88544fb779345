"""Leases on cells: who has one, who is told so, and what is left behind."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sonic_sb3.campaign.leases import is_leased, take_both, take_lease, take_results_lease
from sonic_sb3.errors import RunFolderError


def test_lease_lives_as_long_as_any_process_that_has_it(tmp_path: Path) -> None:
    results = tmp_path / "results" / "seed_1"
    lease = take_lease(tmp_path)
    assert lease is not None
    assert take_lease(tmp_path) is None
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lease.descriptor]
    )
    lease.release()
    assert is_leased(tmp_path, results)
    assert take_lease(tmp_path) is None, "the child works on"
    child.kill()
    child.communicate()
    assert not is_leased(tmp_path, results)
    again = take_lease(tmp_path)
    assert again is not None
    again.release()


def test_campaigns_with_logs_of_their_own_share_the_lease_on_results(tmp_path: Path) -> None:
    results = tmp_path / "results" / "arm" / "seed_1"
    lease = take_both(tmp_path / "logs", results)
    assert lease is not None
    assert is_leased(tmp_path / "other logs", results)
    assert take_both(tmp_path / "other logs", results) is None
    assert take_lease(tmp_path / "other logs") is not None, "it was not taken by half"
    lease.release()
    lease.release()
    assert not is_leased(tmp_path / "logs", results)
    assert list(results.parent.iterdir()) == [], "nothing lies beside the results"


def test_no_lease_is_taken_by_half(tmp_path: Path) -> None:
    results = tmp_path / "results" / "seed_1"
    of_folder = take_lease(tmp_path / "logs")
    assert of_folder is not None
    assert take_both(tmp_path / "logs", results) is None
    of_results = take_results_lease(results)
    assert of_results is not None


def test_a_file_that_was_deleted_in_between_is_not_the_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking, its owner gives the lease back and deletes the file."""
    from sonic_sb3.campaign import leases

    results = tmp_path / "seed_1"
    lock, n_calls = leases.fcntl.flock, 0

    def flock(descriptor: int, operation: int) -> None:
        nonlocal n_calls
        n_calls += 1
        if n_calls == 1:
            (tmp_path / ".seed_1.lock").unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(leases.fcntl, "flock", flock)
    lease = take_results_lease(results)
    assert lease is not None
    assert n_calls == 2
    assert take_results_lease(results) is None


def test_whoever_deletes_the_results_takes_no_lease_of_another(tmp_path: Path) -> None:
    results = tmp_path / "results" / "seed_1"
    first = take_results_lease(results)
    assert first is not None
    shutil.rmtree(results.parent)
    second = take_results_lease(results)
    assert second is not None
    first.release()
    assert take_results_lease(results) is None, "the second one works on it"
    second.release()


def test_nothing_stays_taken_where_the_other_half_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match="cannot write"):
        take_both(tmp_path / "file" / "logs", tmp_path / "seed_1")
    lease = take_results_lease(tmp_path / "seed_1")
    assert lease is not None
    lease.release()


def test_a_file_system_without_locks_is_told_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sonic_sb3.campaign import leases

    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(leases.fcntl, "flock", flock)
    with pytest.raises(RunFolderError, match="expected a file system that locks files"):
        take_lease(tmp_path)
    assert not is_leased(tmp_path, tmp_path / "seed_1")


def test_a_file_where_results_go_is_told_before_the_training(tmp_path: Path) -> None:
    (tmp_path / "seed_1").touch()
    with pytest.raises(RunFolderError, match="expected a folder of results, got a file"):
        take_both(tmp_path / "logs", tmp_path / "seed_1")
