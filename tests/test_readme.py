"""What the README shows exists and works."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_commands_exist_and_take_the_options_shown() -> None:
    lines = re.findall(r"python -m sonic_sb3\.(\w+)([^\n`#]*)", README)
    assert len(lines) > 8
    for name, rest in lines:
        module = importlib.import_module(f"sonic_sb3.{name}")
        options = set(re.findall(r"(?<!\S)(--?[a-z][\w-]*)", rest))
        text = subprocess.run(
            [sys.executable, "-m", f"sonic_sb3.{name}", "--help"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert module.main is not None
        for option in options:
            assert re.search(rf"(?<!\S){re.escape(option)}\b", text), f"{name} {option}"


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make (\w+)", README):
        if target != "check":
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_python_example_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text(code)
    subprocess.run([sys.executable, str(script)], check=True, cwd=tmp_path, timeout=300)


@pytest.mark.parametrize("path", re.findall(r"`([\w/.]+/[\w.]+)`", README))
def test_files_named_exist(path: str) -> None:
    known = [ROOT / path, ROOT / "sonic_sb3" / path]
    if not path.startswith(("logs/", "ENV/")):
        assert any(candidate.exists() for candidate in known), path


def test_pictures_exist() -> None:
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / path).is_file(), path
