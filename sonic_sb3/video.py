"""Videos of episodes, made by replaying their inputs with every frame drawn."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt

from sonic_sb3.atomic_files import renaming
from sonic_sb3.envs.emulator import Emulator
from sonic_sb3.errors import WorkerError
from sonic_sb3.full_disk import write_patiently
from sonic_sb3.games import FRAMES_PER_SECOND

_SCALE = 2  # a pixel of the console becomes 2x2, so that players do not blur it
_QUALITY = 6
# A third of the size for half the pictures, to be sent around.
_SMALL_QUALITY = 4
_SMALL_EVERY_FRAMES = 2
_LAST_FRAME_S = 1.0
_LITTLE_BYTES = 1_000_000


def record_video(
    path: Path,
    game_id: str,
    level: str,
    input_movie: npt.NDArray[np.uint8],
    *,
    is_small: bool = False,
) -> None:
    """
    Replay inputs from a level's start and write them as MP4, 60 frames a second.

    :param path: The file to make or replace.
    :param game_id: The game.
    :param level: Where the inputs began.
    :param input_movie: (n_frames, 12) of 0 and 1.
    :param is_small: As large as the console's picture and 30 frames a second, for sharing.
    :raises SonicError: The emulator or the encoder failed.
    """

    def write() -> None:
        with renaming(path) as temporary:
            _replay_in_process(temporary, game_id, level, input_movie, is_small)

    write_patiently(path, write)


def _replay_in_process(
    path: Path, game_id: str, level: str, input_movie: npt.NDArray[np.uint8], is_small: bool
) -> None:
    """In a process of its own, because a process has one emulator and the caller may use it."""
    context = multiprocessing.get_context("spawn")
    arguments = (path, game_id, level, input_movie, is_small)
    process = context.Process(target=_replay, args=arguments, daemon=True)
    process.start()
    process.join()
    if process.exitcode == 0 and _is_whole(path):
        return
    if shutil.disk_usage(path.parent).free < _LITTLE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    raise WorkerError(f"the video {path} could not be made: exit code {process.exitcode}")


def _is_whole(path: Path) -> bool:
    """The encoder writes the table of contents last."""
    return b"moov" in path.read_bytes()


def _replay(
    path: Path, game_id: str, level: str, input_movie: npt.NDArray[np.uint8], is_small: bool
) -> None:
    scale = 1 if is_small else _SCALE
    every_frames = _SMALL_EVERY_FRAMES if is_small else 1
    parent = multiprocessing.parent_process()
    emulator = Emulator(game_id, level)
    emulator.reset()
    picture = _enlarge(emulator.screen(), scale)
    height, width = picture.shape[:2]
    writer = imageio_ffmpeg.write_frames(
        str(path),
        (width, height),
        fps=FRAMES_PER_SECOND // every_frames,
        codec="libx264",
        quality=_SMALL_QUALITY if is_small else _QUALITY,
        ffmpeg_log_level="fatal",
    )
    try:
        writer.send(None)
        writer.send(picture)
        for n_frames, buttons in enumerate(input_movie, start=1):
            if parent is not None and not parent.is_alive():
                sys.exit(1)
            emulator.run_frame(buttons)
            if n_frames % every_frames == 0 or n_frames == len(input_movie):
                picture = _enlarge(emulator.screen(), scale)
                writer.send(picture)
        for _ in range(round(_LAST_FRAME_S * FRAMES_PER_SECOND / every_frames)):
            writer.send(picture)
        writer.close()
    except OSError:
        sys.exit(1)  # the encoder has ended, as on a full disk; the parent finds out
    emulator.close()


def _enlarge(screen: npt.NDArray[np.uint8], scale: int) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(screen.repeat(scale, axis=0).repeat(scale, axis=1))
