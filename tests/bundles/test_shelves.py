"""Shelves: what is pushed can be pulled; what was interrupted left nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sonic_sb3 import share
from sonic_sb3.bundles.archive import write_zip
from sonic_sb3.bundles.contents import INDEX, add_index, open_bundle
from tests.bundles.hub_server import Hub, start_hub

NAME = "ppo-small1"
HUB = f"hub:somebody/{NAME}"


def git(folder: Path, *arguments: str) -> str:
    result = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)
    return result.stdout.decode()


@pytest.fixture
def other_path(agent_files: dict[str, bytes], tmp_path: Path) -> Path:
    """Another bundle of the same name."""
    card = agent_files["README.md"] + b"\nAnother one.\n"
    files = {k: v for k, v in agent_files.items() if k != INDEX} | {"README.md": card}
    path = tmp_path / "other" / f"{NAME}.sonic.zip"
    path.parent.mkdir()
    write_zip(path, add_index("agent", NAME, files))
    return path


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub, server = start_hub()
    yield hub
    server.shutdown()
    server.server_close()


def make_shelf(kind: str, tmp_path: Path) -> str:
    if kind == "git":
        git(tmp_path, "init", "-q", "--bare", "-b", "main", "shelf.git")
        return str(tmp_path / "shelf.git")
    return str(tmp_path / "shelf")


def shelf_state(kind: str, tmp_path: Path) -> Any:
    if kind == "git":
        return git(tmp_path / "shelf.git", "for-each-ref")
    return sorted((p.name, p.read_bytes()) for p in (tmp_path / "shelf").glob("*"))


@pytest.mark.parametrize("kind", ["folder", "git"])
def test_push_and_pull(
    kind: str, bundle_path: Path, other_path: Path, tmp_path: Path, capsys: Any
) -> None:
    shelf = make_shelf(kind, tmp_path)
    assert share.main(["pull", shelf]) == 2
    assert "it has none" in capsys.readouterr().err
    assert share.main(["push", str(bundle_path), shelf]) == 0
    before = shelf_state(kind, tmp_path)
    assert share.main(["push", str(bundle_path), shelf]) == 0
    assert "already" in capsys.readouterr().out
    assert share.main(["push", str(other_path), shelf]) == 2
    assert "--replace" in capsys.readouterr().err
    assert shelf_state(kind, tmp_path) == before

    (tmp_path / "here").mkdir()
    pulled = tmp_path / "here" / f"{NAME}.sonic.zip"
    assert share.main(["pull", shelf, "-o", str(pulled.parent)]) == 0
    assert pulled.read_bytes() == bundle_path.read_bytes()

    assert share.main(["push", str(other_path), shelf, "--replace"]) == 0
    assert share.main(["pull", shelf, NAME, "-o", str(pulled.parent)]) == 2
    assert pulled.read_bytes() == bundle_path.read_bytes(), "nothing is overwritten silently"
    assert share.main(["pull", shelf, NAME, "-o", str(pulled.parent), "--replace"]) == 0
    assert pulled.read_bytes() == other_path.read_bytes()
    assert share.main(["pull", shelf, "nothing"]) == 2
    assert f"it has {NAME}" in capsys.readouterr().err


def test_git_history_grows_by_one_commit_a_push(
    bundle_path: Path, other_path: Path, tmp_path: Path
) -> None:
    shelf = make_shelf("git", tmp_path)
    assert share.main(["push", str(bundle_path), f"git+file://{shelf}"]) == 0
    assert share.main(["push", str(other_path), f"git+file://{shelf}", "--replace"]) == 0
    assert len(git(Path(shelf), "log", "--format=%s", "main").splitlines()) == 2
    assert git(Path(shelf), "ls-tree", "--name-only", "main").split() == [f"{NAME}.sonic.zip"]


def test_a_git_shelf_by_a_relative_path(
    bundle_path: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    make_shelf("git", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert share.main(["push", str(bundle_path), "shelf.git"]) == 0
    assert share.main(["push", str(bundle_path), "git+./shelf.git"]) == 0
    assert git(tmp_path / "shelf.git", "ls-tree", "--name-only", "main").split()
    (tmp_path / "here").mkdir()
    assert share.main(["pull", "shelf.git", NAME, "-o", "here"]) == 0


@pytest.mark.parametrize("prefix", ["", "git+file://"])
def test_no_program_of_a_git_shelf_here_runs(
    prefix: str, bundle_path: Path, tmp_path: Path
) -> None:
    shelf, marker = Path(make_shelf("git", tmp_path)), tmp_path / "marker"
    for name in ("pre-receive", "update", "post-receive", "post-update", "reference-transaction"):
        hook = shelf / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
        hook.chmod(0o755)
    git(tmp_path, "init", "-q", "--bare", "alternate.git")
    (shelf / "objects/info/alternates").write_text(f"{tmp_path}/alternate.git/objects\n")
    git(shelf, "config", "core.alternateRefsCommand", f"touch {marker};:")
    assert share.main(["push", str(bundle_path), f"{prefix}{shelf}"]) == 0
    assert not marker.exists()


@pytest.mark.parametrize("address", ["https://me:SECRET@", "git+https://me:SECRET@"])
def test_passwords_in_addresses_are_not_told(address: str, capsys: Any) -> None:
    assert share.main(["pull", f"{address}127.0.0.1:1/agents"]) == 2
    error = capsys.readouterr().err
    assert "://me:...@127.0.0.1" in error or "://127.0.0.1" in error  # as git itself leaves it out
    assert "SECRET" not in error


@pytest.mark.parametrize(
    ("shelf", "message"),
    [
        ("hub:nobody", "hub:USER/REPO"),
        ("git+--upload-pack=touch marker;x.git", "git repository's URL"),
        ("git+ext::sh -c touch% marker.git", "failed"),
        ("ftp://somewhere/shelf", "expected a folder"),
        ("git+/nowhere/shelf.git", "failed"),
    ],
)
def test_shelves_that_are_none(
    shelf: str, message: str, bundle_path: Path, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert share.main(["push", str(bundle_path), shelf]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.rglob("marker*"))


def test_a_link_on_a_git_shelf_is_not_followed(
    bundle_path: Path, tmp_path: Path, capsys: Any
) -> None:
    work = tmp_path / "work"
    git(tmp_path, "init", "-q", "-b", "main", "work")
    (work / f"{NAME}.sonic.zip").symlink_to(bundle_path)
    git(work, "add", ".")
    git(work, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x")
    assert share.main(["pull", f"git+{work}", NAME, "-o", str(tmp_path / "work")]) == 2
    assert "plain file" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["folder", "git"])
def test_a_killed_push_leaves_the_shelf_as_it_was(
    kind: str, bundle_path: Path, other_path: Path, tmp_path: Path
) -> None:
    shelf = make_shelf(kind, tmp_path)
    assert share.main(["push", str(bundle_path), shelf]) == 0
    before = shelf_state(kind, tmp_path)
    # Half-way: the bundle's bytes are being written when the process is killed.
    code = (
        "import os, signal, sys, zipfile\n"
        "from sonic_sb3 import share\n"
        "writestr, n = zipfile.ZipFile.writestr, 0\n"
        "def stop(*args, **kwargs):\n"
        "    global n\n"
        "    n += 1\n"
        "    if n == 5: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return writestr(*args, **kwargs)\n"
        "zipfile.ZipFile.writestr = stop\n"
        "share.main(sys.argv[1:])\n"
    )
    argv = [sys.executable, "-c", code, "push", str(other_path), shelf, "--replace"]
    assert subprocess.run(argv, check=False).returncode == -signal.SIGKILL
    if kind == "folder":
        visible = [name for name, _ in shelf_state(kind, tmp_path) if name[0] != "."]
        assert visible == [f"{NAME}.sonic.zip"]
        assert (tmp_path / "shelf" / f"{NAME}.sonic.zip").read_bytes() == bundle_path.read_bytes()
    else:
        assert shelf_state(kind, tmp_path) == before
    assert share.main(["pull", shelf, "-o", str(tmp_path)]) == 0, "and it still works"


def run_share(hub: Hub, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the client reads its settings when it is imported."""
    environment = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": "hf_test",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HOME": os.environ["XDG_DATA_HOME"],
    }
    command = [sys.executable, "-m", "sonic_sb3.share", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=300, **more
    )


def test_push_to_and_pull_from_the_hub(
    hub: Hub, bundle_path: Path, other_path: Path, tmp_path: Path
) -> None:
    result = run_share(hub, "push", str(bundle_path), HUB)
    assert result.returncode == 0, result.stderr
    stored = hub.repositories[f"somebody/{NAME}"]
    bundle = open_bundle(bundle_path)
    assert {k: v for k, v in stored.items() if k != ".gitattributes"} == dict(bundle.files)
    assert len(hub.large) == 2, "weights and video went through LFS"
    assert hub.commits[f"somebody/{NAME}"] == 1, "one commit for all files"

    result = run_share(hub, "push", str(other_path), HUB)
    assert result.returncode == 2
    assert "--replace" in result.stderr

    (tmp_path / "here").mkdir()
    result = run_share(hub, "pull", HUB, "-o", str(tmp_path / "here"))
    assert result.returncode == 0, result.stderr
    pulled = tmp_path / "here" / f"{NAME}.sonic.zip"
    assert pulled.read_bytes() == bundle_path.read_bytes()

    stored["agent.yml"] += b"\n"
    result = run_share(hub, "pull", HUB, "-o", str(tmp_path / "here"))
    assert result.returncode == 2
    assert "damaged or changed" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_push_deletes_no_strangers_files_on_the_hub(hub: Hub, bundle_path: Path) -> None:
    repository = f"somebody/{NAME}"
    others = {"README.md": b"my card", "ppo-LunarLander.zip": b"a model", "train.py": b"code"}
    hub.repositories[repository] = {".gitattributes": b"x", **others}
    result = run_share(hub, "push", str(bundle_path), HUB)
    assert result.returncode == 2
    assert "holds 3 files (README.md, ppo-LunarLander.zip, train.py)" in result.stderr
    assert hub.repositories[repository] == {".gitattributes": b"x", **others}
    assert repository not in hub.commits
    assert run_share(hub, "push", str(bundle_path), HUB, "--replace").returncode == 0
    stored = hub.repositories[repository]
    assert stored == {".gitattributes": b"x", **open_bundle(bundle_path).files}


@pytest.mark.parametrize("step", ["upload", "commit"])
def test_an_interrupted_push_leaves_the_hub_as_it_was(
    step: str, hub: Hub, bundle_path: Path, other_path: Path
) -> None:
    repository = f"somebody/{NAME}"
    hub.repositories[repository] = dict(open_bundle(bundle_path).files)
    before = dict(hub.repositories[repository])
    hub.fail_at = step
    environment = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": "hf_test",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": os.environ["XDG_DATA_HOME"],
    }
    command = [sys.executable, "-m", "sonic_sb3.share", "push", str(other_path), HUB, "--replace"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    assert hub.hung_up.wait(timeout=300)
    process.kill()  # the client would try again for minutes
    assert process.wait() != 0
    assert hub.repositories[repository] == before
    assert repository not in hub.commits


def test_a_repository_that_holds_no_bundle(hub: Hub, tmp_path: Path) -> None:
    result = run_share(hub, "pull", HUB, "-o", str(tmp_path))
    assert result.returncode == 2
    assert "it has none" in result.stderr
    hub.repositories[f"somebody/{NAME}"] = {"model.pkl": b"x", INDEX: b"{}"}
    result = run_share(hub, "pull", HUB, "-o", str(tmp_path))
    assert result.returncode == 2
    assert "no programs" in result.stderr
