"""Videos of episodes, made by replaying their inputs with every frame drawn."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt

from sonic_sb3.atomic_files import renaming
from sonic_sb3.envs.emulator import Emulator
from sonic_sb3.errors import SettingsError, WorkerError
from sonic_sb3.full_disk import write_patiently
from sonic_sb3.games import FRAMES_PER_SECOND

_LAST_FRAME_S = 1.0
_LITTLE_BYTES = 1_000_000


@dataclass(frozen=True)
class _Style:
    """
    How a video looks.

    :param codec: The encoder.
    :param quality: Its quality, as imageio takes it (0..10); ``None`` for the encoder's own.
    :param scale: A pixel of the console becomes so many in each direction.
    :param every_frames: One of so many frames is shown.
    :param options: More for the encoder.
    """

    codec: str = "libx264"
    quality: float | None = 6
    scale: int = 2  # so that players do not blur it
    every_frames: int = 1
    options: tuple[str, ...] = ()


# A third of the size for half the pictures, to be sent around.
_SMALL = _Style(quality=4, scale=1, every_frames=2)
_STYLES = {
    ".mp4": _Style(),
    # A picture that moves by itself on a page, and repeats.
    ".webp": _Style("libwebp_anim", None, 1, 4, ("-loop", "0", "-q:v", "35")),
}


def check_video_path(path: Path) -> None:
    """
    Accept a name that a video can have.

    :raises SettingsError: Its ending is none of those that can be made.
    """
    if path.suffix not in _STYLES:
        raise SettingsError(f"{path}: expected a name that ends in {' or '.join(_STYLES)}")


def record_video(
    path: Path,
    game_id: str,
    level: str,
    input_movie: npt.NDArray[np.uint8],
    *,
    is_small: bool = False,
) -> None:
    """
    Replay inputs from a level's start and write them.

    :param path: The file to make or replace: MP4 of 60 frames a second, or an animated WebP
        picture of 15.
    :param game_id: The game.
    :param level: Where the inputs began.
    :param input_movie: (n_frames, 12) of 0 and 1.
    :param is_small: An MP4 as large as the console's picture and 30 frames a second, for sharing.
    :raises SonicError: The name's ending is of another kind, the emulator or the encoder failed.
    """
    check_video_path(path)
    style = _SMALL if is_small else _STYLES[path.suffix]

    def write() -> None:
        with renaming(path) as temporary:
            _replay_in_process(temporary, game_id, level, input_movie, style)

    write_patiently(path, write)


def _replay_in_process(
    path: Path, game_id: str, level: str, input_movie: npt.NDArray[np.uint8], style: _Style
) -> None:
    """In a process of its own, because a process has one emulator and the caller may use it."""
    context = multiprocessing.get_context("spawn")
    arguments = (path, game_id, level, input_movie, style)
    process = context.Process(target=_replay, args=arguments, daemon=True)
    process.start()
    process.join()
    if process.exitcode == 0 and _is_whole(path):
        return
    if shutil.disk_usage(path.parent).free < _LITTLE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    raise WorkerError(f"the video {path} could not be made: exit code {process.exitcode}")


def _is_whole(path: Path) -> bool:
    """Whether the encoder came to the end, where an MP4's table of contents is written."""
    contents = path.read_bytes()
    if path.suffix == ".mp4":
        return b"moov" in contents
    return int.from_bytes(contents[4:8], "little") == len(contents) - 8


def _replay(
    path: Path, game_id: str, level: str, input_movie: npt.NDArray[np.uint8], style: _Style
) -> None:
    parent = multiprocessing.parent_process()
    emulator = Emulator(game_id, level)
    emulator.reset()
    picture = _enlarge(emulator.screen(), style.scale)
    height, width = picture.shape[:2]
    writer = imageio_ffmpeg.write_frames(
        str(path),
        (width, height),
        fps=FRAMES_PER_SECOND // style.every_frames,
        codec=style.codec,
        quality=style.quality,
        output_params=list(style.options),
        ffmpeg_log_level="fatal",
    )
    try:
        writer.send(None)
        writer.send(picture)
        for n_frames, buttons in enumerate(input_movie, start=1):
            if parent is not None and not parent.is_alive():
                sys.exit(1)
            emulator.run_frame(buttons)
            if n_frames % style.every_frames == 0 or n_frames == len(input_movie):
                picture = _enlarge(emulator.screen(), style.scale)
                writer.send(picture)
        for _ in range(round(_LAST_FRAME_S * FRAMES_PER_SECOND / style.every_frames)):
            writer.send(picture)
        writer.close()
    except OSError:
        sys.exit(1)  # the encoder has ended, as on a full disk; the parent finds out
    emulator.close()


def _enlarge(screen: npt.NDArray[np.uint8], scale: int) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(screen.repeat(scale, axis=0).repeat(scale, axis=1))
