"""A PostgreSQL server of our own for some tests, also where they run as root, which it refuses."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HOW_TO_GET_ONE = "no PostgreSQL server here: install Debian's package postgresql"


@dataclass(frozen=True)
class Server:
    """A running server on this machine's loopback."""

    port: int
    user: str
    password: str

    def url(self, database: str) -> str:
        return f"postgresql://{self.user}:{self.password}@127.0.0.1:{self.port}/{database}"


def find_programs() -> Path | None:
    """The folder with pg_ctl and initdb."""
    found = shutil.which("pg_ctl")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    candidates = [Path(found).parent] if found else []
    return next((f for f in (*candidates, *folders) if (f / "pg_ctl").is_file()), None)


def unprivileged_user() -> str | None:
    """Whom to run the server as: nobody else, unless this is root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_server() -> Iterator[Server]:
    """Make a cluster in a temporary folder, start it, stop and delete it."""
    programs = find_programs()
    assert programs is not None, HOW_TO_GET_ONE
    user = unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="sonic-pg-", dir="/tmp"))
    server = Server(free_port(), "tuner", secrets.token_hex(8))
    try:
        (folder / "password").write_text(server.password)
        if user is not None:
            for path in (folder, folder / "password"):
                shutil.chown(path, user)
        data, log = str(folder / "data"), str(folder / "log")

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [str(programs / program), *arguments],
                user=user,
                cwd=folder,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

        password_file = f"--pwfile={folder / 'password'}"
        run("initdb", "-D", data, "-U", server.user, "-A", "scram-sha-256", password_file, "-N")
        options = f"-p {server.port} -h 127.0.0.1 -k '' -c fsync=off"
        run("pg_ctl", "start", "-D", data, "-l", log, "-o", options, "-w", "-t", "120")
        try:
            yield server
        finally:
            run("pg_ctl", "stop", "-D", data, "-m", "immediate", "-w")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
