"""
Weights as safetensors: a list of places and plain numbers, no pickle.

Every entry of the list is checked against the network that the settings make, on no memory at all,
before a number is read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import safetensors.torch
import torch
from torch import nn

from sonic_sb3.errors import BundleError, SettingsError
from sonic_sb3.plain_json import parse_json

DTYPES = {"float16": torch.float16, "float32": torch.float32}
_TYPES = {"F16": torch.float16, "F32": torch.float32, "I64": torch.int64}
_MAX_HEAD_BYTES = 1 << 20


def pack_weights(module: nn.Module, dtype: str) -> bytes:
    """
    A network's weights, each once: what a policy shares between its parts is not repeated.

    :param module: The policy.
    :param dtype: ``float16`` (half the size, three digits) or ``float32`` (exact).
    :raises BundleError: A weight is not finite, or too large for float16.
    """
    tensors = {}
    for name, tensor in own_tensors(module).items():
        packed = tensor.detach().cpu().contiguous(memory_format=torch.contiguous_format)
        if packed.is_floating_point():
            packed = packed.to(DTYPES[dtype])
            if not bool(torch.isfinite(packed).all()):
                raise BundleError(f"weight {name!r} is not finite as {dtype}: try --dtype float32")
        tensors[name] = packed.clone()
    return safetensors.torch.save(tensors)


def load_weights(module: nn.Module, content: bytes, name: str) -> None:
    """
    Put packed weights into a network of the same making.

    :param module: The policy.
    :param content: What :func:`pack_weights` made.
    :param name: Of the file, for messages.
    :raises BundleError: It is something else, or of another network.
    """
    expected = own_tensors(module)
    check_weights(expected, content, name)
    packed = safetensors.torch.load(content)
    with torch.no_grad():
        for key, tensor in expected.items():
            tensor.copy_(packed[key])


def check_weights(expected: Mapping[str, torch.Tensor], content: bytes, name: str) -> None:
    """
    Accept weights that fit a network, every one finite.

    :param expected: The network's; ``meta`` tensors will do.
    :param content: The file's.
    :param name: Of the file, for messages.
    :raises BundleError: They do not fit, or the list at the file's beginning lies.
    """
    entries = _read_head(content, name)
    for key in sorted(expected.keys() ^ entries.keys()):
        what = "lacks" if key in expected else "has"
        raise BundleError(f"{name}: {what} {key[:80]!r}: weights of another network")
    for key, tensor in expected.items():
        dtype, shape = entries[key]
        if shape != tuple(tensor.shape) or dtype.is_floating_point != tensor.is_floating_point():
            raise BundleError(
                f"{name}: {key!r}: expected shape {tuple(tensor.shape)} as the settings say, "
                f"got {shape}"
            )
    for key, values in safetensors.torch.load(content).items():
        if not bool(torch.isfinite(values).all()):
            raise BundleError(f"{name}: {key!r}: expected finite numbers")


def own_tensors(module: nn.Module) -> dict[str, torch.Tensor]:
    """The tensors of a network by name, each under its first name only."""
    seen: set[int] = set()
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            tensors[name] = tensor
    return tensors


def _read_head(content: bytes, name: str) -> dict[str, tuple[torch.dtype, tuple[int, ...]]]:
    """The list of tensors, whose places must fill the file without gap or overlap."""
    n_head = int.from_bytes(content[:8], "little")
    if len(content) < 8 or n_head > min(len(content) - 8, _MAX_HEAD_BYTES):
        raise BundleError(f"{name}: expected safetensors, got something else or a cut-off file")
    try:
        head = parse_json(content[8 : 8 + n_head], name)
    except SettingsError as error:
        raise BundleError(f"{name}: expected safetensors: {error}") from error
    if not isinstance(head, dict):
        raise BundleError(f"{name}: expected safetensors, its head is no mapping")
    head.pop("__metadata__", None)
    places = []
    entries = {}
    for key, entry in head.items():
        try:
            dtype, shape, place = _read_entry(entry)
        except (TypeError, KeyError, ValueError) as error:
            raise BundleError(f"{name}: damaged or dishonest entry {key[:80]!r}: {error}") from None
        places.append(place)
        entries[key] = (dtype, shape)
    end = 0
    for start, stop in sorted(places):
        if start != end:
            raise BundleError(f"{name}: expected weights side by side, got a gap or an overlap")
        end = stop
    if end != len(content) - 8 - n_head:
        raise BundleError(f"{name}: its head tells of {end:,} bytes of weights, it has others")
    return entries


def _read_entry(entry: Any) -> tuple[torch.dtype, tuple[int, ...], tuple[int, int]]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"expected dtype, shape and data_offsets, got {json.dumps(entry)[:80]}")
    if entry["dtype"] not in _TYPES:
        raise ValueError(f"expected one of {', '.join(_TYPES)}, got {entry['dtype']!r}")
    dtype = _TYPES[entry["dtype"]]
    numbers = [*entry["shape"], *entry["data_offsets"]]
    if not all(type(n) is int and 0 <= n < 1 << 40 for n in numbers):
        raise ValueError("expected sizes of at least 0")
    start, stop = entry["data_offsets"]
    if stop - start != math.prod(entry["shape"]) * dtype.itemsize:
        raise ValueError(f"{stop - start} bytes do not hold the shape {entry['shape']}")
    return dtype, tuple(entry["shape"]), (start, stop)
