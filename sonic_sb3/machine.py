"""What this machine offers, and the fixed rule by which it is divided."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import math
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")
# Limit, use and its parts, in the two versions of control groups.
_MEMORY_LIMITS = (
    (_CGROUP / "memory.max", _CGROUP / "memory.current", _CGROUP / "memory.stat"),
    (
        _CGROUP / "memory/memory.limit_in_bytes",
        _CGROUP / "memory/memory.usage_in_bytes",
        _CGROUP / "memory/memory.stat",
    ),
)
# Time in each period, and the period, both in microseconds.
_CPU_QUOTAS = (
    (_CGROUP / "cpu.max",),
    (_CGROUP / "cpu/cpu.cfs_quota_us", _CGROUP / "cpu/cpu.cfs_period_us"),
)
_FILE_CACHE = ("active_file", "inactive_file")  # counted as used, given back when wanted
_MAX_THREADS = 8  # the networks here are too small to keep more busy
# Parameters of glibc's mallopt, and the most that it takes for the second.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_MOST_MMAP_THRESHOLD_BYTES = 32 * 2**20
_KEPT_BYTES = 512 * 2**20


def n_usable_cores() -> int:
    """Cores that this process may use, by its affinity and its control group's share of time."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(n_cores or 1, _quota_cores()))


def _quota_cores() -> int:
    """Cores' worth of time that the control group gives (``docker run --cpus``), rounded up."""
    for files in _CPU_QUOTAS:
        try:
            quota, period = " ".join(path.read_text() for path in files).split()
            if int(quota) > 0:  # -1, or "max": no limit
                return math.ceil(int(quota) / int(period))
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return sys.maxsize


def default_num_threads() -> int:
    """
    Threads of torch: one per usable core, at most 8.

    Env workers rest while torch learns and torch rests while they play, so neither needs cores of
    its own. The number is recorded: another one gives other weights.
    """
    return min(n_usable_cores(), _MAX_THREADS)


def free_memory_bytes() -> int:
    """Memory that this process may still take: of the machine, and of its control group's limit."""
    free = int(psutil.virtual_memory().available)
    for limit_file, used_file, parts_file in _MEMORY_LIMITS:
        try:
            limit, used = (int(path.read_text()) for path in (limit_file, used_file))
            parts = dict(line.split() for line in parts_file.read_text().splitlines())
            cached = sum(int(parts.get(name, 0)) for name in _FILE_CACHE)
        except (OSError, ValueError):  # no such group, or no limit ("max")
            continue
        free = min(free, max(0, limit - used + cached))
    return free


def give_back_memory() -> None:
    """
    Give memory that was freed back to the system, and a GPU's to its other users.

    For a process that trains one model after another: each leaves what :func:`keep_freed_memory`
    kept, in pieces of other sizes than the next one asks for.
    """
    gc.collect()  # a model and its callbacks refer to each other
    if (trim := getattr(_c_library(), "malloc_trim", None)) is not None:
        trim(0)
    if (torch := sys.modules.get("torch")) is not None:  # not imported for this
        torch.cuda.empty_cache()  # another process may want it; does nothing where there is no GPU


@functools.cache
def keep_freed_memory() -> bool:
    """
    Let this process keep memory that it frees, for the next time.

    A gradient step asks for the same tensors of some megabytes again and again. By default glibc
    gets each of them from the kernel, whose zeroing of fresh pages is a sixth of the step's time.

    :returns: Whether the C library is one that can be told (glibc).
    """
    mallopt = getattr(_c_library(), "mallopt", None)
    if mallopt is None:
        return False
    return bool(
        mallopt(_M_MMAP_THRESHOLD, _MOST_MMAP_THRESHOLD_BYTES)
        and mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    )


def _c_library() -> ctypes.CDLL | None:
    """glibc, where it is what this process runs on."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


@contextlib.contextmanager
def what_is_there_stays() -> Iterator[None]:
    """
    Keep the garbage collector from looking again and again at what libraries made when imported:
    some 300,000 objects with torch, 2 % of a training's time.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
