"""Is the database as it should be? What an operator would want to know before it matters."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from clickmeter.storage.findings import clock
from clickmeter.storage.postgres.connection import Database, Limits
from clickmeter.storage.postgres.migrations import require_usable, version_of
from clickmeter.storage.postgres.safety import warnings
from clickmeter.storage.protocol import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENT = Limits(statement=0)
"""Everything is read, which takes as long as it takes."""
FEW = 0.2
"""Of all connections, so many should be free."""
ASTRAY = """
    SELECT count(*) FROM events FULL JOIN event_keys USING (property_no, event_key)
    WHERE events.id IS NULL OR event_keys.property_no IS NULL
"""
"""Events without a key would be stored twice, keys without an event keep one out for ever."""


def examine(url: str, *, deep: bool, now: int) -> Iterator[Finding]:
    """Every finding about the database; `deep` reads all events. Raises ``store_unavailable`` when it is away."""
    with closing(Database(url, PATIENT)) as database:
        with database.translated():
            require_usable(database)
        if version_of(database) == 0:
            yield Finding("note", f"{database.name} is empty.", "`clickmeter run` makes its tables.")
            return
        yield from settings(database)
        yield from connections(database)
        newest = database.rows("SELECT received_at FROM events ORDER BY id DESC LIMIT 1")
        yield clock(newest[0][0] if newest else None, now)
        if deep:
            yield from keys(database)
        yield Finding("ok", f"{database.name} can be used.")


def settings(database: Database) -> Iterator[Finding]:
    unsafe = warnings(database)
    for sentence in unsafe:
        what, _, advice = sentence.rpartition("; ")
        yield Finding("problem", f"{what}.", advice.capitalize())
    if not unsafe:
        yield Finding("ok", "Every commit waits for the disk (fsync, full_page_writes, synchronous_commit).")
    if database.rows("SELECT setting FROM pg_settings WHERE name = 'autovacuum'") == [("off",)]:
        advice = "Turn it on in postgresql.conf."
        yield Finding("warning", "autovacuum is off: the room of removed events is never used again.", advice)


def connections(database: Database) -> Iterator[Finding]:
    [(used, most)] = database.rows("""
        SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
            current_setting('max_connections')::integer
    """)
    if most - used < most * FEW:
        advice = "Raise max_connections, or start fewer processes: each server holds its report workers and three more."
        yield Finding("warning", f"{used:,} of {most:,} connections are in use.", advice)
    else:
        yield Finding("ok", f"{used:,} of {most:,} connections are in use.")


def keys(database: Database) -> Iterator[Finding]:
    [(astray,)] = database.rows(ASTRAY)
    if astray:
        advice = "Restore the newest backup, and look for what changed the tables beside Clickmeter."
        yield Finding("problem", f"{astray:,} events and keys of events do not belong together.", advice)
    else:
        yield Finding("ok", "Every event has its key.")
