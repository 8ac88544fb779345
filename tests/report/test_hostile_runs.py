"""Runs whose numbers, places or permissions are not what a training leaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonic_sb3 import compare
from sonic_sb3.comparison import group_records, load_records
from sonic_sb3.report.content import collect

from .conftest import LEVEL, RunMaker, episode

HALF, FULL = episode(progress=0.5, length=40), episode(progress=1.0, length=90)


def change_json(path: Path, change: Callable[[Any], None]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def monitor_length(run: Path, text: str) -> None:
    monitor = run / "0.monitor.csv"
    head, columns, first, *rest = monitor.read_text().splitlines()
    cells = first.split(",")
    cells[1] = text
    monitor.write_text("\n".join([head, columns, ",".join(cells), *rest]) + "\n")


def evaluations(run: Path, timesteps: list[float], results: Any) -> None:
    np.savez(run / "evaluations.npz", timesteps=np.array(timesteps), results=np.array(results))


def long_ago(run: Path) -> None:
    monitor = run / "0.monitor.csv"
    _, _, rest = monitor.read_text().partition("\n")
    monitor.write_text(f'#{{"t_start": {"9" * 400}}}\n{rest}')
    at = {"at": "2026-09-21T14:20:00+00:00"}
    change_json(run / "manifest.json", lambda data: data.update(resumed=[at]))


HUGE = 10**400
ATTACKS: dict[str, Callable[[Path], None]] = {
    "long episode": lambda run: monitor_length(run, "1e19"),
    "longer episode": lambda run: monitor_length(run, "1e300"),
    "evaluated at NaN": lambda run: evaluations(run, [1, np.nan], [[1.0], [2.0]]),
    "evaluated at infinity": lambda run: evaluations(run, [1, np.inf], [[1.0], [2.0]]),
    "evaluated late": lambda run: evaluations(run, [1, 1e30], [[1.0], [2.0]]),
    "evaluated on nothing": lambda run: evaluations(run, [1, 2], [[], []]),
    "large scores": lambda run: evaluations(run, [1, 2], [[1e308], [1e308]]),
    "large budget": lambda run: change_json(
        run / "manifest.json", lambda data: data["settings"].update(n_timesteps=HUGE)
    ),
    "large hyperparameter": lambda run: change_json(
        run / "manifest.json", lambda data: data["hyperparameters"].update(gamma=HUGE)
    ),
    "large start": long_ago,
    "large progress": lambda run: change_json(
        run / "evaluation.json", lambda data: data["episodes"][0].update(progress=HUGE)
    ),
    "no progress": lambda run: change_json(
        run / "evaluation.json", lambda data: data["episodes"][0].update(progress=float("nan"))
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("attack", ATTACKS)
def test_strange_numbers_are_left_out(
    attack: str, make_run: RunMaker, tmp_path: Path, capsys: Any
) -> None:
    runs = [make_run(f"x/seed_{k}", [HALF, FULL] * 4, [HALF, FULL], seed=k) for k in range(2)]
    ATTACKS[attack](runs[1])
    assert compare.main([str(tmp_path / "x"), "-o", str(tmp_path / "report")]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "nan" not in captured.out
    assert (tmp_path / "report" / "report.html").is_file()


def test_what_is_left_out_of_an_evaluation_is_said_and_counted(make_run: RunMaker) -> None:
    runs = [make_run(f"x/seed_{k}", [], [HALF, FULL], seed=k) for k in range(2)]
    ATTACKS["no progress"](runs[1])
    content = collect(group_records(load_records(runs)), title="T", intro="", metric=None)
    assert "x, seed 1: evaluation.json: 1 of 2 episodes lack progress." in content.notes
    table = content.tables[0]
    (row,) = table.rows
    by_column = dict(zip(table.head, row, strict=True))
    assert by_column["n"] == "2 seeds, 4 episodes"
    assert by_column["progress"].endswith("; 3 episodes")
    assert by_column["seconds when completed"].endswith("; 2 episodes")
    assert ";" not in by_column["contest score"]


def test_how_many_got_there_is_said(make_run: RunMaker) -> None:
    runs = [make_run(f"x/seed_{k}", [FULL if k else HALF] * 120, [HALF], seed=k) for k in range(3)]
    content = collect(group_records(load_records(runs)), title="T", intro="", metric=None)
    row = dict(zip(content.tables[0].head, content.tables[0].rows[0], strict=True))
    assert row["timesteps to 95 %"] == "9,000\n9,000 .. not reached; 2 of 3 reached it"


def test_levels_that_only_some_runs_have(make_run: RunMaker) -> None:
    other = episode(progress=0.2, level="CanopyZone.Act2")
    paths = [make_run("s/results/a/seed_0", [], [HALF, other], seed=0)]
    paths += [make_run("s/results/b/seed_0", [], [HALF, FULL], seed=0)]
    content = collect(group_records(load_records(paths)), title="T", intro="", metric="progress")
    table = next(t for t in content.tables if t.title.startswith("By level"))
    assert [row[0:2] for row in table.rows] == [
        ["a", "50.0%\none seed: no interval"],
        ["b", "75.0%\none seed: no interval"],
    ]
    assert table.head == ["arm", LEVEL, "CanopyZone.Act2"]
    assert table.rows[1][2] == "-"
    assert any(f"are over {LEVEL} alone" in note for note in content.notes)
    apart = [paths[1], make_run("t/results/c/seed_0", [], [other], seed=0)]
    content = collect(group_records(load_records(apart)), title="T", intro="", metric="progress")
    assert any("are missing: no level is one on which" in note for note in content.notes)


def test_actions_without_names_tell_nothing_of_left(make_run: RunMaker) -> None:
    unknown = {"env_kwargs": {"actions": "of another version"}}
    runs = [make_run("a", [HALF] * 30, [HALF], hyperparameters=unknown)]
    content = collect(group_records(load_records(runs)), title="T", intro="", metric=None)
    assert not any(n.measure == "last_left" for n in content.numbers)
    assert any(n.measure == "last_commonest" for n in content.numbers)


def test_a_copy_beside_its_original_counts_once(make_run: RunMaker) -> None:
    first = make_run("s/results/a/seed_0", [HALF], [HALF, FULL])
    copy = first.with_name("seed_0 copy")
    shutil.copytree(first, copy)
    (record,) = load_records([first, copy])
    assert record.notes == ("the same run lies in ../seed_0 copy too; it counts once",)
    change_json(copy / "evaluation.json", lambda data: data["episodes"].pop())
    (record,) = load_records([copy, first])
    assert record.path == first, "whose folder tells the arm"
    assert record.notes[0].endswith("it counts once, without the other evaluation that lies there")
    (first / "evaluation.json").unlink()
    (record,) = load_records([first, copy])
    assert record.path == first
    assert record.final is not None
    assert record.notes[-1].endswith("it counts once, with the evaluation that lies there")


def test_runs_of_others_are_left_out_and_said(make_run: RunMaker, capsys: Any) -> None:
    make_run("logs/ENV_1", [HALF], [HALF])
    (make_run("logs/ENV_2", [HALF]) / "manifest.json").unlink()
    folder = make_run.root / "logs"
    assert compare.main([f"mine={folder}", "-o", str(make_run.root / "report")]) == 0
    text = capsys.readouterr().out
    assert f"- left out: {folder / 'ENV_2'}, which has no manifest.json" in text


def test_a_copy_takes_no_seed_out_of_its_arm(make_run: RunMaker) -> None:
    runs = [make_run(f"s/results/a/seed_{k}", [HALF], [HALF], seed=k) for k in range(3)]
    copy = make_run.root / "logs" / "ENV_1"
    shutil.copytree(runs[0], copy)
    in_logs = make_run.root / "logs" / "s" / "a" / "seed_1" / "ppo" / "ENV_1"
    shutil.copytree(runs[1], in_logs)
    for paths in ([copy, in_logs, *runs], [*runs, in_logs, copy]):
        assert [(r.arm, r.seed, r.path) for r in load_records(paths)] == [
            ("a", k, run) for k, run in enumerate(runs)
        ]


def test_a_copy_joins_no_two_arms(make_run: RunMaker) -> None:
    same = {"started_at": "2026-09-21T14:13:20+00:00"}
    paths = [make_run(f"s/results/{arm}/seed_0", [HALF], **same) for arm in ("here", "there")]
    copy = make_run("copy", [HALF], **same)
    assert [r.arm for r in load_records([copy, *paths])] == ["here", "there"]


PLACES = ["data/notes.csv", "pictures/me.png", "pictures/.hidden", "tensorboard/x/run.bin"]


@pytest.mark.parametrize("place", PLACES)
def test_no_file_of_a_users_is_deleted(place: str, make_run: RunMaker, capsys: Any) -> None:
    run = make_run("run", [HALF], [HALF])
    mine = make_run.root / "mine"
    (mine / place).parent.mkdir(parents=True)
    (mine / place).write_text("mine")
    (mine / "numbers.csv").write_text("my,own\n")
    assert compare.main([str(run), "-o", str(mine)]) == 2
    assert "holds other files than a report" in capsys.readouterr().err
    assert (mine / place).read_text() == "mine"


def test_a_users_file_in_a_report_is_not_deleted(make_run: RunMaker, capsys: Any) -> None:
    run, report = make_run("run", [HALF], [HALF]), make_run.root / "report"
    for _ in range(2):
        assert compare.main([str(run), "-o", str(report)]) == 0
    for place in PLACES:
        (report / place).parent.mkdir(exist_ok=True)
        (report / place).write_text("mine")
        capsys.readouterr()
        assert compare.main([str(run), "-o", str(report)]) == 2
        assert f"{Path(place).name} is none of a report's files" in capsys.readouterr().err
        assert (report / place).read_text() == "mine"
        (report / place).unlink()


def run_without_privileges(*command: str) -> subprocess.CompletedProcess[str]:
    """Run python without root's right to read everything (CAP_DAC_OVERRIDE, _READ_SEARCH)."""
    code = (
        "import ctypes, os, sys\n"
        "for capability in (1, 2):\n"
        "    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)\n"  # PR_CAPBSET_DROP
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *command],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_may_not_be_read_is_said_and_never_skipped(make_run: RunMaker) -> None:
    runs = [make_run(f"x/seed_{k}", [HALF], [HALF], seed=k) for k in range(2)]
    runs[1].chmod(0)
    try:
        if (
            run_without_privileges("-c", f"open({str(runs[1] / 'manifest.json')!r})").returncode
            == 0
        ):
            pytest.skip("this user cannot give up the right to read everything")
        for what in (runs[1].parent, runs[1]):
            report = str(make_run.root / "report")
            done = run_without_privileges("-m", "sonic_sb3.compare", str(what), "-o", report)
            assert done.returncode == 2, done.stdout + done.stderr
            assert done.stderr.count("\n") == 1
            assert "Permission denied" in done.stderr
            assert "seed_1" in done.stderr
    finally:
        runs[1].chmod(0o755)


def test_a_training_that_goes_on_does_not_pull_down_those_that_ended(make_run: RunMaker) -> None:
    whole = [make_run(f"x/seed_{k}", [FULL] * 120, [FULL], seed=k) for k in range(2)]
    goes_on = make_run("x/seed_2", [HALF] * 120, seed=2)
    change_json(goes_on / "manifest.json", lambda data: data.pop("finished_at"))
    cut = make_run("x/seed_3", [HALF] * 120, [FULL], seed=3, n_timesteps_trained=1_000_000)
    records = load_records([*whole, goes_on, cut])
    assert [r.is_whole for r in records] == [True, True, False, False]
    content = collect(group_records(records), title="T", intro="", metric=None)
    of_arm = {n.measure: (n.value, n.n_seeds) for n in content.numbers if not n.run}
    assert of_arm["timesteps_to_goal"] == (9000.0, 2)
    assert of_arm["last_completion"] == (1.0, 2)
    assert of_arm["completion"] == (1.0, 3), "an evaluation is whole or not there"
    goals = [n for n in content.numbers if n.run and n.measure == "timesteps_to_goal"]
    assert [n.run for n in goals] == ["seed 0", "seed 1"], "of the others nobody knows"
    assert sum("it is known up to timestep 4,800 of 10,000" in n for n in content.notes) == 2
    alone = collect(group_records(load_records([goes_on])), title="T", intro="", metric=None)
    assert {n.measure: n.value for n in alone.numbers if not n.run}["last_completion"] == 0.0


def test_of_copies_the_one_that_goes_furthest_counts(make_run: RunMaker) -> None:
    run = make_run("logs/ENV_1", [HALF] * 3, [HALF])
    backup = make_run.root / "backup" / "results" / "a" / "seed_0"
    shutil.copytree(run, backup)
    lines = (backup / "0.monitor.csv").read_text().splitlines(keepends=True)
    (backup / "0.monitor.csv").write_text("".join(lines[:-1]))
    for paths in ([run, backup], [backup, run], [make_run.root]):
        (record,) = load_records(paths)
        assert record.path.resolve() == run
        assert len(record.training) == 3


def test_a_fine_tuned_run_and_its_compact_results_are_one(make_run: RunMaker) -> None:
    run = make_run("s/results/tuned/seed_0", [HALF], [HALF])
    full = make_run.root / "logs" / "s" / "tuned" / "seed_0" / "ppo" / "ENV_1"
    shutil.copytree(run, full)
    start = "joint/seed_0/ppo/ENV_1"
    for folder, init_run in ((run, start), (full, f"/home/me/logs/{start}")):
        change_json(
            folder / "manifest.json",
            lambda data, init_run=init_run: data["settings"].update(init_run=init_run),
        )
    assert len(load_records([run, full])) == 1


def test_a_folder_of_several_algorithms_is_no_arm(make_run: RunMaker) -> None:
    ppo = make_run("logs/seed_0/ppo/ENV_1", [FULL])
    chance = make_run("logs/seed_0/random/ENV_1", [HALF], algo="random")
    assert [r.arm for r in load_records([ppo, chance])] == ["ppo", "random"]
    elsewhere = make_run("seed_1/deep/below/ENV_1", [HALF])
    assert [r.arm for r in load_records([elsewhere])] == ["ppo"]


def test_linked_runs_are_found_once(make_run: RunMaker) -> None:
    run = make_run("elsewhere/seed_0", [HALF])
    (make_run.root / "logs").mkdir()
    (make_run.root / "logs" / "link").symlink_to(run)
    (make_run.root / "logs" / "round").symlink_to(make_run.root / "logs")
    assert len(load_records([make_run.root / "logs"])) == 1


def test_an_episode_without_a_level_counts_once(make_run: RunMaker) -> None:
    runs = [make_run(f"x/seed_{k}", [], [HALF, FULL], seed=k) for k in range(2)]
    for run in runs:
        change_json(run / "evaluation.json", lambda data: data["episodes"][0].pop("level"))
    content = collect(group_records(load_records(runs)), title="T", intro="", metric=None)
    row = dict(zip(content.tables[0].head, content.tables[0].rows[0], strict=True))
    assert row["n"] == "2 seeds, 4 episodes"
    assert any("1 of 2 episodes do not tell their level" in note for note in content.notes)


def test_places_are_no_markup_and_can_be_written(make_run: RunMaker) -> None:
    odd = "run`<img src=x>`" + os.fsdecode(b"\xff")
    run = make_run(odd, [HALF], [HALF])
    report = make_run.root / "report"
    assert compare.main([str(run), "-o", str(report)]) == 0
    assert (
        "`` ../run`<img src=x>`\N{REPLACEMENT CHARACTER} ``" in (report / "report.md").read_text()
    )
