"""YAML as data: nothing in a file is ever executed, and nothing small grows large."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sonic_sb3.errors import SettingsError
from sonic_sb3.strange_files import StrangeFileError, read_file

_MAX_BYTES = 250_000
_MAX_VALUES = 20_000
_MAX_DEPTH = 20
_MAX_DIGITS = 100
_MAX_MERGED = 50


# What PyYAML's constructors raise beside its own errors, as of the tagged scalar `!!int ""`.
ODD_VALUES = (RecursionError, ValueError, IndexError, KeyError, AttributeError, TypeError)


class PlainLoader(yaml.SafeLoader):
    """
    PyYAML's safe loader with limits.

    Refuses a key that stands twice, for one of the two values would be lost silently, and stops
    reading where a file becomes too much.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._n_nodes = 0
        self._depth = 0
        self._flattened: set[int] = set()  # nodes live as long as the loader

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._n_nodes += 1
        self._depth += 1
        if self._n_nodes > 2 * _MAX_VALUES or self._depth > _MAX_DEPTH + 1:
            raise SettingsError(_TOO_MUCH)
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Called before a mapping is made, and for what it takes in with ``<<``."""
        if id(node) in self._flattened:
            return
        self._flattened.add(id(node))
        seen = set()
        for key_node, value_node in node.value:
            is_merge = key_node.tag == _MERGE_TAG
            key = "<<" if is_merge else self.construct_object(key_node, deep=True)
            line = node.start_mark.line + 1
            if repr(key) in seen:
                raise SettingsError(
                    f"expected each key once, key {key!r} stands twice, line {line}"
                )
            seen.add(repr(key))
            is_list = is_merge and isinstance(value_node, yaml.SequenceNode)
            if is_list and len(value_node.value) > _MAX_MERGED:
                raise SettingsError(
                    f"expected at most {_MAX_MERGED} mappings under <<, line {line}"
                )
        super().flatten_mapping(node)
        if len(node.value) > 2 * _MAX_VALUES:
            raise SettingsError(_TOO_MUCH)

    def construct_scalar(self, node: Any) -> Any:
        # 9:9:9... is a number in base 60, which takes the square of its length to compute.
        if node.tag in _NUMBER_TAGS and len(node.value) > _MAX_DIGITS:
            raise SettingsError(
                f"expected numbers of at most {_MAX_DIGITS} digits, line {node.start_mark.line + 1}"
            )
        value = super().construct_scalar(node)
        if isinstance(value, str) and not value.isascii():
            value = _joined_surrogates(value, node.start_mark.line + 1)
        return value


def _joined_surrogates(text: str, line: int) -> str:
    """JSON writes one character as two escapes; YAML gives two halves, which no file can hold."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise SettingsError(f"expected text, got half a character, line {line}") from error


_MERGE_TAG = "tag:yaml.org,2002:merge"
_NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_TOO_MUCH = f"expected plain YAML of at most {_MAX_VALUES} values, nested at most {_MAX_DEPTH} deep"


def read_yaml(path: Path) -> dict[str, Any]:
    """
    Read a settings file: mappings, lists and scalars.

    :param path: The file.
    :raises SettingsError: It cannot be read, is not YAML, is too large, or is no mapping.
    """
    try:
        text = read_file(path, _MAX_BYTES, follows_links=True).decode()
    except StrangeFileError as error:
        raise SettingsError(str(error)) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: expected text in UTF-8 ({error.reason})") from error
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"cannot read {str(path)!r}: {error}") from error
    return parse_mapping(text, str(path))


def parse_mapping(text: str, source: str) -> dict[str, Any]:
    """
    Read a mapping out of a YAML text.

    :param text: The text.
    :param source: What to call it in messages.
    :raises SettingsError: As :func:`read_yaml`.
    """
    data = parse_value(text, source)
    if not isinstance(data, dict):
        raise SettingsError(f"{source}: expected a mapping of keys to values, got {_kind(data)}")
    return data


def parse_value(text: str, source: str) -> Any:
    """
    Read one YAML value.

    :param text: The text.
    :param source: What to call it in messages.
    :raises SettingsError: It is not plain YAML.
    """
    try:
        data = yaml.load(text, Loader=PlainLoader)  # a SafeLoader
        _check_size(data, source)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"{source}: expected plain YAML: {reason}") from error
    except SettingsError as error:
        raise SettingsError(f"{source}: {error}") from error
    except ODD_VALUES as error:
        raise SettingsError(
            f"{source}: expected plain YAML: {type(error).__name__}: {error}"
        ) from error
    return data


def _check_size(data: Any, source: str) -> None:
    """Walk all values, counting what is referred to twice twice, as whoever copies them would."""
    n_values = 0
    stack = [(data, 0)]
    while stack:
        value, depth = stack.pop()
        n_values += 1
        if n_values > _MAX_VALUES or depth > _MAX_DEPTH:
            raise SettingsError(_TOO_MUCH)
        if isinstance(value, dict):
            stack.extend((child, depth + 1) for child in value.values())
        elif isinstance(value, list):
            stack.extend((child, depth + 1) for child in value)


def _kind(data: Any) -> str:
    if data is None:
        return "an empty file"
    return {"list": "a list", "str": "a text"}.get(type(data).__name__, repr(data)[:80])
