"""
Many emulators side by side: an SB3 VecEnv whose workers write observations into shared memory.
"""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import time
import warnings
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env.base_vec_env import (
    VecEnv,
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

from sonic_sb3.envs.episode_monitor import EpisodeMonitor
from sonic_sb3.envs.make import make_env
from sonic_sb3.envs.shared_batch import BatchShape, SharedBatch
from sonic_sb3.envs.worker import EnvFn, full_name
from sonic_sb3.envs.worker_handle import WorkerHandle
from sonic_sb3.errors import SettingsError
from sonic_sb3.games import find_game, resolve_levels
from sonic_sb3.monitor_files import RETRY_COLUMN
from sonic_sb3.reward_terms import parse_rewards, reward_columns
from sonic_sb3.rom_files import find_rom

_CLOSE_TIMEOUT_S = 2.0  # of all workers together
# A restarted worker repeats at most so many steps.
_STEPS_BETWEEN_SNAPSHOTS = 256


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
    :param reply_timeout_s: A worker that does not answer for so long is frozen, and is restarted as
        one that died is: from its last snapshot, with the actions since.
    :raises SonicError: What the envs themselves raise when made.
    """

    def __init__(
        self,
        env_fns: Sequence[EnvFn],
        n_workers: int | None = None,
        n_stack: int = 1,
        reply_timeout_s: float = 60.0,
    ) -> None:
        if not env_fns:
            raise SettingsError("expected at least one env, got none")
        if n_workers is not None and n_workers < 1:
            raise SettingsError(f"n_workers: expected at least 1, got {n_workers}")
        if n_stack < 1:
            raise SettingsError(f"frame_stack: expected at least 1, got {n_stack}")
        self.waiting = False
        self.closed = False
        self.n_workers = min(n_workers or len(env_fns), len(env_fns))
        self._workers: list[WorkerHandle] = []
        self._n_steps_since_snapshot = 0
        self._early_answers: tuple[list[Any], list[Exception]] | None = None
        try:
            observation_space, action_space = self._start_workers(env_fns, n_stack, reply_timeout_s)
            self._batch = self._share_batch(len(env_fns), observation_space, action_space)
            super().__init__(len(env_fns), observation_space, action_space)
            self._action_bounds = _whole_bounds(action_space)
            # As DummyVecEnv has it: recorders of videos look there for their speed.
            self.metadata = self.get_attr("metadata", 0)[0]
        except BaseException:
            self._end_workers()
            raise

    # -- stepping -------------------------------------------------------------------------------

    def reset(self) -> VecEnvObs:
        for worker in self._workers:
            worker.send("reset", self._seeds[worker.rows], self._options[worker.rows])
        self.waiting, self._early_answers = False, None
        answers, errors = self._receive_all()
        # Without seeds a worker that was asked again would draw another episode.
        self._keep_snapshots(must_succeed=False)
        if errors:
            raise errors[0]
        self.reset_infos = [info for infos in answers for info in infos]
        self._reset_seeds()
        self._reset_options()
        return self._batch.obs.copy()

    def step_async(self, actions: npt.ArrayLike) -> None:
        checked = self._check_actions(np.asarray(actions))
        for worker in self._workers:
            worker.send_step(checked[worker.rows])
        self._early_answers = None
        self.waiting = True

    def step_wait(self) -> VecEnvStepReturn:
        infos: list[dict[str, Any]] = []
        reset_infos: list[dict[str, Any]] = []
        answers, errors = self._early_answers or self._receive_all()
        self._early_answers = None
        self.waiting = False
        if errors:
            raise errors[0]
        for worker_infos, worker_reset_infos in answers:
            infos.extend(worker_infos)
            reset_infos.extend(worker_reset_infos)
        self.reset_infos = reset_infos
        batch = self._batch
        for index in np.flatnonzero(batch.dones):
            infos[index]["terminal_observation"] = batch.terminal_obs[index].copy()
        # Copies, because SB3 stores an observation only after the step that follows it.
        result = batch.obs.copy(), batch.rewards.copy(), batch.dones.copy(), infos
        self._n_steps_since_snapshot += 1
        if self._n_steps_since_snapshot >= _STEPS_BETWEEN_SNAPSHOTS:
            self._keep_snapshots()
        return result

    def _check_actions(self, actions: npt.NDArray[Any]) -> npt.NDArray[Any]:
        expected = self._batch.actions
        if actions.dtype.kind == "f" and expected.dtype.kind in "iu":
            # SB3's Bernoulli distribution, for one, draws bits as floats.
            with np.errstate(invalid="ignore"):
                cast = actions.astype(expected.dtype)
            actions = cast if np.array_equal(cast, actions) else actions
        is_castable = np.can_cast(actions.dtype, expected.dtype, "same_kind")
        if actions.shape != expected.shape or not is_castable:
            raise SettingsError(
                f"actions: expected an array {expected.shape} of {expected.dtype}, got "
                f"{actions.shape} of {actions.dtype}"
            )
        if self._action_bounds is not None:
            lowest, highest = self._action_bounds
            if ((actions < lowest) | (actions > highest)).any():
                raise SettingsError(
                    f"actions: expected {lowest} to {highest}, got {actions.tolist()}"
                )
        return actions

    def _receive_all(self) -> tuple[list[Any], list[Exception]]:
        """The answers of all workers, and what was raised in place of one."""
        answers: list[Any] = []
        errors: list[Exception] = []
        for worker in self._workers:
            try:
                answers.append(worker.receive())
            except Exception as error:
                errors.append(error)
        return answers, errors

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
        self._end_workers()
        self._batch.close_file()

    def _end_workers(self) -> None:
        for worker in self._workers:
            worker.ask_to_close()
        deadline_s = time.monotonic() + _CLOSE_TIMEOUT_S
        for worker in self._workers:
            worker.end(max(0.0, deadline_s - time.monotonic()))

    # -- snapshots and restarts -----------------------------------------------------------------

    @property
    def n_restarts(self) -> int:
        """How often a worker had to be restarted."""
        return sum(worker.n_restarts for worker in self._workers)

    @property
    def worker_pids(self) -> list[int | None]:
        """Process ids of the workers."""
        return [worker.pid for worker in self._workers]

    def get_snapshot(self) -> list[dict[str, Any]]:
        """
        The whole state of every env, between two steps.

        :returns: Plain data, one mapping per env.
        :raises WorkerError: An env or wrapper does not tell its state.
        """
        self._keep_snapshots()
        return [snapshot for worker in self._workers for snapshot in worker.snapshot]

    def set_snapshot(self, snapshots: Sequence[dict[str, Any]]) -> VecEnvObs:
        """
        Go on where the snapshot was taken, whatever the number of workers.

        :param snapshots: Of :meth:`get_snapshot`, of as many envs.
        :returns: The observations of that moment.
        """
        if len(snapshots) != self.num_envs:
            raise SettingsError(
                f"expected a snapshot of {self.num_envs} envs, got one of {len(snapshots)}"
            )
        for worker in self._workers:
            worker.adopt_snapshot([snapshots[index] for index in worker.env_indices])
        self.reset_infos = [snapshot["reset_info"] for snapshot in snapshots]
        return self._batch.obs.copy()

    def _keep_snapshots(self, must_succeed: bool = True) -> None:
        self._n_steps_since_snapshot = 0
        for worker in self._workers:
            worker.keep_snapshot(must_succeed)

    # -- workers --------------------------------------------------------------------------------

    def _start_workers(
        self, env_fns: Sequence[EnvFn], n_stack: int, reply_timeout_s: float
    ) -> tuple[gym.Space[Any], gym.Space[Any]]:
        context = _worker_context()
        bounds = np.linspace(0, len(env_fns), self.n_workers + 1).round().astype(int).tolist()
        for first, last in itertools.pairwise(bounds):
            self._workers.append(
                WorkerHandle(
                    context, env_fns[first:last], range(first, last), n_stack, reply_timeout_s
                )
            )
        # The first worker's fast core proves itself; the others need not do it again.
        for workers in (self._workers[:1], self._workers[1:]):
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.wait_until_ready()
        observation_space, action_space = self._workers[0].spaces
        return observation_space, action_space

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
            worker.share(batch, shape)
        return batch

    def _ask(self, command: str, indices: VecEnvIndices, *args: Any) -> list[Any]:
        if self.waiting and self._early_answers is None:
            self._early_answers = self._receive_all()  # of the step, for `step_wait`
        # Negative indices count from the end.
        todo = list(enumerate(range(self.num_envs)[k] for k in self._get_indices(indices)))
        answers: dict[int, Any] = {}
        while todo:
            # As many at once as there are workers that have nothing else to answer.
            asked: dict[int, WorkerHandle] = {}
            later = []
            for place, index in todo:
                worker = next(w for w in self._workers if index in w.env_indices)
                if any(worker is busy for busy in asked.values()):
                    later.append((place, index))
                else:
                    worker.send(command, index - worker.env_indices.start, *args)
                    asked[place] = worker
            answers |= {place: worker.receive() for place, worker in asked.items()}
            todo = later
        return [answers[place] for place in sorted(answers)]


def _whole_bounds(space: gym.Space[Any]) -> tuple[Any, Any] | None:
    """The least and the largest of whole numbers; what is out of a Box is for its env to say."""
    if isinstance(space, gym.spaces.Discrete):
        return int(space.start), int(space.start + space.n) - 1
    if isinstance(space, gym.spaces.MultiBinary):
        return 0, 1
    if isinstance(space, gym.spaces.MultiDiscrete):
        return space.start, space.start + space.nvec - 1
    return None


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
    monitor_appends: bool = False,
    is_training: bool = True,
    reply_timeout_s: float = 60.0,
    **env_kwargs: Any,
) -> EpisodeMonitor:
    """
    Make envs in worker processes, ready for any SB3 algorithm.

    Observations: (n_envs, frame_stack, 96, 96) uint8 0..255; actions: 0..6.

    :param game_id: stable-retro's id of the game.
    :param n_envs: Number of envs.
    :param levels: One or more levels, or ``train``, ``test``, ``all``; env i plays level i modulo
        their number, and where there are fewer envs than levels, each plays its share of them in
        turn. With another ``level_draw`` than ``pinned`` each env draws among all.
    :param seed: Env i gets seed + i.
    :param frame_stack: How many observations are stacked.
    :param n_workers: Worker processes; ``None`` for one per env.
    :param monitor_file: Where to write a row per episode; ``None`` for nowhere.
    :param monitor_appends: Go on with a monitor file that is there.
    :param is_training: Reward terms whose weight decays do so with the timesteps made here; off,
        they stay as they begin.
    :param reply_timeout_s: After so long without an answer a worker is restarted.
    :param env_kwargs: As :func:`sonic_sb3.make_env` takes them.
    :raises SonicError: As :func:`sonic_sb3.make_env`.
    """
    find_rom(game_id)
    level = env_kwargs.pop("level", None)
    if level is not None and levels is not None:
        raise SettingsError(f"expected levels or level, got both: {levels!r} and {level!r}")
    levels = level if levels is None else levels
    names = resolve_levels(
        game_id, levels if levels is None or isinstance(levels, str) else [*levels]
    )
    env_fns = [
        functools.partial(make_env, game_id, **{**env_kwargs, **levels_of_env})
        for levels_of_env in _share_levels(names, n_envs, env_kwargs.get("level_draw", "pinned"))
    ]
    terms = parse_rewards(env_kwargs["rewards"]) if env_kwargs.get("rewards") else ()
    vec_env = SonicVecEnv(env_fns, n_workers, frame_stack, reply_timeout_s)
    if is_training and any(term.decay for term in terms):
        vec_env.env_method("begin_training", n_envs)
    if seed is not None:
        vec_env.seed(seed)
    columns = list(reward_columns(env_kwargs.get("rewards")))
    if env_kwargs.get("retry_prob") is not None:
        columns.append(RETRY_COLUMN)
    return EpisodeMonitor(vec_env, find_game(game_id), monitor_file, monitor_appends, columns)


def _share_levels(names: Sequence[str], n_envs: int, level_draw: str) -> list[dict[str, Any]]:
    """The levels of each env, as :func:`sonic_sb3.make_env` takes them."""
    if level_draw != "pinned":
        return [{"level": names}] * n_envs
    if n_envs >= len(names):
        return [{"level": names[index % len(names)]} for index in range(n_envs)]
    return [{"level": names[index::n_envs], "level_draw": "in_turn"} for index in range(n_envs)]
