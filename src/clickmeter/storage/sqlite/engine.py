"""SQLite as `storage.open` sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickmeter.storage.sqlite.events import SqliteEvents
from clickmeter.storage.sqlite.file import ServerLock, is_served, path_of
from clickmeter.storage.sqlite.metadata import SqliteMetadata
from clickmeter.storage.sqlite.rollups import SqliteRollups

if TYPE_CHECKING:
    from clickmeter.storage.protocol import EventStore


MANY_SERVERS = False


def open_metadata(url: str) -> SqliteMetadata:
    return SqliteMetadata(path_of(url))


def open_events(url: str, *, server_writes: bool) -> SqliteEvents:
    path = path_of(url)
    return SqliteEvents(path, writer=server_writes or not is_served(path))


def open_rollups(url: str, events: EventStore) -> SqliteRollups:
    return SqliteRollups(f"{path_of(url)}-rollup", events)


def is_server_running(url: str) -> bool:
    return is_served(path_of(url))


def lock_server(url: str) -> ServerLock:
    return ServerLock(path_of(url))
