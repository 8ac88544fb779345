"""
Nested plain data with arrays in one file that says whether it is whole. No pickle: reading runs
nothing.

Layout: magic, length of the head, the head (JSON: the tree, arrays replaced by their places), the
arrays' bytes, and a checksum of all before it.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from sonic_sb3.atomic_files import write_bytes
from sonic_sb3.errors import RunFolderError
from sonic_sb3.machine import free_memory_bytes
from sonic_sb3.strange_files import open_plain_file, read_file

_MAGIC = b"sonic_sb3 data 1\n"
_DTYPES = frozenset(
    f"{kind}{size}"
    for kind, sizes in (("int", (8, 16, 32, 64)), ("uint", (8, 16, 32, 64)))
    for size in sizes
) | {"bool", "float32", "float64"}
_MAX_HEAD_BYTES = 64_000_000
_SMALL_BYTES = 256_000_000  # may always be tried: memory that counts as used can often be freed


def save_data(path: Path, data: Any) -> None:
    """
    Replace a file, or nothing.

    :param path: The file.
    :param data: None, booleans, numbers, texts, bytes, arrays, and lists, tuples and dictionaries
        of them.
    :raises RunFolderError: It cannot be written.
    :raises TypeError: Something else is among the data.
    """
    blobs: list[bytes | memoryview] = []
    head = json.dumps(_Encoder(blobs).encode(data)).encode()
    parts = [_MAGIC, len(head).to_bytes(8, "little"), head, *blobs]
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    write_bytes(path, *parts, checksum.to_bytes(4, "little"))


def load_data(path: Path) -> Any:
    """
    Read what :func:`save_data` wrote.

    :param path: The file.
    :raises RunFolderError: It is missing, cut off, changed or something else.
    """
    start = len(_MAGIC) + 8
    try:
        with open_plain_file(path) as file:
            is_ours = file.read(len(_MAGIC)) == _MAGIC
            n_bytes = os.fstat(file.fileno()).st_size
        if not is_ours or n_bytes < start + 4:
            raise RunFolderError(f"{path}: expected a file that this version of sonic_sb3 wrote")
        if n_bytes > max(free_memory_bytes(), _SMALL_BYTES):
            raise RunFolderError(
                f"{path}: expected a file that fits into memory, it has {n_bytes:,} bytes, "
                f"{free_memory_bytes():,} are free"
            )
        content = read_file(path, n_bytes)
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from error
    if zlib.crc32(memoryview(content)[:-4]) != int.from_bytes(content[-4:], "little"):
        raise RunFolderError(f"{path}: expected a whole file, it is cut off or damaged (checksum)")
    n_head = int.from_bytes(content[len(_MAGIC) : start], "little")
    if n_head > min(len(content) - start - 4, _MAX_HEAD_BYTES):
        raise RunFolderError(f"{path}: expected a whole file, its head is longer than the file")
    try:
        head = json.loads(content[start : start + n_head])
        return _Decoder(memoryview(content)[start + n_head : -4]).decode(head)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise RunFolderError(f"{path}: expected plain data, it is damaged ({error})") from error


class _Encoder:
    """Turns data into JSON; bytes and arrays go to a list of blobs, their places into the JSON."""

    def __init__(self, blobs: list[bytes | memoryview]) -> None:
        self._blobs = blobs
        self._n_bytes = 0

    def encode(self, data: Any) -> Any:
        if data is None or isinstance(data, bool | int | float | str):
            return data
        if isinstance(data, bytes):
            return {"bytes": self._place(data)}
        if isinstance(data, np.ndarray | np.generic):
            array = np.ascontiguousarray(data)
            if array.dtype.name not in _DTYPES:
                raise TypeError(f"arrays of {array.dtype} are not plain data")
            place = self._place(memoryview(array.reshape(-1).view(np.uint8).data))
            if isinstance(data, np.generic):  # SB3 logs a number, but a histogram of an array
                return {"number": [array.dtype.name, *place]}
            return {"array": [array.dtype.name, list(np.shape(data)), *place]}
        if isinstance(data, list | tuple):
            return {type(data).__name__: [self.encode(item) for item in data]}
        if isinstance(data, dict):
            return {"dict": [[self.encode(k), self.encode(v)] for k, v in data.items()]}
        raise TypeError(f"{type(data).__name__} is not plain data")

    def _place(self, blob: bytes | memoryview) -> list[int]:
        place = [self._n_bytes, len(blob)]
        self._blobs.append(blob)
        self._n_bytes += len(blob)
        return place


class _Decoder:
    """
    Turns JSON and blobs into data again.

    :param blobs: One after the other, each used once: a small file must not become a large tree.
    """

    def __init__(self, blobs: memoryview) -> None:
        self._blobs = blobs
        self._n_bytes = 0

    def decode(self, node: Any) -> Any:
        if not isinstance(node, dict):
            return node
        ((kind, value),) = node.items()
        if kind == "bytes":
            return bytes(self._next(*value))
        if kind == "array":
            dtype, shape, *place = value
            if dtype not in _DTYPES:
                raise ValueError(f"unexpected array type {dtype!r}")
            return np.frombuffer(self._next(*place), dtype=dtype).reshape(shape).copy()
        if kind == "number":
            return self.decode({"array": [value[0], [], *value[1:]]})[()]
        if kind == "list":
            return [self.decode(item) for item in value]
        if kind == "tuple":
            return tuple(self.decode(item) for item in value)
        if kind == "dict":
            return {self.decode(k): self.decode(v) for k, v in value}
        raise ValueError(f"unexpected kind of data {kind!r}")

    def _next(self, offset: int, n_bytes: int) -> memoryview:
        if offset != self._n_bytes or not offset <= offset + n_bytes <= len(self._blobs):
            raise ValueError("an array lies outside of its place in the file")
        self._n_bytes += n_bytes
        return self._blobs[offset : offset + n_bytes]
