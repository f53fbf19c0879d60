"""The file rollups are in: whose events it is made of, whether it is whole, and how it is begun anew.

A process that is killed leaves the file as it was, whatever it was doing; a machine that goes down may not. Whoever
rolls up therefore notes on which run of the machine it does, until it ends in order. A note of another run casts doubt
on the file: until it has been looked through, nothing is read from it.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from clickmeter.storage.segment import BLOB_VERSION, new_epoch
from clickmeter.storage.sqlite.file import PAGE_BYTES

if TYPE_CHECKING:
    from clickmeter.storage.protocol import RolledEvents

VERSION = f"4.{BLOB_VERSION}"
"""Of the schema, and of what is in the blobs."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
NOBODY = ""
"""The note when nobody rolls up."""

SCHEMA = """
    CREATE TABLE state (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE properties (
        no INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, generation INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE renewed (
        property_no INTEGER NOT NULL, day INTEGER NOT NULL, generation INTEGER NOT NULL,
        PRIMARY KEY (property_no, day)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE forgotten (property_no INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE texts (
        property_no INTEGER NOT NULL, column_no INTEGER NOT NULL, value TEXT NOT NULL, id INTEGER NOT NULL,
        PRIMARY KEY (property_no, column_no, value)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX texts_by_id ON texts (property_no, column_no, id);
    CREATE TABLE hashes (
        property_no INTEGER NOT NULL, column_no INTEGER NOT NULL, value BLOB NOT NULL, id INTEGER NOT NULL,
        PRIMARY KEY (property_no, column_no, value)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE new_hashes (
        property_no INTEGER NOT NULL, column_no INTEGER NOT NULL, value BLOB NOT NULL, id INTEGER NOT NULL,
        PRIMARY KEY (property_no, column_no, value)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sizes (
        property_no INTEGER NOT NULL, column_no INTEGER NOT NULL, size INTEGER NOT NULL,
        PRIMARY KEY (property_no, column_no)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE segments (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        property_no INTEGER NOT NULL,
        day INTEGER NOT NULL,
        days INTEGER NOT NULL,
        rows INTEGER NOT NULL,
        people INTEGER NOT NULL,
        pageviews INTEGER NOT NULL,
        without_visitor INTEGER NOT NULL,
        without_session INTEGER NOT NULL,
        visitors BLOB NOT NULL,
        sessions BLOB NOT NULL,
        blob BLOB NOT NULL
    ) STRICT;
    CREATE INDEX segments_by_day ON segments (property_no, day);
    CREATE INDEX wide_segments ON segments (property_no, day, days) WHERE days > 1;
"""
TABLES = ("state", "properties", "renewed", "forgotten", "texts", "hashes", "new_hashes", "sizes", "segments")


def is_ours(connection: apsw.Connection, events: RolledEvents) -> bool:
    """Whether the file is of this program and of these events, and no further than they are."""
    if not connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'state'").get:
        return False
    rows: list[Any] = connection.execute("SELECT name, value FROM state").fetchall()
    state: dict[str, Any] = dict(rows)
    if state.get("version") != VERSION or state["identity"] != events.identity():
        return False
    watermark = int(state["watermark"])
    return watermark <= events.last_position() and state["event"] == (events.event_at(watermark) or "")


def start_afresh(connection: apsw.Connection, events: RolledEvents) -> None:
    """Empty tables; to be called in a transaction."""
    for table in TABLES:
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(SCHEMA)
    state = {
        "version": VERSION,
        "identity": events.identity(),
        "epoch": new_epoch(),
        "watermark": 0,
        "event": "",
        "rolled_on": NOBODY,
    }
    connection.executemany("INSERT INTO state VALUES (?, ?)", list(state.items()))


def empty(connection: apsw.Connection) -> None:
    """Make an empty database of whatever the file holds, for every process that has it open."""
    connection.config(apsw.SQLITE_DBCONFIG_RESET_DATABASE, 1)
    try:
        connection.pragma("page_size", PAGE_BYTES)
        connection.execute("VACUUM")
    finally:
        connection.config(apsw.SQLITE_DBCONFIG_RESET_DATABASE, 0)


def is_sound(connection: apsw.Connection) -> bool:
    """Look through the whole file: about a second for a gigabyte that is in memory, longer when it is not."""
    try:
        return bool(connection.execute("PRAGMA quick_check(1)").get == "ok")
    except (apsw.CorruptError, apsw.NotADBError):
        return False


@cache
def machine_run() -> str:
    """What tells this run of the machine from every other, and is the same for all its processes."""
    if BOOT_ID.exists():
        return BOOT_ID.read_text(encoding="ascii").strip()
    told = subprocess.run(["sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, text=True, check=False)  # noqa: S607 - macOS, which has it in one place
    return told.stdout.strip()
