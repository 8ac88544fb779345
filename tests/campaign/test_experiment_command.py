"""The command: what it says to wrong input, lists, tables, reports; and two arms for real."""

from __future__ import annotations

import gzip
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from sonic_sb3 import experiment
from sonic_sb3.campaign.places import find_experiment, make_places
from sonic_sb3.errors import SonicError

ALL = ["one/seed_3", "one/seed_8", "two/seed_3", "two/seed_8"]


def refuse(argv: list[str], capsys: Any) -> str:
    assert experiment.main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return str(captured.err)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["go", "counting"], "invalid choice: 'go'"),
        (["run"], "expected the NAME of an experiment"),
        (["run", "countin"], "did you mean 'counting'"),
        (["run", "no/such"], "expected a folder with experiment.yml in it"),
        (["run", "nothing.yml"], "expected a folder with experiment.yml in it"),
        (["run", "counting", "--workers", "0"], "--workers: expected between 1 and 1024, got 0"),
        (["run", "counting", "--num-threads", "-1"], "--num-threads"),
        (["run", "counting", "--shard", "3/2"], "--shard: expected I/N"),
        (["run", "counting", "--shard", "0/2"], "--shard: expected I/N"),
        (["run", "counting", "--shard", "half"], "--shard: expected I/N"),
        (["run", "counting", "--scale", "0"], "--scale"),
        (["run", "counting", "--scale", "nan"], "--scale"),
        (["run", "counting", "--arms", "tow"], "unknown arm of counting 'tow'"),
        (["status", "counting", "--retry"], "--retry: is an option of `run` alone"),
        (["run", "counting", "--workers", "2", "--scheduler", "tcp://x:1"], "--workers"),
        (["report", "counting"], "no results in"),
        (["run", "counting", "--no-such"], "unrecognized arguments"),
    ],
)
def test_refuses_in_one_line(
    argv: list[str], message: str, bench: Any, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(bench.folder)
    assert message in refuse(argv, capsys)
    assert sorted(p.name for p in bench.folder.iterdir()) == ["experiments", "ledger"]


def test_no_scheduler_there(bench: Any, capsys: Any, monkeypatch: Any) -> None:
    from sonic_sb3.campaign import cluster

    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    monkeypatch.setattr(cluster, "_CONNECT_S", 0.5)
    monkeypatch.chdir(bench.folder)
    argv = ["run", "counting", "--scheduler", "tcp://127.0.0.1:1"]
    assert "expected a Dask scheduler at tcp://127.0.0.1:1" in refuse(argv, capsys)
    argv = ["run", "counting", "--scheduler", "nonsense://"]
    assert "expected a Dask scheduler" in refuse(argv, capsys)
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "sonic_sb3[cluster]" in refuse(argv, capsys)


def test_a_damaged_file(bench: Any, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(bench.folder)
    bench.write("arms: [")
    assert "expected plain YAML" in refuse(["status", "counting"], capsys)
    bench.write("question: !!python/object/apply:os.system ['touch marker']")
    assert "expected plain YAML" in refuse(["status", "counting"], capsys)
    assert not (bench.folder / "marker").exists()


def test_status_lists_and_shows(bench: Any, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(bench.folder)
    assert experiment.main(["status"]) == 0
    text = capsys.readouterr().out
    assert "counting: 0 of 4 done. Which of them counts faster?" in text
    assert "a2c-ppo-borghi: " in text
    assert " of 40 done. " in text
    assert experiment.main(["status", "counting"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "counting: 0 of 4 done",
        "arm  seed 3   seed 8   episode_return, mean",
        "one  waiting  waiting",
        "two  waiting  waiting",
    ]


def test_one_damaged_file_hides_no_other(bench: Any, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(bench.folder)
    damaged = bench.experiment.with_name("damaged")
    damaged.mkdir()
    (damaged / "experiment.yml").write_text('question: "\\e[31mred"\nseeds: 5\n')
    assert experiment.main(["status"]) == 0
    text = capsys.readouterr().out
    assert "counting: 0 of 4 done. Which of them counts faster?" in text
    assert "damaged: cannot be read: " in text
    assert "\x1b" not in text


def test_report_hands_groups_to_the_writer(bench: Any, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(bench.folder)
    assert bench.run("run", "counting", "--arms", "two")[0] == 0
    written: list[Any] = []
    comparison = types.ModuleType("sonic_sb3.comparison")
    report = types.ModuleType("sonic_sb3.report")
    vars(comparison)["load_records"] = lambda paths: [Path(p).name for p in paths]

    def write_report(groups: Any, folder: Path, **how: Any) -> Any:
        written.append((groups, folder, how))
        return types.SimpleNamespace(notes=["An arm has 2 seeds."])

    vars(report)["write_report"] = write_report
    monkeypatch.setitem(sys.modules, "sonic_sb3.comparison", comparison)
    monkeypatch.setitem(sys.modules, "sonic_sb3.report", report)
    assert experiment.main(["report", "counting"]) == 0
    ((groups, folder, how),) = written
    assert capsys.readouterr().out.splitlines() == [
        "- An arm has 2 seeds.",
        "report: experiments/counting/report",
    ]
    assert groups == {"two": ["seed_3", "seed_8"]}
    assert folder == Path("experiments/counting/report")
    assert (how["title"], how["metric"], how["mix_games"]) == ("counting", "episode_return", False)
    intro = how["intro"]
    assert "Which of them counts faster?" in intro
    assert "The faster one, if it is twice as fast." in intro
    assert "2 of 4" in intro
    text = (bench.experiment / "experiment.yml").read_text()
    bench.write(f"{text}answer: The second one.\n")
    assert experiment.main(["report", "counting"]) == 0
    assert "which these runs are not" in written[-1][2]["intro"]
    assert experiment.main(["report", "counting", "--arms", "two"]) == 0
    assert written[-1][1] == Path("experiments/counting/partial_report"), "the whole one stays"
    assert "of its arms only two" in written[-1][2]["intro"]
    assert "The second one" not in written[-1][2]["intro"]
    assert bench.run("run", "counting")[0] == 0
    assert experiment.main(["report", "counting"]) == 0
    assert "Answer: The second one." in written[-1][2]["intro"]
    bench.write(text.replace("metric: episode_return", "metric: game_time_s"))
    capsys.readouterr()
    message = refuse(["report", "counting"], capsys)
    assert "metric 'game_time_s': the runs of one, two lack it" in message


def test_an_installed_experiment_is_worked_on_in_the_current_folder(
    tmp_path: Path, monkeypatch: Any
) -> None:
    from sonic_sb3.campaign import places

    package = tmp_path / "site" / "sonic_sb3"
    definition = package / "shipped" / "experiments" / "x" / "experiment.yml"
    definition.parent.mkdir(parents=True)
    definition.write_text("question: why\n")
    monkeypatch.setattr(places, "__file__", str(package / "campaign" / "places.py"))
    monkeypatch.setattr(places, "experiments_dir", lambda: package / "shipped" / "experiments")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    assert find_experiment("x") == definition
    found = make_places(definition, Path("logs"), 0.5)
    assert found.results == Path("experiments/x/scale_0.5/results")
    assert found.logs == Path("logs/x/scale_0.5")
    copied = places.copy_installed_definition(found)
    assert copied.definition.read_text() == "question: why\n"
    assert find_experiment("x") == Path("experiments/x/experiment.yml")
    with pytest.raises(SonicError, match="unknown experiment 'y'"):
        find_experiment("y")


def test_two_arms_for_real(bench: Any, capsys: Any, monkeypatch: Any) -> None:
    small = "policy_kwargs: {features_dim: 8}, n_envs: 1, n_steps: 16"
    envs = "env_kwargs: {frame_width: 36, frame_height: 36, max_episode_steps: 20}"
    bench.write(f"""
question: Does it work?
game: Airstriker-Genesis-v0
seeds: [5]
n_timesteps: 32
metric: episode_return
decision_rule: If it does.
evaluation: {{n_episodes: 2, eval_episodes: 1}}
arms:
  one: {{algo: ppo, hyperparameters: {{{small}, batch_size: 16, n_epochs: 1}}, {envs}}}
  two: {{algo: a2c, hyperparameters: {{{small}}}, {envs}}}
""")
    monkeypatch.chdir(bench.folder)
    assert experiment.main(["run", "counting", "--workers", "2"]) == 0
    assert "2 of 2 done" in capsys.readouterr().out
    assert bench.results() == ["one/seed_5", "two/seed_5"]
    for arm in ("one", "two"):
        folder = bench.experiment / "results" / arm / "seed_5"
        manifest = json.loads((folder / "manifest.json").read_text())
        assert manifest["settings"]["num_threads"] == 1
        assert manifest["command"].startswith("python -m sonic_sb3.train --algo ")
        assert str(bench.folder) not in (folder / "manifest.json").read_text()
        evaluation = json.loads((folder / "evaluation.json").read_text())
        assert [e["seed"] for e in evaluation["episodes"]] == [9_000_010, 9_000_011]
        rows = gzip.decompress((folder / "0.monitor.csv.gz").read_bytes()).decode().splitlines()
        assert rows[1].startswith("r,l,t,")
        assert len(rows) == 2 + 1
