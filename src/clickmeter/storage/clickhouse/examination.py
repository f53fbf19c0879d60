"""What an operator should know of events in ClickHouse: whether it answers, and what is not as safe as it should be."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from clickmeter.storage.clickhouse.connection import Connection
from clickmeter.storage.clickhouse.directory import is_open_elsewhere
from clickmeter.storage.clickhouse.schema import unsafe
from clickmeter.storage.protocol import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

ADVICE = "Tables that were made by Clickmeter have it; what changed them?"


def examine(url: str) -> Iterator[Finding]:
    """Findings about the events at `url`; ``store_unavailable`` when ClickHouse does not answer."""
    if is_open_elsewhere(url):
        yield Finding("note", f"{url} is open in a running server.", "Look at its /readyz, or stop it to look closer.")
        return
    with closing(Connection(url)) as connection, connection.refusing():
        [(version,)] = connection.rows("SELECT version()")
        yield Finding("ok", f"{connection.shown} answers; it is ClickHouse {version}.")
        for sentence in unsafe(connection):
            yield Finding("warning", sentence, ADVICE)
        sql = """
            SELECT latest_fail_reason FROM system.mutations
            WHERE database = {database:String} AND NOT is_done AND latest_fail_reason != ''
        """
        for (reason,) in connection.rows(sql, {"database": connection.database}):
            advice = "It is tried again and again; remove what is in its way."
            yield Finding("problem", f"ClickHouse cannot remove events: {reason}", advice)
