"""Runs read back: whole, half-written, damaged, compact."""

from __future__ import annotations

import dataclasses
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonic_sb3.arm_names import name_arms
from sonic_sb3.compared_runs import load_record
from sonic_sb3.comparison import group_records, load_records
from sonic_sb3.episode_tables import episodes_of_monitor, without_pauses
from sonic_sb3.errors import RunFolderError
from sonic_sb3.monitor_files import read_monitor_rows
from sonic_sb3.report import write_report

from .conftest import COLUMNS, RunMaker, episode, final_episode, monitor_text

THREE = [episode(progress=p, length=n) for p, n in ((0.25, 10), (0.5, 20), (1.0, 30))]


def test_made_up_runs_look_like_real_ones() -> None:
    from sonic_sb3.envs.episode_monitor import ALWAYS_RECORDED
    from sonic_sb3.evaluation import Episode

    fields = {field.name for field in dataclasses.fields(Episode)}
    assert set(ALWAYS_RECORDED) < set(COLUMNS)
    assert set(COLUMNS) - {"r", "l", "t"} <= fields
    assert set(final_episode(0, THREE[0])) <= fields


def test_columns_become_numbers(make_run: RunMaker) -> None:
    table = load_record(make_run("run", THREE)).training
    assert table.timesteps.tolist() == [10, 30, 60]
    assert table.seconds.tolist() == [2, 4, 6]
    assert table.values["completion"].tolist() == [0, 0, 1]
    assert table.values["progress"].tolist() == [0.25, 0.5, 1]
    assert table.end_reason.tolist() == ["life_lost", "life_lost", "completed"]
    assert table.action_counts is not None
    assert table.action_counts[:, 1].tolist() == [10, 20, 30]


def test_retries_are_timesteps_and_no_episodes(make_run: RunMaker) -> None:
    rows = [one | {"is_retry": index == 1} for index, one in enumerate(THREE)]
    table = load_record(make_run("run", rows, columns=[*COLUMNS, "is_retry"])).training
    assert table.timesteps.tolist() == [10, 60]
    assert table.values["progress"].tolist() == [0.25, 1]
    assert table.action_counts is not None
    assert table.action_counts[:, 1].tolist() == [10, 30]


def test_gzipped_reads_like_plain(make_run: RunMaker) -> None:
    plain = load_record(make_run("plain", THREE)).training
    packed = load_record(make_run("packed", THREE, is_gzipped=True)).training
    assert plain.values.keys() == packed.values.keys()
    for name in plain.values:
        np.testing.assert_array_equal(plain.values[name], packed.values[name])


def test_a_row_cut_anywhere_is_left_out_and_said(tmp_path: Path) -> None:
    text = monitor_text(THREE).encode()
    start = text.rstrip().rindex(b"\n") + 1
    path = tmp_path / "0.monitor.csv"
    for end in range(start + 1, len(text) - 2):
        path.write_bytes(text[:end])
        rows = read_monitor_rows(path)
        assert rows.columns["l"] == ["10", "20"], end
        assert rows.problems == ("its last row is not whole and was left out",)
    path.write_bytes(text)
    assert read_monitor_rows(path).columns["l"] == ["10", "20", "30"]
    assert read_monitor_rows(path).problems == ()


def test_a_cut_gzip_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    many = [episode(progress=k / 2000, length=10 + k % 7) for k in range(2000)]
    path = tmp_path / "0.monitor.csv.gz"
    packed = gzip.compress(monitor_text(many).encode())
    path.write_bytes(packed[: len(packed) // 2])
    rows = read_monitor_rows(path)
    assert 100 < len(rows.columns["l"]) < 2000
    assert "its compressed data end early or are damaged" in rows.problems


def test_rows_broken_in_the_middle_do_not_swallow_others(tmp_path: Path) -> None:
    lines = monitor_text(THREE).split("\r\n")
    lines[2] = lines[2][: lines[2].index("[") + 3]  # an open quote
    path = tmp_path / "0.monitor.csv"
    path.write_text("\r\n".join(lines), newline="")
    rows = read_monitor_rows(path)
    assert rows.columns["l"] == ["10", "30"]
    assert rows.problems == ("1 rows are not whole and were left out",)


@pytest.mark.parametrize("damage", ["\0\0\0", "nan", "", "-5", "ten"])
def test_rows_without_a_length_are_left_out(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "0.monitor.csv"
    path.write_text(monitor_text(THREE).replace(",20,", f",{damage},"), newline="")
    table, n_odd = episodes_of_monitor(read_monitor_rows(path))
    assert (table.timesteps.tolist(), n_odd) == ([10, 40], 1)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"#{}\n", b"#{\nr,l,t\n", b"\xff\xfe"])
def test_a_monitor_without_rows_is_empty(make_run: RunMaker, content: bytes) -> None:
    run = make_run("run", THREE, THREE)
    (run / "0.monitor.csv").write_bytes(content)
    record = load_record(run)
    assert len(record.training) == 0
    assert any("no episode has ended" in note for note in record.notes)


def test_a_pause_between_stop_and_resume_is_not_trained() -> None:
    seconds = np.array([10.0, 20.0, 1_010.0, 1_020.0, 5_005.0])
    running = without_pauses(seconds, [1_000.0, 5_000.0])
    assert running.tolist() == [10, 20, 30, 40, 45]


def test_two_stops_without_an_episode_between_them_are_counted_once() -> None:
    seconds = np.array([50.0, 100, 2010, 2020])
    assert without_pauses(seconds, [1000, 2000]).tolist() == [50, 100, 110, 120]
    assert without_pauses(seconds, [2000, 1000]).tolist() == [50, 100, 110, 120]
    # A monitor that a resume without a snapshot began anew is younger than the first resume.
    assert without_pauses(np.array([10.0, 20]), [-100, 3]).tolist() == [7, 17]


def test_a_resumed_runs_minutes_leave_its_pause_out(make_run: RunMaker) -> None:
    at = "2026-09-21T14:13:25+00:00"  # five seconds after the start; rows are at 2, 4, 6
    record = load_record(make_run("run", THREE, resumed=[{"at": at, "n_timesteps": 30}]))
    assert record.training.seconds.tolist() == [2, 4, 5]
    assert any("stopped and resumed" in note for note in record.notes)


def test_damaged_evaluations_are_left_out_and_said(make_run: RunMaker) -> None:
    run = make_run("run", THREE, THREE, history={"timesteps": [1], "results": [[1.0]]})
    (run / "evaluation.json").write_text('{"episodes": [')
    (run / "evaluations.npz").write_bytes(b"PK\3\4 cut")
    record = load_record(run)
    assert record.final is None
    assert record.history is None
    assert sum("left out" in note for note in record.notes) == 2


def test_pickles_in_evaluations_are_refused(make_run: RunMaker) -> None:
    run = make_run("run", THREE)
    np.savez(run / "evaluations.npz", timesteps=np.array([1]), results=np.array([{}], dtype=object))
    assert load_record(run).history is None


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"no run in .*: expected a run folder with manifest"):
        load_records([tmp_path])


def test_arms_are_named_after_folders_or_settings(make_run: RunMaker) -> None:
    paths = [
        make_run("study/results/slow/seed_0", THREE),
        make_run("study/results/slow/seed_1", THREE, seed=1),
        make_run("study_logs/fast/seed_0/ppo/ENV_1", THREE),
        make_run("logs/ppo/ENV_1", THREE),
        make_run("logs/ppo/ENV_2", THREE, seed=1),
        make_run("logs/ppo/ENV_3", THREE, hyperparameters={"learning_rate": 0.1}),
        make_run("logs/a2c/ENV_1", THREE, algo="a2c"),
    ]
    groups = group_records(load_records(paths))
    assert {arm: [r.seed for r in runs] for arm, runs in groups.items()} == {
        "a2c": [0],
        "fast": [0],
        "ppo learning_rate=0.001": [0, 1],
        "ppo learning_rate=0.1": [0],
        "slow": [0, 1],
    }


def test_long_names_do_not_merge_arms(make_run: RunMaker) -> None:
    """Arms that differ in many settings have names longer than a table's."""
    many = {f"a_setting_with_a_long_name_{k}": 1 for k in range(20)}
    paths = [
        make_run("a", THREE, hyperparameters={**many, "n_steps": 1}),
        make_run("b", THREE, hyperparameters={**many, "n_steps": 2}),
        make_run("c", THREE, hyperparameters=dict.fromkeys(many, 2)),
        make_run("d", THREE, seed=1, hyperparameters=dict.fromkeys(many, 2)),
    ]
    groups = group_records(load_records(paths))
    assert sorted(len(records) for records in groups.values()) == [1, 1, 2]
    assert max(map(len, groups)) < 210


def test_an_arm_that_takes_too_many_words_is_called_after_its_folder(make_run: RunMaker) -> None:
    many = {f"hyperparameter_number_{k}": k for k in range(5)}
    paths = [make_run("logs/ENV_1", THREE), make_run("logs/ENV_2", THREE, hyperparameters=many)]
    paths += [make_run("logs/ENV_3", THREE, hyperparameters=many, seed=1)]
    assert [r.arm for r in load_records(paths)] == ["ppo: ENV_1", "ppo: ENV_2", "ppo: ENV_2"]


def test_arms_called_after_folders_of_one_name_stay_apart(make_run: RunMaker) -> None:
    many = {f"hyperparameter_number_{k}": k for k in range(5)}
    paths = [make_run("one/ENV_10", THREE), make_run("one/ENV_9", THREE, seed=1)]
    paths += [make_run("two/ENV_9", THREE, hyperparameters=many)]
    names = [r.arm for r in load_records(paths)]
    assert names == ["ppo: one/ENV_9", "ppo: one/ENV_9", "ppo: two/ENV_9"]


def test_arms_that_differ_in_their_evaluation_alone_are_two(make_run: RunMaker) -> None:
    same = {"started_at": "2026-01-01T00:00:00+00:00"}
    paths = [make_run(f"x/results/{arm}/seed_0", THREE, **same) for arm in ("here", "there")]
    assert [r.arm for r in load_records(paths)] == ["here", "there"]


def test_seeds_that_begin_with_runs_of_their_own_are_one_arm() -> None:
    def manifest(init_run: str | None) -> dict[str, Any]:
        return {"settings": {"algo": "ppo", "seed": 1, "init_run": init_run}}

    starts = ["logs/ppo/ENV_1", "logs/ppo/ENV_2", "logs/a2c/ENV_1", None]
    names = name_arms([(Path(f"run_{k}"), manifest(start)) for k, start in enumerate(starts)])
    assert names == ["ppo init_run=ppo/ENV"] * 2 + [
        "ppo init_run=a2c/ENV",
        "ppo init_run=default",
    ]


def test_arms_of_one_name_in_two_experiments_stay_apart(make_run: RunMaker) -> None:
    paths = [make_run(f"{name}/results/ppo/seed_0", THREE) for name in ("one", "two")]
    assert [r.arm for r in load_records(paths)] == ["one: ppo", "two: ppo"]


def test_an_experiment_means_its_full_results(make_run: RunMaker, tmp_path: Path) -> None:
    make_run("study/results/ppo/seed_0", THREE)
    make_run("study/scale_0.1/results/ppo/seed_0", THREE)
    make_run("study/results/ppo/.seed_1.tmp", THREE)
    (tmp_path / "study" / "experiment.yml").write_text("")
    (record,) = load_records([tmp_path / "study"])
    assert record.path == tmp_path / "study" / "results" / "ppo" / "seed_0"


def test_a_run_named_twice_counts_once(make_run: RunMaker) -> None:
    run = make_run("logs/ppo/ENV_1", THREE)
    assert len(load_records([run, run.parent, run / ".." / "ENV_1"])) == 1


def test_ragged_action_counts_are_damage(make_run: RunMaker) -> None:
    odd: list[dict[str, Any]] = [*THREE, {**THREE[0], "action_counts": [4, 6]}]
    record = load_record(make_run("run", odd))
    assert len(record.training) == 3
    assert "0.monitor.csv: 1 rows are damaged and were left out" in record.notes


def test_a_manifest_that_is_none_names_what_is_wanted(make_run: RunMaker) -> None:
    run = make_run("run", THREE)
    (run / "manifest.json").write_text(json.dumps({"settings": {"env": "../x"}}))
    with pytest.raises(RunFolderError, match="expected the game's id"):
        load_record(run)


@pytest.mark.parametrize(
    "change",
    [
        {"episodes": ["x"]},
        {"episodes": {}},
        {"episodes": [{"n_timesteps": 10**400, "is_success": 10**400}]},
        {"episodes": [{"n_timesteps": 5, "is_success": 2, "level": "a\0b\x1b[31m"}]},
        {"episodes": [{"n_timesteps": 5, "level": "x" * 100_000, "end_reason": "\ud800"}]},
    ],
)
def test_hostile_evaluations_end_in_notes(change: Any, make_run: RunMaker, tmp_path: Path) -> None:
    run = make_run("run", THREE, THREE)
    (run / "evaluation.json").write_text(json.dumps(change))
    record = load_record(run)
    assert len(record.training) == 3
    if record.final is not None:
        assert record.final.level.dtype.itemsize < 1000
        assert "completion" not in record.final.values
        write_report({"arm": [record]}, tmp_path / "report", title="t", metric=None)


def test_a_field_without_end_is_a_broken_row(tmp_path: Path) -> None:
    path = tmp_path / "0.monitor.csv"
    path.write_text("r,l,t\n1,2,3\n" + "\0" * 200_000 + ",2,3\n4,5,6\n")
    rows = read_monitor_rows(path)
    assert rows.columns["r"] == ["1", "4"]
    assert rows.problems == ("1 rows are not whole and were left out",)


def test_experiments_of_one_name_stay_apart(make_run: RunMaker) -> None:
    for root, rate in (("A", 1e-4), ("B", 2e-4)):
        make_run(f"{root}/first/results/ppo/seed_0", THREE, hyperparameters={"learning_rate": rate})
    groups = group_records(load_records([make_run.root]))
    assert sorted(groups) == ["A/first: ppo", "B/first: ppo"]


def test_a_run_and_its_copy_count_once(make_run: RunMaker) -> None:
    first = make_run("results/ppo/seed_0", THREE)
    manifest = json.loads((first / "manifest.json").read_text())
    second = make_run("logs/first/ppo/seed_0/ppo/run_1", THREE)
    for run in (first, second):
        text = json.dumps(manifest | {"started_at": "2026-01-01T00:00:00+00:00"})
        (run / "manifest.json").write_text(text)
    (record,) = load_records([make_run.root])
    assert any("counts once" in note for note in record.notes)
