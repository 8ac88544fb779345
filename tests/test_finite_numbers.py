"""NaN and infinity stop a run, and the last good snapshot stays."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from sonic_sb3 import train
from sonic_sb3.errors import NotFiniteError
from sonic_sb3.finite_numbers import (
    StopAtNotFinite,
    blaming_numbers,
    check_finite,
    check_outputs,
)
from sonic_sb3.plain_data import load_data
from tests.chaos.run_folders import make_policy

GAME = "Airstriker-Genesis-v0"


def make_model(**logged: float) -> Any:
    """As much of an SB3 model as the checks look at."""
    return SimpleNamespace(
        policy=make_policy(),
        num_timesteps=640,
        logger=SimpleNamespace(name_to_value=logged),
        rollout_buffer=SimpleNamespace(rewards=np.zeros(3)),
        ep_info_buffer=deque(),
        _last_obs=np.zeros((1, 1, 36, 36), np.uint8),
    )


def test_good_numbers_pass() -> None:
    # Explained variance is not defined where all returns are the same.
    nan = float("nan")
    logged = {"train/loss": 0.5, "rollout/ep_rew_mean": nan, "train/explained_variance": nan}
    model = make_model(**logged)
    check_finite(model)
    check_outputs(model)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_is_named(value: float) -> None:
    with pytest.raises(NotFiniteError, match=f"at timestep 640 value_loss is {value}"):
        check_finite(make_model(**{"train/value_loss": value}))


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_weight_is_named(value: float) -> None:
    model = make_model()
    with torch.no_grad():
        model.policy.value_net.weight[0, 3] = value
    with pytest.raises(NotFiniteError, match=r"weight value_net\.weight has NaN"):
        check_finite(model)


def test_large_weights_are_numbers_but_their_outputs_may_not_be() -> None:
    model = make_model()
    model._last_obs[:] = 255
    with torch.no_grad():
        for weight in model.policy.parameters():
            weight.fill_(1e30)
    check_finite(model)
    with pytest.raises(NotFiniteError, match="outputs have NaN"):
        check_outputs(model)


def test_a_gradient_stops_before_the_weights_are_spoilt() -> None:
    model = make_model()
    model.rollout_buffer.rewards[1] = np.nan
    callback = StopAtNotFinite()
    callback.model = model
    callback._on_training_start()
    before = model.policy.action_net.bias.detach().clone()
    for weight in model.policy.parameters():
        weight.grad = torch.full_like(weight, float("nan"))
    with pytest.raises(NotFiniteError, match=r"a gradient .* among the rollout's rewards"):
        model.policy.optimizer.step()
    assert torch.equal(before, model.policy.action_net.bias)


def test_other_errors_pass_through() -> None:
    with pytest.raises(ValueError, match="something else"), blaming_numbers(make_model()):
        raise ValueError("something else")


def test_a_run_ends_with_its_last_good_snapshot(tmp_path: Path, capsys: Any) -> None:
    argv = ["--env", GAME, "-n", "640", "--n-envs", "1", "--seed", "3", "--eval-episodes", "0"]
    argv += ["-f", str(tmp_path), "--snapshot-freq", "1", "-params", "learning_rate:1e+30"]
    argv += ["n_steps:32", "batch_size:32", "n_epochs:1", "policy_kwargs.features_dim:8"]
    argv += [
        "env_kwargs.frame_width:36",
        "env_kwargs.frame_height:36",
        "policy_kwargs.extractor:nature",
    ]
    assert train.main(argv) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: training stopped: at timestep ")
    assert "last good snapshot is kept" in error
    assert "learning_rate" in error
    snapshot = load_data(tmp_path / "ppo" / f"{GAME}_1" / "resume.snapshot")
    assert all(np.isfinite(weight).all() for weight in snapshot["policy"].values())
    assert not (tmp_path / "ppo" / f"{GAME}_1" / f"{GAME}.zip").exists()
