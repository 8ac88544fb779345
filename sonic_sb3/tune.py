"""``python -m sonic_sb3.tune``: search hyperparameters with a study that survives."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sonic_sb3.command_line import Parser, make_parser, run_command
from sonic_sb3.errors import SettingsError
from sonic_sb3.stop_signals import StoppedBySignal, stop_signals

if TYPE_CHECKING:
    from sonic_sb3.tuning.campaign import CampaignOrder
    from sonic_sb3.tuning.plan import Asked, StudyPlace

_ACTIONS = {
    "study": "run a study, or join it and go on with it",
    "status": "how it is doing",
    "plot": "pictures, a page and a table of its trials",
    "confirm": "try its best trials again with fresh seeds",
    "export": "write its best trial as a hyperparameters file",
}


# Option -> least and most. Workers renew their leases every 5 s, so less grace would take trials
# away from those who are at work on them.
_RANGES: dict[str, tuple[float, float]] = {
    "workers": (1, 1024),
    "top": (0, 1000),
    "confirm_seeds": (1, 1000),
    "grace": (15, 10**7),
    "timeout": (0.001, 10**9),
    "snapshot_freq": (1, 10**9),
    "n_trials": (1, 10**7),
    "n_timesteps": (1, 10**12),
}


def _make_parser() -> Parser:
    parser = make_parser(
        "tune",
        "Search hyperparameters with Optuna. The same command again, here or on another machine, "
        "goes on with the same study.",
    )
    add = parser.add_argument
    actions = ", ".join(f"{name} ({what})" for name, what in _ACTIONS.items())
    add(
        "action", nargs="?", choices=list(_ACTIONS), default="study", metavar="ACTION", help=actions
    )
    add("--study-name", default=None, help="default: ALGO-ENV")
    add(
        "--storage",
        default=None,
        metavar="URL",
        help="sqlite:///FILE or postgresql://USER@HOST/DATABASE (default: a file in the study's "
        "folder)",
    )
    add("-f", "--log-folder", default="logs", help="the study's folder is in tune/ there")
    _add_study_options(parser)
    _add_worker_options(parser)
    add("--top", type=int, default=3, help="best trials to confirm with fresh seeds, 0: none")
    add("--confirm-seeds", type=int, default=3, help="fresh seeds of each")
    add(
        "-o",
        "--output",
        default=None,
        metavar="FILE",
        help="file of export (default: best.yml in the study's folder)",
    )
    add("--trial", type=int, default=None, help="trial to export (default: the best)")
    return parser


def _add_study_options(parser: Parser) -> None:
    add = parser.add_argument_group("what the study is (fixed when it begins)").add_argument
    add("--algo", default=None, help="algorithm (default: ppo)")
    add("--env", default=None, help="game (default: the free game)")
    add("--levels", nargs="+", default=None, help="levels, or train, test, all")
    add("-n", "--n-timesteps", type=int, default=None, help="of one training (default: 100000)")
    add("--n-seeds", type=int, default=None, help="trainings per trial (default: 2)")
    add("--seed", type=int, default=None, help="of samplers and trainings")
    add("--space", default=None, metavar="FILE", help="search space (default: the algorithm's)")
    add(
        "--warm-start",
        default=None,
        metavar="BUNDLE",
        help="a bundle, hyperparameters file or named configuration to try right after the "
        "hyperparameters that the study starts from",
    )
    add("--sampler", default=None, help="tpe, random or gp (default: tpe)")
    add(
        "--pruner",
        default=None,
        help="hyperband, median, wilcoxon (from 5 seeds x levels on) or none (default: hyperband)",
    )
    add("--objective", default=None, help="completion, progress, contest_score or score")
    add(
        "--area",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="the objective's mean during training, not at its end",
    )
    add("--eval-episodes", type=int, default=None, help="of each evaluation (default: 10)")
    add("-conf", "--conf-file", default=None, help="hyperparameters that the space's replace")
    add("-params", "--hyperparams", nargs="+", default=[], metavar="K:V", help="hyperparameters")
    add("--env-kwargs", nargs="+", default=[], metavar="K:V", help="arguments of make_env")


def _add_worker_options(parser: Parser) -> None:
    add = parser.add_argument_group("who works on it, and for how long").add_argument
    add("--n-trials", type=int, default=None, help="of the whole study (default: 40)")
    add("--workers", type=int, default=1, help="processes here")
    add("--timeout", type=float, default=None, metavar="S", help="seconds until this command ends")
    add("--snapshot-freq", type=int, default=None, help="rollouts between snapshots of a training")
    add("--device", default="auto", help="as torch names it")
    add(
        "--grace",
        type=float,
        default=300.0,
        metavar="S",
        help="after so long without a sign of life a trial is handed on",
    )


def _check(args: argparse.Namespace) -> None:
    for name, (least, most) in _RANGES.items():
        value = getattr(args, name)
        if value is not None and not least <= value <= most:  # NaN is neither
            option = "--" + name.replace("_", "-")
            raise SettingsError(f"{option}: expected between {least:,} and {most:,}, got {value}")


def _main(argv: Sequence[str] | None) -> int:
    from sonic_sb3.tuning.secrets_in_titles import hide_password

    hide_password(argv)  # first of all: a message about a wrong option repeats it
    args = _make_parser().parse_args(argv)
    _check(args)

    from sonic_sb3.tuning.plan import find_place
    from sonic_sb3.tuning.storage import storage_answers

    asked = _read_asked(args)
    place = find_place(args.log_folder, args.study_name, args.storage, asked)
    with storage_answers(place.url):
        return _act(args, place, asked)


def _act(args: argparse.Namespace, place: StudyPlace, asked: Asked) -> int:
    from sonic_sb3.tuning import campaign

    if args.action == "status":
        campaign.show_status(place)
    elif args.action == "plot":
        campaign.write_outputs(place)
    elif args.action == "export":
        output = Path(args.output) if args.output else None
        campaign.export_best(place, output, args.trial, args.n_timesteps)
    else:
        try:
            with stop_signals():
                order = _read_order(args)
                if args.action == "study":
                    campaign.run_campaign(place, asked, order)
                else:
                    campaign.confirm(place, order)
        except StoppedBySignal as stop:
            print(f"stopped by {stop}; the same command goes on with it", file=sys.stderr)
            return 128 + stop.number
    return 0


def _read_asked(args: argparse.Namespace) -> Asked:
    from dataclasses import fields

    from sonic_sb3.tuning.plan import Asked

    return Asked(**{field.name: getattr(args, field.name) for field in fields(Asked)})


def _read_order(args: argparse.Namespace) -> CampaignOrder:
    from sonic_sb3.tuning.campaign import CampaignOrder

    return CampaignOrder(
        n_trials=args.n_trials,
        n_workers=args.workers,
        timeout_s=args.timeout,
        top=args.top,
        confirm_seeds=args.confirm_seeds,
        snapshot_freq=args.snapshot_freq,
        device=args.device,
        grace_s=args.grace,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. :returns: Its exit status."""
    return run_command(_main, argv)


if __name__ == "__main__":
    sys.exit(main())
