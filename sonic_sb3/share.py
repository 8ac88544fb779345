"""``python -m sonic_sb3.share``: pack and check agents, hyperparameters, experiments."""

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
    from sonic_sb3.bundles.contents import Bundle
    from sonic_sb3.bundles.pack_agent import PackOptions

_FORMS = ("bundle", "folder", "rl-zoo3", "sb3")


def _make_parser() -> Parser:
    parser = make_parser("share", "Agents, hyperparameters and experiments as safe bundles.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_pack(actions)
    show = actions.add_parser("show", help="what a bundle claims, checked against its contents")
    show.add_argument("file", metavar="FILE", help="bundle, or the name of one in the zoo")
    verify = actions.add_parser("verify", help="play its evaluation and its movie again, here")
    verify.add_argument("file", metavar="FILE", help="bundle, or the name of one in the zoo")
    verify.add_argument(
        "-n",
        "--n-episodes",
        type=int,
        default=None,
        help="at least so many, and as many as were played side by side (default: all of them)",
    )
    install = actions.add_parser("install", help="into your zoo and your hyperparameters")
    install.add_argument("file", metavar="FILE", help="bundle")
    install.add_argument("--replace", action="store_true", help="overwrite one of the same name")
    push = actions.add_parser("push", help="put a bundle on a shelf")
    push.add_argument("file", metavar="FILE", help="bundle, or the name of one in the zoo")
    _add_shelf(push)
    pull = actions.add_parser("pull", help="bring a bundle from a shelf")
    _add_shelf(pull)
    pull.add_argument("name", nargs="?", metavar="NAME", help="which, where there are several")
    pull.add_argument("-o", "--output", default=".", metavar="FOLDER", help="where to put it")
    table = actions.add_parser("table", help="the table of agents, for a README")
    table.add_argument("folder", nargs="?", default="zoo", metavar="FOLDER", help="with bundles")
    table.add_argument("--write", default=None, metavar="FILE", help="put it between its marks")
    return parser


def _add_pack(actions: argparse._SubParsersAction[Parser]) -> None:
    pack = actions.add_parser("pack", help="make a bundle")
    pack.add_argument("source", metavar="RUN|STUDY|EXPERIMENT", help="folder; or a bundle for --as")
    importing = actions.add_parser("import", help="make a bundle of a run folder that rl-zoo3 made")
    importing.add_argument(
        "source", metavar="RUNFOLDER", help="LOGS/ALGO/ENV_k; nothing is unpickled"
    )
    for parser in (pack, importing):
        add = parser.add_argument
        add("-o", "--output", default=None, metavar="PATH", help="what to make (NAME.sonic.zip)")
        add("--as", dest="form", choices=_FORMS, default="bundle", help="what to make of it")
        add("--name", default=None, help="of the bundle")
        add("--algo", default=None, help="algorithm, where it cannot be told")
        add("--dtype", choices=("float16", "float32"), default="float16", help="of the weights")
        add("-n", "--n-episodes", type=int, default=100, help="episodes of its evaluation")
        add("--seed", type=int, default=0, help="of the first episode")
        add("--deterministic", action="store_true", help="take the most probable action")
        add("--checkpoint", default=None, help="'best' or a number of timesteps")
        add("--no-video", action="store_true", help="without the video of the best episode")
        add("--license", default=None, help="such as mit, for the card")
        add("--notes", default=None, metavar="FILE", help="Markdown to add to the card")
        add("--max-mb", type=float, default=None, help="refuse to make a larger bundle")
        add("--replace", action="store_true", help="overwrite another bundle")


def _add_shelf(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shelf", metavar="SHELF", help="folder, git+URL or hub:USER/REPO")
    parser.add_argument("--replace", action="store_true", help="overwrite one of the same name")


def _main(argv: Sequence[str] | None) -> int:
    args = _make_parser().parse_args(argv)
    return _ACTIONS[args.action](args)


def _pack(args: argparse.Namespace) -> int:
    from sonic_sb3.bundles.packing import PackRequest, pack

    if args.max_mb is not None and not args.max_mb > 0:  # before anything is played
        raise SettingsError(f"--max-mb: expected above 0, got {args.max_mb}")
    request = PackRequest(
        source=Path(args.source),
        is_rl_zoo3=args.action == "import",
        form=args.form,
        output=Path(args.output) if args.output else None,
        algo=args.algo,
        max_mb=args.max_mb,
        replaces=args.replace,
    )
    for line in pack(request, _pack_options(args)):
        print(line)
    return 0


def _pack_options(args: argparse.Namespace) -> PackOptions:
    from sonic_sb3.bundles.pack_agent import PackOptions

    for option, value, least in (("-n", args.n_episodes, 1), ("--seed", args.seed, 0)):
        if value < least:
            raise SettingsError(f"{option}: expected at least {least}, got {value}")
    return PackOptions(
        name=args.name,
        dtype=args.dtype,
        n_episodes=args.n_episodes,
        seed=args.seed,
        deterministic=args.deterministic,
        checkpoint=args.checkpoint,
        has_video=not args.no_video,
        license=args.license,
        notes=_read_notes(args.notes),
    )


def _read_notes(path: str | None) -> str:
    if path is None:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"--notes: cannot read {path}: {error}") from error


def _show(args: argparse.Namespace) -> int:
    from sonic_sb3.bundles.shown import describe

    print(describe(_open(args.file)))
    return 0


def _verify(args: argparse.Namespace) -> int:
    from sonic_sb3.bundles.shown import describe
    from sonic_sb3.bundles.verify import verify_agent

    if args.n_episodes is not None and args.n_episodes < 1:
        raise SettingsError(f"-n: expected at least 1, got {args.n_episodes}")
    bundle = _open(args.file)
    if bundle.kind != "agent":
        describe(bundle)
        print(f"{bundle.index.name}: every file is what the index says; a {bundle.kind} has")
        print("no agent that could be played again")
        return 0
    result = verify_agent(bundle, args.n_episodes)
    print(f"movie:    {result.movie.upper()}: {printable(result.movie_note)}")
    print(f"episodes: {result.episodes.upper()}: {printable(result.episodes_note)}")
    print(f"{bundle.index.name}: {result.verdict.upper()}")
    return 1 if result.verdict == "different" else 0


def _install(args: argparse.Namespace) -> int:
    from sonic_sb3.bundles.places import install
    from sonic_sb3.bundles.shown import describe

    bundle = _open(args.file)
    describe(bundle)  # what contradicts itself is not installed
    for path in install(bundle, replaces=args.replace):
        print(f"installed: {path}")
    name = bundle.index.name
    if bundle.kind == "agent":
        print(f"play:      python -m sonic_sb3.evaluate {name} --video best.mp4")
    algo = bundle.subject.algo
    print(f"train:     python -m sonic_sb3.train --algo {algo} --conf-file {name}")
    return 0


def _push(args: argparse.Namespace) -> int:
    from sonic_sb3.bundles.shelves import push
    from sonic_sb3.bundles.shown import describe

    bundle = _open(args.file)
    describe(bundle)
    print(push(bundle, args.shelf, replaces=args.replace))
    return 0


def _pull(args: argparse.Namespace) -> int:
    from sonic_sb3.bundles.shelves import pull

    path = pull(args.shelf, args.name, Path(args.output), replaces=args.replace)
    print(f"pulled: {path}")
    print(f"next:   python -m sonic_sb3.share show {path}")
    return 0


def _table(args: argparse.Namespace) -> int:
    from sonic_sb3.bundles.zoo_table import make_table, update_table

    if args.write is None:
        print(make_table(Path(args.folder)))
    else:
        changed = update_table(Path(args.write), Path(args.folder))
        print(f"{args.write}: {'brought up to date' if changed else 'is up to date'}")
    return 0


def _open(name: str) -> Bundle:
    from sonic_sb3.bundles.places import open_named_bundle

    return open_named_bundle(name)


_ACTIONS = {
    "pack": _pack,
    "import": _pack,
    "show": _show,
    "verify": _verify,
    "install": _install,
    "push": _push,
    "pull": _pull,
    "table": _table,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. :returns: Its exit status."""
    return run_command(_main, argv)


if __name__ == "__main__":
    sys.exit(main())
