"""Imports go one way: from commands down to facts, never back."""

from __future__ import annotations

import ast
from pathlib import Path

import sonic_sb3

PACKAGE = Path(sonic_sb3.__file__).parent
# From the bottom of the flow to its top; a module imports from its own layer or those before it.
LAYERS = [
    [
        "errors",
        "full_disk",
        "strange_files",
        "statistics",
        "machine",
        "devices",
        "shipped_files",
        "stop_signals",
        "game_facts",
        "rom_formats",
        "monitor_files",
        "arm_names",
        "plain_text",
        "pickle_scan",
        "array_files",
    ],
    [
        "sonic_levels",
        "games",
        "plain_yaml",
        "plain_json",
        "atomic_files",
        "plain_data",
        "schedules",
        "xdelta",
        "rom_sources",
        "seed_statistics",
        "episode_tables",
    ],
    ["action_sets", "reward_terms"],
    ["rom_files", "save_states", "rom_import", "strict_settings"],
    ["algorithm_settings"],
    ["hyperparams"],
    ["settings"],
    ["envs"],
    ["policies"],
    ["run_folder"],
    ["compared_runs"],
    ["run_copies"],
    ["comparison"],
    ["report"],
    [
        "actors",
        "annealing",
        "weights_file",
        "reusing_a2c",
        "scripts",
        "jerk",
        "models",
        "algorithm_state",
        "replay_files",
        "bundles",
        "fine_tuning",
        "stages",
        "runs",
        "evaluation",
        "summary_table",
        "video",
        "video_size",
        "plots",
        "callbacks",
        "final_evaluation",
        "event_files",
        "finite_numbers",
        "training_snapshot",
        "training_job",
        "run_records",
        "training",
        "protocols",
        "keyboard_play",
    ],
    ["tuning"],
    ["speed_timing", "speed_contestants", "speed_benchmark"],
    ["campaign"],
    ["command_line"],
    ["train", "evaluate", "experiment", "play", "benchmark", "roms", "tune", "compare", "share"],
]
COMMANDS = LAYERS[-1]
WITHOUT_TORCH = [
    "games",
    "rom_files",
    "hyperparams",
    "settings",
    "run_folder",
    "comparison",
    "command_line",
]


def layer_of(name: str) -> int:
    for index, names in enumerate(LAYERS):
        if name in names:
            return index
    raise AssertionError(f"{name} stands in no layer: add it to LAYERS")


def imports_of(path: Path) -> set[str]:
    """Top names below sonic_sb3 that a module imports when it is imported."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sonic_sb3."):
            names.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            names |= {
                alias.name.split(".")[1]
                for alias in node.names
                if alias.name.startswith("sonic_sb3.")
            }
    return names


def test_imports_follow_the_flow() -> None:
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts == ("__init__",):
            continue
        for name in imports_of(path):
            assert layer_of(name) <= layer_of(parts[0]), f"{path} imports {name}"


def test_nothing_imports_a_command() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert not imports_of(path) & set(COMMANDS), path


def test_commands_hold_a_parser_and_a_main() -> None:
    for name in COMMANDS:
        path = PACKAGE / f"{name}.py"
        if not path.exists():
            continue
        tree = ast.parse(path.read_text())
        public = [n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"]
        assert public == ["main"], path


def test_modules_that_read_facts_need_no_torch() -> None:
    for name in WITHOUT_TORCH:
        tree = ast.parse((PACKAGE / f"{name}.py").read_text())
        for node in tree.body:
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in modules:
                assert module.split(".")[0] not in ("torch", "stable_baselines3"), name
