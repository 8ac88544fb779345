"""
Many emulators side by side: an SB3 VecEnv whose workers write observations into shared memory.
"""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import pickle
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import reduction
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import cloudpickle
import gymnasium as gym
import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env.base_vec_env import (
    VecEnv,
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

from sonic_sb3.envs.core_proof import ProofResult
from sonic_sb3.envs.episode_monitor import EpisodeMonitor
from sonic_sb3.envs.make import make_env
from sonic_sb3.envs.shared_batch import BatchShape, SharedBatch
from sonic_sb3.envs.worker import OK, STEP, EnvFn, full_name, run_worker
from sonic_sb3.errors import SettingsError, SonicError, WorkerError
from sonic_sb3.games import find_game, resolve_levels
from sonic_sb3.rom_files import find_rom

_CLOSE_TIMEOUT_S = 5.0
# What the workers of earlier vec envs of this process proved of the fast core, by ROM.
_known_proofs: dict[str, ProofResult] = {}


@dataclass
class _Worker:
    """A worker process, the pipe to it and the envs it has."""

    process: BaseProcess
    pipe: Connection
    env_indices: range


class SonicVecEnv(VecEnv):
    """
    Steps many envs in few worker processes.

    The observation of an env is written by its worker where the policy reads it, stacked and
    channels first: (n_envs, n_stack x channels, height, width) uint8. In all else it behaves as
    SB3's SubprocVecEnv with VecFrameStack and VecTransposeImage around it.

    :param env_fns: Make one env each; called in the workers.
    :param n_workers: Worker processes; ``None`` for one per env. Envs that share a worker share its
        emulator, whose state is swapped: that saves memory and costs half the speed.
    :param n_stack: How many observations to stack.
    :raises SonicError: What the envs themselves raise when made.
    """

    def __init__(
        self, env_fns: Sequence[EnvFn], n_workers: int | None = None, n_stack: int = 1
    ) -> None:
        if not env_fns:
            raise SettingsError("expected at least one env, got none")
        self.waiting = False
        self.closed = False
        self.n_workers = min(n_workers or len(env_fns), len(env_fns))
        self._workers: list[_Worker] = []
        try:
            observation_space, action_space = self._start_workers(env_fns, n_stack)
            self._batch = self._share_batch(len(env_fns), observation_space, action_space)
            super().__init__(len(env_fns), observation_space, action_space)
        except BaseException:
            self._kill_workers()
            raise

    # -- stepping -------------------------------------------------------------------------------

    def reset(self) -> VecEnvObs:
        for worker in self._workers:
            own = slice(worker.env_indices.start, worker.env_indices.stop)
            self._send(worker, "reset", self._seeds[own], self._options[own])
        self.reset_infos = [info for worker in self._workers for info in self._receive(worker)]
        self._reset_seeds()
        self._reset_options()
        return self._batch.obs.copy()

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        self._batch.actions[...] = actions
        for worker in self._workers:
            worker.pipe.send_bytes(STEP)
        self.waiting = True

    def step_wait(self) -> VecEnvStepReturn:
        infos: list[dict[str, Any]] = []
        reset_infos: list[dict[str, Any]] = []
        for worker in self._workers:
            worker_infos, worker_reset_infos = self._receive(worker)
            infos.extend(worker_infos)
            reset_infos.extend(worker_reset_infos)
        self.waiting = False
        self.reset_infos = reset_infos
        batch = self._batch
        for index in np.flatnonzero(batch.dones):
            infos[index]["terminal_observation"] = batch.terminal_obs[index].copy()
        # A copy, because SB3 stores an observation only after the step that follows it.
        return batch.obs.copy(), batch.rewards.copy(), batch.dones.copy(), infos

    # -- questions to single envs ---------------------------------------------------------------

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        return self._ask("get_attr", indices, attr_name)

    def has_attr(self, attr_name: str) -> bool:
        return all(self._ask("has_attr", None, attr_name))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        self._ask("set_attr", indices, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        return self._ask("env_method", indices, method_name, method_args, method_kwargs)

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        return self._ask("is_wrapped", indices, full_name(wrapper_class))

    def get_images(self) -> Sequence[npt.NDArray[np.uint8] | None]:
        if self.render_mode != "rgb_array":
            warnings.warn(
                f"expected render_mode 'rgb_array' to get images, it is {self.render_mode!r}",
                stacklevel=2,
            )
            return [None] * self.num_envs
        return self._ask("render", None)

    # -- the end --------------------------------------------------------------------------------

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        for worker in self._workers:
            try:
                worker.pipe.send_bytes(pickle.dumps(("close",)))
            except OSError:
                continue  # it is gone already
        for worker in self._workers:
            worker.process.join(_CLOSE_TIMEOUT_S)
        self._kill_workers()

    # -- workers --------------------------------------------------------------------------------

    def _start_workers(
        self, env_fns: Sequence[EnvFn], n_stack: int
    ) -> tuple[gym.Space[Any], gym.Space[Any]]:
        bounds = np.linspace(0, len(env_fns), self.n_workers + 1).round().astype(int).tolist()
        groups = [range(first, last) for first, last in itertools.pairwise(bounds)]
        # The first worker's fast core proves itself; the others need not do it again.
        spaces: list[tuple[gym.Space[Any], gym.Space[Any]]] = []
        for batch_of_groups in (groups[:1], groups[1:]):
            new = [self._start_worker(env_fns, group, n_stack) for group in batch_of_groups]
            self._workers += new
            for worker in new:
                worker_spaces, proofs = self._receive(worker)
                _known_proofs.update(proofs)
                spaces.append(worker_spaces)
        return spaces[0]

    def _start_worker(self, env_fns: Sequence[EnvFn], group: range, n_stack: int) -> _Worker:
        context = _worker_context()
        parent_pipe, worker_pipe = context.Pipe()
        own_fns = cloudpickle.dumps([env_fns[index] for index in group])
        args = (worker_pipe, parent_pipe, own_fns, group.start, n_stack, _known_proofs)
        process = context.Process(target=run_worker, args=args, daemon=True)
        process.start()
        worker_pipe.close()
        return _Worker(process, parent_pipe, group)

    def _share_batch(
        self, n_envs: int, observation_space: gym.Space[Any], action_space: gym.Space[Any]
    ) -> SharedBatch:
        shape = BatchShape(
            n_envs,
            observation_space.shape or (),
            str(observation_space.dtype),
            action_space.shape or (),
            str(action_space.dtype),
        )
        batch = SharedBatch(shape)
        for worker in self._workers:
            self._send(worker, "attach", shape)
            assert worker.process.pid is not None
            reduction.send_handle(worker.pipe, batch.fd, worker.process.pid)
            self._receive(worker)
        return batch

    def _ask(self, command: str, indices: VecEnvIndices, *args: Any) -> list[Any]:
        answers = []
        for index in self._get_indices(indices):
            index = range(self.num_envs)[index]  # negative indices count from the end
            worker = next(w for w in self._workers if index in w.env_indices)
            self._send(worker, command, index - worker.env_indices.start, *args)
            answers.append(self._receive(worker))
        return answers

    def _send(self, worker: _Worker, command: str, *args: Any) -> None:
        worker.pipe.send_bytes(cloudpickle.dumps((command, *args)))

    def _receive(self, worker: _Worker) -> Any:
        try:
            message = worker.pipe.recv_bytes()
        except (EOFError, OSError) as error:
            worker.process.join(1.0)
            raise WorkerError(
                f"the worker of envs {worker.env_indices.start}-{worker.env_indices.stop - 1} died "
                f"with exit code {worker.process.exitcode}; what it printed last stands above"
            ) from error
        if message[:1] == OK:
            return pickle.loads(message[1:])
        failure, text = pickle.loads(message[1:])
        if isinstance(failure, SonicError | AttributeError | TypeError):
            raise failure
        raise WorkerError(f"an env failed in its worker:\n{text}")

    def _kill_workers(self) -> None:
        for worker in self._workers:
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()


def _worker_context() -> Any:
    """Start method: a fork server that has imported everything once, where there is one."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sonic_sb3.envs.worker"])
    return context


def make_vec_env(
    game_id: str,
    n_envs: int = 1,
    *,
    levels: str | Sequence[str] | None = None,
    seed: int | None = None,
    frame_stack: int = 4,
    n_workers: int | None = None,
    monitor_file: str | None = None,
    **env_kwargs: Any,
) -> EpisodeMonitor:
    """
    Make envs in worker processes, ready for any SB3 algorithm.

    Observations: (n_envs, frame_stack, 96, 96) uint8 0..255; actions: 0..6.

    :param game_id: stable-retro's id of the game.
    :param n_envs: Number of envs.
    :param levels: One or more levels, or ``train``, ``test``, ``all``; env i plays level i modulo
        their number.
    :param seed: Env i gets seed + i.
    :param frame_stack: How many observations are stacked.
    :param n_workers: Worker processes; ``None`` for one per env.
    :param monitor_file: Where to write a row per episode; ``None`` for nowhere.
    :param env_kwargs: As :func:`sonic_sb3.make_env` takes them.
    :raises SonicError: As :func:`sonic_sb3.make_env`.
    """
    find_rom(game_id)
    if "level" in env_kwargs and levels is None:
        levels = env_kwargs.pop("level")
    names = resolve_levels(
        game_id, levels if levels is None or isinstance(levels, str) else [*levels]
    )
    env_fns = [
        functools.partial(make_env, game_id, level=names[index % len(names)], **env_kwargs)
        for index in range(n_envs)
    ]
    vec_env = SonicVecEnv(env_fns, n_workers, frame_stack)
    if seed is not None:
        vec_env.seed(seed)
    return EpisodeMonitor(vec_env, find_game(game_id), monitor_file)
