"""``python -m sonic_sb3.evaluate RUN``: how good a trained agent is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sonic_sb3.command_line import Parser, make_parser, run_command, whole
from sonic_sb3.errors import RunFolderError, SettingsError
from sonic_sb3.summary_table import format_summary, other_rom, unplayed_levels

if TYPE_CHECKING:
    from sonic_sb3.actors import Actor
    from sonic_sb3.algorithm_settings import Hyperparameters


# What a command is about, and the options that mean something to some of that alone.
_KINDS = {
    "contest": "--protocol contest with it",
    "zero-shot": "--protocol zero-shot with it",
    "episodes": "a RUN or bundle, without --protocol",
    "baseline": "random or right",
}
_MEANT_FOR = {
    "budget": ("contest",),
    "hyperparams": ("contest",),
    "conf_file": ("contest",),
    "n_episodes": ("zero-shot", "episodes", "baseline"),
    "checkpoint": ("contest", "zero-shot", "episodes"),
    "deterministic": ("episodes",),
    "video": ("episodes", "baseline"),
}


def _make_parser() -> Parser:
    parser = make_parser("evaluate", "Play episodes with a trained agent under sticky frame skip.")
    add = parser.add_argument
    add("run", metavar="RUN", help="run folder, bundle, or agent in the zoo; or random, or right")
    add(
        "-n",
        "--n-episodes",
        type=whole(1),
        default=None,
        help="episodes (default: 100; of a bundle 10; zero-shot: of each level)",
    )
    add("--env", default=None, help="game, for random and right (default: the free game)")
    add("--levels", nargs="+", default=None, help="levels (default: those of training)")
    add("--seed", type=whole(0, 2**31 - 1), default=0, help="episode k gets seed + k")
    add("--deterministic", action="store_true", help="take the most probable action")
    add("--checkpoint", default=None, help="'best' or a number of timesteps (default: the last)")
    add(
        "--video",
        nargs="?",
        const="",
        default=None,
        metavar="FILE",
        help="of the best episode: MP4, or a WebP picture that moves",
    )
    add(
        "--json",
        default=None,
        metavar="FILE",
        help="where to write the result (default: in RUN, if it is a folder)",
    )
    add(
        "--protocol",
        choices=["contest", "zero-shot"],
        default=None,
        help="measure RUN on the test levels: learning on each of them, or as it is",
    )
    add(
        "--budget",
        type=whole(1),
        default=None,
        help="contest: timesteps of learning per level (default: 1000000)",
    )
    add("-params", "--hyperparams", nargs="+", default=[], metavar="K:V", help="contest: to learn")
    add("-conf", "--conf-file", default=None, help="contest: file to learn with (default: RUN's)")
    add(
        "--num-threads",
        type=whole(1, 1024),
        default=None,
        help="threads of torch (default: as in training)",
    )
    return parser


def _main(argv: Sequence[str] | None) -> int:
    args = _make_parser().parse_args(argv)
    _check_options(args)
    if args.protocol is not None:
        return _run_protocol(args)

    from sonic_sb3.action_sets import action_names
    from sonic_sb3.atomic_files import write_json
    from sonic_sb3.evaluation import evaluate, summarise, to_json
    from sonic_sb3.rom_files import rom_sha1
    from sonic_sb3.video import check_video_path, record_video

    actor, subject = _open_subject(args)
    folder = subject.folder or Path()
    video = Path(args.video or folder / "video.mp4")
    check_video_path(video)  # before the episodes are played
    result = evaluate(
        actor,
        subject.env,
        subject.levels,
        subject.hyperparameters,
        n_episodes=args.n_episodes or subject.n_episodes,
        seed=args.seed,
        deterministic=args.deterministic,
    )
    title = f"{args.run} on {subject.env} {', '.join(subject.levels)}"
    print(format_summary(title, summarise(result.episodes)))
    if note := unplayed_levels(len(result.episodes), subject.levels):
        print(note)
    if note := other_rom(subject.rom_sha1, subject.env):
        print(note)
    if args.json or subject.folder:
        facts = {
            "env": subject.env,
            "seed": args.seed,
            "deterministic": args.deterministic,
            "checkpoint": args.checkpoint,
            "rom_sha1": rom_sha1(subject.env),
            "action_names": action_names(subject.hyperparameters.env_kwargs.actions, subject.env),
        }
        path = Path(args.json) if args.json else folder / "evaluation.json"
        write_json(path, to_json(result.episodes, **facts))
        print(f"episodes: {path}")
    if args.video is not None:
        record_video(video, subject.env, result.best_episode.level, result.best_input_movie)
        print(f"video:    {video}")
    return 0


def _check_options(args: argparse.Namespace) -> None:
    """An option that would be ignored is a mistake; so is a file that cannot be made."""
    kind = args.protocol or ("baseline" if args.run in ("random", "right") else "episodes")
    for option, kinds in _MEANT_FOR.items():
        if getattr(args, option) not in (None, False, []) and kind not in kinds:
            raise SettingsError(
                f"--{option.replace('_', '-')}: expected {' or '.join(_KINDS[k] for k in kinds)}"
            )
    for option in ("json", "video"):
        path = getattr(args, option)
        if path and not Path(path).parent.is_dir():
            raise SettingsError(f"--{option}: there is no folder {Path(path).parent} for {path}")


def _run_protocol(args: argparse.Namespace) -> int:
    import torch

    from sonic_sb3.atomic_files import write_json
    from sonic_sb3.games import resolve_levels
    from sonic_sb3.hyperparams import parse_overrides
    from sonic_sb3.protocols import format_result, plan_contest, run_contest, run_zero_shot
    from sonic_sb3.rom_files import find_rom
    from sonic_sb3.runs import load_run

    run = load_run(args.run)
    _check_env(args, run.settings.env)
    find_rom(run.settings.env)
    levels = resolve_levels(run.settings.env, args.levels or "test")
    num_threads = args.num_threads or run.settings.num_threads
    torch.set_num_threads(num_threads)
    if args.protocol == "zero-shot":
        result = run_zero_shot(run, levels, args.n_episodes or 100, args.seed, args.checkpoint)
    else:
        overrides = parse_overrides(args.hyperparams, "--hyperparams")
        plan = plan_contest(
            run,
            levels,
            args.budget or 1_000_000,
            conf_file=args.conf_file,
            overrides=overrides,
            seed=args.seed,
            checkpoint=args.checkpoint,
            num_threads=num_threads,
        )
        result = run_contest(plan, report=lambda line: print(line, flush=True))
    print(format_result(result))
    if note := other_rom(run.folder.read_manifest().get("rom_sha1"), run.settings.env):
        print(note)
    if args.json:
        write_json(Path(args.json), result)
    return 0


class _Subject(NamedTuple):
    """What is evaluated on what."""

    env: str
    levels: list[str]
    hyperparameters: Hyperparameters
    folder: Path | None
    n_episodes: int = 100
    rom_sha1: object = None  # of training, as the agent's files say


def _open_subject(args: argparse.Namespace) -> tuple[Actor, _Subject]:
    from sonic_sb3.bundles.places import find_bundle

    if args.run in ("random", "right"):
        return _open_baseline(args)
    bundle = find_bundle(args.run)
    return _open_run(args) if bundle is None else _open_bundle(args, bundle)


def _open_bundle(args: argparse.Namespace, path: Path) -> tuple[Actor, _Subject]:
    import torch

    from sonic_sb3.actors import make_actor
    from sonic_sb3.bundles.agents import load_bundle_policy
    from sonic_sb3.bundles.contents import open_bundle
    from sonic_sb3.games import resolve_levels
    from sonic_sb3.rom_files import find_rom

    bundle = open_bundle(path)
    agent = bundle.agent
    _check_env(args, agent.env)
    if args.checkpoint is not None:
        raise SettingsError("--checkpoint: a bundle holds one agent, expected no choice")
    find_rom(agent.env)
    levels = resolve_levels(agent.env, args.levels or agent.levels)
    torch.set_num_threads(args.num_threads or agent.num_threads)
    actor = make_actor(load_bundle_policy(bundle))
    # Its evaluation lies in the bundle; who plays it wants to see it now.
    return actor, _Subject(agent.env, levels, bundle.hyperparameters, None, 10, agent.rom_sha1)


def _open_run(args: argparse.Namespace) -> tuple[Actor, _Subject]:
    import torch

    from sonic_sb3.actors import make_actor
    from sonic_sb3.games import resolve_levels
    from sonic_sb3.rom_files import find_rom
    from sonic_sb3.runs import load_run

    if not Path(args.run).exists():
        raise RunFolderError(
            f"no run folder {args.run}, and no bundle or agent in the zoo of that name: expected "
            "what `python -m sonic_sb3.train` or `share` made, or random, or right"
        )
    run = load_run(args.run)
    _check_env(args, run.settings.env)
    find_rom(run.settings.env)
    levels = resolve_levels(run.settings.env, args.levels or run.settings.levels)
    torch.set_num_threads(args.num_threads or run.settings.num_threads)
    actor = make_actor(run.load_policy(args.checkpoint))
    trained_on = run.folder.read_manifest().get("rom_sha1")
    facts = (run.settings.env, levels, run.hyperparameters, run.folder.path)
    return actor, _Subject(*facts, rom_sha1=trained_on)


def _check_env(args: argparse.Namespace, env_id: str) -> None:
    if args.env not in (None, env_id):
        raise SettingsError(f"--env: {args.run} was trained on {env_id}, got {args.env}")


def _open_baseline(args: argparse.Namespace) -> tuple[Actor, _Subject]:
    from sonic_sb3.actors import make_actor
    from sonic_sb3.games import default_game_id, find_game, resolve_levels
    from sonic_sb3.hyperparams import load_hyperparameters
    from sonic_sb3.rom_files import find_rom
    from sonic_sb3.runs import make_policy

    env_id = find_game(args.env or default_game_id()).id
    find_rom(env_id)
    levels = resolve_levels(env_id, args.levels)
    hyperparameters = load_hyperparameters(args.run, env_id)
    actor = make_actor(make_policy(args.run, env_id, hyperparameters))
    return actor, _Subject(env_id, levels, hyperparameters, None)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. :returns: Its exit status."""
    return run_command(_main, argv)


if __name__ == "__main__":
    sys.exit(main())
