"""Properties and keys in SQLite."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import apsw
import msgspec

from clickmeter.errors import Refusal
from clickmeter.model import Key, Property
from clickmeter.storage.sqlite.file import locked, open_file, translated
from clickmeter.storage.sqlite.transaction import transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PROPERTY_COLUMNS = ("id", "name", "timezone", "allowed_origins", "bots", "tokens_only", "created_at")
SELECT_PROPERTY = f"SELECT {', '.join(PROPERTY_COLUMNS)} FROM properties WHERE deleted_at IS NULL"
SELECT_KEY = """
    SELECT keys.id, type, properties.id, secret_hash, keys.created_at, revoked_at, text
    FROM keys LEFT JOIN properties ON no = property_no
    WHERE deleted_at IS NULL
"""


class SqliteMetadata:
    """`MetadataStore` over one connection of its own; not to be used from two threads at once."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection = open_file(path, checkpoints=False)

    def revision(self) -> int:
        return int(self._rows("SELECT value FROM store WHERE name = 'revision'")[0][0])

    def secret(self, name: str) -> bytes:
        self._change(
            "INSERT INTO store VALUES (?, ?) ON CONFLICT DO NOTHING", (f"secret:{name}", secrets.token_bytes())
        )
        return bytes(self._rows("SELECT value FROM store WHERE name = ?", (f"secret:{name}",))[0][0])

    def note(self, name: str) -> bytes | None:
        rows = self._rows("SELECT value FROM store WHERE name = ?", (f"note:{name}",))
        return bytes(rows[0][0]) if rows else None

    def set_note(self, name: str, content: bytes) -> None:
        with translated(self._path), transaction(self._connection):
            self._connection.execute("REPLACE INTO store VALUES (?, ?)", (f"note:{name}", content))

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        with locked(f"{self._path}-{name}.lock"):
            yield

    def create_property(self, property_: Property, keys: Sequence[Key]) -> None:
        values = to_columns(msgspec.structs.asdict(property_))
        with translated(self._path), self._transaction():
            try:
                self._connection.execute(
                    f"INSERT INTO properties ({', '.join(PROPERTY_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    tuple(values[column] for column in PROPERTY_COLUMNS),
                )
            except apsw.ConstraintError:
                raise Refusal("property_exists", f"The property id {property_.id} is taken, now or earlier.") from None
            for key in keys:
                self._insert_key(key)

    def property(self, property_id: str) -> Property | None:
        rows = self._rows(f"{SELECT_PROPERTY} AND id = ?", (property_id,))
        return to_property(rows[0]) if rows else None

    def properties(self, *, after: str = "", limit: int = 100) -> list[Property]:
        rows = self._rows(f"{SELECT_PROPERTY} AND id > ? ORDER BY id LIMIT ?", (after, limit))
        return [to_property(row) for row in rows]

    def update_property(self, property_id: str, changes: Mapping[str, Any]) -> Property | None:
        values = to_columns(changes)
        assignments = "".join(f", {column} = ?" for column in values)
        self._change(
            f"UPDATE properties SET id = id{assignments} WHERE id = ? AND deleted_at IS NULL",
            (*values.values(), property_id),
        )
        return self.property(property_id)

    def delete_property(self, property_id: str, *, now: int) -> bool:
        return self._change(
            "UPDATE properties SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL", (now, property_id)
        )

    def deleted_properties(self) -> list[str]:
        return [id_ for (id_,) in self._rows("SELECT id FROM properties WHERE deleted_at IS NOT NULL")]

    def create_key(self, key: Key) -> None:
        with translated(self._path), self._transaction():
            self._insert_key(key)

    def key(self, key_id: str) -> Key | None:
        rows = self._rows(f"{SELECT_KEY} AND keys.id = ?", (key_id,))
        return to_key(rows[0]) if rows else None

    def keys(self, property_id: str | None) -> list[Key]:
        rows = self._rows(f"{SELECT_KEY} AND properties.id IS ? ORDER BY keys.created_at, keys.id", (property_id,))
        return [to_key(row) for row in rows]

    def revoke_key(self, key_id: str, *, now: int) -> bool:
        return self._change("UPDATE keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?", (now, key_id))

    def close(self) -> None:
        self._connection.close()

    def _insert_key(self, key: Key) -> None:
        number = None
        if key.property_id is not None:
            number = self._connection.execute(
                "SELECT no FROM properties WHERE id = ? AND deleted_at IS NULL", (key.property_id,)
            ).get
            if number is None:
                raise Refusal("property_not_found", f"There is no property {key.property_id}.")
        self._connection.execute(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)",
            (key.id, key.type, number, key.secret_hash, key.created_at, key.revoked_at, key.text),
        )

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with translated(self._path):
            return self._connection.execute(sql, tuple(values)).fetchall()

    def _change(self, sql: str, values: Sequence[Any]) -> bool:
        """Run one statement durably; whether it touched a row."""
        with translated(self._path), self._transaction():
            self._connection.execute(sql, tuple(values))
            return bool(self._connection.changes())

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """A durable change that every process notices by the revision."""
        with transaction(self._connection):
            yield
            self._connection.execute("UPDATE store SET value = value + 1 WHERE name = 'revision'")


def to_columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A property's fields as they are stored; fields that have no column yet hold their defaults and are left out."""
    values = {name: value for name, value in fields.items() if name in PROPERTY_COLUMNS}
    if "allowed_origins" in values:
        values["allowed_origins"] = msgspec.json.encode(values["allowed_origins"]).decode()
    return values


def to_property(row: Sequence[Any]) -> Property:
    values = dict(zip(PROPERTY_COLUMNS, row, strict=True))
    values["allowed_origins"] = msgspec.json.decode(values["allowed_origins"])
    values["tokens_only"] = bool(values["tokens_only"])
    return msgspec.convert(values, Property)


def to_key(row: Sequence[Any]) -> Key:
    id_, type_, property_id, secret_hash, created_at, revoked_at, text = row
    return Key(
        id=id_,
        type=type_,
        property_id=property_id,
        secret_hash=secret_hash,
        created_at=created_at,
        revoked_at=revoked_at,
        text=text,
    )
