"""``python -m tests.chaos``: torment trainings and loaders, and tell what did not survive."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.outcome import Outcome, format_table, write_outcomes

# Campaign -> events of a full one, and of a quick one.
_SIZES = {
    "workers": (100, 4),
    "groups": (50, 2),
    "saving": (1000, 25),
    "disks": (20, 2),
    "fuzz": (10_000, 300),
    "mutants": (2_000, 60),
    "cost": (40, 2),
}


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    add = parser.add_argument
    add("campaigns", nargs="*", metavar="CAMPAIGN", help=f"{', '.join(_SIZES)} (default: all)")
    add("--quick", action="store_true", help="a few events of each, to see that it works")
    add("-n", "--n-events", type=int, default=None, help="events of each campaign")
    add("--seed", type=int, default=0, help="of all that is random")
    add("--json", type=Path, default=None, metavar="FILE", help="where to write the result")
    add("--folder", type=Path, default=None, help="to work in, and kept (default: a temporary one)")
    return parser


def _run(name: str, folder: Path, n_events: int, seed: int) -> Outcome:
    """Import what the campaign needs, and no more: some need neither torch nor an emulator."""
    from tests.chaos.trainings import Plan

    if name == "workers":
        from tests.chaos.worker_kills import torment_workers

        return torment_workers(folder, n_events, seed, Plan(n_timesteps=2400))
    if name == "groups":
        from tests.chaos.group_kills import torment_groups

        return torment_groups(folder, n_events, seed, Plan())
    if name == "saving":
        from tests.chaos.saving_kills import kill_while_saving

        return kill_while_saving(folder, n_events, seed)
    if name == "disks":
        from tests.chaos.full_disks import fill_disks

        return fill_disks(folder, n_events, seed, Plan())
    if name == "fuzz":
        from tests.chaos.settings_fuzz import feed_settings

        return feed_settings(folder, n_events, seed)
    if name == "mutants":
        from tests.chaos.mutants import feed_mutants

        return feed_mutants(folder, n_events, seed)
    from tests.chaos.cost import measure_cost

    return measure_cost(folder, n_events, seed)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the campaigns. :returns: 1 where anything did not survive."""
    args = _make_parser().parse_args(argv)
    chosen = args.campaigns or list(_SIZES)
    for name in chosen:
        if name not in _SIZES:
            print(
                f"error: expected campaigns of {', '.join(_SIZES)}, got {name!r}", file=sys.stderr
            )
            return 2
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="chaos_", ignore_cleanup_errors=True) as temporary:
        folder = args.folder or Path(temporary)
        for name in chosen:
            started_s = time.monotonic()
            n_events = args.n_events or _SIZES[name][args.quick]
            outcome = _run(name, folder / name, n_events, args.seed)
            outcome.duration_s = round(time.monotonic() - started_s, 1)
            outcomes.append(outcome)
            print(format_table([outcome]), flush=True)
    if len(outcomes) > 1:
        print("\n" + format_table(outcomes))
    if args.json:
        facts = {"seed": args.seed, "is_quick": args.quick, "command": sys.argv[1:]}
        write_outcomes(args.json, outcomes, facts)
    return int(any(outcome.failures for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
