"""SQLite as `storage.open` sees it."""

from __future__ import annotations

from clickmeter.storage.sqlite.events import SqliteEvents
from clickmeter.storage.sqlite.file import ServerLock, is_served, path_of
from clickmeter.storage.sqlite.metadata import SqliteMetadata


def open_metadata(url: str) -> SqliteMetadata:
    return SqliteMetadata(path_of(url))


def open_events(url: str, *, server_writes: bool) -> SqliteEvents:
    path = path_of(url)
    return SqliteEvents(path, writer=server_writes or not is_served(path))


def lock_server(url: str) -> ServerLock:
    return ServerLock(path_of(url))
