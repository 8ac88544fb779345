"""
The weights in an SB3 zip, as tensors of the shapes and types that a model has. The pickled part of
the zip is not opened, and nothing is unpacked before its size is known.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sonic_sb3.errors import RunFolderError, SettingsError
from sonic_sb3.pickle_scan import check_state_pickle
from sonic_sb3.plain_json import parse_json
from sonic_sb3.strange_files import StrangeFileError, open_archive, read_entry, read_file

# Of a network's size: its weights, two moments of the optimiser, and a target network.
_MAX_TIMES_NETWORK = 4
_MAX_OTHER_BYTES = 32_000_000  # what SB3 pickles beside the weights, and is not opened
_MAX_MODEL_BYTES = 1 << 30
_MAX_TIMESTEPS = 10**12
_MAX_ENTRIES = 16
_MAX_INNER_ENTRIES = 10_000  # a tensor each
_PICKLE = "data.pkl"
# What torch.save calls its entries. Its reader finds one also where the case of letters is another:
# `data.PKL` would be a pickle that nobody looked at.
_INNER_NAME = re.compile(
    r"data\.pkl|data/[0-9]+|version|byteorder|\.format_version|\.storage_alignment"
    r"|\.data/serialization_id"
)


Module = torch.nn.Module | torch.optim.Optimizer


def read_weights(
    path: Path, expected: Mapping[str, Module], device: torch.device | str = "cpu"
) -> dict[str, Any]:
    """
    Read state dictionaries out of an SB3 zip.

    :param path: The zip.
    :param expected: What they are for, by name: ``policy``, and maybe ``policy.optimizer``.
    :param device: Where the tensors go.
    :returns: The state dictionaries by name, to be given to ``set_parameters``.
    :raises RunFolderError: There is no such file, it is damaged, or it does not fit.
    """
    limit = _MAX_TIMES_NETWORK * sum(map(_count_bytes, expected.values())) + _MAX_OTHER_BYTES
    try:
        with open_archive(read_file(path, limit), limit, _MAX_ENTRIES) as archive:
            read = {
                name: _load(read_entry(archive, f"{name}.pth", limit), limit, device)
                for name in expected
            }
        for name, module in expected.items():
            _check(module, read[name], name)
    except (StrangeFileError, torch.OutOfMemoryError):
        raise
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from error
    except Exception as error:
        # torch and zipfile raise a dozen different types for damaged files.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunFolderError(
            f"cannot load {path}: expected an SB3 zip with the weights of this run's network "
            f"({reason[:300]})"
        ) from error
    return read


def read_n_timesteps(path: Path) -> int | None:
    """
    How long the model in an SB3 zip had learned when it was saved.

    :param path: The zip.
    :returns: Timesteps; ``None`` where it does not tell. What is pickled beside them stays text.
    :raises RunFolderError: There is no such file.
    """
    try:
        content = read_file(path, _MAX_MODEL_BYTES)
        with open_archive(content, _MAX_MODEL_BYTES, _MAX_ENTRIES) as archive:
            data = parse_json(read_entry(archive, "data", _MAX_OTHER_BYTES), str(path))
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, SettingsError):
        return None
    n_timesteps = data.get("num_timesteps") if isinstance(data, dict) else None
    is_count = type(n_timesteps) is int and 0 <= n_timesteps <= _MAX_TIMESTEPS
    return n_timesteps if is_count else None


def _load(content: bytes, max_bytes: int, device: Any) -> Any:
    """Read what ``torch.save`` wrote, in its format of archives, without unpickling objects."""
    with open_archive(content, max_bytes, _MAX_INNER_ENTRIES) as archive:
        names = archive.namelist()
        folder = names[0].partition("/")[0] if names else ""
        for name in names:
            if not _INNER_NAME.fullmatch(name.removeprefix(f"{folder}/")):
                raise ValueError(f"expected the entries that torch.save writes, got {name!r:.80}")
        check_state_pickle(read_entry(archive, f"{folder}/{_PICKLE}", max_bytes))
    return torch.load(io.BytesIO(content), map_location=device, weights_only=True)


def _count_bytes(module: Module) -> int:
    values = module.state_dict().values() if isinstance(module, torch.nn.Module) else ()
    tensors = (value for value in values if isinstance(value, torch.Tensor))
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _check(module: Module, got: Any, name: str) -> None:
    if not isinstance(got, Mapping):
        raise ValueError(f"{name}: expected a mapping of names to weights")
    expected = module.state_dict()
    _check_keys(expected, got, name)
    if isinstance(module, torch.optim.Optimizer):
        _check_groups(expected["param_groups"], got["param_groups"], name)
        _check_moments(module, got["state"], name)
    else:
        for key, tensor in expected.items():
            if isinstance(tensor, torch.Tensor):
                _check_tensor(got[key], [tensor.shape], tensor.dtype, f"{name}: {key}")
            else:  # what a script remembers, of any length
                _check_extra_state(got[key], f"{name}: {key}")


def _check_extra_state(state: Any, name: str) -> None:
    if not isinstance(state, dict):
        raise ValueError(f"{name}: expected a mapping of names to tensors")
    for key, tensor in state.items():
        if not isinstance(key, str) or not isinstance(tensor, torch.Tensor):
            raise ValueError(f"{name}: expected a mapping of names to tensors")
        _check_tensor(tensor, [tensor.shape], tensor.dtype, f"{name}.{key:.40}")


def _check_groups(expected: list[dict[str, Any]], got: Any, name: str) -> None:
    if not isinstance(got, list) or len(got) != len(expected):
        raise ValueError(f"{name}: expected {len(expected)} groups of parameters")
    for mine, theirs in zip(expected, got, strict=True):
        if not isinstance(theirs, dict) or theirs.get("params") != mine["params"]:
            raise ValueError(f"{name}: expected the groups of this network's parameters")
        _check_keys(mine, theirs, name)
        for key, value in theirs.items():
            if not _is_plain(value):
                raise ValueError(f"{name}: {key}: expected finite numbers, got {value!r:.80}")


def _check_moments(optimizer: torch.optim.Optimizer, got: Any, name: str) -> None:
    """A fresh optimiser has no moments yet; those of the file must be of the weights' shapes."""
    if not isinstance(got, dict):
        raise ValueError(f"{name}: expected a mapping under 'state'")
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for index, state in got.items():
        if index not in range(len(weights)) or not isinstance(state, dict):
            raise ValueError(f"{name}: unexpected state {index!r:.80}")
        for key, value in state.items():
            if key == "step" and isinstance(value, int):  # SB3's RMSpropTFLike counts so
                continue
            shapes = [weights[index].shape, torch.Size()]
            _check_tensor(value, shapes, torch.float32, f"{name}: {index}.{key}")


def _check_keys(expected: Mapping[str, Any], got: Mapping[str, Any], name: str) -> None:
    missing = [key for key in expected if key not in got]
    unknown = [key for key in got if key not in expected]
    if missing:
        raise ValueError(f"{name}: {missing[0]!r} is missing")
    if unknown:
        raise ValueError(f"{name}: {unknown[0]!r:.80} is none of this network's")


def _check_tensor(tensor: Any, shapes: list[torch.Size], dtype: torch.dtype, name: str) -> None:
    if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided:
        raise ValueError(f"{name}: expected a tensor")
    if tensor.shape not in shapes or tensor.dtype != dtype:
        raise ValueError(
            f"{name}: expected shape {tuple(shapes[0])} of {dtype}, got {tuple(tensor.shape)} of "
            f"{tensor.dtype}"
        )
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueError(f"{name}: expected as many numbers as its shape has")
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{name}: expected finite numbers, there is NaN or infinity among them")


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(_is_plain(item) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)
