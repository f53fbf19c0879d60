"""A step of the schema is taken statement by statement, each for itself, and then written down as taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickmeter.storage.postgres import migrations as postgres
from clickmeter.storage.sqlite import migrations as sqlite

if TYPE_CHECKING:
    import apsw

    from clickmeter.storage.postgres.connection import Database

VERSION = "INSERT INTO store VALUES ('schema', %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


def migrate(connection: apsw.Connection, path: str) -> None:
    while (version := sqlite.version_of(connection, path)) < len(sqlite.MIGRATIONS):
        connection.execute(f"PRAGMA application_id = {sqlite.APPLICATION_ID}")
        connection.execute(sqlite.MIGRATIONS[version])
        connection.execute(f"PRAGMA user_version = {version + 1}")


def step(database: Database) -> None:
    version = postgres.version_of(database)
    for statement in postgres.MIGRATIONS[version].split(";\n"):
        database.session().execute(statement.encode(), prepare=False)
    database.session().execute(VERSION, (str(version + 1),))


sqlite.migrate = migrate
postgres.step = step
