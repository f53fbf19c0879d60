"""Raw events in SQLite: appended in one durable transaction, read by property and time, or in order of arrival."""

from __future__ import annotations

import itertools
import operator
from typing import TYPE_CHECKING, Any

from clickmeter.model import Event
from clickmeter.storage.event_key import event_id_of, event_key, stored_text
from clickmeter.storage.sqlite.file import open_file, translated
from clickmeter.storage.sqlite.transaction import transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clickmeter.model import Batch

CHUNK_ROWS = 10_000
NEWEST_ROWS = 50_000

FIELDS = Event.__struct_fields__
STORED_AS_THEY_ARE = FIELDS[1:]
URL = STORED_AS_THEY_ARE.index("url")
PREFIXED = "\x01"
"""Begins what is stored of a url whose beginning is left out; no url holds a control character."""
INSERT = f"""
    INSERT INTO events (property_no, event_key, event_id, {", ".join(STORED_AS_THEY_ARE)})
    VALUES ({", ".join("?" * (len(STORED_AS_THEY_ARE) + 3))})
    ON CONFLICT (property_no, event_key) DO NOTHING
"""
values_of = operator.attrgetter(*STORED_AS_THEY_ARE)

PROPERTY_NO = "(SELECT no FROM properties WHERE id = ? AND deleted_at IS NULL)"
COLUMNS = {name: name for name in STORED_AS_THEY_ARE} | {"campaign": "coalesce(campaign_id, utm_campaign)"}


class SqliteEvents:
    """`EventStore` over one connection of its own; not to be used from two threads at once."""

    def __init__(self, path: str, *, writer: bool) -> None:
        """`writer`: this is the server's own process that writes, or there is no server."""
        self._path = path
        self._connection = open_file(path, checkpoints=writer)

    def append(self, batches: Sequence[Batch]) -> list[int | None]:
        with translated(self._path), transaction(self._connection):
            numbers: dict[str, int | None] = {}
            return [self._append_batch(batch, numbers) for batch in batches]

    def _append_batch(self, batch: Batch, numbers: dict[str, int | None]) -> int | None:
        if batch.property_id not in numbers:
            numbers[batch.property_id] = self._connection.execute(f"SELECT {PROPERTY_NO}", (batch.property_id,)).get
        number = numbers[batch.property_id]
        if number is None:
            return None
        before = self._connection.total_changes()
        self._connection.executemany(INSERT, [to_row(number, event) for event in batch.events])
        return len(batch.events) - (self._connection.total_changes() - before)

    def scan(
        self, property_id: str, columns: Sequence[str], *, start: int, end: int, after: int = 0
    ) -> Iterator[list[tuple[Any, ...]]]:
        sql = self._wanted(", ".join(COLUMNS[column] for column in columns), after)
        with translated(self._path):
            cursor = self._connection.execute(sql, (property_id, start, end, after))
            while rows := list(itertools.islice(cursor, CHUNK_ROWS)):
                yield rows

    def _wanted(self, columns: str, after: int) -> str:
        # The newest events are together at the end of the table; many of a property's are found by its index.
        how = "NOT INDEXED" if self.last_position() - after < NEWEST_ROWS else "INDEXED BY events_by_time"
        return f"""
            SELECT {columns} FROM events {how}
            WHERE property_no = {PROPERTY_NO} AND ts >= ? AND ts < ? AND id > ?
        """

    def count(self, property_id: str, *, start: int, end: int, after: int, limit: int) -> int:
        sql = f"SELECT count(*) FROM ({self._wanted('1', after)} LIMIT ?)"
        with translated(self._path):
            return int(self._connection.execute(sql, (property_id, start, end, after, limit)).get)

    def arrivals(self, columns: Sequence[str], *, after: int, limit: int) -> list[tuple[Any, ...]]:
        names = ", ".join(COLUMNS[column] for column in columns)
        sql = f"SELECT events.id, property_no, {names} FROM events WHERE id > ? ORDER BY id LIMIT ?"
        with translated(self._path):
            rows = self._connection.execute(sql, (after, limit)).fetchall()
            live: list[Any] = self._connection.execute(
                "SELECT no, id FROM properties WHERE deleted_at IS NULL"
            ).fetchall()
        ids: dict[Any, Any] = dict(live)
        return [(row[0], ids.get(row[1]), *row[2:]) for row in rows]

    def last_position(self) -> int:
        with translated(self._path):
            return int(self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").get or 0)

    def live(self, property_ids: Sequence[str]) -> set[str]:
        with translated(self._path):
            return {id_ for id_ in property_ids if self._connection.execute(f"SELECT {PROPERTY_NO}", (id_,)).get}

    def identity(self) -> str:
        with translated(self._path):
            return str(self._connection.execute("SELECT value FROM store WHERE name = 'store_id'").get)

    def event_at(self, position: int) -> str | None:
        with translated(self._path):
            rows: list[Any] = self._connection.execute(
                "SELECT event_key, event_id FROM events WHERE id = ?", (position,)
            ).fetchall()
        return event_id_of(*rows[0]) if rows else None

    def first_event(self, property_id: str, *, include_bots: bool) -> int | None:
        with translated(self._path):
            first: int | None = self._connection.execute(
                f"SELECT ts FROM events WHERE property_no = {PROPERTY_NO} AND bot <= ? ORDER BY ts LIMIT 1",
                (property_id, int(include_bots)),
            ).get
            return first

    def export(self, property_id: str, *, after: int, limit: int) -> list[tuple[int, Event]]:
        # The table is walked in its own order: one walk in all, however many pages it is read in.
        sql = f"""
            SELECT id, event_key, event_id, {", ".join(STORED_AS_THEY_ARE)}
            FROM events NOT INDEXED WHERE id > ? AND property_no = {PROPERTY_NO} ORDER BY id LIMIT ?
        """
        with translated(self._path):
            rows: list[Any] = self._connection.execute(sql, (after, property_id, limit)).fetchall()
        return [(row[0], to_event(row)) for row in rows]

    def purge(self, *, limit: int) -> int:
        sql = """
            DELETE FROM events WHERE id IN (
                SELECT events.id FROM properties JOIN events ON property_no = no
                WHERE deleted_at IS NOT NULL LIMIT ?
            )
        """
        with translated(self._path), transaction(self._connection):
            self._connection.execute(sql, (limit,))
            return self._connection.changes()

    def check(self) -> None:
        with translated(self._path), transaction(self._connection):
            self._connection.execute("UPDATE store SET value = value WHERE name = 'store_id'")

    def close(self) -> None:
        self._connection.close()


def to_row(number: int, event: Event) -> tuple[Any, ...]:
    key = event_key(event.event_id)
    values = list(values_of(event))
    values[URL] = without_prefix(event.url, event)
    return (number, key, stored_text(key, event.event_id), *values)


def to_event(row: Sequence[Any]) -> Event:
    _, key, text, *values = row
    fields = dict(zip(STORED_AS_THEY_ARE, values, strict=True))
    fields["bot"] = bool(fields["bot"])
    event = Event(event_id=event_id_of(key, text), **fields)
    event.url = with_prefix(event.url, event)
    return event


def prefix_of(event: Event) -> str:
    """How most urls begin: the columns beside it say it already, and it need not be stored twice."""
    return f"https://{event.hostname}{event.path}"


def without_prefix(url: str | None, event: Event) -> str | None:
    prefix = prefix_of(event)
    return PREFIXED + url[len(prefix) :] if url and url.startswith(prefix) else url


def with_prefix(url: str | None, event: Event) -> str | None:
    return prefix_of(event) + url[len(PREFIXED) :] if url and url.startswith(PREFIXED) else url
