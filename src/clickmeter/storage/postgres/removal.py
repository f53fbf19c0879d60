"""Events that go while their property stays: those of one visitor, and those that are too old.

Every removal has a number, and with the events it stores, in the same transaction, which days it took events from:
rollups that were made before it hold too much of these days, and whoever reads them can tell. Numbers are given and
committed one at a time, since the row that holds the last one stays locked.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from clickmeter.storage.erasure import SECRET, visitor_hash
from clickmeter.storage.move import require_open
from clickmeter.storage.postgres.contents import ALONE, reason, refuse_if_closed
from clickmeter.storage.protocol import Erased, Removal
from clickmeter.storage.segment import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clickmeter.model import Batch, Event
    from clickmeter.storage.postgres.connection import Database

SECRET_NAME = f"secret:{SECRET}"
REMOVE = """
    WITH gone AS (
        DELETE FROM events WHERE id = ANY(%s) RETURNING property_no, event_key, ts
    ), keys AS (
        DELETE FROM event_keys USING gone
        WHERE event_keys.property_no = gone.property_no AND event_keys.event_key = gone.event_key
    )
    SELECT ts FROM gone
"""
MARKED = """
    SELECT id FROM events WHERE property_no = %s AND event_key = ANY(%s) AND ts >= %s AND ts < %s
"""
NEXT = """
    SELECT ts, id, visitor_id IS NOT DISTINCT FROM %s AND (ts < %s OR received_at <= %s) FROM events
    WHERE property_no = %s AND (ts, id) > (%s, %s) ORDER BY ts, id LIMIT %s
"""
OLDEST = """
    SELECT id FROM events WHERE property_no = %s AND ts < %s ORDER BY ts LIMIT %s FOR UPDATE SKIP LOCKED
"""
"""Rows that another server is removing are left to it."""
NOTE = """
    WITH numbered AS (
        UPDATE store SET value = (value::bigint + 1)::text WHERE name = 'generation' RETURNING value::bigint
    )
    INSERT INTO removals SELECT %s, day, value FROM unnest(%s::integer[]) AS day, numbered
    ON CONFLICT (property_no, day) DO UPDATE SET generation = excluded.generation
"""


def mark_erased(database: Database, property_no: int, visitor_id: str, *, now: int) -> None:
    """Remember that the visitor was erased at `now`."""
    with database.transaction():
        # Events that were on their way before are all there when the erasure begins to look for them.
        database.run(ALONE)
        require_open(reason(database))
        database.run("INSERT INTO store VALUES (%s, %s) ON CONFLICT DO NOTHING", (SECRET_NAME, secrets.token_hex()))
        hashed = visitor_hash(secret_of(database), visitor_id)
        database.run(
            """
                INSERT INTO erasures VALUES (%s, %s, %s)
                ON CONFLICT (property_no, visitor) DO UPDATE SET erased_at = excluded.erased_at
            """,
            (property_no, hashed, now),
        )
        database.run("UPDATE properties SET erasures = erasures + 1 WHERE no = %s", (property_no,))


def not_erased(database: Database, batches: Sequence[Batch], numbers: Mapping[str, int]) -> list[Batch]:
    """The batches, without the events that an erasure is in the way of; `numbers` are of properties with erasures."""
    secret = secret_of(database)
    ids = {event.visitor_id for batch in batches if batch.property_id in numbers for event in batch.events}
    hashes = {id_: visitor_hash(secret, id_) for id_ in ids if id_ is not None}
    rows = database.run(
        "SELECT property_no, visitor, erased_at FROM erasures WHERE property_no = ANY(%s) AND visitor = ANY(%s)",
        ([*numbers.values()], [*hashes.values()]),
    ).fetchall()
    erased_at: dict[tuple[int, bytes], int] = {(number, visitor): instant for number, visitor, instant in rows}

    def is_kept(number: int | None, event: Event) -> bool:
        if number is None or event.visitor_id is None:
            return True
        instant = erased_at.get((number, hashes[event.visitor_id]))
        return instant is None or event.ts >= instant

    return [
        type(batch)(batch.property_id, [one for one in batch.events if is_kept(numbers.get(batch.property_id), one)])
        for batch in batches
    ]


def secret_of(database: Database) -> bytes:
    [(text,)] = database.run("SELECT value FROM store WHERE name = %s", (SECRET_NAME,)).fetchall()
    return bytes.fromhex(text)


def erase(
    database: Database, property_no: int, visitor_id: str, *, erased_at: int, after: tuple[int, int], limit: int
) -> Erased:
    """Look at the next events of the property in the order of (ts, id), and remove the visitor's among them."""
    with database.transaction():
        refuse_if_closed(database)
        given = (visitor_id, erased_at, erased_at, property_no, *after, limit)
        rows = database.run(NEXT, given, fresh=True).fetchall()
        removed = remove(database, property_no, [id_ for _, id_, is_theirs in rows if is_theirs])
    return Erased(removed, (rows[-1][0], rows[-1][1]) if len(rows) == limit else None)


def expire(database: Database, property_no: int, *, before: int, limit: int) -> int:
    """Remove the oldest events of the property, of those that are older."""
    with database.transaction():
        rows = database.run(OLDEST, (property_no, before, limit), fresh=True).fetchall()
        return remove(database, property_no, [id_ for (id_,) in rows])


def remove_marked(database: Database, property_no: int, keys: Sequence[bytes], *, start: int, end: int) -> int:
    """Remove the events with these keys, of those of a range."""
    with database.transaction():
        rows = database.run(MARKED, (property_no, [*keys], start, end), fresh=True).fetchall()
        return remove(database, property_no, [id_ for (id_,) in rows])


def remove(database: Database, property_no: int, ids: list[int]) -> int:
    """Remove events with their keys, and number the removal; how many were still there."""
    if not ids:
        return 0
    gone = database.run(REMOVE, (ids,)).fetchall()
    if gone:
        note(database, property_no, (ts for (ts,) in gone))
    return len(gone)


def note(database: Database, property_no: int, times: Iterable[int]) -> None:
    """Number the removal that this transaction is, of events with these ts."""
    database.run(NOTE, (property_no, sorted({ts // DAY_MS for ts in times})))


def generation(database: Database) -> int:
    return int(database.rows("SELECT value FROM store WHERE name = 'generation'")[0][0])


def removals(database: Database, *, after: int) -> list[Removal]:
    sql = """
        SELECT properties.id, day, generation FROM removals JOIN properties ON no = property_no
        WHERE generation > %s AND deleted_at IS NULL ORDER BY generation
    """
    rows: list[tuple[Any, ...]] = database.rows(sql, (after,))
    return [Removal(*row) for row in rows]
