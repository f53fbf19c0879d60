"""Raw events in PostgreSQL: appended in one durable transaction, read by property and time, or in order of arrival."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clickmeter.storage.event_key import event_id_of, event_key
from clickmeter.storage.move import MARK_BITS
from clickmeter.storage.postgres import removal
from clickmeter.storage.postgres.append import append
from clickmeter.storage.postgres.connection import Database, Limits
from clickmeter.storage.postgres.migrations import migrate
from clickmeter.storage.protocol import NEWEST, Erased
from clickmeter.storage.rows import COLUMNS, STORED_AS_THEY_ARE, to_event
from clickmeter.storage.segment import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clickmeter.model import Batch, Event
    from clickmeter.storage.protocol import Removal

CHUNK_ROWS = 10_000
NEWEST_ROWS = 50_000
WRITES = Limits(statement=5, idle=5)
READS = Limits(statement=15)
WHOLE = f"id, event_key, event_id, {', '.join(STORED_AS_THEY_ARE)}"
"""What `to_event` makes an event of."""
PROPERTY_NO = "(SELECT no FROM properties WHERE id = %s AND deleted_at IS NULL)"


class PostgresEvents:
    """`EventStore` over one connection of its own; not to be used from two threads at once."""

    def __init__(self, url: str, *, writer: bool) -> None:
        """`writer`: this is a server's own process that stores events, and hangs neither others nor itself."""
        self.database = Database(url, WRITES if writer else READS)
        migrate(self.database)

    def append(self, batches: Sequence[Batch]) -> list[int | None]:
        with self.database.translated():
            return append(self.database, batches, adopted=False)

    def adopt(self, batches: Sequence[Batch]) -> list[int | None]:
        with self.database.translated():
            return append(self.database, batches, adopted=True)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with self.database.hold():
            yield

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
        newest = (self.last_position() if until == NEWEST else until) - after
        if newest <= 0:
            return
        sql, first = wanted(", ".join(COLUMNS[column] for column in columns), newest, after)
        values = (*first, property_id, start, end, after, until)
        if newest < CHUNK_ROWS:
            # One round trip, instead of the three that a cursor takes.
            yield self.database.rows(sql, values, fresh=True)
            return
        with self.database.hold(), self.database.cursor(sql, values) as cursor:
            while rows := cursor.fetchmany(CHUNK_ROWS):
                yield rows

    def count(self, property_id: str, *, start: int, end: int, after: int, limit: int) -> int:
        sql, first = wanted("1", self.last_position() - after, after)
        counted = f"SELECT count(*) FROM ({sql} LIMIT %s) AS counted"
        return int(self.database.rows(counted, (*first, property_id, start, end, after, NEWEST, limit))[0][0])

    def arrivals(self, columns: Sequence[str], *, after: int, limit: int) -> list[tuple[Any, ...]]:
        newest = self.last_position() - after
        if newest <= 0:
            return []
        names = ", ".join(COLUMNS[column] for column in columns)
        sql = f"SELECT id, property_no, {names} FROM events WHERE id > %s ORDER BY id LIMIT %s"
        rows = self.database.rows(sql, (after, min(limit, newest)), fresh=True)
        ids = self._property_ids()
        return [(row[0], ids.get(row[1]), *row[2:]) for row in rows]

    def whole(self, *, after: int, limit: int) -> list[tuple[int, str | None, Event]]:
        sql = f"SELECT property_no, {WHOLE} FROM events WHERE id > %s ORDER BY id LIMIT %s"
        rows = self.database.rows(sql, (after, limit), fresh=True)
        ids = self._property_ids()
        return [(row[1], ids.get(row[0]), to_event(row[1:])) for row in rows]

    def _property_ids(self) -> dict[Any, Any]:
        """By number, of properties that are not deleted."""
        return dict(self.database.rows("SELECT no, id FROM properties WHERE deleted_at IS NULL"))

    def marks(self, property_id: str, *, start: int, end: int) -> Iterator[list[tuple[str, int]]]:
        sql = f"""
            SELECT event_key, event_id, received_at FROM events
            WHERE property_no = {PROPERTY_NO} AND ts >= %s AND ts < %s
        """
        with self.database.hold(), self.database.cursor(sql, (property_id, start, end)) as cursor:
            while rows := cursor.fetchmany(CHUNK_ROWS):
                yield [(event_id_of(key, text), received_at) for key, text, received_at in rows]

    def tallies(self, property_id: str) -> dict[int, tuple[int, int]]:
        sql = f"""
            SELECT ts / {DAY_MS}, count(*), sum(received_at & {2**MARK_BITS - 1})::bigint FROM events
            WHERE property_no = {PROPERTY_NO} GROUP BY 1
        """
        with self.database.transaction():
            self.database.run("SET LOCAL statement_timeout = 0")
            rows = self.database.run(sql, (property_id,)).fetchall()
        return {day: (events, total) for day, events, total in rows}

    def remove(self, property_id: str, event_ids: Sequence[str], *, start: int, end: int) -> int:
        number = self._number(property_id)
        keys = [event_key(event_id) for event_id in event_ids]
        return 0 if number is None else removal.remove_marked(self.database, number, keys, start=start, end=end)

    def last_position(self) -> int:
        sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM events_id_seq"
        return int(self.database.rows(sql)[0][0])

    def settled_position(self) -> int:
        # Not what the sequence says: it has given out the ids of events already that are being stored.
        return int(self.database.rows("SELECT coalesce(max(id), 0) FROM events")[0][0])

    def live(self, property_ids: Sequence[str]) -> set[str]:
        sql = "SELECT id FROM properties WHERE id = ANY(%s) AND deleted_at IS NULL"
        return {id_ for (id_,) in self.database.rows(sql, ([*property_ids],))}

    def identity(self) -> str:
        return str(self.database.rows("SELECT value FROM store WHERE name = 'store_id'")[0][0])

    def event_at(self, position: int) -> str | None:
        rows = self.database.rows("SELECT event_key, event_id FROM events WHERE id = %s", (position,))
        return event_id_of(*rows[0]) if rows else None

    def first_event(self, property_id: str, *, include_bots: bool, since: int = 0) -> int | None:
        which = "" if include_bots else "AND NOT bot"
        sql = f"SELECT ts FROM events WHERE property_no = {PROPERTY_NO} {which} AND ts >= %s ORDER BY ts LIMIT 1"
        rows = self.database.rows(sql, (property_id, since))
        return rows[0][0] if rows else None

    def has_daily_ids(self, property_id: str, *, start: int, end: int, include_bots: bool) -> bool:
        which = "" if include_bots else "AND NOT bot"
        sql = f"""
            SELECT 1 FROM events WHERE property_no = {PROPERTY_NO} AND daily {which} AND ts >= %s AND ts < %s LIMIT 1
        """
        return bool(self.database.rows(sql, (property_id, start, end)))

    def export(self, property_id: str, *, after: int, limit: int, since: int = 0) -> list[tuple[int, Event]]:
        sql = f"""
            SELECT {WHOLE} FROM events WHERE id > %s AND property_no = {PROPERTY_NO} AND ts >= %s ORDER BY id LIMIT %s
        """
        rows = self.database.rows(sql, (after, property_id, since, limit), fresh=True)
        return [(row[0], to_event(row)) for row in rows]

    def purge(self, *, limit: int) -> int:
        # Rows that another server is removing are left to it; a deleted property's keys keep nothing out.
        # LATERAL, and in the order of an index: otherwise it may look at every event for one of a deleted property.
        sql = """
            WITH chosen AS MATERIALIZED (
                SELECT found.id FROM properties CROSS JOIN LATERAL (
                    SELECT events.id FROM events WHERE property_no = no ORDER BY ts LIMIT %s FOR UPDATE SKIP LOCKED
                ) AS found
                WHERE deleted_at IS NOT NULL LIMIT %s
            ), gone AS (
                DELETE FROM events WHERE id = ANY(ARRAY(SELECT id FROM chosen)) RETURNING property_no, event_key
            ), keys AS (
                DELETE FROM event_keys USING gone
                WHERE event_keys.property_no = gone.property_no AND event_keys.event_key = gone.event_key
            )
            SELECT count(*) FROM gone
        """
        with self.database.transaction():
            return int(self.database.run(sql, (limit, limit)).fetchall()[0][0])

    def mark_erased(self, property_id: str, visitor_id: str, *, now: int) -> bool:
        number = self._number(property_id)
        if number is not None:
            removal.mark_erased(self.database, number, visitor_id, now=now)
        return number is not None

    def erase(self, property_id: str, visitor_id: str, *, erased_at: int, after: tuple[int, int], limit: int) -> Erased:
        number = self._number(property_id)
        if number is None:
            return Erased(0, None)
        return removal.erase(self.database, number, visitor_id, erased_at=erased_at, after=after, limit=limit)

    def expire(self, property_id: str, *, before: int, limit: int) -> int:
        number = self._number(property_id)
        return 0 if number is None else removal.expire(self.database, number, before=before, limit=limit)

    def generation(self) -> int:
        return removal.generation(self.database)

    def removals(self, *, after: int) -> list[Removal]:
        return removal.removals(self.database, after=after)

    def removed(self, property_id: str, *, first_day: int, last_day: int) -> dict[int, int]:
        sql = f"SELECT day, generation FROM removals WHERE property_no = {PROPERTY_NO} AND day BETWEEN %s AND %s"
        return {day: number for day, number in self.database.rows(sql, (property_id, first_day, last_day))}  # noqa: C416 - rows are of Any

    def _number(self, property_id: str) -> int | None:
        rows = self.database.rows(f"SELECT {PROPERTY_NO}", (property_id,))
        number: int | None = rows[0][0]
        return number

    def warnings(self) -> list[str]:
        return []  # the database they are in says it of itself

    def check(self) -> None:
        with self.database.transaction():
            self.database.run("UPDATE store SET value = value WHERE name = 'check'")

    def close(self) -> None:
        self.database.close()


def wanted(columns: str, newest: int, after: int) -> tuple[str, tuple[int, ...]]:
    """A property's events of a range, past a position that `newest` events came after: SQL, and its first values."""
    # The newest events are together at the end of the table; many of a property's are found by its index.
    is_tail = newest < NEWEST_ROWS
    # The limit leaves none out. It tells the planner how few they are, also before the table was ever analyzed.
    table = "(SELECT * FROM events WHERE id > %s ORDER BY id LIMIT %s) AS newest" if is_tail else "events"
    where = f"property_no = {PROPERTY_NO} AND ts >= %s AND ts < %s AND id > %s AND id <= %s"
    sql = f"SELECT {columns} FROM {table} WHERE {where}"
    return sql, (after, max(0, newest)) if is_tail else ()
