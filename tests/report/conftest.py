"""Runs made up for tests: folders with the files that a training leaves, and known numbers."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sonic_sb3.comparison import group_records, load_records
from sonic_sb3.report import write_report

GAME = "PangolinDash-Genesis-v0"
LEVEL = "CanopyZone.Act1"
STARTED_S = 1_790_000_000.0
COLUMNS = [
    *("r", "l", "t", "level", "end_reason", "game_time_s", "action_counts"),
    *("is_success", "progress", "contest_score", "x", "y"),
]


def episode(
    *,
    progress: float,
    length: int = 50,
    level: str = LEVEL,
    counts: Sequence[int] | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """One episode's facts; progress 1 is a completed level."""
    is_success = progress >= 1
    return {
        "level": level,
        "end_reason": reason or ("completed" if is_success else "life_lost"),
        "game_time_s": length * 4 / 60,
        "action_counts": list(counts or [0, length, 0, 0, 0, 0, 0]),
        "is_success": is_success,
        "progress": progress,
        "contest_score": 9000 * progress + (1000 * (1 - length / 4500) if is_success else 0),
        "x": round(96 + 6816 * progress),
        "y": 600,
    }


def monitor_text(
    episodes: Sequence[Mapping[str, Any]], columns: Sequence[str] = COLUMNS, seconds: float = 2.0
) -> str:
    """A monitor file as SB3 writes it, an episode every two seconds."""
    file = io.StringIO()
    file.write("#" + json.dumps({"t_start": STARTED_S, "env_id": "None"}) + "\n")
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    for index, facts in enumerate(episodes):
        row = {"r": 1.0, "l": sum(facts["action_counts"]), "t": seconds * (index + 1), **facts}
        writer.writerow({name: row[name] for name in columns})
    return file.getvalue()


def final_episode(index: int, facts: Mapping[str, Any]) -> dict[str, Any]:
    n_timesteps = sum(facts["action_counts"])
    return {
        "index": index,
        "seed": index,
        "n_timesteps": n_timesteps,
        "episode_return": facts.get("progress") or 0.5,
        "score": 0,
        **facts,
    }


class RunMaker:
    """Makes run folders below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._n_made = 0

    def __call__(
        self,
        name: str,
        training: Sequence[Mapping[str, Any]] | None = None,
        final: Sequence[Mapping[str, Any]] | None = None,
        *,
        algo: str = "ppo",
        seed: int = 0,
        env: str = GAME,
        levels: Sequence[str] = (LEVEL,),
        hyperparameters: Mapping[str, Any] | None = None,
        history: Mapping[str, Any] | None = None,
        columns: Sequence[str] = COLUMNS,
        is_gzipped: bool = False,
        **manifest: Any,
    ) -> Path:
        folder = self.root / name
        folder.mkdir(parents=True)
        settings = {
            "algo": algo,
            "env": env,
            "levels": list(levels),
            "n_timesteps": 10_000,
            "seed": seed,
        }
        data = {
            "format": 1,
            "settings": settings,
            "hyperparameters": {"learning_rate": 0.001, **(hyperparameters or {})},
            "started_at": f"2026-09-21T14:13:20.{self._n_made:06d}+00:00",  # no two alike
            "finished_at": "2026-09-21T15:00:00+00:00",
            "rom_sha1": "0" * 40,
            **manifest,
        }
        self._n_made += 1
        (folder / "manifest.json").write_text(json.dumps(data))
        if training is not None:
            text = monitor_text(training, columns).encode()
            if is_gzipped:
                (folder / "0.monitor.csv.gz").write_bytes(gzip.compress(text))
            else:
                (folder / "0.monitor.csv").write_bytes(text)
        if final is not None:
            episodes = [final_episode(k, facts) for k, facts in enumerate(final)]
            facts = {"env": env, "seed": 2_000_000, "deterministic": False, "checkpoint": None}
            text = json.dumps({**facts, "summary": {}, "episodes": episodes})
            (folder / "evaluation.json").write_text(text)
        if history is not None:
            np.savez(folder / "evaluations.npz", **{k: np.array(v) for k, v in history.items()})
        return folder


@pytest.fixture
def make_run(tmp_path: Path) -> RunMaker:
    return RunMaker(tmp_path)


def learning(
    n: int, seed: int, skill: float = 1.0, collapses: bool = False
) -> list[dict[str, Any]]:
    """Episodes of an agent that learns; one that collapses ends by pressing LEFT alone."""
    rng = np.random.default_rng(seed)
    episodes = []
    for k in range(n):
        way = k / n
        if collapses and way > 0.5:
            progress, probabilities = 0.0, [0.97, 0.005, 0.005, 0.005, 0.005, 0.005, 0.005]
        else:
            progress = float(np.clip(skill * way + rng.normal(0, 0.15), 0.02, 1))
            probabilities = [
                0.1,
                0.1 + 0.5 * way,
                0.1,
                0.1,
                0.2 - 0.2 * way,
                0.2 - 0.2 * way,
                0.2 - 0.1 * way,
            ]
        length = int(rng.integers(60, 400))
        weights = np.array(probabilities) / sum(probabilities)
        counts = rng.multinomial(length, weights).tolist()
        reason = "time_limit" if progress < 1 and rng.random() < 0.3 else None
        episodes.append(episode(progress=progress, length=length, counts=counts, reason=reason))
    return episodes


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two arms of three and two seeds, as an experiment leaves them, one of them collapsing."""
    make_run = RunMaker(tmp_path_factory.mktemp("made_up"))
    paths = []
    for seed in range(3):
        training = learning(300, seed)
        paths.append(
            make_run(
                f"study/results/learns/seed_{seed}",
                training,
                [episode(progress=1.0, length=300 + seed)] * 18 + training[-2:],
                seed=seed,
                is_gzipped=seed == 1,
            )
        )
    for seed in range(2):
        training = learning(250, 10 + seed, skill=0.6, collapses=True)
        paths.append(
            make_run(
                f"study/results/collapses/seed_{seed}",
                training,
                training[-20:],
                algo="a2c",
                seed=seed,
                hyperparameters={"learning_rate": "lin_0.0005"},
            )
        )
    return paths


@pytest.fixture(scope="session")
def written(study: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on it, beside it."""
    folder = study[0].parents[3] / "report"
    groups = group_records(load_records(study))
    write_report(groups, folder, title="T", intro="First paragraph.\n\nSecond one.")
    return folder
