"""The whole file at once: a copy of it beside a running server, a file made from a copy, and the space given back."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from clickmeter.errors import Refusal
from clickmeter.storage.sqlite.file import open_file, translated
from clickmeter.storage.sqlite.migrations import APPLICATION_ID, version_of
from clickmeter.storage.sqlite.transaction import transaction

if TYPE_CHECKING:
    from clickmeter.storage.protocol import Progress

PAGES_AT_ONCE = 1_000
COPY_BYTES = 8 * 1024 * 1024
PARTIAL = ".partial"
BESIDE = ("", "-wal", "-shm", "-rollup", "-rollup-wal", "-rollup-shm")
"""What may be beside a path that a file is to be made at: nothing of the like."""


def backup(path: str, target: str, told: Progress) -> None:
    """Copy the file at one moment of it to `target`, which is there when it is whole and on disk.

    The server goes on; what it writes meanwhile is not in the copy. The salts of cookieless ids stay behind: they
    would outlive their day. `told` hears how many pages of how many are done.
    """
    require_new(target)
    partial = target + PARTIAL
    with translated(target), closing(open_file(path, checkpoints=False)) as source:
        try:
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            raise Refusal("store_unavailable", f"{partial} is left of another backup; remove it first.") from None
        try:
            with closing(apsw.Connection(partial)) as copy:
                copy_pages(source, copy, told)
                finish(copy)
            sync(partial)
            # Unlike a rename, a link never takes the place of a file that came in the meantime.
            os.link(partial, target)
            sync(str(Path(target).parent))
        finally:
            remove(partial)


def copy_pages(source: apsw.Connection, copy: apsw.Connection, told: Progress) -> None:
    # Inside a transaction every page is of its moment, however much is written; without, each write begins it anew.
    source.execute("BEGIN")
    source.execute("SELECT count(*) FROM store").fetchall()
    with copy.backup("main", source, "main") as copying:
        while not copying.done:
            copying.step(PAGES_AT_ONCE)
            told(copying.page_count - copying.remaining, copying.page_count)
    source.execute("COMMIT")


def finish(copy: apsw.Connection) -> None:
    """One file by itself, without salts."""
    copy.pragma("journal_mode", "delete")
    copy.pragma("secure_delete", "on")
    with transaction(copy):
        copy.execute("DELETE FROM salts")


def restore(path: str, source: str, told: Progress) -> None:
    """Make the file at `path` from a copy, once it is found to be whole; nothing may be there yet.

    `told` hears how many bytes of how many are copied.
    """
    for suffix in BESIDE:
        if Path(path + suffix).exists():
            raise Refusal("store_unavailable", f"{path}{suffix} is there already; move it away or choose another path.")
    partial = path + PARTIAL
    with translated(path):
        try:
            copy_file(source, partial, told)
            verify(partial, source)
            sync(partial)
            os.link(partial, path)
            sync(str(Path(path).parent))
        finally:
            remove(partial)
    # What an older version wrote is brought up to this one now rather than at the first start.
    open_file(path, checkpoints=True).close()


def copy_file(source: str, target: str, told: Progress) -> None:
    try:
        size = Path(source).stat().st_size
        with Path(source).open("rb") as reading:
            file = os.open(target, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            with os.fdopen(file, "wb") as writing:
                while piece := reading.read(COPY_BYTES):
                    writing.write(piece)
                    told(writing.tell(), size)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise Refusal("store_unavailable", f"{source} cannot be read: {error.strerror}.") from None


def verify(path: str, name: str) -> None:
    """Raise ``store_unavailable`` unless the file is a whole database of this program, or of an older version of it."""
    with closing(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE)) as copy:
        try:
            problem = copy.execute("PRAGMA quick_check(1)").get
            ours = copy.pragma("application_id") == APPLICATION_ID
        except (apsw.NotADBError, apsw.CorruptError) as error:
            raise Refusal("store_unavailable", f"{name} is not a whole backup: {error}.") from None
        if problem != "ok":
            raise Refusal("store_unavailable", f"{name} is damaged: {problem}.")
        if not ours:
            raise Refusal("store_unavailable", f"{name} is not a backup that clickmeter made.")
        version_of(copy, name)


def compact(path: str) -> None:
    """Write the file anew without what was removed, and leave no log; nobody else may have it open."""
    with translated(path), closing(open_file(path, checkpoints=True)) as connection:
        shrink(connection)


def shrink(connection: apsw.Connection) -> None:
    connection.execute("VACUUM")
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def require_new(target: str) -> None:
    if Path(target).exists():
        raise Refusal("store_unavailable", f"{target} is there already; a backup never overwrites one.")
    if not Path(target).absolute().parent.is_dir():
        raise Refusal("store_unavailable", f"{Path(target).absolute().parent} does not exist; create it first.")


def remove(path: str) -> None:
    with suppress(FileNotFoundError):
        Path(path).unlink()


def sync(path: str) -> None:
    """Have a file, or the names in a directory, on disk."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
