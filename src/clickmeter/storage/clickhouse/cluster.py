"""What is different when events are in a cluster: what the URL says of it, and how tables and statements are made."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from clickmeter.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = re.compile(r"[A-Za-z0-9_.-]+")
ROWS, ROWS_OF_SHARD = "events", "events_local"
"""Where the rows are: in a cluster each shard has its own, and the first name stands for those of all shards."""
KEEPER_PATH = "/clickmeter/{database}/{table}/{shard}"
"""ClickHouse fills it in. A new replica finds the others there, which it would not by ClickHouse's default."""
FOR_EVER = 1_000_000_000
"""Seconds."""
REPLICATED = {"replicated_deduplication_window": 10_000, "replicated_deduplication_window_seconds": FOR_EVER}
"""Of replicated tables, beside `schema.DURABLE`: ClickHouse forgets what was inserted an hour ago otherwise."""
CLUSTER_SETTINGS: Mapping[str, Any] = {
    # An insert is acknowledged when most replicas have it, and whoever reads sees every acknowledged one, or nothing.
    "insert_quorum": "auto",
    "insert_quorum_parallel": 0,
    "select_sequential_consistency": 1,
    # The replica that was written to is asked first: it lacks nothing.
    "load_balancing": "in_order",
    # A report without the rows of a shard would be wrong, and so would one that joins each shard's rows by themselves.
    "skip_unavailable_shards": 0,
    "fallback_to_stale_replicas_for_distributed_queries": 0,
    "distributed_product_mode": "global",
    # A server that is down makes its tables when it is back.
    "distributed_ddl_output_mode": "null_status_on_timeout",
    "distributed_ddl_task_timeout": 10,
}
"""Of every statement."""


class Cluster(NamedTuple):
    """A cluster by the name that ClickHouse's configuration has for it."""

    name: str
    spread: frozenset[str] = frozenset()
    """The properties that are too large for one shard."""


def cluster_of(url: str) -> Cluster | None:
    """What ``?cluster=name&spread=property,property`` says; ``store_unavailable`` for anything else there."""
    given = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    if not given:
        return None
    if given.keys() - {"cluster", "spread"} or not NAME.fullmatch(given.get("cluster", "")):
        sentence = "After the ? of a ClickHouse URL there may be cluster=NAME and, beside it, spread=PROPERTY,PROPERTY."
        raise Refusal("store_unavailable", sentence)
    return Cluster(given["cluster"], frozenset(filter(None, given.get("spread", "").split(","))))


def rows_of_server(cluster: Cluster | None) -> str:
    """The table of a server's own rows."""
    return ROWS_OF_SHARD if cluster else ROWS


def everywhere(cluster: Cluster | None) -> str:
    """What makes a statement about a table one that every server of the cluster executes."""
    return f" ON CLUSTER `{cluster.name}`" if cluster else ""


def engine(kind: str, cluster: Cluster | None) -> str:
    return f"Replicated{kind}('{KEEPER_PATH}', '{{replica}}')" if cluster else kind


def table_of_all(database: str, cluster: Cluster) -> str:
    """The statement for a table that reads the rows of all shards. It has no sharding key: nobody inserts into it."""
    return f"""
        CREATE TABLE IF NOT EXISTS {database}.{ROWS}{everywhere(cluster)} AS {database}.{ROWS_OF_SHARD}
        ENGINE = Distributed(`{cluster.name}`, {database}, {ROWS_OF_SHARD})
    """


def url_at(url: str, host: str) -> str:
    """The same URL with another host."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    shown = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{user}{at}{shown}{port}").geturl()
