"""What PostgreSQL holds beside the events: read as a whole, made as it is elsewhere, closed to changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clickmeter.storage.contents import OF_DELETED, SECRET, STORED, Contents, read, to_key_row, to_stored
from clickmeter.storage.move import Move, require_open

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.storage.postgres.connection import Database

STORE_LOCK = 0x436C6B6D_0005
HELD = f"SELECT pg_advisory_xact_lock_shared({STORE_LOCK})"
"""For whoever stores or changes anything: from before it looks for what may be in its way until all can see it."""
ALONE = f"SELECT pg_advisory_xact_lock({STORE_LOCK})"
"""For whoever puts something in the way of the others: what was under way before is done then."""
CLOSED = "SELECT value FROM store WHERE name = 'closed'"

UPSERT_PROPERTY = f"""
    INSERT INTO properties ({", ".join(STORED)}) VALUES ({", ".join(["%s"] * len(STORED))})
    ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in STORED[1:])}
"""
NUMBER = "(SELECT no FROM properties WHERE id = %s)"
UPSERT_STORE = "INSERT INTO store VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
UPSERT_KEY = f"""
    INSERT INTO keys SELECT %s, %s, {NUMBER}, %s, %s, %s, %s
    ON CONFLICT (id) DO UPDATE SET revoked_at = excluded.revoked_at
"""
UPSERT_ERASURE = f"""
    INSERT INTO erasures SELECT {NUMBER}, %s, %s
    ON CONFLICT (property_no, visitor) DO UPDATE SET erased_at = excluded.erased_at
"""


def reason(database: Database) -> str | None:
    """Why nothing is taken."""
    rows = database.rows(CLOSED)
    return rows[0][0] if rows else None


def refuse_if_closed(database: Database) -> None:
    """To be asked first inside the transaction that would change something, which stays true until it ends."""
    database.run(HELD)
    require_open(reason(database))


def move(database: Database) -> Move | None:
    rows = database.rows("SELECT value FROM store WHERE name = 'move'")
    return msgspec.json.decode(rows[0][0], type=Move) if rows else None


def set_move(database: Database, move: Move | None) -> None:
    """To be called inside a transaction."""
    database.run(ALONE)
    values = {"move": move and msgspec.json.encode(move).decode(), "closed": move and move.closes}
    for name, value in values.items():
        database.run("DELETE FROM store WHERE name = %s", (name,))
        if value is not None:
            database.run("INSERT INTO store VALUES (%s, %s)", (name, value))


def contents(database: Database, *, salts: bool) -> Contents:
    """To be called inside a transaction of one moment."""
    return read(database.rows, secrets(database), salts=salts)


def secrets(database: Database) -> list[tuple[str, bytes]]:
    found = database.rows("SELECT name, value FROM store WHERE starts_with(name, %s) ORDER BY name", (SECRET,))
    return [(name.removeprefix(SECRET), bytes.fromhex(value)) for name, value in found]


def adopt(database: Database, contents: Contents) -> None:
    """To be called inside a transaction."""
    run_each(database, UPSERT_PROPERTY, [to_stored(one) for one in contents.properties])
    for table in ("salts", "rejections"):
        database.run(f"DELETE FROM {table}")
    for table in ("erasures", "removals"):
        database.run(f"DELETE FROM {table} WHERE {OF_DELETED}")
    run_each(database, UPSERT_STORE, [(SECRET + name, value.hex()) for name, value in contents.secrets.items()])
    run_each(database, UPSERT_KEY, [to_key_row(one) for one in contents.keys])
    run_each(database, UPSERT_ERASURE, [msgspec.structs.astuple(one) for one in contents.erasures])
    rejections = [msgspec.structs.astuple(one) for one in contents.rejections]
    run_each(database, f"INSERT INTO rejections SELECT {NUMBER}, %s, %s, %s", rejections)
    salts = [msgspec.structs.astuple(one) for one in contents.salts]
    run_each(database, f"INSERT INTO salts SELECT {NUMBER}, %s, %s, %s", salts)


def run_each(database: Database, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run one statement with each of the rows."""
    if rows:
        with database.session().cursor() as cursor:
            cursor.executemany(sql.encode(), rows)
