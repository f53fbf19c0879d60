"""Events that go while others stay: a condition, and ClickHouse rewrites the parts of the table that hold some.

That may take long in a large table, and it goes on in the background: nobody who stores or asks waits for it. Rows that
are to go are never inserted again (`EventWriter.before_removal`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from clickmeter.errors import Refusal
from clickmeter.storage.clickhouse.schema import quoted
from clickmeter.storage.move import require_open
from clickmeter.storage.protocol import BEGINNING, Erased

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickmeter.storage.clickhouse.connection import Connection
    from clickmeter.storage.clickhouse.writing import EventWriter
    from clickmeter.storage.protocol import MetadataStore

IN_BACKGROUND = {"mutations_sync": 0}
PAUSE_SECONDS = 0.01
UNDER_WAY = (0, 0)
"""Where an erasure is whose rows are being removed."""


class Removing:
    """Removes rows, one removal at a time."""

    def __init__(
        self, connection: Connection, writer: EventWriter, metadata: MetadataStore, *, patience: float
    ) -> None:
        """`patience` is how long the caller waits for a removal, in seconds, before it goes on without the caller."""
        self._patience = patience
        self._connection = connection
        self._writer = writer
        self._metadata = metadata
        self._database = connection.database
        self._table = f"{quoted(connection.database)}.{connection.own_events}"

    def remove(self, condition: str, parameters: Mapping[str, Any]) -> int:
        """Begin to remove the rows that meet a condition, and wait for it as long as patience lasts; how many.

        0 while an earlier removal is under way: ask again.
        """
        if not self._is_done():
            return 0
        return self._begin(condition, parameters)

    def erase(self, property_id: str, visitor_id: str, *, erased_at: int, after: tuple[int, int]) -> Erased:
        """See `EventStore.erase`; it is done when nothing is being removed any more."""
        if after != BEGINNING:
            return Erased(0, None if self._is_done() else after)
        if not self._is_done():
            return Erased(0, BEGINNING)
        condition = """
            property_id = {property:String} AND visitor_id = {visitor:String}
            AND (ts < {erased_at:Int64} OR received_at <= {erased_at:Int64})
        """
        given = {"property": property_id, "visitor": visitor_id, "erased_at": erased_at}
        removed = self._begin(condition, given, is_asked_for=True)
        return Erased(removed, None if self._is_done() else UNDER_WAY)

    def wait(self) -> None:
        """Return when nothing is being removed."""
        while not self._is_done():
            pass

    def _begin(self, condition: str, parameters: Mapping[str, Any], *, is_asked_for: bool = False) -> int:
        with self._connection.refusing():
            [(count,)] = self._connection.rows(f"SELECT count() FROM {self._table} WHERE {condition}", parameters)
        if count:
            with self._writer.before_removal(), self._connection.refusing():
                if is_asked_for:
                    require_open(self._metadata.closed())
                sql = f"ALTER TABLE {self._table} DELETE WHERE {condition}"
                self._connection.command(sql, parameters, IN_BACKGROUND)
            self._is_done()
        return int(count)

    def _is_done(self) -> bool:
        """Whether nothing is being removed, when the caller's patience ends at the latest."""
        give_up_at = time.monotonic() + self._patience
        while under_way := self._under_way():
            [(problem,)] = under_way
            if problem:
                raise Refusal("store_unavailable", f"ClickHouse cannot remove events: {problem}", retry_after=1)
            if time.monotonic() > give_up_at:
                return False
            time.sleep(PAUSE_SECONDS)
        return True

    def _under_way(self) -> list[tuple[Any, ...]]:
        """What the oldest removal that is not done complains of, if there is one."""
        sql = """
            SELECT latest_fail_reason FROM system.mutations
            WHERE database = {database:String} AND table = {events:String} AND NOT is_done ORDER BY create_time LIMIT 1
        """
        with self._connection.refusing():
            given = {"database": self._database, "events": self._connection.own_events}
            return self._connection.rows(sql, given)
