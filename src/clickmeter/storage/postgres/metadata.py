"""Properties and keys in PostgreSQL."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec
import psycopg

from clickmeter.errors import Refusal
from clickmeter.model import Rejections
from clickmeter.storage.postgres import contents, removal
from clickmeter.storage.postgres.connection import Database, Limits
from clickmeter.storage.postgres.migrations import migrate
from clickmeter.storage.postgres.safety import warnings
from clickmeter.storage.rows import PROPERTY_COLUMNS, SELECT_KEY, SELECT_PROPERTY, to_columns, to_key, to_property

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clickmeter.model import Batch, Key, Property
    from clickmeter.storage.contents import Contents
    from clickmeter.storage.move import Move

LIMITS = Limits(statement=5, idle=5)
EXCLUSIVE_LOCK = 0x436C6B6D
"""The first half of the locks of `exclusive`; the second is made of what is locked."""
LIVE = "(SELECT no FROM properties WHERE id = %s AND deleted_at IS NULL)"


class PostgresMetadata:
    """`MetadataStore` over one connection of its own; not to be used from two threads at once."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, LIMITS)
        migrate(self._database)
        # What an earlier process deleted may still be in the file.
        self._scrubbed = False

    def revision(self) -> int:
        # In a row, not a sequence: it changes at the very moment when what it stands for can be seen.
        return int(self._database.rows("SELECT value FROM store WHERE name = 'revision'")[0][0])

    def secret(self, name: str) -> bytes:
        with self._database.transaction():
            self._database.run(
                "INSERT INTO store VALUES (%s, %s) ON CONFLICT DO NOTHING", (f"secret:{name}", secrets.token_hex())
            )
        return bytes.fromhex(self._database.rows("SELECT value FROM store WHERE name = %s", (f"secret:{name}",))[0][0])

    def note(self, name: str) -> bytes | None:
        rows = self._database.rows("SELECT content FROM notes WHERE name = %s", (name,))
        return rows[0][0] if rows else None

    def set_note(self, name: str, content: bytes) -> None:
        with self._database.transaction():
            self._database.run(
                "INSERT INTO notes VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET content = excluded.content",
                (name, content),
            )

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        # A lock of the connection's own: when the one is lost, so is the other, and nothing more is done over it.
        lock = (EXCLUSIVE_LOCK, crc32(name.encode()) - 2**31)
        self._database.rows("SELECT pg_advisory_lock(%s, %s)", lock)
        self._database.keep(kept=True)
        try:
            yield
        finally:
            self._database.keep(kept=False)
            if not self._database.is_lost:
                self._database.rows("SELECT pg_advisory_unlock(%s, %s)", lock)

    def create_property(self, property_: Property, keys: Sequence[Key]) -> None:
        values = to_columns(msgspec.structs.asdict(property_))
        places = ", ".join(["%s"] * len(PROPERTY_COLUMNS))
        with self._change():
            try:
                self._database.run(
                    f"INSERT INTO properties ({', '.join(PROPERTY_COLUMNS)}) VALUES ({places})",
                    [values[column] for column in PROPERTY_COLUMNS],
                )
            except psycopg.errors.UniqueViolation:
                raise Refusal("property_exists", f"The property id {property_.id} is taken, now or earlier.") from None
            for key in keys:
                self._insert_key(key)

    def property(self, property_id: str) -> Property | None:
        rows = self._find(f"{SELECT_PROPERTY} AND id = %s", property_id)
        return to_property(rows[0]) if rows else None

    def properties(self, *, after: str = "", limit: int = 100) -> list[Property]:
        # No id holds U+0000, which PostgreSQL does not store: the same ids come after what is before it.
        first, _, _ = after.partition("\0")
        rows = self._database.rows(f"{SELECT_PROPERTY} AND id > %s ORDER BY id LIMIT %s", (first, limit))
        return [to_property(row) for row in rows]

    def update_property(self, property_id: str, changes: Mapping[str, Any]) -> Property | None:
        values = to_columns(changes)
        assignments = "".join(f", {column} = %s" for column in values)
        with self._change():
            self._database.run(
                f"UPDATE properties SET id = id{assignments} WHERE id = %s AND deleted_at IS NULL",
                (*values.values(), property_id),
            )
        return self.property(property_id)

    def delete_property(self, property_id: str, *, now: int) -> bool:
        with self._change():
            for table in ("salts", "erasures", "removals", "rejections"):
                self._database.run(f"DELETE FROM {table} WHERE property_no = {LIVE}", (property_id,))
            sql = "UPDATE properties SET deleted_at = %s WHERE id = %s AND deleted_at IS NULL"
            return bool(self._database.run(sql, (now, property_id)).rowcount)

    def deleted_properties(self) -> list[str]:
        return [id_ for (id_,) in self._database.rows("SELECT id FROM properties WHERE deleted_at IS NOT NULL")]

    def create_key(self, key: Key) -> None:
        with self._change():
            self._insert_key(key)

    def key(self, key_id: str) -> Key | None:
        rows = self._find(f"{SELECT_KEY} AND keys.id = %s", key_id)
        return to_key(rows[0]) if rows else None

    def keys(self, property_id: str | None) -> list[Key]:
        sql = f"{SELECT_KEY} AND properties.id IS NOT DISTINCT FROM %s ORDER BY keys.created_at, keys.id"
        return [to_key(row) for row in self._database.rows(sql, (property_id,))]

    def revoke_key(self, key_id: str, *, now: int) -> bool:
        return self._touch("UPDATE keys SET revoked_at = coalesce(revoked_at, %s) WHERE id = %s", (now, key_id))

    def salt(self, property_id: str, day: str, *, now: int) -> bytes | None:
        with self._database.transaction():
            self._database.run(
                f"INSERT INTO salts SELECT no, %s, %s, %s FROM properties WHERE no = {LIVE} ON CONFLICT DO NOTHING",
                (day, secrets.token_bytes(), now, property_id),
            )
        rows = self._database.rows(
            f"SELECT salt FROM salts WHERE property_no = {LIVE} AND day = %s", (property_id, day)
        )
        return rows[0][0] if rows else None

    def drop_salts(self, *, before: int) -> None:
        with self._database.transaction():
            gone = self._database.run("DELETE FROM salts WHERE created_at < %s", (before,)).rowcount
        if gone or not self._scrubbed:
            self._scrubbed = False
            # It writes the little that is left into a new file, so that nothing of the rest stays in the old one.
            with self._database.translated():
                self._database.run("VACUUM FULL salts")
            self._scrubbed = True

    def count_rejections(self, counts: Sequence[Rejections], *, keep_from: str) -> None:
        # In the order of the key, so that two servers never wait for each other.
        ordered = sorted(counts, key=lambda one: (one.property_id, one.day, one.code))
        with self._database.transaction():
            for one in ordered:
                self._database.run(
                    f"INSERT INTO rejections SELECT no, %s, %s, %s FROM properties WHERE no = {LIVE}"
                    " ON CONFLICT (property_no, day, code) DO UPDATE SET events = rejections.events + excluded.events",
                    (one.day, one.code, one.events, one.property_id),
                )
            self._database.run("DELETE FROM rejections WHERE day < %s", (keep_from,))

    def rejections(self, property_id: str, *, first_day: str) -> list[Rejections]:
        sql = f"""
            SELECT day, code, events FROM rejections WHERE property_no = {LIVE} AND day >= %s ORDER BY day, code
        """
        return [Rejections(property_id, *row) for row in self._database.rows(sql, (property_id, first_day))]

    def closed(self) -> str | None:
        return contents.reason(self._database)

    def move(self) -> Move | None:
        return contents.move(self._database)

    def set_move(self, move: Move | None) -> None:
        with self._revising():
            contents.set_move(self._database, move)

    def contents(self, *, salts: bool) -> Contents:
        with self._database.snapshot():
            return contents.contents(self._database, salts=salts)

    def adopt(self, contents_: Contents) -> None:
        with self._revising():
            contents.adopt(self._database, contents_)

    def mark_erased(self, property_id: str, visitor_id: str, *, now: int) -> bool:
        rows = self._database.rows("SELECT no FROM properties WHERE id = %s AND deleted_at IS NULL", (property_id,))
        if rows:
            removal.mark_erased(self._database, rows[0][0], visitor_id, now=now)
        return bool(rows)

    def not_erased(self, batches: Sequence[Batch]) -> list[Batch]:
        with self._database.transaction():
            rows = self._database.rows("SELECT id, no FROM properties WHERE erasures > 0 AND deleted_at IS NULL")
            numbers: dict[str, int] = dict(rows)
            return removal.not_erased(self._database, batches, numbers) if numbers else [*batches]

    def warnings(self) -> list[str]:
        return warnings(self._database)

    def close(self) -> None:
        self._database.close()

    def _insert_key(self, key: Key) -> None:
        number = None
        if key.property_id is not None:
            rows = self._database.rows(
                "SELECT no FROM properties WHERE id = %s AND deleted_at IS NULL", (key.property_id,)
            )
            if not rows:
                raise Refusal("property_not_found", f"There is no property {key.property_id}.")
            number = rows[0][0]
        self._database.run(
            "INSERT INTO keys VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (key.id, key.type, number, key.secret_hash, key.created_at, key.revoked_at, key.text),
        )

    def _find(self, sql: str, id_: str) -> list[tuple[Any, ...]]:
        """What is there under an id that a client named; nothing under one that PostgreSQL could not even store."""
        return [] if "\0" in id_ else self._database.rows(sql, (id_,))

    def _touch(self, sql: str, values: Sequence[Any]) -> bool:
        """Run one statement durably; whether it touched a row."""
        with self._change():
            return bool(self._database.run(sql, values).rowcount)

    @contextmanager
    def _change(self) -> Iterator[None]:
        """A change that somebody asked for; refused while nothing is taken."""
        with self._revising():
            contents.refuse_if_closed(self._database)
            yield

    @contextmanager
    def _revising(self) -> Iterator[None]:
        """A durable change that every process notices by the revision."""
        with self._database.transaction():
            yield
            self._database.run("UPDATE store SET value = (value::bigint + 1)::text WHERE name = 'revision'")
