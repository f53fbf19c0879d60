"""Does looking for events of deleted properties, every two seconds, stay cheap however many events there are?"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import apsw
import pytest

from clickmeter.model import Batch, Event, Property
from clickmeter.storage.open import open_events, open_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clickmeter.storage.protocol import EventStore, MetadataStore

STORED = 20_000
DELETED = "deleted"
STEPS_AT_ONCE = 100
LOOK = 10 * STEPS_AT_ONCE
"""More steps of SQLite's machine than a look at a few properties takes, and fewer than one at the events."""


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[apsw.Connection]:
    """Those that are opened, in order."""
    opened: list[apsw.Connection] = []
    monkeypatch.setattr(apsw, "connection_hooks", [*apsw.connection_hooks, opened.append])
    return opened


@pytest.fixture
def metadata(tmp_path: Path) -> Iterator[MetadataStore]:
    with closing(open_metadata(url_of(tmp_path))) as opened:
        for id_ in ("site", DELETED):
            opened.create_property(Property(id=id_, name="Test", created_at=0), [])
        yield opened


@pytest.fixture
def events(tmp_path: Path, metadata: MetadataStore, connections: list[apsw.Connection]) -> Iterator[EventStore]:
    assert metadata is not None
    connections.clear()
    with closing(open_events(url_of(tmp_path))) as opened:
        opened.append([Batch("site", [event(number) for number in range(STORED)]), Batch(DELETED, [event(0)])])
        yield opened


def url_of(directory: Path) -> str:
    return f"sqlite:///{directory}/clickmeter.db"


def event(number: int) -> Event:
    return Event(event_id=f"e{number}", type="pageview", ts=number, received_at=number)


def steps(connection: apsw.Connection, work: Callable[[], object]) -> int:
    """How many instructions of SQLite's machine that takes, to the last STEPS_AT_ONCE."""
    counted = 0

    def count() -> bool:
        nonlocal counted
        counted += STEPS_AT_ONCE
        return False

    connection.set_progress_handler(count, STEPS_AT_ONCE)
    work()
    connection.set_progress_handler(None)
    return counted


def test_nothing_to_purge_is_nothing_read(events: EventStore, connections: list[apsw.Connection]) -> None:
    [connection] = connections
    assert steps(connection, lambda: events.purge(limit=10)) < LOOK


def test_only_what_is_purged_is_read(
    events: EventStore, metadata: MetadataStore, connections: list[apsw.Connection]
) -> None:
    [connection] = connections
    metadata.delete_property(DELETED, now=1)
    assert steps(connection, lambda: events.purge(limit=10)) < LOOK
    assert connection.execute("SELECT count(*) FROM events").get == STORED


def test_a_look_at_all_events_would_be_noticed(events: EventStore, connections: list[apsw.Connection]) -> None:
    assert events is not None
    [connection] = connections
    assert steps(connection, lambda: connection.execute("SELECT 1 FROM events WHERE daily > 1").fetchall()) > LOOK
