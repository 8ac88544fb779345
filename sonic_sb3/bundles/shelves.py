"""
Shelves: where bundles are put for others. A folder, a git repository, or the Hugging Face Hub.

A push is one step that happens or does not: a rename in a folder, a ref's update in git, a commit
on the Hub. Killed half-way, it leaves the shelf as it was.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Protocol

from sonic_sb3.bundles.archive import SUFFIX, write_zip
from sonic_sb3.bundles.contents import Bundle, open_bundle
from sonic_sb3.bundles.git_shelf import GitShelf
from sonic_sb3.bundles.hub_shelf import HubShelf
from sonic_sb3.errors import BundleError
from sonic_sb3.plain_text import without_password

_HUB = re.compile(r"hub:([\w.-]{1,96}/[\w.-]{1,96})")


class Shelf(Protocol):
    """Where bundles lie under their names."""

    def names(self) -> list[str]:
        """What lies there."""

    def fetch(self, name: str, folder: Path) -> Path:
        """
        Bring a bundle here, not yet to be trusted.

        :param name: One of :meth:`names`.
        :param folder: An empty folder.
        :returns: The bundle's path in it.
        """

    def put(self, bundle: Bundle, message: str, *, replaces: bool) -> str:
        """
        Add or replace a bundle in one step.

        :param bundle: The bundle.
        :param message: What is done, for the shelf's history.
        :param replaces: Where the shelf has room for one bundle only: delete what lies there.
        :returns: Where it now lies, for people.
        """


class FolderShelf:
    """
    A folder of ``.sonic.zip`` files, also on a network drive or a stick.

    :param folder: It is made by the first push.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        return sorted(p.name.removesuffix(SUFFIX) for p in self._folder.glob(f"[!.]*{SUFFIX}"))

    def fetch(self, name: str, folder: Path) -> Path:
        return self._folder / f"{name}{SUFFIX}"

    def put(self, bundle: Bundle, message: str, *, replaces: bool) -> str:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BundleError(f"cannot make the shelf {self._folder}: {error.strerror}") from error
        path = self._folder / f"{bundle.index.name}{SUFFIX}"
        write_zip(path, bundle.files)
        return str(path)


def open_shelf(address: str) -> Shelf:
    """
    A shelf by its address.

    :param address: ``hub:USER/REPO``; ``git+URL``, or a URL or path that ends in ``.git``; or else
        a folder.
    :raises BundleError: The address is none of these.
    """
    if address.startswith("hub:"):
        if not (match := _HUB.fullmatch(address)):
            raise BundleError(f"shelf {address[:80]!r}: expected hub:USER/REPO")
        return HubShelf(match.group(1))
    if address.startswith("git+") or address.rstrip("/").endswith(".git"):
        return GitShelf(address.removeprefix("git+"))
    if "://" in address:
        raise BundleError(
            f"shelf {without_password(address)[:80]!r}: expected a folder, git+URL or hub:USER/REPO"
        )
    return FolderShelf(Path(address))


def push(bundle: Bundle, address: str, *, replaces: bool = False) -> str:
    """
    Put a bundle on a shelf.

    :param bundle: Already checked.
    :param address: The shelf.
    :param replaces: Overwrite another bundle of the same name; on the Hub, whatever the repository
        holds.
    :returns: What happened, for people.
    :raises SonicError: Another bundle has the name, or the shelf cannot be written.
    """
    shelf, shown = open_shelf(address), without_password(address)
    name = bundle.index.name
    if name in shelf.names() and not replaces:
        with tempfile.TemporaryDirectory() as folder:
            there = open_bundle(shelf.fetch(name, Path(folder)))
        if there.id == bundle.id:
            return f"{name} is on the shelf already"
        raise BundleError(
            f"{shown} has another {name}: nothing was pushed; --replace overwrites it"
        )
    message = f"Add {name} ({bundle.kind}, {bundle.id[:12]})"
    place = shelf.put(bundle, message, replaces=replaces)
    return f"pushed {name}: {place}"


def pull(address: str, name: str | None, folder: Path, *, replaces: bool = False) -> Path:
    """
    Bring a bundle from a shelf, opened and checked before it is kept.

    :param address: The shelf.
    :param name: Of the bundle; ``None`` where the shelf has only one.
    :param folder: Where to put it.
    :param replaces: Overwrite another file of that name.
    :returns: The ``.sonic.zip``.
    :raises SonicError: It is not there, may not be opened, or another file is in its place.
    """
    shelf, shown = open_shelf(address), without_password(address)
    name = _choose(shelf.names(), name, shown)
    with tempfile.TemporaryDirectory() as temporary:
        bundle = open_bundle(shelf.fetch(name, Path(temporary)))
        if bundle.index.name != name:
            raise BundleError(
                f"{shown}: expected a bundle called {name}, it calls itself {bundle.index.name}"
            )
        path = folder / f"{name}{SUFFIX}"
        if path.exists() and not replaces and open_bundle(path).id != bundle.id:
            raise BundleError(f"{path} is there already and is another one; --replace overwrites")
        write_zip(path, bundle.files)
    return path


def _choose(names: list[str], name: str | None, address: str) -> str:
    listed = ", ".join(ascii(n)[1:-1] for n in names[:20]) or "none"
    if name is None and len(names) == 1:
        return names[0]
    if name is None or name not in names:
        raise BundleError(
            f"{address}: expected the name of a bundle that lies there, got {name or 'none'}; "
            f"it has {listed}"
        )
    return name
