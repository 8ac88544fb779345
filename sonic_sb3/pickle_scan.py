"""
A look at a pickle's opcodes before torch's weights-only reader runs them.

That reader executes nothing, but a key that is a tuple of shared tuples of shared tuples doubles
the work of hashing with every level: a hundred bytes can take hours, in C, where no signal is
heard.
"""

from __future__ import annotations

import pickletools
from typing import Any

_MAX_TUPLE = 10_000  # numbers in one tuple, those of tuples within it counted each time
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def check_tuples(content: bytes) -> None:
    """
    Refuse tuples that are larger than they look.

    :param content: A pickle.
    :raises ValueError: It is damaged, or has such a tuple.
    """
    stack: list[int | None] = []  # how large the tuple is, 1 of anything else, None of a mark
    memo: dict[Any, int] = {}
    for opcode, argument, _ in pickletools.genops(content):
        name = opcode.name
        if name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if name == "MEMOIZE" else argument] = _top(stack)
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo.get(argument, 1))
        elif name in _TUPLES or name == "TUPLE":
            parts = _pop_to_mark(stack) if name == "TUPLE" else _pop(stack, _TUPLES[name])
            size = 1 + sum(part or 0 for part in parts)
            if size > _MAX_TUPLE:
                raise ValueError(f"expected tuples of at most {_MAX_TUPLE:,} numbers")
            stack.append(size)
        else:
            before = [one.name for one in opcode.stack_before]
            if "mark" in before:
                _pop_to_mark(stack)
                _pop(stack, before.index("mark"))
            else:
                _pop(stack, len(before))
            stack += [None if one.name == "mark" else 1 for one in opcode.stack_after]


def _top(stack: list[int | None]) -> int:
    if not stack:
        raise ValueError("expected a pickle, its stack is empty where it is read")
    return stack[-1] or 1


def _pop(stack: list[int | None], n: int) -> list[int | None]:
    if n > len(stack):
        raise ValueError("expected a pickle, its stack is empty where it is read")
    parts = stack[len(stack) - n :]
    del stack[len(stack) - n :]
    return parts


def _pop_to_mark(stack: list[int | None]) -> list[int | None]:
    parts: list[int | None] = []
    while stack:
        part = stack.pop()
        if part is None:
            return parts
        parts.append(part)
    raise ValueError("expected a pickle, a mark is missing in it")
