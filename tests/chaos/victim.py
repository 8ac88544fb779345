"""
``python -m tests.chaos.victim OPTIONS -- TRAIN-OPTIONS``: the train command, easier to torment.

A worker counts as frozen after a few seconds instead of a minute; and where no disk can be mounted
that fills up, a file stands for one: while it exists, nothing can be written.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def shorten_patience(reply_timeout_s: float) -> None:
    from sonic_sb3.envs.worker_handle import WorkerHandle

    original = WorkerHandle.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.reply_timeout_s = min(self.reply_timeout_s, reply_timeout_s)

    WorkerHandle.__init__ = init  # type: ignore[method-assign]


def pretend_full_disk(flag: Path) -> None:
    """While the file exists, half of what is appended and no new file is accepted."""
    from sonic_sb3 import atomic_files

    make_file, write = tempfile.mkstemp, os.write

    def full_mkstemp(*args: Any, **kwargs: Any) -> Any:
        if flag.exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return make_file(*args, **kwargs)

    def full_write(descriptor: int, data: Any) -> int:
        if not flag.exists() or len(data) < 2:
            return write(descriptor, data)
        if len(data) > 40:
            return write(descriptor, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Os:
        def __getattr__(self, name: str) -> Any:
            return full_write if name == "write" else getattr(os, name)

    class Tempfile:
        mkstemp = staticmethod(full_mkstemp)

    atomic_files.os = Os()  # type: ignore[assignment]
    atomic_files.tempfile = Tempfile()  # type: ignore[assignment]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--reply-timeout-s", type=float, default=60.0)
    parser.add_argument("--full-disk-flag", type=Path, default=None)
    parser.add_argument("--retry-s", type=float, default=None, help="longest pause while waiting")
    parser.add_argument("rest", nargs="*")
    args = parser.parse_args()

    from sonic_sb3 import full_disk, train

    shorten_patience(args.reply_timeout_s)
    if args.full_disk_flag is not None:
        pretend_full_disk(args.full_disk_flag)
    if args.retry_s is not None:
        full_disk._LONGEST_PAUSE_S = args.retry_s
    sys.argv[:] = ["sonic_sb3/train.py", *args.rest]
    return train.main(args.rest)


if __name__ == "__main__":
    sys.exit(main())
