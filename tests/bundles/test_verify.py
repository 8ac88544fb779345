"""Playing a bundle's figures again: same, alike, or not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonic_sb3 import share
from sonic_sb3.bundles.archive import write_zip
from sonic_sb3.bundles.claims import read_claims
from sonic_sb3.bundles.contents import INDEX, add_index, open_bundle
from sonic_sb3.bundles.verify import compare_episodes, fisher_exact, permutation_test
from sonic_sb3.evaluation import Episode


def forged(files: dict[str, bytes], name: str, content: bytes, path: Path) -> str:
    others = {k: v for k, v in files.items() if k != INDEX}
    write_zip(path, add_index("agent", "ppo-small1", others | {name: content}))
    return str(path)


def test_an_honest_bundle_is_the_same(bundle_path: Path, capsys: Any) -> None:
    assert share.main(["verify", str(bundle_path)]) == 0
    out = capsys.readouterr().out
    assert "movie:    SAME" in out
    assert "all 3 episodes came out as claimed" in out
    assert out.splitlines()[-1] == "ppo-small1: SAME"


def test_another_movie_is_told(agent_files: dict[str, bytes], tmp_path: Path, capsys: Any) -> None:
    movie = agent_files["best_episode.movie.txt"]
    lines = movie.split(b"\n")
    lines[4:6] = [lines[4], b"ram_sha256 " + b"0" * 64]
    path = forged(
        agent_files, "best_episode.movie.txt", b"\n".join(lines), tmp_path / "a.sonic.zip"
    )
    assert share.main(["verify", path]) == 1
    out = capsys.readouterr().out
    assert "movie:    DIFFERENT: the movie leads to another RAM" in out
    assert "episodes: SAME" in out
    assert out.splitlines()[-1] == "ppo-small1: DIFFERENT"


def test_a_bk2_that_is_another_movie_is_told(
    agent_files: dict[str, bytes], tmp_path: Path, capsys: Any
) -> None:
    bk2 = agent_files["best_episode.bk2"].replace(b"|..|", b"|R.|")
    path = forged(agent_files, "best_episode.bk2", bk2, tmp_path / "a.sonic.zip")
    assert share.main(["verify", path]) == 1
    assert "best_episode.bk2 is not the movie" in capsys.readouterr().out


def test_a_bundle_for_another_rom_is_refused(
    agent_files: dict[str, bytes], tmp_path: Path, capsys: Any
) -> None:
    import yaml

    sha1 = yaml.safe_load(agent_files["agent.yml"])["rom_sha1"].encode()
    files = {k: v.replace(sha1, b"f" * 40) for k, v in agent_files.items() if k != INDEX}
    write_zip(tmp_path / "a.sonic.zip", add_index("agent", "ppo-small1", files))
    assert share.main(["verify", str(tmp_path / "a.sonic.zip")]) == 2
    assert "expected the same one" in capsys.readouterr().err


def with_results(episode: Episode, results: list[tuple[bool, float]]) -> list[Episode]:
    return [
        dataclasses.replace(episode, index=k, is_success=success, contest_score=points)
        for k, (success, points) in enumerate(results)
    ]


def test_episodes_that_differ_are_compared_as_samples(bundle_path: Path) -> None:
    episode = read_claims(open_bundle(bundle_path)).episodes[0]
    rng = np.random.default_rng(1)
    good = [(True, 9000.0 + float(rng.random())) for _ in range(50)]
    as_good = [(True, 9000.0 + float(rng.random())) for _ in range(50)]
    bad = [(k % 2 == 0, 5000.0) for k in range(50)]
    claimed = with_results(episode, good)
    assert compare_episodes(claimed, with_results(episode, good))[0] == "same"
    verdict, note = compare_episodes(claimed, with_results(episode, as_good))
    assert verdict == "consistent"
    assert "0 of 50" in note
    assert compare_episodes(claimed, with_results(episode, bad))[0] == "different"


def test_fisher_exact_against_the_textbook() -> None:
    # The lady tasting tea: 3 of 4 cups right gives 17/35 two-sided, all four 2/70.
    assert fisher_exact(3, 1, 4) == pytest.approx(34 / 70)
    assert fisher_exact(4, 0, 4) == pytest.approx(2 / 70)
    assert fisher_exact(0, 0, 9) == pytest.approx(1.0)


def test_permutation_test_at_its_ends() -> None:
    values = np.arange(20.0)
    assert permutation_test(values, values) == 1.0
    assert permutation_test(values, values + 1000) < 0.001


def test_evaluation_figures_are_what_the_card_says(bundle_path: Path) -> None:
    data = json.loads(open_bundle(bundle_path).files["evaluation.json"])
    assert data["summary"]["n_episodes"] == len(data["episodes"]) == 3
