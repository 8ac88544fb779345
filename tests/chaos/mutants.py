"""Damaged and forged models, states, ROMs, runs, bundles: each is read or refused at once."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import random
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from sonic_sb3 import rom_import, save_states
from sonic_sb3.bundles.agents import load_bundle_policy
from sonic_sb3.bundles.archive import write_zip
from sonic_sb3.bundles.contents import INDEX, add_index, open_bundle
from sonic_sb3.bundles.shown import describe
from sonic_sb3.errors import SonicError
from sonic_sb3.models import load_policy_weights
from sonic_sb3.plain_data import load_data
from sonic_sb3.plots import read_monitor
from sonic_sb3.rom_files import find_rom, state_path
from sonic_sb3.runs import load_run
from tests.bundles.small_agent import pack_small_agent
from tests.chaos.outcome import Outcome, Progress
from tests.chaos.run_folders import GAME, make_policy, make_run_folder, save_policy

MAX_S = 10.0
_VALUES: list[Any] = [
    None, True, -1, 0, 10**400, 1e308, float("nan"), float("inf"), "", "x" * 10_000, [], {},
    [[[[[[]]]]]], "../../x", "/etc/passwd", {"a": {"b": {"c": 1}}}, "\x1b[2J", [0] * 1000,
]  # fmt: skip


def damage(rng: random.Random, content: bytes) -> bytes:
    """Flip, cut, insert, repeat or overwrite some of it."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8])):
        where = rng.randrange(max(1, len(data)))
        kind = rng.randrange(5)
        if kind == 0 and data:
            data[where] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[where:]
        elif kind == 2:
            data[where:where] = rng.randbytes(rng.choice([1, 4, 300]))
        elif kind == 3:
            data[where:where] = data[: rng.choice([16, 1000])]
        elif data:
            end = min(len(data), where + rng.choice([1, 8, 64]))
            data[where:end] = bytes([rng.choice([0, 255])]) * (end - where)
    return bytes(data)


def forge_json(rng: random.Random, data: Any) -> Any:
    """Put one strange value somewhere into a tree."""
    if isinstance(data, dict) and data and rng.random() < 0.85:
        key = rng.choice(list(data))
        return {**data, key: forge_json(rng, data[key])}
    if isinstance(data, dict) and rng.random() < 0.5:
        return {**data, rng.choice(["x", "os.system", "__class__"]): rng.choice(_VALUES)}
    return rng.choice(_VALUES)


class Mutants:
    """
    Makes one mutant after the other and shows it to whoever reads such files.

    :param folder: To work in.
    :param rng: Of what is changed.
    """

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self._folder, self._rng = folder, rng
        self._run = make_run_folder(folder / "good")
        self._policy = make_policy()
        self._model = (self._run / f"{GAME}.zip").read_bytes()
        self._state = state_path(GAME, "Level1").read_bytes()
        self._plain_state = gzip.decompress(self._state)
        self._rom = find_rom(GAME).read_bytes()
        checksums = save_states.write_checksums({"Level1.state": self._plain_state})
        (folder / "states.sha").write_text(checksums)
        self._bundle = pack_small_agent()

    def model(self) -> str | None:
        path = self._folder / "model.zip"
        kind = self._rng.randrange(4)
        if kind == 0:
            self._forge_weights(path)
        elif kind == 1:
            self._forge_archive(path)
        else:
            path.write_bytes(damage(self._rng, self._model))
        return _received(path, lambda: load_policy_weights(self._policy, path))

    def _forge_weights(self, path: Path) -> None:
        name = self._rng.choice(list(self._policy.state_dict()))
        weight = self._policy.state_dict()[name]
        forged = self._rng.choice(
            [
                None, weight.double(), weight.flatten(), weight * float("nan"),
                weight.to(torch.int8), torch.zeros(1).expand(10**9), "text", [1, 2],
                weight.to_sparse(),
            ]
        )  # fmt: skip
        save_policy(self._policy, path, **{name: forged})

    def _forge_archive(self, path: Path) -> None:
        names = ["policy.pth", "policy.optimizer.pth", "data", "../x.pth", "/x.pth", "POLICY.pth"]
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
            contextlib.suppress(UserWarning),
        ):
            for name in self._rng.sample(names, 3):
                size = self._rng.choice([0, 1000, 60_000_000])
                archive.writestr(name, self._rng.choice([bytes(size), self._model]))

    def state(self) -> str | None:
        path = self._folder / "Level1.state"
        if self._rng.random() < 0.5:
            content = damage(self._rng, self._state)
        else:
            content = gzip.compress(damage(self._rng, self._plain_state), 1)
        path.write_bytes(content)
        original = save_states.state_path
        save_states.state_path = lambda *_: path
        try:
            return _received(
                path, lambda: save_states.read_state(GAME, "Level1"), self._check_state
            )
        finally:
            save_states.state_path = original

    def _check_state(self, state: bytes) -> str | None:
        return None if state == self._plain_state else "a state that was not shipped is accepted"

    def rom(self) -> str | None:
        path = self._folder / self._rng.choice(["rom.md", "rom.smd", "rom.zip", "rom.bin"])
        content = damage(self._rng, self._rom)
        if path.suffix == ".zip":
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("rom.md", content)
            content = damage(self._rng, buffer.getvalue())
        path.write_bytes(content)
        return _received(path, lambda: list(rom_import.import_roms([path])))

    def run_folder(self) -> str | None:
        path = self._folder / "run"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self._run, path)
        name = self._rng.choice(
            ["manifest.json", "0.monitor.csv", "resume.snapshot", f"{GAME}.zip", "manifest.json"]
        )
        target = path / name
        content = target.read_bytes()
        kind = self._rng.randrange(5)
        target.unlink()
        if kind == 0 and name == "manifest.json":
            target.write_text(json.dumps(forge_json(self._rng, json.loads(content))))
        elif kind == 1:
            outside = self._rng.choice(["/dev/zero", "/etc/passwd", "/nowhere", str(self._run)])
            target.symlink_to(outside)
        elif kind == 2:
            os.mkfifo(target)
        elif kind == 3 and name == "resume.snapshot":
            forged = damage(self._rng, content[:-4])
            target.write_bytes(forged + zlib.crc32(forged).to_bytes(4, "little"))
        else:
            target.write_bytes(damage(self._rng, content))
        return _received(path, lambda: _open_run(path))

    def bundle(self) -> str | None:
        path = self._folder / "agent.sonic.zip"
        if self._rng.random() < 0.3:
            write_zip(path, self._bundle)
            path.write_bytes(damage(self._rng, path.read_bytes()))
            return _received(path, lambda: _open_bundle(path))
        files = {name: content for name, content in self._bundle.items() if name != INDEX}
        name = self._rng.choice(sorted(files))
        if name.endswith(".json") and self._rng.random() < 0.7:
            forged = json.dumps(forge_json(self._rng, json.loads(files[name]))).encode()
        elif name.endswith(".yml") and self._rng.random() < 0.7:
            forged = yaml.safe_dump(forge_json(self._rng, yaml.safe_load(files[name]))).encode()
        else:
            forged = damage(self._rng, files[name])
        # An honest index over dishonest files.
        write_zip(path, add_index("agent", "agent", {**files, name: forged}))
        return _received(path, lambda: _open_bundle(path))


def _open_bundle(path: Path) -> None:
    bundle = open_bundle(path)
    describe(bundle)
    load_bundle_policy(bundle)


def _open_run(path: Path) -> None:
    run = load_run(path)
    read_monitor(run.folder.monitor)
    load_data(run.folder.snapshot)
    run.load_policy()


def _received(
    path: Path, read: Callable[[], Any], check: Callable[[Any], str | None] = lambda _: None
) -> str | None:
    """:returns: What is wrong with how it was received; ``None`` for nothing."""
    started_s = time.monotonic()
    try:
        problem = check(read())
        if problem:
            return f"{path.name}: {problem}"
    except SonicError as error:
        message = str(error)
        if str(path) not in message and "key" not in message:
            return f"{path.name}: the file is not named: {message[:200]}"
        if not any(word in message for word in ("expected", "unknown", "should", "required")):
            return f"{path.name}: no word of what was expected: {message[:200]}"
    except Exception as error:
        return f"{path.name}: {type(error).__name__}: {str(error)[:300]}"
    if time.monotonic() - started_s > MAX_S:
        return f"{path.name}: took {time.monotonic() - started_s:.0f} s"
    return None


def feed_mutants(folder: Path, n_mutants: int, seed: int) -> Outcome:
    """
    Make mutants of all kinds and read them.

    :param folder: To work in.
    :param n_mutants: So many.
    :param seed: Of what is changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["XDG_DATA_HOME"] = str(folder / "data")  # where an accepted ROM would go
    outcome = Outcome("mutants")
    rng = random.Random(seed)
    mutants = Mutants(folder, rng)
    progress = Progress("mutants", n_mutants)
    kinds = (mutants.model, mutants.state, mutants.rom, mutants.run_folder, mutants.bundle)
    for number in range(n_mutants):
        kind = kinds[number % len(kinds)]
        before = rng.getstate()
        problem = kind()
        outcome.n_events += 1
        outcome.count(kind.__name__)
        if problem is not None and len(outcome.failures) < 20:
            outcome.failures.append(f"{number}: {problem}")
        assert rng.getstate() != before
        progress.show(outcome.n_events)
    return outcome
