"""The schema, step by step. Step N takes a file from version N to N + 1; a step that has shipped is never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickmeter.errors import Refusal
from clickmeter.storage.sqlite.transaction import transaction

if TYPE_CHECKING:
    import apsw

APPLICATION_ID = 0x436C6B6D  # "Clkm", so that the file says whose it is

MIGRATIONS = (
    """
    CREATE TABLE store (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO store VALUES ('store_id', hex(randomblob(16))), ('revision', 0);

    CREATE TABLE properties (
        no INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        timezone TEXT NOT NULL,
        allowed_origins TEXT NOT NULL,
        bots TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        deleted_at INTEGER
    ) STRICT;

    CREATE TABLE keys (
        id TEXT PRIMARY KEY,
        type TEXT NOT NULL,
        property_no INTEGER REFERENCES properties (no),
        secret_hash BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        revoked_at INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX keys_by_property ON keys (property_no);

    -- AUTOINCREMENT: an id is never used again, so a position in the order of arrival stays one.
    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        property_no INTEGER NOT NULL,
        event_key BLOB NOT NULL,
        event_id TEXT,
        type TEXT NOT NULL,
        ts INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        visitor_id TEXT,
        session_id TEXT,
        user_id_hash TEXT,
        url TEXT,
        path TEXT,
        title TEXT,
        referrer TEXT,
        campaign_id TEXT,
        utm_source TEXT,
        utm_medium TEXT,
        utm_campaign TEXT,
        utm_term TEXT,
        utm_content TEXT,
        hostname TEXT,
        referrer_host TEXT,
        source TEXT,
        browser TEXT,
        os TEXT,
        device TEXT,
        language TEXT,
        country TEXT,
        region TEXT,
        city TEXT,
        bot INTEGER NOT NULL,
        data TEXT,
        extra TEXT,
        UNIQUE (property_no, event_key)
    ) STRICT;
    CREATE INDEX events_by_time ON events (property_no, ts);
    """,
    """
    ALTER TABLE properties ADD COLUMN tokens_only INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE keys ADD COLUMN text TEXT;
    """,
    """
    ALTER TABLE properties ADD COLUMN identity TEXT NOT NULL DEFAULT 'client';
    ALTER TABLE properties ADD COLUMN ip TEXT NOT NULL DEFAULT 'none';
    ALTER TABLE properties ADD COLUMN retention_days INTEGER;
    -- How many visitors were erased: 0 for most, and then nobody need look whether an event is of one.
    ALTER TABLE properties ADD COLUMN erasures INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE events ADD COLUMN ip TEXT;
    ALTER TABLE events ADD COLUMN daily INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX events_daily ON events (property_no, ts) WHERE daily;

    CREATE TABLE salts (
        property_no INTEGER NOT NULL REFERENCES properties (no),
        day TEXT NOT NULL,
        salt BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (property_no, day)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE erasures (
        property_no INTEGER NOT NULL REFERENCES properties (no),
        visitor BLOB NOT NULL,
        erased_at INTEGER NOT NULL,
        PRIMARY KEY (property_no, visitor)
    ) STRICT, WITHOUT ROWID;

    -- Days (UTC) that events were removed from, and the number of the last removal: rollups made before are stale.
    INSERT INTO store VALUES ('generation', 0);
    CREATE TABLE removals (
        property_no INTEGER NOT NULL REFERENCES properties (no),
        day INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        PRIMARY KEY (property_no, day)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE rejections (
        property_no INTEGER NOT NULL REFERENCES properties (no),
        day TEXT NOT NULL,
        code TEXT NOT NULL,
        events INTEGER NOT NULL,
        PRIMARY KEY (property_no, day, code)
    ) STRICT, WITHOUT ROWID;
    """,
)


def migrate(connection: apsw.Connection, path: str) -> None:
    """Bring the file to this program's schema, each step in a transaction of its own; safe to run from many processes.

    Raises ``store_unavailable`` for a file of another program or of a newer Clickmeter.
    """
    while version_of(connection, path) < len(MIGRATIONS):
        with transaction(connection):
            version = version_of(connection, path)
            if version < len(MIGRATIONS):
                connection.execute(MIGRATIONS[version])
                connection.execute(f"PRAGMA user_version = {version + 1}")
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def version_of(connection: apsw.Connection, path: str) -> int:
    version = int(connection.pragma("user_version"))
    application_id = connection.pragma("application_id")
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if application_id != APPLICATION_ID and (version or tables):
        raise Refusal("store_unavailable", f"{path} is a database of another program; choose another file.")
    if version > len(MIGRATIONS):
        raise Refusal(
            "store_unavailable",
            f"{path} was written by a newer Clickmeter (schema {version}, this one knows {len(MIGRATIONS)}); upgrade.",
        )
    return version
