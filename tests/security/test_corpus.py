"""Files that run code, grow without end or lead elsewhere in stock tools: here they are data."""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sonic_sb3 import evaluate, save_states, train
from sonic_sb3.array_files import read_arrays
from sonic_sb3.bundles.contents import open_bundle
from sonic_sb3.bundles.texts import check_markdown
from sonic_sb3.errors import EmulatorError, RunFolderError, SonicError
from sonic_sb3.event_files import check_claim, claim_folder, claim_free_folder
from sonic_sb3.hyperparams import load_hyperparameters
from sonic_sb3.models import load_policy_weights
from sonic_sb3.pickle_scan import check_state_pickle
from sonic_sb3.plain_data import load_data, save_data
from sonic_sb3.plain_json import parse_json
from sonic_sb3.plain_yaml import parse_mapping
from sonic_sb3.rom_files import find_rom, state_path
from sonic_sb3.run_folder import open_run_folder
from sonic_sb3.runs import load_run
from sonic_sb3.strange_files import open_archive, read_entry, read_file, unpack_gzip
from tests.chaos.run_folders import GAME, make_policy, make_run_folder, save_policy


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run_folder(tmp_path / "run")


class Bomb:
    """Writes the marker when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.write_text, (self.marker, "ran")


def test_the_bomb_works(marker: Path) -> None:
    pickle.loads(pickle.dumps(Bomb(marker)))
    assert marker.exists()


def rewrite(model: Path, **parts: bytes) -> None:
    with zipfile.ZipFile(model) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(model, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**kept, **parts}.items():
            archive.writestr(name, content)


def test_pickles_in_and_beside_a_model_are_ignored(run: Path, marker: Path) -> None:
    bomb = pickle.dumps(Bomb(marker))
    data = {"policy_class": {":type:": "x", ":serialized:": base64.b64encode(bomb).decode()}}
    rewrite(run / f"{GAME}.zip", data=json.dumps(data).encode(), **{"system_info.txt": b"x"})
    for name in ("vecnormalize.pkl", "replay_buffer.pkl", f"{GAME}/vecnormalize.pkl"):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_bytes(bomb)
    load_run(run).load_policy()
    assert not marker.exists()


def test_a_pickle_in_the_place_of_weights(run: Path, marker: Path) -> None:
    buffer = io.BytesIO()
    torch.save(Bomb(marker), buffer)
    for content in (buffer.getvalue(), pickle.dumps(Bomb(marker))):
        rewrite(run / f"{GAME}.zip", **{"policy.pth": content})
        with pytest.raises(RunFolderError, match="expected an SB3 zip"):
            load_run(run).load_policy()
    assert not marker.exists()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("action_net.bias", lambda w: w * float("nan"), "action_net.bias: expected finite"),
        ("action_net.bias", lambda w: w.double(), "action_net.bias: expected shape"),
        ("action_net.bias", lambda w: w[:3], "action_net.bias: expected shape"),
        ("action_net.bias", lambda w: torch.zeros(1).expand(7), "as many numbers"),
        ("action_net.bias", lambda w: "text", "action_net.bias: expected a tensor"),
        ("action_net.bias", lambda w: None, "'action_net.bias' is missing"),
        ("unknown", lambda w: torch.zeros(1), "'unknown' is none of this network's"),
    ],
)
def test_weights_that_do_not_fit(
    name: str, change: Callable[[Any], Any], message: str, tmp_path: Path
) -> None:
    policy = make_policy()
    path = tmp_path / "model.zip"
    save_policy(policy, path, **{name: change(policy.state_dict().get(name))})
    with pytest.raises(RunFolderError, match=message) as caught:
        load_policy_weights(policy, path)
    assert str(path) in str(caught.value)


def test_a_policy_that_sb3_saved_alone_is_not_loaded(
    tmp_path: Path, marker: Path, capsys: Any
) -> None:
    """SB3's own ``policy.load`` unpickles what stands beside the weights."""
    policy, path = make_policy(), tmp_path / "policy.zip"
    torch.save({"state_dict": policy.state_dict(), "data": {"lr_schedule": Bomb(marker)}}, path)
    with pytest.raises(RunFolderError, match="expected an SB3 zip"):
        load_policy_weights(policy, path)
    for main, argv in (
        (evaluate.main, [str(path)]),
        (train.main, ["-i", str(path), "--env", GAME, "-f", str(tmp_path / "logs")]),
    ):
        assert main(argv) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not marker.exists()


def test_what_lies_beside_an_imported_rom_is_not_read(tmp_path: Path, marker: Path) -> None:
    """Lua, metadata, scenarios and states come from integrations of ours or of stable-retro."""
    game = "PangolinDash-Genesis-v0"
    folder = tmp_path / "sonic_sb3" / "roms" / game
    folder.mkdir(parents=True)
    shutil.copy(find_rom(game), folder / "rom.md")
    code = (
        "import gymnasium, hashlib, sonic_sb3; from sonic_sb3.rom_files import find_rom;"
        f"env = gymnasium.make('{game}'); picture, _ = env.reset(seed=0);"
        "step = env.step(1); env.close(); print(find_rom('" + game + "'));"
        "print(hashlib.sha1(picture.tobytes() + step[0].tobytes()).hexdigest(), step[1:4])"
    )
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    command = [sys.executable, "-c", code]

    def play() -> str:
        return subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, check=True
        ).stdout

    alone = play()
    assert str(folder) in alone
    (folder / "script.lua").write_text(f"os.execute('touch {marker}')")
    scenario = {"scripts": [["script.lua", "lua"]], "reward": {"script": "lua:reward"}}
    (folder / "scenario.json").write_text(json.dumps(scenario))
    (folder / "metadata.json").write_text('{"default_state": "other"}')
    (folder / "data.json").write_text('{"info": {}}')
    (folder / "rom.sha").write_text("0" * 40)
    (folder / "CanopyZone.Act1.state").write_bytes(gzip.compress(pickle.dumps(Bomb(marker))))
    assert play() == alone
    assert not marker.exists()


def test_bombs_are_not_unpacked(tmp_path: Path, run: Path) -> None:
    model = run / f"{GAME}.zip"
    rewrite(model, **{"policy.pth": bytes(200_000_000)})
    assert model.stat().st_size < 2_000_000
    with pytest.raises(RunFolderError, match="expected at most"):
        load_run(run).load_policy()
    packed = gzip.compress(bytes(50_000_000))
    with pytest.raises(ValueError, match="expected at most 1,000"):
        unpack_gzip(packed, 1000)


def test_an_archive_that_lies_about_sizes() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(100_000))
    content = buffer.getvalue().replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    with pytest.raises(ValueError, match="expected"), open_archive(content, 1000) as archive:
        read_entry(archive, "a", 1000)


@pytest.mark.parametrize("name", ["../a", "/a", "a/../../b", "..\\a", "C:a"])
def test_names_that_lead_elsewhere(name: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, b"")
    with pytest.raises(ValueError, match="leads elsewhere"), open_archive(buffer.getvalue(), 1000):
        pass


@pytest.mark.parametrize(
    "text",
    [
        "default: !!python/object/apply:os.system ['touch {marker}']",
        "default: {callback: {os.system: 'touch {marker}'}}",
        "default: {policy: os.system}",
        "default: {normalize: \"__import__('os').system('touch {marker}')\"}",
        "default: {policy_kwargs: \"dict(x=__import__('os').system('touch {marker}'))\"}",
        "default: {learning_rate: \"lin___import__('os').system('touch {marker}')\"}",
        "default: {replay_buffer_kwargs: \"__import__('os').system('touch {marker}')\"}",
        "default: {policy_kwargs: {extractor: os.system}}",
    ],
)
def test_settings_are_data(text: str, marker: Path, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "settings.yml"
    path.write_text(text.replace("{marker}", str(marker)))
    argv = ["--conf-file", str(path), "--env", GAME, "-f", str(tmp_path / "logs")]
    assert train.main(argv) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SonicError):
        load_hyperparameters("ppo", GAME, path)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["args.yml", "config.yml"])
def test_yaml_beside_a_run_is_not_read(name: str, run: Path, marker: Path) -> None:
    (run / GAME).mkdir()
    (run / GAME / name).write_text(f"!!python/object/apply:os.system ['touch {marker}']")
    load_run(run).load_policy()
    assert not marker.exists()


@pytest.mark.parametrize("text", ['{"settings": ' + "[" * 100_000, '{"settings": {"env": 1e999}}'])
def test_hostile_manifests(text: str, run: Path, capsys: Any) -> None:
    (run / "manifest.json").write_text(text)
    assert evaluate.main([str(run)]) == 2
    assert train.main(["--resume", str(run)]) == 2
    assert capsys.readouterr().err.count("\n") == 2


@pytest.mark.parametrize("name", ["0.monitor.csv", "run.lock", "manifest.json", "tensorboard"])
def test_links_that_lead_out_of_a_run_folder(name: str, run: Path, tmp_path: Path) -> None:
    outside = tmp_path / "precious"
    outside.write_text("precious")
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(outside)
    with pytest.raises(RunFolderError, match="link"):
        open_run_folder(run)
    assert outside.read_text() == "precious"


def test_links_that_lead_round_in_circles(run: Path) -> None:
    (run / "one").symlink_to("other")
    (run / "other").symlink_to("one")
    with pytest.raises(RunFolderError, match="round in circles"):
        open_run_folder(run)


def test_pipes_and_devices_are_not_read(run: Path, tmp_path: Path) -> None:
    os.mkfifo(run / "pipe")
    with pytest.raises(RunFolderError, match="pipe"):
        open_run_folder(run)
    for path in (run / "pipe", Path("/dev/zero")):
        with pytest.raises(RunFolderError, match="expected a file"):
            read_file(path, 1000)
    with pytest.raises(RunFolderError, match="expected a file"):
        load_data(run / "pipe")


def test_a_tensorboard_folder_is_written_to_by_its_own_run_only(tmp_path: Path) -> None:
    mark = claim_folder(tmp_path)
    check_claim(tmp_path, mark)
    for other in (None, "", "0" * 16, ["x"]):
        with pytest.raises(RunFolderError, match="is not this run's"):
            check_claim(tmp_path, other)


@pytest.mark.parametrize("game", [GAME, "PangolinDash-Genesis-v0"])
def test_states_are_those_that_were_shipped(
    game: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    level = "Level1" if game == GAME else "CanopyZone.Act1"
    state = save_states.read_state(game, level)
    assert len(state) == save_states.STATE_BYTES
    folder = tmp_path / game
    folder.mkdir()
    (folder / "states.sha").write_text(save_states.write_checksums({f"{level}.state": state}))
    path = folder / f"{level}.state"
    monkeypatch.setattr(save_states, "state_path", lambda *_: path)
    path.write_bytes(gzip.compress(state, 1))
    assert save_states.read_state(game, level) == state
    changed = bytearray(state)
    changed[5000] ^= 1
    for wrong in (bytes(changed), state[:-1], b"x" + state[1:], b""):
        path.write_bytes(gzip.compress(wrong, 1))
        with pytest.raises(EmulatorError, match="cannot use save state"):
            save_states.read_state(game, level)


def test_a_state_of_stable_retro_is_the_one_of_its_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    path = state_path(GAME, "Level1")
    packed = path.read_bytes()
    monkeypatch.setattr(
        save_states, "read_file", lambda *_, **__: gzip.compress(gzip.decompress(packed), 1)
    )
    with pytest.raises(EmulatorError, match="stable-retro was installed with"):
        save_states.read_state(GAME, "Level1")


def test_moments_lie_as_their_weights() -> None:
    """Channels-last weights with moments read back channels first: fused Adam mixes them up."""
    policy = make_policy()
    for weight in policy.parameters():
        weight.grad = torch.ones_like(weight)
    policy.optimizer.step()
    state = policy.optimizer.state_dict()
    for moments in state["state"].values():
        for key, value in moments.items():
            moments[key] = value.contiguous().clone(memory_format=torch.contiguous_format)
    policy.optimizer.load_state_dict(state)
    strides = [(w.stride(), s["exp_avg"].stride()) for w, s in policy.optimizer.state.items()]
    assert all(one == other for one, other in strides)
    assert any(len(one) == 4 and one[1] == 1 for one, _ in strides), "channels last"


def test_a_copied_run_still_opens(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "copy")
    load_run(tmp_path / "copy").load_policy()


@pytest.mark.parametrize(
    "scalar",
    ['!!int ""', '!!int "-"', '!!float ""', "!!bool maybe", "!!timestamp x", "!!binary [1]"],
)
def test_odd_tags_of_yaml_are_refused_in_a_line(scalar: str) -> None:
    with pytest.raises(SonicError, match="expected plain YAML"):
        parse_mapping(f"a: {scalar}", "file")


def test_small_files_take_no_long_time() -> None:
    keys = ",".join(f'"{k}":1' for k in range(80_000))
    started_s = time.monotonic()
    with pytest.raises(SonicError, match="key '79999' stands twice"):
        parse_json(f'{{{keys},"79999":1}}'.encode(), "file")
    for text in ("\n" * 500_000, "[\n" * 200_000, "]( " * 200_000):
        with contextlib.suppress(SonicError):
            check_markdown(text.encode(), "card")
    assert time.monotonic() - started_s < 5
    with pytest.raises(SonicError, match="digits"):
        parse_json(b'{"n": 1' + b"0" * 400 + b"}", "file")


def test_a_pipe_is_no_bundle(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.sonic.zip")
    with pytest.raises(SonicError, match="expected a file"):
        open_bundle(tmp_path / "x.sonic.zip")


def test_data_that_use_a_part_of_the_file_twice(tmp_path: Path) -> None:
    path = tmp_path / "file"
    save_data(path, {"a": np.arange(1000.0), "b": b"bytes"})
    assert load_data(path)["b"] == b"bytes"
    content = path.read_bytes()
    place = b'{"array": ["float64", [1000], 0, 8000]}'
    assert place in content
    n_head = int.from_bytes(content[17:25], "little")
    head = content[25 : 25 + n_head].replace(place, b'{"list": [' + place + b"," + place + b"]}")
    body = content[:17] + len(head).to_bytes(8, "little") + head + content[25 + n_head : -4]
    path.write_bytes(body + zlib.crc32(body).to_bytes(4, "little"))
    with pytest.raises(RunFolderError, match="outside of its place"):
        load_data(path)


def test_data_that_memory_does_not_hold(tmp_path: Path) -> None:
    """A file with a hole takes no room on the disk."""
    path = tmp_path / "file"
    save_data(path, {"a": 1})
    os.truncate(path, 10**13)
    with pytest.raises(RunFolderError, match=r"fits into memory, it has 10,000,000"):
        load_data(path)


def _array(shape: str, dtype: str, n_bytes: int) -> bytes:
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (63 - (10 + len(head)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + bytes(n_bytes)


@pytest.mark.parametrize(
    "content",
    [
        _array("(10000000000000,)", "<f8", 80),
        _array(f"(1{'0' * 30},)", "<f8", 80),
        _array("(-1,)", "<f8", 8),
        _array("(2,)", "<U4", 32),
        _array("(1,)", "|O", 8),
        _array("(10,", "<f8", 80),
        _array("(10,)", "<f8", 79),
        b"\x93NUMPY",
        b"",
    ],
)
def test_arrays_that_lie_about_their_size(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "evaluations.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("timesteps.npy", content)
    with pytest.raises(RunFolderError, match="expected SB3's evaluations"):
        read_arrays(path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(RunFolderError, match="expected SB3's evaluations"):
        read_arrays(path)


def test_arrays_of_numpy_are_read(tmp_path: Path) -> None:
    path = tmp_path / "evaluations.npz"
    arrays = {"timesteps": np.arange(3), "results": np.ones((3, 2)), "ok": np.zeros((3, 2), bool)}
    np.savez(path, **arrays)
    found = read_arrays(path)
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())


def test_two_runs_have_two_tensorboard_folders(tmp_path: Path) -> None:
    first, mark = claim_free_folder(tmp_path, "PPO_1")
    second, other = claim_free_folder(tmp_path, "PPO_1")
    assert [first.name, second.name] == ["PPO_1", "PPO_2"]
    check_claim(first, mark)
    check_claim(second, other)


def test_a_key_that_takes_for_ever_to_hash(run: Path) -> None:
    """Forty pairs, each of the one before twice: 2 to the 40th numbers."""
    pairs = b"".join(b"q" + bytes([k]) + b"h" + bytes([k]) + b"\x86" for k in range(40))
    content = b"\x80\x02})" + pairs + b"K\x01s."
    with pytest.raises(ValueError, match="tuples of at most"):
        check_state_pickle(content)
    rewrite(run / f"{GAME}.zip", **{"policy.pth": torch_archive(content)})
    with pytest.raises(RunFolderError, match="tuples of at most"):
        load_run(run).load_policy()


def torch_archive(content: bytes, name: str = "data.pkl") -> bytes:
    """What torch.save would write, with another pickle in it."""
    buffer = io.BytesIO()
    torch.save({}, buffer)
    forged = io.BytesIO()
    with zipfile.ZipFile(buffer) as whole, zipfile.ZipFile(forged, "w") as archive:
        for entry in whole.namelist():
            is_pickle = entry.endswith("data.pkl")
            archive.writestr(
                entry.replace("data.pkl", name), content if is_pickle else whole.read(entry)
            )
    return forged.getvalue()


LARGE = (10**10).to_bytes(8, "little")
# A list of a thousand pairs, copied into a thousand mappings that all stay.
COPIES = b"](" + b"K\x01K\x02\x86" * 1000 + b"eq\x00" + b"h\x00\x85R" * 1000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cbuiltins\nbytearray\n\x8a\x08" + LARGE + b"\x85R.", "'builtins bytearray'"),
        (b"ctorch.storage\nUntypedStorage\n\x8a\x08" + LARGE + b"\x85R.", "UntypedStorage'"),
        (b"\x8c\x08builtins\x8c\x09bytearray\x93\x8a\x08" + LARGE + b"\x85R.", "'an object'"),
        (b"(\x8a\x08" + LARGE + b"ibuiltins\nbytearray\n.", "'builtins bytearray'"),
        (COPIES.replace(b"h\x00", b"ccollections\nOrderedDict\nh\x00"), "begin empty"),
        (b"ccollections\nOrderedDict\nq\x01" + COPIES.replace(b"h\x00", b"h\x01h\x00"), "empty"),
    ],
)
def test_a_pickle_that_takes_any_amount_of_memory(content: bytes, message: str, run: Path) -> None:
    rewrite(run / f"{GAME}.zip", **{"policy.pth": torch_archive(b"\x80\x02" + content)})
    with pytest.raises(RunFolderError, match=message):
        load_run(run).load_policy()


@pytest.mark.parametrize(
    "name", ["data.PKL", "Data.pkl", "data/x", "more/data.pkl", "constants.pkl"]
)
def test_a_pickle_under_a_name_that_is_not_looked_at(name: str, run: Path) -> None:
    """torch finds an entry by its name in whatever case."""
    rewrite(run / f"{GAME}.zip", **{"policy.pth": torch_archive(b"\x80\x02}.", name)})
    with pytest.raises(RunFolderError, match="expected the entries that torch"):
        load_run(run).load_policy()
