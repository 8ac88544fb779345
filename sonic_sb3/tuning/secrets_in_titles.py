"""Passwords on the command line, which everybody on the machine can read while it runs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

_STORAGE = re.compile(r"postgres(ql)?(\+\w+)?://")


def hide_password(argv: Sequence[str] | None) -> None:
    """
    Start this command anew without the password, which goes on in ``PGPASSWORD``.

    :param argv: ``None`` where the options are the process's own; else nothing is done.
    """
    if argv is not None or not any(_STORAGE.search(word) for word in sys.argv[1:]):
        return
    words = [_without_password(word) for word in sys.orig_argv]
    if words != sys.orig_argv:
        os.execv(sys.executable, [sys.executable, *words[1:]])


def _without_password(word: str) -> str:
    """``--storage=URL`` or ``URL``; a password in it goes to the environment."""
    match = _STORAGE.search(word)
    if match is None:
        return word
    from sonic_sb3.tuning.storage import parse_storage_url, show_url

    option, url = word[: match.start()], word[match.start() :]
    before = dict(os.environ)
    shown = show_url(parse_storage_url(url))
    return option + shown if os.environ != before or shown != url else word
