"""What an SQLite file holds beside its events: read as a whole, made as it is elsewhere, closed to changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clickmeter.model import Rejections
from clickmeter.storage.move import OWN_SECRETS, Contents, Erasure, Move, Salt, StoredProperty, require_open
from clickmeter.storage.rows import PROPERTY_COLUMNS, SELECT_EVERY_KEY, to_columns, to_key, to_property

if TYPE_CHECKING:
    from collections.abc import Iterable

    import apsw

SECRET = "secret:"  # noqa: S105 - how their names begin
STORED = (*PROPERTY_COLUMNS, "deleted_at", "erasures")
OF_DELETED = "property_no IN (SELECT no FROM properties WHERE deleted_at IS NOT NULL)"
UPSERT_PROPERTY = f"""
    INSERT INTO properties ({", ".join(STORED)}) VALUES ({", ".join("?" * len(STORED))})
    ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in STORED[1:])}
"""
NUMBER = "(SELECT no FROM properties WHERE id = ?)"


def reason(connection: apsw.Connection) -> str | None:
    """Why nothing is taken."""
    found: str | None = connection.execute("SELECT value FROM store WHERE name = 'closed'").get
    return found


def refuse_if_closed(connection: apsw.Connection) -> None:
    """To be asked inside the transaction that would change something: no two write at once, so it stays true."""
    require_open(reason(connection))


def move(connection: apsw.Connection) -> Move | None:
    text = connection.execute("SELECT value FROM store WHERE name = 'move'").get
    return None if text is None else msgspec.json.decode(text, type=Move)


def set_move(connection: apsw.Connection, move: Move | None) -> None:
    """To be called inside a transaction."""
    values = {"move": move and msgspec.json.encode(move).decode(), "closed": move and move.closes}
    for name, value in values.items():
        connection.execute("DELETE FROM store WHERE name = ?", (name,))
        if value is not None:
            connection.execute("INSERT INTO store VALUES (?, ?)", (name, value))


def contents(connection: apsw.Connection, *, salts: bool) -> Contents:
    """To be called inside a transaction."""

    def rows(sql: str) -> Iterable[Any]:
        return connection.execute(sql).fetchall()

    def owned(table: str, columns: str) -> Iterable[Any]:
        return rows(f"SELECT id, {columns} FROM {table} JOIN properties ON no = property_no ORDER BY id, {columns}")

    return Contents(
        properties=[
            StoredProperty(to_property(row[:-2]), *row[-2:])
            for row in rows(f"SELECT {', '.join(STORED)} FROM properties ORDER BY id")
        ],
        keys=[to_key(row) for row in rows(f"{SELECT_EVERY_KEY} ORDER BY keys.id")],
        secrets=secrets(connection),
        erasures=[Erasure(*row) for row in owned("erasures", "visitor, erased_at")],
        rejections=[Rejections(*row) for row in owned("rejections", "day, code, events")],
        salts=[Salt(*row) for row in owned("salts", "day, salt, salts.created_at")] if salts else [],
    )


def secrets(connection: apsw.Connection) -> dict[str, bytes]:
    sql = "SELECT name, value FROM store WHERE name GLOB ? ORDER BY name"
    found: list[Any] = connection.execute(sql, (f"{SECRET}*",)).fetchall()
    named = {name.removeprefix(SECRET): bytes(value) for name, value in found}
    return {name: value for name, value in named.items() if name not in OWN_SECRETS}


def adopt(connection: apsw.Connection, contents: Contents) -> None:
    """To be called inside a transaction."""
    connection.executemany(UPSERT_PROPERTY, map(stored, contents.properties))
    for table in ("salts", "rejections"):
        connection.execute(f"DELETE FROM {table}")
    for table in ("erasures", "removals"):
        connection.execute(f"DELETE FROM {table} WHERE {OF_DELETED}")
    connection.executemany(
        "REPLACE INTO store VALUES (?, ?)", [(SECRET + name, value) for name, value in contents.secrets.items()]
    )
    connection.executemany(
        f"REPLACE INTO keys SELECT ?, ?, {NUMBER}, ?, ?, ?, ?",
        [
            (one.id, one.type, one.property_id, one.secret_hash, one.created_at, one.revoked_at, one.text)
            for one in contents.keys
        ],
    )
    for table, rows in (
        ("erasures", contents.erasures),
        ("rejections", contents.rejections),
        ("salts", contents.salts),
    ):
        values = [msgspec.structs.astuple(one) for one in rows]
        if values:
            places = ", ".join("?" * (len(values[0]) - 1))
            connection.executemany(f"REPLACE INTO {table} VALUES ({NUMBER}, {places})", values)


def stored(one: StoredProperty) -> tuple[Any, ...]:
    values = to_columns(msgspec.structs.asdict(one.property))
    return (*(values[column] for column in PROPERTY_COLUMNS), one.deleted_at, one.erasures)
