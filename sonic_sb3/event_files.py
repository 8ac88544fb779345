"""
TensorBoard's event files: every point is on disk when it was logged, and a run that goes on takes
out what came after its snapshot.
"""

from __future__ import annotations

import io
import itertools
import os
import secrets
import socket
import time
from pathlib import Path
from typing import Any

from stable_baselines3.common.logger import TensorBoardOutputFormat
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.writer import FileWriter

from sonic_sb3.atomic_files import AppendedFile, write_bytes, write_text
from sonic_sb3.errors import RunFolderError
from sonic_sb3.full_disk import cannot_write, write_patiently
from sonic_sb3.strange_files import read_file

_CLAIM = ".sonic_sb3_run"


def cut_event_files(folder: Path, last_step: int) -> None:
    """
    Keep the points up to a step, so that a resumed run repeats none.

    :param folder: With ``events.out.tfevents.*``; a torn last record, as a kill or a full disk
        leaves it, is dropped.
    :param last_step: The last step to keep.
    :raises RunFolderError: A file is damaged elsewhere, or cannot be written.
    """
    for path in sorted(folder.glob("events.out.tfevents.*")):
        buffer = io.BytesIO()
        writer = RecordWriter(buffer)
        try:
            for event in LegacyEventFileLoader(str(path)).Load():  # as they were written
                if event.step <= last_step:
                    writer.write(event.SerializeToString())
        except Exception as error:  # protobuf and TensorBoard raise types of their own
            raise RunFolderError(
                f"{path}: expected TensorBoard's events ({type(error).__name__}); move it away to "
                "go on without its points"
            ) from error
        write_bytes(path, buffer.getbuffer())


def claim_folder(folder: Path) -> str:
    """
    Mark a folder outside of a run folder as that run's.

    :returns: The mark. When the run goes on, only a folder with it is written to: the manifest of a
        run folder from a stranger could name any.
    """
    mark = secrets.token_hex(8)
    write_text(folder / _CLAIM, mark)
    return mark


def claim_free_folder(parent: Path, name: str) -> tuple[Path, str]:
    """
    Claim the first folder that is nobody's: ``PPO_1``, else ``PPO_2`` and so on.

    :param parent: Where.
    :param name: Which one first; it ends with ``_NUMBER``.
    :returns: The folder and its mark.
    """
    stem, _, first = name.rpartition("_")
    for number in itertools.count(int(first)):
        folder = parent / f"{stem}_{number}"
        write_patiently(folder, lambda: folder.mkdir(parents=True, exist_ok=True))  # noqa: B023
        try:
            os.close(os.open(folder / _CLAIM, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        except FileExistsError:
            continue
        except OSError as error:
            raise cannot_write(folder, error) from error
        return folder, claim_folder(folder)
    raise AssertionError


def check_claim(folder: Path, mark: Any) -> None:
    """
    Accept a folder that :func:`claim_folder` marked so.

    :raises RunFolderError: It is another one's.
    """
    try:
        found = read_file(folder / _CLAIM, 100).decode(errors="replace")
    except OSError:
        found = ""
    if not found or found != mark:
        raise RunFolderError(
            f"{folder} is not this run's TensorBoard folder: expected a file {_CLAIM} with the "
            "tensorboard_mark of manifest.json; to go on in the run folder instead, set "
            "tensorboard_log to null there"
        )


class TensorBoardFile(TensorBoardOutputFormat):
    """
    SB3's writer for TensorBoard without its thread: what was logged is in the file.

    A full disk is told to whoever logs, and not to a thread that dies of it.

    :param folder: Where the event file is made.
    """

    def __init__(self, folder: Path) -> None:
        self.writer = _Summaries(folder)
        self._is_closed = False


class _Summaries(SummaryWriter):
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        super().__init__(log_dir=str(folder))

    def _get_file_writer(self) -> Any:
        if self.all_writers is None or self.file_writer is None:
            vars(self)["file_writer"] = _Events(self._folder)
            vars(self)["all_writers"] = {str(self._folder): self.file_writer}
        return self.file_writer


class _Events(FileWriter):
    def __init__(self, folder: Path) -> None:
        self.event_writer = _EventFile(folder)


class _EventFile:
    """What torch's FileWriter expects of TensorBoard's EventFileWriter."""

    _n_made = 0

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        write_patiently(folder, lambda: folder.mkdir(parents=True, exist_ok=True))
        type(self)._n_made += 1
        place = f"{socket.gethostname()}.{os.getpid()}.{self._n_made}"
        name = f"events.out.tfevents.{int(time.time()):010d}.{place}"
        self._file = AppendedFile(folder / name, begins_anew=True)
        self.add_event(event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2"))

    def add_event(self, event: event_pb2.Event) -> None:
        record = io.BytesIO()
        RecordWriter(record).write(event.SerializeToString())
        self._file.append(record.getvalue())

    def get_logdir(self) -> str:
        return str(self._folder)

    def flush(self) -> None:
        """Nothing waits."""

    def reopen(self) -> None:
        """It is not closed before the end."""

    def close(self) -> None:
        self._file.close()
