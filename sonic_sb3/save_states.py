"""
The moments that levels start from, as emulator save states: accepted only as they were shipped.

An emulator takes much that is no state of its game and plays on somehow (of 120 damaged ones 56),
so a state is compared with its checksum: ours with ``states.sha``, those of stable-retro with the
list of files that its wheel was installed with.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import metadata
from pathlib import Path

from sonic_sb3.errors import EmulatorError
from sonic_sb3.rom_files import state_path
from sonic_sb3.strange_files import StrangeFileError, read_file, unpack_gzip

STATE_BYTES = 1_036_288  # of the Genesis core
_MAX_PACKED_BYTES = 2_000_000
_MAGIC = b"GENPLUS-GX 1.7."
_CHECKSUMS = "states.sha"
_HOW_TO_MEND = "install the package that it came with again"


def read_state(game_id: str, level: str) -> bytes:
    """
    Read the save state that a level starts from.

    :param game_id: The game.
    :param level: One of its levels.
    :returns: Unpacked.
    :raises EmulatorError: It is missing, damaged, or not the one that was shipped.
    """
    path = state_path(game_id, level)
    try:
        packed = read_file(path, _MAX_PACKED_BYTES, follows_links=True)
        state = unpack_gzip(packed, STATE_BYTES)
        check_state(state)
        _check_shipped(path, packed, state)
    except (OSError, ValueError, StrangeFileError) as error:
        raise EmulatorError(f"cannot use save state {path}: {error}; {_HOW_TO_MEND}") from error
    return state


def check_state(state: bytes) -> None:
    """
    Accept what the Genesis core wrote, as far as can be told from outside.

    :param state: Unpacked.
    :raises ValueError: It is something else.
    """
    if len(state) != STATE_BYTES:
        raise ValueError(f"expected {STATE_BYTES:,} bytes of a Genesis state, got {len(state):,}")
    if not state.startswith(_MAGIC):
        raise ValueError(f"expected a state that begins with {_MAGIC.decode()!r}")


def write_checksums(states: dict[str, bytes]) -> str:
    """
    The text of ``states.sha``.

    :param states: Unpacked states by file name.
    """
    lines = [f"{hashlib.sha1(state).hexdigest()}  {name}\n" for name, state in states.items()]
    return "".join(sorted(lines, key=lambda line: line.split()[1]))


def _check_shipped(path: Path, packed: bytes, state: bytes) -> None:
    ours = _read_checksums(path.parent)
    if ours is not None:
        if ours.get(path.name) != hashlib.sha1(state).hexdigest():
            raise ValueError(f"expected the state whose sha1 stands in {_CHECKSUMS}")
        return
    expected = _wheel_checksum(path)
    if expected is not None and expected != _urlsafe_sha256(packed):
        raise ValueError("expected the file that stable-retro was installed with")


@cache
def _read_checksums(folder: Path) -> dict[str, str] | None:
    """File name -> sha1 of the unpacked state; ``None`` where the folder has no such list."""
    path = folder / _CHECKSUMS
    if not path.is_file():
        return None
    text = read_file(path, 1_000_000, follows_links=True).decode(errors="replace")
    return {name: sha1 for sha1, name in re.findall(r"^([0-9a-f]{40})  (.+)$", text, re.MULTILINE)}


@cache
def _wheel_checksum(path: Path) -> str | None:
    """sha256 of a file of stable-retro, as its wheel's list has it; ``None`` where it has none."""
    try:
        distribution = metadata.distribution("stable-retro")
        listed = distribution.read_text("RECORD") or ""
        name = path.resolve().relative_to(Path(str(distribution.locate_file(""))).resolve())
    except (metadata.PackageNotFoundError, ValueError, OSError):
        return None
    found = re.search(rf"^{re.escape(name.as_posix())},sha256=([\w-]+),", listed, re.MULTILINE)
    return found.group(1) if found else None


def _urlsafe_sha256(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
