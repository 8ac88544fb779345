"""The Hugging Face Hub as a shelf: a model repository per bundle, its card where the Hub looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sonic_sb3.bundles.contents import INDEX, Bundle
from sonic_sb3.bundles.limits import check_names, check_size, check_total
from sonic_sb3.errors import BundleError, SonicError
from sonic_sb3.plain_text import counted

_EXTRA = "the Hub needs huggingface_hub: pip install 'sonic_sb3[hub]'"
_NOT_OURS = (".gitattributes",)


class HubShelf:
    """
    One model repository, which holds one bundle as single files.

    The account is the one that ``hf auth login`` or ``HF_TOKEN`` gives; ``HF_ENDPOINT`` names
    another server.

    :param repository: ``USER/REPO``.
    """

    def __init__(self, repository: str) -> None:
        self._repository = repository

    def names(self) -> list[str]:
        with _explained(self._repository) as hub:
            if not hub.repo_exists(self._repository):
                return []
            if not hub.file_exists(self._repository, INDEX):
                return []
        return [self._repository.partition("/")[2]]

    def fetch(self, name: str, folder: Path) -> Path:
        with _explained(self._repository) as hub:
            info = hub.model_info(self._repository, files_metadata=True)
            sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
            sizes = {file: size for file, size in sizes.items() if file not in _NOT_OURS}
            check_names(sizes)
            for file, size in sizes.items():
                check_size(file, size)
            check_total(sum(sizes.values()))
            target = folder / "bundle"
            for file, size in sizes.items():
                content = self._download(hub, file, info.sha, folder / "download")
                if len(content) != size:
                    raise BundleError(f"{self._repository}: {file}: damaged on the way")
                path = target / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        return target

    def put(self, bundle: Bundle, message: str, *, replaces: bool) -> str:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        expected = self._repository.partition("/")[2]
        if bundle.index.name != expected:
            raise BundleError(
                f"hub:{self._repository} is the place of a bundle called {expected}, this one is "
                f"{bundle.index.name}: push it to hub:USER/{bundle.index.name}"
            )
        with _explained(self._repository) as hub:
            hub.create_repo(self._repository, exist_ok=True)
            there = set(hub.list_repo_files(self._repository)) - set(_NOT_OURS)
            if there and not replaces:
                raise BundleError(_holds_files(self._repository, there))
            operations: list[Any] = [
                CommitOperationAdd(file, content) for file, content in bundle.files.items()
            ]
            stale = sorted(there - bundle.files.keys())
            operations += [CommitOperationDelete(file, is_folder=False) for file in stale]
            # All files become visible with this one commit, or none.
            commit = hub.create_commit(self._repository, operations, commit_message=message)
        return str(commit.commit_url)

    def _download(self, hub: Any, file: str, revision: str | None, folder: Path) -> bytes:
        path = hub.hf_hub_download(self._repository, file, revision=revision, local_dir=folder)
        return Path(path).read_bytes()


def _holds_files(repository: str, files: set[str]) -> str:
    listed = ", ".join(sorted(files)[:5]) + (", ..." if len(files) > 5 else "")
    return (
        f"hub:{repository} holds {counted(len(files), 'file')} ({listed}), expected an empty "
        "repository or a new one: nothing was pushed; --replace deletes what is there"
    )


@contextmanager
def _explained(repository: str) -> Iterator[Any]:
    """The Hub's client; what goes wrong there becomes one line."""
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.utils.tqdm import disable_progress_bars
    except ImportError as error:
        raise BundleError(_EXTRA) from error
    disable_progress_bars()
    try:
        yield HfApi(library_name="sonic_sb3")
    except SonicError:
        raise
    except Exception as error:
        # The client, its HTTP library and its storage library each have errors of their own.
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise BundleError(
            f"hub:{repository}: {reason} (`hf auth login` gives access to your account)"
        ) from error
