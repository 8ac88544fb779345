"""
What happens during training beside learning: game statistics, evaluations, checkpoints, progress.
"""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv
from tqdm import tqdm

from sonic_sb3.actors import make_actor
from sonic_sb3.algorithm_settings import Hyperparameters
from sonic_sb3.annealing import AnnealWhenReady
from sonic_sb3.atomic_files import write_bytes
from sonic_sb3.evaluation import Episode, evaluate
from sonic_sb3.models import save_model
from sonic_sb3.run_folder import RunFolder
from sonic_sb3.scripts import ScriptedAlgorithm
from sonic_sb3.settings import TrainSettings

# Columns of the episode monitor -> TensorBoard tags.
_GAME_TAGS = {
    "progress": "game/progress",
    "is_success": "game/success_rate",
    "contest_score": "game/contest_score",
    "game_time_s": "game/time_s",
}
EVALUATION_SEED_OFFSET = 1_000_000  # evaluations never replay the seeds of training


class GameStatistics(BaseCallback):
    """
    Logs the means of the last episodes' game facts and reward terms, and which actions were taken.

    :param actions: What the actions are called.
    """

    def __init__(self, actions: Sequence[str]) -> None:
        super().__init__()
        # Numbered: names that differ in their first forty letters or in signs alone stay apart.
        names = [re.sub(r"[^\w.-]", "_", name) for name in actions]
        self._tags = [f"actions/{number}_{name}" for number, name in enumerate(names)]

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        episodes = list(self.model.ep_info_buffer or [])
        if not episodes:
            return
        for column, tag in _GAME_TAGS.items():
            if column in episodes[0]:
                self.logger.record(tag, float(np.mean([e[column] for e in episodes])))
        # Not all of them need have the same: a curriculum may change rewards on the way.
        terms = {c for episode in episodes for c in episode if c.startswith("reward/")}
        for column in sorted(terms):
            values = [e[column] for e in episodes if column in e]
            self.logger.record(column, float(np.mean(values)))
        counts = np.sum([e["action_counts"] for e in episodes], axis=0)
        for tag, share in zip(self._tags, counts / counts.sum(), strict=True):
            self.logger.record(tag, float(share))
        self.logger.record("env/restarts", getattr(self.training_env.unwrapped, "n_restarts", 0))


class DivideCores(BaseCallback):
    """
    One torch thread while the envs play, all of the run's for gradient steps.

    Forward passes of a rollout are too small for a second thread, which would wait for the next one
    in a loop on a core that the envs want (`experiments/speed/learner.md` has what that costs).

    :param num_threads: Of the run.
    """

    def __init__(self, num_threads: int) -> None:
        super().__init__()
        self._num_threads = num_threads

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        torch.set_num_threads(1)

    def _on_rollout_end(self) -> None:
        torch.set_num_threads(self._num_threads)

    def _on_training_end(self) -> None:
        torch.set_num_threads(self._num_threads)


class TellEnvs(BaseCallback):
    """
    Tells the envs what only training knows: how far the run is, and where rollouts begin.

    Reward terms that decay need the first, shifted greys the second; envs that have neither are
    told nothing. Must come after ``KeepSnapshots`` (what is drawn at a rollout's start is drawn
    again after a resume) and after whatever gives the model other envs.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: VecEnv | None = None
        self._has_greys = False

    def _on_rollout_start(self) -> None:
        envs = self.training_env
        if envs is not self._told:
            self._told = envs
            self._has_greys = envs.has_attr("begin_rollout")
            if envs.has_attr("begin_training"):
                envs.env_method("begin_training", envs.num_envs, self.num_timesteps)
        if self._has_greys:
            envs.env_method("begin_rollout")

    def _on_step(self) -> bool:
        return True


class LogRollouts(BaseCallback):
    """
    Writes what was recorded, every so many rollouts; SB3's own counter begins anew after a resume.

    :param every_rollouts: How often.
    """

    name = "log_rollouts"

    def __init__(self, every_rollouts: int) -> None:
        super().__init__()
        self._every_rollouts = every_rollouts
        self._n_rollouts = 0

    def get_snapshot(self) -> dict[str, Any]:
        """The counter."""
        return {"n_rollouts": self._n_rollouts}

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Put it back."""
        self._n_rollouts = snapshot["n_rollouts"]

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self._n_rollouts += 1
        if self._n_rollouts % self._every_rollouts == 0:
            if isinstance(self.model, OnPolicyAlgorithm):
                self.model.dump_logs(self._n_rollouts)
            elif isinstance(self.model, OffPolicyAlgorithm | ScriptedAlgorithm):
                self.model.dump_logs()


class Checkpoints(BaseCallback):
    """
    Saves ``rl_model_N_steps.zip`` every so many timesteps.

    :param folder: Where to.
    :param every_timesteps: How often.
    """

    name = "checkpoints"

    def __init__(self, folder: RunFolder, every_timesteps: int) -> None:
        super().__init__()
        self._folder = folder
        self._every_timesteps = every_timesteps
        self._next_timesteps = every_timesteps

    def _on_step(self) -> bool:
        if self.num_timesteps >= self._next_timesteps:
            save_model(self.model, self._folder.checkpoint(self.num_timesteps))
            self._next_timesteps += self._every_timesteps
        return True

    def get_snapshot(self) -> dict[str, Any]:
        """When the next one is due."""
        return {"next_timesteps": self._next_timesteps}

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Put it back."""
        self._next_timesteps = snapshot["next_timesteps"]


class Evaluations(BaseCallback):
    """
    Evaluates the agent every so many timesteps and keeps the best one.

    Writes ``evaluations.npz`` with the keys of SB3's EvalCallback, and ``best_model.zip``: the
    highest mean contest score, or mean return where the game has none. An evaluation draws from
    generators of its own, so that training goes on as if there had been none.

    :param folder: Where to.
    :param settings: Of the run.
    :param hyperparameters: Of the run.
    """

    name = "evaluations"

    def __init__(
        self, folder: RunFolder, settings: TrainSettings, hyperparameters: Hyperparameters
    ) -> None:
        super().__init__()
        self._folder = folder
        self._settings = settings
        self._hyperparameters = hyperparameters
        self._next_timesteps = settings.eval_freq
        self.best_value = -np.inf
        self.history: list[tuple[int, list[Episode]]] = []

    def _on_step(self) -> bool:
        if self.num_timesteps >= self._next_timesteps:
            self._next_timesteps += self._settings.eval_freq
            self._evaluate()
        return True

    def get_snapshot(self) -> dict[str, Any]:
        """History, best value, and when the next one is due."""
        return {
            "next_timesteps": self._next_timesteps,
            "best_value": float(self.best_value),
            "history": [
                [n_timesteps, [asdict(episode) for episode in episodes]]
                for n_timesteps, episodes in self.history
            ],
        }

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Put them back."""
        self._next_timesteps = snapshot["next_timesteps"]
        self.best_value = snapshot["best_value"]
        self.history = [
            (n_timesteps, [Episode(**facts) for facts in episodes])
            for n_timesteps, episodes in snapshot["history"]
        ]

    def _evaluate(self) -> None:
        episodes = evaluate(
            make_actor(self.model.policy),
            self._settings.env,
            self._settings.levels,
            self._hyperparameters,
            n_episodes=self._settings.eval_episodes,
            seed=self._settings.seed + EVALUATION_SEED_OFFSET,
        ).episodes
        self.history.append((self.num_timesteps, episodes))
        self._log(episodes)
        self._write_history()
        value = float(np.mean([episode.points for episode in episodes]))
        if value > self.best_value:
            self.best_value = value
            save_model(self.model, self._folder.best_model)

    def _log(self, episodes: list[Episode]) -> None:
        facts: dict[str, list[Any]] = {
            "eval/mean_reward": [e.episode_return for e in episodes],
            "eval/mean_ep_length": [e.n_timesteps for e in episodes],
            "eval/success_rate": [e.is_success for e in episodes],
            "eval/progress": [e.progress for e in episodes],
            "eval/contest_score": [e.contest_score for e in episodes],
        }
        for tag, values in facts.items():
            if None not in values:
                self.logger.record(tag, float(np.mean(values)))
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        self.logger.dump(self.num_timesteps)

    def _write_history(self) -> None:
        arrays: dict[str, npt.ArrayLike] = {
            "timesteps": [n_timesteps for n_timesteps, _ in self.history],
            "results": [[e.episode_return for e in episodes] for _, episodes in self.history],
            "ep_lengths": [[e.n_timesteps for e in episodes] for _, episodes in self.history],
        }
        for key, name in (("successes", "is_success"), ("contest_scores", "contest_score")):
            values = [[getattr(e, name) for e in episodes] for _, episodes in self.history]
            if values[0][0] is not None:
                arrays[key] = values
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        write_bytes(self._folder.evaluations, buffer.getbuffer())


class Progress(BaseCallback):
    """
    A bar with ETA, speed, success rate and best progress so far.

    :param annealing: What may end the training before its last timestep.
    """

    def __init__(self, annealing: AnnealWhenReady | None = None) -> None:
        super().__init__()
        self._annealing = annealing
        self._bar: tqdm[Any] | None = None
        self._total_timesteps = 0
        self._best_progress: float | None = None
        self._shown_at_s = 0.0

    def _on_training_start(self) -> None:
        self._total_timesteps = self.locals["total_timesteps"]
        self._bar = tqdm(
            total=self._total_timesteps,
            initial=self.num_timesteps,
            unit="step",
            unit_scale=True,
            dynamic_ncols=True,
            file=sys.stderr,
        )

    def _on_step(self) -> bool:
        assert self._bar is not None
        for info in self.locals.get("infos", []):
            if "progress" in info:
                self._best_progress = max(self._best_progress or 0.0, info["progress"])
        if self._annealing is not None and self._annealing.end is not None:
            self._bar.total = self._total_timesteps = self._annealing.end
        # The last rollout may go beyond what was asked for; the bar ends at 100 %.
        self._bar.n = min(self.num_timesteps, self._total_timesteps)
        self._bar.update(0)
        if time.monotonic() - self._shown_at_s > 1.0:
            self._shown_at_s = time.monotonic()
            self._bar.set_postfix_str(self._describe(), refresh=False)
        return True

    def _on_training_end(self) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(self._describe())
            self._bar.close()

    def _describe(self) -> str:
        episodes = list(self.model.ep_info_buffer or [])
        parts = []
        if episodes and "is_success" in episodes[0]:
            rate = np.mean([e["is_success"] for e in episodes])
            parts.append(f"completed {rate:.0%} of last {len(episodes)}")
        elif episodes:
            parts.append(f"return {np.mean([e['r'] for e in episodes]):.2f}")
        if self._best_progress is not None:
            parts.append(f"best progress {self._best_progress:.0%}")
        return ", ".join(parts)


class StopAtBudget(BaseCallback):
    """
    Ends training in the middle of a rollout: what is played beyond the budget must not count.

    :param n_timesteps: The budget; with several envs the last timesteps that one step of all of
        them would exceed are not played.
    """

    name = "stop_at_budget"

    def __init__(self, n_timesteps: int) -> None:
        super().__init__()
        self._n_timesteps = n_timesteps

    def _on_step(self) -> bool:
        return self.num_timesteps + self.training_env.num_envs <= self._n_timesteps

    def get_snapshot(self) -> dict[str, Any]:
        """It remembers nothing."""
        return {}

    def set_snapshot(self, snapshot: dict[str, Any]) -> None:
        """It remembers nothing."""
