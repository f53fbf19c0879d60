"""Is the database's file as it should be? What an operator would want to know before it matters."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from clickmeter.storage.findings import clock
from clickmeter.storage.protocol import Finding
from clickmeter.storage.sqlite.file import is_served, open_file, translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    import apsw

MEBIBYTE = 1024 * 1024
LEAST_FREE = 100 * MEBIBYTE
ENOUGH_FREE = 1024 * MEBIBYTE
LARGE_LOG = 1024 * MEBIBYTE
OTHERS = 0o077
OTHERS_WRITE = 0o022


def examine(path: str, *, deep: bool, now: int) -> Iterator[Finding]:
    """Every finding about the file; `deep` reads all of it. Raises ``store_unavailable`` when it cannot be opened."""
    if not Path(path).exists():
        yield Finding("note", f"{path} does not exist yet.", "`clickmeter run` makes it.")
        return
    yield from permissions(path)
    yield from space(path)
    with translated(path), closing(open_file(path, checkpoints=False)) as connection:
        yield from modes(connection, path)
        yield clock(connection.execute("SELECT received_at FROM events ORDER BY id DESC LIMIT 1").get, now)
        if deep:
            yield from damage(connection, path)
    served = is_served(path)
    yield Finding("ok", f"{path} can be opened; {'a server' if served else 'no server'} runs on it.")


def permissions(path: str) -> Iterator[Finding]:
    for one in (path, f"{path}-wal", f"{path}-rollup"):
        if Path(one).exists() and Path(one).stat().st_mode & OTHERS:
            yield Finding("warning", f"{one} is open to other users of this machine.", f"Run: chmod 600 {one}")
    directory = Path(path).parent
    mode = directory.stat().st_mode
    if mode & OTHERS_WRITE and not mode & 0o1000:
        advice = f"Run: chmod go-w {directory}"
        yield Finding("warning", f"Other users may replace files in {directory}.", advice)


def space(path: str) -> Iterator[Finding]:
    free = shutil.disk_usage(Path(path).parent).free
    shown = f"{free // MEBIBYTE:,} MiB are free on the disk of {path}"
    if free < LEAST_FREE:
        yield Finding("problem", f"{shown}.", "Free some, before events cannot be stored any more.")
    elif free < max(ENOUGH_FREE, Path(path).stat().st_size // 10):
        yield Finding("warning", f"{shown}, which is little beside what is stored.", "Free some, or move the database.")
    else:
        yield Finding("ok", f"{shown}.")
    log = Path(f"{path}-wal")
    if log.exists() and log.stat().st_size > LARGE_LOG:
        advice = "Look for a program that keeps the database open for reading, such as a copy that never ends."
        yield Finding("warning", f"{log} has {log.stat().st_size // MEBIBYTE:,} MiB.", advice)


def modes(connection: apsw.Connection, path: str) -> Iterator[Finding]:
    journal, synchronous = connection.pragma("journal_mode"), connection.pragma("synchronous")
    if (journal, synchronous) == ("wal", 2):
        yield Finding("ok", "Every commit waits for the disk (WAL, synchronous=FULL).")
    else:
        advice = "Put the database on a local disk: WAL needs memory that its processes share."
        yield Finding("problem", f"{path} is in journal mode {journal}, synchronous={synchronous}.", advice)


def damage(connection: apsw.Connection, path: str) -> Iterator[Finding]:
    found = connection.execute("PRAGMA quick_check(1)").get
    if found == "ok":
        yield Finding("ok", f"Every page of {path} is sound.")
    else:
        advice = "Stop the server, keep the file, and restore the newest backup."
        yield Finding("problem", f"{path} is damaged: {found}.", advice)
