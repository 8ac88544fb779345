"""SB3's replay buffer, which stores each frame once although observations overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import BaseBuffer, NStepReplayBuffer, ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

Rows = dict[str, npt.NDArray[Any]]
_COLUMNS = ("actions", "rewards", "dones", "timeouts", "ages")


class FrameReplayBuffer(NStepReplayBuffer):
    """
    A replay buffer for stacked frames in 1 / (2 x n_stack) of the memory.

    Of each timestep one frame is stored, in a ring of (n_rows + n_stack, n_envs, channels, height,
    width) uint8; stacks are put together when a minibatch is drawn. The last frame of an episode,
    which no observation of the ring begins with, is kept beside it. What ``sample`` gives is what
    SB3's ``ReplayBuffer`` (with ``n_steps`` above 1 its ``NStepReplayBuffer``) gives, to the bit.

    :param buffer_size: Timesteps of all envs together.
    :param observation_space: (n_stack x channels, height, width) uint8; an episode begins with
        zeros before its first frame, and the first observation of all is the first of an episode.
        An observation that does not go on where the last timestep ended begins one, too: the env
        was reset.
    :param action_space: As the policy has it.
    :param device: Where minibatches go.
    :param n_envs: Number of envs.
    :param optimize_memory_usage: Must be off: this is a better one.
    :param handle_timeout_termination: Bootstrap the value at a time limit.
    :param n_stack: Frames in an observation.
    :param n_steps: Rewards that are summed up before a value is bootstrapped.
    :param gamma: The discount among them.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Box,
        action_space: spaces.Space[Any],
        device: torch.device | str = "auto",
        n_envs: int = 1,
        optimize_memory_usage: bool = False,
        handle_timeout_termination: bool = True,
        *,
        n_stack: int,
        n_steps: int = 1,
        gamma: float = 0.99,
    ) -> None:
        assert not optimize_memory_usage
        # Not ReplayBuffer's own constructor, which allocates whole observations twice.
        BaseBuffer.__init__(
            self, buffer_size, observation_space, action_space, device, n_envs=n_envs
        )
        self.buffer_size = max(buffer_size // n_envs, 1)
        self.optimize_memory_usage = False
        self.handle_timeout_termination = handle_timeout_termination
        self.n_steps = n_steps
        self.gamma = gamma
        self.n_stack = n_stack
        n_channels, height, width = observation_space.shape
        self._frame_shape = (n_channels // n_stack, height, width)
        shape = (self.buffer_size, n_envs)
        self._frames = np.zeros(
            (self.buffer_size + n_stack, n_envs, *self._frame_shape), dtype=np.uint8
        )
        self.actions = np.zeros((*shape, self.action_dim), dtype=action_space.dtype)
        self.rewards = np.zeros(shape, dtype=np.float32)
        self.dones = np.zeros(shape, dtype=np.float32)
        self.timeouts = np.zeros(shape, dtype=np.float32)
        # Timesteps since the episode's start, as far as they matter for a stack.
        self.ages = np.zeros(shape, dtype=np.uint8)
        self.observations = _Stacks(self, 0)  # type: ignore[assignment]
        self.next_observations = _Stacks(self, 1)  # type: ignore[assignment]
        self._next_ages = np.zeros(n_envs, dtype=np.uint8)
        self._last_frames: dict[tuple[int, int], npt.NDArray[np.uint8]] = {}
        self._expected_obs: npt.NDArray[np.uint8] | None = None  # of the next timestep
        self.n_added = 0

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        self.n_added = 0
        self._next_ages[:] = 0
        self._last_frames.clear()
        self._expected_obs = None

    def add(
        self,
        obs: npt.NDArray[Any],
        next_obs: npt.NDArray[Any],
        action: npt.NDArray[Any],
        reward: npt.NDArray[Any],
        done: npt.NDArray[Any],
        infos: list[dict[str, Any]],
    ) -> None:
        """As SB3's; observations are (n_envs, n_stack x channels, height, width)."""
        n_channels = self._frame_shape[0]
        self._notice_resets(obs)
        self._frames[self.n_added % len(self._frames)] = obs[:, -n_channels:]
        self._frames[(self.n_added + 1) % len(self._frames)] = next_obs[:, -n_channels:]
        self.actions[self.pos] = np.asarray(action).reshape(self.n_envs, self.action_dim)
        self.rewards[self.pos] = reward
        self.dones[self.pos] = done
        if self.handle_timeout_termination:
            self.timeouts[self.pos] = [info.get("TimeLimit.truncated", False) for info in infos]
        self.ages[self.pos] = self._next_ages
        for env_index in range(self.n_envs):
            if done[env_index]:
                last_frame = np.array(next_obs[env_index, -n_channels:])
                self._last_frames[self.pos, env_index] = last_frame
            else:
                self._last_frames.pop((self.pos, env_index), None)
        self._next_ages = np.where(
            done, 0, np.minimum(self._next_ages + 1, self.n_stack - 1)
        ).astype(np.uint8)
        self._expected_obs = np.array(next_obs)
        self._move_on()

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:
        """Minibatches drawn as SB3 draws them."""
        samples: ReplayBufferSamples = ReplayBuffer.sample(self, batch_size, env)
        return samples

    def cut_episodes(self) -> None:
        """Tell that the episodes under way were given up: what is added next begins new ones."""
        if self.n_added == 0:
            return
        row = (self.pos - 1) % self.buffer_size
        for env_index in np.flatnonzero(self.dones[row] == 0):
            self._keep_last_frame(row, int(env_index))
            # As a time limit does it: the value of what would have come is still bootstrapped.
            self.dones[row, env_index] = 1
            self.timeouts[row, env_index] = 1
        self._next_ages[:] = 0

    # -- to and from disk -----------------------------------------------------------------------

    def read_rows(self, first: int, last: int) -> dict[str, Any]:
        """
        Copy a range of timesteps, counted from the first that was ever added.

        :param first: The first of them.
        :param last: One after the last of them.
        """
        rows = np.arange(first, last) % self.buffer_size
        wanted = set(rows.tolist())
        data: dict[str, Any] = {name: getattr(self, name)[rows] for name in _COLUMNS}
        data["frames"] = self._frames[np.arange(first, last) % len(self._frames)]
        data["last_frames"] = [
            [first + (row - first) % self.buffer_size, env_index, frame]
            for (row, env_index), frame in self._last_frames.items()
            if row in wanted
        ]
        return data

    def write_rows(self, first: int, data: dict[str, Any], n_added: int) -> None:
        """
        Put back what :meth:`read_rows` gave, as far as it is still among the newest.

        :param first: As it was read.
        :param data: The rows.
        :param n_added: How many timesteps there will be when all ranges are back.
        """
        for offset, frame in enumerate(data["frames"]):
            if first + offset > n_added - len(self._frames):
                self._frames[(first + offset) % len(self._frames)] = frame
        oldest = n_added - self.buffer_size
        for offset in range(max(0, oldest - first), len(data["frames"])):
            for name in _COLUMNS:
                getattr(self, name)[(first + offset) % self.buffer_size] = data[name][offset]
        for timestep, env_index, frame in data["last_frames"]:
            if timestep >= oldest:
                self._last_frames[timestep % self.buffer_size, env_index] = frame

    def get_snapshot(self) -> dict[str, Any]:
        """What is not in the rows, as plain data."""
        return {"n_added": self.n_added, "next_ages": self._next_ages.copy()}

    def set_snapshot(self, snapshot: dict[str, Any], obs: npt.NDArray[np.uint8]) -> None:
        """
        Put it back, after the rows.

        :param snapshot: Of :meth:`get_snapshot`.
        :param obs: The observations that the next timestep begins with.
        """
        self.n_added = snapshot["n_added"]
        self._next_ages = np.array(snapshot["next_ages"], dtype=np.uint8)
        self.full = self.n_added >= self.buffer_size
        self.pos = self.n_added % self.buffer_size
        self._frames[self.n_added % len(self._frames)] = obs[:, -self._frame_shape[0] :]
        self._expected_obs = np.array(obs)

    def _notice_resets(self, obs: npt.NDArray[Any]) -> None:
        """Where an env was reset in the middle of an episode, as between two calls of ``learn``."""
        if self._expected_obs is None:
            return
        row = (self.pos - 1) % self.buffer_size
        differs = (obs != self._expected_obs).reshape(self.n_envs, -1).any(axis=1)
        for env_index in np.flatnonzero(differs & (self.dones[row] == 0)):
            self._keep_last_frame(row, int(env_index))
            self._next_ages[env_index] = 0

    def _keep_last_frame(self, row: int, env_index: int) -> None:
        """The newest frame, which ended timestep ``row``, before it is written over."""
        frame = self._frames[self.n_added % len(self._frames), env_index]
        self._last_frames[row, env_index] = frame.copy()

    # -- minibatches ----------------------------------------------------------------------------

    def _move_on(self) -> None:
        self.n_added += 1
        self.pos += 1
        if self.pos == self.buffer_size:
            self.full = True
            self.pos = 0

    def _get_samples(
        self, batch_inds: npt.NDArray[Any], env: VecNormalize | None = None
    ) -> ReplayBufferSamples:
        draw = ReplayBuffer._get_samples if self.n_steps == 1 else NStepReplayBuffer._get_samples
        samples: ReplayBufferSamples = draw(self, batch_inds, env)
        return samples

    def _stack_frames(
        self, rows: npt.NDArray[Any], env_indices: npt.NDArray[Any], n_ahead: int
    ) -> npt.NDArray[np.uint8]:
        """
        The observations that timesteps begin (``n_ahead`` 0) or end with (1).

        :returns: (batch, n_stack x channels, height, width).
        """
        timesteps = rows
        if self.full:
            oldest = self.n_added - self.buffer_size
            timesteps = oldest + (rows - self.pos) % self.buffer_size
        offsets = np.arange(n_ahead + 1 - self.n_stack, n_ahead + 1)
        places = (timesteps[:, np.newaxis] + offsets) % len(self._frames)
        stacks: npt.NDArray[np.uint8] = self._frames[places, env_indices[:, np.newaxis]]
        n_missing = self.n_stack - 1 - n_ahead - self.ages[rows, env_indices].astype(int)
        for index in np.flatnonzero(n_missing > 0):
            stacks[index, : n_missing[index]] = 0
        if n_ahead:
            for stack, place in zip(stacks, zip(rows, env_indices, strict=True), strict=True):
                if place in self._last_frames:
                    stack[-1] = self._last_frames[place]
        return stacks.reshape(len(rows), -1, *self._frame_shape[1:])


class _Stacks:
    """What SB3 takes for the array of observations: it makes them when asked for."""

    def __init__(self, buffer: FrameReplayBuffer, n_ahead: int) -> None:
        self._buffer = buffer
        self._n_ahead = n_ahead
        # Made once: minibatches ask for their places again and again.
        self._rows = np.arange(buffer.buffer_size)[:, np.newaxis]
        self._env_indices = np.arange(buffer.n_envs)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of SB3's array: (n_rows, n_envs, n_stack x channels, height, width)."""
        return (self._buffer.buffer_size, self._buffer.n_envs, *self._buffer.obs_shape)

    def __getitem__(self, index: Any) -> Any:
        index = index if isinstance(index, tuple) else (index,)
        if any(part is Ellipsis for part in index[:-1]):
            return np.asarray(self)[index]
        rows = np.broadcast_to(self._rows, self.shape[:2])[index[:2]]
        env_indices = np.broadcast_to(self._env_indices, self.shape[:2])[index[:2]]
        stacks = self._buffer._stack_frames(rows.ravel(), env_indices.ravel(), self._n_ahead)
        found = stacks.reshape(*rows.shape, *stacks.shape[1:])
        return found[(*(slice(None),) * rows.ndim, *index[2:])]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[:], dtype)
