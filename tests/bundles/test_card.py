"""The card, as the Hub's own library reads it, and what shows of it in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard

from sonic_sb3 import share
from sonic_sb3.bundles.claims import read_claims
from sonic_sb3.bundles.contents import open_bundle
from sonic_sb3.plain_text import printable


def test_the_hub_reads_the_figures(bundle_path: Path, tmp_path: Path) -> None:
    bundle = open_bundle(bundle_path)
    (tmp_path / "README.md").write_bytes(bundle.files["README.md"])
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.library_name == "stable-baselines3"
    assert card.data.license == "mit"
    summary = read_claims(bundle).summary
    results = {r.metric_type: r for r in card.data.eval_results or []}
    assert results["completion_rate"].metric_value == summary.completion_rate
    assert results["contest_score"].metric_value == round(summary.means["contest_score"], 1)
    assert str(results["mean_reward"].metric_value).startswith(
        f"{summary.means['episode_return']:.2f} +/- "
    )
    assert results["mean_reward"].dataset_type == "PangolinDash-Genesis-v0"
    assert results["mean_reward"].task_type == "reinforcement-learning"


def test_show_tells_the_figures_and_where_they_come_from(bundle_path: Path, capsys: Any) -> None:
    assert share.main(["show", str(bundle_path)]) == 0
    out = capsys.readouterr().out
    for text in ("ppo-small1", "12,345 timesteps", "completed", "3 episodes", "seed: 5"):
        assert text in out
    assert all(c.isprintable() or c == "\n" for c in out)


def test_printable_leaves_no_control_characters() -> None:
    assert printable("a\x1b[31mb\u202ec\nd\x9b") == "a�[31mb�c�d�"
    assert printable("žluťoučký 100 %") == "žluťoučký 100 %"
