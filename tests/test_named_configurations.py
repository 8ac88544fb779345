"""The recipes of others, number by number as published, and what our studies found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

from sonic_sb3.errors import UnknownNameError
from sonic_sb3.hyperparams import NAMED_CONFIGURATIONS, find_conf_file, load_hyperparameters
from sonic_sb3.models import make_model
from sonic_sb3.reusing_a2c import ReusingA2C
from sonic_sb3.runs import make_policy
from sonic_sb3.shipped_files import hyperparams_dir

GAME = "SonicTheHedgehog-Genesis-v0"
BACKTRACKING = {"allow_backtracking": True, "reward_scale": 0.01}
# Of each: envs, steps per env, minibatches, epochs, learning rate, network, env settings. Then what
# they share; the published value coefficient of 0.5 halves the loss, SB3's does not.
PUBLISHED: dict[str, tuple[int, int, int, int, float, str, dict[str, Any]]] = {
    "tutorial-a2c": (13, 2048, 8, 4, 2e-4, "nature", BACKTRACKING),
    "tutorial-ppo": (13, 2048, 8, 4, 2e-4, "nature", BACKTRACKING),
    "openai-ppo": (
        1,
        4096,
        8,
        3,
        2e-4,
        "nature",
        {"reward_scale": 0.01, "frame_width": 84, "frame_height": 84},
    ),
    "borghi-fast": (1, 4096, 4, 4, 7.5e-5, "separable", BACKTRACKING),
    "borghi-joint": (47, 2048, 16, 4, 2e-4, "separable", BACKTRACKING),
}
PUBLISHED_VALUE_COEF = 0.5
# Of each tuned configuration: the folder of its study.
STUDIES = {"tuned-ppo": "ppo-act1", "tuned-a2c": "a2c-act1"}


def test_each_has_a_file_and_each_file_a_name() -> None:
    for folder, names in (("seed", set(PUBLISHED)), ("tuned", set(STUDIES))):
        assert {path.stem for path in (hyperparams_dir() / folder).glob("*.yml")} == names
    assert set(NAMED_CONFIGURATIONS) == {*PUBLISHED, *STUDIES}


@pytest.mark.parametrize("name", STUDIES)
def test_tuned_settings_are_the_exported_ones(name: str) -> None:
    """To two digits; but the budget, and a learning rate that falls over it."""
    algo = NAMED_CONFIGURATIONS[name]
    exported = Path(__file__).parent.parent / "experiments" / "tuning" / STUDIES[name] / "best.yml"
    best = load_hyperparameters(algo, "PangolinDash-Genesis-v0", exported).written()
    tuned = load_hyperparameters(algo, "PangolinDash-Genesis-v0", name).written()
    assert tuned.pop("n_timesteps") > best.pop("n_timesteps")
    rate = float(tuned.pop("learning_rate").removeprefix("lin_"))
    assert rate == pytest.approx(best.pop("learning_rate"), rel=0.02)
    for settings in (best, tuned):
        settings["ent_coef"] = f"{settings['ent_coef']:.1e}"
        scale = settings["env_kwargs"]["reward_scale"]
        settings["env_kwargs"]["reward_scale"] = f"{scale:.1e}"
    assert tuned == best


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_number(name: str) -> None:
    settings = load_hyperparameters(NAMED_CONFIGURATIONS[name], GAME, name).written()
    n_envs, n_steps, n_minibatches, n_epochs, learning_rate, extractor, env_kwargs = PUBLISHED[name]
    assert settings.pop("n_timesteps") > 0
    expected: dict[str, Any] = {
        "policy": "sonic_sb3.policies.SonicPolicy",
        "n_envs": n_envs,
        "n_steps": n_steps,
        "batch_size": n_envs * n_steps // n_minibatches,
        "n_epochs": n_epochs,
        "learning_rate": learning_rate,
        "policy_kwargs": {"extractor": extractor},
        "env_kwargs": env_kwargs,
        "frame_stack": 4,
        "ent_coef": 0.01,
        "vf_coef": PUBLISHED_VALUE_COEF / 2,
        "max_grad_norm": 0.5,
        "gamma": 0.99,
        "gae_lambda": 0.95,
    }
    if name == "tutorial-a2c":
        expected |= {"use_rms_prop": True, "rms_prop_eps": 1e-5, "normalize_advantage": False}
    else:
        expected |= {"clip_range": 0.1, "clip_range_vf": 0.1}
    assert settings == expected
    assert n_envs * n_steps % n_minibatches == 0


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads cost more than they bring with networks this small."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


class Pictures(gym.Env[Any, Any]):
    """Random pictures, and a reward for one of the actions."""

    observation_space = spaces.Box(0, 255, (4, 36, 36), np.uint8)
    action_space = spaces.Discrete(7)

    def reset(self, **kwargs: Any) -> Any:
        super().reset(**kwargs)
        self._stack = np.zeros((4, 36, 36), np.uint8)
        return self._draw(), {}

    def step(self, action: Any) -> Any:
        return self._draw(), float(action == 1), False, False, {}

    def _draw(self) -> Any:
        frame = self.np_random.integers(0, 256, (1, 36, 36), np.uint8)
        self._stack = np.concatenate([self._stack[1:], frame])
        return self._stack


def make_pictures() -> DummyVecEnv:
    return DummyVecEnv([Pictures, Pictures])


def make_a2c(**overrides: Any) -> ReusingA2C:
    changes = {"n_envs": 2, "n_steps": 32, "batch_size": 8, "policy_kwargs.features_dim": 16}
    changes |= overrides
    settings = load_hyperparameters("a2c_reuse", GAME, "tutorial-a2c", changes)
    model = make_model("a2c_reuse", make_pictures(), settings, seed=0, device="cpu")
    assert isinstance(model, ReusingA2C)
    return model


def test_tutorial_a2c_makes_32_gradient_steps_per_rollout() -> None:
    model = make_a2c()
    optimizer = model.policy.optimizer
    assert isinstance(optimizer, torch.optim.RMSprop)
    assert optimizer.defaults["alpha"] == 0.99
    assert optimizer.defaults["eps"] == 1e-5
    model.learn(64)
    steps = {int(state["step"]) for state in optimizer.state.values()}
    assert steps == {32}, "8 minibatches x 4 epochs"
    assert model._n_updates == 4


def test_loss_is_a2cs() -> None:
    model = make_a2c()
    model.learn(64)
    data = next(model.rollout_buffer.get(64))
    actions = data.actions.long().flatten()
    values, log_prob, entropy = model.policy.evaluate_actions(data.observations, actions)
    assert entropy is not None
    expected = -(data.advantages * log_prob).mean() - 0.01 * entropy.mean()
    expected = expected + 0.25 * ((data.returns - values.flatten()) ** 2).mean()
    loss, _ = model._compute_loss(data)
    torch.testing.assert_close(loss, expected)


def test_one_pass_over_a_whole_rollout_is_sb3s_a2c() -> None:
    shared = {"n_envs": 2, "n_steps": 32, "gae_lambda": 0.95, "ent_coef": 0.01, "vf_coef": 0.25}
    shared |= {"policy_kwargs.extractor": "nature", "policy_kwargs.runs_fast": False}
    shared |= {"policy_kwargs.features_dim": 16}
    settings = load_hyperparameters("a2c", overrides={**shared, "learning_rate": 2e-4})
    other = make_model("a2c", make_pictures(), settings, seed=0, device="cpu").learn(64)
    model = make_a2c(**shared, batch_size=64, n_epochs=1).learn(64)
    for name, value in other.policy.state_dict().items():
        torch.testing.assert_close(model.policy.state_dict()[name], value)


def test_networks_are_the_published_ones() -> None:
    nature = make_policy("ppo", GAME, load_hyperparameters("ppo", GAME, "tutorial-ppo"))
    kernels = [
        (m.out_channels, m.kernel_size, m.stride, m.padding)
        for m in nature.modules()
        if isinstance(m, torch.nn.Conv2d)
    ]
    assert kernels == [
        (32, (8, 8), (4, 4), (0, 0)),
        (64, (4, 4), (2, 2), (0, 0)),
        (64, (3, 3), (1, 1), (0, 0)),
    ]
    linear = [m.out_features for m in nature.modules() if isinstance(m, torch.nn.Linear)]
    assert sorted(linear) == [1, 7, 512]
    borghi = make_policy("ppo", GAME, load_hyperparameters("ppo", GAME, "borghi-fast"))
    assert sum(p.numel() for p in borghi.parameters() if p.requires_grad) == 3_550_296
    optimizer = borghi.optimizer
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.defaults["eps"] == 1e-5


def test_short_names_and_paths() -> None:
    assert find_conf_file("borghi-fast") == hyperparams_dir() / "seed" / "borghi-fast.yml"
    assert str(find_conf_file("my/file")) == "my/file"
    assert str(find_conf_file("nowhere.yml")) == "nowhere.yml"
    with pytest.raises(UnknownNameError, match="'borgi-fast': did you mean 'borghi-fast'"):
        find_conf_file("borgi-fast")
