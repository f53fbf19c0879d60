"""Raw events in ClickHouse: stored through the one exact path, read by property and time, or in order of arrival."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clickmeter.storage.clickhouse.connection import Connection
from clickmeter.storage.clickhouse.rows import SELECTED, TEXTS, to_event
from clickmeter.storage.clickhouse.schema import migrate, quoted
from clickmeter.storage.clickhouse.writing import EventWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clickmeter.model import Batch, Event
    from clickmeter.storage.protocol import MetadataStore

IDENTITY = "events identity"
MUTATION_SETTINGS = {"mutations_sync": 1}
CHUNK_ROWS = 100_000
IN_RANGE = "property_id = {property:String} AND ts >= {start:Int64} AND ts < {end:Int64} AND seq > {after:UInt64}"


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
        if server_writes:
            self.check()

    def append(self, batches: Sequence[Batch]) -> list[int | None]:
        return self._writer.append(batches)

    def scan(
        self, property_id: str, columns: Sequence[str], *, start: int, end: int, after: int = 0
    ) -> Iterator[list[tuple[Any, ...]]]:
        sql = f"SELECT {', '.join(map(selected, columns))} FROM {self._table} WHERE {IN_RANGE}"
        rows = self._rows(sql, {"property": property_id, "start": start, "end": end, "after": after})
        for at in range(0, len(rows), CHUNK_ROWS):
            yield rows[at : at + CHUNK_ROWS]

    def count(self, property_id: str, *, start: int, end: int, after: int, limit: int) -> int:
        sql = f"SELECT count() FROM {self._table} WHERE {IN_RANGE}"
        [(count,)] = self._rows(sql, {"property": property_id, "start": start, "end": end, "after": after})
        return min(int(count), limit)

    def arrivals(self, columns: Sequence[str], *, after: int, limit: int) -> list[tuple[Any, ...]]:
        sql = f"""
            SELECT seq, property_id, {", ".join(map(selected, columns))} FROM {self._table}
            WHERE seq > {{after:UInt64}} ORDER BY seq LIMIT {{limit:UInt64}}
        """
        return self._rows(sql, {"after": after, "limit": limit})

    def last_position(self) -> int:
        [(last,)] = self._rows(f"SELECT max(seq) FROM {self._table}", {})
        return int(last)

    def live(self, property_ids: Sequence[str]) -> set[str]:
        return {id_ for id_ in property_ids if self._metadata.property(id_)}

    def identity(self) -> str:
        return self._metadata.secret(IDENTITY).hex()

    def event_at(self, position: int) -> str | None:
        rows = self._rows(
            f"SELECT {', '.join(SELECTED)} FROM {self._table} WHERE seq = {{seq:UInt64}}", {"seq": position}
        )
        return to_event(rows[0]).event_id if rows else None

    def first_event(self, property_id: str, *, include_bots: bool) -> int | None:
        sql = f"""
            SELECT min(ts), count() FROM {self._table}
            WHERE property_id = {{property:String}} AND bot <= {{bots:UInt8}}
        """
        [(first, count)] = self._rows(sql, {"property": property_id, "bots": int(include_bots)})
        return int(first) if count else None

    def export(self, property_id: str, *, after: int, limit: int) -> list[tuple[int, Event]]:
        sql = f"""
            SELECT seq, {", ".join(SELECTED)} FROM {self._table}
            WHERE property_id = {{property:String}} AND seq > {{after:UInt64}} ORDER BY seq LIMIT {{limit:UInt64}}
        """
        rows = self._rows(sql, {"property": property_id, "after": after, "limit": limit})
        return [(row[0], to_event(row[1:])) for row in rows]

    def purge(self, *, limit: int) -> int:
        # A mutation rewrites whole parts, so that removing a few events at a time would take the longer.
        del limit
        deleted = self._metadata.deleted_properties()
        if not deleted:
            return 0
        condition = "property_id IN {properties:Array(String)}"
        [(count,)] = self._rows(f"SELECT count() FROM {self._table} WHERE {condition}", {"properties": deleted})
        if count:
            with self._connection.refusing():
                self._connection.command(
                    f"ALTER TABLE {self._table} DELETE WHERE {condition}", {"properties": deleted}, MUTATION_SETTINGS
                )
        return int(count)

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
