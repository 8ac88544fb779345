"""
A training run on disk: ``LOGS/ALGO/ENV_k/`` with the file names that rl-zoo3's users know.

Knows paths and the manifest only; it needs neither torch nor an emulator.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from sonic_sb3.atomic_files import write_json, write_text, write_yaml
from sonic_sb3.errors import RunFolderError
from sonic_sb3.full_disk import cannot_write, write_patiently
from sonic_sb3.strange_files import check_folder, finite_float, no_constant, read_file

_PACKAGES = (
    "sonic_sb3",
    "stable-baselines3",
    "sb3-contrib",
    "stable-retro",
    "gymnasium",
    "torch",
    "numpy",
    "opencv-python-headless",
    "optuna",
    "rl-zoo3",
)
_MAX_MANIFEST_BYTES = 4_000_000


@dataclass(frozen=True)
class RunFolder:
    """
    The paths of one run.

    :param path: ``LOGS/ALGO/ENV_k``.
    :param env_id: The game.
    """

    path: Path
    env_id: str

    @property
    def model(self) -> Path:
        """The agent as training left it."""
        return self.path / f"{self.env_id}.zip"

    @property
    def init_model(self) -> Path:
        """The weights that training began with, where they are another run's."""
        return self.path / "init_model.zip"

    @property
    def best_model(self) -> Path:
        """The agent that did best in an evaluation during training."""
        return self.path / "best_model.zip"

    @property
    def evaluations(self) -> Path:
        """Evaluations during training, in the format of SB3's EvalCallback."""
        return self.path / "evaluations.npz"

    @property
    def monitor(self) -> Path:
        """A row per episode of training."""
        return self.path / "0.monitor.csv"

    @property
    def manifest(self) -> Path:
        """What was run, with what, on what."""
        return self.path / "manifest.json"

    @property
    def evaluation(self) -> Path:
        """The evaluation at the end, episode by episode."""
        return self.path / "evaluation.json"

    @property
    def curve(self) -> Path:
        """The picture of the learning curve."""
        return self.path / "learning_curve.png"

    @property
    def video(self) -> Path:
        """The best episode of the evaluation at the end."""
        return self.path / "video.mp4"

    @property
    def snapshot(self) -> Path:
        """What a resume needs."""
        return self.path / "resume.snapshot"

    @property
    def replay(self) -> Path:
        """The replay buffer in pieces, of algorithms that have one; gone at the end of the run."""
        return self.path / "replay"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard's files, unless another folder was asked for."""
        return self.path / "tensorboard"

    def checkpoint(self, n_timesteps: int) -> Path:
        """The agent as it was after so many timesteps."""
        return self.path / f"rl_model_{n_timesteps}_steps.zip"

    def write_settings(self, arguments: dict[str, Any], config: dict[str, Any]) -> None:
        """
        Write what rl-zoo3 keeps of a run: ``ENV/args.yml config.yml command.txt``.

        :param arguments: The command's options.
        :param config: The hyperparameters.
        """
        folder = self.path / self.env_id
        write_patiently(folder, lambda: folder.mkdir(exist_ok=True))
        write_yaml(folder / "args.yml", arguments)
        write_yaml(folder / "config.yml", config)
        write_text(folder / "command.txt", command_line() + "\n")

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Replace the manifest."""
        write_json(self.manifest, manifest)

    def read_manifest(self) -> dict[str, Any]:
        """
        Read the manifest.

        :raises RunFolderError: It is missing, damaged or not a manifest.
        """
        try:
            manifest = json.loads(
                read_file(self.manifest, _MAX_MANIFEST_BYTES),
                parse_constant=no_constant,
                parse_float=finite_float,
            )
        except (OSError, ValueError, RecursionError) as error:
            raise RunFolderError(
                f"{self.path} is no run folder: expected a readable manifest.json ({error}); "
                "give the folder that `python -m sonic_sb3.train` made, such as logs/ppo/ENV_1"
            ) from error
        if not isinstance(manifest, dict) or not isinstance(manifest.get("settings"), dict):
            raise RunFolderError(f"{self.manifest}: expected a mapping with the key 'settings'")
        return manifest

    @contextmanager
    def locked(self) -> Iterator[None]:
        """
        Hold the folder for one process; the lock goes with the process, however it ends.

        :raises RunFolderError: Another process holds it.
        """
        lock = self.path / "run.lock"
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise cannot_write(lock, error) from error
        with os.fdopen(descriptor, "a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise RunFolderError(
                    f"{self.path} is in use by another process: wait for it, or stop it first"
                ) from error
            yield

    def remove(self) -> None:
        """Delete the folder and what is in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def create_run_folder(
    log_folder: Path, algo: str, env_id: str, number: int | None = None
) -> RunFolder:
    """
    Make the next free ``LOGS/ALGO/ENV_k``. Two runs that start at once get two folders.

    :param log_folder: LOGS.
    :param algo: The algorithm's name.
    :param env_id: The game.
    :param number: Make this k and no other.
    :raises RunFolderError: The folder cannot be written, or is there already.
    """
    parent = log_folder / algo
    made = _missing_parents(parent)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if number is not None:
            path = parent / f"{env_id}_{number}"
            path.mkdir()
            return RunFolder(path, env_id)
        number = _last_number(parent, env_id) + 1
        while True:
            path = parent / f"{env_id}_{number}"
            try:
                path.mkdir()
                return RunFolder(path, env_id)
            except FileExistsError:
                number += 1
    except OSError as error:
        for folder in made:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        raise RunFolderError(
            f"cannot make a run folder in {log_folder}: {error.strerror}; "
            "choose a folder you may write to with -f/--log-folder"
        ) from error


def open_run_folder(path: Path) -> RunFolder:
    """
    Find a run that is there.

    :param path: The run folder, wherever it was copied to.
    :raises RunFolderError: There is none, or something lies in it that no run makes.
    """
    if not path.is_dir():
        raise RunFolderError(
            f"no run folder {path}: expected a folder that `python -m sonic_sb3.train` made"
        )
    unnamed = RunFolder(path, "")
    settings = unnamed.read_manifest()["settings"]
    check_folder(path)
    env_id = settings.get("env")
    if not isinstance(env_id, str) or not re.fullmatch(r"[\w.-]+", env_id):
        raise RunFolderError(f"{unnamed.manifest}: expected the game's id under settings.env")
    return RunFolder(path, env_id)


def describe_machine() -> dict[str, Any]:
    """
    Package versions, hardware and git commit, for the manifest; nothing of the user's environment.
    """
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "hardware": {
            "machine": platform.machine(),
            "system": platform.system(),
            "cpu": _cpu_name(),
            "n_cores": os.cpu_count(),
        },
        "git": _git_state(),
    }


def command_line() -> str:
    """The command as it could be typed again."""
    program = sys.argv[0]
    if "sonic_sb3" in program and program.endswith(".py"):
        return shlex.join(["python", "-m", f"sonic_sb3.{Path(program).stem}", *sys.argv[1:]])
    return shlex.join([Path(program).name, *sys.argv[1:]])


def _last_number(parent: Path, env_id: str) -> int:
    pattern = re.compile(re.escape(env_id) + r"_(\d+)")
    numbers = [int(m.group(1)) for p in parent.iterdir() if (m := pattern.fullmatch(p.name))]
    return max(numbers, default=0)


def _missing_parents(path: Path) -> list[Path]:
    """The folders that ``mkdir(parents=True)`` would make, innermost first."""
    return [folder for folder in (path, *path.parents) if not folder.exists()]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


# What decides how a run goes: videos, reports and results that lie about change nothing of it.
_CODE = (":/sonic_sb3", ":/hyperparams", ":/pyproject.toml", ":/constraints.txt")


def _git_state() -> dict[str, Any] | None:
    """Commit and dirty flag of the checkout that this package lies in, if it lies in one."""
    folder = Path(__file__).parent
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return {
            "commit": commit,
            "dirty": bool(_git(folder, "status", "--porcelain", "--", *_CODE)),
        }
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    result = subprocess.run(
        # Without it, `status` takes a lock that gets in the way of the user's own git.
        ["git", "--no-optional-locks", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return result.stdout.strip()
