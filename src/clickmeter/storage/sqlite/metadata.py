"""Properties and keys in SQLite."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import apsw
import msgspec

from clickmeter.errors import Refusal
from clickmeter.model import Batch, Rejections
from clickmeter.storage.rows import PROPERTY_COLUMNS, SELECT_KEY, SELECT_PROPERTY, to_columns, to_key, to_property
from clickmeter.storage.sqlite import contents, removal
from clickmeter.storage.sqlite.file import BUSY_TIMEOUT_MS, locked, open_file, translated
from clickmeter.storage.sqlite.transaction import transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clickmeter.model import Key, Property
    from clickmeter.storage.contents import Contents
    from clickmeter.storage.move import Move

LIVE = "(SELECT no FROM properties WHERE id = ? AND deleted_at IS NULL)"
SCRUB_WAIT_MS = 100


class SqliteMetadata:
    """`MetadataStore` over one connection of its own; not to be used from two threads at once."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection = open_file(path, checkpoints=False)
        # What is deleted here, salts above all, is overwritten.
        self._connection.pragma("secure_delete", "on")
        # What an earlier process deleted may still be in the log.
        self._log_holds_salts = True

    def revision(self) -> int:
        return int(self._rows("SELECT value FROM store WHERE name = 'revision'")[0][0])

    def secret(self, name: str) -> bytes:
        with translated(self._path), transaction(self._connection):
            self._connection.execute(
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
                    f"INSERT INTO properties ({', '.join(PROPERTY_COLUMNS)})"
                    f" VALUES ({', '.join('?' * len(PROPERTY_COLUMNS))})",
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
        with translated(self._path), self._transaction():
            for table in ("salts", "erasures", "removals", "rejections"):
                self._connection.execute(f"DELETE FROM {table} WHERE property_no = {LIVE}", (property_id,))
            self._connection.execute(
                "UPDATE properties SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL", (now, property_id)
            )
            return bool(self._connection.changes())

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

    def salt(self, property_id: str, day: str, *, now: int) -> bytes | None:
        with translated(self._path), transaction(self._connection):
            self._connection.execute(
                f"INSERT INTO salts SELECT no, ?, ?, ? FROM properties WHERE no = {LIVE} ON CONFLICT DO NOTHING",
                (day, secrets.token_bytes(), now, property_id),
            )
            salt: bytes | None = self._connection.execute(
                f"SELECT salt FROM salts WHERE property_no = {LIVE} AND day = ?", (property_id, day)
            ).get
            return salt

    def drop_salts(self, *, before: int) -> None:
        with translated(self._path):
            if self._connection.execute("SELECT count(*) FROM salts WHERE created_at < ?", (before,)).get:
                with transaction(self._connection):
                    self._connection.execute("DELETE FROM salts WHERE created_at < ?", (before,))
                self._log_holds_salts = True
            if self._log_holds_salts:
                self._log_holds_salts = not self._empty_log()

    def _empty_log(self) -> bool:
        """Move the log into the file and cut it off; False when somebody is reading from it just now."""
        # Nobody waits for the first, which does nearly all of the work.
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        self._connection.set_busy_timeout(SCRUB_WAIT_MS)
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.BusyError:
            return False
        finally:
            self._connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        return True

    def count_rejections(self, counts: Sequence[Rejections], *, keep_from: str) -> None:
        with translated(self._path), transaction(self._connection):
            for one in counts:
                self._connection.execute(
                    f"INSERT INTO rejections SELECT no, ?, ?, ? FROM properties WHERE no = {LIVE}"
                    " ON CONFLICT DO UPDATE SET events = events + excluded.events",
                    (one.day, one.code, one.events, one.property_id),
                )
            self._connection.execute("DELETE FROM rejections WHERE day < ?", (keep_from,))

    def rejections(self, property_id: str, *, first_day: str) -> list[Rejections]:
        sql = f"""
            SELECT day, code, events FROM rejections WHERE property_no = {LIVE} AND day >= ? ORDER BY day, code
        """
        return [Rejections(property_id, *row) for row in self._rows(sql, (property_id, first_day))]

    def closed(self) -> str | None:
        with translated(self._path):
            return contents.reason(self._connection)

    def move(self) -> Move | None:
        with translated(self._path):
            return contents.move(self._connection)

    def set_move(self, move: Move | None) -> None:
        with translated(self._path), self._revising():
            contents.set_move(self._connection, move)

    def contents(self, *, salts: bool) -> Contents:
        with translated(self._path), transaction(self._connection, "BEGIN"):
            return contents.contents(self._connection, salts=salts)

    def adopt(self, contents_: Contents) -> None:
        with translated(self._path), self._revising():
            contents.adopt(self._connection, contents_)

    def mark_erased(self, property_id: str, visitor_id: str, *, now: int) -> bool:
        with translated(self._path):
            number = self._connection.execute(f"SELECT {LIVE}", (property_id,)).get
            if number is not None:
                removal.mark_erased(self._connection, number, visitor_id, now=now)
            return number is not None

    def not_erased(self, batches: Sequence[Batch]) -> list[Batch]:
        with translated(self._path):
            rows: list[Any] = self._connection.execute(
                "SELECT id, no FROM properties WHERE erasures > 0 AND deleted_at IS NULL"
            ).fetchall()
            numbers: dict[str, int] = dict(rows)
            return [
                Batch(batch.property_id, removal.not_erased(self._connection, numbers[batch.property_id], batch.events))
                if batch.property_id in numbers
                else batch
                for batch in batches
            ]

    def warnings(self) -> list[str]:
        return []

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
        """A change that somebody asked for; refused while nothing is taken."""
        with self._revising():
            contents.refuse_if_closed(self._connection)
            yield

    @contextmanager
    def _revising(self) -> Iterator[None]:
        """A durable change that every process notices by the revision."""
        with transaction(self._connection):
            yield
            self._connection.execute("UPDATE store SET value = value + 1 WHERE name = 'revision'")
