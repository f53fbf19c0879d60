"""PostgreSQL as `storage.open` sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickmeter.storage.postgres.events import PostgresEvents
from clickmeter.storage.postgres.metadata import PostgresMetadata
from clickmeter.storage.postgres.rollups import PostgresRollups, is_elected

if TYPE_CHECKING:
    from clickmeter.storage.protocol import EventStore


MANY_SERVERS = True


class OneOfMany:
    """Held by each of any number of servers: it keeps nobody out."""

    def close(self) -> None:
        """There is nothing to let go of."""


def open_metadata(url: str) -> PostgresMetadata:
    return PostgresMetadata(url)


def open_events(url: str, *, server_writes: bool) -> PostgresEvents:
    return PostgresEvents(url, writer=server_writes)


def open_rollups(url: str, events: EventStore) -> PostgresRollups:  # noqa: ARG001 - the events know where they are
    assert isinstance(events, PostgresEvents)
    return PostgresRollups(events)


def is_server_running(url: str) -> bool:
    return is_elected(url)


def lock_server(url: str) -> OneOfMany:  # noqa: ARG001 - whichever database it is
    return OneOfMany()
