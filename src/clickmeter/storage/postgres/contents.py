"""What PostgreSQL holds beside the events: read as a whole, made as it is elsewhere, closed to changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clickmeter.model import Rejections
from clickmeter.storage.move import OWN_SECRETS, Contents, Erasure, Move, Salt, StoredProperty, require_open
from clickmeter.storage.rows import PROPERTY_COLUMNS, SELECT_EVERY_KEY, to_columns, to_key, to_property

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.storage.postgres.connection import Database

STORE_LOCK = 0x436C6B6D_0005
HELD = f"SELECT pg_advisory_xact_lock_shared({STORE_LOCK})"
"""For whoever stores or changes anything: from before it looks for what may be in its way until all can see it."""
ALONE = f"SELECT pg_advisory_xact_lock({STORE_LOCK})"
"""For whoever puts something in the way of the others: what was under way before is done then."""
CLOSED = "SELECT value FROM store WHERE name = 'closed'"

SECRET = "secret:"  # noqa: S105 - how their names begin
STORED = (*PROPERTY_COLUMNS, "deleted_at", "erasures")
OF_DELETED = "property_no IN (SELECT no FROM properties WHERE deleted_at IS NOT NULL)"
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
    rows = database.rows

    def owned(table: str, columns: str) -> list[tuple[Any, ...]]:
        return rows(f"SELECT id, {columns} FROM {table} JOIN properties ON no = property_no ORDER BY id, {columns}")

    return Contents(
        properties=[
            StoredProperty(to_property(row[:-2]), *row[-2:])
            for row in rows(f"SELECT {', '.join(STORED)} FROM properties ORDER BY id")
        ],
        keys=[to_key(row) for row in rows(f"{SELECT_EVERY_KEY} ORDER BY keys.id")],
        secrets=secrets(database),
        erasures=[Erasure(*row) for row in owned("erasures", "visitor, erased_at")],
        rejections=[Rejections(*row) for row in owned("rejections", "day, code, events")],
        salts=[Salt(*row) for row in owned("salts", "day, salt, salts.created_at")] if salts else [],
    )


def secrets(database: Database) -> dict[str, bytes]:
    found = database.rows("SELECT name, value FROM store WHERE starts_with(name, %s) ORDER BY name", (SECRET,))
    named = {name.removeprefix(SECRET): bytes.fromhex(value) for name, value in found}
    return {name: value for name, value in named.items() if name not in OWN_SECRETS}


def adopt(database: Database, contents: Contents) -> None:
    """To be called inside a transaction."""
    run_each(database, UPSERT_PROPERTY, [stored(one) for one in contents.properties])
    for table in ("salts", "rejections"):
        database.run(f"DELETE FROM {table}")
    for table in ("erasures", "removals"):
        database.run(f"DELETE FROM {table} WHERE {OF_DELETED}")
    run_each(database, UPSERT_STORE, [(SECRET + name, value.hex()) for name, value in contents.secrets.items()])
    keys = [
        (one.id, one.type, one.property_id, one.secret_hash, one.created_at, one.revoked_at, one.text)
        for one in contents.keys
    ]
    run_each(database, UPSERT_KEY, keys)
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


def stored(one: StoredProperty) -> tuple[Any, ...]:
    values = to_columns(msgspec.structs.asdict(one.property))
    return (*(values[column] for column in PROPERTY_COLUMNS), one.deleted_at, one.erasures)
