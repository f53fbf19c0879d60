"""Which settings of the server may lose events that were acknowledged, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickmeter.storage.postgres.connection import Database

UNSAFE = {
    ("fsync", "off"): "a crash of its machine may lose or corrupt everything, acknowledged events too",
    ("full_page_writes", "off"): "a crash of its machine may corrupt pages that were half written",
    ("synchronous_commit", "off"): "a crash of the server may lose the events acknowledged last",
}


def warnings(database: Database) -> list[str]:
    """One sentence for each unsafe setting in force in a session of ours; none of them is the way it should be."""
    rows = database.rows("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", ([name for name, _ in UNSAFE],))
    return [
        f"PostgreSQL runs with {name}={setting}: {UNSAFE[name, setting]}; turn it on in postgresql.conf."
        for name, setting in sorted(rows)
        if (name, setting) in UNSAFE
    ]
