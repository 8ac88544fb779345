"""
What the training process and its env workers share: one block of memory, no copies through pipes.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_ALIGNMENT = 64  # a cache line, so that workers never write to the same one


@dataclass(frozen=True)
class BatchShape:
    """
    What one timestep of all envs consists of.

    :param n_envs: Number of envs.
    :param obs_shape: Of one env's observation as the policy gets it.
    :param obs_dtype: Its dtype.
    :param action_shape: Of one env's action.
    :param action_dtype: Its dtype.
    """

    n_envs: int
    obs_shape: tuple[int, ...]
    obs_dtype: str
    action_shape: tuple[int, ...]
    action_dtype: str

    def fields(self) -> list[tuple[str, tuple[int, ...], str]]:
        """Name, shape and dtype of each array, in the order in which they lie in memory."""
        n = self.n_envs
        return [
            ("obs", (n, *self.obs_shape), self.obs_dtype),
            ("terminal_obs", (n, *self.obs_shape), self.obs_dtype),
            ("actions", (n, *self.action_shape), self.action_dtype),
            ("rewards", (n,), "float64"),
            ("dones", (n,), "bool"),
        ]


class SharedBatch:
    """
    Arrays over memory that several processes have mapped.

    ``obs`` and ``terminal_obs`` (n_envs, ...), ``actions`` (n_envs, ...), ``rewards`` (n_envs,)
    float64, ``dones`` (n_envs,) bool. Each worker writes the rows of its own envs only.

    The memory is an unlinked temporary file: it goes when the last process that has it goes,
    however that process ends.

    :param shape: What to lay out.
    :param fd: File descriptor of the memory another process made; ``None`` makes it.
    """

    obs: npt.NDArray[np.generic]
    terminal_obs: npt.NDArray[np.generic]
    actions: npt.NDArray[np.generic]
    rewards: npt.NDArray[np.float64]
    dones: npt.NDArray[np.bool_]

    def __init__(self, shape: BatchShape, fd: int | None = None) -> None:
        offsets = []
        n_bytes = 0
        for _, array_shape, dtype in shape.fields():
            offsets.append(n_bytes)
            size = int(np.prod(array_shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            n_bytes += -(-size // _ALIGNMENT) * _ALIGNMENT
        self.fd = _make_memory_file(n_bytes) if fd is None else fd
        # Whoever makes one vec env after another must not run out of descriptors.
        self._close_file = weakref.finalize(self, os.close, self.fd)
        self._memory = mmap.mmap(self.fd, n_bytes)
        for (name, array_shape, dtype), offset in zip(shape.fields(), offsets, strict=True):
            setattr(self, name, np.ndarray(array_shape, dtype, self._memory, offset))

    def close_file(self) -> None:
        """Close the descriptor; the mapped memory stays until the arrays are gone."""
        self._close_file()
        self.fd = -1


def _make_memory_file(n_bytes: int) -> int:
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("sonic_sb3-batch")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, n_bytes)
    return fd
