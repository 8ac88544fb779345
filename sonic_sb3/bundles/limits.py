"""What may be in a bundle, by name, kind and size: known before a single byte is unpacked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from sonic_sb3.errors import BundleError

MAX_FILES = 1000
MAX_ARCHIVE_BYTES = 256 << 20
MAX_TOTAL_BYTES = 256 << 20
# Text, tables and save states shrink a lot, a bomb shrinks a thousandfold.
MAX_RATIO = 200
RATIO_ALLOWANCE_BYTES = 4 << 20
# No other kinds of file exist in a bundle: nothing that is a program, a pickle or a web page.
MAX_BYTES = {
    ".safetensors": 128 << 20,
    ".mp4": 64 << 20,
    ".csv": 32 << 20,
    ".json": 16 << 20,
    ".bk2": 8 << 20,
    ".png": 8 << 20,
    ".txt": 8 << 20,
    ".yml": 1 << 20,
    ".md": 1 << 20,
}
_MAX_NAME_LENGTH = 200
_MAX_DEPTH = 6
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.=+-]*")
# Windows takes these for devices, whatever their suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def check_name(name: str) -> None:
    """
    Accept a relative name that means the same file on every system.

    :param name: With ``/`` between its parts.
    :raises BundleError: It is absolute, leads outside, or is spelt in a way that some system reads
        differently.
    """
    parts = name.split("/")
    well_formed = all(
        _PART.fullmatch(part) and not part.endswith(".") and not _DEVICES.fullmatch(part)
        for part in parts
    )
    if not well_formed or len(parts) > _MAX_DEPTH or len(name) > _MAX_NAME_LENGTH:
        raise BundleError(
            f"entry {name[:80]!r}: expected a relative name of letters, digits and _ . = + - "
            f"that stays inside, at most {_MAX_DEPTH} parts"
        )
    if PurePosixPath(name).suffix not in MAX_BYTES:
        raise BundleError(
            f"entry {name[:80]!r}: expected one of the kinds {', '.join(sorted(MAX_BYTES))}; "
            "a bundle holds data, no programs"
        )


def check_size(name: str, n_bytes: int) -> None:
    """
    Accept a file of that size, by its kind.

    :param name: Already accepted.
    :param n_bytes: Unpacked.
    :raises BundleError: It is too large.
    """
    limit = MAX_BYTES[PurePosixPath(name).suffix]
    if n_bytes > limit:
        raise BundleError(f"entry {name!r}: expected at most {limit:,} bytes, got {n_bytes:,}")


def check_names(names: Iterable[str]) -> None:
    """
    Accept names that can lie beside each other on every system.

    :param names: All of a bundle's.
    :raises BundleError: Two are the same, or differ by case only, or are too many.
    """
    seen: dict[str, str] = {}
    for name in names:
        check_name(name)
        if name.lower() in seen:
            raise BundleError(f"entries {seen[name.lower()]!r} and {name!r} are one and the same")
        seen[name.lower()] = name
        if len(seen) > MAX_FILES:
            raise BundleError(f"expected at most {MAX_FILES} entries")


def check_total(n_bytes: int) -> None:
    """
    Accept a bundle of that size, all files together, unpacked.

    :raises BundleError: It is too large.
    """
    if n_bytes > MAX_TOTAL_BYTES:
        raise BundleError(
            f"expected at most {MAX_TOTAL_BYTES:,} bytes when unpacked, got {n_bytes:,}"
        )
