"""
A git repository as a shelf. Only objects and refs are used, never a work tree: nothing that lies in
a stranger's repository is checked out, no hook or filter of it runs on this machine.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sonic_sb3.bundles.archive import SUFFIX, write_zip
from sonic_sb3.bundles.contents import Bundle
from sonic_sb3.bundles.limits import MAX_ARCHIVE_BYTES
from sonic_sb3.errors import BundleError
from sonic_sb3.plain_text import without_password

_TIMEOUT_S = 600
_PROTOCOLS = "file:git:http:https:ssh"  # not `ext`, which runs a command
_NO_HOOKS = ("-c", "core.hooksPath=/dev/null")
_SAFE = (*_NO_HOOKS, "-c", "protocol.ext.allow=never")
# What a push starts in a repository on this machine; it reads that one's settings, not ours.
_RECEIVER = (
    *_NO_HOOKS,
    *("-c", "core.alternateRefsCommand=true"),
    *("-c", "receive.autogc=false"),
    *("-c", "receive.denyCurrentBranch=refuse"),  # a work tree stays as it is
)


class GitShelf:
    """
    The ``.sonic.zip`` files in the first folder of a repository's default branch.

    :param url: As git takes it.
    :raises BundleError: It could be taken for an option.
    """

    def __init__(self, url: str) -> None:
        if not url or url.startswith("-"):
            raise BundleError(f"shelf {url!r}: expected a git repository's URL or path")
        # Git works in a temporary folder, from which a relative path leads elsewhere. And of a
        # plain path it would ignore a clone's depth, with a warning.
        self._url = Path(url).resolve().as_uri() if Path(url).exists() else url
        self._shown = without_password(url)

    def names(self) -> list[str]:
        with self._cloned() as repository:
            if not _has_commits(repository):
                return []
            listed = _git(repository, "ls-tree", "-z", "--name-only", "HEAD").split("\0")
        return sorted(name.removesuffix(SUFFIX) for name in listed if name.endswith(SUFFIX))

    def fetch(self, name: str, folder: Path) -> Path:
        with self._cloned() as repository:
            entry = _git(repository, "ls-tree", "HEAD", "--", f"{name}{SUFFIX}").split()
            if len(entry) < 3 or entry[0] not in ("100644", "100755"):
                raise BundleError(f"{self._shown}: {name}{SUFFIX}: expected a plain file")
            n_bytes = int(_git(repository, "cat-file", "-s", entry[2]))
            if n_bytes > MAX_ARCHIVE_BYTES:
                raise BundleError(
                    f"{self._shown}: {name}{SUFFIX}: expected at most {MAX_ARCHIVE_BYTES:,} bytes"
                )
            path = folder / f"{name}{SUFFIX}"
            path.write_bytes(_git_bytes(repository, "cat-file", "blob", entry[2]))
        return path

    def put(self, bundle: Bundle, message: str, *, replaces: bool) -> str:
        file = f"{bundle.index.name}{SUFFIX}"
        with self._cloned() as repository, tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / file
            write_zip(archive, bundle.files)
            blob = _git(repository, "hash-object", "-w", "--", str(archive))
            parents = []
            if _has_commits(repository):
                _git(repository, "read-tree", "HEAD")
                parents = ["-p", "HEAD"]
            _git(repository, "update-index", "--add", "--cacheinfo", f"100644,{blob},{file}")
            tree = _git(repository, "write-tree")
            who = _identity(repository)
            commit = _git(repository, *who, "commit-tree", tree, *parents, "-m", message)
            branch = _git(repository, "symbolic-ref", "HEAD")
            # The shelf changes here, in one step, unless somebody else was faster.
            options = ["--quiet"]
            if self._url.startswith("file:"):
                options.append(f"--receive-pack={shlex.join(['git', *_RECEIVER, 'receive-pack'])}")
            _git(repository, "push", *options, "--", self._url, f"{commit}:{branch}")
        return f"{self._shown}, commit {commit[:12]}"

    @contextmanager
    def _cloned(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as folder:
            repository = Path(folder) / "shelf"
            options = ("--quiet", "--bare", "--depth", "1", "--no-tags", "--single-branch")
            _git(Path(folder), "clone", *options, "--", self._url, str(repository))
            yield repository


def _has_commits(repository: Path) -> bool:
    return bool(_git(repository, "for-each-ref", "--count=1", "refs/heads"))


def _identity(repository: Path) -> tuple[str, ...]:
    """A commit needs an author; one is made up only where the user has told git none."""
    try:
        _git(repository, "var", "GIT_COMMITTER_IDENT")
    except BundleError:
        return ("-c", "user.name=sonic_sb3", "-c", "user.email=sonic_sb3@localhost")
    return ()


def _git(folder: Path, *arguments: str) -> str:
    return _git_bytes(folder, *arguments).decode("utf-8", "replace").strip()


def _git_bytes(folder: Path, *arguments: str) -> bytes:
    # A surrounding git (a hook, for instance) must not tell this one which repository it works in.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_DIR")}
    for name in ("GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        environment.pop(name, None)
    environment |= {"GIT_ALLOW_PROTOCOL": _PROTOCOLS, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        result = subprocess.run(
            ["git", *_SAFE, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            check=True,
            timeout=_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise BundleError("expected the program git, which a git shelf needs") from error
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"git {arguments[0]}: no answer in {_TIMEOUT_S} s") from error
    except subprocess.CalledProcessError as error:
        words = error.stderr.decode("utf-8", "replace").split()
        reason = without_password(" ".join(words))
        raise BundleError(f"git {arguments[0]} failed: {reason[-300:]}") from error
    return result.stdout
