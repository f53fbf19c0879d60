"""Raw events in ClickHouse: stored through the one exact path, read by property, or in order of arrival."""

from __future__ import annotations

from itertools import groupby
from math import inf
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from clickmeter.storage.clickhouse.connection import Connection
from clickmeter.storage.clickhouse.disk import Disk
from clickmeter.storage.clickhouse.rows import SELECTED, TEXTS, joined_key, split_key, to_event
from clickmeter.storage.clickhouse.schema import DAY_MS, HOUR_MS, migrate, quoted, unsafe
from clickmeter.storage.clickhouse.sharded import storing
from clickmeter.storage.move import MARK_BITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clickmeter.model import Batch, Event
    from clickmeter.storage.protocol import Erased, MetadataStore

IDENTITY = "events identity"
MOMENT_SECONDS = 0.5
REMOVED_AT_ONCE = 1_000
"""Ids in the text of one statement."""
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
        self._disk = Disk(self._connection, self._connection.directory) if self._connection.directory else None
        self._table = f"{quoted(self._connection.database)}.events"
        # Whoever sends events to a server waits for the very thread that removes some.
        patience = MOMENT_SECONDS if server_writes else inf
        with self._connection.refusing():
            self._writer, self._removing = storing(
                self._connection, url, metadata, identity=self.identity(), patience=patience, disk=self._disk
            )
        if server_writes:
            self._writer.check()

    def append(self, batches: Sequence[Batch]) -> list[int | None]:
        self._require_room()
        return self._writer.append(batches, adopted=False)

    def adopt(self, batches: Sequence[Batch]) -> list[int | None]:
        self._require_room()
        return self._writer.append(batches, adopted=True)

    def whole(self, *, after: int, limit: int) -> list[tuple[int, str | None, Event]]:
        # Of one insert some rows may be seen before others: only what is settled is in order.
        settled = self._writer.settled_position()
        deleted = {*self._metadata.deleted_properties()}
        sql = f"""
            SELECT seq, property_id, {", ".join(SELECTED)} FROM {self._table}
            WHERE seq > {{after:UInt64}} AND seq <= {{until:UInt64}} ORDER BY seq
        """
        found: list[tuple[int, str | None, Event]] = []
        while after < settled and not found:
            # A range of numbers, since all rows would have to be sorted for the first ones; few numbers are of no row.
            until = min(after + self._writer.positions(limit), settled)
            rows = self._rows(sql, {"after": after, "until": until})
            found = [(row[0], None if row[1] in deleted else row[1], to_event(row[2:])) for row in rows]
            after = until
        return found

    def marks(self, property_id: str, *, start: int, end: int) -> Iterator[list[tuple[str, int]]]:
        sql = f"""
            SELECT event_key, key_kind, event_id, received_at FROM {self._table}
            WHERE {OF_PROPERTY} AND ts >= {{start:Int64}} AND ts < {{end:Int64}}
        """
        rows = self._rows(sql, {"property": property_id, "start": start, "end": end})
        yield [(joined_key(number, kind, text), received_at) for number, kind, text, received_at in rows]

    def tallies(self, property_id: str) -> dict[int, tuple[int, int]]:
        self._removing.wait()
        sql = f"""
            SELECT intDiv(ts, {DAY_MS}) AS day, count(), sum(bitAnd(received_at, {2**MARK_BITS - 1}))
            FROM {self._table} WHERE {OF_PROPERTY} GROUP BY day
        """
        rows = self._rows(sql, {"property": property_id})
        return {int(day): (int(events), int(total)) for day, events, total in rows}

    def remove(self, property_id: str, event_ids: Sequence[str], *, start: int, end: int) -> int:
        removed = 0
        for kind, numbers in by_kind(event_ids):
            for at in range(0, len(numbers), REMOVED_AT_ONCE):
                self._removing.wait()
                condition = f"""
                    {OF_PROPERTY} AND ts >= {{start:Int64}} AND ts < {{end:Int64}}
                    AND key_kind = {{kind:UInt8}} AND event_key IN {{keys:Array(UInt128)}}
                """
                given = {"property": property_id, "start": start, "end": end, "kind": kind}
                removed += self._removing.remove(condition, given | {"keys": numbers[at : at + REMOVED_AT_ONCE]})
        self._removing.wait()
        return removed

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
        wanted = f"{OF_PROPERTY} AND daily AND bot <= {{bots:UInt8}}"
        # What ClickHouse finds in the rollup by itself: whether there may be any.
        hours = (
            f"SELECT count() FROM {self._table} WHERE {wanted} AND hour >= {{first:Int32}} AND hour <= {{last:Int32}}"
        )
        of_hours = {"first": start // HOUR_MS, "last": end // HOUR_MS}
        range_ = "ts >= {start:Int64} AND ts < {end:Int64}"
        events = f"SELECT 1 FROM {self._table} WHERE {wanted} AND {range_} LIMIT 1"
        given = {"property": property_id, "bots": int(include_bots)}
        if self._rows(hours, given | of_hours) == [(0,)]:
            return False
        return bool(self._rows(events, given | {"start": start, "end": end}))

    def export(self, property_id: str, *, after: int, limit: int, since: int = 0) -> list[tuple[int, Event]]:
        sql = f"""
            SELECT seq, {", ".join(SELECTED)} FROM {self._table}
            WHERE {OF_PROPERTY} AND seq > {{after:UInt64}} AND seq <= {{until:UInt64}} AND ts >= {{since:Int64}}
            ORDER BY seq LIMIT {{limit:UInt64}}
        """
        given = {"property": property_id, "after": after, "limit": limit, "since": since}
        rows = self._rows(sql, given | {"until": self._writer.ordered_position(property_id)})
        return [(row[0], to_event(row[1:])) for row in rows]

    def purge(self, *, limit: int) -> int:  # noqa: ARG002 - all go at once
        self._require_room()
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
        self._require_room()
        self._writer.check()

    def close(self) -> None:
        self._writer.close()
        self._connection.close()
        self._metadata.close()

    def _require_room(self) -> None:
        if self._disk is not None:
            self._disk.require_room()

    def _rows(self, sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with self._connection.refusing():
            return self._connection.rows(sql, parameters)


def by_kind(event_ids: Sequence[str]) -> Iterator[tuple[int, list[int]]]:
    """The numbers of events' keys, by the kind of key."""
    keys = sorted((kind, number) for number, kind in map(split_key, event_ids))
    for kind, found in groupby(keys, itemgetter(0)):
        yield kind, [number for _, number in found]


def selected(column: str) -> str:
    """A column in which an absent value is NULL."""
    return f"nullIf({column}, '') AS {column}" if column in TEXTS or column == "campaign" else column
