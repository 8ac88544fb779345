"""
``python -m sonic_sb3.benchmark``: how fast this is beside plain Stable-Baselines3, here and now.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from sonic_sb3.command_line import Parser, make_parser, run_command, whole
from sonic_sb3.errors import SettingsError

_LEAST_ENVS = 8
_LEAST_ROLLOUT = 8  # four minibatches of two


def _make_parser() -> Parser:
    parser = make_parser("benchmark", "Measure envs and training side by side with stock SB3.")
    add = parser.add_argument
    add("--env", nargs="+", default=None, help="games (default: the bundled ones)")
    add("--level", default=None, help="level, with a single game")
    add(
        "--n-envs",
        type=whole(1, 4096),
        nargs="+",
        default=None,
        help=f"envs side by side; several for a table (default: {_LEAST_ENVS}, or one per core)",
    )
    add("--n-steps", type=whole(1), default=512, help="steps per env and rollout of training")
    add("--extractor", default="nature", help="network: separable, blog or nature")
    add("--rounds", type=whole(1), default=5, help="rounds of each contestant")
    add("--no-training", action="store_true", help="envs only")
    add("--quick", action="store_true", help="about a minute: one game, two rounds, short rollouts")
    add("-o", "--out", default="benchmark", help="folder for benchmark.json and benchmark.png")
    return parser


def _main(argv: Sequence[str] | None) -> int:
    args = _make_parser().parse_args(argv)

    from sonic_sb3.atomic_files import write_json
    from sonic_sb3.games import catalogue, default_game_id, find_game, resolve_levels
    from sonic_sb3.machine import default_num_threads, n_usable_cores
    from sonic_sb3.policies import EXTRACTORS
    from sonic_sb3.rom_files import find_rom
    from sonic_sb3.run_folder import describe_machine
    from sonic_sb3.speed_benchmark import format_report, measure, plot_reports
    from sonic_sb3.speed_contestants import Contest

    if args.extractor not in EXTRACTORS:
        raise SettingsError(f"--extractor: expected one of {', '.join(EXTRACTORS)}")
    folder = Path(args.out)
    try:  # before the minutes of measuring
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"--out: cannot make the folder {folder}: {error.strerror}") from error
    bundled = [game.id for game in catalogue().values() if game.is_bundled]
    games = args.env or ([default_game_id()] if args.quick else bundled)
    # Fewer than cores could not reach what the cores together can.
    env_counts = args.n_envs or [max(_LEAST_ENVS, n_usable_cores())]
    rounds, n_steps = (2, 64) if args.quick else (args.rounds, args.n_steps)
    if not args.no_training and min(env_counts) * n_steps < _LEAST_ROLLOUT:
        raise SettingsError(
            f"--n-steps: expected at least {_LEAST_ROLLOUT} timesteps a rollout, got "
            f"{min(env_counts)} envs x {n_steps}"
        )
    reports = []
    for game_id in games:
        find_rom(find_game(game_id).id)
        level = resolve_levels(game_id, args.level)[0]
        for n_envs in env_counts:
            contest = Contest(
                game_id, level, n_envs, n_steps, args.extractor, default_num_threads()
            )
            report = measure(contest, rounds, not args.no_training, _tell)
            print(format_report(report), flush=True)
            reports.append(report)
            # Each time: the next may take minutes, and be stopped.
            write_json(folder / "benchmark.json", {**describe_machine(), "reports": reports})
    plot_reports(reports, folder / "benchmark.png")
    print(f"written: {folder / 'benchmark.json'}, {folder / 'benchmark.png'}")
    return 0


def _tell(line: str) -> None:
    print(f"[{line}]", file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. :returns: Its exit status."""
    return run_command(_main, argv)


if __name__ == "__main__":
    sys.exit(main())
