"""The frame-once replay buffer gives what SB3's give, bit for bit, before and after a save."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import NStepReplayBuffer, ReplayBuffer

from sonic_sb3 import replay_files
from sonic_sb3.errors import RunFolderError
from sonic_sb3.policies.replay_buffer import FrameReplayBuffer
from sonic_sb3.replay_files import ReplayFiles

N_ENVS = 3
SIZE = 5
ACTIONS = spaces.Discrete(7)


class Play:
    """Stacked random frames with episodes that end, in all the ways they can."""

    def __init__(self, n_stack: int, n_channels: int, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.n_channels = n_channels
        shape = (n_stack * n_channels, SIZE, SIZE)
        self.space = spaces.Box(0, 255, shape, np.uint8)
        self.obs = np.zeros((N_ENVS, *shape), np.uint8)
        for env_index in range(N_ENVS):
            self._begin(env_index)

    def _begin(self, env_index: int) -> None:
        self.obs[env_index] = 0
        self.obs[env_index, -self.n_channels :] = self._frame()

    def _frame(self) -> Any:
        return self.rng.integers(1, 256, (self.n_channels, SIZE, SIZE), np.uint8)

    def step(self) -> tuple[Any, ...]:
        """Arguments of ``add``."""
        obs = self.obs.copy()
        next_obs = np.roll(obs, -self.n_channels, axis=1)
        for env_index in range(N_ENVS):
            next_obs[env_index, -self.n_channels :] = self._frame()
        done = self.rng.random(N_ENVS) < 0.15
        infos = [{"TimeLimit.truncated": bool(flag and self.rng.random() < 0.5)} for flag in done]
        action = self.rng.integers(0, 7, N_ENVS)
        reward = self.rng.normal(size=N_ENVS)
        self.obs = next_obs.copy()
        for env_index in np.flatnonzero(done):
            self._begin(env_index)
        return obs, next_obs, action, reward, done, infos


def make(play: Play, n_stack: int, buffer_size: int, n_steps: int = 1) -> FrameReplayBuffer:
    return FrameReplayBuffer(
        buffer_size, play.space, ACTIONS, "cpu", N_ENVS, n_stack=n_stack, n_steps=n_steps
    )


def draw(buffer: ReplayBuffer, seed: int) -> list[Any]:
    np.random.seed(seed)  # noqa: NPY002 - SB3 draws from it
    return [part for part in buffer.sample(64) if part is not None]


def assert_same(one: ReplayBuffer, other: ReplayBuffer) -> None:
    for seed in range(3):
        for mine, theirs in zip(draw(one, seed), draw(other, seed), strict=True):
            assert torch.equal(mine, theirs)


@pytest.mark.parametrize("n_steps", [1, 4])
@pytest.mark.parametrize(("n_stack", "n_channels"), [(4, 1), (1, 1), (3, 3)])
def test_samples_are_sb3s(n_stack: int, n_channels: int, n_steps: int) -> None:
    play = Play(n_stack, n_channels)
    mine = make(play, n_stack, 20 * N_ENVS, n_steps)
    theirs: ReplayBuffer
    if n_steps == 1:
        theirs = ReplayBuffer(20 * N_ENVS, play.space, ACTIONS, "cpu", N_ENVS)
    else:
        theirs = NStepReplayBuffer(
            20 * N_ENVS, play.space, ACTIONS, "cpu", N_ENVS, n_steps=n_steps, gamma=0.99
        )
    for count in range(1, 75):
        transition = play.step()
        mine.add(*transition)
        theirs.add(*transition)
        if count in (1, 3, 19, 20, 21, 23, 40, 57, 74):
            assert_same(mine, theirs)


def make_both(play: Play, **kwargs: Any) -> tuple[FrameReplayBuffer, ReplayBuffer]:
    """Ours and SB3's, of 20 rows."""
    kwargs = {"n_envs": N_ENVS, **kwargs}
    mine = FrameReplayBuffer(20 * N_ENVS, play.space, ACTIONS, "cpu", n_stack=4, **kwargs)
    return mine, ReplayBuffer(20 * N_ENVS, play.space, ACTIONS, "cpu", **kwargs)


def fill(buffers: Sequence[ReplayBuffer], play: Play, n_rows: int) -> None:
    for _ in range(n_rows):
        transition = play.step()
        for buffer in buffers:
            buffer.add(*transition)


def test_envs_that_are_reset_in_the_middle_of_an_episode() -> None:
    """As between two calls of plain SB3's ``learn``: no timestep says that anything ended."""
    play = Play(4, 1)
    both = make_both(play)
    for count in range(70):
        fill(both, play, 1)
        if count % 7 == 3:
            play._begin(count % N_ENVS)
        if count > 3:
            assert_same(*both)


def test_a_buffer_that_is_reset_begins_anew() -> None:
    play = Play(4, 1)
    both = make_both(play)
    fill(both, play, 33)
    for buffer in both:
        buffer.reset()
    fill(both, Play(4, 1, seed=1), 9)
    assert_same(*both)


def test_timeouts_are_ends_where_one_wants_it_so() -> None:
    play = Play(4, 1)
    both = make_both(play, handle_timeout_termination=False)
    fill(both, play, 33)
    assert_same(*both)


ROWS = (np.array([3, 19]), np.array([0, 2]))


@pytest.mark.parametrize(
    "index", [5, -1, slice(2, 5), (3, 1), ROWS, (slice(3), 1, 0), ..., (..., 0, 2)]
)
def test_observations_are_read_like_arrays(index: Any) -> None:
    play = Play(4, 1)
    mine, theirs = make_both(play)
    fill((mine, theirs), play, 33)
    for one, other in [
        (mine.observations, theirs.observations),
        (mine.next_observations, theirs.next_observations),
    ]:
        assert one.shape == other.shape
        np.testing.assert_array_equal(np.asarray(one), other)
        np.testing.assert_array_equal(one[index], other[index])


def test_memory_is_an_eighth() -> None:
    play = Play(4, 1)
    mine = make(play, 4, 1000 * N_ENVS)
    theirs = ReplayBuffer(1000 * N_ENVS, play.space, ACTIONS, "cpu", N_ENVS)
    used = mine._frames.nbytes
    assert used < (theirs.observations.nbytes + theirs.next_observations.nbytes) / 7.9


def test_given_up_episodes_are_truncated() -> None:
    play = Play(4, 1)
    buffer = make(play, 4, 30 * N_ENVS)
    last: tuple[Any, ...] = ()
    for _ in range(7):
        last = play.step()
        buffer.add(*last)
    ends = [bool(flag) for flag in last[4]]
    buffer.cut_episodes()
    for env_index in range(N_ENVS):
        play._begin(env_index)
    first = play.step()
    buffer.add(*first)
    envs = np.arange(N_ENVS)
    np.testing.assert_array_equal(buffer.next_observations[np.full(3, 6), envs], last[1])
    np.testing.assert_array_equal(buffer.observations[np.full(3, 7), envs], first[0])
    assert buffer.dones[6].tolist() == [1.0] * N_ENVS
    for env_index, ended in enumerate(ends):
        assert ended or buffer.timeouts[6, env_index] == 1


@pytest.mark.parametrize("max_rows", [1024, 4])
def test_files_bring_everything_back(
    max_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_files, "_MAX_ROWS", max_rows)
    play = Play(4, 1, seed=5)
    buffer = make(play, 4, 20 * N_ENVS)
    files = ReplayFiles(tmp_path / "replay", buffer)
    pieces: list[list[int]] = []
    for count in range(1, 90):
        buffer.add(*play.step())
        if files.is_due:
            pieces = files.save(buffer.n_added)
            files.remove_others()
        if count in (4, 10, 33, 50, 61, 89):
            pieces = files.save(buffer.n_added)
            files.remove_others()
            other = make(play, 4, 20 * N_ENVS)
            others = ReplayFiles(tmp_path / "replay", other)
            others.load(pieces, buffer.n_added)
            other.set_snapshot(buffer.get_snapshot(), play.obs)
            assert_same(other, buffer)
            assert others.n_saved == files.n_saved == count
    names = sorted(path.name for path in (tmp_path / "replay").iterdir())
    assert names == sorted(f"{first}_{last}.data" for first, last in pieces)
    assert pieces[0][1] > 89 - 20 - 4, "what nobody needs any more is gone"
    (tmp_path / "replay" / names[0]).write_bytes(b"")
    with pytest.raises(RunFolderError, match="expected a file that this version"):
        ReplayFiles(tmp_path / "replay", make(play, 4, 60)).load(pieces, 89)


def test_a_save_of_the_past_is_exact_too(tmp_path: Path) -> None:
    """A signal writes the snapshot of the last rollout border; the buffer is further by then."""
    play = Play(4, 1, seed=6)
    buffer = make(play, 4, 20 * N_ENVS)
    files = ReplayFiles(tmp_path, buffer)
    for _ in range(30):
        buffer.add(*play.step())
        if files.is_due:
            files.save(buffer.n_added)
    expected = [part.clone() for part in draw(buffer, 0)]
    snapshot, obs = buffer.get_snapshot(), play.obs.copy()
    for _ in range(5):
        buffer.add(*play.step())
    other = make(play, 4, 20 * N_ENVS)
    ReplayFiles(tmp_path, other).load(files.save(snapshot["n_added"]), snapshot["n_added"])
    other.set_snapshot(snapshot, obs)
    for mine, theirs in zip(draw(other, 0), expected, strict=True):
        assert torch.equal(mine, theirs)
