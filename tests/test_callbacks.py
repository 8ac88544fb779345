from __future__ import annotations

from collections.abc import Iterator

import gymnasium as gym
import pytest
import torch
from stable_baselines3 import A2C
from stable_baselines3.common.callbacks import BaseCallback

from sonic_sb3.callbacks import DivideCores


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Look(BaseCallback):
    """Keeps the number of threads of each step and of the last rollout's end."""

    def __init__(self) -> None:
        super().__init__()
        self.while_playing: set[int] = set()
        self.while_learning: set[int] = set()

    def _on_step(self) -> bool:
        self.while_playing.add(torch.get_num_threads())
        return True

    def _on_rollout_end(self) -> None:
        self.while_learning.add(torch.get_num_threads())


@pytest.mark.usefixtures("threads")
def test_rollouts_have_one_thread_and_gradient_steps_all() -> None:
    look = Look()
    model = A2C("MlpPolicy", gym.make("CartPole-v1"), seed=0)
    model.learn(20, callback=[DivideCores(2), look])
    assert look.while_playing == {1}
    assert look.while_learning == {2}
    assert torch.get_num_threads() == 2
