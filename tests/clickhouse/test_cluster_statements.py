"""The statements that make a cluster's tables: understood by ClickHouse's parser, and by its own keeper for tests."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from clickmeter.errors import Refusal
from clickmeter.storage.clickhouse.cluster import REPLICATED, Cluster, cluster_of, everywhere, table_of_all, url_at
from clickmeter.storage.clickhouse.connection import Connection
from clickmeter.storage.clickhouse.schema import DURABLE, events_table, store_table

if TYPE_CHECKING:
    from pathlib import Path

    from stores import EventStores

CLUSTER = Cluster("prod")
CONFIGURATION = """
    <clickhouse>
        <zookeeper><implementation>testkeeper</implementation></zookeeper>
        <macros><shard>7</shard><replica>r1</replica></macros>
        <remote_servers><prod><shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard></prod></remote_servers>
    </clickhouse>
"""
MAKING = """
import os, sys
import chdb
held = chdb.connect(sys.argv[1])
try:
    for statement in sys.argv[2:]:
        held.query(statement)
    print(held.query("SELECT name, engine FROM system.tables WHERE database = 'd' ORDER BY name"), end="")
    print(held.query("SELECT zookeeper_path FROM system.replicas ORDER BY table"), end="")
except RuntimeError as error:
    print(error)
sys.stdout.flush()
os._exit(0)  # a replica without the rest of a server waits for ever when it is ended in order
"""


@pytest.mark.parametrize("statement", [events_table("`d`", CLUSTER), store_table("`d`", CLUSTER)])
def test_tables_of_a_cluster_are_replicated_everywhere_and_durable(stores: EventStores, statement: str) -> None:
    formatted = format_(stores, statement)
    assert " ON CLUSTER prod\n" in formatted
    assert re.search(
        r"ENGINE = Replicated\w*MergeTree\('/clickmeter/{database}/{table}/{shard}', '{replica}'\)", formatted
    )
    for name, value in (DURABLE | REPLICATED).items():
        assert f"{name} = {value}" in formatted


def test_what_reads_all_shards_is_a_table_that_nobody_can_insert_into(stores: EventStores) -> None:
    formatted = format_(stores, table_of_all("`d`", CLUSTER))
    assert formatted.endswith("AS d.events_local\nENGINE = Distributed(prod, d, events_local)")


def format_(stores: EventStores, statement: str) -> str:
    """The statement as ClickHouse's own parser understands it."""
    connection = Connection(stores.events_url)
    [(formatted,)] = connection.rows("SELECT formatQuery({statement:String})", {"statement": statement})
    connection.close()
    return str(formatted)


def test_what_a_url_may_say_of_a_cluster() -> None:
    url = "clickhouse://u:secret@host:8124/db"
    assert cluster_of(url) is None
    assert cluster_of(f"{url}?cluster=prod") == CLUSTER
    assert cluster_of(f"{url}?cluster=prod&spread=a,b") == Cluster("prod", frozenset("ab"))
    for wrong in ("clusters=prod", "spread=a", "cluster=", "cluster=a`b", "cluster=prod&shards=2"):
        with pytest.raises(Refusal, match="cluster=NAME"):
            cluster_of(f"{url}?{wrong}")


def test_the_url_of_another_server() -> None:
    assert url_at("clickhouse://u:secret@a:8124/db?cluster=x", "b") == "clickhouse://u:secret@b:8124/db?cluster=x"
    assert url_at("clickhouses://a/db", "::1") == "clickhouses://[::1]/db"


def test_clickhouse_makes_the_tables_with_a_keeper(tmp_path: Path) -> None:
    """That of one process, which registers replicas but does not let them store: nothing is inserted here."""
    file = tmp_path / "server.xml"
    file.write_text(CONFIGURATION, encoding="utf-8")
    statements = [events_table("d", CLUSTER), store_table("d", CLUSTER), table_of_all("d", CLUSTER)]
    here = ["CREATE DATABASE d", *(one.replace(everywhere(CLUSTER), "") for one in statements)]
    line = [sys.executable, "-c", MAKING, f"{tmp_path / 'data'}?config-file={file}", *here]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.splitlines() == [
        '"events","Distributed"',
        '"events_local","ReplicatedMergeTree"',
        '"store","ReplicatedReplacingMergeTree"',
        '"/clickmeter/d/events_local/7"',
        '"/clickmeter/d/store/7"',
    ], done.stderr
