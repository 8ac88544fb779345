"""Experiment files: what is refused, and what an arm means in full."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sonic_sb3.campaign.cell_run import ProcessOptions, train_arguments
from sonic_sb3.campaign.cells import Cell
from sonic_sb3.campaign.definition import (
    load_experiment,
    make_plans,
    parse_experiment,
    parse_experiment_text,
)
from sonic_sb3.errors import SonicError
from sonic_sb3.games import default_game_id, find_game
from sonic_sb3.run_folder import RunFolder
from sonic_sb3.train import _make_parser, _read_settings

ROOT = Path(__file__).parent.parent.parent
FILES = sorted((ROOT / "experiments").glob("*/experiment.yml"))
NAMES = sorted(
    [
        "a2c-longer",
        "a2c-ppo-borghi",
        "airstriker",
        "annealing",
        "entropy",
        "first-act",
        "generalise",
        "precision",
        "retries",
        "sonic",
        "steady",
        "tuned-a2c",
        "what-mattered",
    ]
)
GOOD: dict[str, Any] = {
    "question": "Why?",
    "game": "Airstriker-Genesis-v0",
    "seeds": [1, 2],
    "n_timesteps": 1000,
    "metric": "episode_return",
    "decision_rule": "The higher one.",
    "arms": {"a": {"algo": "ppo"}, "b": {"algo": "a2c"}},
}


def refusal(data: dict[str, Any], folder: Path = Path()) -> str:
    with pytest.raises(SonicError) as caught:
        make_plans(parse_experiment(data, "x.yml"), folder, 1.0, "x.yml")
    message = str(caught.value)
    assert message.startswith("x.yml: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("key", ["question", "seeds", "n_timesteps", "metric", "decision_rule"])
def test_every_part_of_the_question_is_needed(key: str) -> None:
    message = refusal({k: v for k, v in GOOD.items() if k != key})
    assert message == f"x.yml: {key}: expected this key, it is missing"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds": []}, "seeds: expected a list with something in it"),
        ({"seeds": [1, 1]}, "seeds: expected each once"),
        ({"seeds": [-1]}, "seeds.0"),
        ({"seeds": 5}, "seeds: expected a list, got 5"),
        (
            {"seeds": [20240101], "evaluation": {"n_episodes": 200}},
            "seeds: expected at most 10,692,417, got 20,240,101: evaluations of 200 episodes",
        ),
        ({"question": ""}, "question"),
        ({"decision_rule": " \n"}, "decision_rule: expected a text, got blanks"),
        ({"levels": []}, "levels: expected the names of levels, got an empty list"),
        ({"seeds": [10692418], "evaluation": {"n_episodes": 200}}, "at most 10,692,417"),
        ({"arms": {}}, "arms"),
        ({"arms": [{"algo": "ppo"}]}, "arms: expected a mapping of names to arms, got a list"),
        ({"arms": {"a": None}}, "arms.a: expected a mapping"),
        ({"arms": {"../a": {"algo": "ppo"}}}, "arms"),
        ({"arms": {"a": {}}}, "arms.a: algo: expected this key"),
        ({"arms": {"a": {"algo": "pppo"}}}, "arms.a: unknown algorithm 'pppo': did you mean 'ppo'"),
        ({"arms": {"a": {"algo": "ppo", "level": "x"}}}, "did you mean 'levels'"),
        ({"arms": {"a": {"algo": "ppo", "levels": ["Level2"]}}}, "did you mean 'Level1'"),
        ({"arms": {"a": {"algo": "ppo", "hyperparameters": {"gama": 1}}}}, "did you mean 'gamma'"),
        (
            {"arms": {"a": {"algo": "ppo", "hyperparameters": {"n_timesteps": 5}}}},
            "arms.a: hyperparameters.n_timesteps: expected the budget as the arm's own",
        ),
        ({"arms": {"a": {"algo": "ppo", "env_kwargs": {"frame_skip": 0}}}}, "frame_skip"),
        ({"arms": {"a": {"algo": "ppo", "configuration": "a2d"}}}, "did you mean 'a2c'"),
        ({"arms": {"a": {"algo": "ppo", "configuration": "no.yml"}}}, "configuration: no file"),
        ({"metric": "progress"}, "metric: runs of Airstriker-Genesis-v0 lack 'progress'"),
        ({"metric": "return"}, "did you mean 'episode_return'"),
        ({"n_timesteps": 0}, "n_timesteps"),
        ({"game": "Airstriker"}, "did you mean 'Airstriker-Genesis-v0'"),
        ({"evaluation": {"n_episodes": 0}}, "evaluation.n_episodes"),
        ({"evaluation": {"episodes": 3}}, "did you mean 'n_episodes'"),
        ({"arm": {}}, "did you mean 'arms'"),
    ],
)
def test_mistakes_are_named(change: dict[str, Any], message: str) -> None:
    assert message in refusal(GOOD | change)


def test_two_arms_of_one_name() -> None:
    text = yaml.safe_dump({k: v for k, v in GOOD.items() if k != "arms"})
    text += "arms:\n  ppo: {algo: ppo}\n  ppo: {algo: a2c}\n"
    with pytest.raises(SonicError, match=r"x\.yml: expected each key once, key 'ppo' stands twice"):
        parse_experiment_text(text, "x.yml")


def test_games_are_mixed_only_when_said() -> None:
    arms = {"a": {"algo": "ppo"}, "b": {"algo": "ppo", "game": default_game_id()}}
    message = refusal(GOOD | {"arms": arms})
    assert "Airstriker-Genesis-v0" in message
    assert "mixes_games: true" in message
    mixed = parse_experiment(GOOD | {"arms": arms, "mixes_games": True}, "x.yml")
    assert len(make_plans(mixed, Path())) == 2


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ({"a": {"algo": "ppo", "init_from": "c"}}, "unknown arm 'c'"),
        ({"a": {"algo": "ppo", "init_from": "a"}}, "got a circle"),
        (
            {"a": {"algo": "ppo", "init_from": "b"}, "b": {"algo": "ppo", "init_from": "a"}},
            "got a circle",
        ),
        (
            {
                "a": {"algo": "ppo", "init_from": "b"},
                "b": {"algo": "ppo", "hyperparameters": {"policy_kwargs": {"features_dim": 7}}},
            },
            "expected the network of b",
        ),
    ],
)
def test_arms_that_cannot_start_from_others(arms: dict[str, Any], message: str) -> None:
    assert message in refusal(GOOD | {"arms": arms})


def test_an_arm_in_full(tmp_path: Path) -> None:
    entry = {"n_timesteps": 5, "n_envs": 2, "n_steps": 8, "learning_rate": 1e-3, "gamma": 0.5}
    (tmp_path / "mine.yml").write_text(yaml.safe_dump({"default": entry}))
    game = default_game_id()
    arm = {
        "algo": "a2c",
        "configuration": "mine.yml",
        "hyperparameters": {"learning_rate": 1e-05, "policy_kwargs": {"extractor": "nature"}},
        "env_kwargs": {"frame_skip": 3},
        "levels": "train",
        "evaluation_levels": "test",
    }
    data = GOOD | {"game": game, "arms": {"a": arm}, "evaluation": {"n_episodes": 7}}
    plan = make_plans(parse_experiment(data, "x"), tmp_path, 0.1)["a"]
    assert plan.n_timesteps == 100
    assert plan.evaluation.n_episodes == 1
    assert plan.hyperparameters.n_timesteps == 100
    assert plan.hyperparameters.gamma == 0.5
    assert plan.hyperparameters.learning_rate == 1e-05
    assert plan.hyperparameters.env_kwargs.frame_skip == 3
    assert plan.levels == tuple(find_game(game).train_levels)
    assert plan.evaluation_levels == tuple(find_game(game).test_levels)

    # The command means the same as the plan.
    cell = Cell(plan, 3, tmp_path / "cell", tmp_path / "results")
    start = RunFolder(tmp_path / "other", game)
    arguments = train_arguments(cell, ProcessOptions(), start)
    where = arguments.index("-i")
    assert arguments[where + 1] == str(tmp_path / "other")
    del arguments[where : where + 2]
    settings, hyperparameters = _read_settings(_make_parser().parse_args(arguments[1:]))
    assert hyperparameters == plan.hyperparameters
    assert (settings.seed, settings.levels, settings.n_timesteps) == (3, plan.levels, 100)
    assert settings.num_threads == 1


def test_the_experiments_of_this_repository() -> None:
    assert [path.parent.name for path in FILES] == NAMES
    pyproject = (ROOT / "pyproject.toml").read_text()
    for path in FILES:
        experiment = load_experiment(path)
        assert len(experiment.seeds) >= 3
        assert f'"experiments/{path.parent.name}/experiment.yml"' in pyproject, "is in the wheel"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_every_arm_of_theirs_is_known(path: Path) -> None:
    experiment = load_experiment(path)
    plans = make_plans(experiment, path.parent, source=str(path))
    assert list(plans) == list(experiment.arms)


def test_the_example_of_the_docs() -> None:
    page = (ROOT / "docs" / "experiments.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (text,) = [block for block in blocks if "decision_rule" in block]
    plans = make_plans(parse_experiment_text(text, "docs"), Path())
    assert plans["wide"].hyperparameters != plans["narrow"].hyperparameters
