"""Two ClickHouse servers of one cluster, each a shard: two addresses of one chDB, with a database for each.

Statements are executed by ClickHouse itself, and what is read of both shards is merged by its own Distributed engine.
Three things differ from servers, since chDB speaks to no other process and cannot store into replicated tables: tables
are not replicated, the statement for all servers is executed here once for each, and the table that stands for all
shards is made by ``remote`` over this very process, where a view tells the shards apart.
"""

from __future__ import annotations

import re
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from clickmeter.storage.clickhouse.schema import DERIVED
from front import Front, Handler, chdb

HOSTS = {"127.0.0.2": 1, "127.0.0.3": 2}
DATABASE = "clicks"
CLUSTER = "two"
REPLICATED = re.compile(r"Replicated(\w*MergeTree)\([^)]*\)")
DERIVED_NAMES = ", ".join(DERIVED)
BOTH = f"""
    CREATE VIEW IF NOT EXISTS {DATABASE}_1.both AS
    SELECT *, {DERIVED_NAMES} FROM {DATABASE}_1.events_local WHERE shardNum() = 1
    UNION ALL SELECT *, {DERIVED_NAMES} FROM {DATABASE}_2.events_local WHERE shardNum() = 2
"""
SHARD = "<shard><weight>{weight}</weight><replica><host>{host}</host><port>9000</port></replica></shard>"


class ShardHandler(Handler):
    """One of the servers: the one whose address was connected to."""

    def execute(self, sql: str, data: bytes, given: dict[str, str]) -> tuple[int, bytes]:
        numbers = [HOSTS[self.connection.getsockname()[0]]]
        if f" ON CLUSTER `{CLUSTER}`" in sql:
            sql = REPLICATED.sub(r"\1", sql.replace(f" ON CLUSTER `{CLUSTER}`", ""))
            numbers = [*HOSTS.values()]
        if "ENGINE = Distributed" in sql:
            super().execute(BOTH, b"", {})
            sql = f"CREATE TABLE IF NOT EXISTS `{DATABASE}`.events AS remote('127.0.0.1,127.0.0.1', {DATABASE}_1, both)"
        answers = [super(ShardHandler, self).execute(self.of(n, sql), data, self.given_to(n, given)) for n in numbers]
        return max(answers, key=lambda answer: answer[0])

    def of(self, number: int, sql: str) -> str:
        """The statement for the database of one shard."""
        return sql.replace(f"`{DATABASE}`", f"`{DATABASE}_{number}`")

    def given_to(self, number: int, given: dict[str, str]) -> dict[str, str]:
        return {name: f"{DATABASE}_{number}" if value == DATABASE else value for name, value in given.items()}


class ShardsFront(Front):
    """A cluster of two shards."""

    script, host, path = __file__, "127.0.0.2", f"{DATABASE}?cluster={CLUSTER}"


def configuration() -> str:
    shards = "".join(SHARD.format(host=host, weight=1) for host in HOSTS)
    servers = f"<remote_servers><{CLUSTER}>{shards}</{CLUSTER}></remote_servers>"
    return f"<clickhouse>{servers}</clickhouse>"


def serve(directory: str) -> None:
    file = Path(f"{directory}.xml")
    file.write_text(configuration(), encoding="utf-8")
    Handler.directory = f"{directory}?config-file={file}"
    held: Any = chdb().connect(Handler.directory)  # keeps the engine open between requests
    first, second = HOSTS
    one = ThreadingHTTPServer((first, 0), ShardHandler)
    other = ThreadingHTTPServer((second, one.server_port), ShardHandler)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    sys.stdout.write(f"{one.server_port}\n")
    sys.stdout.flush()
    try:
        one.serve_forever()
    finally:
        held.close()


if __name__ == "__main__":
    serve(sys.argv[1])
