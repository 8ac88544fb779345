"""Installing, and finding what was installed by its name."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from sonic_sb3 import evaluate, load_run, share, train
from sonic_sb3.bundles import packing
from sonic_sb3.bundles.agents import load_bundle_policy
from sonic_sb3.bundles.archive import write_folder, write_zip
from sonic_sb3.bundles.contents import INDEX, add_index, open_bundle
from sonic_sb3.bundles.places import find_bundle, load_conf_file
from sonic_sb3.errors import SettingsError, SonicError, StudyError
from sonic_sb3.hyperparams import load_hyperparameters
from sonic_sb3.rom_files import rom_sha1
from sonic_sb3.tuning.plan import Asked, begin_or_join, find_place
from tests.chaos.run_folders import GAME as RUNS_GAME
from tests.chaos.run_folders import make_run_folder

GAME = "PangolinDash-Genesis-v0"


def test_install_never_overwrites_silently(
    bundle_path: Path, agent_files: dict[str, bytes], user_home: Path, tmp_path: Path, capsys: Any
) -> None:
    assert share.main(["install", str(bundle_path)]) == 0
    installed = user_home / "zoo" / "ppo-small1.sonic.zip"
    assert installed.read_bytes() == bundle_path.read_bytes()
    assert share.main(["install", str(bundle_path)]) == 0, "the same one again is no conflict"
    files = {k: v for k, v in agent_files.items() if k != INDEX}
    files["hyperparameters.yml"] += b"# by somebody else\n"
    write_zip(tmp_path / "other.sonic.zip", add_index("agent", "ppo-small1", files))
    before = {p: p.read_bytes() for p in user_home.rglob("*") if p.is_file()}
    assert share.main(["install", str(tmp_path / "other.sonic.zip")]) == 2
    assert "nothing was installed" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in user_home.rglob("*") if p.is_file()} == before
    assert share.main(["install", str(tmp_path / "other.sonic.zip"), "--replace"]) == 0
    assert installed.read_bytes() != bundle_path.read_bytes()


@pytest.mark.parametrize("name", ["tuned-ppo", "Borghi-Fast", "ppo-best.yml", "x.sonic.zip"])
def test_names_that_mean_something_else_are_not_installed(
    name: str, agent_files: dict[str, bytes], user_home: Path, tmp_path: Path, capsys: Any
) -> None:
    files = {k: v for k, v in agent_files.items() if k != INDEX}
    files["README.md"] = files["README.md"].replace(b"ppo-small1", name.encode())
    write_zip(tmp_path / "a.sonic.zip", add_index("agent", name, files))
    assert share.main(["install", str(tmp_path / "a.sonic.zip")]) == 2
    assert "of a bundle to install" in capsys.readouterr().err
    assert not list(user_home.rglob("*.*"))


def test_a_shipped_configuration_keeps_its_name(user_home: Path) -> None:
    (user_home / "hyperparams").mkdir(parents=True)
    (user_home / "hyperparams" / "tuned-ppo.yml").write_text("default: {n_steps: 7}")
    assert load_conf_file("ppo", GAME, "tuned-ppo").n_steps != 7


def test_names_find_what_was_installed(bundle_path: Path, monkeypatch: Any, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert find_bundle("ppo-small1") is None
    share.main(["install", str(bundle_path)])
    assert find_bundle("ppo-small1") == find_bundle("zoo/ppo-small1")
    assert find_bundle("ppo-small1.sonic.zip") is not None
    assert find_bundle("somewhere/ppo-small1") is None
    bundle = open_bundle(bundle_path)
    assert load_conf_file("ppo", GAME, "ppo-small1") == bundle.hyperparameters
    assert find_bundle(bundle_path.with_name("ppo-small1")) == bundle_path


def test_conf_file_takes_a_bundle_for_any_game(bundle_path: Path, tmp_path: Path) -> None:
    expected = open_bundle(bundle_path).hyperparameters
    write_folder(tmp_path / "folder", dict(open_bundle(bundle_path).files))
    for place in (bundle_path, tmp_path / "folder"):
        assert load_conf_file("ppo", GAME, str(place)) == expected
        assert load_conf_file("ppo", "Airstriker-Genesis-v0", str(place)) == expected
        changed = load_conf_file(
            "ppo", GAME, str(place), {"gamma": 0.5, "env_kwargs.frame_skip": 2}
        )
        assert (changed.gamma, changed.env_kwargs.frame_skip) == (0.5, 2)
    with pytest.raises(SettingsError, match="add --algo ppo"):
        load_conf_file("a2c", GAME, str(bundle_path))
    with pytest.raises(SonicError, match="unknown configuration"):
        load_conf_file("ppo", GAME, "nowhere")
    assert load_conf_file("ppo", GAME, None).n_steps > 32


def test_a_study_may_start_from_a_bundle(bundle_path: Path, tmp_path: Path) -> None:
    asked = Asked(n_timesteps=1000, seed=1, warm_start=str(bundle_path))
    study = begin_or_join(find_place(str(tmp_path), "s", None, asked), asked)
    study.close()
    base, warm = study.settings.first_points
    shipped = load_hyperparameters("ppo", study.settings.env)
    assert base["learning_rate"] == shipped.learning_rate
    assert (base["actions"], base["frame_size"]) == ("contest7", shipped.env_kwargs.frame_height)
    # 32 steps and frames of 36 x 36 lie outside the space: the sampler chooses those.
    assert not {"n_steps", "frame_size"} & set(warm)
    assert warm["gamma"] == base["gamma"]


def test_a_study_is_not_joined_with_another_warm_start(bundle_path: Path, tmp_path: Path) -> None:
    asked = Asked(n_timesteps=1000, seed=1)
    place = find_place(str(tmp_path), "s", None, asked)
    begin_or_join(place, asked).close()
    with pytest.raises(StudyError, match="--warm-start"):
        begin_or_join(place, Asked(warm_start=str(bundle_path)))


def test_evaluate_takes_a_bundle(bundle_path: Path, tmp_path: Path, capsys: Any) -> None:
    video, result = tmp_path / "out.mp4", tmp_path / "result.json"
    argv = [str(bundle_path.with_name("ppo-small1")), "-n", "3", "--seed", "11"]
    assert evaluate.main([*argv, "--video", str(video), "--json", str(result)]) == 0
    assert video.read_bytes()[4:8] == b"ftyp"
    import json

    claimed = json.loads(open_bundle(bundle_path).files["evaluation.json"])
    assert json.loads(result.read_text())["episodes"] == claimed["episodes"]
    assert "another game" not in capsys.readouterr().out
    assert evaluate.main([str(bundle_path), "--env", "Airstriker-Genesis-v0"]) == 2
    assert "was trained on" in capsys.readouterr().err
    assert evaluate.main([str(bundle_path), "--checkpoint", "best"]) == 2


def test_evaluate_tells_of_another_rom(
    agent_files: dict[str, bytes], tmp_path: Path, capsys: Any
) -> None:
    here = rom_sha1(GAME)
    files = {k: v.replace(here.encode(), b"f" * 40) for k, v in agent_files.items() if k != INDEX}
    write_folder(tmp_path / "bundle", add_index("agent", "ppo-small1", files))
    result = tmp_path / "result.json"
    assert evaluate.main([str(tmp_path / "bundle"), "-n", "1", "--json", str(result)]) == 0
    assert f"with sha1 {'f' * 40}, played on one with {here}" in capsys.readouterr().out
    assert json.loads(result.read_text())["rom_sha1"] == here
    run = make_run_folder(tmp_path / "run")  # its manifest tells of a ROM of zeros
    assert evaluate.main([str(run), "-n", "1"]) == 0
    assert f"with sha1 {'0' * 40}, played on one with {rom_sha1(RUNS_GAME)}" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "nowhere"], "no bundle 'nowhere'"),
        (["pack", "nowhere"], "nothing at nowhere"),
        (["pack", "."], "expected one exported hyperparameters file"),
        (["pack", ".", "-n", "0"], "-n: expected at least 1"),
        (["pack", ".", "--notes", "nowhere"], "cannot read nowhere"),
        (["pack", "."], "hyperparameters"),
        (["import", "nowhere/ppo/PangolinDash-Genesis-v0_1"], "a run folder of rl-zoo3"),
        (["verify", "."], "no bundle '.'"),
        (["frobnicate"], "invalid choice"),
        ([], "ACTION"),
        (["table", "--write", "nowhere.md"], "cannot read nowhere.md"),
        (["import", ".", "--checkpoint", "best"], "--checkpoint: expected no such option"),
        (["pack", ".", "--name", "../x"], "name '../x': expected up to 64 letters"),
        (["pack", ".", "--license", "<b>"], "--license: expected Markdown without HTML"),
        (["pack", ".", "-n", "5"], "-n: expected no such option with a study's export"),
    ],
)
def test_mistakes_are_answered_in_one_line(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert share.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not [p for p in tmp_path.iterdir() if p.name != "data-home"]


def test_a_size_limit_is_kept(bundle_path: Path, tmp_path: Path, capsys: Any) -> None:
    output = tmp_path / "small.sonic.zip"
    argv = ["pack", str(bundle_path), "-o", str(output), "--max-mb"]
    assert share.main([*argv, "0.01"]) == 2
    assert "--no-video" in capsys.readouterr().err
    assert not output.exists()
    assert share.main([*argv, "8"]) == 0
    assert output.read_bytes() == bundle_path.read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        ["--name", "other"],
        ["--dtype", "float32"],
        ["-n", "5"],
        ["--seed", "1"],
        ["--deterministic"],
        ["--checkpoint", "best"],
        ["--no-video"],
        ["--license", "mit"],
        ["--algo", "ppo"],
    ],
    ids="".join,
)
def test_a_bundle_is_passed_on_as_it_is(
    options: list[str], bundle_path: Path, tmp_path: Path, capsys: Any
) -> None:
    output = tmp_path / "out.sonic.zip"
    assert share.main(["pack", str(bundle_path), "-o", str(output), *options]) == 2
    assert f"{options[0]}: expected no such option with a bundle" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "x.zip"], "expected a file that ends in .sonic.zip"),
        (["-o", "nowhere/x.sonic.zip"], "expected a file in a folder that is there"),
        (["-o", "there.sonic.zip"], "nothing was played"),
        (["--as", "sb3", "-o", "there.sonic.zip"], "nothing was played"),
        (["--as", "folder", "-o", "there.sonic.zip"], "expected a folder to make"),
        (["--as", "rl-zoo3", "-o", "there.sonic.zip"], "expected a folder for runs"),
        (["--notes", "notes.md"], "--notes: expected Markdown without HTML"),
        (["--algo", "ppo"], "--algo: expected no such option with a run folder"),
    ],
)
def test_mistakes_in_options_are_told_before_anything_is_played(
    options: list[str], message: str, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    def play(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing is to be played")

    run = make_run_folder(tmp_path / "run")
    rom = {"rom_sha1": rom_sha1(RUNS_GAME)}
    manifest = json.loads((run / "manifest.json").read_text()) | rom
    (run / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "there.sonic.zip").write_bytes(b"x")
    (tmp_path / "notes.md").write_text("<script>")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(packing, "pack_agent", play)
    assert share.main(["pack", "run", *options]) == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "there.sonic.zip").read_bytes() == b"x"


def test_a_folder_is_whole_or_not_there(
    bundle_path: Path, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    argv = ["pack", str(bundle_path), "--as", "folder", "-o", str(tmp_path / "out" / "folder")]
    write_bytes = Path.write_bytes

    def write_some(path: Path, content: bytes) -> int:
        if path.name == "policy.safetensors":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(path, content)

    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", write_some)
        assert share.main(argv) == 2
    assert "No space left" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())
    assert share.main(argv) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["folder"]
    assert share.main(argv) == 2
    assert "is there already" in capsys.readouterr().err


def test_training_begins_with_a_bundle(bundle_path: Path, tmp_path: Path) -> None:
    options = ["-n", "32", "--eval-episodes", "0", "--num-threads", "1", "--seed", "3"]
    options += ["-params", "learning_rate:1e-12", "--conf-file", str(bundle_path)]
    assert train.main(["-i", str(bundle_path), *options, "-f", str(tmp_path)]) == 0
    bundle = open_bundle(bundle_path)
    (folder,) = (tmp_path / bundle.agent.algo).glob(f"{bundle.agent.env}_*")
    theirs = load_bundle_policy(bundle).state_dict()
    ours = load_run(folder).load_policy().state_dict()
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, atol=1e-6, rtol=0)
    assert len(json.loads((folder / "manifest.json").read_text())["init_model_sha256"]) == 64


def test_a_bundle_of_another_network_is_refused(
    bundle_path: Path, tmp_path: Path, capsys: Any
) -> None:
    options = ["-n", "32", "--conf-file", str(bundle_path), "-f", str(tmp_path)]
    options += ["-params", "policy_kwargs.features_dim:8"]
    assert train.main(["-i", str(bundle_path), *options]) == 2
    assert "policy_kwargs.features_dim: expected" in capsys.readouterr().err
    assert not list(tmp_path.glob("*/*"))
