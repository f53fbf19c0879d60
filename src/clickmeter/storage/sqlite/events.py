"""Raw events in SQLite: appended in one durable transaction, read by property and time, or in order of arrival."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clickmeter.storage.event_key import event_id_of, event_key
from clickmeter.storage.move import MARK_BITS
from clickmeter.storage.protocol import NEWEST, Erased
from clickmeter.storage.rows import COLUMNS, STORED_AS_THEY_ARE, to_event, to_row
from clickmeter.storage.segment import DAY_MS
from clickmeter.storage.sqlite import removal
from clickmeter.storage.sqlite.contents import refuse_if_closed
from clickmeter.storage.sqlite.file import open_file, translated
from clickmeter.storage.sqlite.transaction import transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clickmeter.model import Batch, Event
    from clickmeter.storage.protocol import Removal

CHUNK_ROWS = 10_000
NEWEST_ROWS = 50_000

INSERT = f"""
    INSERT INTO events (property_no, event_key, event_id, {", ".join(STORED_AS_THEY_ARE)})
    VALUES ({", ".join("?" * (len(STORED_AS_THEY_ARE) + 3))})
    ON CONFLICT (property_no, event_key) DO NOTHING
"""

WHOLE = f"id, event_key, event_id, {', '.join(STORED_AS_THEY_ARE)}"
"""What `to_event` makes an event of."""
PROPERTY = "SELECT no, erasures FROM properties WHERE id = ? AND deleted_at IS NULL"
PROPERTY_NO = "(SELECT no FROM properties WHERE id = ? AND deleted_at IS NULL)"


class SqliteEvents:
    """`EventStore` over one connection of its own; not to be used from two threads at once."""

    def __init__(self, path: str, *, writer: bool) -> None:
        """`writer`: this is the server's own process that writes, or there is no server."""
        self._path = path
        self._connection = open_file(path, checkpoints=writer)

    def append(self, batches: Sequence[Batch]) -> list[int | None]:
        with translated(self._path), transaction(self._connection):
            refuse_if_closed(self._connection)
            return self._append(batches, forgets=True)

    def adopt(self, batches: Sequence[Batch]) -> list[int | None]:
        with translated(self._path), transaction(self._connection):
            return self._append(batches, forgets=False)

    def _append(self, batches: Sequence[Batch], *, forgets: bool) -> list[int | None]:
        """Store the batches; `forgets`: without what is of erased visitors."""
        known: dict[str, list[Any]] = {}
        return [self._append_batch(batch, known, forgets=forgets) for batch in batches]

    def _append_batch(self, batch: Batch, known: dict[str, list[Any]], *, forgets: bool) -> int | None:
        if batch.property_id not in known:
            known[batch.property_id] = self._connection.execute(PROPERTY, (batch.property_id,)).fetchall()
        if not known[batch.property_id]:
            return None
        [(number, erasures)] = known[batch.property_id]
        is_checked = erasures and forgets
        events = removal.not_erased(self._connection, number, batch.events) if is_checked else batch.events
        before = self._connection.total_changes()
        self._connection.executemany(INSERT, [to_row(number, event) for event in events])
        return len(events) - (self._connection.total_changes() - before)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with translated(self._path):
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    def scan(
        self,
        property_id: str,
        columns: Sequence[str],
        *,
        start: int,
        end: int,
        after: int = 0,
        until: int = NEWEST,
    ) -> Iterator[list[tuple[Any, ...]]]:
        sql = self._wanted(", ".join(COLUMNS[column] for column in columns), after, until)
        with translated(self._path):
            cursor = self._connection.execute(sql, (property_id, start, end, after, until))
            while rows := list(itertools.islice(cursor, CHUNK_ROWS)):
                yield rows

    def _wanted(self, columns: str, after: int, until: int) -> str:
        # The newest events are together at the end of the table; many of a property's are found by its index.
        last = self.last_position() if until == NEWEST else until
        how = "NOT INDEXED" if last - after < NEWEST_ROWS else "INDEXED BY events_by_time"
        return f"""
            SELECT {columns} FROM events {how}
            WHERE property_no = {PROPERTY_NO} AND ts >= ? AND ts < ? AND id > ? AND id <= ?
        """

    def count(self, property_id: str, *, start: int, end: int, after: int, limit: int) -> int:
        sql = f"SELECT count(*) FROM ({self._wanted('1', after, NEWEST)} LIMIT ?)"
        with translated(self._path):
            return int(self._connection.execute(sql, (property_id, start, end, after, NEWEST, limit)).get)

    def arrivals(self, columns: Sequence[str], *, after: int, limit: int) -> list[tuple[Any, ...]]:
        names = ", ".join(COLUMNS[column] for column in columns)
        sql = f"SELECT events.id, property_no, {names} FROM events WHERE id > ? ORDER BY id LIMIT ?"
        with translated(self._path):
            rows = self._connection.execute(sql, (after, limit)).fetchall()
            ids = self._property_ids()
        return [(row[0], ids.get(row[1]), *row[2:]) for row in rows]

    def whole(self, *, after: int, limit: int) -> list[tuple[int, str | None, Event]]:
        sql = f"SELECT property_no, {WHOLE} FROM events WHERE id > ? ORDER BY id LIMIT ?"
        with translated(self._path):
            rows: list[Any] = self._connection.execute(sql, (after, limit)).fetchall()
            ids = self._property_ids()
        return [(row[1], ids.get(row[0]), to_event(row[1:])) for row in rows]

    def _property_ids(self) -> dict[Any, Any]:
        """By number, of properties that are not deleted."""
        live: list[Any] = self._connection.execute("SELECT no, id FROM properties WHERE deleted_at IS NULL").fetchall()
        return dict(live)

    def marks(self, property_id: str, *, start: int, end: int) -> Iterator[list[tuple[str, int]]]:
        sql = f"""
            SELECT event_key, event_id, received_at FROM events INDEXED BY events_by_time
            WHERE property_no = {PROPERTY_NO} AND ts >= ? AND ts < ?
        """
        with translated(self._path):
            cursor = self._connection.execute(sql, (property_id, start, end))
            while rows := list(itertools.islice(cursor, CHUNK_ROWS)):
                yield [(event_id_of(key, text), received_at) for key, text, received_at in rows]

    def tallies(self, property_id: str) -> dict[int, tuple[int, int]]:
        sql = f"""
            SELECT ts / {DAY_MS}, count(*), sum(received_at & {2**MARK_BITS - 1}) FROM events INDEXED BY events_by_time
            WHERE property_no = {PROPERTY_NO} GROUP BY 1
        """
        with translated(self._path):
            rows: list[Any] = self._connection.execute(sql, (property_id,)).fetchall()
        return {day: (events, total) for day, events, total in rows}

    def remove(self, property_id: str, event_ids: Sequence[str], *, start: int, end: int) -> int:
        with translated(self._path):
            number = self._number(property_id)
            keys = [event_key(event_id) for event_id in event_ids]
            return 0 if number is None else removal.remove(self._connection, number, keys, start=start, end=end)

    def last_position(self) -> int:
        with translated(self._path):
            return int(self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").get or 0)

    def settled_position(self) -> int:
        return self.last_position()

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

    def first_event(self, property_id: str, *, include_bots: bool, since: int = 0) -> int | None:
        with translated(self._path):
            first: int | None = self._connection.execute(
                f"SELECT ts FROM events WHERE property_no = {PROPERTY_NO} AND bot <= ? AND ts >= ? ORDER BY ts LIMIT 1",
                (property_id, int(include_bots), since),
            ).get
            return first

    def has_daily_ids(self, property_id: str, *, start: int, end: int, include_bots: bool) -> bool:
        sql = f"""
            SELECT 1 FROM events INDEXED BY events_daily
            WHERE property_no = {PROPERTY_NO} AND daily AND ts >= ? AND ts < ? AND bot <= ? LIMIT 1
        """
        with translated(self._path):
            return self._connection.execute(sql, (property_id, start, end, int(include_bots))).get is not None

    def export(self, property_id: str, *, after: int, limit: int, since: int = 0) -> list[tuple[int, Event]]:
        # The table is walked in its own order: one walk in all, however many pages it is read in.
        sql = f"""
            SELECT {WHOLE}
            FROM events NOT INDEXED WHERE id > ? AND property_no = {PROPERTY_NO} AND ts >= ? ORDER BY id LIMIT ?
        """
        with translated(self._path):
            rows: list[Any] = self._connection.execute(sql, (after, property_id, since, limit)).fetchall()
        return [(row[0], to_event(row)) for row in rows]

    def purge(self, *, limit: int) -> int:
        # CROSS: the properties first. SQLite would look at every event for one of a deleted property.
        sql = """
            DELETE FROM events WHERE id IN (
                SELECT events.id FROM properties CROSS JOIN events INDEXED BY events_by_time ON property_no = no
                WHERE deleted_at IS NOT NULL LIMIT ?
            )
        """
        with translated(self._path), removal.overwriting(self._connection), transaction(self._connection):
            self._connection.execute(sql, (limit,))
            return self._connection.changes()

    def mark_erased(self, property_id: str, visitor_id: str, *, now: int) -> bool:
        with translated(self._path):
            number = self._number(property_id)
            if number is not None:
                removal.mark_erased(self._connection, number, visitor_id, now=now)
            return number is not None

    def erase(self, property_id: str, visitor_id: str, *, erased_at: int, after: tuple[int, int], limit: int) -> Erased:
        with translated(self._path):
            number = self._number(property_id)
            if number is None:
                return Erased(0, None)
            return removal.erase(self._connection, number, visitor_id, erased_at=erased_at, after=after, limit=limit)

    def expire(self, property_id: str, *, before: int, limit: int) -> int:
        with translated(self._path):
            number = self._number(property_id)
            return 0 if number is None else removal.expire(self._connection, number, before=before, limit=limit)

    def generation(self) -> int:
        with translated(self._path):
            return removal.generation(self._connection)

    def removals(self, *, after: int) -> list[Removal]:
        with translated(self._path):
            return removal.removals(self._connection, after=after)

    def removed(self, property_id: str, *, first_day: int, last_day: int) -> dict[int, int]:
        sql = f"SELECT day, generation FROM removals WHERE property_no = {PROPERTY_NO} AND day BETWEEN ? AND ?"
        with translated(self._path):
            rows: list[Any] = self._connection.execute(sql, (property_id, first_day, last_day)).fetchall()
        return dict(rows)

    def _number(self, property_id: str) -> int | None:
        number: int | None = self._connection.execute(f"SELECT {PROPERTY_NO}", (property_id,)).get
        return number

    def warnings(self) -> list[str]:
        return []  # the database they are in says it of itself

    def check(self) -> None:
        with translated(self._path), transaction(self._connection):
            self._connection.execute("UPDATE store SET value = value WHERE name = 'store_id'")

    def close(self) -> None:
        self._connection.close()
