"""``python -m sonic_sb3.evaluate RUN``: how good a trained agent is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from sonic_sb3.command_line import Parser, format_summary, make_parser, run_command
from sonic_sb3.errors import SettingsError


def _make_parser() -> Parser:
    parser = make_parser("evaluate", "Play episodes with a trained agent under sticky frame skip.")
    add = parser.add_argument
    add("run", metavar="RUN", help="run folder, such as logs/ppo/ENV_1")
    add("-n", "--n-episodes", type=int, default=100, help="episodes")
    add("--levels", nargs="+", default=None, help="levels (default: those of training)")
    add("--seed", type=int, default=0, help="episode k gets seed + k")
    add("--deterministic", action="store_true", help="take the most probable action")
    add("--checkpoint", default=None, help="'best' or a number of timesteps (default: the last)")
    add(
        "--video", nargs="?", const="", default=None, metavar="FILE", help="MP4 of the best episode"
    )
    add("--json", default=None, metavar="FILE", help="where to write the result (default: in RUN)")
    add("--num-threads", type=int, default=None, help="threads of torch (default: as in training)")
    return parser


def _main(argv: Sequence[str] | None) -> int:
    args = _make_parser().parse_args(argv)
    if args.n_episodes < 1:
        raise SettingsError(f"--n-episodes: expected at least 1, got {args.n_episodes}")
    if args.seed < 0:
        raise SettingsError(f"--seed: expected at least 0, got {args.seed}")

    import torch

    from sonic_sb3.actors import PolicyActor
    from sonic_sb3.atomic_files import write_json
    from sonic_sb3.evaluation import evaluate, summarise, to_json
    from sonic_sb3.games import resolve_levels
    from sonic_sb3.rom_files import find_rom
    from sonic_sb3.runs import load_run
    from sonic_sb3.video import record_video

    run = load_run(args.run)
    game_id = run.settings.env
    find_rom(game_id)
    levels = resolve_levels(game_id, args.levels or run.settings.levels)
    torch.set_num_threads(args.num_threads or run.settings.num_threads)
    policy = run.load_policy(args.checkpoint)
    result = evaluate(
        PolicyActor(policy),
        game_id,
        levels,
        run.hyperparameters,
        n_episodes=args.n_episodes,
        seed=args.seed,
        deterministic=args.deterministic,
    )
    print(format_summary(f"{run.folder.path} on {', '.join(levels)}", summarise(result.episodes)))
    facts = {
        "env": game_id,
        "seed": args.seed,
        "deterministic": args.deterministic,
        "checkpoint": args.checkpoint,
    }
    json_path = Path(args.json) if args.json else run.folder.path / "evaluation.json"
    write_json(json_path, to_json(result.episodes, **facts))
    print(f"episodes: {json_path}")
    if args.video is not None:
        video = Path(args.video) if args.video else run.folder.video
        record_video(video, game_id, result.best_episode.level, result.best_input_movie)
        print(f"video:    {video}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. :returns: Its exit status."""
    return run_command(_main, argv)


if __name__ == "__main__":
    sys.exit(main())
