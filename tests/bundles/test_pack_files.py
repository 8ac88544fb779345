"""Studies and experiments: their files as they lie, and what stays behind."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonic_sb3 import share
from sonic_sb3.bundles.contents import open_bundle
from sonic_sb3.bundles.places import load_conf_file

GAME = "PangolinDash-Genesis-v0"
EXPORTED = f"""
# Exported from a study.
provenance:
  study: first
  algo: ppo
  n_trials: 40
  command: python -m sonic_sb3.tune --storage postgresql://somebody:secret@host/db
{GAME}:
  n_timesteps: 100000
  n_envs: 4
  policy: sonic_sb3.policies.SonicPolicy
  n_steps: 128
  batch_size: 256
  learning_rate: 3.0e-4
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "first-study"
    folder.mkdir()
    (folder / "best.yml").write_text(EXPORTED)
    rows = "number,value,params_lr,state\n0,0.5,1e-3,COMPLETE\n1,nan,=1+1,PRUNED\n"
    (folder / "trials.csv").write_text(rows)
    (folder / "space.yml").write_text("learning_rate: {low: 0.1}\n")
    (folder / "study.db").write_bytes(b"SQLite format 3\0")
    return folder


def test_a_study_is_packed_shown_installed_and_used(
    study: Path, tmp_path: Path, user_home: Path, capsys: Any
) -> None:
    path = tmp_path / "first.sonic.zip"
    assert share.main(["pack", str(study), "-o", str(path)]) == 0, capsys.readouterr().err
    bundle = open_bundle(path)
    assert bundle.kind == "study"
    assert bundle.files["trials.csv"].decode().splitlines()[2] == "1,,1+1,PRUNED"
    assert bundle.mapping("provenance.yml")["n_trials"] == 40
    assert b"SQLite" not in b"".join(bundle.files.values())
    assert b"secret" not in b"".join(bundle.files.values()), "no password travels along"
    assert share.main(["show", str(path)]) == 0
    assert "ppo for PangolinDash" in capsys.readouterr().out
    assert share.main(["verify", str(path)]) == 0
    assert share.main(["install", str(path)]) == 0
    assert (user_home / "hyperparams" / "first-study.yml").is_file()
    for name in ("first-study", str(path)):
        assert load_conf_file("ppo", GAME, name).n_steps == 128
    # A bundle of one game serves another one, too.
    assert load_conf_file("ppo", "Airstriker-Genesis-v0", str(path)).n_steps == 128


def test_the_algorithm_is_asked_for_where_nothing_tells_it(
    study: Path, tmp_path: Path, capsys: Any
) -> None:
    (study / "best.yml").write_text(EXPORTED.replace("algo: ppo", "x: y"))
    path = str(tmp_path / "a.sonic.zip")
    assert share.main(["pack", str(study), "-o", path]) == 2
    assert "Add --algo" in capsys.readouterr().err
    assert share.main(["pack", str(study), "-o", path, "--algo", "ppo"]) == 0
    (study / "best.yml").rename(study / "ppo.yml")
    assert share.main(["pack", str(study / "ppo.yml"), "-o", path, "--replace"]) == 0


def test_wrong_hyperparameters_are_not_packed(study: Path, tmp_path: Path, capsys: Any) -> None:
    (study / "best.yml").write_text(EXPORTED.replace("n_steps", "n_stepz"))
    assert share.main(["pack", str(study), "-o", str(tmp_path / "a.sonic.zip")]) == 2
    assert "did you mean 'n_steps'" in capsys.readouterr().err


def test_an_experiment_is_packed_without_what_may_run(tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "a2c-vs-ppo"
    seed = folder / "results" / "ppo" / "seed_1"
    seed.mkdir(parents=True)
    (folder / "experiment.yml").write_text("question: Does PPO do better?\nseeds: [1]\n")
    manifest = {"settings": {"algo": "ppo"}, "command": "train -f /home/somebody/logs"}
    (seed / "manifest.json").write_text(json.dumps(manifest))
    (seed / "0.monitor.csv.gz").write_bytes(gzip.compress(b"#{}\nr,l,t\n1.5,40,0.1\n"))
    arrays = {"timesteps": np.array([64]), "results": np.ones((1, 2))}
    np.savez(seed / "evaluations.npz", **arrays, ep_lengths=np.ones((1, 2)))
    (folder / "report").mkdir()
    (folder / "report" / "report.md").write_text("# Report\n\n![curves](curves.png)\n")
    (folder / "report" / "report.html").write_text("<script>x</script>")
    (folder / "report" / "notes.md").write_text("<b>bold</b>\n")
    (folder / "report" / "curves.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "report" / "link.md").symlink_to("/etc/hostname")
    path = tmp_path / "e.sonic.zip"
    assert share.main(["pack", str(folder), "-o", str(path)]) == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert "left out:" in out
    assert "report.html" in out
    assert "notes.md" in out
    bundle = open_bundle(path)
    assert set(bundle.files) == {
        "README.md",
        "experiment.yml",
        "index.json",
        "provenance.yml",
        "report/curves.png",
        "report/report.md",
        "results/ppo/seed_1/0.monitor.csv",
        "results/ppo/seed_1/evaluations.csv",
        "results/ppo/seed_1/manifest.json",
    }
    assert b"somebody" not in bundle.files["results/ppo/seed_1/manifest.json"]
    assert b"Does PPO do better?" in bundle.files["README.md"]
    assert share.main(["show", str(path)]) == 0
    assert share.main(["install", str(path)]) == 2
    assert "read, not installed" in capsys.readouterr().err
