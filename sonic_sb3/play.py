"""``python -m sonic_sb3.play``: play a game by keyboard."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from sonic_sb3.command_line import Parser, make_parser, run_command, whole
from sonic_sb3.errors import SettingsError


def _make_parser() -> Parser:
    parser = make_parser("play", "Play a game by keyboard.")
    add = parser.add_argument
    add("--env", default=None, help="game, by stable-retro's id (default: the free game)")
    add("--level", default=None, help="level (default: the game's first)")
    add("--scale", type=whole(1, 10), default=3, help="window pixels per pixel of the console")
    add("--record", default=None, metavar="FILE", help="write the buttons pressed, as .npy")
    add("--frames", type=whole(1), default=None, help="stop after so many frames")
    return parser


def _main(argv: Sequence[str] | None) -> int:
    args = _make_parser().parse_args(argv)

    from sonic_sb3.games import default_game_id, resolve_levels
    from sonic_sb3.keyboard_play import HELP, KeyboardPlay

    game_id = args.env or default_game_id()
    levels = resolve_levels(game_id, args.level)
    if len(levels) > 1:
        raise SettingsError(f"--level: expected one level, {args.level} is {', '.join(levels)}")
    movie = None if args.record is None else Path(args.record)
    if movie is not None and not movie.parent.is_dir():
        raise SettingsError(f"--record: expected a folder that is there, got {movie.parent}")
    play = KeyboardPlay(game_id, levels[0], args.scale)
    print(HELP, flush=True)
    try:
        info = play.run(args.frames)
    finally:
        play.close()
        if movie is not None:  # whatever ended the game
            play.save_movie(movie)
    print(", ".join(f"{name} {value}" for name, value in info.items()))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. :returns: Its exit status."""
    return run_command(_main, argv)


if __name__ == "__main__":
    sys.exit(main())
