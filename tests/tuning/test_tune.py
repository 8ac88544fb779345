"""The command from end to end: studies on the real emulator, what they leave, what they refuse."""

from __future__ import annotations

import csv
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sonic_sb3 import tune
from sonic_sb3.hyperparams import load_hyperparameters
from sonic_sb3.tuning import progress
from sonic_sb3.tuning.plan import StudyPlace
from sonic_sb3.tuning.progress import ProgressDisplay
from sonic_sb3.tuning.results import describe_contenders, find_confirmation, rank
from sonic_sb3.tuning.storage import open_storage, parse_storage_url
from sonic_sb3.tuning.study import OpenStudy, create_or_join, open_study

GAME = "Airstriker-Genesis-v0"
SPACE = {
    "learning_rate": {"kind": "float", "low": 1e-5, "high": 1e-3, "log": True},
    "schedule": {
        "kind": "categorical",
        "choices": ["constant", "linear"],
        "schedules": "learning_rate",
    },
    "frame_skip": {"kind": "categorical", "choices": [4, 8], "sets": "env_kwargs.frame_skip"},
}
SMALL = ["n_envs:1", "n_steps:32", "batch_size:32", "n_epochs:1", "policy_kwargs.extractor:nature"]
SMALL += ["policy_kwargs.features_dim:16", "env_kwargs.frame_width:36"]
SMALL += ["env_kwargs.frame_height:36", "env_kwargs.max_episode_steps:40"]


def options(logs: Path, name: str = "small") -> list[str]:
    space = logs / "space.yml"
    logs.mkdir(exist_ok=True)
    space.write_text(yaml.safe_dump(SPACE))
    argv = ["--study-name", name, "-f", str(logs), "--env", GAME, "-n", "64", "--n-seeds", "1"]
    argv += ["--eval-episodes", "1", "--space", str(space), "--seed", "7", "--pruner", "none"]
    return [*argv, "-params", *SMALL]


def write_hot_space(logs: Path) -> None:
    """Half of its learning rates make weights NaN."""
    hot = {"kind": "categorical", "choices": [1.0e-4, 1.0e30]}
    (logs / "space.yml").write_text(yaml.safe_dump({"learning_rate": hot}))


def place_of(logs: Path) -> StudyPlace:
    url = parse_storage_url(f"sqlite:///{logs}/tune/small/study.db")
    return StudyPlace(url, "small", logs / "tune" / "small")


def open_small(logs: Path, name: str = "small") -> OpenStudy:
    return open_study(place_of(logs).url, name)


def facts(trials: Sequence[FrozenTrial]) -> list[tuple[Any, ...]]:
    return [(t.number, t.params, t.value, t.state, t.user_attrs["slot"]) for t in trials]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of three trials, two of them confirmed with two fresh seeds."""
    logs = tmp_path_factory.mktemp("logs") / "logs"
    argv = ["--n-trials", "3", "--top", "2", "--confirm-seeds", "2"]
    assert tune.main([*argv, *options(logs)]) == 0
    return logs


def test_one_seed_and_one_worker_propose_the_same(campaign: Path, tmp_path: Path) -> None:
    assert tune.main(["--n-trials", "3", "--top", "0", *options(tmp_path)]) == 0
    first, second = open_small(campaign).trials(), open_small(tmp_path).trials()
    assert facts(first) == facts(second)
    assert len(first) == 3
    assert len({str(t.params) for t in first}) == 3


def test_confirmation_has_fresh_seeds(campaign: Path) -> None:
    study = open_small(campaign)
    names = [s.study_name for s in study.storage.get_all_studies()]
    assert names == ["small", "small.confirm-3-2x2"]
    again = open_small(campaign, names[1]).trials()
    best = sorted(study.trials(), key=lambda t: (-float(t.value or 0), t.number))[:2]
    assert sorted(t.user_attrs["candidate"] for t in again) == sorted([t.number for t in best] * 2)
    for trial in again:
        (original,) = [t for t in best if t.number == trial.user_attrs["candidate"]]
        assert trial.params == original.params
    assert {t.user_attrs["seed_0"]["seed"] for t in again} == {10_007, 10_008}
    assert {t.user_attrs["seed_0"]["seed"] for t in study.trials()} == {7}


def test_outputs(campaign: Path, capsys: Any) -> None:
    folder = campaign / "tune" / "small"
    with (folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["COMPLETE"] * 3
    assert {float(row["learning_rate"]) for row in rows} == {
        t.params["learning_rate"] for t in open_small(campaign).trials()
    }
    for name in ("history", "parallel", "slices", "curves"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG"), name
    page = (folder / "study.html").read_text()
    assert page.count("data:image/png;base64") >= 4
    assert not re.search(r"(src|href)=.?http", page), "it needs nothing beside itself"
    assert "fresh seeds" in page
    assert tune.main(["status", "--study-name", "small", "-f", str(campaign)]) == 0
    out = capsys.readouterr().out
    assert "3 of 3 trials" in out
    assert re.search(r"trial \d: fresh seeds .*n=2; in the study", out)


def test_export_is_read_by_train_and_by_rl_zoo3(campaign: Path, tmp_path: Path) -> None:
    path = tmp_path / "tuned.yml"
    argv = ["export", "--study-name", "small", "-f", str(campaign), "-o", str(path), "-n", "4096"]
    assert tune.main(argv) == 0
    data = yaml.safe_load(path.read_text())
    trials = {t.number: t for t in open_small(campaign).trials()}
    winner = trials[data["provenance"]["trial"]]
    read = load_hyperparameters("ppo", GAME, path)
    rate = str(read.learning_rate).removeprefix("lin_")
    assert float(rate) == pytest.approx(winner.params["learning_rate"])
    assert str(read.learning_rate).startswith("lin_") == (winner.params["schedule"] == "linear")
    assert read.env_kwargs.frame_skip == winner.params["frame_skip"]
    assert read.policy_kwargs.features_dim == 16, "custom policy arguments survive"
    assert read.n_timesteps == 4096
    provenance = data["provenance"]
    assert provenance["found"]["seeds"] == [7]
    assert provenance["confirmed_with_fresh_seeds"]["seeds"] == [10_007, 10_008]
    assert len(provenance["rom_sha1"]) == 40
    assert provenance["space"].keys() == SPACE.keys()
    assert provenance["packages"]["optuna"]
    assert json.loads(json.dumps(data[GAME])) == data[GAME], "plain data"
    command = [sys.executable, "-m", "rl_zoo3.train", "--algo", "ppo", "--env", GAME]
    command += ["--gym-packages", "sonic_sb3", "--conf-file", str(path), "-f", str(tmp_path)]
    command += ["--vec-env", "subproc", "--seed", "1", "-n", "32", "--eval-freq", "-1"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr[-2000:]


def test_tensorboard_has_the_hyperparameters(campaign: Path) -> None:
    runs = sorted((campaign / "tune" / "small").glob("trial_*/ppo/*_1"))
    assert len(runs) == 3
    for number, run in enumerate(runs):
        events = EventAccumulator(str(run / "tensorboard"))
        events.Reload()
        (trial,) = [t for t in open_small(campaign).trials() if t.number == number]
        assert events.Scalars("tune/value")[-1].value == pytest.approx(trial.value)
        assert "rollout/ep_rew_mean" in events.Tags()["scalars"]
        content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        assert b"learning_rate" in content


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--algo", "a2c"], "another algo (--algo): it has 'ppo', asked for was 'a2c'"),
        (["--levels", "nowhere"], "nowhere"),
        (["--env", "PangolinDash-Genesis-v0", "--objective", "progress"], "another"),
        (["-n", "128"], "another n_timesteps (-n)"),
        (["--n-seeds", "3"], "another n_seeds"),
        (["--pruner", "median"], "another pruner"),
        (["-params", "gamma:0.5"], "another hyperparameters (--conf-file or -params)"),
        (["--objective", "completion"], "has no completion, expected score"),
    ],
)
def test_another_study_of_the_same_name(
    changes: list[str], message: str, campaign: Path, capsys: Any
) -> None:
    argv = ["--study-name", "small", "-f", str(campaign), *changes]
    assert tune.main(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error


def test_two_spaces_under_one_study(campaign: Path, tmp_path: Path, capsys: Any) -> None:
    other = tmp_path / "other.yml"
    other.write_text("gamma: {kind: float, low: 0.9, high: 0.99}")
    argv = ["--study-name", "small", "-f", str(campaign), "--space", str(other)]
    assert tune.main(argv) == 2
    assert "another space (--space)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--storage", "mysql://a:secret@h/d"], "expected sqlite:///FILE or postgresql://"),
        (["--storage", "nonsense secret"], "expected sqlite:///FILE or postgresql://"),
        (["--storage", "sqlite://"], "expected a file after sqlite:///"),
        (["--storage", "sqlite:////no/such/folder/s.db"], "there is no folder"),
        (["--storage", "postgresql://u:secret@127.0.0.1:1/d"], "cannot reach the storage"),
        (["--study-name", "a/b"], "--study-name"),
        (["--sampler", "cmaes"], "unknown sampler 'cmaes'"),
        (["--pruner", "medain"], "did you mean 'median'"),
        (["--objective", "fame"], "unknown objective"),
        (["--workers", "0"], "--workers"),
        (["--n-trials", "0"], "--n-trials"),
        (["--timeout", "-1"], "--timeout"),
        (["--n-seeds", "0"], "n_seeds"),
        (["--space", "nowhere.yml"], "cannot read nowhere.yml"),
        (["--env-kwargs", "sticky_prob:0"], "sticky"),
        (["--eval-episodes", "0"], "at least one per level"),
        (["--algo", "sac"], "discrete"),
        (["export"], "no storage"),
        (["status"], "no storage"),
        (["explode"], "invalid choice"),
        (["postgresql://u:secret@h/d"], "invalid choice"),
        (["--storage-url", "postgresql://u:secret@h/d"], "invalid choice"),
        (["--storage", "postgresql://u:top@secret@h/d"], "in a password @ is written %40"),
        (["--storage", "postgresql://u@h/d?sslpassword=secret"], "expected no sslpassword"),
        (["--study-name", "postgresql://u:secret@h/d"], "got a URL"),
        (["--confirm-seeds", "1001"], "--confirm-seeds: expected between 1 and 1,000"),
        (["--seed", str(2**30 - 1)], "confirmations take seeds above it"),
        (["-f", "what?"], "--log-folder: expected one that a database's URL can hold"),
        (["--timeout", "nan"], "--timeout: expected between"),
        (["--grace", "3"], "--grace: expected between 15"),
        (["--pruner", "wilcoxon"], "expected at least 5 seeds x levels"),
        (["--device", "cpux"], "device 'cpux'"),
    ],
)
def test_mistakes_are_answered_in_a_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("PGPASSWORD", "")
    assert tune.main(["-f", str(tmp_path / "logs"), "--env", GAME, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert "secret" not in error
    assert not list((tmp_path / "logs").rglob("*.db"))


def test_export_of_an_empty_study(campaign: Path, tmp_path: Path, capsys: Any) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    settings = open_small(campaign).settings
    create_or_join(parse_storage_url(url), "empty", settings, {}).close()
    argv = ["--study-name", "empty", "--storage", url, "-f", str(tmp_path)]
    for action in ("export", "confirm"):
        assert tune.main([action, *argv]) == 2
        assert "has no completed trial yet" in capsys.readouterr().err
    assert tune.main(["plot", *argv]) == 0
    assert tune.main(["export", "--study-name", "small", "--trial", "99", "-f", str(campaign)]) == 2
    assert "--trial" in capsys.readouterr().err
    argv[1] = "emptyy"
    assert tune.main(["export", *argv]) == 2
    assert "it has empty" in capsys.readouterr().err


def test_a_study_of_somebody_elses(tmp_path: Path, capsys: Any) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    study = optuna.create_study(storage=url, study_name="other")
    study.add_trial(optuna.trial.create_trial(value=1.0))
    argv = ["--study-name", "other", "--storage", url, "-f", str(tmp_path), "--env", GAME]
    assert tune.main(argv) == 2
    assert "was not made by `python -m sonic_sb3.tune`" in capsys.readouterr().err


def test_a_study_is_joined_and_goes_on(campaign: Path, tmp_path: Path) -> None:
    """Without saying again what it is; a trial that a dead worker left is taken over."""
    study = open_small(campaign)
    before = facts(study.trials())
    lease = study.slots.claim("the dead", 4)
    assert lease is not None
    left = study.open_trial(lease)
    assert left is not None
    rate = left.suggest_float("learning_rate", 1e-5, 1e-3, log=True)
    study.slots.give_back(lease)
    # What a pickle in the storage would do if anybody opened it.
    marker = tmp_path / "marker"
    bomb = pickle.dumps(_Bomb(marker)).hex()
    for key in ("cma:optimizer", "cmaes:optimizer:0", "sampler"):
        study.storage.set_study_system_attr(study.study_id, key, bomb)
        study.storage.set_study_user_attr(study.study_id, key, bomb)
    argv = ["--study-name", "small", "-f", str(campaign), "--n-trials", "4", "--top", "0"]
    assert tune.main(argv) == 0
    after = open_small(campaign).trials()
    assert facts(after)[:3] == before
    assert len(after) == 4
    assert after[3].state == TrialState.COMPLETE
    assert after[3].params["learning_rate"] == rate
    assert len(after[3].params) == 3
    assert tune.main(argv) == 0, "a study that has its trials is not begun again"
    assert len(open_small(campaign).trials()) == 4
    assert not marker.exists()


class _Bomb:
    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> Any:
        return Path.write_text, (self._marker, "ran")


def test_a_repaired_study_goes_on_after_failures(campaign: Path, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    shutil.copytree(campaign, logs)
    study = open_small(logs)
    for _ in range(6):
        template = optuna.trial.create_trial(state=TrialState.FAIL, user_attrs={"slot": 3})
        study.storage.create_new_trial(study.study_id, template)
    study.close()
    assert tune.main(["--n-trials", "4", "--top", "0", *options(logs)]) == 0


def test_a_folder_belongs_to_one_study(campaign: Path, tmp_path: Path, capsys: Any) -> None:
    logs = tmp_path / "logs"
    shutil.copytree(campaign, logs)
    (logs / "tune" / "small" / "study.db").unlink()
    assert tune.main(["--n-trials", "1", *options(logs)]) == 2
    assert "holds the trials of another study named 'small'" in capsys.readouterr().err


def test_later_trials_are_named_beside_confirmed_ones(campaign: Path, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    shutil.copytree(campaign, logs)
    study = open_small(logs)
    first, number = study.trials()[0], len(study.trials())
    seeds = {"seed_0": first.user_attrs["seed_0"] | {"value": 10.0**6}}
    better = optuna.trial.create_trial(
        value=10.0**6,
        params=first.params,
        distributions=first.distributions,
        user_attrs=first.user_attrs | seeds,
    )
    study.storage.create_new_trial(study.study_id, better)
    contenders = rank(study, find_confirmation(study, place_of(logs)))
    assert [c.confirmed is None for c in contenders] == [False, False, True]
    lines = describe_contenders(contenders)
    assert f"trial {number} has a better value in the study and was not confirmed" in lines[-1]
    study.close()


def test_a_trial_that_fails_does_not_end_the_study(tmp_path: Path, capsys: Any) -> None:
    """A learning rate that makes weights NaN: failed trials do not count, five in a row end it."""
    argv = ["--n-trials", "2", "--top", "0", "--sampler", "random", *options(tmp_path)]
    write_hot_space(tmp_path)
    assert tune.main(argv) == 0
    trials = open_small(tmp_path).trials()
    counted = [t for t in trials if t.state == TrialState.COMPLETE]
    failed = [t for t in trials if t.state == TrialState.FAIL]
    assert sorted(t.user_attrs["slot"] for t in counted) == [0, 1]
    assert {t.params["learning_rate"] for t in counted} == {1.0e-4}
    assert failed, "choose another seed: no trial had the hot learning rate"
    for trial in failed:
        assert trial.params["learning_rate"] == 1.0e30
        assert "nan" in trial.user_attrs["failure"].lower()


def test_a_candidate_that_always_fails_ends_last(tmp_path: Path, capsys: Any) -> None:
    """The same point with the same seed fails again, so a confirmation must not wait for it."""
    argv = ["--n-trials", "1", "--top", "0", "--sampler", "random", *options(tmp_path)]
    write_hot_space(tmp_path)
    assert tune.main(argv) == 0
    study = open_small(tmp_path)
    (cold,) = [t for t in study.trials() if t.state == TrialState.COMPLETE]
    lucky = optuna.trial.create_trial(
        value=1.0e6,
        params={"learning_rate": 1.0e30},
        distributions=cold.distributions,
        user_attrs=cold.user_attrs,
    )
    study.storage.create_new_trial(study.study_id, lucky)
    capsys.readouterr()
    again = ["confirm", "--study-name", "small", "-f", str(tmp_path)]
    again += ["--top", "2", "--confirm-seeds", "2"]
    assert tune.main(again) == 0
    out = capsys.readouterr().out
    confirmation = find_confirmation(study, place_of(tmp_path))
    contenders = rank(study, confirmation)
    assert [c.candidate.trial for c in contenders] == [cold.number, len(study.trials()) - 1]
    assert [c.n_failed for c in contenders] == [0, 2]
    assert "fresh seeds not confirmed, 2 failed" in out
    best = yaml.safe_load((tmp_path / "tune" / "small" / "best.yml").read_text())
    assert best["provenance"]["trial"] == cold.number
    assert tune.main(again) == 0, "it is not begun again"
    assert confirmation is not None
    failed = [t for t in confirmation.trials() if t.state == TrialState.FAIL]
    assert len(failed) == 4
    assert not list((tmp_path / "tune").rglob("resume.snapshot"))


def test_a_study_whose_beginner_was_killed_at_once(campaign: Path, tmp_path: Path) -> None:
    (tmp_path / "tune" / "small").mkdir(parents=True)
    storage = open_storage(place_of(tmp_path).url)
    optuna.create_study(storage=storage, study_name="small", direction="maximize")
    assert tune.main(["--n-trials", "1", "--top", "0", *options(tmp_path)]) == 0
    assert len(open_small(tmp_path).trials()) == 1


def test_a_deleted_studys_confirmation_is_not_its_successors(
    campaign: Path, tmp_path: Path, capsys: Any
) -> None:
    logs = tmp_path / "logs"
    shutil.copytree(campaign, logs)
    study = open_small(logs)
    settings = study.settings
    study.storage.delete_study(study.study_id)
    study.close()
    settings = settings.model_copy(update={"identity": "0" * 16})
    other = create_or_join(place_of(logs).url, "small", settings, {})
    assert find_confirmation(other, place_of(logs)) is None
    other.close()


def test_a_storage_that_goes_away_is_said_in_a_line(
    campaign: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    def fail(*_: Any) -> None:
        raise StorageInternalError("the server is gone")

    monkeypatch.setattr(OpenStudy, "trials", fail)
    assert tune.main(["status", "--study-name", "small", "-f", str(campaign)]) == 2
    error = capsys.readouterr().err
    assert "does not answer any more (the server is gone)" in error
    assert error.count("\n") == 1


def test_what_ends_a_study_is_told_though_its_storage_is_away(
    campaign: Path, monkeypatch: Any
) -> None:
    study = open_small(campaign)

    def work() -> None:
        monkeypatch.setattr(OpenStudy, "trials", lambda _: 1 / 0)
        monkeypatch.setattr(progress, "STORAGE_ERRORS", (ZeroDivisionError,))
        raise KeyError

    with pytest.raises(KeyError), ProgressDisplay(study, 3, "small"):
        work()


def test_environment_is_not_changed_by_urls_without_passwords(monkeypatch: Any) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    url = "postgresql://u@h/d?sslmode=require"
    assert str(parse_storage_url(url)) == url
    assert "PGPASSWORD" not in os.environ
