"""``python -m sonic_sb3.train``: train an agent."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonic_sb3.command_line import Parser, make_parser, run_command, whole
from sonic_sb3.errors import SettingsError
from sonic_sb3.summary_table import format_summary, unplayed_levels

if TYPE_CHECKING:
    from sonic_sb3.algorithm_settings import AnnealKwargs, Hyperparameters
    from sonic_sb3.settings import TrainSettings


_LEAST_EVAL_EPISODES = 10
# Options that a run may go on with: they change nothing in it.
_WITH_RESUME = ("resume", "progress", "on_full_disk", "verbose")


def _make_parser() -> Parser:
    parser = make_parser("train", "Train an agent and leave everything about it in a run folder.")
    _add_task_options(parser)
    _add_start_options(parser)
    _add_machine_options(parser)
    _add_schedule_options(parser)
    _add_output_options(parser)
    return parser


def _add_task_options(parser: Parser) -> None:
    add = parser.add_argument_group("what is trained").add_argument
    algorithms = "ppo, a2c, a2c_reuse, ppo_lstm, trpo, dqn or qrdqn"
    add("--algo", default=None, help=f"{algorithms}; or random, right, jerk (default: ppo)")
    add("--env", default=None, help="game, by stable-retro's id (default: the free game)")
    levels = "levels, or train, test, all (default: the file's, else the game's own)"
    add("--levels", nargs="+", default=None, help=levels)
    add("--env-kwargs", nargs="+", default=[], metavar="K:V", help="arguments of make_env")
    n_timesteps = "timesteps of training (default: the file's)"
    add("-n", "--n-timesteps", type=whole(1), default=None, help=n_timesteps)
    n_envs = "envs side by side (default: the file's)"
    add("--n-envs", type=whole(1, 4096), default=None, help=n_envs)
    seed = "of everything random; drawn where not given"
    add("--seed", type=whole(0, 2**32 - 1), default=None, help=seed)
    add("-params", "--hyperparams", nargs="+", default=[], metavar="K:V", help="hyperparameters")
    conf_file = (
        "all hyperparameters: YAML, a bundle, or a name such as borghi-fast (default: the "
        "algorithm's own file)"
    )
    add("-conf", "--conf-file", default=None, metavar="FILE", help=conf_file)


def _add_start_options(parser: Parser) -> None:
    add = parser.add_argument_group("what it begins with").add_argument
    add("-i", "--init-run", default=None, metavar="RUN", help="run or bundle to begin with")
    add("--init-checkpoint", default=None, help="'best' or a number of timesteps (default: last)")
    add("--resume", default=None, metavar="RUN", help="go on with a run that was stopped or killed")


def _add_machine_options(parser: Parser) -> None:
    add = parser.add_argument_group("on what machine").add_argument
    num_threads = "threads of torch (default: one per core)"
    add("--num-threads", type=whole(1, 1024), default=None, help=num_threads)
    n_workers = "env processes (default: one per env)"
    add("--n-workers", type=whole(1, 4096), default=None, help=n_workers)
    add("--device", default="auto", help="as torch names it")


def _add_schedule_options(parser: Parser) -> None:
    add = parser.add_argument_group("what is judged and kept on the way").add_argument
    eval_freq = "timesteps between evaluations, -1: none"
    add("--eval-freq", type=whole(1, off=-1), default=50_000, help=eval_freq)
    eval_episodes = "episodes of an evaluation, 0: none (default: 10 or more, each level as often)"
    add("--eval-episodes", type=whole(0), default=None, help=eval_episodes)
    save_freq = "timesteps between checkpoints, -1: none"
    add("--save-freq", type=whole(1, off=-1), default=-1, help=save_freq)
    snapshot_freq = "rollouts between snapshots for --resume (default: about every two minutes)"
    add("--snapshot-freq", type=whole(1), default=None, help=snapshot_freq)


def _add_output_options(parser: Parser) -> None:
    add = parser.add_argument_group("where to, and what is shown").add_argument
    add("-f", "--log-folder", default="logs", help="where run folders are made")
    add("-tb", "--tensorboard-log", default=None, help="TensorBoard folder (default: the run's)")
    on_off, progress = argparse.BooleanOptionalAction, "progress bar (default: in a terminal)"
    add("-P", "--progress", action=on_off, default=None, help=progress)
    full_disk = "what to do when nothing can be written: save what can be saved and stop, or wait"
    add("--on-full-disk", choices=("stop", "wait"), default="stop", help=full_disk)
    verbose = "1 prints SB3's table after each rollout"
    add("--verbose", type=whole(0, 2), default=0, help=verbose)


def _check_resume(args: argparse.Namespace) -> None:
    """A run goes on as it was begun; what would change it is not ignored in silence."""
    usual = vars(_make_parser().parse_args([]))
    others = [k for k, v in vars(args).items() if v != usual[k] and k not in _WITH_RESUME]
    if others:
        raise SettingsError(
            f"--resume: a run goes on with the settings it has, expected none of "
            f"{', '.join('--' + name.replace('_', '-') for name in others)} with it; begin another "
            f"run with its weights by -i {args.resume}"
        )


def _read_settings(args: argparse.Namespace) -> tuple[TrainSettings, Hyperparameters]:
    """Everything that can be wrong with the options is found here, before torch is imported."""
    from sonic_sb3.bundles.places import load_conf_file
    from sonic_sb3.games import default_game_id, find_game, resolve_levels
    from sonic_sb3.hyperparams import NAMED_CONFIGURATIONS, parse_overrides
    from sonic_sb3.machine import default_num_threads
    from sonic_sb3.rom_files import find_rom
    from sonic_sb3.settings import TrainSettings, default_n_workers, draw_seed
    from sonic_sb3.strict_settings import validate

    env_id = find_game(args.env or default_game_id()).id
    overrides: dict[str, Any] = parse_overrides(args.hyperparams, "--hyperparams")
    for key, value in parse_overrides(args.env_kwargs, "--env-kwargs").items():
        overrides[f"env_kwargs.{key}"] = value
    for key in ("n_timesteps", "n_envs"):
        if getattr(args, key) is not None:
            overrides[key] = getattr(args, key)
    named_algo = NAMED_CONFIGURATIONS.get(args.conf_file)
    algo = args.algo or named_algo or "ppo"
    if named_algo not in (None, algo):
        raise SettingsError(
            f"--conf-file {args.conf_file}: expected --algo {named_algo}, got {algo}"
        )
    hyperparameters = load_conf_file(algo, env_id, args.conf_file, overrides)
    stage_levels = [resolve_levels(env_id, stage.levels) for stage in hyperparameters.stages]
    if stage_levels and args.levels:
        raise SettingsError("--levels: expected none, for each stage of the file has its own")
    asked_levels = resolve_levels(env_id, args.levels or hyperparameters.env_kwargs.level)
    levels = stage_levels[-1] if stage_levels else asked_levels  # on which it is evaluated, too
    settings = validate(
        TrainSettings,
        {
            "algo": algo,
            "env": env_id,
            "levels": levels,
            "stage_levels": stage_levels,
            "n_timesteps": hyperparameters.n_timesteps,
            "seed": draw_seed() if args.seed is None else args.seed,
            "num_threads": args.num_threads or default_num_threads(),
            "n_workers": args.n_workers or default_n_workers(hyperparameters.n_envs),
            "device": args.device,
            "eval_freq": args.eval_freq,
            "eval_episodes": _n_eval_episodes(args.eval_episodes, levels),
            "save_freq": args.save_freq,
            "snapshot_freq": args.snapshot_freq,
            "init_run": args.init_run,
            "init_checkpoint": args.init_checkpoint,
        },
        "options",
    )
    find_rom(env_id)
    _warn_of_one_rollout(hyperparameters)
    return settings, hyperparameters


def _warn_of_one_rollout(hyperparameters: Hyperparameters) -> None:
    """As SB3 counts, the last update is made at the end, where a linear rate is zero."""
    n_rollout = getattr(hyperparameters, "n_steps", 0) * hyperparameters.n_envs
    is_linear = "lin_" in str(getattr(hyperparameters, "learning_rate", ""))
    is_on_policy = hasattr(hyperparameters, "gae_lambda")
    if is_on_policy and is_linear and hyperparameters.n_timesteps <= n_rollout:
        print(
            f"note: one rollout of {n_rollout:,} timesteps is all, and a linear learning_rate is 0 "
            "at its update: nothing will be learnt; expected more timesteps, or a constant"
        )


def _n_eval_episodes(asked: int | None, levels: Sequence[str]) -> int:
    if asked is None:
        return -(-_LEAST_EVAL_EPISODES // len(levels)) * len(levels)
    if note := unplayed_levels(asked, levels):
        print(note)
    return asked


def _main(argv: Sequence[str] | None) -> int:
    args = _make_parser().parse_args(argv)
    if args.init_checkpoint is not None and args.init_run is None:
        raise SettingsError("--init-checkpoint: expected -i RUN with it, whose checkpoint is meant")
    if args.resume is not None:
        _check_resume(args)
    else:
        settings, hyperparameters = _read_settings(args)
        print(_describe(settings, hyperparameters), flush=True)

    from sonic_sb3.evaluation import summarise
    from sonic_sb3.run_folder import open_run_folder
    from sonic_sb3.settings import read_settings
    from sonic_sb3.training import resume, train
    from sonic_sb3.training_job import Output

    output = Output(
        log_folder=Path(args.log_folder),
        tensorboard_log=Path(args.tensorboard_log) if args.tensorboard_log else None,
        shows_progress=sys.stderr.isatty() if args.progress is None else args.progress,
        verbose=args.verbose,
        arguments=vars(args),
        on_full_disk=args.on_full_disk,
        tell=functools.partial(print, flush=True),
    )
    if args.resume is None:
        folder, result = train(settings, hyperparameters, output)
    else:
        folder = open_run_folder(Path(args.resume))
        print(_describe(*read_settings(folder.read_manifest(), str(folder.manifest))), flush=True)
        result = resume(folder, output)
    if result is not None:
        print(format_summary("evaluation of the trained agent", summarise(result.episodes)))
        print(f"video:  {folder.video}")
    print(f"curve:  {folder.curve}")
    print(f"folder: {folder.path}")
    print(f"again:  python -m sonic_sb3.evaluate {folder.path}")
    return 0


def _describe(settings: TrainSettings, hyperparameters: Hyperparameters) -> str:
    plan = {
        "game": settings.env,
        "levels": ", ".join(settings.levels),
        "algorithm": settings.algo,
        "timesteps": f"{settings.n_timesteps:,}",
        "envs": f"{hyperparameters.n_envs} in {settings.n_workers} processes",
        "threads": str(settings.num_threads),
        "seed": str(settings.seed),
        "settings": ", ".join(f"{k} {v}" for k, v in hyperparameters.algorithm_kwargs().items()),
    }
    for kwargs in getattr(hyperparameters, "callback", {}).values():
        plan["annealing"] = _describe_annealing(kwargs)
    if settings.init_run is not None:
        plan["weights"] = f"of {settings.init_run}, {settings.init_checkpoint or 'last'}"
    for number, stage in enumerate(hyperparameters.stages, start=1):
        levels = ", ".join(settings.stage_levels[number - 1])
        plan[f"stage {number}"] = f"{stage.n_timesteps:,} timesteps on {levels}"
    if hyperparameters.replay_bytes():
        plan["replay"] = f"{hyperparameters.replay_bytes() / 2**30:.2f} GiB of memory when full"
    return "\n".join(f"{key:<10} {value}" for key, value in plan.items())


def _describe_annealing(kwargs: AnnealKwargs) -> str:
    rate = kwargs.success_rate
    when = "at the end" if rate is None else f"from {rate:.0%} success on"
    ent_coef = "" if kwargs.ent_coef is None else f" and ent_coef {kwargs.ent_coef}"
    return f"{when}: learning_rate to 0 in {kwargs.n_timesteps:,} timesteps{ent_coef}, then the end"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. :returns: Its exit status."""
    return run_command(_main, argv)


if __name__ == "__main__":
    sys.exit(main())
