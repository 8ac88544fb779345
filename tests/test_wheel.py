"""An installed wheel finds its files from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True)
    (path,) = out.glob("*.whl")
    return path


def test_wheel_works_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    empty = tmp_path / "empty"
    empty.mkdir()
    code = (
        "import gymnasium, pathlib, sonic_sb3\n"
        f"assert str(pathlib.Path(sonic_sb3.__file__)).startswith({str(site)!r})\n"
        "assert sonic_sb3.load_hyperparameters('ppo').n_timesteps > 0\n"
        "assert sonic_sb3.load_hyperparameters('a2c').n_timesteps > 0\n"
        "from sonic_sb3.tuning.space import default_space\n"
        "assert default_space('ppo').is_file() and default_space('a2c').is_file()\n"
        "from sonic_sb3.games import catalogue\n"
        "for game in catalogue().values():\n"
        "    if game.is_bundled:\n"
        "        env = gymnasium.make(game.id, level=game.levels[-1])\n"
        "        env.reset(seed=1)\n"
        "        env.step(1)\n"
        "        env.close()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(site)}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=empty, env=environment)


def test_sdist_builds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir"]
    subprocess.run([*command, str(tmp_path), str(ROOT)], check=True, capture_output=True)
    assert list(tmp_path.glob("*.tar.gz"))
