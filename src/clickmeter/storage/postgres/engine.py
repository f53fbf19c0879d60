"""PostgreSQL as `storage.open` sees it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from clickmeter.errors import Refusal
from clickmeter.storage.postgres import examination
from clickmeter.storage.postgres.connection import Database, Limits
from clickmeter.storage.postgres.election import is_elected
from clickmeter.storage.postgres.events import READS, PostgresEvents
from clickmeter.storage.postgres.metadata import PostgresMetadata
from clickmeter.storage.postgres.migrations import version_of
from clickmeter.storage.postgres.rollups import PostgresRollups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickmeter.storage.protocol import Finding, Progress, RolledEvents


MANY_SERVERS = True
TABLES_WITH_REMOVED = (
    "events",
    "event_keys",
    "salts",
    "erasures",
    "rejections",
    "rollup_values",
    "rollup_segments",
)
PATIENT = Limits(statement=0)


class OneOfMany:
    """Held by each of any number of servers: it keeps nobody out."""

    def close(self) -> None:
        """There is nothing to let go of."""


def open_metadata(url: str) -> PostgresMetadata:
    return PostgresMetadata(url)


def open_events(url: str, *, server_writes: bool) -> PostgresEvents:
    return PostgresEvents(url, writer=server_writes)


def open_rollups(url: str, events: RolledEvents) -> PostgresRollups:  # noqa: ARG001 - the events know where they are
    assert isinstance(events, PostgresEvents)
    return PostgresRollups(events)


def is_server_running(url: str) -> bool:
    return is_elected(url)


def require_store(url: str) -> None:
    with closing(Database(url, READS)) as database:
        if version_of(database) == 0:
            raise Refusal("store_unavailable", f"{database.name} holds nothing of Clickmeter's; name another one.")


def backup(url: str, file: str, told: Progress) -> None:  # noqa: ARG001 - what is asked for, whatever it is
    raise Refusal(
        "store_unavailable",
        "PostgreSQL has programs of its own for backups: run pg_dump, as docs/postgresql.md says under Backup.",
    )


def restore(url: str, file: str, told: Progress) -> None:  # noqa: ARG001 - what is asked for, whatever it is
    raise Refusal(
        "store_unavailable",
        "PostgreSQL has programs of its own for backups: run pg_restore, as docs/postgresql.md says under Backup.",
    )


def examine(url: str, *, deep: bool, now: int) -> Iterator[Finding]:
    return examination.examine(url, deep=deep, now=now)


def compact(url: str) -> None:
    with closing(Database(url, PATIENT)) as database, database.translated():
        for table in TABLES_WITH_REMOVED:
            database.run(f"VACUUM FULL {table}")


def lock_server(url: str) -> OneOfMany:  # noqa: ARG001 - whichever database it is
    return OneOfMany()
