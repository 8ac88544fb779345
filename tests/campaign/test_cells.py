"""What lies on disk of a grid, the leases on it, and compact results."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from sonic_sb3.campaign.cell_run import CellRun, ProcessOptions, last_words
from sonic_sb3.campaign.cells import Cell, State, make_cells, select_shard
from sonic_sb3.campaign.definition import make_plans, parse_experiment
from sonic_sb3.campaign.leases import take_lease, take_results_lease
from sonic_sb3.campaign.places import make_places
from sonic_sb3.campaign.results import (
    compact_files,
    metric_value,
    read_evaluation,
    write_compact_results,
)
from sonic_sb3.errors import RunFolderError, WorkerError
from sonic_sb3.run_folder import RunFolder

GAME = "Airstriker-Genesis-v0"
DATA: dict[str, Any] = {
    "question": "Why?",
    "game": GAME,
    "seeds": [1, 2, 3],
    "n_timesteps": 1000,
    "metric": "episode_return",
    "decision_rule": "The higher one.",
    "evaluation": {"n_episodes": 2},
    "arms": {"a": {"algo": "a2c"}, "b": {"algo": "ppo"}, "c": {"algo": "ppo", "init_from": "b"}},
}


def grid(folder: Path, **changes: Any) -> list[Cell]:
    experiment = parse_experiment(DATA | changes, "x.yml")
    places = make_places(folder / "x" / "experiment.yml", folder / "logs")
    return make_cells(experiment, make_plans(experiment, folder), places)


def write_run(folder: Path, cell: Cell, **changes: Any) -> RunFolder:
    settings = {
        "algo": cell.plan.algo,
        "env": GAME,
        "levels": ["Level1"],
        "n_timesteps": 1000,
        "seed": cell.seed,
        "num_threads": 1,
        "n_workers": 1,
        "eval_freq": -1,
        "eval_episodes": 5,
    }
    manifest = {
        "settings": settings | changes,
        "hyperparameters": cell.plan.hyperparameters.written(),
        "finished_at": "now",
    }
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    evaluation = {
        "seed": cell.evaluation_seed,
        "summary": {"completion_rate": None, "means": {"episode_return": 999}},
        "episodes": [{"level": "Level1", "episode_return": value} for value in (2, 3)],
    }
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    return RunFolder(folder, GAME)


def test_grid_goes_seed_by_seed(tmp_path: Path) -> None:
    assert [cell.key for cell in grid(tmp_path)][:4] == [("a", 1), ("b", 1), ("c", 1), ("a", 2)]


def test_states(tmp_path: Path) -> None:
    cell = grid(tmp_path)[0]
    assert cell.state() is State.WAITING
    lease = take_lease(cell.folder)
    assert lease is not None
    assert cell.state() is State.RUNNING
    lease.release()
    of_results = take_results_lease(cell.results)
    assert of_results is not None
    assert cell.state() is State.RUNNING, "a campaign with other logs"
    of_results.release()
    assert cell.state() is State.WAITING
    write_run(cell.folder / "a2c" / f"{GAME}_1", cell)
    assert cell.state() is State.STOPPED
    cell.write_failure("tired")
    assert cell.state() is State.FAILED
    assert cell.read_failure() == "tired"
    write_run(cell.results, cell)
    assert cell.state() is State.DONE


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"n_timesteps": 999}, "n_timesteps was 999, the experiment now says 1000"),
        ({"seed": 7}, "seed was 7, the experiment now says 1"),
        ({"algo": "ppo"}, "hyperparameters"),
    ],
)
def test_results_of_something_else(
    changes: dict[str, Any], difference: str, tmp_path: Path
) -> None:
    cell = grid(tmp_path)[0]
    write_run(cell.results, cell, **changes)
    assert cell.state() is State.OUTDATED
    assert difference in str(cell.difference(cell.results))


def test_other_hyperparameters_and_evaluations(tmp_path: Path) -> None:
    cell = grid(tmp_path)[0]
    write_run(cell.results, cell)
    arms = DATA["arms"] | {"a": {"algo": "a2c", "env_kwargs": {"frame_skip": 2}}}
    changed = grid(tmp_path, arms=arms)[0]
    assert "env_kwargs.frame_skip was 4" in str(changed.difference(cell.results))
    changed = grid(tmp_path, evaluation={"n_episodes": 3})[0]
    assert "evaluation.n_episodes was 2" in str(changed.difference(cell.results))
    changed = grid(tmp_path, evaluation={"n_episodes": 2, "seed": 0})[0]
    assert "evaluation.seed" in str(changed.difference(cell.results))
    (cell.results / "evaluation.json").write_text("[" * 100_000)
    assert cell.difference(cell.results) == "no evaluation.json"


def test_shards_are_a_partition_and_keep_starts_together(tmp_path: Path) -> None:
    cells = grid(tmp_path)
    for n_shards in (1, 2, 3, 4, 10):
        shards = [select_shard(cells, k, n_shards) for k in range(1, n_shards + 1)]
        keys = [cell.key for shard in shards for cell in shard]
        assert sorted(keys) == sorted(cell.key for cell in cells)
        for shard in shards:
            mine = {cell.key for cell in shard}
            assert {seed for arm, seed in mine if arm == "c"} == {
                seed for arm, seed in mine if arm == "b"
            }


def test_compact_results(tmp_path: Path) -> None:
    cell = grid(tmp_path)[0]
    run = write_run(tmp_path / "run", cell)
    command = "python -m sonic_sb3.train -f /home/me/logs --seed 3"
    run.write_manifest({**run.read_manifest(), "command": command})
    header = '#{"t_start": 12.5, "env_id": "None"}\n'
    run.monitor.write_text(
        header
        + 'r,l,t,level,action_counts\n1.25,10,0.123456,A,"(1, 2)"\n-3.0,20,99.96,B,"(0, 0)"\n4'
    )
    np.savez(run.evaluations, timesteps=np.arange(3))
    (run.path / "best_model.zip").write_bytes(b"x" * 1000)
    files = compact_files(run)
    assert files == compact_files(run), "the same bytes whenever it is done"
    write_compact_results(cell.results, files)
    names = ["0.monitor.csv.gz", "evaluation.json", "evaluations.npz", "manifest.json"]
    assert sorted(p.name for p in cell.results.iterdir()) == names
    rows = gzip.decompress((cell.results / "0.monitor.csv.gz").read_bytes()).decode()
    assert rows == (
        header + 'r,l,t,level,action_counts\n1.25,10,0.1,A,"(1, 2)"\n-3.0,20,100.0,B,"(0, 0)"\n'
    )
    manifest = json.loads((cell.results / "manifest.json").read_text())
    assert manifest == {**run.read_manifest(), "command": "python -m sonic_sb3.train --seed 3"}
    assert cell.state() is State.DONE
    (cell.results.parent / ".seed_1.killed").mkdir()
    write_compact_results(cell.results, {"manifest.json": b"{}"})
    assert [p.name for p in cell.results.iterdir()] == ["manifest.json"]
    assert [p.name for p in cell.results.parent.iterdir()] == ["seed_1"], "nothing temporary"


def test_the_first_seeds_results_hold_a_small_video(tmp_path: Path) -> None:
    assert [cell.shows_video for cell in grid(tmp_path)] == [
        cell.seed == grid(tmp_path)[0].seed for cell in grid(tmp_path)
    ]
    run = write_run(tmp_path / "run", grid(tmp_path)[0])
    assert "video.mp4" not in compact_files(run, with_video=True), "the run has none"
    writer = imageio_ffmpeg.write_frames(str(run.video), (64, 48), fps=60, codec="libx264")
    writer.send(None)
    for shade in range(60):
        writer.send(np.full((48, 64, 3), 4 * shade, np.uint8))
    writer.close()
    assert "video.mp4" not in compact_files(run)
    files = compact_files(run, with_video=True)
    assert files == compact_files(run, with_video=True), "the same bytes whenever it is done"
    small = tmp_path / "small.mp4"
    small.write_bytes(files["video.mp4"])
    reader = cv2.VideoCapture(str(small))
    size = reader.get(cv2.CAP_PROP_FRAME_WIDTH), reader.get(cv2.CAP_PROP_FRAME_HEIGHT)
    assert (size, reader.get(cv2.CAP_PROP_FPS)) == ((32, 24), 15)
    assert reader.get(cv2.CAP_PROP_FRAME_COUNT) == pytest.approx(15, abs=1)
    reader.release()
    run.video.write_bytes(b"no video")
    with pytest.raises(WorkerError, match="could not be made smaller"):
        compact_files(run, with_video=True)


def test_compact_results_of_damaged_runs(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", grid(tmp_path)[0])
    run.monitor.write_text("")
    assert gzip.decompress(compact_files(run)["0.monitor.csv.gz"]) == b""
    run.monitor.write_text("r,l,t\n1,2,soon\n")
    with pytest.raises(RunFolderError, match="cannot read the results"):
        compact_files(run)
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match="cannot write"):
        write_compact_results(tmp_path / "file" / "arm" / "seed_1", {})


def test_numbers_of_an_evaluation(tmp_path: Path) -> None:
    write_run(tmp_path / "run", grid(tmp_path)[0])
    evaluation = read_evaluation(tmp_path / "run" / "evaluation.json")
    assert evaluation is not None
    assert metric_value(evaluation, "episode_return") == 2.5, "of the episodes, as reports have it"
    assert metric_value(evaluation, "completion_rate") is None
    assert metric_value(evaluation, "nothing") is None
    evaluation["episodes"] = [
        {"is_success": True, "game_time_s": 10.0},
        {"is_success": False, "game_time_s": 70.0},
    ]
    assert metric_value(evaluation, "completion_rate") == 0.5
    assert metric_value(evaluation, "completion_time_s") == 10.0
    evaluation["episodes"][0]["is_success"] = None
    assert metric_value(evaluation, "completion_rate") is None


def test_last_words_are_one_harmless_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "$ python -m a\nerror: old\n$ python -m b\nhello\n\x1b[31merror: b\tad\x1b[0m\n\n"
    )
    assert last_words(log) == "bad"
    log.write_text("$ python -m a\nTraceback\nValueError: x\n")
    assert last_words(log) == "ValueError: x"
    log.write_text("$ python -m a\n")
    assert last_words(log) == ""
    assert last_words(tmp_path / "none") == ""
    log.write_bytes(os.urandom(100_000))
    assert len(last_words(log)) <= 400


def test_an_arm_belongs_to_the_agent_that_it_started_from(tmp_path: Path) -> None:
    parent, child = (cell for cell in grid(tmp_path) if cell.key in {("b", 1), ("c", 1)})
    start = str(tmp_path / "logs" / "x" / "b" / "seed_1" / "ppo" / f"{GAME}_1")
    write_run(parent.results, parent)
    write_run(child.results, child, init_run=start)
    assert child.state() is State.DONE
    for path, facts in (
        (parent.results, {"model_sha256": "1"}),
        (child.results, {"init_model_sha256": "0"}),
    ):
        manifest = json.loads((path / "manifest.json").read_text())
        (path / "manifest.json").write_text(json.dumps(manifest | facts))
    assert "started from another agent" in str(child.difference(child.results))
    arms = DATA["arms"] | {"c": {"algo": "ppo"}}
    alone = next(cell for cell in grid(tmp_path, arms=arms) if cell.key == ("c", 1))
    assert "init_from was 'b/seed_1'" in str(alone.difference(child.results))
    arms = DATA["arms"] | {"b": {"algo": "ppo", "hyperparameters": {"gamma": 0.5}}}
    after = next(cell for cell in grid(tmp_path, arms=arms) if cell.key == ("c", 1))
    assert "b seed 1, whose agent it started from, is outdated" in str(
        after.difference(child.results)
    )


def test_published_manifests_do_not_tell_where_logs_lie(tmp_path: Path) -> None:
    cell = grid(tmp_path)[0]
    place = f"/home/me/logs/x/b/seed_1/ppo/{GAME}_1"
    run = write_run(tmp_path / "run", cell, init_run=place)
    manifest = run.read_manifest()
    manifest |= {
        "command": f"python -m sonic_sb3.train -i {place} -f /home/me/logs",
        "resumed": [{"at": "now", "command": f"python -m sonic_sb3.train --resume {place}"}],
    }
    run.manifest.write_text(json.dumps(manifest))
    published = compact_files(run)["manifest.json"].decode()
    assert "/home/me" not in published
    assert json.loads(published)["settings"]["init_run"] == f"b/seed_1/ppo/{GAME}_1"


def test_a_training_that_was_asked_to_end_goes_on(tmp_path: Path) -> None:
    cell = grid(tmp_path)[0]
    lease = take_lease(cell.folder)
    assert lease is not None
    run = CellRun(cell, lease, ProcessOptions())
    assert not run._handle_failure(143)
    assert run.notes == ["ended by SIGTERM, goes on (1 of 3)"]
    assert run._handle_failure(2)
    assert run.failure == "ended with status 2"
