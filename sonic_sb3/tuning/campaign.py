"""What the ``tune`` command does: study, confirmation, outputs, one after the other."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from optuna.trial import TrialState

from sonic_sb3.errors import StudyError
from sonic_sb3.tuning.crew import Crew, CrewOrder
from sonic_sb3.tuning.export import export, train_command
from sonic_sb3.tuning.page import write_page
from sonic_sb3.tuning.plan import (
    Asked,
    StudyPlace,
    begin_confirmation,
    begin_or_join,
    choose_n_trials,
    no_completed,
    plan_confirmation,
)
from sonic_sb3.tuning.progress import ProgressDisplay, describe_trial, read_state
from sonic_sb3.tuning.results import (
    Contender,
    Figure,
    describe_contenders,
    find_confirmation,
    rank,
    seed_results,
    write_trials_csv,
)
from sonic_sb3.tuning.settings import Candidate
from sonic_sb3.tuning.storage import show_url
from sonic_sb3.tuning.study import OpenStudy, open_study


@dataclass(frozen=True)
class CampaignOrder:
    """
    Who works on a study, and for how long.

    :param n_trials: Of the whole study; ``None`` for as many as asked for last.
    :param n_workers: Local processes.
    :param timeout_s: Seconds until they stop.
    :param top: Best trials to confirm, 0 for none.
    :param confirm_seeds: Fresh seeds of each.
    :param snapshot_freq: Rollouts between snapshots of a training.
    :param device: As torch names it.
    :param grace_s: After so long without a sign of life a trial is handed on.
    """

    n_trials: int | None
    n_workers: int
    timeout_s: float | None
    top: int
    confirm_seeds: int
    snapshot_freq: int | None
    device: str
    grace_s: float


def run_campaign(place: StudyPlace, asked: Asked, order: CampaignOrder) -> None:
    """
    Run or join a study, confirm its best trials, write what came of it.

    :param place: Where the study is.
    :param asked: What it shall be.
    :param order: Who works on it.
    :raises SonicError: An option is wrong, or the study cannot go on.
    """
    deadline_s = _deadline(order)
    study = begin_or_join(place, asked, order.grace_s)
    n_trials = choose_n_trials(study, order.n_trials)
    print(_describe(study, place, n_trials), flush=True)
    is_done = _work(study, place, order, n_trials, deadline_s)
    try:
        if is_done and order.top > 0 and _has_completed(study):
            _confirm(study, place, order, deadline_s)
    except StudyError:
        write_outputs(place)  # of the study, which is whole
        raise
    study.close()
    write_outputs(place)


def confirm(place: StudyPlace, order: CampaignOrder) -> None:
    """
    Try the best trials of a study again with fresh seeds.

    :param place: Where the study is.
    :param order: Who works on it.
    :raises StudyError: There is no study, or no completed trial.
    """
    deadline_s = _deadline(order)
    study = open_study(place.url, place.name, order.grace_s)
    if not _has_completed(study):
        raise StudyError(no_completed(study))
    _confirm(study, place, order, deadline_s)
    write_outputs(place)


def _deadline(order: CampaignOrder) -> float | None:
    """When the command ends. :raises SettingsError: There is no such device to begin with."""
    if order.device != "auto":
        from sonic_sb3.devices import check_device

        check_device(order.device)
    return None if order.timeout_s is None else time.monotonic() + order.timeout_s


def _confirm(
    study: OpenStudy, place: StudyPlace, order: CampaignOrder, deadline_s: float | None
) -> None:
    where = plan_confirmation(study, place, max(1, order.top), order.confirm_seeds)
    again = begin_confirmation(study, where, max(1, order.top), order.confirm_seeds, order.grace_s)
    n_trials = len(again.settings.candidates) * again.settings.n_seeds
    numbers = ", ".join(str(candidate.trial) for candidate in again.settings.candidates)
    print(f"confirming trials {numbers} with {again.settings.n_seeds} fresh seeds each", flush=True)
    _work(again, where, order, n_trials, deadline_s)
    again.close()


def _work(
    study: OpenStudy,
    place: StudyPlace,
    order: CampaignOrder,
    n_trials: int,
    deadline_s: float | None,
) -> bool:
    crew = Crew(
        study,
        CrewOrder(
            order.n_workers,
            n_trials,
            show_url(place.url),
            place.folder,
            order.snapshot_freq,
            order.device,
            order.grace_s,
            deadline_s,
        ),
    )
    if read_state(study, n_trials).n_finished >= n_trials:
        return True
    with ProgressDisplay(study, n_trials, study.name) as display:
        return crew.work(display.look)


def show_status(place: StudyPlace) -> None:
    """
    Print how a study is doing.

    :param place: Where it is.
    :raises StudyError: There is none.
    """
    study = open_study(place.url, place.name)
    n_trials = choose_n_trials(study, None)
    state = read_state(study, n_trials)
    print(f"study {study.name}: {state.n_finished} of {n_trials} trials")
    for name in TrialState:
        if name != TrialState.WAITING:
            print(f"  {name.name.lower():<9} {state.count(name)}")
    print(f"  at work   {state.n_held}")
    print(f"  handed on {sum(slot.n_takeovers for slot in state.slots)} times")
    for trial in state.best:
        print(f"  {describe_trial(trial)}")
    if state.best:
        for line in describe_contenders(rank(study, find_confirmation(study, place))):
            print(f"  {line}")
    study.close()


def write_outputs(place: StudyPlace) -> None:
    """
    Write pictures, page and table of a study, and its best trial as a file; say where.

    :param place: Where the study is.
    :raises StudyError: There is none.
    """
    from sonic_sb3.tuning.charts import draw_charts

    study = open_study(place.url, place.name)
    place.folder.mkdir(parents=True, exist_ok=True)
    table, page = place.folder / "trials.csv", place.folder / "study.html"
    write_trials_csv(table, study)
    contenders = rank(study, find_confirmation(study, place)) if _has_completed(study) else []
    charts = draw_charts(study, place.folder)
    write_page(page, study, contenders, charts)
    for line in describe_contenders(contenders):
        print(line)
    print(f"trials:  {table}")
    print(f"page:    {page}")
    if contenders:
        best = place.folder / "best.yml"
        export(best, study, contenders[0])
        print(f"best:    {best}")
    study.close()


def export_best(
    place: StudyPlace, output: Path | None, trial: int | None, n_timesteps: int | None
) -> None:
    """
    Write a hyperparameters file.

    :param place: Where the study is.
    :param output: The file; ``None`` for one in the study's folder.
    :param trial: The trial's number; ``None`` for the best, by fresh seeds where there are some.
    :param n_timesteps: Of the trainings to come; ``None`` for those of the study.
    :raises StudyError: There is no such completed trial.
    """
    study = open_study(place.url, place.name)
    contenders = rank(study, find_confirmation(study, place))
    contender = contenders[0] if trial is None else _find_contender(study, contenders, trial)
    if output is None:
        place.folder.mkdir(parents=True, exist_ok=True)
        output = place.folder / "best.yml"
    export(output, study, contender, n_timesteps)
    print("\n".join(describe_contenders(contenders if trial is None else [contender])))
    print(f"file:  {output}")
    print(f"train: {train_command(study.settings, str(output))}")


def _find_contender(study: OpenStudy, contenders: list[Contender], number: int) -> Contender:
    for contender in contenders:
        if contender.candidate.trial == number:
            return contender
    for trial in study.trials():
        if trial.number == number and trial.state == TrialState.COMPLETE:
            results = seed_results(trial)
            found = Figure(tuple(float(r["value"]) for r in results), study.settings.objective)
            candidate = Candidate(trial=number, params=trial.params)
            rates = [r["completion"] for r in results if r["completion"] is not None]
            completion = float(np.mean(rates)) if rates else None
            return Contender(candidate, found, None, (), completion)
    raise StudyError(f"--trial: expected the number of a completed trial, got {number}")


def _has_completed(study: OpenStudy) -> bool:
    return any(trial.state == TrialState.COMPLETE for trial in study.trials())


def _describe(study: OpenStudy, place: StudyPlace, n_trials: int) -> str:
    settings = study.settings
    plan = {
        "study": f"{study.name}, {n_trials} trials",
        "storage": show_url(place.url),
        "folder": str(place.folder),
        "game": f"{settings.env}, {', '.join(settings.levels)}",
        "each trial": f"{settings.algo}, {settings.n_seeds} x {settings.n_timesteps:,} timesteps",
        "objective": ("area of " if settings.area else "") + settings.objective,
        "search": f"{settings.sampler}, {settings.pruner}, seed {settings.seed}",
        "space": ", ".join(settings.space),
    }
    return "\n".join(f"{key:<10} {value}" for key, value in plan.items())
