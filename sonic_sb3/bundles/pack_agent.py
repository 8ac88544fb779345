"""From a trained policy to a bundle: weights packed, evaluated as packed, best episode proved."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from stable_baselines3.common.policies import BasePolicy

from sonic_sb3.actors import make_actor
from sonic_sb3.algorithm_settings import Hyperparameters, LearningHyperparameters
from sonic_sb3.bundles.card import CardFacts, make_agent_card
from sonic_sb3.bundles.claims import Claims
from sonic_sb3.bundles.contents import (
    AGENT,
    BK2,
    CARD,
    EVALUATION,
    HYPERPARAMETERS,
    MOVIE,
    PROVENANCE,
    VIDEO,
    WEIGHTS,
    add_index,
    check_bundle_name,
)
from sonic_sb3.bundles.curves import read_curves
from sonic_sb3.bundles.movies import InputMovie, make_bk2
from sonic_sb3.bundles.replay import replay
from sonic_sb3.bundles.weights import load_weights, pack_weights
from sonic_sb3.errors import BundleError
from sonic_sb3.evaluation import EvaluationResult, evaluate, summarise, to_json
from sonic_sb3.rom_files import rom_sha1
from sonic_sb3.run_folder import describe_machine
from sonic_sb3.runs import Run, load_run
from sonic_sb3.video import record_video
from sonic_sb3.weights_file import read_n_timesteps

# What a run's manifest tells that is nobody's secret: no commands, no folders.
_FROM_MANIFEST = (
    "python",
    "packages",
    "hardware",
    "git",
    "device",
    "training_s",
    "started_at",
    "finished_at",
)
_MAX_TRAINING_S = 10**10
_OF_THE_END = ("training_s", "finished_at")  # not those of a checkpoint on the way there


@dataclass(frozen=True)
class PackOptions:
    """
    How to pack.

    :param name: Of the bundle; ``None`` makes one of algorithm, game and level.
    :param dtype: Of the weights.
    :param n_episodes: Of the evaluation that the bundle holds.
    :param seed: Of its first episode.
    :param deterministic: Take the most probable action.
    :param checkpoint: As for :meth:`Run.load_policy`.
    :param has_video: Make a video of the best episode.
    :param license: As in :class:`CardFacts`.
    :param notes: Markdown for the card.
    """

    name: str | None = None
    dtype: Literal["float16", "float32"] = "float16"
    n_episodes: int = 100
    seed: int = 0
    deterministic: bool = False
    checkpoint: str | None = None
    has_video: bool = True
    license: str | None = None
    notes: str = ""


@dataclass(frozen=True)
class TrainedAgent:
    """
    What is packed.

    :param algo: The algorithm.
    :param env: The game.
    :param levels: Those it was trained on.
    :param hyperparameters: Those it was trained with.
    :param policy: Its weights, loaded.
    :param num_threads: Of torch in training.
    :param n_timesteps_trained: How long it learned, where known.
    :param provenance: Where it comes from, plain data.
    :param curves: Tables by name.
    """

    algo: str
    env: str
    levels: tuple[str, ...]
    hyperparameters: Hyperparameters
    policy: BasePolicy
    num_threads: int
    n_timesteps_trained: int | None
    provenance: dict[str, Any]
    curves: dict[str, bytes] = field(default_factory=dict)


def pack_agent(agent: TrainedAgent, options: PackOptions) -> dict[str, bytes]:
    """
    Make a bundle of a trained policy, whose weights become those that are packed.

    :param agent: The agent.
    :param options: How.
    :returns: Contents by name.
    :raises SonicError: The weights do not fit the type, or the game cannot be played here.
    """
    name = options.name or default_name(agent.algo, agent.env, agent.levels)
    check_bundle_name(name)
    if not isinstance(agent.hyperparameters, LearningHyperparameters):
        raise BundleError(
            f"{agent.algo} learns no network, there is nothing to pack; expected an agent with "
            "weights"
        )
    weights = pack_weights(agent.policy, options.dtype)
    load_weights(agent.policy, weights, WEIGHTS)
    torch.set_num_threads(agent.num_threads)
    result = evaluate(
        make_actor(agent.policy),
        agent.env,
        agent.levels,
        agent.hyperparameters,
        n_episodes=options.n_episodes,
        seed=options.seed,
        deterministic=options.deterministic,
    )
    claims = Claims(
        options.seed, options.deterministic, result.episodes, summarise(result.episodes)
    )
    movie = _prove(agent, result)
    card = CardFacts(
        name=name,
        algo=agent.algo,
        env=agent.env,
        n_timesteps_trained=agent.n_timesteps_trained,
        training_s=agent.provenance.get("training_s"),
        dtype=options.dtype,
        license=options.license,
        notes=options.notes,
        trained_by=agent.provenance.get("trained_by", "sonic_sb3"),
        is_sticky=agent.hyperparameters.env_kwargs.sticky_prob > 0,
    )
    files = {
        CARD: make_agent_card(card, claims.by_level(), claims.return_stds()).encode(),
        AGENT: _to_yaml(_agent_settings(agent, options.dtype)),
        HYPERPARAMETERS: _to_yaml(_hyperparameters(agent)),
        PROVENANCE: _to_yaml({**agent.provenance, "evaluated_with": describe_machine()}),
        WEIGHTS: weights,
        EVALUATION: _to_json(_evaluation(agent, claims, options)),
        MOVIE: movie.to_text().encode(),
        BK2: make_bk2(movie),
        **agent.curves,
    }
    if options.has_video:
        files[VIDEO] = _make_video(movie)
    return add_index("agent", name, files)


def default_name(algo: str, env_id: str, levels: tuple[str, ...]) -> str:
    """What a bundle is called where nobody named it, as ``ppo-PangolinDash-CanopyZone.Act1``."""
    level = levels[0] if len(levels) == 1 else f"{len(levels)}levels"
    return f"{algo}-{env_id.partition('-')[0]}-{level}"[:64]


def read_agent(path: Path, checkpoint: str | None) -> TrainedAgent:
    """
    A run folder's agent.

    :param path: ``LOGS/ALGO/ENV_k``.
    :param checkpoint: As for :meth:`Run.load_policy`.
    :raises SonicError: The run has none, or was trained on another ROM.
    """
    run = load_run(path)
    manifest = run.folder.read_manifest()
    settings = run.settings
    if manifest.get("rom_sha1") != rom_sha1(settings.env):
        raise BundleError(
            f"{run.folder.path}: trained on a ROM with sha1 {manifest.get('rom_sha1')}, here it is "
            f"{rom_sha1(settings.env)}: expected the same one"
        )
    return TrainedAgent(
        algo=settings.algo,
        env=settings.env,
        levels=settings.levels,
        hyperparameters=run.hyperparameters,
        policy=run.load_policy(checkpoint),
        num_threads=settings.num_threads,
        n_timesteps_trained=read_n_timesteps(run.model_path(checkpoint)),
        provenance=_read_provenance(run, checkpoint),
        curves=read_curves(run.folder.path),
    )


def _read_provenance(run: Run, checkpoint: str | None) -> dict[str, Any]:
    manifest, settings = run.folder.read_manifest(), run.settings
    keys = [key for key in _FROM_MANIFEST if checkpoint is None or key not in _OF_THE_END]
    provenance = {key: manifest[key] for key in keys if manifest.get(key) is not None}
    training_s = provenance.get("training_s", 0.0)
    if type(training_s) not in (int, float) or not 0 <= training_s <= _MAX_TRAINING_S:
        raise BundleError(
            f"{run.folder.manifest}: training_s: expected seconds, got {training_s!r:.80}"
        )
    provenance |= {"seed": settings.seed, "num_threads": settings.num_threads}
    return provenance | {"rom_sha1": manifest.get("rom_sha1"), "checkpoint": checkpoint or "last"}


def _prove(agent: TrainedAgent, result: EvaluationResult) -> InputMovie:
    """Replay the best episode in a fresh process; it has to come out as it was played."""
    best, inputs = result.best_episode, result.best_input_movie
    outcome = replay(agent.env, best.level, inputs)
    for key, value in outcome.facts.items():
        if getattr(best, key, value) != value:
            raise BundleError(
                f"the best episode does not replay: {key} was {getattr(best, key)}, "
                f"its movie leads to {value}"
            )
    return InputMovie(
        game=agent.env,
        level=best.level,
        rom_sha1=rom_sha1(agent.env),
        inputs=inputs,
        ram_sha256=outcome.ram_sha256,
        screen_sha256=outcome.screen_sha256,
    )


def _agent_settings(agent: TrainedAgent, dtype: str) -> dict[str, Any]:
    return {
        "format": 1,
        "algo": agent.algo,
        "env": agent.env,
        "levels": list(agent.levels),
        "rom_sha1": rom_sha1(agent.env),
        "num_threads": agent.num_threads,
        **_known("n_timesteps_trained", agent.n_timesteps_trained),
        "dtype": dtype,
    }


def _known(key: str, value: int | None) -> dict[str, int]:
    return {} if value is None else {key: value}


def _hyperparameters(agent: TrainedAgent) -> dict[str, Any]:
    """Twice, so that they serve for other games too, here and with rl-zoo3."""
    return {key: agent.hyperparameters.written() for key in (agent.env, "default")}


def _evaluation(agent: TrainedAgent, claims: Claims, options: PackOptions) -> dict[str, Any]:
    facts = {"env": agent.env, "seed": options.seed, "deterministic": options.deterministic}
    data = to_json(claims.episodes, **facts, checkpoint=options.checkpoint)
    by_level = {level: asdict(summary) for level, summary in claims.by_level().items()}
    return {**data, "by_level": by_level}


def _make_video(movie: InputMovie) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / VIDEO
        record_video(path, movie.game, movie.level, movie.inputs, is_small=True)
        return path.read_bytes()


def _to_yaml(data: Mapping[str, Any]) -> bytes:
    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return yaml.dump(dict(data), Dumper=Dumper, sort_keys=False).encode()


def _to_json(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()
