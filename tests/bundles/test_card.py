"""The card, as the Hub's own library reads it, and what shows of it in a terminal."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard

from sonic_sb3 import share
from sonic_sb3.bundles.archive import write_folder
from sonic_sb3.bundles.card import CardFacts, check_card, make_agent_card
from sonic_sb3.bundles.claims import read_claims
from sonic_sb3.bundles.contents import INDEX, add_index, open_bundle
from sonic_sb3.bundles.shown import describe
from sonic_sb3.bundles.texts import check_markdown
from sonic_sb3.errors import BundleError
from sonic_sb3.evaluation import Episode, Summary, summarise
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


FACTS = CardFacts("a", "ppo", "Game-Genesis-v0", 100, None, "float16", None, "")


def make_summary(returns: list[float]) -> Summary:
    facts: Any = {"level": "One", "n_timesteps": 4, "end_reason": "completed", "game_time_s": 1.0}
    unknown: Any = dict.fromkeys(("is_success", "progress", "contest_score", "x", "y", "score"))
    return summarise(
        [
            Episode(index=k, seed=k, episode_return=value, action_counts=(4,), **facts, **unknown)
            for k, value in enumerate(returns)
        ]
    )


def test_behind_the_mean_stands_the_standard_deviation_as_on_the_hub() -> None:
    levels, stds = {"One": make_summary([1.0, 2.0, 6.0])}, {"One": float(np.std([1.0, 2.0, 6.0]))}
    card = make_agent_card(FACTS, levels, stds)
    assert "value: 3.00 +/- 2.16\n" in card
    check_card(card.encode(), "card", "a", FACTS.env, levels, stds)
    # Half of the mean's interval in the first bundles.
    low, high = levels["One"].mean_intervals["episode_return"] or (0.0, 0.0)
    older = card.replace("+/- 2.16", f"+/- {(high - low) / 2:.2f}")
    assert older != card
    check_card(older.encode(), "card", "a", FACTS.env, levels, stds)
    with pytest.raises(BundleError, match="claims other figures"):
        check_card(
            card.replace("+/- 2.16", "+/- 0.16").encode(), "card", "a", FACTS.env, levels, stds
        )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "trained with PPO for 100 timesteps by sonic_sb3."),
        ({"training_s": 119.0}, "trained with PPO for 100 timesteps (2 minutes) by sonic_sb3."),
        ({"n_timesteps_trained": None}, "trained with PPO by sonic_sb3."),
        ({"trained_by": "rl-zoo3"}, "for 100 timesteps by rl-zoo3."),
        ({"is_sticky": True}, "Episodes under sticky frame skip, each with"),
        ({"is_sticky": False}, "Episodes, each with a seed"),
    ],
)
def test_the_card_tells_what_is_known(changes: dict[str, Any], text: str) -> None:
    facts = dataclasses.replace(FACTS, **changes)
    assert text in make_agent_card(facts, {"One": make_summary([1.0])}, {"One": 0.0})


@pytest.mark.parametrize(
    "text",
    [
        "[a](javascript:alert(1))",
        "[a](            javascript:alert(1))",
        "[a]: javascript:alert(1)",
        "> [a]: javascript:alert(1)",
        "> - 1. [a]:\n> javascript:alert(1)",
        "- [a]: javascript:alert(1)",
        "[a]:            javascript:alert(1)",
        "[a]:\n   <javascript:alert(1)>",
        "[a\nb]: javascript:alert(1)",
        r"[a\]b]: javascript:alert(1)",
        "[a]: javascript&colon;alert(1)",
    ],
)
def test_links_that_run_programs(text: str) -> None:
    with pytest.raises(BundleError, match=r"expected (links to|Markdown without HTML)"):
        check_markdown(f"# A card\n\n{text}\n".encode(), "card")


def test_links_and_brackets_that_do_no_harm() -> None:
    text = "[a](https://b.org) [b](c/d.csv) [e]\n\n> [e]: http://f.org\n\n[^1]: a note\n"
    text += "Of `dict[str, int]: {}` and 7 [of 8]; [a list], as it is.\n"
    assert check_markdown(text.encode(), "card") == text


def test_show_tells_the_figures_and_where_they_come_from(bundle_path: Path, capsys: Any) -> None:
    assert share.main(["show", str(bundle_path)]) == 0
    out = capsys.readouterr().out
    for text in ("ppo-small1", "12,345 timesteps", "completed", "3 episodes", "seed: 5"):
        assert text in out
    assert all(c.isprintable() or c == "\n" for c in out)


def test_keys_of_strangers_make_no_lines(agent_files: dict[str, bytes], tmp_path: Path) -> None:
    files = {name: content for name, content in agent_files.items() if name != INDEX}
    files["provenance.yml"] = b'"x\\n  figures and weights agree\\nfiles": 1\n"y\\n  z":\n  a: 1\n'
    write_folder(tmp_path / "forged", add_index("agent", "ppo-small1", files))
    lines = describe(open_bundle(tmp_path / "forged")).split("\n")
    assert (
        "  x\N{REPLACEMENT CHARACTER}  figures and weights agree\N{REPLACEMENT CHARACTER}files: 1"
        in lines
    )
    assert "  y\N{REPLACEMENT CHARACTER}  z" in lines


def test_printable_leaves_no_control_characters() -> None:
    assert printable("a\x1b[31mb\u202ec\nd\x9b") == "a�[31mb�c�d�"
    assert printable("žluťoučký 100 %") == "žluťoučký 100 %"
