"""A PostgreSQL server of our own for some tests, also where they run as root, which it refuses."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

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


def _dies_with_parent() -> list[str]:
    """A prefix of a command; empty where util-linux is missing."""
    return ["setpriv", "--pdeathsig", "QUIT"] if shutil.which("setpriv") else []


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + 300
    while True:
        assert process.poll() is None, "the server ended"
        try:
            with psycopg.connect(server.url("postgres"), connect_timeout=10):
                return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline_s
            time.sleep(0.2)


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
        data = str(folder / "data")

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
        # However this process ends, the server ends with it. QUIT: at once.
        command = [*_dies_with_parent(), str(programs / "postgres"), "-D", data]
        command += ["-p", str(server.port), "-h", "127.0.0.1", "-k", "", "-c", "fsync=off"]
        with (folder / "log").open("wb") as log:
            # In a session of its own: Ctrl-C is for the tests, which delete the database first.
            process = subprocess.Popen(
                command,
                user=user,
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _wait_until_ready(server, process)
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
