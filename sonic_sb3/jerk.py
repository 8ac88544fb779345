"""JERK, the scripted baseline of the Retro Contest ("Just Enough Retained Knowledge")."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sonic_sb3.scripts import Actions, Script


@dataclass
class Solution:
    """
    The way to the highest return of an episode, and what it was worth.

    :param actions: What was done from the episode's start up to there.
    :param returns: What it brought when it was found and each time it was replayed.
    """

    actions: list[int]
    returns: list[float]


@dataclass
class _Episode:
    """
    An episode under way.

    :param solution: Index of the solution it replays; -1 while it explores.
    :param actions: What was done.
    :param total: Rewards up to now.
    :param best: The highest that ``total`` ever was.
    :param n_best: After how many actions it was.
    :param goes_left: The segment goes to the left.
    :param n_segment: Timesteps of the segment.
    :param segment_total: Rewards of the segment.
    :param n_jumping: For how many more timesteps the jump button is held.
    """

    solution: int = -1
    actions: list[int] = field(default_factory=list)
    total: float = 0.0
    best: float = -np.inf
    n_best: int = 0
    goes_left: bool = False
    n_segment: int = 0
    segment_total: float = 0.0
    n_jumping: int = 0


class JerkScript(Script):
    """
    Goes right, jumping now and then, and replays what went best more and more often.

    An episode explores in segments: ``right_steps`` to the right; if they brought nothing,
    ``left_steps`` to the left. With ``jump_prob`` a timestep begins a jump that is held for
    ``jump_steps``. At its end the way up to its highest return is kept. An episode replays the
    solution of the highest mean return with probability ``exploit_bias`` + t / T instead, adds what
    that brought to the solution's returns, and lets go of the pad when the solution is over.

    The contest's JERK pressed buttons, so the env's actions must include RIGHT, LEFT, both with B,
    and nothing (``winner10`` does). In an evaluation the best solution is replayed, under the env's
    sticky frame skip as in training; with none yet, it runs right.

    Source: ``jerk_agent`` of OpenAI's retro-baselines. Several envs here share what they find.

    :param args: As :class:`Script` takes them.
    :param jump_prob: Chance of a jump per timestep.
    :param jump_steps: Timesteps of a jump.
    :param right_steps: Timesteps of a segment to the right.
    :param left_steps: Timesteps of a segment to the left.
    :param exploit_bias: Chance of a replay at the start of training.
    :param kwargs: As :class:`Script` takes them.
    :raises SettingsError: An action is missing.
    """

    def __init__(
        self,
        *args: Any,
        jump_prob: float = 0.1,
        jump_steps: int = 4,
        right_steps: int = 100,
        left_steps: int = 70,
        exploit_bias: float = 0.25,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.jump_prob = jump_prob
        self.jump_steps = jump_steps
        self.right_steps = right_steps
        self.left_steps = left_steps
        self.exploit_bias = exploit_bias
        self.solutions: list[Solution] = []
        # By (goes left, jumps).
        self._moves = {
            (False, False): self.find_action("RIGHT"),
            (False, True): self.find_action("RIGHT", "B"),
            (True, False): self.find_action("LEFT"),
            (True, True): self.find_action("LEFT", "B"),
        }
        self._nothing = self.find_action()
        self._evaluated_steps = np.zeros(0, dtype=np.int64)

    @property
    def best_solution(self) -> int | None:
        """Index of the solution with the highest mean return, the newest of equals."""
        if not self.solutions:
            return None
        means = [float(np.mean(solution.returns)) for solution in self.solutions]
        return max(range(len(means)), key=lambda index: (means[index], index))

    # -- training -------------------------------------------------------------------------------

    def begin(self, n_envs: int, seed: int | None) -> None:
        super().begin(n_envs, seed)
        self._episodes: list[_Episode | None] = [None] * n_envs

    def choose(self, share_done: float) -> Actions:
        """The next actions of a training, see :class:`Script`."""
        actions = []
        for index, episode in enumerate(self._episodes):
            if episode is None:
                episode = self._begin_episode(share_done)
                self._episodes[index] = episode
            action = self._replay(episode) if episode.solution >= 0 else self._explore(episode)
            episode.actions.append(action)
            actions.append(action)
        return np.array(actions)

    def observe(self, rewards: npt.NDArray[np.floating[Any]], dones: npt.NDArray[np.bool_]) -> None:
        """Take in what the actions brought, see :class:`Script`."""
        for index, (reward, done) in enumerate(zip(rewards.tolist(), dones.tolist(), strict=True)):
            episode = self._episodes[index]
            assert episode is not None
            episode.total += reward
            episode.segment_total += reward
            episode.n_segment += 1
            if episode.total > episode.best:
                episode.best = episode.total
                episode.n_best = len(episode.actions)
            if done:
                self._remember(episode)
                self._episodes[index] = None
            elif episode.n_segment >= (self.left_steps if episode.goes_left else self.right_steps):
                episode.goes_left = not episode.goes_left and episode.segment_total <= 0
                episode.n_segment = episode.n_jumping = 0
                episode.segment_total = 0.0

    def _begin_episode(self, share_done: float) -> _Episode:
        best = self.best_solution
        if best is not None and self.generator.random() < self.exploit_bias + share_done:
            return _Episode(solution=best)
        return _Episode()

    def _replay(self, episode: _Episode) -> int:
        actions = self.solutions[episode.solution].actions
        n_done = len(episode.actions)
        return actions[n_done] if n_done < len(actions) else self._nothing

    def _explore(self, episode: _Episode) -> int:
        if episode.n_jumping > 0:
            episode.n_jumping -= 1
            return self._moves[episode.goes_left, True]
        if self.generator.random() < self.jump_prob:
            episode.n_jumping = self.jump_steps - 1
            return self._moves[episode.goes_left, True]
        return self._moves[episode.goes_left, False]

    def _remember(self, episode: _Episode) -> None:
        if episode.solution >= 0:
            self.solutions[episode.solution].returns.append(episode.total)
        else:
            best = Solution(episode.actions[: episode.n_best], [episode.best])
            self.solutions.append(best)

    # -- evaluation -----------------------------------------------------------------------------

    def action_probabilities(
        self, observations: npt.NDArray[np.uint8], episode_starts: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.floating[Any]]:
        """1 for the next action of the best solution."""
        if len(self._evaluated_steps) != len(observations):
            self._evaluated_steps = np.zeros(len(observations), dtype=np.int64)
        self._evaluated_steps[episode_starts] = 0
        best = self.best_solution
        if best is None:
            actions = np.full(len(observations), self._moves[False, False])
        else:
            sequence = np.array([*self.solutions[best].actions, self._nothing])
            actions = sequence[np.minimum(self._evaluated_steps, len(sequence) - 1)]
        self._evaluated_steps += 1
        probabilities: npt.NDArray[np.floating[Any]] = np.eye(len(self.actions))[actions]
        return probabilities

    # -- on disk --------------------------------------------------------------------------------

    def get_extra_state(self) -> dict[str, torch.Tensor]:
        """The solutions, as tensors: they are the model that is saved."""
        returns = [value for solution in self.solutions for value in solution.returns]
        actions = [action for solution in self.solutions for action in solution.actions]
        return {
            "actions": torch.tensor(actions, dtype=torch.int16),
            "n_actions": torch.tensor([len(s.actions) for s in self.solutions], dtype=torch.int64),
            "returns": torch.tensor(returns, dtype=torch.float64),
            "n_returns": torch.tensor([len(s.returns) for s in self.solutions], dtype=torch.int64),
        }

    def set_extra_state(self, state: dict[str, torch.Tensor]) -> None:
        """
        Put them back.

        :raises ValueError: They are not what :meth:`get_extra_state` gave.
        """
        now = self.get_extra_state()
        if any((one.dtype, one.ndim) != (now[k].dtype, 1) for k, one in state.items()):
            raise ValueError("expected rows of the types that a script saves")
        n_actions, n_returns = state["n_actions"].tolist(), state["n_returns"].tolist()
        all_actions, all_returns = state["actions"].tolist(), state["returns"].tolist()
        if (
            len(n_actions) != len(n_returns)
            or (sum(n_actions), sum(n_returns)) != (len(all_actions), len(all_returns))
            or min([*n_actions, *all_actions, 0]) < 0
            or min([*n_returns, 1]) < 1
            or max([*all_actions, 0]) >= len(self.actions)
        ):
            raise ValueError("expected sequences of this env's actions with at least one return")
        actions, returns = iter(all_actions), iter(all_returns)
        self.solutions = [
            Solution([next(actions) for _ in range(n)], [next(returns) for _ in range(m)])
            for n, m in zip(n_actions, n_returns, strict=True)
        ]

    def get_snapshot(self) -> dict[str, Any]:
        episodes = [None if e is None else asdict(e) for e in self._episodes]
        return {**super().get_snapshot(), "episodes": episodes}

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        super().set_snapshot(snapshot)
        self._episodes = [None if e is None else _Episode(**e) for e in snapshot["episodes"]]
