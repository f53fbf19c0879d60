"""What can be wrong with a store while it is used, and how each of that is begun and ended from outside the server."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import apsw
import psycopg

from bench.cluster import UNPRIVILEGED
from bench.meanwhile import meanwhile
from service import STORING, children_of, command_of
from trust.databases import Postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from threading import Event

    from cluster import Cluster
    from service import Service
    from trust.databases import Database
    from trust.guarantee import Trial

SMALL_DISK = "128m"
TABLESPACE = "small"
FAILS_WHILE = "TRUST_DISK_FAILS_WHILE"
"""The variable that names the flag to broken/failing_disk.py."""
BLINK_SECONDS = 0.3
BLOCK = bytes(64 * 1024)


class Scene(NamedTuple):
    """A server, and what a fault needs to know of it."""

    service: Service
    disk: Path | None
    """A small disk that holds its events."""
    flag: Path
    """While this file is there, the server's disk fails now and then."""
    database: Database


class Fault(NamedTuple):
    name: str
    during: Callable[[Scene], AbstractContextManager[None]]
    seconds: float
    """How long it is kept up."""
    reads: bool
    """Whether every report must be answered meanwhile."""
    unanswered: bool = False
    """Whether a request may stay without any answer."""
    needs_small_disk: bool = False


@contextmanager
def small_disk(trial: Trial) -> Iterator[Path | None]:
    """A disk of its own that can be filled without harm; None where this user may not mount one."""
    place = trial.directory / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "tmpfs", str(place)]
    try:
        mounted = os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield place if mounted else None
    finally:
        if mounted:
            # Lazily: a process that still has files there must not keep the disk for ever.
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def settings_of(flag: Path) -> dict[str, str]:
    """The settings of a server whose disk can be made to fail."""
    return {FAILS_WHILE: str(flag)}


@contextmanager
def tables_on(disk: Path, url: str) -> Iterator[None]:
    """The tables of PostgreSQL that grow with every batch are on a disk of their own."""
    place = disk / "tables"
    place.mkdir()
    shutil.chown(place, UNPRIVILEGED)
    for above in (disk, disk.parent):
        above.chmod(0o711)
    move = "; ".join(f"ALTER TABLE clickmeter.{table} SET TABLESPACE {{}}" for table in ("events", "event_keys"))
    run(url, f"CREATE TABLESPACE {TABLESPACE} LOCATION '{place}'", move.format(*[TABLESPACE] * 2))
    try:
        yield
    finally:
        run(url, move.format(*["pg_default"] * 2), f"DROP TABLESPACE {TABLESPACE}")


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for sql in statements:
            connection.execute(sql.encode())


def disk_of(scene: Scene) -> Path:
    assert scene.disk is not None
    return scene.disk


def file_of(scene: Scene) -> Path:
    return Path(scene.service.database_url.removeprefix("sqlite:///"))


@contextmanager
def full(scene: Scene) -> Iterator[None]:
    """Not a byte is free."""
    filler = disk_of(scene) / "filler"
    try:
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(BLOCK):
                pass
        yield
    finally:
        filler.unlink()


@contextmanager
def full_now_and_then(scene: Scene) -> Iterator[None]:
    """Another program fills the disk and gives it back, again and again."""

    def work(ended: Event) -> None:
        while not ended.wait(BLINK_SECONDS):
            with full(scene):
                ended.wait(BLINK_SECONDS)

    with meanwhile(work):
        yield


@contextmanager
def read_only_disk(scene: Scene) -> Iterator[None]:
    """The disk was mounted to be read only while the server was down; it is not expected to start."""
    service, disk = scene.service, str(disk_of(scene))
    service.stop()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    try:
        with suppress(AssertionError):
            service.start()
        yield
    finally:
        service.kill()
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        service.start()


@contextmanager
def failing(scene: Scene) -> Iterator[None]:
    """Writing and syncing fail now and then: an error of the device, a full disk, one that turned read-only."""
    scene.flag.touch()
    try:
        yield
    finally:
        scene.flag.unlink()


@contextmanager
def locked_file(scene: Scene) -> Iterator[None]:
    """Another program is in the middle of a write transaction."""
    with closing(apsw.Connection(str(file_of(scene)))) as connection:
        connection.set_busy_timeout(5_000)
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def stopped_process(scene: Scene) -> Iterator[None]:
    """The storing process does not move, as on a disk that hangs."""
    child = next(pid for pid in children_of(scene.service.pid) if STORING.search(command_of(pid)))
    os.kill(child, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(child, signal.SIGCONT)


@contextmanager
def no_handles(scene: Scene) -> Iterator[None]:
    """No process of the server may open anything more; one of them dies."""
    service = scene.service
    with ExitStack() as lifted:
        for pid in (service.pid, *children_of(service.pid)):
            limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (1, limits[1]))
            lifted.callback(lift, pid, limits)
        service.kill_storing()
        yield


def lift(pid: int, limits: tuple[int, int]) -> None:
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


@contextmanager
def locked_tables(scene: Scene) -> Iterator[None]:
    """Another program keeps everybody from storing events."""
    with psycopg.connect(scene.service.database_url) as connection:
        # The table that every append begins with: waiting for two of them would be a deadlock with it.
        connection.execute("LOCK TABLE clickmeter.event_keys IN EXCLUSIVE MODE")
        yield


@contextmanager
def read_only(scene: Scene) -> Iterator[None]:
    """The database takes no writes, as a server does that follows another."""
    url = scene.service.database_url
    run(url, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    try:
        yield
    finally:
        run(url, "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")


def server_of(scene: Scene) -> Cluster:
    assert isinstance(scene.database, Postgres)
    return scene.database.server


@contextmanager
def stopped_server(scene: Scene) -> Iterator[None]:
    """No process of PostgreSQL moves."""
    server_of(scene).signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server_of(scene).signal(signal.SIGCONT)


@contextmanager
def away(scene: Scene) -> Iterator[None]:
    """PostgreSQL does not run."""
    server_of(scene).stop()
    try:
        yield
    finally:
        server_of(scene).start()


HANDLES = Fault("no file handles", no_handles, 2, reads=True, unanswered=True)
FAULTS = {
    "sqlite": (
        Fault("a failing disk", failing, 2, reads=True),
        Fault("a full disk", full, 2, reads=True, needs_small_disk=True),
        HANDLES,
        Fault("a read-only disk", read_only_disk, 1, reads=False, unanswered=True, needs_small_disk=True),
        Fault("a locked file", locked_file, 9, reads=True),
        Fault("a storing process that does not move", stopped_process, 9, reads=True),
    ),
    "postgres": (
        Fault("a database that only reads", read_only, 2, reads=True),
        HANDLES,
        Fault("a PostgreSQL that is away", away, 8, reads=False),
        Fault("a full disk", full, 2, reads=True, needs_small_disk=True),
        Fault("a locked table", locked_tables, 9, reads=True),
        Fault("a PostgreSQL that does not move", stopped_server, 9, reads=False),
    ),
    "chdb": (
        # What chDB was merging then cannot be read for a moment.
        Fault("a full disk", full, 2, reads=False, needs_small_disk=True),
        Fault("a disk that is full now and then", full_now_and_then, 4, reads=False, needs_small_disk=True),
        Fault("a locked file", locked_file, 9, reads=True),
        Fault("a process that does not move", stopped_process, 9, reads=False),
    ),
}
