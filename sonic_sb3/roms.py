"""``python -m sonic_sb3.roms``: which ROMs are here, and how those of your own get here."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sonic_sb3.command_line import Parser, make_parser, run_command
from sonic_sb3.errors import RomError, SonicError

if TYPE_CHECKING:
    from sonic_sb3.game_facts import Game

_WIDTH = 100
_MAX_OTHERS_SHOWN = 20


def _make_parser() -> Parser:
    parser = make_parser("roms", "List, import, patch and verify the games' ROMs.")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    add = actions.add_parser("list", help="each game: its ROM, its levels, where to get a copy")
    add.set_defaults(action=_list)
    add = actions.add_parser("import", help="import ROMs, recognised by their contents")
    add.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files, folders, zips")
    add.set_defaults(action=_import)
    add = actions.add_parser("patch", help="make the contest's custom levels from your Sonic ROMs")
    add.add_argument("games", nargs="*", metavar="GAME", help="which (default: all of them)")
    add.set_defaults(action=_patch)
    add = actions.add_parser("verify", help="compare every ROM here with its sha1")
    add.set_defaults(action=_verify)
    return parser


def _list(_: argparse.Namespace) -> None:
    from sonic_sb3.games import catalogue
    from sonic_sb3.rom_files import roms_dir

    for game in catalogue().values():
        print(f"{game.id}: {game.title}")
        _print_field("ROM", _describe_rom(game))
        _print_field("copy", game.legal_source)
        _print_field("train", " ".join(game.train_levels))
        _print_field("test", " ".join(game.test_levels))
        print()
    print(f"imported ROMs lie in {roms_dir()}")


def _print_field(name: str, text: str) -> None:
    indent = f"  {name:<6}"
    if text:
        layout = textwrap.TextWrapper(
            width=_WIDTH,
            initial_indent=indent,
            subsequent_indent=" " * len(indent),
            break_long_words=False,
            break_on_hyphens=False,
        )
        print(layout.fill(text))


def _describe_rom(game: Game) -> str:
    from sonic_sb3.rom_files import expected_sha1s, find_rom, rom_files

    try:
        if not rom_files(game.id):
            return f"missing, expected one with sha1 {' or '.join(expected_sha1s(game.id))}"
        return f"present, sha1 as expected: {find_rom(game.id)}"
    except SonicError as error:
        return str(error)


def _import(args: argparse.Namespace) -> None:
    from sonic_sb3.rom_import import import_roms

    n_files = n_roms = 0
    for verdict in import_roms(args.paths):
        n_files += 1
        n_roms += verdict.game_id is not None
        # A folder of downloads holds thousands of files that are none.
        if verdict.game_id is not None or n_files - n_roms <= _MAX_OTHERS_SHOWN:
            print(f"{verdict.source}: {verdict.message}", flush=True)
    n_others = n_files - n_roms - _MAX_OTHERS_SHOWN
    if n_others > 0:
        print(f"and {n_others} more files that are none of the catalogue's ROMs")
    if n_files == 0:
        raise RomError(f"expected files, got none in {', '.join(map(str, args.paths))}")
    if n_roms == 0:
        raise RomError(
            f"none of {n_files} files is a ROM of the catalogue: "
            "`python -m sonic_sb3.roms list` tells which are known"
        )


def _patch(args: argparse.Namespace) -> None:
    from sonic_sb3.games import find_game
    from sonic_sb3.rom_files import has_rom
    from sonic_sb3.rom_import import patch_rom, patched_games

    games = [find_game(name) for name in args.games] or patched_games()
    n_failures = 0
    for game in games:
        if has_rom(game.id):
            print(f"{game.id}: already here")
            continue
        try:
            print(f"{game.id}: made {patch_rom(game.id)}")
        except SonicError as error:
            if len(games) == 1:
                raise
            print(f"{game.id}: {error}")
            n_failures += 1
    if n_failures and (args.games or n_failures == len(games)):
        raise RomError(f"{n_failures} of {len(games)} ROMs could not be made")


def _verify(_: argparse.Namespace) -> None:
    from sonic_sb3.games import catalogue
    from sonic_sb3.rom_files import rom_files

    n_present = n_wrong = 0
    for game_id in catalogue():
        for file in rom_files(game_id):
            print(f"{'ok' if file.is_expected else 'WRONG':<6}{file.sha1}  {game_id}  {file.path}")
            n_present += 1
            n_wrong += not file.is_expected
    if n_wrong:
        raise RomError(f"{n_wrong} of {n_present} ROMs are damaged or not the expected ones")
    print(f"{n_present} ROMs present, all as expected")


def _main(argv: Sequence[str] | None) -> int:
    args = _make_parser().parse_args(argv)
    args.action(args)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. :returns: Its exit status."""
    return run_command(_main, argv)


if __name__ == "__main__":
    sys.exit(main())
