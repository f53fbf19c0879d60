"""What an SQLite file holds beside its events: read as a whole, made as it is elsewhere, closed to changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clickmeter.storage.contents import OF_DELETED, SECRET, STORED, Contents, read, to_key_row, to_stored
from clickmeter.storage.move import Move, require_open

if TYPE_CHECKING:
    import apsw

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

    def rows(sql: str) -> list[Any]:
        return connection.execute(sql).fetchall()

    return read(rows, secrets(connection), salts=salts)


def secrets(connection: apsw.Connection) -> list[tuple[str, bytes]]:
    sql = "SELECT name, value FROM store WHERE name GLOB ? ORDER BY name"
    found: list[Any] = connection.execute(sql, (f"{SECRET}*",)).fetchall()
    return [(name.removeprefix(SECRET), bytes(value)) for name, value in found]


def adopt(connection: apsw.Connection, contents: Contents) -> None:
    """To be called inside a transaction."""
    connection.executemany(UPSERT_PROPERTY, map(to_stored, contents.properties))
    for table in ("salts", "rejections"):
        connection.execute(f"DELETE FROM {table}")
    for table in ("erasures", "removals"):
        connection.execute(f"DELETE FROM {table} WHERE {OF_DELETED}")
    connection.executemany(
        "REPLACE INTO store VALUES (?, ?)", [(SECRET + name, value) for name, value in contents.secrets.items()]
    )
    connection.executemany(f"REPLACE INTO keys SELECT ?, ?, {NUMBER}, ?, ?, ?, ?", map(to_key_row, contents.keys))
    for table, rows in (
        ("erasures", contents.erasures),
        ("rejections", contents.rejections),
        ("salts", contents.salts),
    ):
        values = [msgspec.structs.astuple(one) for one in rows]
        if values:
            places = ", ".join("?" * (len(values[0]) - 1))
            connection.executemany(f"REPLACE INTO {table} VALUES ({NUMBER}, {places})", values)
