"""TensorBoard's event files of a run that goes on: what came after the snapshot is taken out."""

from __future__ import annotations

from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.summary.writer.record_writer import RecordWriter

from sonic_sb3.atomic_files import replacing


def cut_event_files(folder: Path, last_step: int) -> None:
    """
    Keep the points up to a step, so that a resumed run repeats none.

    :param folder: With ``events.out.tfevents.*``; a torn last record, as a kill leaves it, is
        dropped.
    :param last_step: The last step to keep.
    """
    for path in sorted(folder.glob("events.out.tfevents.*")):
        kept = [e for e in EventFileLoader(str(path)).Load() if e.step <= last_step]
        with replacing(path) as temporary, temporary.open("wb") as file:
            writer = RecordWriter(file)
            for event in kept:
                writer.write(event.SerializeToString())
