"""Movies: text and back, and what stable-retro's own player makes of the bk2."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonic_sb3.bundles.contents import open_bundle
from sonic_sb3.bundles.movies import InputMovie, make_bk2, parse_movie
from sonic_sb3.bundles.replay import replay
from sonic_sb3.errors import BundleError

PLAY_BK2 = """
import hashlib, sys
import stable_retro as retro
movie = retro.Movie(sys.argv[1])
movie.step()
assert movie.get_game() == sys.argv[2]
retro.data.Integrations.add_custom_path(sys.argv[3])
env = retro.make(movie.get_game(), state=retro.State.NONE, inttype=retro.data.Integrations.ALL,
                 use_restricted_actions=retro.Actions.ALL, render_mode="rgb_array")
env.initial_state = movie.get_state()
env.reset()
n = 0
while movie.step():
    env.step([movie.get_key(i, 0) for i in range(env.num_buttons)])
    n += 1
blocks = env.data.memory.blocks
print(n, hashlib.sha256(b"".join(bytes(blocks[k]) for k in sorted(blocks))).hexdigest())
"""


def make_movie(inputs: np.ndarray) -> InputMovie:
    return InputMovie(
        "PangolinDash-Genesis-v0", "CanopyZone.Act1", "0" * 40, inputs, *["1" * 64] * 2
    )


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 4095)), min_size=1, max_size=20))
def test_text_and_back(runs: list[tuple[int, int]]) -> None:
    rows = [[mask >> k & 1 for k in range(12)] for n, mask in runs for _ in range(n)]
    movie = make_movie(np.array(rows, dtype=np.uint8))
    text = movie.to_text()
    again = parse_movie(text, "movie")
    np.testing.assert_array_equal(again.inputs, movie.inputs)
    assert again.to_text() == text
    assert again.inputs.dtype == np.uint8


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("movie 1", "movie 2"),
        ("n_frames 3", "n_frames 4"),
        ("n_frames 3", "n_frames 3\nn_frames 3"),
        ("3 B+RIGHT", "3 RIGHT+X+HOME"),
        ("3 B+RIGHT", "0 B"),
        ("3 B+RIGHT", "-3 B"),
        ("3 B+RIGHT", ""),
        ("ram_sha256 1", "ram_sha256 g"),
    ],
)
def test_damaged_movies_are_refused(old: str, new: str) -> None:
    inputs = np.zeros((3, 12), dtype=np.uint8)
    inputs[:, [0, 7]] = 1
    text = make_movie(inputs).to_text()
    assert old in text
    with pytest.raises(BundleError, match=r"^movie: "):
        parse_movie(text.replace(old, new), "movie")


def test_the_movie_leads_to_what_it_says_in_a_fresh_process(bundle_path: Path) -> None:
    movie = open_bundle(bundle_path).movie
    outcome = replay(movie.game, movie.level, movie.inputs)  # in a process of its own
    assert outcome.ram_sha256 == movie.ram_sha256
    assert outcome.screen_sha256 == movie.screen_sha256
    assert outcome.n_frames == len(movie.inputs)
    changed = movie.inputs.copy()
    changed[-40:, 7] ^= 1
    assert replay(movie.game, movie.level, changed).ram_sha256 != movie.ram_sha256


def test_stable_retros_player_plays_the_bk2(bundle_path: Path, tmp_path: Path) -> None:
    from sonic_sb3.games import INTEGRATIONS_DIR

    bundle = open_bundle(bundle_path)
    movie = bundle.movie
    (tmp_path / "best.bk2").write_bytes(bundle.files["best_episode.bk2"])
    assert hashlib.sha256(make_bk2(movie)).digest() == (
        hashlib.sha256(bundle.files["best_episode.bk2"]).digest()
    )
    argv = [str(tmp_path / "best.bk2"), movie.game, str(INTEGRATIONS_DIR)]
    result = subprocess.run(
        [sys.executable, "-c", PLAY_BK2, *argv], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == [str(len(movie.inputs)), movie.ram_sha256]
