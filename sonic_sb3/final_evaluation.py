"""The evaluation that ends a training, and its file."""

from __future__ import annotations

from collections.abc import Sequence

from stable_baselines3.common.policies import BasePolicy

from sonic_sb3.action_sets import action_names
from sonic_sb3.actors import make_actor
from sonic_sb3.algorithm_settings import Hyperparameters
from sonic_sb3.atomic_files import write_json
from sonic_sb3.callbacks import EVALUATION_SEED_OFFSET
from sonic_sb3.evaluation import EvaluationResult, evaluate, to_json
from sonic_sb3.run_folder import RunFolder


def evaluate_trained(
    policy: BasePolicy,
    folder: RunFolder,
    hyperparameters: Hyperparameters,
    *,
    env_id: str,
    levels: Sequence[str],
    n_episodes: int,
    training_seed: int,
) -> EvaluationResult:
    """
    Play episodes under sticky frame skip and write them to ``evaluation.json``.

    :param policy: What was trained; it draws its actions.
    :param folder: The run.
    :param hyperparameters: It was trained with these.
    :param env_id: The game.
    :param levels: Episode k plays level k modulo their number.
    :param n_episodes: How many.
    :param training_seed: The run's; the episodes' seeds are far from it and from those of the
        evaluations during training.
    """
    seed = training_seed + 2 * EVALUATION_SEED_OFFSET
    result = evaluate(
        make_actor(policy), env_id, levels, hyperparameters, n_episodes=n_episodes, seed=seed
    )
    facts = {
        "env": env_id,
        "seed": seed,
        "deterministic": False,
        "checkpoint": None,
        "action_names": action_names(hyperparameters.env_kwargs.actions, env_id),
    }
    write_json(folder.evaluation, to_json(result.episodes, **facts))
    return result
