"""What one training run consists of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonic_sb3.algorithm_settings import Hyperparameters
from sonic_sb3.full_disk import OnFullDisk
from sonic_sb3.run_folder import RunFolder
from sonic_sb3.settings import TrainSettings


def _tell_nobody(line: str) -> None:
    pass


@dataclass(frozen=True)
class Output:
    """
    Where a run writes and how much it says; nothing here changes its result.

    :param log_folder: LOGS of ``LOGS/ALGO/ENV_k``.
    :param tensorboard_log: Another place for TensorBoard's files than the run folder.
    :param shows_progress: A progress bar on standard error.
    :param verbose: 1 prints SB3's table after each rollout.
    :param arguments: The command's options, for ``args.yml``.
    :param on_full_disk: Stop at a file that cannot be written, or wait until it can.
    :param number: The k of ``ENV_k``; ``None`` for the next free one.
    :param tell: Takes a line at each step of the run, for people.
    """

    log_folder: Path
    tensorboard_log: Path | None = None
    shows_progress: bool = False
    verbose: int = 0
    arguments: dict[str, Any] | None = None
    on_full_disk: OnFullDisk = "stop"
    number: int | None = None
    tell: Callable[[str], None] = _tell_nobody


@dataclass(frozen=True)
class Job:
    """
    What one run consists of.

    :param settings: What to do.
    :param hyperparameters: What to do it with.
    :param folder: Where.
    :param output: What to show.
    :param callbacks: More callbacks with a memory (``training_snapshot.Resumable``).
    :param tensorboard: Folder outside of the run folder for TensorBoard's files, and its mark.
    """

    settings: TrainSettings
    hyperparameters: Hyperparameters
    folder: RunFolder
    output: Output
    callbacks: Sequence[Any] = ()
    tensorboard: tuple[Path, str] | None = None
