"""A video small enough for a repository. Needs no emulator."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg

from sonic_sb3.errors import WorkerError

_FRAMES_PER_SECOND = 15
_RATE_FACTOR = 34  # of x264: a quarter of a megabyte for a quarter of a minute
_PATIENCE_S = 600


def shrink_video(path: Path) -> bytes:
    """
    Encode a video again: half as wide and high, 15 frames a second.

    :param path: An MP4 of :func:`sonic_sb3.video.record_video`.
    :returns: The small MP4; the same bytes whenever it is done with the same encoder.
    :raises WorkerError: The encoder failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.mp4"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(path)]
        command += ["-vf", f"fps={_FRAMES_PER_SECOND},scale=iw/2:ih/2:flags=neighbor"]
        command += ["-c:v", "libx264", "-crf", str(_RATE_FACTOR), "-preset", "slow"]
        command += ["-threads", "1", "-fflags", "+bitexact", "-movflags", "+faststart", str(small)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise WorkerError(f"{path} could not be made smaller: {error}") from error
        if done.returncode != 0:
            reason = " ".join(done.stderr.split())[:200]
            raise WorkerError(f"{path} could not be made smaller: {reason}")
        return small.read_bytes()
