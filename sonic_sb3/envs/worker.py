"""
The process in which envs live: it steps a group of them and writes into shared memory.

Imports neither torch nor stable_baselines3, so that a worker starts fast and stays small.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import forkserver, reduction
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle
import cv2
import gymnasium as gym
import numpy as np
import numpy.typing as npt

# Not used here: imported once by the fork server, they need not be imported by each worker.
import stable_retro  # noqa: F401

import sonic_sb3.envs.planned_episodes  # noqa: F401
from sonic_sb3.envs import emulator
from sonic_sb3.envs.core_proof import ProofResult
from sonic_sb3.envs.shared_batch import BatchShape, SharedBatch
from sonic_sb3.envs.snapshots import restore_snapshot, take_snapshot
from sonic_sb3.errors import SettingsError

EnvFn = Callable[[], gym.Env[Any, Any]]

STEP = b"step"  # the one command sent without pickling: it comes some hundred times a second
OK = b"o"
FAILED = b"f"
_PR_SET_PDEATHSIG = 1


def full_name(cls: type) -> str:
    """Module and name of a class, as an import would spell it."""
    return f"{cls.__module__}.{cls.__qualname__}"


class FrameStack:
    """
    One env's observation as the policy gets it: images channels first, the last n of them stacked.

    Bit-equal to SB3's VecFrameStack followed by VecTransposeImage.

    :param space: The env's observation space.
    :param n_stack: How many observations to stack.
    :raises SettingsError: Only images can be stacked.
    """

    def __init__(self, space: gym.Space[Any], n_stack: int) -> None:
        if isinstance(space, gym.spaces.Dict | gym.spaces.Tuple) or space.shape is None:
            raise SettingsError(f"expected an env whose observation is one array, got {space}")
        is_box = isinstance(space, gym.spaces.Box)
        self.is_image = is_box and len(space.shape) == 3 and space.dtype == np.uint8
        if n_stack > 1 and not self.is_image:
            raise SettingsError(f"expected images to stack (height, width, channels), got {space}")
        self.space: gym.Space[Any] = space
        self.n_channels = 0
        self._is_channels_first = True
        if self.is_image and isinstance(space, gym.spaces.Box):
            # As SB3 tells them: the channels are the shortest side.
            self._is_channels_first = int(np.argmin(space.shape)) == 0
            low, high = self._channels_first(space.low), self._channels_first(space.high)
            self.n_channels = low.shape[0]
            low, high = np.repeat(low, n_stack, axis=0), np.repeat(high, n_stack, axis=0)
            self.space = gym.spaces.Box(low, high, dtype=space.dtype.type)

    def write_first(self, rows: npt.NDArray[Any], obs: npt.NDArray[Any]) -> None:
        """Begin a stack: zeros, and the first observation last. :param rows: One env's row."""
        rows[...] = 0
        self._write_last(rows, obs)

    def write_next(self, rows: npt.NDArray[Any], obs: npt.NDArray[Any]) -> None:
        """Move the stack on by one observation. :param rows: One env's row."""
        if self.is_image:
            rows[: -self.n_channels] = rows[self.n_channels :]
        self._write_last(rows, obs)

    def _write_last(self, rows: npt.NDArray[Any], obs: npt.NDArray[Any]) -> None:
        if self.is_image:
            rows[-self.n_channels :] = self._channels_first(obs)
        else:
            rows[...] = obs

    def _channels_first(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return array if self._is_channels_first else np.moveaxis(array, -1, 0)


class EnvGroup:
    """
    The envs of one worker, and what can be asked of them.

    :param env_fns: Make the envs.
    :param first_index: Index of the first of them among all envs of the vec env.
    :param n_stack: Observations to stack.
    """

    def __init__(self, env_fns: Sequence[EnvFn], first_index: int, n_stack: int) -> None:
        self.envs = [make_env() for make_env in env_fns]
        self.first_index = first_index
        self.stack = FrameStack(self.envs[0].observation_space, n_stack)
        self.batch: SharedBatch | None = None
        self._reset_infos: list[dict[str, Any]] = [{} for _ in self.envs]

    def step(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """
        Step every env with its action in shared memory; an env that is done is reset at once.

        :returns: infos and reset infos, one per env.
        """
        batch = self._shared_batch()
        infos = []
        for env_index, env in enumerate(self.envs):
            row = self.first_index + env_index
            action = batch.actions[row]
            obs, reward, terminated, truncated, info = env.step(
                int(action) if action.ndim == 0 else action.copy()
            )
            done = terminated or truncated
            info["TimeLimit.truncated"] = truncated and not terminated
            self.stack.write_next(batch.obs[row, ...], obs)
            if done:
                batch.terminal_obs[row] = batch.obs[row]
                obs, self._reset_infos[env_index] = env.reset()
                self.stack.write_first(batch.obs[row, ...], obs)
            batch.rewards[row] = reward
            batch.dones[row] = done
            infos.append(info)
        return infos, list(self._reset_infos)

    def reset(
        self, seeds: Sequence[int | None], options: Sequence[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Reset every env; seeds and options as gymnasium's ``reset`` takes them."""
        batch = self._shared_batch()
        for env_index, env in enumerate(self.envs):
            maybe_options = {"options": options[env_index]} if options[env_index] else {}
            obs, self._reset_infos[env_index] = env.reset(seed=seeds[env_index], **maybe_options)
            self.stack.write_first(batch.obs[self.first_index + env_index, ...], obs)
        return list(self._reset_infos)

    def spaces(self) -> tuple[gym.Space[Any], gym.Space[Any]]:
        """Observation space as stacked, action space."""
        return self.stack.space, self.envs[0].action_space

    def render(self, env_index: int) -> Any:
        return self.envs[env_index].render()

    def get_attr(self, env_index: int, name: str) -> Any:
        return self.envs[env_index].get_wrapper_attr(name)

    def has_attr(self, env_index: int, name: str) -> bool:
        return self.envs[env_index].has_wrapper_attr(name)

    def set_attr(self, env_index: int, name: str, value: Any) -> None:
        setattr(self.envs[env_index], name, value)

    def env_method(
        self, env_index: int, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return self.envs[env_index].get_wrapper_attr(name)(*args, **kwargs)

    def is_wrapped(self, env_index: int, wrapper_name: str) -> bool:
        """Compare by name: to unpickle SB3's Monitor would import torch into every worker."""
        env = self.envs[env_index]
        while isinstance(env, gym.Wrapper):
            if wrapper_name in map(full_name, type(env).__mro__):
                return True
            env = env.env
        return False

    def get_snapshots(self) -> list[dict[str, Any]]:
        """The state of each env, of its frame stack and of its last reset's info."""
        batch = self._shared_batch()
        return [
            {
                "env": take_snapshot(env),
                "obs": batch.obs[self.first_index + env_index].copy(),
                "reset_info": self._reset_infos[env_index],
            }
            for env_index, env in enumerate(self.envs)
        ]

    def set_snapshots(self, snapshots: Sequence[dict[str, Any]]) -> None:
        """Put the states back that :meth:`get_snapshots` of the same envs gave."""
        batch = self._shared_batch()
        for env_index, snapshot in enumerate(snapshots):
            restore_snapshot(self.envs[env_index], snapshot["env"])
            batch.obs[self.first_index + env_index] = snapshot["obs"]
            self._reset_infos[env_index] = snapshot["reset_info"]

    def close(self) -> None:
        for env in self.envs:
            env.close()

    def attach(self, shape: BatchShape, fd: int) -> None:
        """Use the memory that the parent made."""
        self.batch = SharedBatch(shape, fd)
        self.batch.close_file()

    def _shared_batch(self) -> SharedBatch:
        if self.batch is None:
            raise RuntimeError("expected attach() before reset() and step()")
        return self.batch


def run_worker(
    pipe: Connection,
    parent_pipe: Connection,
    env_fns: bytes,
    first_index: int,
    n_stack: int,
    proofs: dict[str, ProofResult],
) -> None:
    """
    Serve the parent until it says close or is gone.

    :param pipe: To and from the parent.
    :param parent_pipe: The parent's end, closed here so that the parent's death is noticed.
    :param env_fns: The functions that make the envs, by cloudpickle.
    :param first_index: Index of the first env of this worker.
    :param n_stack: Observations to stack.
    :param proofs: Of the fast core, made by other workers.
    """
    _die_with_parent()
    emulator.proofs.update(proofs)
    parent_pipe.close()
    # Ctrl-C reaches the whole process group; the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    group: EnvGroup | None = None
    try:
        group = EnvGroup(cloudpickle.loads(env_fns), first_index, n_stack)
        pipe.send_bytes(OK + pickle.dumps((group.spaces(), emulator.proofs)))
        while _serve(pipe, group):
            pass
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the parent is gone
    except Exception as error:
        _send_failure(pipe, error)
    finally:
        if group is not None:
            group.close()


def _die_with_parent() -> None:
    """
    Be killed when the fork server ends, which ends with the parent; a stopped process would else
    never notice that the parent is gone. Without Linux, the closed pipe alone tells.
    """
    server = getattr(forkserver, "_forkserver", None)
    alive_fd = getattr(server, "_forkserver_alive_fd", None)
    if alive_fd is None or not sys.platform.startswith("linux"):
        return
    # The server lives as long as anybody holds this end of its pipe: the parent alone shall.
    with contextlib.suppress(OSError):
        os.close(alive_fd)
        server._forkserver_alive_fd = None  # type: ignore[union-attr]
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _serve(pipe: Connection, group: EnvGroup) -> bool:
    """Answer one command. :returns: Whether to go on."""
    message = pipe.recv_bytes()
    command, *args = ("step",) if message == STEP else pickle.loads(message)
    if command == "close":
        return False
    if command == "attach":
        group.attach(args[0], reduction.recv_handle(pipe))
        pipe.send_bytes(OK + pickle.dumps(None))
        return True
    try:
        answer = OK + pickle.dumps(getattr(group, command)(*args))
    except Exception as error:
        # An action or question that the envs refuse says nothing against the envs.
        _send_failure(pipe, error)
    else:
        pipe.send_bytes(answer)
    return True


def _send_failure(pipe: Connection, error: Exception) -> None:
    text = "".join(traceback.format_exception(error))
    try:
        packed = pickle.dumps(error)
    except Exception:
        packed = pickle.dumps(None)
    message = pickle.dumps((packed, text))
    with contextlib.suppress(OSError):  # nobody may be left to be told
        pipe.send_bytes(FAILED + message)
