"""
A training run between two rollouts, as plain data: what a killed run needs to go on as if never
killed.

Weights, optimiser, counters, all random generators, every env, episode statistics, callbacks, the
values waiting in the logger, how long the monitor file was, and what the algorithm itself remembers
(a replay buffer lies beside it, in pieces).
"""

from __future__ import annotations

import math
import random
import time
from collections import deque
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvWrapper

from sonic_sb3.algorithm_state import (
    find_optimizer,
    find_replay_buffer,
    read_algorithm_state,
    write_algorithm_state,
)
from sonic_sb3.atomic_files import sync_file
from sonic_sb3.envs.episode_monitor import EpisodeMonitor
from sonic_sb3.envs.vec_env import SonicVecEnv
from sonic_sb3.errors import RunFolderError, SonicError
from sonic_sb3.finite_numbers import check_outputs
from sonic_sb3.full_disk import write_patiently
from sonic_sb3.plain_data import load_data, save_data
from sonic_sb3.replay_files import ReplayFiles
from sonic_sb3.run_folder import RunFolder

_FORMAT = 2
_S_BETWEEN_SNAPSHOTS = 5.0
_S_BETWEEN_WRITES = 120.0
# What putting other data than expected into a model, an env or a generator raises.
_MISFITS = (
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
    RuntimeError,
    OverflowError,
)
_COUNTERS = ("num_timesteps", "_n_updates", "_current_progress_remaining", "_episode_num")


class Resumable(Protocol):
    """A callback with a memory. ``name`` is unique among those of a run."""

    name: str

    def get_snapshot(self) -> dict[str, Any]:
        """Its memory, as plain data."""

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Put it back."""


def take_training_snapshot(
    model: BaseAlgorithm, callbacks: list[Resumable], monitor_file: Path
) -> dict[str, Any]:
    """
    Read everything, between an update and the next rollout. Training goes on undisturbed.

    :param model: In training, on a :class:`SonicVecEnv` in an :class:`EpisodeMonitor`.
    :param callbacks: Those with a memory.
    :param monitor_file: The run's monitor file.
    """
    assert model.env is not None
    monitor, vec_env = _find_envs(model.env)
    optimizer = find_optimizer(model)
    return {
        "format": _FORMAT,
        "counters": {name: getattr(model, name) for name in _COUNTERS},
        "policy": _to_plain(model.policy.state_dict()),
        "optimizer": _to_plain(optimizer.state_dict()) if optimizer else None,
        "random": _read_generators(model.device),
        "envs": vec_env.get_snapshot(),
        "algorithm": read_algorithm_state(model),
        "episodes": [_to_plain(info) for info in model.ep_info_buffer or []],
        "successes": [float(success) for success in model.ep_success_buffer or []],
        "monitor": monitor.get_snapshot(),
        "monitor_bytes": monitor_file.stat().st_size,
        "callbacks": {callback.name: callback.get_snapshot() for callback in callbacks},
        "logger": {
            "values": _to_plain(dict(model.logger.name_to_value)),
            "counts": dict(model.logger.name_to_count),
            "excluded": _to_plain(dict(model.logger.name_to_excluded)),
        },
    }


def open_replay_files(model: BaseAlgorithm, folder: RunFolder) -> ReplayFiles | None:
    """
    The files of a run's replay buffer.

    :param model: In training.
    :param folder: The run.
    :returns: ``None`` for algorithms without a replay buffer.
    """
    if not isinstance(model, OffPolicyAlgorithm):
        return None
    return ReplayFiles(folder.replay, find_replay_buffer(model))


def read_training_snapshot(folder: RunFolder) -> dict[str, Any] | None:
    """
    Read a run's snapshot and what of it is needed before there is a model.

    :param folder: The run.
    :returns: ``None`` if it has none.
    :raises RunFolderError: It is damaged, or forged.
    """
    if not folder.snapshot.is_file():
        return None
    snapshot = load_data(folder.snapshot)
    try:
        n_timesteps, n_bytes = snapshot["counters"]["num_timesteps"], snapshot["monitor_bytes"]
        n_bytes_there = folder.monitor.stat().st_size
        is_sound = type(n_timesteps) is int and type(n_bytes) is int
        is_sound = is_sound and 0 <= n_timesteps < 10**15 and 0 <= n_bytes <= n_bytes_there
        is_sound = is_sound and math.isfinite(snapshot["elapsed_s"])
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise RunFolderError(
            f"{folder.snapshot}: expected the snapshot of a run ({type(error).__name__}: {error})"
        ) from error
    if not is_sound:
        raise RunFolderError(
            f"{folder.snapshot}: expected counters of a run and at most {n_bytes_there} bytes of "
            f"{folder.monitor.name}, got {n_timesteps!r:.40} and {n_bytes!r:.40}"
        )
    return dict(snapshot)


def restore_training_snapshot(
    model: BaseAlgorithm,
    callbacks: list[Resumable],
    snapshot: dict[str, Any],
    replay_files: ReplayFiles | None = None,
    source: object = "the snapshot",
) -> None:
    """
    Put everything back into a model that was built from the same settings.

    :param model: Fresh, with its logger set.
    :param callbacks: As in the run.
    :param snapshot: Of :func:`take_training_snapshot`.
    :param replay_files: Those of the run, where it has a replay buffer.
    :param source: The file, for messages.
    :raises RunFolderError: It is of another kind of run.
    """
    try:
        if snapshot["format"] != _FORMAT:
            raise ValueError(f"expected format {_FORMAT}, got {snapshot['format']}")
        if replay_files is not None:
            n_added = snapshot["algorithm"]["replay"]["n_added"]
            replay_files.load(snapshot["replay_pieces"], n_added)
        _restore(model, callbacks, snapshot)
    except torch.OutOfMemoryError:
        raise  # the snapshot is none the worse
    except (*_MISFITS, SonicError) as error:
        # Of what a worker says the last line tells what was wrong.
        reason = (str(error).strip().splitlines() or ["no reason"])[-1]
        raise RunFolderError(
            f"{source}: expected a snapshot that fits the run's settings "
            f"({type(error).__name__}: {reason:.300}); was it copied from another run?"
        ) from error


def _restore(model: BaseAlgorithm, callbacks: list[Resumable], snapshot: dict[str, Any]) -> None:
    assert model.env is not None
    monitor, vec_env = _find_envs(model.env)
    for name in _COUNTERS:
        setattr(model, name, snapshot["counters"][name])
    model.policy.load_state_dict(_to_torch(snapshot["policy"]))
    optimizer = find_optimizer(model)
    if optimizer is not None:
        optimizer.load_state_dict(_to_torch(snapshot["optimizer"]))
    vec_env.set_snapshot(snapshot["envs"])
    monitor.set_snapshot(snapshot["monitor"])
    write_algorithm_state(model, snapshot["algorithm"])
    model.ep_info_buffer = deque(snapshot["episodes"], maxlen=model._stats_window_size)
    model.ep_success_buffer = deque(snapshot["successes"], maxlen=model._stats_window_size)
    for callback in callbacks:
        # One that a run of an earlier version did not have yet remembers nothing.
        callback.set_snapshot(snapshot["callbacks"].get(callback.name, {}))
    model.logger.name_to_value.update(snapshot["logger"]["values"])
    model.logger.name_to_count.update(snapshot["logger"]["counts"])
    model.logger.name_to_excluded.update(snapshot["logger"]["excluded"])
    # Last, for all of the above may have drawn.
    _write_generators(snapshot["random"], model.device)


def _find_envs(env: VecEnv) -> tuple[EpisodeMonitor, SonicVecEnv]:
    monitor = None
    while isinstance(env, VecEnvWrapper):
        if isinstance(env, EpisodeMonitor):
            monitor = env
        env = env.venv
    assert monitor is not None
    assert isinstance(env, SonicVecEnv)
    return monitor, env


def _read_generators(device: torch.device) -> dict[str, Any]:
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002 - SB3 draws from it
        "torch": torch.get_rng_state().numpy(),
    }
    if device.type == "cuda":  # asking initialises it, and other cards are none of our business
        state["cuda"] = [torch.cuda.get_rng_state(device).numpy()]
    return state


def _write_generators(state: dict[str, Any], device: torch.device) -> None:
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002
    torch.set_rng_state(torch.from_numpy(state["torch"]))
    if "cuda" in state and device.type == "cuda":
        torch.cuda.set_rng_state(torch.from_numpy(state["cuda"][0]), device)


def _to_plain(value: Any) -> Any:
    """Tensors become arrays of their own, so that training does not change them any more."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().contiguous().numpy().copy()
    if isinstance(value, dict):
        return {key: _to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_to_plain(item) for item in value)
    return value


def _to_torch(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, dict):
        return {key: _to_torch(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_to_torch(item) for item in value)
    return value


class KeepSnapshots(BaseCallback):
    """
    Keeps the newest snapshot in memory and now and then on disk.

    :param folder: The run.
    :param callbacks: Those with a memory.
    :param every_rollouts: How often it goes to disk; ``None`` for about every two minutes.
    :param elapsed_s: Seconds of training before this process.
    :param replay_files: Those of the run, where it has a replay buffer.
    """

    def __init__(
        self,
        folder: RunFolder,
        callbacks: list[Resumable],
        every_rollouts: int | None,
        elapsed_s: float = 0.0,
        replay_files: ReplayFiles | None = None,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._callbacks = callbacks
        self._every_rollouts = every_rollouts
        self._started_s = time.monotonic() - elapsed_s
        self._taken_s = -math.inf
        self._written_s = -math.inf
        self._n_rollouts = 0
        self._replay_files = replay_files
        self._newest: dict[str, Any] | None = None

    @property
    def elapsed_s(self) -> float:
        """Seconds of training in this process and those before it."""
        return time.monotonic() - self._started_s

    def write_newest(self) -> None:
        """Write the snapshot in memory, if it is not on disk yet."""
        if self._newest is not None:
            if self._replay_files is not None:
                n_added = self._newest["algorithm"]["replay"]["n_added"]
                self._newest["replay_pieces"] = self._replay_files.save(n_added)
            # A power cut must not leave a snapshot that knows more rows than the disk has.
            monitor = self._folder.monitor
            if monitor.is_file():
                write_patiently(monitor, lambda: sync_file(monitor))
            save_data(self._folder.snapshot, self._newest)
            if self._replay_files is not None:
                self._replay_files.remove_others()
            self._newest = None
            self._written_s = time.monotonic()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self._keep(is_due=self._is_due())
        self._n_rollouts += 1

    def _on_training_end(self) -> None:
        self._keep(is_due=True)

    def _is_due(self) -> bool:
        if self._replay_files is not None and self._replay_files.is_due:
            return True
        if self._every_rollouts is not None:
            return self._n_rollouts % self._every_rollouts == 0
        return time.monotonic() - self._written_s >= _S_BETWEEN_WRITES

    def _keep(self, is_due: bool) -> None:
        # Short rollouts (A2C's take a tenth of a second) would be slowed down by one each.
        if not is_due and time.monotonic() - self._taken_s < _S_BETWEEN_SNAPSHOTS:
            return
        check_outputs(self.model)
        snapshot = take_training_snapshot(self.model, self._callbacks, self._folder.monitor)
        self._newest = {**snapshot, "elapsed_s": self.elapsed_s}
        self._taken_s = time.monotonic()
        if is_due:
            self.write_newest()
