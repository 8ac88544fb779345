"""A learning rate that falls when the agent is ready: the schedule, plain SB3, rl-zoo3, resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import yaml
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.utils import LinearSchedule

import sonic_sb3
from sonic_sb3 import train, training
from sonic_sb3.annealing import AnnealedSchedule, AnnealWhenReady
from sonic_sb3.errors import SettingsError
from sonic_sb3.hyperparams import load_hyperparameters
from sonic_sb3.plots import read_monitor
from sonic_sb3.run_folder import open_run_folder
from sonic_sb3.schedules import make_schedule

from .run_checks import SMALL_PPO, Killed, assert_same, interrupt

GAME = "PangolinDash-Genesis-v0"
PATH = "sonic_sb3.annealing.AnnealWhenReady"


class SoonSolved(gym.Env[Any, Any]):
    """Episodes of one step; those after the first hundred and fifty succeed."""

    observation_space = gym.spaces.Box(0, 1, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def __init__(self) -> None:
        self.n_episodes = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.n_episodes += 1
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        info = {"is_success": self.n_episodes > 150}
        return np.zeros(1, np.float32), 0.0, True, False, info


class Rates(AnnealWhenReady):
    """Keeps the rate of each update."""

    def _on_training_start(self) -> None:
        super()._on_training_start()
        self.rates: list[float] = []
        self.ent_coefs: list[float] = []

    def _on_rollout_start(self) -> None:
        self.ent_coefs.append(self.model.ent_coef)
        self.rates.append(self.model.policy.optimizer.param_groups[0]["lr"])


def make_ppo(ent_coef: float = 0.0) -> PPO:
    return PPO(
        "MlpPolicy",
        SoonSolved(),
        n_steps=20,
        batch_size=20,
        n_epochs=1,
        learning_rate=0.1,
        ent_coef=ent_coef,
    )


def test_the_schedule_is_a_line_to_zero_from_where_annealing_begins() -> None:
    schedule = AnnealedSchedule(make_schedule(0.5, 1000), 1000, 200)
    assert [schedule(x) for x in (1.0, 0.5, 0.0)] == [0.5] * 3
    schedule.begun_at = 400
    assert schedule.end == 600
    rates = [schedule(1 - n / 1000) for n in (400, 450, 500, 600, 700)]
    assert rates == pytest.approx([0.5, 0.375, 0.25, 0.0, 0.0])


def test_plain_sb3_is_annealed_when_it_succeeds() -> None:
    rates = Rates(success_rate=0.8, n_timesteps=100)
    model = make_ppo()
    model.learn(10_000, rates)
    # 80 of the last hundred: the 230th episode, which is known at the rollout's end, 240.
    assert rates.end == 340
    assert model.num_timesteps == 340
    # The first rollout has the optimiser's own rate; the line is met at the ends of rollouts.
    assert rates.rates[:13] == pytest.approx([0.1] * 13)
    assert rates.rates[13:] == pytest.approx([0.08, 0.06, 0.04, 0.02])


def test_the_entropy_coefficient_is_lowered_when_it_succeeds() -> None:
    rates = Rates(n_timesteps=100, ent_coef=0.01)
    model = make_ppo(ent_coef=0.5)
    model.learn(10_000, rates)
    assert rates.ent_coefs == [0.5] * 12 + [0.01] * 5  # from the end of the rollout to 240
    assert model.ent_coef == 0.5, "what is saved is what was given"


def test_a_short_training_keeps_its_entropy_coefficient_until_it_succeeds() -> None:
    rates = Rates(n_timesteps=100_000, ent_coef=0.01)
    make_ppo(ent_coef=0.5).learn(300, rates)
    assert rates.ent_coefs == [0.5] * 12 + [0.01] * 3


def test_an_algorithm_without_entropy_coefficient_is_refused() -> None:
    with pytest.raises(SettingsError, match="entropy coefficient"):
        DQN("MlpPolicy", SoonSolved()).learn(10, AnnealWhenReady(ent_coef=0.01))
    for algo in ("dqn", "qrdqn", "trpo"):
        with pytest.raises(SettingsError, match="entropy coefficient"):
            load_hyperparameters(algo, GAME, overrides={"callback": {PATH: {"ent_coef": 0.01}}})


def test_without_success_the_rate_falls_at_the_end() -> None:
    rates = Rates(success_rate=None, n_timesteps=100)
    model = make_ppo()
    model.learn(400, rates)
    assert model.num_timesteps == 400
    assert rates.rates[:16] == [0.1] * 16
    assert rates.rates[16:] == pytest.approx([0.08, 0.06, 0.04, 0.02])


def test_as_long_as_the_training_it_is_a_linear_schedule() -> None:
    rates = Rates(n_timesteps=300)
    make_ppo().learn(300, rates)
    stock = PPO(
        "MlpPolicy",
        SoonSolved(),
        n_steps=20,
        batch_size=20,
        n_epochs=1,
        learning_rate=LinearSchedule(0.1, 0.0, 1.0),
    )
    theirs: list[float] = []

    def tell(locals_: dict[str, Any], _: Any) -> bool:
        if locals_["n_steps"] == 0:
            theirs.append(stock.policy.optimizer.param_groups[0]["lr"])
        return True

    stock.learn(300, callback=tell)
    assert rates.rates[1:] == pytest.approx(theirs[1:])


def test_a_second_training_begins_anew(tmp_path: Path) -> None:
    callback = AnnealWhenReady(n_timesteps=100)
    model = make_ppo()
    model.learn(10_000, callback)
    model.save(tmp_path / "model")
    again = PPO.load(tmp_path / "model", env=SoonSolved())
    again.learn(10_000, AnnealWhenReady(success_rate=None, n_timesteps=9_800))
    assert again.num_timesteps == 10_000
    model.learn(200, callback)
    assert callback.end == 200, "it knows nothing of the first training"


def test_rl_zoo3_makes_it_from_our_file(tmp_path: Path) -> None:
    from rl_zoo3.utils import get_callback_list

    overrides = {"callback": {PATH: {"success_rate": 0.5, "n_timesteps": 7}}}
    written = load_hyperparameters("ppo", GAME, overrides=overrides).written()
    (made,) = get_callback_list(written)
    assert isinstance(made, AnnealWhenReady)
    assert (made._success_rate, made._n_timesteps) == (0.5, 7)


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        ({"os.system": {}}, "callback"),
        ({PATH: {"success_rate": 1.5}}, "success_rate"),
        ({PATH: {"n_timesteps": 0}}, "n_timesteps"),
        ({PATH: {"ent_coef": -1.0}}, "ent_coef"),
        ({PATH: {"rate": 0.5}}, "rate"),
        (PATH, "callback"),
    ],
)
def test_other_callbacks_and_numbers_are_refused(callback: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_hyperparameters("ppo", GAME, overrides={"callback": callback})
    if isinstance(callback, dict) and PATH in callback and "rate" not in callback[PATH]:
        with pytest.raises(SettingsError, match=message):
            AnnealWhenReady(**callback[PATH])


ENTRY = SMALL_PPO | {"callback": {PATH: {"success_rate": None, "n_timesteps": 80}}}


def run(entry: dict[str, Any], logs: Path) -> Path:
    conf = logs.with_suffix(".yml")
    conf.write_text(yaml.safe_dump({"default": entry}))
    argv = ["--algo", "ppo", "--conf-file", str(conf), "-f", str(logs), "--n-workers", "1"]
    argv += ["--num-threads", "1", "--seed", "3", "--eval-episodes", "1"]
    assert train.main([*argv, "--snapshot-freq", "1"]) == 0
    return run_folder_of(logs)


def run_folder_of(logs: Path) -> Path:
    return logs / "ppo" / f"{GAME}_1"


def assert_same_after_resuming(killed: Path, calm: Path) -> None:
    assert train.main(["--resume", str(killed)]) == 0
    weights, monitor = read_run(killed)
    calm_weights, calm_monitor = read_run(calm)
    assert_same(weights, calm_weights)
    assert monitor == calm_monitor
    assert n_timesteps_trained(killed) == n_timesteps_trained(calm)


def read_run(folder: Path) -> tuple[dict[str, Any], dict[str, list[str]]]:
    monitor = read_monitor(folder / "0.monitor.csv")
    monitor.pop("t")
    return dict(sonic_sb3.load_run(folder).load_policy().state_dict()), monitor


def n_timesteps_trained(folder: Path) -> int:
    return int(open_run_folder(folder).read_manifest()["n_timesteps_trained"])


def run_until_killed(entry: dict[str, Any], logs: Path) -> Path:
    with pytest.raises(Killed):
        run(entry, logs)
    return run_folder_of(logs)


@pytest.mark.parametrize("at_step", [20, 50])
def test_it_goes_on_after_a_kill(
    at_step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = run(ENTRY, tmp_path / "calm")
    with monkeypatch.context() as patch:
        interrupt(patch, at_step)
        killed = run_until_killed(ENTRY, tmp_path / "killed")
    assert_same_after_resuming(killed, calm)
    assert n_timesteps_trained(killed) == 128


# Ready when a hundred episodes of two steps are full, after the 7th rollout of 32 timesteps.
SOON_READY = ENTRY | {
    "n_timesteps": 400,
    "ent_coef": 0.5,
    "env_kwargs": ENTRY["env_kwargs"] | {"max_episode_steps": 2},
    "callback": {PATH: {"success_rate": 0.0, "n_timesteps": 80, "ent_coef": 0.0}},
}


def test_the_lowered_entropy_coefficient_is_there_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = run(SOON_READY, tmp_path / "calm")
    with monkeypatch.context() as patch:
        interrupt(patch, at_step=7 * 16 + 20)
        killed = run_until_killed(SOON_READY, tmp_path / "killed")
    assert_same_after_resuming(killed, calm)


def test_what_annealing_has_ended_is_only_judged_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = run(SOON_READY, tmp_path / "calm")

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(training, "_evaluate_at_end", die)
        killed = run_until_killed(SOON_READY, tmp_path / "killed")
    assert_same_after_resuming(killed, calm)
    assert n_timesteps_trained(killed) == 304
