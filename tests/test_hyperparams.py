"""Settings files: what is read, what is refused, and how the message reads."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import sonic_sb3
from sonic_sb3.algorithm_settings import ALGORITHM_SETTINGS, EnvKwargs
from sonic_sb3.envs.make import make_env
from sonic_sb3.errors import SettingsError, SonicError, UnknownNameError
from sonic_sb3.hyperparams import load_hyperparameters, parse_overrides
from sonic_sb3.plain_yaml import parse_mapping
from sonic_sb3.schedules import make_schedule
from sonic_sb3.shipped_files import hyperparams_dir

GOOD: dict[str, Any] = {"n_timesteps": 1000, "learning_rate": 1.0e-4, "batch_size": 64}


def write(path: Path, entry: Any, key: str = "default") -> Path:
    path.write_text(yaml.safe_dump({key: entry}))
    return path


@pytest.mark.parametrize("algo", ALGORITHM_SETTINGS)
def test_shipped_files_are_valid(algo: str) -> None:
    assert sonic_sb3.load_hyperparameters(algo).n_timesteps > 0
    text = (hyperparams_dir() / f"{algo}.yml").read_text()
    for key, value in yaml.safe_load(text)["default"].items():
        if key in ("learning_rate", "clip_range", "ent_coef", "rms_prop_eps"):
            assert not isinstance(value, str) or value.startswith("lin_"), (
                f"{key}: rl-zoo3 would read {value!r} as a text"
            )


def test_numbers_yaml_takes_for_text_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "ppo.yml"
    path.write_text("default: {n_timesteps: 1000, learning_rate: 1e-4, ent_coef: 1e-2}")
    settings = load_hyperparameters("ppo", conf_file=path)
    assert settings.learning_rate == 1e-4
    assert settings.ent_coef == 0.01


def test_linear_schedule_goes_to_zero(tmp_path: Path) -> None:
    path = write(tmp_path / "ppo.yml", GOOD | {"learning_rate": "lin_2.5e-4"})
    text = load_hyperparameters("ppo", conf_file=path).written()["learning_rate"]
    schedule = make_schedule(text, 1000)
    assert [schedule(p) for p in (1.0, 0.5, 0.0)] == [2.5e-4, 1.25e-4, 0.0]
    assert schedule(-0.5) == 0.0, "in a rollout that goes beyond the end"


def test_game_key_comes_before_default(tmp_path: Path) -> None:
    path = tmp_path / "ppo.yml"
    entries = {"default": GOOD, "Airstriker-Genesis-v0": GOOD | {"n_timesteps": 7}}
    path.write_text(yaml.safe_dump(entries))
    assert load_hyperparameters("ppo", "Airstriker-Genesis-v0", path).n_timesteps == 7
    assert load_hyperparameters("ppo", "Other-v0", path).n_timesteps == 1000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rat": 1}, "unknown key 'learning_rat': did you mean 'learning_rate'"),
        ({"env_kwargs": {"frameskip": 4}}, "'frameskip': did you mean 'frame_skip'"),
        ({"policy_kwargs": {"extractor": "resnet"}}, "policy_kwargs.extractor"),
        ({"policy": "os.system"}, "policy: .*SonicPolicy"),
        ({"gamma": 1.5}, "gamma: .*less than or equal to 1, got 1.5"),
        ({"gamma": float("nan")}, "gamma"),
        ({"learning_rate": "exp_3"}, "learning_rate: expected a number or lin_NUMBER"),
        ({"learning_rate": -1}, "learning_rate: .*above 0"),
        ({"learning_rate": "lin_inf"}, "learning_rate: .*at most"),
        ({"n_steps": 0}, "n_steps"),
        ({"n_steps": 10.5}, "n_steps"),
        ({"n_steps": True}, "n_steps: expected a number, got True"),
        ({"n_timesteps": 0}, "n_timesteps: .*greater than or equal to 1, got 0"),
        ({"batch_size": 10**6}, "batch_size: expected at most n_steps x n_envs = 2048"),
        ({"stages": [{"levels": "train", "n_timesteps": 5, "seed": 1}]}, "'seed'.*n_timesteps"),
        (
            {"stages": [{"levels": "train", "n_timesteps": 5, "env_kwargs": {"noops": 1}}]},
            "stages: 0: env_kwargs: unknown key 'noops': did you mean 'noop_max'",
        ),
        ({"env_kwargs": {"sticky_prob": 2}}, "env_kwargs.sticky_prob"),
        ({"env_kwargs": "dict(level='x')"}, "env_kwargs"),
        ({"env_kwargs": {"actions": "contest8"}}, "env_kwargs.actions: .*'contest7'"),
        ({"env_kwargs": {"actions": [["JUMP"]]}}, "env_kwargs.actions: unknown button 'JUMP'"),
        ({"env_kwargs": {"level_draw": "all"}}, "env_kwargs.level_draw"),
        ({"env_kwargs": {"rewards": [{"term": "tme"}]}}, "env_kwargs.rewards: .*'time'"),
        (
            {"env_kwargs": {"rewards": [{"term": "time", "weight": 1, "decay": {"power": 1}}]}},
            "env_kwargs.rewards: .*lacks its horizon",
        ),
        (
            {"frame_stack": 33, "env_kwargs": {"grayscale_obs": False}},
            "frame_stack: expected at most 32 .*, got 33",
        ),
        ({"env_kwargs": {"gray_shift": 300}}, "env_kwargs.gray_shift"),
        ({"env_kwargs": {"retry_prob": 1.5}}, "env_kwargs.retry_prob"),
        ({"env_kwargs": {"crop_top_px": -1}}, "env_kwargs.crop_top_px"),
        ({"callback": {"os.system": {}}}, "callback.*sonic_sb3.annealing.AnnealWhenReady"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "ppo.yml", GOOD | change)
    with pytest.raises(SonicError, match=message) as error:
        load_hyperparameters("ppo", conf_file=path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("algo", "settings"),
    [
        ("ppo_lstm", {"n_envs": 1, "n_steps": 129, "batch_size": 64}),
        ("a2c_reuse", {"n_envs": 3, "n_steps": 43, "batch_size": 64, "normalize_advantage": True}),
        ("a2c", {"n_envs": 1, "n_steps": 1, "normalize_advantage": True}),
    ],
)
def test_advantages_of_one_timestep_cannot_be_normalised(
    algo: str, settings: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError, match=r"expected .*at least 2, advantages are normalised"):
        load_hyperparameters(algo, overrides=settings)
    load_hyperparameters(algo, overrides={**settings, "normalize_advantage": False})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- 1", "expected a mapping"),
        ("", "expected a mapping"),
        ("a: [", "expected plain YAML"),
        ("default: !!python/object/apply:os.system ['true']", "expected plain YAML"),
        ("default: 3", "expected a mapping of hyperparameters"),
        ("other: {}", "expected a key 'default'"),
        ("default: {a: 1, a: 2}", "stands twice"),
        ("a: &a [x, x]\nb: &b [*a, *a]\n" + "c: &c [*b, *b]\n" * 1, "expected a key"),
        ("x: " + "[" * 3000, "nested at most 20 deep"),
        ("a: &a {b: 1}\nc: {<<: [" + "*a, " * 60 + "]}", "at most 50 mappings under <<, line 2"),
        ("default: {<<: 3}", "expected plain YAML"),
        (r'default: {policy: "\ud83d"}', "expected text, got half a character, line 1"),
    ],
)
def test_unreadable_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "ppo.yml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        load_hyperparameters("ppo", conf_file=path)


def test_a_small_file_that_grows_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 12)]
    path = tmp_path / "ppo.yml"
    path.write_text("\n".join(lines))
    with pytest.raises(SettingsError, match="at most"):
        load_hyperparameters("ppo", conf_file=path)


def test_merged_mappings_that_grow_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 {" + ", ".join(f"x{k}: 1" for k in range(50)) + "}"]
    lines += [f"a{k}: &a{k} {{<<: [{', '.join([f'*a{k - 1}'] * 50)}]}}" for k in range(1, 12)]
    path = tmp_path / "ppo.yml"
    path.write_text("\n".join(lines))
    with pytest.raises(SettingsError, match="at most"):
        load_hyperparameters("ppo", conf_file=path)


def test_mappings_are_merged_as_in_rl_zoo3s_files() -> None:
    text = (
        "base: &base {a: 1, b: 2}\nmore: {deep: &deep {<<: *base, b: 3}}\nlast: {<<: *deep, c: 4}"
    )
    assert parse_mapping(text, "x")["more"]["deep"] == {"a": 1, "b": 3}
    assert parse_mapping(text, "x")["last"] == {"a": 1, "b": 3, "c": 4}
    assert parse_mapping(r'a: "\ud83d\ude00"', "x") == {"a": "😀"}


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read .*nowhere\.yml"):
        load_hyperparameters("ppo", conf_file=tmp_path / "nowhere.yml")


def test_algorithms_for_other_actions_say_so() -> None:
    with pytest.raises(SettingsError, match="sac needs continuous actions"):
        load_hyperparameters("sac")
    with pytest.raises(UnknownNameError, match="'ppoo': did you mean 'ppo'"):
        load_hyperparameters("ppoo")


def test_overrides_reach_into_mappings() -> None:
    pairs = ["n_steps:256", "env_kwargs.frame_skip:8", "learning_rate:lin_1e-3"]
    settings = load_hyperparameters("ppo", overrides=parse_overrides(pairs, "-params"))
    assert settings.written()["n_steps"] == 256
    assert settings.env_kwargs.frame_skip == 8
    assert settings.env_kwargs.reward_scale == 0.001, "the rest of the mapping stays"
    assert settings.learning_rate == "lin_0.001"
    with pytest.raises(SettingsError, match="expected key:value, got 'n_steps=3'"):
        parse_overrides(["n_steps=3"], "-params")


def test_env_kwargs_are_those_of_make_env() -> None:
    import inspect

    parameters = inspect.signature(make_env).parameters
    of_the_caller = {"game_id", "render_mode", "record_inputs"}
    assert set(EnvKwargs.model_fields) == set(parameters) - of_the_caller
    for name, field in EnvKwargs.model_fields.items():
        assert field.default == parameters[name].default, name


@given(
    st.dictionaries(
        st.sampled_from([*ALGORITHM_SETTINGS["ppo"].model_fields, "x", "callback"]),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(),
            st.text(max_size=8),
            st.lists(st.integers(), max_size=2),
            st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
        ),
        max_size=6,
    )
)
def test_any_data_is_read_or_refused_in_one_line(entry: dict[str, Any]) -> None:
    with contextlib.suppress(SonicError):
        load_hyperparameters("ppo", overrides=entry)
