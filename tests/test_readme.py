"""What the README and the pages it leads to show exists and works."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sonic_sb3.action_sets import ACTION_SETS
from sonic_sb3.envs.episodes import LEVEL_DRAWS
from sonic_sb3.hyperparams import load_hyperparameters
from sonic_sb3.reward_terms import TERMS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = {path: path.read_text() for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))}
ALL = "\n".join(PAGES.values())
SETTINGS = re.findall(r"```yaml\n(default:.*?)```", ALL, re.DOTALL)


def test_commands_exist_and_take_the_options_shown() -> None:
    lines = re.findall(r"python -m sonic_sb3\.(\w+)([^\n`#]*)", ALL)
    assert len(lines) > 40
    for name, rest in lines:
        options = set(re.findall(r"(?<!\S)(--?[a-z][\w-]*)", rest))
        text = help_of(name, rest)
        for option in options:
            assert re.search(rf"(?<!\S){re.escape(option)}\b", text), f"{name} {option}"


def test_the_results_are_those_of_the_reports() -> None:
    path = ROOT / "docs" / "results_table.py"
    spec = importlib.util.spec_from_file_location("results_table", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.fill(README) == README, "run `make results-table`"


def help_of(name: str, rest: str) -> str:
    """What a command says of itself, or of the subcommand that is meant."""
    main = importlib.import_module(f"sonic_sb3.{name}").main
    text = ask_for_help(main)
    first = rest.split()[:1]
    if first and re.search(rf"^    {re.escape(first[0])}\b", text, re.MULTILINE):
        text += ask_for_help(main, first[0])
    return text


@functools.cache
def ask_for_help(main: Callable[[list[str]], int], *subcommand: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.raises(SystemExit) as stop:
        main([*subcommand, "--help"])
    assert stop.value.code == 0
    return printed.getvalue()


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"`?make ([\w-]+)", README)
    # The other pages say "make" as a word too.
    targets += re.findall(r"(?:`|^)make ([\w-]+)", ALL, re.MULTILINE)
    for target in targets:
        if target != "check":
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_python_example_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", ALL, re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text(code)
    subprocess.run([sys.executable, str(script)], check=True, cwd=tmp_path, timeout=300)


@pytest.mark.parametrize("path", re.findall(r"`([\w/.-]+/[\w.-]+)`", ALL))
def test_files_named_exist(path: str) -> None:
    known = [ROOT / path, ROOT / "sonic_sb3" / path, ROOT / f"{path}.sonic.zip"]
    if not path.startswith(("logs/", "ENV/", "LOGS/")) and not re.search("[A-Z]{3}|^/", path):
        assert any(candidate.exists() for candidate in known), path


def test_settings_are_shown() -> None:
    assert SETTINGS


@pytest.mark.parametrize("text", SETTINGS)
def test_settings_shown_are_valid(text: str, tmp_path: Path) -> None:
    path = tmp_path / "ppo.yml"
    path.write_text(text)
    assert load_hyperparameters("ppo", conf_file=path).env_kwargs.written()


def test_terms_and_sets_named_exist() -> None:
    section = PAGES[ROOT / "docs" / "rewards.md"]
    for name in (*TERMS, *ACTION_SETS, *LEVEL_DRAWS):
        assert re.search(rf"`{name}`|: {name}[`\n]", section), name
    for name in re.findall(r"^\| `(\w+)`", section, re.MULTILINE):
        assert name in TERMS


def test_pictures_and_pages_that_are_linked_exist() -> None:
    for page, text in PAGES.items():
        links = re.findall(r"\[[^]]*\]\(([^)#]+)\)", text)
        for link in links:
            assert link.startswith("https://") or (page.parent / link).is_file(), f"{page}: {link}"


def test_every_experiment_is_listed() -> None:
    text = PAGES[ROOT / "docs" / "experiments.md"]
    for path in (ROOT / "experiments").glob("*/experiment.yml"):
        assert f"| `{path.parent.name}` |" in text
