"""Pictures of a study: history, importances, parallel coordinates, slices, learning curves."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import optuna
from optuna.study import Study
from optuna.trial import TrialState
from optuna.visualization import matplotlib as optuna_charts

from sonic_sb3.atomic_files import replacing
from sonic_sb3.tuning.results import seed_results
from sonic_sb3.tuning.study import OpenStudy

_DPI = 110


def draw_charts(study: OpenStudy, folder: Path) -> dict[str, Path]:
    """
    Draw what the trials allow to be drawn.

    :param study: The study.
    :param folder: Where the PNGs go.
    :returns: Titles and files.
    """
    charts: dict[str, tuple[str, Callable[[Study], Any]]] = {
        "history.png": ("History", optuna_charts.plot_optimization_history),
        "importance.png": ("What mattered", _plot_importances),
        "parallel.png": ("Parallel coordinates", _plot_parallel),
        "slices.png": ("Slices", _plot_slices),
        "curves.png": ("Learning curves", lambda _: _plot_curves(study)),
    }
    completed = [t for t in study.trials() if t.state == TrialState.COMPLETE]
    drawn: dict[str, Path] = {}
    loaded = study.load()
    for name, (title, plot) in charts.items():
        # Importance compares trials: of one there is none.
        if len(completed) < (2 if name in ("importance.png", "parallel.png") else 1):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Optuna: experimental; of matplotlib: layouts
            try:
                plot(loaded)
            except (ValueError, RuntimeError):
                # Trials that are all alike have no importances.
                plt.close("all")
                continue
            figure = plt.gcf()
            with replacing(folder / name) as temporary:
                figure.savefig(temporary, dpi=_DPI, bbox_inches="tight", metadata={"Software": ""})
            plt.close("all")
        drawn[title] = folder / name
    return drawn


def _plot_importances(study: Study) -> None:
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    optuna_charts.plot_param_importances(study, evaluator=evaluator)
    plt.gcf().set_size_inches(9, 5)


def _plot_parallel(study: Study) -> None:
    optuna_charts.plot_parallel_coordinate(study)
    plt.gcf().set_size_inches(16, 6)
    _slant_labels()


def _plot_slices(study: Study) -> None:
    optuna_charts.plot_slice(study)
    _slant_labels()


def _slant_labels() -> None:
    """Labels of logarithmic axes and of choices would otherwise lie over each other."""
    for axis in plt.gcf().axes:
        plt.setp(axis.get_xticklabels(which="both"), rotation=60, ha="right", fontsize=8)


def _plot_curves(study: OpenStudy) -> None:
    """The value during training, completed trials over pruned ones."""
    settings = study.settings
    _, axis = plt.subplots(figsize=(9, 5))
    every = settings.n_timesteps / settings.n_reports
    for trial in study.trials():
        # Of Wilcoxon's pruner they are values of seeds and levels, not a curve.
        is_curve = settings.pruner != "wilcoxon"
        if trial.state == TrialState.PRUNED and trial.intermediate_values and is_curve:
            steps, values = zip(*sorted(trial.intermediate_values.items()), strict=True)
            axis.plot(np.array(steps) * every, values, color="tab:gray", alpha=0.5, linewidth=1)
    completed = [t for t in study.trials() if t.state == TrialState.COMPLETE]
    best = max(completed, key=lambda t: float(t.value or 0.0), default=None)
    for trial in completed:
        curves = [result["curve"] for result in seed_results(trial) if result.get("curve")]
        if not curves:
            continue
        mean = np.mean([c[: min(map(len, curves))] for c in curves], axis=0)
        is_best = trial is best
        axis.plot(
            (np.arange(len(mean)) + 1) * every,
            mean,
            color="tab:red" if is_best else "tab:blue",
            alpha=1.0 if is_best else 0.5,
            linewidth=2.5 if is_best else 1,
            label=f"trial {trial.number}, the best" if is_best else None,
        )
    axis.set_xlabel("timesteps")
    axis.set_ylabel(f"{settings.objective} in training episodes")
    axis.set_title("Learning curves (gray: pruned)")
    axis.grid(alpha=0.3)
    axis.legend(loc="best")
