"""A policy alone, saved and loaded as SB3's are, and what its constructor refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from sonic_sb3.errors import SettingsError
from sonic_sb3.policies import SonicPolicy
from sonic_sb3.policies.families import SonicDQNPolicy, SonicQRDQNPolicy, SonicRecurrentPolicy

SPACE = gym.spaces.Box(0, 255, (4, 64, 64), np.uint8)
ACTIONS = gym.spaces.Discrete(7)
SMALL: dict[str, Any] = {"extractor": "nature", "features_dim": 32}
POLICIES: list[tuple[Any, dict[str, Any]]] = [
    (SonicPolicy, {"precision": "bfloat16"}),
    (SonicPolicy, {"runs_fast": False, "net_arch": [16], "ortho_init": False}),
    (SonicDQNPolicy, {}),
    (SonicQRDQNPolicy, {"n_quantiles": 5}),
    (SonicRecurrentPolicy, {"lstm_hidden_size": 16, "n_lstm_layers": 2, "shared_lstm": True}),
]


@pytest.mark.parametrize(("kind", "kwargs"), POLICIES)
def test_a_policy_comes_back_as_it_was_saved(
    kind: Any, kwargs: dict[str, Any], tmp_path: Path
) -> None:
    if kwargs.get("shared_lstm"):
        kwargs = {**kwargs, "enable_critic_lstm": False}
    policy = kind(SPACE, ACTIONS, lambda _: 1e-3, **SMALL, **kwargs)
    policy.save(tmp_path / "policy.pt")
    again = kind.load(tmp_path / "policy.pt", device="cpu")
    ours, theirs = policy.state_dict(), again.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    if kind is SonicPolicy:
        assert again.precision == policy.precision
        assert again._runs_fast == policy._runs_fast
    obs = SPACE.sample()
    assert again.predict(obs, deterministic=True)[0] == policy.predict(obs, deterministic=True)[0]


@pytest.mark.parametrize("kind", [SonicPolicy, SonicDQNPolicy, SonicRecurrentPolicy])
def test_an_extractor_is_said_once(kind: Any) -> None:
    with pytest.raises(SettingsError, match="features_extractor_class: expected extractor"):
        kind(SPACE, ACTIONS, lambda _: 1e-3, features_extractor_class=torch.nn.Flatten)


def test_features_are_shared() -> None:
    with pytest.raises(SettingsError, match="share_features_extractor: expected true"):
        SonicPolicy(SPACE, ACTIONS, lambda _: 1e-3, share_features_extractor=False)


def test_the_users_way_of_adam_is_kept() -> None:
    policy = SonicPolicy(SPACE, ACTIONS, lambda _: 1e-3, optimizer_kwargs={"foreach": True})
    assert not policy.optimizer.defaults["fused"]
    assert SonicPolicy(SPACE, ACTIONS, lambda _: 1e-3).optimizer.defaults["fused"]
