"""Studies under SIGKILL and Ctrl-C: a share of what ``kill_tune`` does for minutes."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from sonic_sb3.tuning.storage import sqlite_url


def test_kills_lose_nothing(storage_url: str, kill_tune: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "kills"
    folder.mkdir()
    campaign = kill_tune.Campaign(folder, storage_url, n_trials=5, n_workers=3, n_timesteps=512)
    outcome = kill_tune.disturb(campaign, kill_s=15.0, every_s=2.0, seed=1)
    output = (folder / "output.log").read_text()
    assert outcome.problems == [], output
    assert outcome.states == {"COMPLETE": 5} or outcome.states.keys() == {"COMPLETE", "PRUNED"}
    if "postgresql" in storage_url:
        password = storage_url.partition("@")[0].rpartition(":")[2]
        assert campaign.titles
        assert not [title for title in campaign.titles if password in title]
        written = [path for path in folder.rglob("*") if path.is_file()]
        assert len(written) > 10
        assert not [path for path in written if password.encode() in path.read_bytes()]


def test_ctrl_c_ends_cleanly_and_the_same_command_goes_on(
    kill_tune: ModuleType, tmp_path: Path
) -> None:
    url = sqlite_url(tmp_path / "study.db")
    campaign = kill_tune.Campaign(tmp_path, url, n_trials=2, n_workers=2, n_timesteps=2048)
    process = campaign.start()
    snapshots = tmp_path / "tune" / "kills"
    deadline_s = time.monotonic() + 600
    while not list(snapshots.glob("trial_*/ppo/*/resume.snapshot")):
        assert process.poll() is None, (tmp_path / "output.log").read_text()
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    seen = {p.pid: p.create_time() for p in psutil.Process(process.pid).children(recursive=True)}
    process.send_signal(signal.SIGINT)
    assert process.wait(600) == 130
    assert "the same command goes on with it" in (tmp_path / "output.log").read_text()
    assert kill_tune.find_orphans(seen) == []
    study = campaign.open()
    slots = study.slots.read()
    assert slots
    assert not any(slot.is_held for slot in slots), "nobody has to wait for the grace period"
    left = [t for t in study.trials() if not t.state.is_finished()]
    study.close()
    assert left, "what was begun is kept"
    again = campaign.start()
    assert again.wait(1200) == 0, (tmp_path / "output.log").read_text()
    study = campaign.open()
    trials = study.trials()
    study.close()
    assert sorted(t.user_attrs["slot"] for t in trials if t.state.is_finished()) == [0, 1]
    assert [t.params for t in trials][: len(left)] == [t.params for t in left]


@pytest.mark.parametrize("option", ["--storage", "--storage="])
def test_a_password_leaves_the_command_line(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import sys

    from sonic_sb3.tuning.secrets_in_titles import hide_password

    begun: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, words: begun.append(words))
    monkeypatch.setenv("PGPASSWORD", "")
    url = "postgresql://u:secret@h:5/d"
    words = [f"{option}{url}"] if option.endswith("=") else [option, url]
    monkeypatch.setattr(sys, "argv", ["tune.py", *words])
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "sonic_sb3.tune", *words])
    hide_password(["--workers", "1"])
    assert begun == [], "only the process's own command line can be hidden"
    hide_password(None)
    (new,) = begun
    assert new[0] == sys.executable
    assert "secret" not in " ".join(new)
    assert new[-1].endswith("postgresql://u@h:5/d")
    assert os.environ["PGPASSWORD"] == "secret"
    monkeypatch.setattr(sys, "argv", new)
    monkeypatch.setattr(sys, "orig_argv", new)
    hide_password(None)
    assert len(begun) == 1, "and it is begun anew once"


def test_workers_end_when_the_command_is_killed(kill_tune: ModuleType, tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "study.db")
    campaign = kill_tune.Campaign(tmp_path, url, n_trials=2, n_workers=2, n_timesteps=10**7)
    process = campaign.start()
    deadline_s = time.monotonic() + 300
    while not list((tmp_path / "tune").rglob("resume.snapshot")):
        assert process.poll() is None, (tmp_path / "output.log").read_text()
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    seen = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.kill()
    process.wait()
    _, left = psutil.wait_procs(seen, timeout=60)
    for one in left:
        one.kill()
    assert not left
