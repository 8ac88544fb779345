"""Hyperparameters by dotted keys: ``env_kwargs.rewards.0.weight``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sonic_sb3.errors import SettingsError


def get_value(tree: Any, key: str) -> Any:
    """
    Read ``a.b.0.c`` out of nested mappings and lists; ``None`` where it is not there.

    :param tree: Mappings and lists.
    :param key: Where to look.
    """
    for part in key.split("."):
        if isinstance(tree, Mapping):
            tree = tree.get(part)
        elif isinstance(tree, list | tuple) and part.isdecimal() and int(part) < len(tree):
            tree = tree[int(part)]
        else:
            return None
    return tree


def set_value(tree: dict[str, Any], key: str, value: Any, source: str) -> None:
    """
    Write ``a.b.0.c`` into nested mappings and lists; mappings are made where they are missing.

    :param tree: Changed in place.
    :param key: Where to write.
    :param value: What to write.
    :param source: For messages.
    :raises SettingsError: A list is shorter, or a scalar is in the way.
    """
    node: Any = tree
    parts = key.split(".")
    for index, part in enumerate(parts):
        is_last = index == len(parts) - 1
        if isinstance(node, list):
            if not part.isdecimal() or int(part) >= len(node):
                raise SettingsError(
                    f"{source}: {key}: expected a number below {len(node)} in place of {part!r}, "
                    f"for {'.'.join(parts[:index])} is a list of {len(node)}"
                )
            place: Any = int(part)
        elif isinstance(node, dict):
            place = part
            if not is_last:
                node.setdefault(part, {})
        else:
            raise SettingsError(f"{source}: {key}: {'.'.join(parts[:index])} has no parts")
        if is_last:
            node[place] = value
            return
        if isinstance(node[place], tuple):
            node[place] = list(node[place])
        node = node[place]
