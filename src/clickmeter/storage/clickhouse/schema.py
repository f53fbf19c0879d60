"""The tables in ClickHouse, and the settings that make what they hold durable and exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickmeter.errors import Refusal
from clickmeter.model import PAGEVIEW
from clickmeter.storage.clickhouse.cluster import REPLICATED, engine, everywhere, rows_of_server, table_of_all

if TYPE_CHECKING:
    from clickmeter.storage.clickhouse.cluster import Cluster
    from clickmeter.storage.clickhouse.connection import Connection

VERSION = "1"
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
MAX_PARTITIONS = 50
"""Of one INSERT; the server's own limit is 100."""
DEDUPLICATION_WINDOW = 10_000
"""So many parts may be stored between an insert and its repetition, which is then still noticed."""

NAME = "LowCardinality(String)"

COLUMNS: dict[str, str] = {
    "property_id": NAME,
    "event_key": "UInt128",
    "key_kind": "UInt8",
    "event_id": "String",
    "seq": "UInt64",
    "type": NAME,
    "ts": "Int64",
    "received_at": "Int64",
    "visitor_key": "UInt64",
    "session_key": "UInt64",
    "visitor_id": "String",
    "session_id": "String",
    "user_id_hash": "String",
    "url": "String",
    "path": NAME,
    "title": NAME,
    "referrer": "String",
    "campaign": NAME,
    "campaign_id": NAME,
    "utm_source": NAME,
    "utm_medium": NAME,
    "utm_campaign": NAME,
    "utm_term": NAME,
    "utm_content": NAME,
    "hostname": NAME,
    "referrer_host": NAME,
    "source": NAME,
    "browser": NAME,
    "os": NAME,
    "device": NAME,
    "language": NAME,
    "country": NAME,
    "region": NAME,
    "city": NAME,
    "bot": "UInt8",
    "daily": "UInt8",
    "ip": "String",
    "data": "String",
    "data_values": "Map(LowCardinality(String), String)",
    "extra": "String",
}
"""Name -> type. An absent text is empty: an event holds no empty text but in its data."""
DERIVED = {
    "hour": ("Int32", f"intDiv(ts, {HOUR_MS})"),
    "is_view": ("UInt8", f"type = '{PAGEVIEW}'"),
    "without": ("UInt8", "(visitor_key = 0) + 2 * (session_key = 0)"),
}
"""Columns that ClickHouse makes of others: name -> type, value. `without` has a bit for each id that is missing."""
ROLLUPS = {
    "hours": ("property_id, hour, bot, daily, is_view, without", ", count()"),
    "people": ("property_id, hour, bot, is_view, visitor_key, session_key", ""),
}
"""Projections of events that are alike but for what is not named: name -> columns, aggregates."""
CODECS = {
    "event_key": "ZSTD(1)",
    "seq": "Delta, ZSTD(1)",
    "ts": "Delta, ZSTD(1)",
    "received_at": "Delta, ZSTD(1)",
}
DURABLE = {
    "fsync_after_insert": 1,
    "fsync_part_directory": 1,
    "min_rows_to_fsync_after_merge": 1,
    "non_replicated_deduplication_window": DEDUPLICATION_WINDOW,
}
"""An acknowledged insert is on disk, which is not ClickHouse's default, and its repetition is noticed."""
MERGED = {"min_age_to_force_merge_seconds": 3_600, "min_age_to_force_merge_on_partition_only": 1}
"""A month that nothing was stored in for an hour becomes one part, the fastest to count."""
PARTITION = "greatest(toYYYYMM(fromUnixTimestamp64Milli(ts, 'UTC')), 201501)"


def durable(cluster: Cluster | None) -> dict[str, int]:
    return DURABLE | REPLICATED if cluster else DURABLE


def events_table(database: str, cluster: Cluster | None = None) -> str:
    columns = ",\n".join(
        [
            *(f"{name} {type_} CODEC({CODECS.get(name, 'ZSTD(1)')})" for name, type_ in COLUMNS.items()),
            *(f"{name} {type_} MATERIALIZED {value} CODEC(ZSTD(1))" for name, (type_, value) in DERIVED.items()),
            *(f"PROJECTION {name} (SELECT {by}{more} GROUP BY {by})" for name, (by, more) in ROLLUPS.items()),
        ]
    )
    settings = ", ".join(f"{name} = {value}" for name, value in {**durable(cluster), **MERGED}.items())
    return f"""
        CREATE TABLE IF NOT EXISTS {database}.{rows_of_server(cluster)}{everywhere(cluster)} (
            {columns},
            PROJECTION by_key (
                SELECT property_id, event_key, key_kind ORDER BY property_id, event_key
            )
        )
        ENGINE = {engine("MergeTree", cluster)}
        PARTITION BY {PARTITION}
        ORDER BY (property_id, intDiv(ts, {DAY_MS}), visitor_key, session_key, ts)
        SETTINGS {settings}
    """


def store_table(database: str, cluster: Cluster | None = None) -> str:
    settings = ", ".join(f"{name} = {value}" for name, value in durable(cluster).items())
    return f"""
        CREATE TABLE IF NOT EXISTS {database}.store{everywhere(cluster)} (name String, value String)
        ENGINE = {engine("ReplacingMergeTree", cluster)} ORDER BY name SETTINGS {settings}
    """


def unsafe(connection: Connection) -> list[str]:
    """A sentence for each table that lacks a setting of DURABLE, as one does that was not made here."""
    sql = """
        SELECT name, create_table_query FROM system.tables
        WHERE database = {database:String} AND name IN ({events:String}, 'store') ORDER BY name
    """
    wanted = durable(connection.cluster)
    return [
        f"ClickHouse's table {table} lacks {', '.join(lacking)}, so that a crash of its machine may lose acknowledged"
        f" events; run ALTER TABLE {connection.database}.{table} MODIFY SETTING {', '.join(lacking)}."
        for table, statement in connection.rows(sql, {"database": connection.database, "events": connection.own_events})
        if (lacking := [setting for name in wanted if (setting := f"{name} = {wanted[name]}") not in statement])
    ]


STORE_COLUMNS = {"name": "String", "value": "String"}


def migrate(connection: Connection, *, identity: str) -> None:
    """Make the tables where there are none; raises Failed, and ``store_unavailable`` for those of another database.

    `identity` tells the metadata the events belong to from any other. In a cluster it is left with every shard
    (`Shards`), since this may be any of its servers.
    """
    database, cluster = quoted(connection.database), connection.cluster
    connection.command(f"CREATE DATABASE IF NOT EXISTS {database}{everywhere(cluster)}")
    connection.command(store_table(database, cluster))
    if cluster:
        connection.command(events_table(database, cluster))
        connection.command(table_of_all(database, cluster))
    else:
        claim(connection, identity=identity)
        connection.command(events_table(database))


def claim(connection: Connection, *, identity: str, shard: int = 0) -> None:
    """Leave with a server whose events it has, and of which shard; or find that it has others.

    Raises Failed, and ``store_unavailable`` when it does.
    """
    database = quoted(connection.database)
    wanted = {"version": VERSION, "identity": identity} | ({"shard": str(shard)} if shard else {})
    rows = [(name, value) for name, value in connection.rows(f"SELECT name, value FROM {database}.store")]
    found = dict(rows)
    if not found:
        connection.insert("store", STORE_COLUMNS, [[*wanted], [*wanted.values()]], {"async_insert": 0})
        found = wanted
    if found["version"] != VERSION:
        raise Refusal("store_unavailable", f"{connection.shown} was written by another Clickmeter; upgrade this one.")
    if found["identity"] != identity:
        raise Refusal(
            "store_unavailable",
            f"{connection.shown} holds the events of another database; the two URLs do not belong together.",
        )
    if shard and found.get("shard") != str(shard):
        sentence = f"{connection.shown} is shard {found.get('shard')} and not {shard}; put ClickHouse's list in order."
        raise Refusal("store_unavailable", sentence)


def quoted(name: str) -> str:
    """A name as an identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
