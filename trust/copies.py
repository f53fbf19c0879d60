"""Databases of earlier schemas, filled, and as many copies of each as are wanted: what differs between the engines."""

from __future__ import annotations

import shutil
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import apsw
import psycopg

import cluster
from clickmeter.storage.sqlite.file import path_of
from service import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator

BULK = 20_000
"""Rows of no property, so that a step takes its time."""
SQLITE_BULK = f"""
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {BULK})
    INSERT INTO events (property_no, event_key, type, ts, received_at, bot)
    SELECT 99, randomblob(17), 'pageview', n, n, 0 FROM numbers
"""
POSTGRES_BULK = f"""
    INSERT INTO clickmeter.events (property_no, event_key, type, ts, received_at, bot, daily)
    SELECT 99, int8send(n), 'pageview', n, n, false, false FROM generate_series(1, {BULK}) n
"""
SQLITE_SHAPE = """
    SELECT name, sql FROM sqlite_schema UNION ALL SELECT 'version', user_version FROM pragma_user_version
    UNION ALL SELECT 'integrity', integrity_check FROM pragma_integrity_check ORDER BY 1, 2
"""
POSTGRES_SHAPE = """
    SELECT table_name || '.' || column_name, data_type || is_nullable || coalesce(column_default, '')
    FROM information_schema.columns WHERE table_schema = 'clickmeter'
    UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'clickmeter'
    UNION ALL SELECT 'version', value FROM clickmeter.store WHERE name = 'schema' ORDER BY 1, 2
"""


def add_bulk(url: str) -> None:
    if url.startswith("sqlite:"):
        with closing(apsw.Connection(path_of(url))) as file:
            file.execute(SQLITE_BULK)
    else:
        with psycopg.connect(url) as connection:
            connection.execute(POSTGRES_BULK)


@contextmanager
def copy_of(url: str) -> Iterator[str]:
    """The URL of a copy of a database that nobody uses, or of one that does not exist yet; it is removed again."""
    if url.startswith("sqlite:"):
        place = Path(path_of(url)).parent
        copy = Path(mkdtemp(dir=place.parent))
        shutil.copytree(place, copy, dirs_exist_ok=True)
        yield sqlite_url(copy)
        shutil.rmtree(copy)
    else:
        made = cluster.create_database(cluster.with_database(url, "postgres"), f"TEMPLATE {cluster.database_of(url)}")
        yield made
        cluster.drop_database(cluster.with_database(url, "postgres"), made)


def shape_of(url: str) -> list[tuple[Any, ...]]:
    """The schema as the engine has it, and its version."""
    if url.startswith("sqlite:"):
        with closing(apsw.Connection(path_of(url))) as file:
            return list(file.execute(SQLITE_SHAPE))
    with psycopg.connect(url) as connection:
        return connection.execute(POSTGRES_SHAPE.encode()).fetchall()
