"""
Becomes another program that gets SIGTERM when the process that started this one is gone.

Run as a file, before anything else is imported: the kernel keeps the wish across ``exec``. Where
the kernel is not Linux there is no such wish and the program is started without it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(128 + signal.SIGTERM)  # it died before the wish was made
    os.execv(program[0], program)
