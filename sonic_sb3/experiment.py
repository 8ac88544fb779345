"""``python -m sonic_sb3.experiment run|status|report NAME``: a question, many runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sonic_sb3.command_line import Parser, make_parser, run_command
from sonic_sb3.errors import SettingsError
from sonic_sb3.plain_text import printable

if TYPE_CHECKING:
    from sonic_sb3.campaign.campaign import Campaign

_ACTIONS = ("run", "status", "report")
# Options that mean something to `run` alone.
_RUN_OPTIONS = ("workers", "retry", "scheduler", "num_threads", "device")


def _make_parser() -> Parser:
    parser = make_parser("experiment", "Run all arms and seeds of an experiment, and report on it.")
    add = parser.add_argument
    add("action", metavar="ACTION", choices=_ACTIONS, help="run, status or report")
    add("name", metavar="NAME", nargs="?", help="its folder, or its name in experiments/")
    add("--workers", type=int, default=None, help="runs at once (default: one per core)")
    add("--shard", default=None, metavar="I/N", help="do the I-th of N parts, on this machine")
    add("--scale", type=float, default=1.0, help="factor on budgets; results are kept apart")
    add("--arms", nargs="+", default=None, help="these arms alone")
    add("--retry", action="store_true", help="try failed runs again")
    add("--scheduler", default=None, metavar="ADDRESS", help="a Dask cluster: tcp://HOST:PORT")
    add("--num-threads", type=int, default=None, help="threads of torch in each run (default: 1)")
    add("--device", default=None, help="as torch names it (default: auto)")
    add("-f", "--log-folder", default="logs/experiments", help="where run folders are made")
    return parser


def _check_options(args: argparse.Namespace) -> None:
    for option in _RUN_OPTIONS:
        if args.action != "run" and getattr(args, option):
            raise SettingsError(f"--{option.replace('_', '-')}: is an option of `run` alone")
    if args.action == "report" and args.shard is not None:
        raise SettingsError("--shard: a report is on the whole experiment; give --arms for a part")
    if args.workers is not None and args.scheduler is not None:
        raise SettingsError("--workers: the cluster has its own; give --workers or --scheduler")
    for option in ("workers", "num_threads"):
        value = getattr(args, option)
        if value is not None and not 1 <= value <= 1024:
            raise SettingsError(
                f"--{option.replace('_', '-')}: expected between 1 and 1024, got {value}"
            )
    if not 0 < args.scale <= 1000:
        raise SettingsError(f"--scale: expected above 0 and at most 1000, got {args.scale}")


def _main(argv: Sequence[str] | None) -> int:
    args = _make_parser().parse_args(argv)
    _check_options(args)

    from sonic_sb3.campaign.campaign import list_experiments, open_campaign

    if args.name is None:
        if args.action != "status":
            raise SettingsError(f"{args.action}: expected the NAME of an experiment")
        print("\n".join(list_experiments(Path(args.log_folder))))
        return 0
    campaign = open_campaign(
        args.name,
        Path(args.log_folder),
        scale=args.scale,
        shard=args.shard,
        arms=args.arms,
        needs_roms=args.action == "run",
    )
    for line in campaign.skipped:
        print(line)
    if not campaign.cells:
        print("nothing to do here")
        return 0
    if args.action == "status":
        print("\n".join(campaign.status()))
        return 0
    if args.action == "report":
        folder, notes = campaign.write_report()
        print("\n".join([*(printable(f"- {note}") for note in notes), f"report: {folder}"]))
        return 0
    return _run(args, campaign)


def _run(args: argparse.Namespace, campaign: Campaign) -> int:
    from sonic_sb3.campaign.campaign import RunOptions

    if args.device is not None and args.scheduler is None:
        from sonic_sb3.devices import check_device

        check_device(args.device)  # once, before runs fail of it one by one
    return campaign.run(
        RunOptions(
            n_workers=args.workers,
            num_threads=args.num_threads or 1,
            device=args.device or "auto",
            retries=args.retry,
            scheduler=args.scheduler,
        )
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. :returns: Its exit status."""
    return run_command(_main, argv)


if __name__ == "__main__":
    sys.exit(main())
