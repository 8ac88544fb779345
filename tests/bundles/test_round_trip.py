"""What was packed is what comes out, to the bit, also in another process with another home."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonic_sb3 import share
from sonic_sb3.actors import make_actor
from sonic_sb3.bundles.agents import load_bundle_policy, load_bundle_weights
from sonic_sb3.bundles.archive import read_files, write_folder, write_zip
from sonic_sb3.bundles.claims import read_claims
from sonic_sb3.bundles.contents import open_bundle
from sonic_sb3.bundles.pack_agent import PackOptions, TrainedAgent, pack_agent
from sonic_sb3.bundles.weights import load_weights, pack_weights
from sonic_sb3.envs.make import make_env
from sonic_sb3.errors import BundleError
from sonic_sb3.runs import make_policy

N_OBSERVATIONS = 10_000
PLAY_ELSEWHERE = """
import sys
import numpy as np
import torch
from sonic_sb3.actors import make_actor
from sonic_sb3.bundles.agents import load_bundle_policy
from sonic_sb3.bundles.places import open_named_bundle
torch.set_num_threads(1)
actor = make_actor(load_bundle_policy(open_named_bundle("ppo-small1")))
frames = np.load(sys.argv[1])
stacks = np.lib.stride_tricks.sliding_window_view(frames, 4, axis=0).transpose(0, 3, 1, 2)
batches = np.array_split(stacks, 40)
starts = [np.zeros(len(b), bool) for b in batches]
both = zip(batches, starts)
np.save(sys.argv[2], np.concatenate([actor.action_probabilities(b.copy(), s) for b, s in both]))
"""


def record_frames(env_kwargs: dict[str, Any]) -> np.ndarray:
    """(n, height, width) of a game played at random, so many that 10,000 stacks of 4 are in it."""
    env = make_env("PangolinDash-Genesis-v0", **(env_kwargs | {"frame_skip": 1}))
    env.action_space.seed(0)
    frames = []
    done = True
    while len(frames) < N_OBSERVATIONS + 3:
        obs, *rest = env.reset(seed=len(frames)) if done else env.step(env.action_space.sample())
        done = bool(len(rest) > 1 and (rest[1] or rest[2]))
        frames.append(obs[:, :, 0])
    env.close()
    return np.stack(frames)


def test_installed_elsewhere_it_acts_the_same(
    make_agent: Callable[..., TrainedAgent], bundle_path: Path, tmp_path: Path
) -> None:
    elsewhere = os.environ | {"XDG_DATA_HOME": str(tmp_path / "another-home")}
    empty = tmp_path / "empty"
    empty.mkdir()
    package = Path(share.__file__).parents[1]
    elsewhere["PYTHONPATH"] = str(package)

    agent = make_agent()
    frames = record_frames(agent.hyperparameters.env_kwargs.written())
    np.save(tmp_path / "frames.npy", frames)
    for command in (
        ["-m", "sonic_sb3.share", "install", str(bundle_path)],
        ["-c", PLAY_ELSEWHERE, str(tmp_path / "frames.npy"), str(tmp_path / "theirs.npy")],
    ):
        subprocess.run([sys.executable, *command], check=True, cwd=empty, env=elsewhere)

    load_weights(agent.policy, pack_weights(agent.policy, "float16"), "packed")
    actor = make_actor(agent.policy)
    stacks = np.lib.stride_tricks.sliding_window_view(frames, 4, axis=0).transpose(0, 3, 1, 2)
    ours = np.concatenate(
        [
            actor.action_probabilities(b.copy(), np.zeros(len(b), bool))
            for b in np.array_split(stacks, 40)
        ]
    )
    theirs = np.load(tmp_path / "theirs.npy")
    assert ours.shape == (N_OBSERVATIONS, 7)
    np.testing.assert_array_equal(ours, theirs)
    assert len(set(ours.argmax(axis=1))) > 1, "an agent that always does the same proves little"
    assert not list(empty.iterdir())


def test_packing_again_gives_the_same_bytes(
    make_agent: Callable[..., TrainedAgent], agent_files: dict[str, bytes], tmp_path: Path
) -> None:
    options = PackOptions(name="ppo-small1", n_episodes=3, seed=11, license="mit")
    again = pack_agent(make_agent(), options)
    for name, content in agent_files.items():
        assert again[name] == content, name
    write_zip(tmp_path / "a.sonic.zip", agent_files)
    write_zip(tmp_path / "b.sonic.zip", dict(reversed(again.items())))
    assert (tmp_path / "a.sonic.zip").read_bytes() == (tmp_path / "b.sonic.zip").read_bytes()


def test_a_folder_is_the_same_bundle(bundle_path: Path, tmp_path: Path) -> None:
    write_folder(tmp_path / "folder", read_files(bundle_path))
    assert open_bundle(tmp_path / "folder").id == open_bundle(bundle_path).id


def test_claims_are_those_of_the_episodes(bundle_path: Path) -> None:
    bundle = open_bundle(bundle_path)
    claims = read_claims(bundle)
    assert [e.seed for e in claims.episodes] == [11, 12, 13]
    assert claims.summary.n_episodes == 3
    assert claims.best_episode.contest_score == max(e.contest_score or 0 for e in claims.episodes)
    assert bundle.agent.n_timesteps_trained == 12_345
    assert json.loads(bundle.files["evaluation.json"])["by_level"].keys() == {"CanopyZone.Act1"}


def test_weights_are_kept_once_and_in_half_the_bytes(
    make_agent: Callable[..., TrainedAgent], agent_files: dict[str, bytes]
) -> None:
    n_parameters = sum(p.numel() for p in make_agent().policy.parameters())
    n_bytes = len(agent_files["policy.safetensors"])
    assert 2 * n_parameters < n_bytes < 2 * n_parameters + 4096


def test_float32_is_exact_and_float16_is_checked(make_agent: Callable[..., TrainedAgent]) -> None:
    agent, other = make_agent(), make_agent(seed=6)
    load_weights(other.policy, pack_weights(agent.policy, "float32"), "packed")
    for one, two in zip(agent.policy.parameters(), other.policy.parameters(), strict=True):
        assert one.equal(two)
    agent.policy.action_net.weight.data[0, 0] = 1e6
    with pytest.raises(BundleError, match="--dtype float32"):
        pack_weights(agent.policy, "float16")


def test_learning_can_go_on_from_a_bundle(bundle_path: Path, tmp_path: Path) -> None:
    bundle = open_bundle(bundle_path)
    policy = load_bundle_policy(bundle)

    class Model:
        def __init__(self, features_dim: int) -> None:
            overrides = {"policy_kwargs.features_dim": features_dim}
            written = bundle.choose_hyperparameters(bundle.agent.env, overrides)
            self.policy = make_policy("ppo", bundle.agent.env, written)

    fitting, other = Model(16), Model(32)
    load_bundle_weights(fitting, bundle)  # type: ignore[arg-type]
    for one, two in zip(policy.parameters(), fitting.policy.parameters(), strict=True):
        assert one.equal(two)
    with pytest.raises(BundleError, match="expected shape"):
        load_bundle_weights(other, bundle)  # type: ignore[arg-type]


def test_a_script_has_nothing_to_pack(tmp_path: Path, capsys: Any) -> None:
    from sonic_sb3 import train

    argv = ["--algo", "right", "-n", "16", "--n-envs", "1", "--env", "Airstriker-Genesis-v0"]
    argv += ["-f", str(tmp_path), "--eval-episodes", "0"]
    assert train.main(argv) == 0
    run = tmp_path / "right" / "Airstriker-Genesis-v0_1"
    capsys.readouterr()
    assert share.main(["pack", str(run), "-o", str(tmp_path / "x.sonic.zip")]) == 2
    assert "right learns no network, there is nothing to pack" in capsys.readouterr().err


def test_a_run_folder_is_packed_with_its_curves(tmp_path: Path, capsys: Any) -> None:
    from sonic_sb3 import train

    argv = ["-n", "64", "--n-envs", "2", "--seed", "3", "--eval-freq", "64", "--eval-episodes", "1"]
    argv += ["--env", "Airstriker-Genesis-v0", "-f", str(tmp_path), "--num-threads", "1", "-params"]
    argv += ["n_steps:16", "batch_size:16", "n_epochs:1", "policy_kwargs.features_dim:16"]
    argv += ["env_kwargs.max_episode_steps:20"]
    argv += ["env_kwargs.frame_width:36", "env_kwargs.frame_height:36"]
    assert train.main(argv) == 0
    run = tmp_path / "ppo" / "Airstriker-Genesis-v0_1"
    path = tmp_path / "shooter.sonic.zip"
    options = ["-o", str(path), "--name", "shooter", "-n", "2", "--no-video"]
    assert share.main(["pack", str(run), *options]) == 0, capsys.readouterr().err
    bundle = open_bundle(path)
    manifest = json.loads((run / "manifest.json").read_text())
    assert bundle.agent.n_timesteps_trained == 64
    assert "for 64 timesteps (0 minutes) by sonic_sb3" in bundle.files["README.md"].decode()
    assert bundle.hyperparameters.written() == manifest["hyperparameters"]
    assert bundle.mapping("provenance.yml")["seed"] == 3
    assert bundle.files["curves/training.csv"].startswith(b"timesteps,r,l,t")
    assert len(bundle.files["curves/evaluations.csv"].splitlines()) == 2
    private = b"".join(c for n, c in bundle.files.items() if n.endswith((".yml", ".json", ".md")))
    assert str(tmp_path).encode() not in private, "no folder of the packer's is told"
    capsys.readouterr()
    assert share.main(["show", str(path)]) == 0
    assert "return" in capsys.readouterr().out
    # A checkpoint tells of itself, whatever the run did afterwards.
    shutil.copy(run / "best_model.zip", run / "rl_model_64_steps.zip")
    manifest |= {"n_timesteps_trained": "abc", "training_s": "abc"}
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert share.main(["pack", str(run), *options]) == 2
    assert "training_s: expected seconds, got 'abc'" in capsys.readouterr().err
    for checkpoint in ("best", "64"):
        argv = ["pack", str(run), *options, "--replace", "--checkpoint", checkpoint]
        assert share.main(argv) == 0, capsys.readouterr().err
        bundle = open_bundle(path)
        assert "for 64 timesteps by sonic_sb3" in bundle.files["README.md"].decode()
        assert "training_s" not in bundle.mapping("provenance.yml")
