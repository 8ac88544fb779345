"""
A look at a pickle's opcodes before torch's weights-only reader runs them.

That reader runs no code of a file's, but it calls more than weights need, and what it calls can
take any amount of memory: `bytearray(10**10)` is thirty bytes long, a list that is copied into one
mapping after the other hardly longer. And a key that is a tuple of shared tuples of shared tuples
doubles the work of hashing with every level: a hundred bytes can take hours, in C, where no signal
is heard.
"""

from __future__ import annotations

import pickletools
from typing import Any

_MAX_TUPLE = 10_000  # numbers in one tuple, those of tuples within it counted each time
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MAPPING = "collections OrderedDict"
_STORAGES = ("Float", "Half", "BFloat16", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool")
# All that `torch.save` names for state dictionaries of plain tensors.
_NAMED = {
    _MAPPING,
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    *(f"torch {kind}Storage" for kind in _STORAGES),
}
_EMPTY_SIZE = 1
_MAPPING_SIZE = 0  # of the class itself, which is told apart by it from all that is called


def check_state_pickle(content: bytes) -> None:
    """
    Accept a pickle of state dictionaries, which asks for no more memory or time than it is long.

    :param content: A pickle.
    :raises ValueError: It is damaged, names something that tensors do not need, or has tuples that
        are larger than they look.
    """
    stack: list[int | None] = []  # how large the tuple is, 1 of anything else, None of a mark
    memo: dict[Any, int] = {}
    for opcode, argument, _ in pickletools.genops(content):
        name = opcode.name
        if name in ("GLOBAL", "INST", "STACK_GLOBAL"):
            if name != "GLOBAL" or argument not in _NAMED:
                raise ValueError(
                    f"expected tensors alone, it names {argument or 'an object'!r:.80}"
                )
            stack.append(_MAPPING_SIZE if argument == _MAPPING else 1)
        elif name == "REDUCE":
            called, arguments = _pop(stack, 2)
            if called == _MAPPING_SIZE and arguments != _EMPTY_SIZE:
                raise ValueError("expected mappings that begin empty, as torch.save writes them")
            stack.append(1)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
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
    return 1 if stack[-1] is None else stack[-1]


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
