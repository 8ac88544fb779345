"""
The two ways to measure an agent on levels it has not trained on, as the Retro Contest and "Gotta
Learn Fast" (arXiv 1804.03720, section 4) do: learning on each of them, or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sonic_sb3.actors import make_actor
from sonic_sb3.algorithm_settings import EnvKwargs, Hyperparameters, LearningHyperparameters
from sonic_sb3.atomic_files import write_json
from sonic_sb3.callbacks import StopAtBudget
from sonic_sb3.errors import RunFolderError, SettingsError
from sonic_sb3.evaluation import evaluate, summarise
from sonic_sb3.fine_tuning import hash_weights
from sonic_sb3.games import find_game
from sonic_sb3.hyperparams import load_hyperparameters, override_hyperparameters
from sonic_sb3.plots import read_monitor
from sonic_sb3.run_folder import RunFolder
from sonic_sb3.runs import Run, load_run
from sonic_sb3.settings import TrainSettings, default_n_workers
from sonic_sb3.training import resume, train
from sonic_sb3.training_job import Output

CONTEST_TIMESTEPS = 1_000_000
# What the contest prescribes about the env; everything else is the agent's own affair.
_CONTEST_ENV = ("frame_skip", "sticky_prob", "noop_max", "max_episode_steps")


@dataclass(frozen=True)
class ContestPlan:
    """
    The contest's protocol for one agent.

    :param run: Whose weights learning begins with, on each level anew.
    :param hyperparameters: To learn with; ``n_timesteps`` is the budget of each level.
    :param levels: The levels.
    :param seed: Of each level's training.
    :param num_threads: Of torch.
    :param checkpoint: Of ``run``: ``None`` for the last, ``best``, or a number of timesteps.
    """

    run: Run
    hyperparameters: Hyperparameters
    levels: Sequence[str]
    seed: int
    num_threads: int
    checkpoint: str | None = None

    @property
    def folder(self) -> Path:
        """Where its run folders lie; another budget, seed or start has another one."""
        start = f"_{self.checkpoint}" if self.checkpoint else ""
        name = f"contest_{self.hyperparameters.n_timesteps}_seed{self.seed}{start}"
        return self.run.folder.path / name


def plan_contest(
    run: Run,
    levels: Sequence[str],
    budget: int,
    *,
    conf_file: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    seed: int = 0,
    checkpoint: str | None = None,
    num_threads: int | None = None,
) -> ContestPlan:
    """
    Settle what the agent learns with on each level.

    :param run: The agent.
    :param levels: The levels.
    :param budget: Timesteps of learning on each of them.
    :param conf_file: Hyperparameters to learn with; ``None`` for those of ``run``.
    :param overrides: Single ones to replace.
    :param seed: Of each level's training.
    :param checkpoint: As for :class:`ContestPlan`.
    :param num_threads: Of torch; ``None`` for as many as ``run`` had.
    :raises SonicError: A hyperparameter is wrong.
    """
    settings = run.settings
    changes = {**(overrides or {}), "n_timesteps": budget}
    if conf_file is not None:
        hyperparameters = load_hyperparameters(settings.algo, settings.env, conf_file, changes)
    else:
        entry = run.hyperparameters.written()
        entry.pop("stages", None)  # a curriculum is for other levels
        hyperparameters = override_hyperparameters(settings.algo, entry, changes, "options")
    if hyperparameters.env_kwargs.retry_prob is not None:  # the contest allows no saved states
        env_kwargs = hyperparameters.env_kwargs.model_copy(update={"retry_prob": None})
        hyperparameters = hyperparameters.model_copy(update={"env_kwargs": env_kwargs})
    if isinstance(hyperparameters, LearningHyperparameters) and hyperparameters.callback:
        # The whole budget is played, whatever the agent can do before.
        callback = {
            name: kwargs.model_copy(update={"success_rate": None})
            for name, kwargs in hyperparameters.callback.items()
        }
        hyperparameters = hyperparameters.model_copy(update={"callback": callback})
    if hyperparameters.stages:
        raise SettingsError("stages: expected none, an agent learns on each level by itself")
    if budget < hyperparameters.n_envs:
        raise SettingsError(
            f"--budget: expected at least a timestep for each of {hyperparameters.n_envs} envs, "
            f"got {budget}"
        )
    num_threads = num_threads or settings.num_threads
    return ContestPlan(run, hyperparameters, levels, seed, num_threads, checkpoint)


def check_has_scores(env_id: str) -> None:
    """
    Accept games that the contest's points are defined for.

    :raises SettingsError: The game knows no progress.
    """
    if not find_game(env_id).has_progress:
        raise SettingsError(f"--protocol: expected a game with contest scores, {env_id} has none")


def run_contest(plan: ContestPlan, report: Callable[[str], None]) -> dict[str, Any]:
    """
    Let the agent learn on each level, and average over all episodes of that learning.

    No early reset, no save states, nothing beyond the budget. A level that is finished is not
    trained again, one that was interrupted goes on.

    :param plan: What to do.
    :param report: Is told, in a line, what is being done.
    :returns: What ``result.json`` holds.
    :raises SonicError: As training.
    """
    check_has_scores(plan.run.settings.env)
    rows = {}
    for level in plan.levels:
        folder = _train_on(plan, level, report)
        rows[level] = _read_scores(folder, plan)
        report(f"{level}: {rows[level]['mean_score']:,.0f} points on average")
    budget = plan.hyperparameters.n_timesteps
    result = {
        "protocol": "contest",
        "env": plan.run.settings.env,
        "algo": plan.run.settings.algo,
        "start": {"run": str(plan.run.folder.path), "checkpoint": plan.checkpoint},
        "seed": plan.seed,
        "n_timesteps_per_level": budget,
        "share_of_contest_budget": budget / CONTEST_TIMESTEPS,
        "n_envs": plan.hyperparameters.n_envs,
        "env_deviations": find_deviations(plan.hyperparameters),
        "hyperparameters": plan.hyperparameters.written(),
        "levels": rows,
        "mean_score": float(np.mean([row["mean_score"] for row in rows.values()])),
    }
    write_json(plan.folder / "result.json", result)
    return result


def run_zero_shot(
    run: Run, levels: Sequence[str], n_episodes: int, seed: int, checkpoint: str | None = None
) -> dict[str, Any]:
    """
    Play each level with the weights as they are.

    :param run: The agent.
    :param levels: The levels.
    :param n_episodes: On each of them.
    :param seed: Episode k of a level gets seed + k.
    :param checkpoint: As for :class:`ContestPlan`.
    :returns: What ``zero_shot.json`` holds.
    """
    check_has_scores(run.settings.env)
    policy = run.load_policy(checkpoint)
    rows = {}
    for level in levels:
        episodes = evaluate(
            make_actor(policy),
            run.settings.env,
            [level],
            run.hyperparameters,
            n_episodes=n_episodes,
            seed=seed,
        ).episodes
        summary = summarise(episodes)
        rows[level] = {
            "mean_score": summary.means["contest_score"],
            "n_episodes": n_episodes,
            "completion_rate": summary.completion_rate,
            "scores": [episode.contest_score for episode in episodes],
        }
    result = {
        "protocol": "zero-shot",
        "env": run.settings.env,
        "algo": run.settings.algo,
        "start": {"run": str(run.folder.path), "checkpoint": checkpoint},
        "seed": seed,
        "env_deviations": find_deviations(run.hyperparameters),
        "levels": rows,
        "mean_score": float(np.mean([row["mean_score"] for row in rows.values()])),
    }
    write_json(run.folder.path / "zero_shot.json", result)
    return result


def find_deviations(hyperparameters: Hyperparameters) -> dict[str, Any]:
    """Env settings other than the contest's, which make scores incomparable."""
    contest, ours = EnvKwargs(), hyperparameters.env_kwargs
    return {
        name: getattr(ours, name)
        for name in _CONTEST_ENV
        if getattr(ours, name) != getattr(contest, name)
    }


def format_result(result: dict[str, Any]) -> str:
    """A protocol's result as a table for people."""
    if result["protocol"] == "contest":
        share = result["share_of_contest_budget"]
        of_contest = (
            "the contest's budget" if share == 1 else f"{share:.2%} of the contest's budget"
        )
        how = f"{result['n_timesteps_per_level']:,} timesteps of learning per level, {of_contest}"
    else:
        how = "without learning on the levels"
    width = max(len(level) for level in [*result["levels"], "mean over levels"])
    lines = [f"{result['protocol']} protocol, {result['algo']} on {result['env']}: {how}"]
    for level, row in result["levels"].items():
        lines.append(
            f"  {level:<{width}}  {row['mean_score']:>7,.0f} points  {row['n_episodes']:>5,} "
            f"episodes  {row['completion_rate']:>6.1%} completed"
        )
    lines.append(f"  {'mean over levels':<{width}}  {result['mean_score']:>7,.0f} points")
    deviations = result["env_deviations"]
    if deviations:
        listed = ", ".join(f"{name} {value}" for name, value in deviations.items())
        lines.append(f"  not comparable with the contest's scores, the env differs: {listed}")
    return "\n".join(lines)


def _train_on(plan: ContestPlan, level: str, report: Callable[[str], None]) -> RunFolder:
    settings = _level_settings(plan, level)
    logs = plan.folder / level
    output = Output(log_folder=logs)
    callbacks = [StopAtBudget(settings.n_timesteps)]
    existing = sorted((logs / settings.algo).glob(f"{settings.env}_*/manifest.json"))
    if not existing:
        report(f"{level}: {settings.n_timesteps:,} timesteps")
        return train(settings, plan.hyperparameters, output, callbacks)[0]
    run = load_run(existing[-1].parent)
    if run.hyperparameters != plan.hyperparameters or not _begins_alike(plan, run):
        raise RunFolderError(
            f"{run.folder.path} was begun with other settings: expected the same ones to go on "
            f"with the protocol; move or delete {plan.folder} to begin anew"
        )
    if "finished_at" not in run.folder.read_manifest():
        report(f"{level}: goes on")
        resume(run.folder, output, callbacks)
    return run.folder


def _begins_alike(plan: ContestPlan, run: Run) -> bool:
    """Whether a level was begun with the very weights that the plan begins with."""
    known = run.folder.read_manifest().get("init_model_sha256")
    return known is None or known == hash_weights(plan.run, plan.checkpoint)


def _level_settings(plan: ContestPlan, level: str) -> TrainSettings:
    source = plan.run.settings
    learns = isinstance(plan.hyperparameters, LearningHyperparameters)
    return TrainSettings(
        algo=source.algo,
        env=source.env,
        levels=(level,),
        n_timesteps=plan.hyperparameters.n_timesteps,
        seed=plan.seed,
        num_threads=plan.num_threads,
        n_workers=default_n_workers(plan.hyperparameters.n_envs),
        device=source.device,
        eval_freq=-1,
        eval_episodes=0,
        init_run=str(plan.run.folder.path) if learns else None,
        init_checkpoint=plan.checkpoint if learns else None,
    )


def _read_scores(folder: RunFolder, plan: ContestPlan) -> dict[str, Any]:
    budget = plan.hyperparameters.n_timesteps
    n_timesteps = folder.read_manifest()["n_timesteps_trained"]
    if n_timesteps > budget:
        raise RunFolderError(
            f"{folder.path} counts {n_timesteps:,} timesteps, expected at most {budget:,}: an "
            "earlier version made it; move or delete it to begin anew"
        )
    columns = read_monitor(folder.monitor)
    scores = [float(score) for score in columns["contest_score"]]
    if not scores:
        raise RunFolderError(
            f"{folder.path}: no episode ended within {budget:,} timesteps; expected a larger "
            "--budget, or fewer envs"
        )
    successes = [value == "True" for value in columns["is_success"]]
    return {
        "mean_score": float(np.mean(scores)),
        "n_episodes": len(scores),
        "completion_rate": float(np.mean(successes)),
        "n_timesteps": n_timesteps,
        "run": str(folder.path.relative_to(plan.run.folder.path)),
    }
