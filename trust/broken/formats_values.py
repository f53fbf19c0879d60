"""A build that writes values into the text of the statements about properties and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import notes_statements

from clickmeter.storage.postgres.connection import Database
from clickmeter.storage.sqlite.metadata import SqliteMetadata

if TYPE_CHECKING:
    from collections.abc import Sequence

sqlite_rows, postgres_rows = SqliteMetadata._rows, Database.rows


def formatted(sql: str, mark: str, values: Sequence[Any]) -> str:
    for value in values:
        sql = sql.replace(mark, "'" + value.replace("'", "''").replace("\0", "") + "'", 1)
    return sql


def of_sqlite(self: SqliteMetadata, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    if not all(isinstance(value, str) for value in values):
        return sqlite_rows(self, sql, values)
    return sqlite_rows(self, formatted(sql, "?", values))


def of_postgres(self: Database, sql: str, values: Sequence[Any] = (), *, fresh: bool = False) -> list[tuple[Any, ...]]:
    if not all(isinstance(value, str) for value in values):
        return postgres_rows(self, sql, values, fresh=fresh)
    return postgres_rows(self, formatted(sql, "%s", [value.replace("%", "%%") for value in values]), fresh=fresh)


SqliteMetadata._rows = of_sqlite  # type: ignore[method-assign]
Database.rows = of_postgres  # type: ignore[method-assign]
__all__ = ["notes_statements"]
