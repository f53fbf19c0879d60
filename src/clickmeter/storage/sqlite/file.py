"""One SQLite file: how it is found, opened, tuned and held.

WAL with synchronous=FULL: a commit is on disk when it returns. NORMAL would lose acknowledged events in a power cut,
and once events are committed in groups FULL costs nothing.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import apsw

from clickmeter.errors import Refusal
from clickmeter.storage.sqlite.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_TIMEOUT_MS = 5_000
PAGE_BYTES = 8_192
CHECKPOINT_PAGES = 16_000
JOURNAL_BYTES = 64 * 1024 * 1024
CACHE_KIB = {True: 64 * 1024, False: 8 * 1024}
"""Of the file's pages in a process's own memory: much for the one that checkpoints, which looks for ids all over it."""
LOCK_SECONDS = 0.5
TURN_SECONDS = 6.0
TURN_PAUSE_SECONDS = 0.002


def path_of(url: str) -> str:
    """The absolute path in ``sqlite:///relative`` or ``sqlite:////absolute``; ``store_unavailable`` otherwise."""
    parts = urlsplit(url)
    if parts.netloc or not parts.path.startswith("/") or parts.path == "/" or parts.query or parts.fragment:
        raise Refusal(
            "store_unavailable", f"{url} is not a database URL; write sqlite:///file.db or sqlite:////absolute/file.db."
        )
    return str(Path(unquote(parts.path[1:])).absolute())


def open_file(path: str, *, checkpoints: bool) -> apsw.Connection:
    """A connection to the migrated file at `path`, which is made (readable by its owner alone) when there is none.

    With `checkpoints` its commits move the log into the file from time to time; one process should, not all.
    """
    with translated(path):
        create(path)
        connection = apsw.Connection(path)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        for name, value in (
            ("page_size", PAGE_BYTES),
            ("journal_mode", "wal"),
            ("synchronous", "full"),
            ("wal_autocheckpoint", CHECKPOINT_PAGES if checkpoints else 0),
            ("journal_size_limit", JOURNAL_BYTES),
            ("cache_size", -CACHE_KIB[checkpoints]),
            ("foreign_keys", "on"),
        ):
            connection.pragma(name, value)
        migrate(connection, path)
        return connection


def require_file(path: str) -> None:
    """Raise ``store_unavailable`` where nothing is to be made, and nothing is there."""
    if not Path(path).is_file():
        raise Refusal("store_unavailable", f"{path} does not exist; name the database with --database-url.")


def create(path: str) -> None:
    require_place(path)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def require_place(path: str) -> None:
    """Raise ``store_unavailable`` unless a file can be at the path."""
    if Path(path).is_dir():
        raise Refusal("store_unavailable", f"{path} is a directory; name a file inside it.")
    if not Path(path).parent.is_dir():
        raise Refusal("store_unavailable", f"{Path(path).parent} does not exist; create it first.")


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn what SQLite and the file system say into one refusal with the path in it.

    A definite error of one statement (a constraint, a value of the wrong type) is not the file's fault and passes.
    """
    try:
        yield
    except (apsw.BusyError, apsw.LockedError):
        raise Refusal("store_unavailable", f"{path} is locked by another process.") from None
    except apsw.NotADBError:
        raise Refusal("store_unavailable", f"{path} is not an SQLite database; choose another file.") from None
    except (
        apsw.CantOpenError,
        apsw.CorruptError,
        apsw.FullError,
        apsw.IOError,
        apsw.NoMemError,
        apsw.PermissionsError,
        apsw.ReadOnlyError,
        OSError,
    ) as error:
        raise Refusal("store_unavailable", f"{path} cannot be used: {error}.") from error


class ServerLock:
    """Held by the one server of a file; the operating system lets go of it when the process ends, however it ends."""

    def __init__(self, path: str) -> None:
        """Raises ``store_unavailable`` when another server holds it."""
        self._file = open_lock(path)
        give_up_at = time.monotonic() + LOCK_SECONDS
        while not try_lock(self._file, fcntl.LOCK_EX):
            # Somebody may just be looking whether there is a server.
            if time.monotonic() > give_up_at:
                os.close(self._file)
                raise Refusal("store_unavailable", f"{path} is already served by another clickmeter process.")
            time.sleep(LOCK_SECONDS / 10)

    def close(self) -> None:
        os.close(self._file)


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold a lock file inside the block; ``store_unavailable`` when others hold it for too long."""
    with translated(path):
        file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        give_up_at = time.monotonic() + TURN_SECONDS
        while not try_lock(file, fcntl.LOCK_EX):
            if time.monotonic() > give_up_at:
                raise Refusal("store_unavailable", f"{path} is held by another process for too long.", retry_after=1)
            time.sleep(TURN_PAUSE_SECONDS)
        yield
    finally:
        os.close(file)


def open_lock(path: str) -> int:
    with translated(path):
        require_place(path)
        return os.open(path + ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)


def try_lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_served(path: str) -> bool:
    """Whether a server holds the file now."""
    file = open_lock(path)
    try:
        return not try_lock(file, fcntl.LOCK_SH)
    finally:
        os.close(file)
