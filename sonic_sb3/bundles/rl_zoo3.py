"""
To and from rl-zoo3 and plain SB3: a run folder that ``rl_zoo3.enjoy`` opens, a zip that
``PPO.load`` opens, and agents out of run folders that rl-zoo3 made, without unpickling them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import yaml
from stable_baselines3.common.vec_env import VecEnv

from sonic_sb3.action_sets import find_actions
from sonic_sb3.algorithm_settings import ALGORITHM_SETTINGS, Hyperparameters
from sonic_sb3.atomic_files import write_text, write_yaml
from sonic_sb3.bundles.agents import load_bundle_weights
from sonic_sb3.bundles.claims import check_agent_weights
from sonic_sb3.bundles.contents import Bundle
from sonic_sb3.bundles.curves import read_curves
from sonic_sb3.bundles.pack_agent import TrainedAgent
from sonic_sb3.errors import BundleError, SettingsError
from sonic_sb3.games import find_game, resolve_levels
from sonic_sb3.hyperparams import check_algo
from sonic_sb3.models import load_policy_weights, make_model, save_model
from sonic_sb3.plain_yaml import ODD_VALUES, PlainLoader, parse_mapping
from sonic_sb3.rom_files import rom_sha1
from sonic_sb3.run_folder import RunFolder, create_run_folder
from sonic_sb3.runs import make_policy, observation_space
from sonic_sb3.strange_files import read_file
from sonic_sb3.strict_settings import validate
from sonic_sb3.weights_file import read_n_timesteps

_OUR_POLICY = "sonic_sb3.policies.SonicPolicy"
_ORDERED_DICT = "tag:yaml.org,2002:python/object/apply:collections.OrderedDict"
_MAX_CONFIG_BYTES = 1 << 20
# Keys of rl-zoo3's config that mean nothing when they are empty.
_EMPTY_KEYS = ("env_wrapper", "vec_env_wrapper", "normalize", "normalize_kwargs")
_IGNORED_KEYS = ("vec_env_cls", "vec_env_kwargs", "monitor_kwargs", "vec_env_class")


class _SpacesOnly(VecEnv):
    """A vec env that tells its spaces and cannot be played: what building a model asks for."""

    def __init__(self, env_id: str, hyperparameters: Hyperparameters) -> None:
        super().__init__(
            hyperparameters.n_envs,
            observation_space(hyperparameters),
            gym.spaces.Discrete(len(find_actions(hyperparameters.env_kwargs.actions, env_id))),
        )

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [None] * self.num_envs

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs

    def reset(self) -> Any:
        raise NotImplementedError

    def step_async(self, actions: np.ndarray) -> None:
        raise NotImplementedError

    def step_wait(self) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        pass

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError

    def env_method(self, *args: Any, **kwargs: Any) -> list[Any]:
        raise NotImplementedError


def write_rl_zoo3_folder(bundle: Bundle, log_folder: Path) -> Path:
    """
    Write the run folder that ``python -m rl_zoo3.enjoy -f LOGS`` opens.

    :param bundle: An agent.
    :param log_folder: LOGS; the run becomes the next free ``LOGS/ALGO/ENV_k``.
    :returns: The run folder.
    :raises SonicError: The bundle is no agent, or the folder cannot be written.
    """
    agent, hyperparameters = bundle.agent, bundle.hyperparameters
    check_agent_weights(bundle)
    folder = create_run_folder(log_folder, agent.algo, agent.env)
    try:
        write_sb3_zip(bundle, folder.model)
        config = hyperparameters.written()
        config["env_kwargs"] = {**config.get("env_kwargs", {}), "level": agent.levels[0]}
        settings = folder.path / agent.env
        settings.mkdir()
        write_yaml(settings / "config.yml", config)
        arguments = {"algo": agent.algo, "env": agent.env, "env_kwargs": None, "seed": 0}
        write_yaml(settings / "args.yml", arguments)
        command = f"python -m sonic_sb3.share pack {bundle.index.name} --as rl-zoo3"
        write_text(settings / "command.txt", command + "\n")
    except BaseException:
        folder.remove()
        raise
    return folder.path


def write_sb3_zip(bundle: Bundle, path: Path) -> None:
    """
    Write the zip that the algorithm's ``load`` of SB3 opens, where sonic_sb3 is installed.

    :param bundle: An agent.
    :param path: The zip to make or replace.
    :raises SonicError: The bundle is no agent, or the zip cannot be written.
    """
    check_agent_weights(bundle)
    envs = _SpacesOnly(bundle.agent.env, bundle.hyperparameters)
    model = make_model(bundle.agent.algo, envs, bundle.hyperparameters, seed=0, device="cpu")
    load_bundle_weights(model, bundle)
    model.num_timesteps = bundle.agent.n_timesteps_trained or 0
    save_model(model, path)


def read_rl_zoo3_run(path: Path, algo: str | None = None) -> TrainedAgent:
    """
    Read an agent that rl-zoo3 trained on a game of ours; nothing is unpickled or evaluated.

    :param path: ``LOGS/ALGO/ENV_k``.
    :param algo: Where the folder's parent does not tell it.
    :raises SonicError: It is no such folder, or the agent is none that this package can build.
    """
    folder = path.resolve().parent.name
    if algo is None and folder not in ALGORITHM_SETTINGS:
        raise BundleError(
            f"{path}: expected a run folder of rl-zoo3, LOGS/ALGO/ENV_k; {folder!r} is no "
            "algorithm, and --algo does not name one"
        )
    algo = algo or folder
    check_algo(algo)
    env_id = path.resolve().name.rpartition("_")[0]
    find_game(env_id)
    settings = path / env_id
    source = str(settings / "config.yml")
    config = _read_config(settings / "config.yml")
    arguments = _read_config(settings / "args.yml") if (settings / "args.yml").is_file() else {}
    if isinstance(arguments.get("env_kwargs"), Mapping):
        config["env_kwargs"] = dict(arguments["env_kwargs"])
    hyperparameters = validate(ALGORITHM_SETTINGS[algo], _translate(config, source), source)
    policy = make_policy(algo, env_id, hyperparameters)
    model = RunFolder(path, env_id).model
    load_policy_weights(policy, model)
    seed = arguments.get("seed")
    return TrainedAgent(
        algo=algo,
        env=env_id,
        levels=tuple(resolve_levels(env_id, hyperparameters.env_kwargs.level)),
        hyperparameters=hyperparameters,
        policy=policy,
        num_threads=1,
        n_timesteps_trained=read_n_timesteps(model),  # the settings' may not be those of `-n`
        provenance={
            "trained_by": "rl-zoo3",
            "rom_sha1": rom_sha1(env_id),
            **({"seed": seed} if type(seed) is int and seed >= 0 else {}),
        },
        curves=read_curves(path),
    )


def _translate(config: dict[str, Any], source: str) -> dict[str, Any]:
    """rl-zoo3's keys into ours; what has no counterpart is refused by name."""
    config = {key: value for key, value in config.items() if key not in _IGNORED_KEYS}
    for key in _EMPTY_KEYS:
        if config.get(key):
            raise SettingsError(
                f"{source}: {key}: expected none, an agent that needs it cannot be imported"
            )
        config.pop(key, None)
    if not config.get("callback"):  # of others the settings tell that they are unknown
        config.pop("callback", None)
    if isinstance(config.get("policy_kwargs"), str):
        raise SettingsError(
            f"{source}: policy_kwargs: expected a mapping, got a text that rl-zoo3 would run; "
            "write it as a mapping"
        )
    if config.get("policy") == "CnnPolicy":
        if config.get("policy_kwargs"):
            raise SettingsError(f"{source}: policy_kwargs: expected none beside CnnPolicy")
        # SB3's own network is our extractor of that name, weights and all.
        config |= {"policy": _OUR_POLICY, "policy_kwargs": {"extractor": "nature"}}
    elif config.get("policy") != _OUR_POLICY:
        raise SettingsError(
            f"{source}: policy: expected {_OUR_POLICY} or CnnPolicy, got {config.get('policy')!r}"
        )
    # Unlike our files, theirs stack nothing where they say nothing.
    config.setdefault("frame_stack", 1)
    return config


class _Rl3ConfigLoader(PlainLoader):
    """Plain YAML, and the one Python object that rl-zoo3 writes: an ordered mapping."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge keys, of which a few lines can make millions, are none of rl-zoo3's."""
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.YAMLError("expected no merge key (<<)")
        super().flatten_mapping(node)


def _construct_pairs(loader: yaml.SafeLoader, node: yaml.Node) -> dict[Any, Any]:
    if not isinstance(node, yaml.SequenceNode):
        raise yaml.YAMLError("expected an ordered mapping as rl-zoo3 writes it")
    value = loader.construct_sequence(node, deep=True)
    pairs = value[0] if value else []
    if len(value) > 1 or not all(isinstance(p, list) and len(p) == 2 for p in pairs):
        raise yaml.YAMLError("expected an ordered mapping as rl-zoo3 writes it")
    return dict(pairs)


def _construct_tuple(loader: yaml.SafeLoader, node: yaml.Node) -> list[Any]:
    assert isinstance(node, yaml.SequenceNode)
    return loader.construct_sequence(node, deep=True)


_Rl3ConfigLoader.add_constructor(_ORDERED_DICT, _construct_pairs)
_Rl3ConfigLoader.add_constructor("tag:yaml.org,2002:python/tuple", _construct_tuple)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        text = read_file(path, _MAX_CONFIG_BYTES).decode()
        # Once more as plain YAML, with the limits that all settings have.
        plain = yaml.safe_dump(yaml.load(text, Loader=_Rl3ConfigLoader), sort_keys=False)
    except OSError as error:
        raise BundleError(
            f"cannot read {path}: {error.strerror}; expected a run folder of rl-zoo3"
        ) from error
    except (yaml.YAMLError, SettingsError, AssertionError, *ODD_VALUES) as error:
        reason = " ".join(str(error).split())
        raise BundleError(
            f"{path}: expected plain settings, nothing that runs: {reason}"
        ) from error
    return parse_mapping(plain, str(path))
