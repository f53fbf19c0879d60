"""SQLite as `storage.open` sees it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from clickmeter.errors import Refusal
from clickmeter.storage.sqlite import copying, examination
from clickmeter.storage.sqlite.events import SqliteEvents
from clickmeter.storage.sqlite.file import ServerLock, is_served, path_of, require_file
from clickmeter.storage.sqlite.metadata import SqliteMetadata
from clickmeter.storage.sqlite.rollups import SqliteRollups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickmeter.storage.protocol import Finding, Progress, RolledEvents


MANY_SERVERS = False


def open_metadata(url: str) -> SqliteMetadata:
    return SqliteMetadata(path_of(url))


def open_events(url: str, *, server_writes: bool) -> SqliteEvents:
    path = path_of(url)
    return SqliteEvents(path, writer=server_writes or not is_served(path))


def open_rollups(url: str, events: RolledEvents) -> SqliteRollups:
    return SqliteRollups(f"{path_of(url)}-rollup", events)


def is_server_running(url: str) -> bool:
    return is_served(path_of(url))


def require_store(url: str) -> None:
    require_file(path_of(url))


def backup(url: str, file: str, told: Progress) -> None:
    path = path_of(url)
    require_file(path)
    copying.backup(path, file, told)


def restore(url: str, file: str, told: Progress) -> None:
    path = path_of(url)
    if is_served(path):
        raise Refusal("store_unavailable", f"A server runs on {path}; stop it first.")
    copying.restore(path, file, told)


def examine(url: str, *, deep: bool, now: int) -> Iterator[Finding]:
    return examination.examine(path_of(url), deep=deep, now=now)


def compact(url: str) -> None:
    path = path_of(url)
    copying.compact(path)
    with closing(open_events(url, server_writes=True)) as events, closing(open_rollups(url, events)) as rollups:
        rollups.compact()


def lock_server(url: str) -> ServerLock:
    return ServerLock(path_of(url))
