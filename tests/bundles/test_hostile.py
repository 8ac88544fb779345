"""Bundles of people who mean harm: each is refused in one line, writes nothing, runs nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import stat
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import yaml

from sonic_sb3 import evaluate, share, train
from sonic_sb3.bundles.archive import write_zip
from sonic_sb3.bundles.contents import INDEX, add_index, open_bundle

Files = dict[str, bytes]
MARKER = "marker-of-code-that-ran"
SAFETENSORS = "policy.safetensors"


class Bomb:
    """What a pickle does when it is opened."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {MARKER}",))


def with_index(files: Mapping[str, bytes], name: str = "ppo-small1") -> Files:
    """Somebody who means harm writes an honest index over dishonest files."""
    return add_index("agent", name, {k: v for k, v in files.items() if k != INDEX})


def replaced(files: Files, name: str, content: bytes | str) -> Files:
    return with_index(files | {name: content.encode() if isinstance(content, str) else content})


def zipped(entries: list[tuple[zipfile.ZipInfo | str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()


def yaml_with(files: Files, name: str, **changes: Any) -> Files:
    data = yaml.safe_load(files[name])
    data.update(changes)
    return replaced(files, name, yaml.safe_dump(data))


def json_edited(files: Files, name: str, old: str, new: str) -> Files:
    text = files[name].decode()
    assert old in text
    return replaced(files, name, text.replace(old, new, 1))


def head_edited(files: Files, edit: Callable[[dict[str, Any]], None], pad: bytes = b"") -> Files:
    """The list at the beginning of the weights, changed."""
    content = files[SAFETENSORS]
    n_head = int.from_bytes(content[:8], "little")
    head = json.loads(content[8 : 8 + n_head])
    edit(head)
    text = json.dumps(head).encode()
    body = content[8 + n_head :] + pad
    return replaced(files, SAFETENSORS, struct.pack("<Q", len(text)) + text + body)


def set_entry(key: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    def edit(head: dict[str, Any]) -> None:
        head[key].update(values)

    return edit


def overlap(head: dict[str, Any]) -> None:
    one, other = [k for k in head if k.endswith("cnn.2.weight")] + [
        k for k in head if k.endswith("cnn.4.bias")
    ]
    n = head[other]["data_offsets"][1] - head[other]["data_offsets"][0]
    start = head[one]["data_offsets"][0]
    head[other]["data_offsets"] = [start, start + n]


def weights_with(files: Files, change: Callable[[dict[str, np.ndarray]], None]) -> Files:
    arrays = safetensors.numpy.load(files[SAFETENSORS])
    change(arrays)
    return replaced(files, SAFETENSORS, safetensors.numpy.save(arrays))


def set_nan(arrays: dict[str, np.ndarray]) -> None:
    arrays["action_net.bias"] = np.full(7, np.nan, dtype=np.float16)


def widen(arrays: dict[str, np.ndarray]) -> None:
    arrays["action_net.bias"] = np.zeros(12, dtype=np.float16)


def rename(arrays: dict[str, np.ndarray]) -> None:
    arrays["backdoor"] = arrays.pop("action_net.bias")


def movie_with(files: Files, old: str, new: str) -> Files:
    return json_edited(files, "best_episode.movie.txt", old, new)


def with_end_reason(files: Files, text: str) -> Files:
    """A consistent evaluation: episodes and summaries tell the same reason."""
    reason = json.loads(files["evaluation.json"])["episodes"][0]["end_reason"]
    evaluation = files["evaluation.json"].replace(f'"{reason}"'.encode(), f'"{text}"'.encode())
    return replaced(files, "evaluation.json", evaluation)


def first_score(files: Files) -> str:
    data = json.loads(files["evaluation.json"])
    return f'"contest_score": {data["episodes"][0]["contest_score"]}'


def card_with(files: Files, text: str) -> Files:
    return replaced(files, "README.md", files["README.md"].decode() + text)


RUNS_CODE = f"!!python/object/apply:os.system ['touch {MARKER}']"
# What is done to an honest bundle, and a word of the answer.
CONTENTS: dict[str, tuple[Callable[[Files], Files], str]] = {
    "pickle for weights": (
        lambda f: replaced(f, SAFETENSORS, pickle.dumps(Bomb())),
        "safetensors",
    ),
    "pickle under its own name": (lambda f: with_index(f | {"model.pkl": b"x"}), "no programs"),
    "torch zip": (lambda f: replaced(f, SAFETENSORS, zipped([("data.pkl", b"x")])), "safetensors"),
    "python script": (lambda f: with_index(f | {"setup.py": b"print()"}), "no programs"),
    "web page": (lambda f: with_index(f | {"report/a.html": b"<p>"}), "no programs"),
    "unexpected file": (lambda f: with_index(f | {"more.txt": b"x"}), "not a file of a shared"),
    "python object in hyperparameters": (
        lambda f: replaced(f, "hyperparameters.yml", f"default: {RUNS_CODE}\n"),
        "plain YAML",
    ),
    "python object in settings": (
        lambda f: replaced(f, "agent.yml", f"format: {RUNS_CODE}\n"),
        "plain YAML",
    ),
    "python object in provenance": (
        lambda f: replaced(f, "provenance.yml", f"python: {RUNS_CODE}\n"),
        "plain YAML",
    ),
    "python object in the card": (
        lambda f: replaced(f, "README.md", f"---\ntags: {RUNS_CODE}\n---\n"),
        "plain YAML",
    ),
    "YAML bomb": (
        lambda f: replaced(
            f,
            "provenance.yml",
            "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 9)),
        ),
        "values",
    ),
    "infinity in hyperparameters": (
        lambda f: json_edited(
            f, "hyperparameters.yml", "max_grad_norm: 0.5", "max_grad_norm: 1.0e+999"
        ),
        "finite",
    ),
    "infinity as a text": (
        lambda f: json_edited(
            f, "hyperparameters.yml", "max_grad_norm: 0.5", "max_grad_norm: 1e999"
        ),
        "finite",
    ),
    "NaN in hyperparameters": (
        lambda f: json_edited(f, "hyperparameters.yml", "vf_coef: 0.5", "vf_coef: .nan"),
        "finite",
    ),
    "NaN in the evaluation": (
        lambda f: json_edited(f, "evaluation.json", first_score(f), '"contest_score": NaN'),
        "finite",
    ),
    "1e999 in the evaluation": (
        lambda f: json_edited(f, "evaluation.json", first_score(f), '"contest_score": 1e999'),
        "finite",
    ),
    "infinity in a curve": (
        lambda f: replaced(f, "curves/training.csv", "timesteps,r\n1,inf\n"),
        "finite",
    ),
    "formula in a curve": (
        lambda f: replaced(f, "curves/training.csv", "timesteps,r\n1,\"=cmd|' /C calc'!A0\"\n"),
        "formula",
    ),
    "a better figure than its episodes": (
        lambda f: json_edited(
            f, "evaluation.json", '"completion_rate": 0.0', '"completion_rate": 1.0'
        ),
        "its own episodes",
    ),
    "a better figure on the card": (
        lambda f: json_edited(f, "README.md", "value: 0.0", "value: 1.0"),
        "model-index",
    ),
    "a card for another game": (
        lambda f: replaced(
            f, "README.md", f["README.md"].replace(b"PangolinDash-", b"SonicTheHedgehog-")
        ),
        "the agent's game",
    ),
    "figures for another game on the card": (
        lambda f: replaced(
            f, "README.md", f["README.md"].replace(b"type: PangolinDash-", b"type: Airstriker-")
        ),
        "model-index",
    ),
    "escapes in a reason": (lambda f: with_end_reason(f, "\\r\\u001b[2Kmovie: SAME"), "end_reason"),
    "half a character in a reason": (lambda f: with_end_reason(f, "\\ud800"), "end_reason"),
    "an episode with another seed": (
        lambda f: json_edited(f, "evaluation.json", '"seed": 12,', '"seed": 13,'),
        "seed",
    ),
    "a key twice": (
        lambda f: json_edited(f, "evaluation.json", '"env":', '"env": "x", "env":'),
        "twice",
    ),
    "deep JSON": (lambda f: replaced(f, "evaluation.json", "[" * 100_000), "plain JSON"),
    "a better figure in the card's table": (
        lambda f: json_edited(
            f, "README.md", "| CanopyZone.Act1 | 0% |", "| CanopyZone.Act1 | 99% |"
        ),
        "its table",
    ),
    "one more row in the card's table": (
        lambda f: json_edited(
            f,
            "README.md",
            "\n\nEpisodes under",
            "\n| CanopyZone.Act2 | 99% | - | - | 3 |\n\nEpisodes under",
        ),
        "its table",
    ),
    "HTML in the card": (lambda f: card_with(f, "<script>alert(1)</script>"), "without HTML"),
    "a picture tag in the card": (lambda f: card_with(f, "<IMG src=x>"), "without HTML"),
    "terminal escapes in the card": (lambda f: card_with(f, "\x1b]0;owned\x07"), "control"),
    "hidden text in the card": (lambda f: card_with(f, "\u202egnp.exe"), "control"),
    "a script as a link": (lambda f: card_with(f, "[x](javascript:alert(1))"), "links"),
    "a local file as a link": (lambda f: card_with(f, "[x](../../etc/passwd)"), "links"),
    "escapes in provenance": (
        lambda f: replaced(f, "provenance.yml", b"python: \x1b[2J\n"),
        "control",
    ),
    "a movie for another ROM": (
        lambda f: movie_with(f, "rom_sha1 ", "rom_sha1 " + "0" * 40 + "\n#"),
        "movie",
    ),
    "a movie for another game": (
        lambda f: movie_with(f, "game PangolinDash", "game Airstriker"),
        "another ROM",
    ),
    "a movie of a level from outside": (
        lambda f: movie_with(f, "level CanopyZone", "level ../CanopyZone"),
        "'level'",
    ),
    "a movie that never ends": (
        lambda f: movie_with(f, "inputs\n", "inputs\n9999999 RIGHT\n"),
        "frames",
    ),
    "a movie of other buttons": (lambda f: movie_with(f, "inputs\n", "inputs\n1 RESET\n"), "line"),
    "weights of another shape": (lambda f: weights_with(f, widen), "expected shape"),
    "weights with another name": (lambda f: weights_with(f, rename), "another network"),
    "NaN among the weights": (lambda f: weights_with(f, set_nan), "finite"),
    "settings of another network": (
        lambda f: json_edited(f, "hyperparameters.yml", "features_dim: 16", "features_dim: 24"),
        "expected shape",
    ),
    "a head that promises more": (
        lambda f: head_edited(f, set_entry("action_net.bias", shape=[7_000_000])),
        "do not hold",
    ),
    "a head with negative sizes": (
        lambda f: head_edited(f, set_entry("action_net.bias", shape=[-7])),
        "at least 0",
    ),
    "weights that overlap": (lambda f: head_edited(f, overlap), "overlap"),
    "bytes that no entry names": (lambda f: head_edited(f, lambda head: None, b"x" * 99), "bytes"),
    "an unknown type": (
        lambda f: head_edited(f, set_entry("action_net.bias", dtype="PICKLE")),
        "expected one of",
    ),
    "a head longer than the file": (
        lambda f: replaced(f, SAFETENSORS, struct.pack("<Q", 2**63) + b"{}"),
        "safetensors",
    ),
    "an unknown algorithm": (lambda f: yaml_with(f, "agent.yml", algo="os.system"), "algorithm"),
    "an unknown game": (lambda f: yaml_with(f, "agent.yml", env="../../x"), "unknown env"),
    "an unknown level": (lambda f: yaml_with(f, "agent.yml", levels=["../x"]), "unknown level"),
    "an unknown key": (lambda f: yaml_with(f, "agent.yml", run="x"), "unknown key"),
    "a policy of its own": (
        lambda f: json_edited(
            f, "hyperparameters.yml", "sonic_sb3.policies.SonicPolicy", "os.system"
        ),
        "policy",
    ),
    "a name that leads outside": (lambda f: with_index(f, name="../../escaped"), "name"),
    "a future format": (lambda f: json_edited(f, "agent.yml", "format: 1", "format: 2"), "format"),
    "a missing file": (
        lambda f: with_index({k: v for k, v in f.items() if k != "agent.yml"}),
        "expected agent.yml",
    ),
    "a video that is none": (lambda f: replaced(f, "video.mp4", b"#!/bin/sh\n"), "MP4"),
    "wrong sha": (lambda f: f | {"agent.yml": f["agent.yml"] + b"\n"}, "damaged or changed"),
    "a file that the index hides": (
        lambda f: f | {"curves/hidden.csv": b"a\n"},
        "not in the index",
    ),
    "no index": (lambda f: {k: v for k, v in f.items() if k != INDEX}, INDEX),
}


def entry(name: str, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def all_entries(files: Files) -> list[tuple[zipfile.ZipInfo | str, bytes]]:
    return list(files.items())


def encrypted(files: Files) -> bytes:
    data = bytearray(zipped(all_entries(files)))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + offset] |= 1
    return bytes(data)


def lying_size(files: Files) -> bytes:
    """The directory says 10 bytes, the data go on for a megabyte."""
    data = bytearray(
        zipped([("agent.yml", b"a" * (1 << 20)), *(files | {"agent.yml": b""}).items()][:1])
    )
    place = data.index(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<L", 10)
    return bytes(data)


def spelt_twice(files: Files) -> bytes:
    """One name in front of the data, another one in the directory."""
    data = bytearray(zipped(all_entries(files)))
    place = data.index(b"PK\x03\x04") + 30
    data[place : place + 2] = b"../"[:2]
    return bytes(data)


# Zips as such, whatever is in them.
ARCHIVES: dict[str, tuple[Callable[[Files], bytes], str]] = {
    "path escape": (lambda f: zipped([*f.items(), ("../escaped.yml", b"x")]), "stays inside"),
    "deep path escape": (
        lambda f: zipped([*f.items(), ("curves/../../escaped.yml", b"x")]),
        "stays inside",
    ),
    "absolute name": (lambda f: zipped([*f.items(), ("/tmp/escaped.yml", b"x")]), "stays inside"),
    "Windows path": (lambda f: zipped([*f.items(), ("C:\\escaped.yml", b"x")]), "stays inside"),
    "device name": (lambda f: zipped([*f.items(), ("curves/CON.csv", b"x")]), "stays inside"),
    "stream of a file": (lambda f: zipped([*f.items(), ("a.yml:b.yml", b"x")]), "stays inside"),
    "name with escapes": (lambda f: zipped([*f.items(), ("\x1b[2J.yml", b"x")]), "stays inside"),
    "folder entry": (lambda f: zipped([*f.items(), ("curves/", b"")]), "stays inside"),
    "symlink": (
        lambda f: zipped([*f.items(), (entry("more.csv", stat.S_IFLNK | 0o777), b"/etc/passwd")]),
        "no link",
    ),
    "device": (
        lambda f: zipped([*f.items(), (entry("more.csv", stat.S_IFBLK | 0o600), b"")]),
        "no link or device",
    ),
    "zip bomb": (
        lambda f: zipped([*f.items(), *((f"curves/{k}.csv", b"0" * (31 << 20)) for k in range(3))]),
        "zip bomb",
    ),
    "large table": (
        lambda f: zipped([*f.items(), ("curves/bomb.csv", b"0" * (40 << 20))]),
        "at most",
    ),
    "huge number of entries": (
        lambda f: zipped([(f"curves/{k}.csv", b"") for k in range(3000)]),
        "entries",
    ),
    "duplicate entries": (
        lambda f: zipped([*f.items(), ("agent.yml", b"format: 2")]),
        "one and the same",
    ),
    "names that differ by case": (
        lambda f: zipped([*f.items(), ("AGENT.yml", b"format: 2")]),
        "one and the same",
    ),
    "encrypted entry": (encrypted, "encrypted"),
    "size that lies": (lying_size, "damaged"),
    "two spellings": (spelt_twice, "damaged"),
    "something in front": (lambda f: b"MZ" + zipped(all_entries(f)), "in one piece"),
    "something behind": (lambda f: zipped(all_entries(f)) + b"MZ", "in one piece"),
    "cut off": (lambda f: zipped(all_entries(f))[:-100], "in one piece"),
    "no zip": (lambda f: b"\x80\x04" * 100, "in one piece"),
    "empty": (lambda f: b"", "too short"),
}


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, around which nothing may change and in which no marker may appear."""
    work = tmp_path / "work" / "deep" / "inside"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    yield work
    assert {p.name for p in tmp_path.rglob("*")} <= {"work", "deep", "inside", "in.sonic.zip"}
    assert not Path("/tmp/escaped.yml").exists()


def refusals(path: str, home: Path) -> Iterator[str]:
    """What the commands say that open a bundle."""
    for main, argv in (
        (share.main, ["show", path]),
        (share.main, ["install", path]),
        (share.main, ["verify", path]),
        (share.main, ["push", path, "shelf"]),
    ):
        errors = io.StringIO()
        old, sys.stderr = sys.stderr, errors
        try:
            assert main(argv) == 2, argv
        finally:
            sys.stderr = old
        yield errors.getvalue()


@pytest.mark.parametrize("name", CONTENTS)
def test_hostile_contents(name: str, agent_files: Files, watched: Path, user_home: Path) -> None:
    change, message = CONTENTS[name]
    write_zip(watched / "in.sonic.zip", change(dict(agent_files)))
    for error in refusals("in.sonic.zip", user_home):
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        assert message in error
        assert error.isprintable() or error[:-1].isprintable(), "no escape reaches the terminal"


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_archives(name: str, agent_files: Files, watched: Path, user_home: Path) -> None:
    make, message = ARCHIVES[name]
    (watched / "in.sonic.zip").write_bytes(make(dict(agent_files)))
    for error in refusals("in.sonic.zip", user_home):
        assert error.startswith("error: ")
        assert error[:-1].isprintable()
        assert message in error


def test_the_corpus_differs_from_an_honest_bundle_by_one_thing_each(
    agent_files: Files, tmp_path: Path
) -> None:
    write_zip(tmp_path / "in.sonic.zip", with_index(agent_files))
    assert share.main(["show", str(tmp_path / "in.sonic.zip")]) == 0
    (tmp_path / "in.sonic.zip").write_bytes(zipped(all_entries(agent_files)))
    assert share.main(["show", str(tmp_path / "in.sonic.zip")]) == 0


@pytest.mark.parametrize("main", [evaluate.main, train.main])
def test_train_and_evaluate_refuse_too(
    main: Any, agent_files: Files, watched: Path, capsys: Any
) -> None:
    change, message = CONTENTS["pickle for weights"]
    if main is train.main:
        change, message = CONTENTS["python object in hyperparameters"]
    write_zip(watched / "in.sonic.zip", change(dict(agent_files)))
    argv = ["in.sonic.zip"] if main is evaluate.main else ["--conf-file", "in.sonic.zip", "-n", "9"]
    assert main(argv) == 2
    assert message in capsys.readouterr().err


def test_hostile_folders(agent_files: Files, tmp_path: Path) -> None:
    from sonic_sb3.bundles.archive import write_folder
    from sonic_sb3.errors import BundleError

    for name in ("link", "linked folder", "pipe", "program"):
        folder = tmp_path / name.replace(" ", "-")
        write_folder(folder, agent_files)
        if name == "link":
            (folder / "agent.yml").unlink()
            (folder / "agent.yml").symlink_to("/etc/hostname")
        elif name == "linked folder":
            (folder / "more").symlink_to("/etc")
        elif name == "pipe":
            os.mkfifo(folder / "curves" / "pipe.csv")
        else:
            (folder / "run.sh").write_text("exit")
        with pytest.raises(BundleError, match=r"plain file|no programs"):
            open_bundle(folder)


def test_damage_anywhere_is_refused_or_harmless(bundle_path: Path) -> None:
    """A flipped bit never gives another bundle, and no other kind of error."""
    from sonic_sb3.errors import SonicError

    content = bundle_path.read_bytes()
    honest = open_bundle(bundle_path).id
    rng = np.random.default_rng(0)
    ends = [*range(200), *range(len(content) - 1200, len(content))]
    n_refused = 0
    places = [*rng.integers(len(content), size=60), *rng.choice(ends, 200, replace=False)]
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        bundle_path.write_bytes(damaged)
        try:
            assert open_bundle(bundle_path).id == honest, place
        except SonicError:
            n_refused += 1
    assert n_refused > 200


def test_indexes_name_what_they_hash(agent_files: Files) -> None:
    index = json.loads(agent_files[INDEX])
    for name, facts in index["files"].items():
        assert facts["sha256"] == hashlib.sha256(agent_files[name]).hexdigest()
    assert index["files"].keys() == agent_files.keys() - {INDEX}
