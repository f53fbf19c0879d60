"""Raw events in ClickHouse: stored through the one exact path, read by property, or in order of arrival."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from clickmeter.storage.clickhouse.connection import Connection
from clickmeter.storage.clickhouse.removal import Removing
from clickmeter.storage.clickhouse.rows import SELECTED, TEXTS, to_event
from clickmeter.storage.clickhouse.schema import migrate, quoted, unsafe
from clickmeter.storage.clickhouse.writing import EventWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickmeter.model import Batch, Event
    from clickmeter.storage.protocol import Erased, MetadataStore

IDENTITY = "events identity"
MOMENT_SECONDS = 0.5
OF_PROPERTY = "property_id = {property:String}"


class ClickhouseEvents:
    """`EventStore` over one client of its own; not to be used from two threads at once."""

    def __init__(self, url: str, metadata: MetadataStore, *, server_writes: bool) -> None:
        """`metadata` has the properties of these events; it is closed with them.

        The process of a server that stores begins by settling what the one before has left.
        """
        self._metadata = metadata
        self._connection = Connection(url)
        with self._connection.refusing():
            migrate(self._connection, identity=self.identity())
        self._table = f"{quoted(self._connection.database)}.events"
        self._writer = EventWriter(self._connection, metadata)
        # Whoever sends events to a server waits for the very thread that removes some.
        self._removing = Removing(self._connection, self._writer, patience=MOMENT_SECONDS if server_writes else inf)
        if server_writes:
            self.check()

    def append(self, batches: Sequence[Batch]) -> list[int | None]:
        return self._writer.append(batches)

    def arrivals(self, columns: Sequence[str], *, after: int, limit: int) -> list[tuple[Any, ...]]:
        sql = f"""
            SELECT seq, property_id, {", ".join(map(selected, columns))} FROM {self._table}
            WHERE seq > {{after:UInt64}} ORDER BY seq LIMIT {{limit:UInt64}}
        """
        return self._rows(sql, {"after": after, "limit": limit})

    def last_position(self) -> int:
        return self._writer.last_position()

    def identity(self) -> str:
        return self._metadata.secret(IDENTITY).hex()

    def first_event(self, property_id: str, *, include_bots: bool, since: int = 0) -> int | None:
        sql = f"""
            SELECT min(ts), count() FROM {self._table}
            WHERE {OF_PROPERTY} AND bot <= {{bots:UInt8}} AND ts >= {{since:Int64}}
        """
        [(first, count)] = self._rows(sql, {"property": property_id, "bots": int(include_bots), "since": since})
        return int(first) if count else None

    def has_daily_ids(self, property_id: str, *, start: int, end: int, include_bots: bool) -> bool:
        sql = f"""
            SELECT 1 FROM {self._table}
            WHERE {OF_PROPERTY} AND ts >= {{start:Int64}} AND ts < {{end:Int64}} AND daily AND bot <= {{bots:UInt8}}
            LIMIT 1
        """
        given = {"property": property_id, "start": start, "end": end, "bots": int(include_bots)}
        return bool(self._rows(sql, given))

    def export(self, property_id: str, *, after: int, limit: int, since: int = 0) -> list[tuple[int, Event]]:
        sql = f"""
            SELECT seq, {", ".join(SELECTED)} FROM {self._table}
            WHERE {OF_PROPERTY} AND seq > {{after:UInt64}} AND ts >= {{since:Int64}}
            ORDER BY seq LIMIT {{limit:UInt64}}
        """
        rows = self._rows(sql, {"property": property_id, "after": after, "limit": limit, "since": since})
        return [(row[0], to_event(row[1:])) for row in rows]

    def purge(self, *, limit: int) -> int:  # noqa: ARG002 - all go at once
        deleted = self._metadata.deleted_properties()
        if not deleted:
            return 0
        return self._removing.remove("property_id IN {properties:Array(String)}", {"properties": deleted})

    def mark_erased(self, property_id: str, visitor_id: str, *, now: int) -> bool:
        return self._writer.mark_erased(property_id, visitor_id, now=now)

    def erase(
        self,
        property_id: str,
        visitor_id: str,
        *,
        erased_at: int,
        after: tuple[int, int],
        limit: int,  # noqa: ARG002 - all go at once
    ) -> Erased:
        return self._removing.erase(property_id, visitor_id, erased_at=erased_at, after=after)

    def expire(self, property_id: str, *, before: int, limit: int) -> int:  # noqa: ARG002 - all go at once
        condition = f"{OF_PROPERTY} AND ts < {{before:Int64}}"
        return self._removing.remove(condition, {"property": property_id, "before": before})

    def warnings(self) -> list[str]:
        with self._connection.refusing():
            return unsafe(self._connection)

    def check(self) -> None:
        self._writer.check()

    def close(self) -> None:
        self._connection.close()
        self._metadata.close()

    def _rows(self, sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with self._connection.refusing():
            return self._connection.rows(sql, parameters)


def selected(column: str) -> str:
    """A column in which an absent value is NULL."""
    return f"nullIf({column}, '') AS {column}" if column in TEXTS or column == "campaign" else column
