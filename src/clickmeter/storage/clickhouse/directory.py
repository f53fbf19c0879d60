"""Whose is a chDB directory? One process's at a time, in which any number of connections share it."""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote, urlsplit

from clickmeter.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_NAME = "clickmeter.lock"


class Directory:
    """A directory that this process holds, as long as a connection to it is open."""

    _held: ClassVar[dict[str, Directory]] = {}

    @classmethod
    def entered(cls, path: str) -> Directory:
        """For one more connection, which leaves it in the end; ``store_unavailable`` when another process holds it."""
        directory = cls._held.get(path) or cls(path)
        cls._held[path] = directory
        directory._connections += 1  # noqa: SLF001 - its own class
        return directory

    def __init__(self, path: str) -> None:
        self.path = path
        self.is_doubted = False
        """Whether something went wrong with files, on whichever connection, so that parts may be broken."""
        self._connections = 0
        self._statements = threading.Condition()
        self._under_way = 0
        self._is_awaited = False
        """Whether somebody waits to be alone, before whom no other statement may begin."""
        self._lock_file = locked(path)

    def leave(self) -> None:
        self._connections -= 1
        if not self._connections:
            del self._held[self.path]
            os.close(self._lock_file)

    @contextmanager
    def statement(self) -> Iterator[None]:
        """Begin a statement inside when the tables are there."""
        with self._statements:
            self._statements.wait_for(lambda: not self._is_awaited)
            self._under_way += 1
        try:
            yield
        finally:
            with self._statements:
                self._under_way -= 1
                self._statements.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Do something to the tables inside: no other thread's statement is under way, and none begins."""
        with self._statements:
            self._is_awaited = True
            self._statements.wait_for(lambda: not self._under_way)
            self._is_awaited = False
            self._statements.notify_all()
            yield


def locked(path: str) -> int:
    """The file by which this process holds a directory, which is made if its parent is there."""
    try:
        Path(path).mkdir(mode=0o700, exist_ok=True)
        file = os.open(Path(path) / LOCK_NAME, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Refusal("store_unavailable", f"{path} cannot be used: {error}.") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        sentence = (
            f"{path} is open in another process, most likely a running server, and chDB allows one: "
            "stop it first, or ask it through the API."
        )
        raise Refusal("store_unavailable", sentence) from None
    return file


def directory_of(url: str) -> str:
    """The absolute path in ``chdb:///relative`` or ``chdb:////absolute``; ``store_unavailable`` otherwise."""
    parts = urlsplit(url)
    if parts.netloc or not parts.path.startswith("/") or parts.path == "/" or parts.query or parts.fragment:
        raise Refusal(
            "store_unavailable",
            f"{url} is not a chDB URL; write chdb:///directory or chdb:////absolute/directory.",
        )
    return str(Path(unquote(parts.path[1:])).absolute())


def is_open_elsewhere(url: str) -> bool:
    """Whether it is a chDB directory that another process has open."""
    if urlsplit(url).scheme != "chdb":
        return False
    try:
        file = os.open(Path(directory_of(url)) / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
