"""The schema, step by step. Step N takes a database from version N to N + 1; a step that has shipped never changes.

Everything is in a PostgreSQL schema of its own, ``clickmeter``. Text is compared by code point, whatever the locale of
the database: every text column says ``COLLATE "C"``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg

from clickmeter.errors import Refusal
from clickmeter.storage.postgres.connection import SCHEMA

if TYPE_CHECKING:
    from clickmeter.storage.postgres.connection import Database

OLDEST_SERVER = 140_000
MIGRATION_LOCK = 0x436C6B6D_0001
"""Advisory locks are numbers that a whole database shares: ours begin with "Clkm"."""

LOOK_SECONDS = 0.1

MIGRATIONS = (
    f"""
    DO $$ BEGIN IF to_regnamespace('{SCHEMA}') IS NULL THEN CREATE SCHEMA {SCHEMA}; END IF; END $$;

    CREATE TABLE store (name text COLLATE "C" PRIMARY KEY, value text COLLATE "C" NOT NULL);
    INSERT INTO store VALUES ('store_id', gen_random_uuid()), ('revision', '0'), ('generation', '0'), ('check', '');

    CREATE TABLE properties (
        no integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id text COLLATE "C" NOT NULL UNIQUE,
        name text COLLATE "C" NOT NULL,
        timezone text COLLATE "C" NOT NULL,
        allowed_origins text COLLATE "C" NOT NULL,
        identity text COLLATE "C" NOT NULL,
        ip text COLLATE "C" NOT NULL,
        bots text COLLATE "C" NOT NULL,
        retention_days integer,
        tokens_only boolean NOT NULL,
        created_at bigint NOT NULL,
        deleted_at bigint,
        -- How many visitors were erased: 0 for most, and then nobody need look whether an event is of one.
        erasures integer NOT NULL DEFAULT 0
    );

    CREATE TABLE keys (
        id text COLLATE "C" PRIMARY KEY,
        type text COLLATE "C" NOT NULL,
        property_no integer REFERENCES properties (no),
        secret_hash bytea NOT NULL,
        created_at bigint NOT NULL,
        revoked_at bigint,
        text text COLLATE "C"
    );
    CREATE INDEX keys_by_property ON keys (property_no);

    -- Apart from the events: here writers wait for each other, before any of them is given a position.
    CREATE TABLE event_keys (
        property_no integer NOT NULL,
        event_key bytea NOT NULL,
        PRIMARY KEY (property_no, event_key)
    );

    CREATE TABLE events (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        ts bigint NOT NULL,
        received_at bigint NOT NULL,
        property_no integer NOT NULL,
        bot boolean NOT NULL,
        daily boolean NOT NULL,
        event_key bytea NOT NULL,
        event_id text COLLATE "C",
        type text COLLATE "C" NOT NULL,
        visitor_id text COLLATE "C",
        session_id text COLLATE "C",
        user_id_hash text COLLATE "C",
        url text COLLATE "C",
        path text COLLATE "C",
        title text COLLATE "C",
        referrer text COLLATE "C",
        campaign_id text COLLATE "C",
        utm_source text COLLATE "C",
        utm_medium text COLLATE "C",
        utm_campaign text COLLATE "C",
        utm_term text COLLATE "C",
        utm_content text COLLATE "C",
        hostname text COLLATE "C",
        referrer_host text COLLATE "C",
        source text COLLATE "C",
        browser text COLLATE "C",
        os text COLLATE "C",
        device text COLLATE "C",
        language text COLLATE "C",
        country text COLLATE "C",
        region text COLLATE "C",
        city text COLLATE "C",
        data text COLLATE "C",
        extra text COLLATE "C",
        ip text COLLATE "C"
    );
    CREATE INDEX events_by_time ON events (property_no, ts);
    CREATE INDEX events_daily ON events (property_no, ts) WHERE daily;

    CREATE TABLE salts (
        property_no integer NOT NULL REFERENCES properties (no),
        day text COLLATE "C" NOT NULL,
        salt bytea NOT NULL,
        created_at bigint NOT NULL,
        PRIMARY KEY (property_no, day)
    );

    CREATE TABLE erasures (
        property_no integer NOT NULL REFERENCES properties (no),
        visitor bytea NOT NULL,
        erased_at bigint NOT NULL,
        PRIMARY KEY (property_no, visitor)
    );

    -- Days (UTC) that events were removed from, and the number of the last removal: rollups made before are stale.
    CREATE TABLE removals (
        property_no integer NOT NULL REFERENCES properties (no),
        day integer NOT NULL,
        generation bigint NOT NULL,
        PRIMARY KEY (property_no, day)
    );

    CREATE TABLE rejections (
        property_no integer NOT NULL REFERENCES properties (no),
        day text COLLATE "C" NOT NULL,
        code text COLLATE "C" NOT NULL,
        events bigint NOT NULL,
        PRIMARY KEY (property_no, day, code)
    );

    CREATE TABLE rollup_state (name text COLLATE "C" PRIMARY KEY, value text COLLATE "C" NOT NULL);
    CREATE TABLE rollup_properties (
        no integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        id text COLLATE "C" NOT NULL UNIQUE,
        generation bigint NOT NULL
    );
    CREATE TABLE rollup_renewed (
        property_no integer NOT NULL,
        day integer NOT NULL,
        generation bigint NOT NULL,
        PRIMARY KEY (property_no, day)
    );
    -- A value may be longer than an index takes: it is found by a hash of 16 bytes, which is all an identifier leaves.
    CREATE TABLE rollup_values (
        property_no integer NOT NULL,
        column_no smallint NOT NULL,
        id integer NOT NULL,
        key bytea NOT NULL,
        value text COLLATE "C",
        PRIMARY KEY (property_no, column_no, key)
    );
    CREATE UNIQUE INDEX rollup_values_by_id ON rollup_values (property_no, column_no, id) WHERE value IS NOT NULL;
    CREATE TABLE rollup_sizes (
        property_no integer NOT NULL,
        column_no smallint NOT NULL,
        size integer NOT NULL,
        PRIMARY KEY (property_no, column_no)
    );
    CREATE TABLE rollup_segments (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        property_no integer NOT NULL,
        day integer NOT NULL,
        days integer NOT NULL,
        rows integer NOT NULL,
        people integer NOT NULL,
        pageviews integer NOT NULL,
        without_visitor integer NOT NULL,
        without_session integer NOT NULL,
        visitors bytea NOT NULL,
        sessions bytea NOT NULL,
        blob bytea NOT NULL
    );
    CREATE INDEX rollup_segments_by_day ON rollup_segments (property_no, day);
    CREATE INDEX rollup_segments_wide ON rollup_segments (property_no, day) WHERE days > 1;
    CREATE TABLE rollup_forgotten (property_no integer PRIMARY KEY);
    -- Not compressed again, so that a part of one is read without the rest.
    ALTER TABLE rollup_segments
        ALTER visitors SET STORAGE EXTERNAL, ALTER sessions SET STORAGE EXTERNAL, ALTER blob SET STORAGE EXTERNAL;
    """,
    """
    -- What the program keeps for itself; see `MetadataStore.set_note`. It is compressed already.
    CREATE TABLE notes (name text COLLATE "C" PRIMARY KEY, content bytea NOT NULL);
    ALTER TABLE notes ALTER content SET STORAGE EXTERNAL;
    """,
)


def migrate(database: Database) -> None:
    """Bring the database to this program's schema, each step in a transaction of its own; one process at a time does.

    Raises ``store_unavailable`` when it cannot be reached, is too old, not of UTF-8, or of a newer Clickmeter.
    """
    try:
        with database.translated():
            require_usable(database)
        while version_of(database) < len(MIGRATIONS):
            take_turn(database)
    except BaseException:
        database.close()
        raise


def take_turn(database: Database) -> None:
    """Take a step, or wait a moment for the process that does."""
    [(ours,)] = database.rows("SELECT pg_try_advisory_lock(%s)", (MIGRATION_LOCK,))
    if not ours:
        time.sleep(LOOK_SECONDS)
        return
    try:
        # Only a transaction that begins now is sure to know of tables that were made a moment ago.
        step(database)
    finally:
        database.rows("SELECT pg_advisory_unlock(%s)", (MIGRATION_LOCK,))


def step(database: Database) -> None:
    try:
        with database.transaction():
            version = version_of(database)
            if version < len(MIGRATIONS):
                database.run("SET LOCAL statement_timeout = 0")
                # Text without parameters: PostgreSQL takes many statements at once only so.
                database.session().execute(MIGRATIONS[version].encode(), prepare=False)
                database.run(
                    "INSERT INTO store VALUES ('schema', %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    (str(version + 1),),
                )
    except psycopg.errors.InsufficientPrivilege as error:
        raise Refusal(
            "store_unavailable",
            f"{database.name} cannot be set up ({error.diag.message_primary});"
            f" let its owner run: CREATE SCHEMA {SCHEMA} AUTHORIZATION your_user.",
        ) from None


def require_usable(database: Database) -> None:
    info = database.session().info
    if info.server_version < OLDEST_SERVER:
        raise Refusal(
            "store_unavailable",
            f"{database.name} is PostgreSQL {info.server_version // 10_000}; 14 or newer is needed.",
        )
    encoding = info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise Refusal(
            "store_unavailable", f"{database.name} has the encoding {encoding}; create a database with ENCODING 'UTF8'."
        )


def version_of(database: Database) -> int:
    """The schema's version, 0 where there is none yet."""
    [(known,)] = database.rows("SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.store",))
    rows = database.rows("SELECT value FROM store WHERE name = 'schema'") if known else []
    version = int(rows[0][0]) if rows else 0
    if version > len(MIGRATIONS):
        raise Refusal(
            "store_unavailable",
            f"{database.name} was written by a newer Clickmeter"
            f" (schema {version}, this one knows {len(MIGRATIONS)}); upgrade.",
        )
    return version
