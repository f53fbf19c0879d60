"""Events that go while their property stays: those of one visitor, and those that are too old.

Every removal has a number, and with the events it stores, in the same transaction, which days it took events from:
rollups that were made before it hold too much of these days, and whoever reads them can tell.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clickmeter.storage.erasure import SECRET, visitor_hash
from clickmeter.storage.protocol import Erased, Removal
from clickmeter.storage.segment import DAY_MS
from clickmeter.storage.sqlite.contents import refuse_if_closed
from clickmeter.storage.sqlite.transaction import transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import apsw

    from clickmeter.model import Event

SECRET_NAME = f"secret:{SECRET}"


def mark_erased(connection: apsw.Connection, property_no: int, visitor_id: str, *, now: int) -> None:
    """Remember that the visitor was erased at `now`."""
    with transaction(connection):
        refuse_if_closed(connection)
        connection.execute(
            "INSERT INTO store VALUES (?, ?) ON CONFLICT DO NOTHING", (SECRET_NAME, secrets.token_bytes())
        )
        hashed = visitor_hash(secret_of(connection), visitor_id)
        connection.execute("REPLACE INTO erasures VALUES (?, ?, ?)", (property_no, hashed, now))
        connection.execute("UPDATE properties SET erasures = erasures + 1 WHERE no = ?", (property_no,))


def not_erased(connection: apsw.Connection, property_no: int, events: Sequence[Event]) -> list[Event]:
    """Those of the events that no erasure is in the way of."""
    secret = secret_of(connection)

    def is_erased(event: Event) -> bool:
        if event.visitor_id is None:
            return False
        erased_at = connection.execute(
            "SELECT erased_at FROM erasures WHERE property_no = ? AND visitor = ?",
            (property_no, visitor_hash(secret, event.visitor_id)),
        ).get
        return erased_at is not None and event.ts < erased_at

    return [event for event in events if not is_erased(event)]


def secret_of(connection: apsw.Connection) -> bytes:
    secret: Any = connection.execute("SELECT value FROM store WHERE name = ?", (SECRET_NAME,)).get
    return bytes(secret)


def erase(
    connection: apsw.Connection,
    property_no: int,
    visitor_id: str,
    *,
    erased_at: int,
    after: tuple[int, int],
    limit: int,
) -> Erased:
    """Look at the next events of the property in the order of (ts, id), and remove the visitor's among them."""
    sql = """
        SELECT ts, id, visitor_id IS ? AND (ts < ? OR received_at <= ?) FROM events INDEXED BY events_by_time
        WHERE property_no = ? AND (ts, id) > (?, ?) ORDER BY ts, id LIMIT ?
    """
    rows: list[Any] = connection.execute(sql, (visitor_id, erased_at, erased_at, property_no, *after, limit)).fetchall()
    found = [row for row in rows if row[2]]
    if found:
        with overwriting(connection), transaction(connection):
            refuse_if_closed(connection)
            delete(connection, property_no, [(id_, ts) for ts, id_, _ in found])
    return Erased(len(found), (rows[-1][0], rows[-1][1]) if len(rows) == limit else None)


def expire(connection: apsw.Connection, property_no: int, *, before: int, limit: int) -> int:
    """Remove the oldest events of the property, of those that are older."""
    sql = "SELECT id, ts FROM events WHERE property_no = ? AND ts < ? ORDER BY ts LIMIT ?"
    with overwriting(connection), transaction(connection):
        rows: list[Any] = connection.execute(sql, (property_no, before, limit)).fetchall()
        return delete(connection, property_no, rows)


def remove(connection: apsw.Connection, property_no: int, keys: Sequence[bytes], *, start: int, end: int) -> int:
    """Remove the events with these keys, of those of a range."""
    sql = "SELECT id, ts FROM events WHERE property_no = ? AND event_key = ? AND ts >= ? AND ts < ?"
    with overwriting(connection), transaction(connection):
        values = [(property_no, key, start, end) for key in keys]
        rows: list[Any] = list(connection.executemany(sql, values))
        return delete(connection, property_no, rows)


def delete(connection: apsw.Connection, property_no: int, rows: Sequence[tuple[int, int]]) -> int:
    """Delete events by their ids and ts, and number the removal; how many they were."""
    if rows:
        connection.executemany("DELETE FROM events WHERE id = ?", [(id_,) for id_, _ in rows])
        note(connection, property_no, [ts for _, ts in rows])
    return len(rows)


@contextmanager
def overwriting(connection: apsw.Connection) -> Iterator[None]:
    """What is deleted inside is overwritten. Only there: storing moves rows about, and would take a tenth longer."""
    connection.pragma("secure_delete", "on")
    try:
        yield
    finally:
        connection.pragma("secure_delete", "off")


def note(connection: apsw.Connection, property_no: int, times: Iterable[int]) -> None:
    """Number the removal that this transaction is, of events with these ts."""
    connection.execute("UPDATE store SET value = value + 1 WHERE name = 'generation'")
    number = generation(connection)
    days = {ts // DAY_MS for ts in times}
    connection.executemany("REPLACE INTO removals VALUES (?, ?, ?)", [(property_no, day, number) for day in days])


def generation(connection: apsw.Connection) -> int:
    return int(connection.execute("SELECT value FROM store WHERE name = 'generation'").get)


def removals(connection: apsw.Connection, *, after: int) -> list[Removal]:
    sql = """
        SELECT properties.id, day, generation FROM removals JOIN properties ON no = property_no
        WHERE generation > ? AND deleted_at IS NULL ORDER BY generation
    """
    rows: list[Any] = connection.execute(sql, (after,)).fetchall()
    return [Removal(*row) for row in rows]
