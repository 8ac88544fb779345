"""Search spaces: what a file may say, what is refused, and what a point becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml

from sonic_sb3.errors import SettingsError, SonicError
from sonic_sb3.hyperparams import load_hyperparameters
from sonic_sb3.shipped_files import search_dir
from sonic_sb3.tuning.nested_keys import get_value, set_value
from sonic_sb3.tuning.space import check_space, default_space, load_space

BASE = load_hyperparameters("ppo", conf_file="borghi-fast").written()
LEARNING_RATE = {"kind": "float", "low": 1e-5, "high": 1e-3, "log": True}


@pytest.mark.parametrize("path", sorted(search_dir().glob("*.yml")), ids=lambda p: p.stem)
def test_shipped_spaces_propose_what_can_be_used(path: Path) -> None:
    algo = path.stem.partition("-")[0]
    base = load_hyperparameters(algo).written()
    space = load_space(path, algo, base)
    assert space.parameters
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen: dict[str, set[Any]] = {}
    for _ in range(50):
        point = space.suggest(study.ask())
        space.make(algo, point, base)
        for name, value in point.items():
            seen.setdefault(name, set()).add(value)
    assert set(seen) == set(space.parameters)
    assert all(len(values) > 1 for values in seen.values())


def test_custom_policy_arguments_survive() -> None:
    base = BASE | {"policy_kwargs": {"extractor": "blog", "features_dim": 64}}
    space = check_space({"learning_rate": LEARNING_RATE}, "s", "ppo", base)
    made = space.make("ppo", {"learning_rate": 3e-4}, base)
    assert made.policy_kwargs.written() == {"extractor": "blog", "features_dim": 64}
    assert made.learning_rate == 3e-4
    assert BASE["learning_rate"] == 7.5e-5, "the base is not changed"


def test_conditions_schedules_names_and_lists() -> None:
    data = {
        "learning_rate": LEARNING_RATE,
        "schedule": {
            "kind": "categorical",
            "choices": ["constant", "linear"],
            "schedules": "learning_rate",
        },
        "size": {
            "kind": "categorical",
            "choices": {"small": 48, "large": 84},
            "sets": ["env_kwargs.frame_width", "env_kwargs.frame_height"],
        },
        "n_epochs": {"kind": "int", "low": 2, "high": 9, "when": {"size": ["small"]}},
        "frame_skip": {
            "kind": "categorical",
            "choices": [4, 8],
            "sets": "env_kwargs.frame_skip",
        },
    }
    space = check_space(data, "s", "ppo", BASE)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    points = [space.suggest(study.ask()) for _ in range(40)]
    assert all(("n_epochs" in point) == (point["size"] == "small") for point in points)
    point = {"learning_rate": 1e-4, "schedule": "linear", "size": "large", "frame_skip": 8}
    made = space.make("ppo", point, BASE).written()
    assert made["learning_rate"] == "lin_0.0001"
    assert made["env_kwargs"] == {
        "allow_backtracking": True,
        "reward_scale": 0.01,
        "frame_width": 84,
        "frame_height": 84,
        "frame_skip": 8,
        # 4500 timesteps of 4 frames are 2250 of 8: the time limit is the same for all trials.
        "max_episode_steps": 2250,
    }
    assert made["n_epochs"] == BASE["n_epochs"]


def test_keys_reach_into_lists() -> None:
    tree: dict[str, Any] = {"env_kwargs": {"rewards": ({"term": "rings", "weight": 1.0},)}}
    set_value(tree, "env_kwargs.rewards.0.weight", 0.5, "s")
    assert tree == {"env_kwargs": {"rewards": [{"term": "rings", "weight": 0.5}]}}
    assert get_value(tree, "env_kwargs.rewards.0.term") == "rings"
    assert get_value(tree, "env_kwargs.rewards.7.term") is None
    with pytest.raises(SettingsError, match=r"rewards is a list of 1"):
        set_value(tree, "env_kwargs.rewards.1.weight", 0.5, "s")
    with pytest.raises(SettingsError, match="has no parts"):
        set_value(tree, "env_kwargs.rewards.0.weight.x", 0.5, "s")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rat: {kind: float, low: 0.1, high: 0.2}", "did you mean 'learning_rate'"),
        ("learning_rate: {kind: float, low: 0.2, high: 0.1}", "expected low below high"),
        ("learning_rate: {kind: float, low: 0.1}", "expected low and high"),
        ("learning_rate: {kind: float, low: 0, high: 1, log: true}", "low above 0"),
        ("learning_rate: {kind: float, lw: 0.1, high: 0.2}", "did you mean 'low'"),
        ("learning_rate: {kind: flot, low: 0.1, high: 0.2}", "'float'"),
        ("learning_rate: {kind: float, low: .nan, high: 0.2}", "finite"),
        ("n_epochs: {kind: int, low: 1.5, high: 3}", "whole number"),
        ("gamma: {kind: float, low: 0.5, high: 1.5}", "gamma"),
        ("gamma: {kind: categorical, choices: []}", "at least one"),
        ("gamma: {kind: categorical, choices: [0.9, 0.9]}", "stands twice"),
        ("gamma: {kind: categorical, choices: [0.9], low: 1}", "has choices only"),
        ("gamma: {kind: categorical, choices: [high]}", "gamma"),
        ("gamma: 0.9", "expected a name and a mapping"),
        ("batch_size: {kind: categorical, choices: [8192]}", "at most n_steps x n_envs"),
        ("n_timesteps: {kind: int, low: 1, high: 9}", "is the same for all trials"),
        (
            "sticky: {kind: float, low: 0, high: 1, sets: env_kwargs.sticky_prob}",
            "is the same for all trials",
        ),
        (
            "gamma: {kind: categorical, choices: [0.9], when: {gama: 1}}",
            "unknown parameter 'gama'",
        ),
        (
            "a: {kind: categorical, choices: [1], sets: n_epochs}\n"
            "gamma: {kind: categorical, choices: [0.9], when: {a: 2}}",
            "unknown choice 2",
        ),
        (
            "a: {kind: categorical, choices: [x, y], schedules: learning_rate}",
            "constant and linear",
        ),
        ("{}", "at least one parameter"),
        ("- gamma", "a list"),
        ("gamma: !!python/object/apply:os.system [echo]", "plain YAML"),
    ],
)
def test_bad_spaces_are_refused_by_name(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "space.yml"
    path.write_text(text)
    with pytest.raises(SonicError) as caught:
        load_space(path, "ppo", BASE)
    assert message in str(caught.value)
    assert "space.yml" in str(caught.value)


def test_written_space_reads_back() -> None:
    path = default_space("ppo")
    base = load_hyperparameters("ppo").written()
    space = load_space(path, "ppo", base)
    again = check_space(yaml.safe_load(yaml.safe_dump(space.written())), "again", "ppo", base)
    assert again.parameters == space.parameters


def test_settings_are_found_in_the_space() -> None:
    path = search_dir() / "ppo.yml"
    base = load_hyperparameters("ppo").written()
    space = load_space(path, "ppo", base)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(20):
        point = space.suggest(study.ask())
        made = space.make("ppo", point, base).model_dump(mode="json")
        assert space.point_of(made) == pytest.approx(point)


def test_what_a_space_cannot_propose_is_left_open() -> None:
    data = {"learning_rate": LEARNING_RATE, "n_epochs": {"kind": "int", "low": 2, "high": 4}}
    space = check_space(data, "s", "ppo", BASE)
    assert space.point_of({"learning_rate": 0.5, "n_epochs": 9}) == {}
    assert space.point_of({"learning_rate": "lin_1e-4", "n_epochs": 3}) == {
        "learning_rate": 1e-4,
        "n_epochs": 3,
    }


def test_constant_means_constant_also_over_a_linear_base() -> None:
    base = BASE | {"learning_rate": "lin_0.0005"}
    schedule = {
        "kind": "categorical",
        "choices": ["constant", "linear"],
        "schedules": "learning_rate",
    }
    space = check_space({"schedule": schedule}, "s", "ppo", base)
    assert space.make("ppo", {"schedule": "constant"}, base).learning_rate == 0.0005
    assert space.make("ppo", {"schedule": "linear"}, base).learning_rate == "lin_0.0005"


def test_a_linear_base_stays_linear_where_no_schedule_is_searched() -> None:
    base = BASE | {"learning_rate": "lin_0.0005"}
    space = check_space({"learning_rate": LEARNING_RATE}, "s", "ppo", base)
    assert space.point_of(base) == {"learning_rate": 0.0005}
    assert space.make("ppo", {"learning_rate": 0.0005}, base).learning_rate == "lin_0.0005"
    choices = {"kind": "categorical", "choices": [0.0003, "lin_0.0003"]}
    space = check_space({"learning_rate": choices}, "s", "ppo", base)
    assert space.make("ppo", {"learning_rate": 0.0003}, base).learning_rate == 0.0003


def test_two_parameters_of_one_key_are_refused() -> None:
    data = {"learning_rate": LEARNING_RATE, "rate": LEARNING_RATE | {"sets": "learning_rate"}}
    with pytest.raises(SettingsError, match="expected learning_rate once, learning_rate sets it"):
        check_space(data, "s", "ppo", BASE)
