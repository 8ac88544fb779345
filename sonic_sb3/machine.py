"""What this machine offers, and the fixed rule by which it is divided."""

from __future__ import annotations

import os

_MAX_THREADS = 8  # the networks here are too small to keep more busy


def n_usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_num_threads() -> int:
    """
    Threads of torch: one per usable core, at most 8.

    Env workers rest while torch learns and torch rests while they play, so neither needs cores of
    its own. The number is recorded: another one gives other weights.
    """
    return min(n_usable_cores(), _MAX_THREADS)
