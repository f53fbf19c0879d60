"""What is in the files of a database, byte for byte, whichever engine wrote them."""

from __future__ import annotations

from pathlib import Path

import psycopg

SQLITE = "sqlite:///"
RELATIONS = """
    SELECT relname, pg_read_binary_file(pg_relation_filepath(pg_class.oid)) FROM pg_class
    WHERE pg_relation_size(pg_class.oid) > 0 AND (
        relnamespace = 'clickmeter'::regnamespace AND relkind IN ('r', 'i')
        OR oid IN (SELECT reltoastrelid FROM pg_class WHERE relnamespace = 'clickmeter'::regnamespace)
    )
"""


def files_of(url: str) -> dict[str, bytes]:
    """The contents of every file of the database, by name. Those that PostgreSQL shares, its log above all, are not."""
    if url.startswith(SQLITE):
        directory = Path(url.removeprefix(SQLITE)).parent
        return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
    with psycopg.connect(url, autocommit=True) as connection:
        # What is in memory alone until then.
        connection.execute("CHECKPOINT")
        return dict(connection.execute(RELATIONS).fetchall())
