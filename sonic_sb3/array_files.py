"""``evaluations.npz`` from strangers: arrays whose sizes are known before they are made."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sonic_sb3.errors import RunFolderError
from sonic_sb3.strange_files import open_archive, read_entry, read_file

_MAX_BYTES = 200_000_000
_KINDS = "biuf"  # booleans and numbers


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """
    Read a ``.npz`` of numbers, without pickle.

    :param path: The file.
    :returns: Arrays by name.
    :raises RunFolderError: It is damaged, too large, or holds something else than numbers.
    """
    try:
        content = read_file(path, _MAX_BYTES, follows_links=True)
        with open_archive(content, _MAX_BYTES) as archive:
            return {
                name.removesuffix(".npy"): _parse_array(read_entry(archive, name, _MAX_BYTES))
                for name in archive.namelist()
            }
    except Exception as error:
        # NumPy's reader of headers raises whatever Python's tokenizer does.
        raise RunFolderError(
            f"{path}: expected SB3's evaluations, a whole .npz of numbers ({error})"
        ) from error


def _parse_array(content: bytes) -> npt.NDArray[Any]:
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    read_header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, is_fortran, dtype = read_header(stream)
    n_bytes = len(content) - stream.tell()
    if dtype.kind not in _KINDS or any(length < 0 for length in shape):
        raise ValueError(f"expected arrays of numbers, got {dtype}")
    if math.prod(shape) * dtype.itemsize != n_bytes:
        raise ValueError(f"an array of shape {shape} has {n_bytes:,} bytes")
    array = np.frombuffer(content, dtype=dtype, offset=stream.tell())
    return array.reshape(shape, order="F" if is_fortran else "C")
