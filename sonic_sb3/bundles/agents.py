"""Agents out of bundles, ready to act or to go on learning."""

from __future__ import annotations

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy

from sonic_sb3.bundles.claims import check_agent_weights
from sonic_sb3.bundles.contents import WEIGHTS, Bundle
from sonic_sb3.bundles.weights import load_weights
from sonic_sb3.runs import make_policy


def load_bundle_policy(bundle: Bundle, device: str = "cpu") -> BasePolicy:
    """
    The agent alone, ready to act.

    :param bundle: An agent.
    :param device: As torch names it.
    :raises SonicError: Its weights do not fit its settings.
    """
    check_agent_weights(bundle)
    policy = make_policy(bundle.agent.algo, bundle.agent.env, bundle.hyperparameters)
    load_weights(policy, bundle.files[WEIGHTS], bundle.source(WEIGHTS))
    policy.set_training_mode(False)
    return policy.to(device)


def load_bundle_weights(model: BaseAlgorithm, bundle: Bundle) -> None:
    """
    Put an agent's weights into a model that is about to learn; its optimiser begins anew.

    :param model: Built from settings with the same ``policy_kwargs``, frame size and frame stack.
    :param bundle: An agent.
    :raises SonicError: The weights are of another network than the model's.
    """
    load_weights(model.policy, bundle.files[WEIGHTS], bundle.source(WEIGHTS))
