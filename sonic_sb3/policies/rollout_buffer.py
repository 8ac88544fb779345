"""SB3's rollout buffer, which stores each frame once although stacks overlap."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.type_aliases import RolloutBufferSamples

from sonic_sb3.errors import SettingsError


class FrameRolloutBuffer(RolloutBuffer):
    """
    A rollout buffer for stacked frames in a fraction (1 / n_stack) of the memory.

    Of each observation the newest frame is stored, (n_steps, n_envs, n_channels, height, width)
    uint8; stacks are put together again when a minibatch is drawn, on the policy's device, to which
    the frames of a rollout travel once. The frames before the first observation of a rollout are
    kept beside it. What it gives is what ``RolloutBuffer`` gives, to the bit.

    :param buffer_size: Steps per env.
    :param observation_space: (n_stack x n_channels, height, width) uint8; each stack follows from
        the last by dropping the oldest frame and adding one, and an episode begins with zeros
        before its first frame.
    :param action_space: As the policy has it.
    :param n_channels: Of one frame: 1 for grey, 3 for colour.
    :param kwargs: As ``RolloutBuffer`` takes them.
    :raises SettingsError: Observations are no bytes, as those that ``VecNormalize`` gives; also of
        ``add``, where they are no such stacks.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        *,
        n_channels: int = 1,
        **kwargs: Any,
    ) -> None:
        if not isinstance(observation_space, spaces.Box) or observation_space.dtype != np.uint8:
            raise SettingsError(f"expected pictures of uint8 in 0..255, got {observation_space}")
        self.n_channels = n_channels
        self.n_stack = observation_space.shape[0] // n_channels
        super().__init__(buffer_size, observation_space, action_space, **kwargs)

    def reset(self) -> None:
        super().reset()
        picture = (self.n_channels, *self.observation_space.shape[1:])  # type: ignore[index]
        n_rows = self.n_stack - 1 + self.buffer_size
        # One more than there are, which stays black: what a stack has before its episode.
        self._frames = np.zeros((n_rows * self.n_envs + 1, *picture), dtype=np.uint8)
        self._rows = self._frames[:-1].reshape(n_rows, self.n_envs, *picture)
        self.observations = self._rows[self.n_stack - 1 :]
        self._frames_on_device = torch.empty(
            0, device=self.device
        )  # those of this rollout go there

    def add(
        self,
        obs: npt.NDArray[Any],
        action: npt.NDArray[Any],
        reward: npt.NDArray[Any],
        episode_start: npt.NDArray[Any],
        value: torch.Tensor,
        log_prob: torch.Tensor,
    ) -> None:
        """As SB3's; ``obs`` is (n_envs, n_stack x n_channels, height, width)."""
        older = obs[:, : -self.n_channels]
        if self.pos > 0:
            self._check_follows(older, episode_start)
        else:
            stacks = older.reshape(self.n_envs, -1, self.n_channels, *obs.shape[2:])
            self._rows[: self.n_stack - 1] = np.moveaxis(stacks, 0, 1)
        self._newer = obs[:, self.n_channels :].copy()
        super().add(obs[:, -self.n_channels :], action, reward, episode_start, value, log_prob)

    def _check_follows(self, older: npt.NDArray[Any], episode_start: npt.NDArray[Any]) -> None:
        """Other stacks would be put together wrongly, and nobody would see it."""
        goes_on = np.asarray(episode_start) == 0
        if not np.array_equal(older[goes_on], self._newer[goes_on]) or older[~goes_on].any():
            raise SettingsError(
                f"expected stacks of {self.n_stack} frames of {self.n_channels} channels, each the "
                "last one without its oldest frame and with a new one, and zeros before an "
                "episode's first frame, as VecFrameStack makes them; got others, which SB3's own "
                "RolloutBuffer takes"
            )

    def get(self, batch_size: int | None = None) -> Generator[RolloutBufferSamples, None, None]:
        """Minibatches in a random order, as SB3's."""
        if not self.generator_ready:
            self._n_missing = self._count_missing_frames()
            # On the processor these are the frames themselves, no copy.
            self._frames_on_device = torch.as_tensor(self._frames, device=self.device)
            # SB3 would flatten the observations with the rest; here minibatches come from the
            # frames.
            self.observations = np.empty((self.buffer_size, self.n_envs, 1), dtype=np.uint8)
        yield from super().get(batch_size)

    def _get_samples(self, batch_inds: npt.NDArray[Any], env: Any = None) -> RolloutBufferSamples:
        data = (
            self.actions[batch_inds].astype(np.float32, copy=False),
            self.values[batch_inds].flatten(),
            self.log_probs[batch_inds].flatten(),
            self.advantages[batch_inds].flatten(),
            self.returns[batch_inds].flatten(),
        )
        return RolloutBufferSamples(self._stack_frames(batch_inds), *map(self.to_torch, data))

    def _count_missing_frames(self) -> npt.NDArray[np.int64]:
        """How many of a stack's oldest frames lie before its episode, (n_steps, n_envs)."""
        steps = np.arange(self.buffer_size)[:, np.newaxis]
        starts = np.where(self.episode_starts > 0, steps, -self.n_stack)
        age = steps - np.maximum.accumulate(starts, axis=0)
        return np.maximum(0, self.n_stack - 1 - age)

    def _stack_frames(self, batch_inds: npt.NDArray[Any]) -> torch.Tensor:
        """
        (batch, n_stack x n_channels, height, width) uint8 on the policy's device, for indices into
        the flattened (n_envs x n_steps).
        """
        envs, steps = np.divmod(batch_inds, self.buffer_size)
        offsets = np.arange(self.n_stack)
        indices = (steps[:, np.newaxis] + offsets) * self.n_envs + envs[:, np.newaxis]
        is_missing = offsets < self._n_missing[steps, envs][:, np.newaxis]
        indices[is_missing] = len(self._frames) - 1
        chosen = torch.as_tensor(indices.reshape(-1), device=self.device)
        frames = self._frames_on_device.index_select(0, chosen)
        return frames.view(len(batch_inds), -1, *frames.shape[2:])
