"""
What each algorithm can be told: envs, network and learning. A field below is a key of the files in
``hyperparams/``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from sonic_sb3.action_sets import parse_actions
from sonic_sb3.errors import SonicError
from sonic_sb3.reward_terms import parse_rewards
from sonic_sb3.schedules import check_learning_rate, check_schedule, warmup_timesteps
from sonic_sb3.strict_settings import (
    Count,
    Fraction,
    NotNegative,
    Number,
    Positive,
    StrictSettings,
    not_bool,
)


def _check_actions(value: Any) -> Any:
    with _saying_value_error():
        if value is not None:
            parse_actions(value)
    return value


def _check_rewards(value: Any) -> Any:
    with _saying_value_error():
        if value is not None:
            parse_rewards(value)
    return value


@contextmanager
def _saying_value_error() -> Iterator[None]:
    """What pydantic understands, and puts the key in front of."""
    try:
        yield
    except SonicError as error:
        raise ValueError(str(error)) from None


Schedule = Annotated[float | str, BeforeValidator(check_schedule)]
LearningRate = Annotated[float | str, BeforeValidator(check_learning_rate)]


class EnvKwargs(StrictSettings):
    """Keyword arguments of :func:`sonic_sb3.make_env`."""

    level: str | list[str] | None = None
    level_draw: Literal["pinned", "in_turn", "uniform", "unsolved"] = "pinned"
    actions: Annotated[str | list[Any] | None, BeforeValidator(_check_actions)] = None
    frame_skip: Annotated[Count, Field(le=60)] = 4
    sticky_prob: Fraction = 0.25
    noop_max: Annotated[int, BeforeValidator(not_bool), Field(ge=0, le=600)] = 0
    max_episode_steps: Count = 4500
    rewards: Annotated[list[Any] | None, BeforeValidator(_check_rewards)] = None
    allow_backtracking: bool = False
    reward_scale: Positive = 1.0
    frame_width: Annotated[Count, Field(ge=36, le=320)] = 96
    frame_height: Annotated[Count, Field(ge=36, le=320)] = 96
    grayscale_obs: bool = True
    crop_top_px: Annotated[int, BeforeValidator(not_bool), Field(ge=0, le=160)] = 0
    gray_shift: Annotated[int, BeforeValidator(not_bool), Field(ge=0, le=255)] = 0
    retry_prob: Fraction | None = None
    fast_emulator: bool = True

    @property
    def n_channels(self) -> int:
        """Of one observation, before they are stacked."""
        return 1 if self.grayscale_obs else 3

    def of_an_evaluation(self) -> dict[str, Any]:
        """What was written, without what is for training alone; levels are planned elsewhere."""
        of_training = ("level", "level_draw", "gray_shift", "retry_prob")
        return {key: value for key, value in self.written().items() if key not in of_training}


class Stage(StrictSettings):
    """
    A part of a training with envs of its own; ``env_kwargs`` replace those of the run by key.
    """

    levels: str | list[str]
    n_timesteps: Count
    env_kwargs: EnvKwargs = EnvKwargs()


class AnnealKwargs(StrictSettings):
    """Keyword arguments of :class:`sonic_sb3.annealing.AnnealWhenReady`."""

    success_rate: Fraction | None = 0.8
    n_timesteps: Count = 300_000
    ent_coef: NotNegative | None = None


# As rl-zoo3 has them: the class by its dotted path, and what it is made with.
Callbacks = dict[Literal["sonic_sb3.annealing.AnnealWhenReady"], AnnealKwargs]


class NetworkKwargs(StrictSettings):
    """What the policies of all algorithms take."""

    extractor: Literal["separable", "blog", "nature"] = "separable"
    features_dim: Annotated[Count, Field(le=8192)] = 512


class PolicyKwargs(NetworkKwargs):
    """Keyword arguments of :class:`sonic_sb3.policies.SonicPolicy`."""

    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    runs_fast: bool = True


class QuantileKwargs(NetworkKwargs):
    """Keyword arguments of :class:`sonic_sb3.policies.SonicQRDQNPolicy`."""

    n_quantiles: Annotated[Count, Field(le=10_000)] = 200


class RecurrentKwargs(NetworkKwargs):
    """Keyword arguments of :class:`sonic_sb3.policies.SonicRecurrentPolicy`."""

    lstm_hidden_size: Annotated[Count, Field(le=4096)] = 256
    n_lstm_layers: Annotated[Count, Field(le=16)] = 1
    enable_critic_lstm: bool = True


class Hyperparameters(StrictSettings):
    """What all algorithms share."""

    n_timesteps: Count
    n_envs: Annotated[Count, Field(le=4096)] = 1
    frame_stack: Annotated[Count, Field(le=64)] = 4
    env_kwargs: EnvKwargs = EnvKwargs()
    stages: tuple[Stage, ...] = ()

    @model_validator(mode="after")
    def _check_stages(self) -> Self:
        n_timesteps = sum(stage.n_timesteps for stage in self.stages)
        if self.stages and n_timesteps != self.n_timesteps:
            raise ValueError(
                f"n_timesteps: expected the sum of the stages' timesteps, {n_timesteps}, "
                f"got {self.n_timesteps}"
            )
        parts = [self.env_kwargs, *(stage.env_kwargs for stage in self.stages)]
        if self.stages and any(part.level is not None for part in parts):
            raise ValueError("env_kwargs.level: expected none, each of the stages has its levels")
        return self

    def algorithm_kwargs(self) -> dict[str, Any]:
        """What goes to the SB3 constructor beside policy and env; schedules still as text."""
        shared = {"policy", "policy_kwargs", "callback", *Hyperparameters.model_fields}
        return {key: value for key, value in self.written().items() if key not in shared}

    def replay_bytes(self) -> int:
        """Memory of the replay buffer; 0 for algorithms without one."""
        return 0


class LearningHyperparameters(Hyperparameters):
    """What all algorithms share that have a network to learn with."""

    policy: str
    policy_kwargs: NetworkKwargs = NetworkKwargs()
    learning_rate: LearningRate
    gamma: Fraction = 0.99
    callback: Callbacks = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_picture(self) -> Self:
        n_channels = self.frame_stack * self.env_kwargs.n_channels
        smallest = min(self.env_kwargs.frame_width, self.env_kwargs.frame_height)
        if n_channels > smallest:  # SB3 takes the smallest axis for the channels
            raise ValueError(
                f"frame_stack: expected at most {smallest // self.env_kwargs.n_channels} with "
                f"frames of this size, got {self.frame_stack}"
            )
        return self

    @model_validator(mode="after")
    def _check_warmup(self) -> Self:
        n_warmup = warmup_timesteps(self.learning_rate)
        if n_warmup > self.n_timesteps:
            raise ValueError(
                f"learning_rate: expected a warm-up of at most n_timesteps = {self.n_timesteps}, "
                f"got {n_warmup} timesteps"
            )
        return self

    @model_validator(mode="after")
    def _check_callback(self) -> Self:
        lowers = any(kwargs.ent_coef is not None for kwargs in self.callback.values())
        if lowers and not hasattr(self, "ent_coef"):
            raise ValueError(
                "callback: expected no ent_coef, this algorithm has no entropy coefficient"
            )
        return self


class OnPolicyHyperparameters(LearningHyperparameters):
    """What A2C, PPO and their kin share."""

    policy: Literal["sonic_sb3.policies.SonicPolicy"] = "sonic_sb3.policies.SonicPolicy"
    policy_kwargs: PolicyKwargs = PolicyKwargs()
    gae_lambda: Fraction = 0.95
    ent_coef: NotNegative = 0.0
    vf_coef: NotNegative = 0.5
    max_grad_norm: Positive = 0.5
    normalize_advantage: bool = True


def _check_last_minibatch(n_rollout: int, batch_size: int) -> None:
    if n_rollout % batch_size == 1:
        raise ValueError(
            f"batch_size: the last of {n_rollout} timesteps in batches of {batch_size} is alone, "
            "expected at least 2, advantages are normalised over them"
        )


def _check_minibatch(n_steps: int, n_envs: int, batch_size: int) -> None:
    n_rollout = n_steps * n_envs
    if batch_size > n_rollout:
        raise ValueError(
            f"batch_size: expected at most n_steps x n_envs = {n_rollout}, got {batch_size}"
        )
    if n_rollout < 2 or batch_size < 2:
        raise ValueError("batch_size: expected at least 2, advantages are normalised over it")


class PPOHyperparameters(OnPolicyHyperparameters):
    """Of ``stable_baselines3.PPO``."""

    n_steps: Count = 2048
    batch_size: Count = 64
    n_epochs: Count = 10
    clip_range: Schedule = 0.2
    clip_range_vf: Schedule | None = None
    target_kl: Positive | None = None

    @model_validator(mode="after")
    def _check_batch(self) -> Self:
        _check_minibatch(self.n_steps, self.n_envs, self.batch_size)
        return self


class RecurrentPPOHyperparameters(PPOHyperparameters):
    """Of ``sb3_contrib.RecurrentPPO``."""

    policy: Literal["sonic_sb3.policies.SonicRecurrentPolicy"] = (
        "sonic_sb3.policies.SonicRecurrentPolicy"  # type: ignore[assignment]
    )
    policy_kwargs: RecurrentKwargs = RecurrentKwargs()  # type: ignore[assignment]
    n_steps: Count = 128
    batch_size: Count = 128

    @model_validator(mode="after")
    def _check_last_batch(self) -> Self:
        if self.normalize_advantage:  # which PPO leaves out for a single one
            _check_last_minibatch(self.n_steps * self.n_envs, self.batch_size)
        return self


class A2CHyperparameters(OnPolicyHyperparameters):
    """Of ``stable_baselines3.A2C``."""

    n_steps: Count = 5
    use_rms_prop: bool = True
    rms_prop_eps: Positive = 1e-5
    normalize_advantage: bool = False

    @model_validator(mode="after")
    def _check_rollout(self) -> Self:
        if self.normalize_advantage and self.n_steps * self.n_envs < 2:
            raise ValueError(
                "n_steps: expected n_steps x n_envs of at least 2, advantages are normalised over "
                "them"
            )
        return self


class ReusingA2CHyperparameters(A2CHyperparameters):
    """Of :class:`sonic_sb3.reusing_a2c.ReusingA2C`."""

    n_steps: Count = 2048
    batch_size: Count = 256
    n_epochs: Count = 4

    @model_validator(mode="after")
    def _check_batch(self) -> Self:
        _check_minibatch(self.n_steps, self.n_envs, self.batch_size)
        if self.normalize_advantage:
            _check_last_minibatch(self.n_steps * self.n_envs, self.batch_size)
        return self


class TRPOHyperparameters(LearningHyperparameters):
    """Of ``sb3_contrib.TRPO``; ``learning_rate`` is the value function's."""

    policy: Literal["sonic_sb3.policies.SonicPolicy"] = "sonic_sb3.policies.SonicPolicy"
    policy_kwargs: PolicyKwargs = PolicyKwargs()
    gae_lambda: Fraction = 0.95
    normalize_advantage: bool = True
    n_steps: Count = 2048
    batch_size: Count = 128
    n_critic_updates: Count = 10
    cg_max_steps: Count = 15
    cg_damping: NotNegative = 0.1
    line_search_shrinking_factor: Annotated[Number, Field(gt=0, lt=1)] = 0.8
    line_search_max_iter: Count = 10
    target_kl: Positive = 0.01
    sub_sampling_factor: Count = 1

    @model_validator(mode="after")
    def _check_batch(self) -> Self:
        _check_minibatch(self.n_steps, self.n_envs, self.batch_size)
        if self.policy_kwargs.runs_fast:
            # It lays weights out anew in memory, a resumed run would round otherwise than before.
            raise ValueError("policy_kwargs.runs_fast: expected false, TRPO cannot make use of it")
        return self


class DQNHyperparameters(LearningHyperparameters):
    """Of ``stable_baselines3.DQN``."""

    policy: Literal["sonic_sb3.policies.SonicDQNPolicy"] = "sonic_sb3.policies.SonicDQNPolicy"
    buffer_size: Count = 100_000
    learning_starts: Annotated[int, BeforeValidator(not_bool), Field(ge=0)] = 100
    batch_size: Count = 32
    tau: Fraction = 1.0
    train_freq: Count = 4
    gradient_steps: Annotated[int, BeforeValidator(not_bool), Field(ge=-1)] = 1
    n_steps: Annotated[Count, Field(le=1000)] = 1
    target_update_interval: Count = 10_000
    exploration_fraction: Fraction = 0.1
    exploration_initial_eps: Fraction = 1.0
    exploration_final_eps: Fraction = 0.05
    max_grad_norm: Positive = 10.0

    @model_validator(mode="after")
    def _check_buffer(self) -> Self:
        if self.learning_starts >= self.n_timesteps:
            raise ValueError(
                f"learning_starts: expected fewer than n_timesteps = {self.n_timesteps}, for "
                f"nothing would be learned, got {self.learning_starts}"
            )
        # Twice a rollout, so that what is not on disk yet is never overwritten.
        smallest = self.n_envs * max(self.n_steps + 1, 2 * self.train_freq)
        if self.buffer_size < smallest:
            raise ValueError(
                f"buffer_size: expected at least n_envs x 2 x train_freq and n_envs x "
                f"(n_steps + 1), here {smallest}, got {self.buffer_size}"
            )
        return self

    def replay_bytes(self) -> int:
        """A frame, an action, a reward, two flags and an age per timestep, as stored."""
        n_rows = max(self.buffer_size // self.n_envs, 1)
        frame = self.env_kwargs.frame_width * self.env_kwargs.frame_height
        frame *= self.env_kwargs.n_channels
        n_frames = n_rows + self.frame_stack
        return self.n_envs * (n_frames * frame + n_rows * (8 + 4 + 4 + 4 + 1))


class QRDQNHyperparameters(DQNHyperparameters):
    """Of ``sb3_contrib.QRDQN``."""

    policy: Literal["sonic_sb3.policies.SonicQRDQNPolicy"] = "sonic_sb3.policies.SonicQRDQNPolicy"  # type: ignore[assignment]
    policy_kwargs: QuantileKwargs = QuantileKwargs()
    exploration_fraction: Fraction = 0.005
    exploration_final_eps: Fraction = 0.01
    max_grad_norm: Positive | None = None  # type: ignore[assignment]


class ScriptHyperparameters(Hyperparameters):
    """Of agents that only ever do one thing (``random``, ``right``)."""

    @model_validator(mode="after")
    def _check_nothing_is_learned(self) -> Self:
        if self.stages:
            raise ValueError("stages: expected none, a script learns nothing from level to level")
        if self.env_kwargs.retry_prob:
            raise ValueError("env_kwargs.retry_prob: expected none, a script practises nothing")
        return self


class JerkHyperparameters(ScriptHyperparameters):
    """Of :class:`sonic_sb3.jerk.JerkScript`."""

    jump_prob: Fraction = 0.1
    jump_steps: Count = 4
    right_steps: Count = 100
    left_steps: Count = 70
    exploit_bias: Fraction = 0.25


ALGORITHM_SETTINGS: dict[str, type[Hyperparameters]] = {
    "ppo": PPOHyperparameters,
    "a2c": A2CHyperparameters,
    "a2c_reuse": ReusingA2CHyperparameters,
    "ppo_lstm": RecurrentPPOHyperparameters,
    "trpo": TRPOHyperparameters,
    "dqn": DQNHyperparameters,
    "qrdqn": QRDQNHyperparameters,
    "random": ScriptHyperparameters,
    "right": ScriptHyperparameters,
    "jerk": JerkHyperparameters,
}
