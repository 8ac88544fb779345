"""A disk that is full: what was there stays, and the run stops or waits as it was asked to."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3.common.save_util import load_from_zip_file

from sonic_sb3 import atomic_files, full_disk, train
from sonic_sb3.atomic_files import AppendedFile, remove_unfinished, write_bytes
from sonic_sb3.errors import CannotWriteError
from sonic_sb3.full_disk import on_full_disk
from sonic_sb3.plots import read_monitor
from tests.chaos.trainings import difference, read_points

GAME = "Airstriker-Genesis-v0"


class FullDisk:
    """Stands for ``os`` in the module that writes: from some call on, nothing fits any more."""

    def __init__(self, fails_from: int, n_failures: int = 10**9) -> None:
        self.fails_from, self.n_failures = fails_from, n_failures
        self.n_calls = self.n_refused = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, descriptor: int, data: Any) -> int:
        self._count()
        return os.write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        self._count()
        os.fsync(descriptor)

    def _count(self) -> None:
        self.n_calls += 1
        if self.n_calls >= self.fails_from and self.n_refused < self.n_failures:
            self.n_refused += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_old_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    monkeypatch.setattr(atomic_files, "os", FullDisk(1))
    with pytest.raises(CannotWriteError, match=r"file: No space left.* intact"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"], "nothing half-written is left"


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS])
def test_waiting_is_said_once(reason: int, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    pauses_s: list[float] = []
    monkeypatch.setattr(full_disk.time, "sleep", pauses_s.append)
    failures = [OSError(reason, os.strerror(reason))] * 10

    def write() -> str:
        if failures:
            raise failures.pop()
        return "done"

    with caplog.at_level(logging.WARNING), on_full_disk("wait"):
        assert full_disk.write_patiently(Path("file"), write) == "done"
    assert pauses_s == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert [record.message.count("waiting") for record in caplog.records] == [1, 0]
    failures.append(OSError(reason, ""))
    with pytest.raises(CannotWriteError):
        full_disk.write_patiently(Path("file"), write)


def test_waiting_does_not_help_everywhere(tmp_path: Path) -> None:
    with pytest.raises(CannotWriteError, match="No such file"), on_full_disk("wait"):
        write_bytes(tmp_path / "nowhere" / "file", b"")


def test_a_torn_record_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_disk.time, "sleep", lambda _: None)

    class Torn(FullDisk):
        def write(self, descriptor: int, data: Any) -> int:
            self._count()
            return os.write(descriptor, bytes(data)[:3])

    monkeypatch.setattr(atomic_files, "os", Torn(2, n_failures=4))
    file = AppendedFile(tmp_path / "rows", begins_anew=True)
    with on_full_disk("wait"):
        file.append(b"one,two,three\n")
    file.close()
    assert (tmp_path / "rows").read_bytes() == b"one,two,three\n"


def test_unfinished_files_are_removed(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    kept = [tmp_path / "model.zip", tmp_path / ".hidden", tmp_path / "sub" / "b.part"]
    for path in [*kept, tmp_path / ".model.zip.ab12.part.zip", tmp_path / "sub" / ".a.x1.part"]:
        path.touch()
    remove_unfinished(tmp_path)
    assert sorted(p for p in tmp_path.rglob("*") if p.is_file()) == sorted(kept)


def run_training(logs: Path, *options: str) -> int:
    argv = ["--env", GAME, "-n", "128", "--n-envs", "2", "--seed", "3", "--eval-episodes", "0"]
    argv += ["-f", str(logs), "--save-freq", "64", "--snapshot-freq", "1", *options, "-params"]
    argv += ["n_steps:16", "batch_size:16", "n_epochs:1", "env_kwargs.max_episode_steps:10"]
    argv += [
        "env_kwargs.frame_width:36",
        "env_kwargs.frame_height:36",
        "policy_kwargs.features_dim:8",
    ]
    return train.main([*argv, "policy_kwargs.extractor:nature"])


def result(run: Path) -> dict[str, Any]:
    _, parameters, _ = load_from_zip_file(run / f"{GAME}.zip", load_data=False)
    monitor = read_monitor(run / "0.monitor.csv")
    monitor.pop("t")
    return {"weights": parameters, "rows": monitor, "points": read_points(run / "tensorboard")}


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    logs = tmp_path_factory.mktemp("calm")
    assert run_training(logs) == 0
    found = result(logs / "ppo" / f"{GAME}_1")
    assert len(found["rows"]["r"]) == 12
    assert any(torch.is_tensor(value) for value in found["weights"]["policy"].values())
    return found


@pytest.mark.parametrize("fails_from", [40, 90])
def test_a_run_stops_and_is_resumed(
    fails_from: int,
    calm: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    run = tmp_path / "ppo" / f"{GAME}_1"
    with monkeypatch.context() as patch:
        patch.setattr(atomic_files, "os", FullDisk(fails_from))
        assert run_training(tmp_path) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: cannot write")
    assert f"python -m sonic_sb3.train --resume {run}" in error
    assert train.main(["--resume", str(run)]) == 0
    assert difference(calm, result(run)) is None


def test_a_run_waits_and_goes_on(
    calm: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(full_disk, "_FIRST_PAUSE_S", 0.01)
    disk = FullDisk(40, n_failures=3)
    with monkeypatch.context() as patch:
        patch.setattr(atomic_files, "os", disk)
        assert run_training(tmp_path, "--on-full-disk", "wait") == 0
    assert disk.n_refused == 3
    assert difference(calm, result(tmp_path / "ppo" / f"{GAME}_1")) is None


def test_nothing_is_left_where_a_run_could_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(atomic_files, "os", FullDisk(6))
    assert run_training(tmp_path) == 2
    assert "cannot write" in capsys.readouterr().err
    assert not list(tmp_path.glob("ppo/*"))
