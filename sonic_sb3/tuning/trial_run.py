"""
One trial: trainings with each of its seeds, each in a run folder that a successor can go on with.

``FOLDER/trial_0007/ALGO/ENV_2`` is the training of trial 7 with its second seed.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import Trial
from torch.utils.tensorboard.summary import hparams
from torch.utils.tensorboard.writer import SummaryWriter

from sonic_sb3.algorithm_settings import Hyperparameters
from sonic_sb3.atomic_files import write_json
from sonic_sb3.errors import RunFolderError, StudyError
from sonic_sb3.final_evaluation import evaluate_trained
from sonic_sb3.run_folder import RunFolder
from sonic_sb3.runs import load_run
from sonic_sb3.settings import TrainSettings, default_n_workers
from sonic_sb3.training import resume, train
from sonic_sb3.training_job import Output
from sonic_sb3.tuning.figures import level_values
from sonic_sb3.tuning.reports import TrainingReports
from sonic_sb3.tuning.settings import StudySettings
from sonic_sb3.tuning.space import Point

_S_FOR_A_LOCK = 60.0
TRIAL_SEED = "seed_{}"  # user attribute with the result of one seed


def trial_folder(folder: Path, number: int) -> Path:
    """Where a trial's run folders lie. :param folder: The study's."""
    return folder / f"trial_{number:04d}"


def drop_snapshots(folder: Path) -> None:
    """
    Delete what only somebody who goes on with a trial would need: 40 MB, a replay buffer 900.

    :param folder: Of :func:`trial_folder`.
    """
    for manifest in folder.glob("*/*/manifest.json"):
        run = RunFolder(manifest.parent, manifest.parent.name)
        run.snapshot.unlink(missing_ok=True)
        shutil.rmtree(run.replay, ignore_errors=True)


@dataclass
class TrialRun:
    """
    A trial under way.

    :param settings: Of the study.
    :param trial: Its parameters are asked for already.
    :param point: Its place in the space.
    :param hyperparameters: What the point means.
    :param seeds: What it is trained with.
    :param folder: The study's folder.
    :param snapshot_freq: Rollouts between snapshots; ``None`` for about every two minutes.
    :param device: As torch names it.
    :param on_step: Told the timesteps of all seeds so far.
    """

    settings: StudySettings
    trial: Trial
    point: Point
    hyperparameters: Hyperparameters
    seeds: list[int]
    folder: Path
    snapshot_freq: int | None
    device: str
    on_step: Callable[[int], None]

    def run(self) -> float:
        """
        Train with every seed. What is in the storage or in a run folder already is not done again.

        :returns: The mean over seeds.
        :raises optuna.TrialPruned: The trial is not promising.
        :raises StudyError: The value is not a number.
        """
        values = []
        for index, seed in enumerate(self.seeds):
            result = self.trial.user_attrs.get(TRIAL_SEED.format(index))
            if result is None:
                result = self._train(index, seed)
                self.trial.set_user_attr(TRIAL_SEED.format(index), result)
            values.append(float(result["value"]))
            self._judge_seeds(index, result)
        value = float(np.mean(values))
        if not np.isfinite(value):
            raise StudyError(f"expected a number as the trial's value, got {value}")
        return value

    def _train(self, index: int, seed: int) -> dict[str, Any]:
        every = max(1, self.settings.n_timesteps // self.settings.n_reports)
        reports = TrainingReports(
            self.settings.objective,
            every,
            self.settings.n_reports,
            lambda step, value: self._hear(index, step, value, reports.values),
            lambda n_timesteps: self.on_step(index * self.settings.n_timesteps + n_timesteps),
        )
        run = self._run_folder(index)
        started_s = time.monotonic()
        try:
            self._train_or_resume(run, index, seed, reports)
        except optuna.TrialPruned:
            drop_snapshots(trial_folder(self.folder, self.trial.number))
            self._write_hparams(run, reports.values[-1], seed)
            raise
        episodes = self._evaluate(run, seed)
        curve = [float(one) for one in json.loads(_reports_file(run).read_text(encoding="utf-8"))]
        levels = level_values(self.settings.objective, episodes)
        at_end = float(np.mean(list(levels.values())))
        value = float(np.mean(curve)) if self.settings.area else at_end
        self._write_hparams(run, value, seed)
        return {
            "seed": seed,
            "value": value,
            "levels": levels,
            "completion": _mean(episodes, "is_success"),
            "progress": _mean(episodes, "progress"),
            "curve": [round(one, 5) for one in curve],
            "this_process_s": round(time.monotonic() - started_s, 1),
        }

    def _train_or_resume(
        self, run: RunFolder, index: int, seed: int, reports: TrainingReports
    ) -> None:
        output = Output(
            log_folder=trial_folder(self.folder, self.trial.number),
            number=index + 1,
            arguments={"study": self.folder.name, "trial": self.trial.number, "seed": seed},
        )
        if not self._is_own(run, seed):
            shutil.rmtree(run.path, ignore_errors=True)
            train(self._train_settings(seed), self.hyperparameters, output, [reports])
        elif "finished_at" not in run.read_manifest():
            _wait_for_lock(run)
            resume(run, output, [reports])

    def _is_own(self, run: RunFolder, seed: int) -> bool:
        """Whether a folder that is there is of this very training, and not of another study's."""
        if not run.manifest.is_file():
            return False
        manifest = run.read_manifest()
        settings = manifest["settings"]
        expected = json.loads(json.dumps(self.hyperparameters.written()))
        return bool(
            manifest.get("hyperparameters") == expected
            and settings.get("seed") == seed
            and settings.get("levels") == list(self.settings.levels)
        )

    def _train_settings(self, seed: int) -> TrainSettings:
        return TrainSettings(
            algo=self.settings.algo,
            env=self.settings.env,
            levels=self.settings.levels,
            n_timesteps=self.settings.n_timesteps,
            seed=seed,
            # Two processes of torch with two threads each on two cores take turns at waiting.
            num_threads=1,
            n_workers=default_n_workers(self.hyperparameters.n_envs),
            device=self.device,
            eval_freq=-1,
            eval_episodes=0,
            snapshot_freq=self.snapshot_freq,
        )

    def _run_folder(self, index: int) -> RunFolder:
        parent = trial_folder(self.folder, self.trial.number) / self.settings.algo
        return RunFolder(parent / f"{self.settings.env}_{index + 1}", self.settings.env)

    def _evaluate(self, run: RunFolder, seed: int) -> list[dict[str, Any]]:
        """Episodes under sticky frame skip, as `train` plays them at its end, without a video."""
        # Each seed's agent gets episodes of its own.
        first_episode = (seed - self.settings.seed) * (self.settings.eval_episodes - 1)
        if not run.evaluation.is_file():
            evaluate_trained(
                load_run(run.path).load_policy(),
                run,
                self.hyperparameters,
                env_id=self.settings.env,
                levels=self.settings.levels,
                n_episodes=self.settings.eval_episodes,
                training_seed=seed + first_episode,
            )
        episodes: list[dict[str, Any]] = json.loads(run.evaluation.read_text(encoding="utf-8"))[
            "episodes"
        ]
        return episodes

    def _hear(self, index: int, step: int, value: float, values: list[float]) -> None:
        # On disk, because a successor that finds the training finished hears none of them.
        write_json(_reports_file(self._run_folder(index)), values)
        self._judge_report(index, step, value)

    def _judge_report(self, index: int, step: int, value: float) -> None:
        """Reports of the first seed are compared with those of other trials."""
        if index > 0 or self.settings.pruner not in ("hyperband", "median"):
            return
        self._report(value, step)

    def _judge_seeds(self, index: int, result: dict[str, Any]) -> None:
        """The values of each seed and level are compared with the best trial's."""
        if self.settings.pruner != "wilcoxon" or self.settings.candidates:
            return
        if index == len(self.seeds) - 1:
            return  # nothing is left to be saved
        n_levels = len(result["levels"])
        for place, value in enumerate(result["levels"].values()):
            self._report(value, index * n_levels + place)

    def _report(self, value: float, step: int) -> None:
        reported = self.trial.study._storage.get_trial(self.trial._trial_id).intermediate_values
        if step not in reported:
            self.trial.report(value, step)
        if self.trial.should_prune():
            raise optuna.TrialPruned

    def _write_hparams(self, run: RunFolder, value: float, seed: int) -> None:
        """TensorBoard's HPARAMS tab: the point beside its value, in the run's own folder."""
        given = {key: "none" if one is None else one for key, one in self.point.items()}
        given |= {"trial": self.trial.number, "seed": seed}
        with SummaryWriter(str(run.tensorboard)) as writer:
            for summary in hparams(given, {"tune/value": value}):  # type: ignore[no-untyped-call]
                writer.file_writer.add_summary(summary)
            writer.add_scalar("tune/value", value, self.settings.n_timesteps)


def _reports_file(run: RunFolder) -> Path:
    return run.path / "training_reports.json"


def _mean(episodes: list[dict[str, Any]], name: str) -> float | None:
    values = [episode[name] for episode in episodes]
    return None if None in values else float(np.mean(values))


def _wait_for_lock(run: RunFolder) -> None:
    """A predecessor that was taken for dead may need a moment to end."""
    deadline_s = time.monotonic() + _S_FOR_A_LOCK
    while True:
        try:
            with run.locked():
                return
        except RunFolderError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.5)
