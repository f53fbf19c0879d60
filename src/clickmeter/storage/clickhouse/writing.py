"""How does every event get into ClickHouse exactly once? The one path by which rows are stored.

ClickHouse has no unique keys, so whoever holds the lock looks up which ids are there and inserts the others. What is
about to be inserted is first noted in the metadata store (the journal): when it is not known what became of an insert,
because the connection was lost or the writer died, the same rows are inserted again with the same token, which
ClickHouse recognizes, however late the first attempt arrives. Nothing is looked up anew until that is settled.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

import lz4.frame
import msgspec

from clickmeter.model import Batch, Event
from clickmeter.storage.clickhouse.connection import NEVER_SENT, Failed
from clickmeter.storage.clickhouse.rows import Keys, split_key, to_columns
from clickmeter.storage.clickhouse.schema import COLUMNS, DAY_MS, MAX_PARTITIONS, STORE_COLUMNS, quoted
from clickmeter.storage.move import require_open
from clickmeter.storage.protocol import NEWEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from clickmeter.storage.clickhouse.connection import Connection
    from clickmeter.storage.clickhouse.disk import Disk
    from clickmeter.storage.protocol import MetadataStore

LOCK = "events"
JOURNAL = "events journal"
ATTEMPTS = 3
FIRST_MONTH = 201_501
MAX_SHARDS = 1_024
ALL_ROWS = 1 << 30

INSERT_SETTINGS = {
    "async_insert": 0,
    "wait_for_async_insert": 1,
    "insert_deduplicate": 1,
    "deduplicate_insert": "enable",
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "max_insert_threads": 1,
    # A month's rows of one insert become one part, however many they are and however large.
    "min_insert_block_size_rows": ALL_ROWS,
    "min_insert_block_size_bytes": 0,
    "max_partitions_per_insert_block": MAX_PARTITIONS,
    "throw_on_max_partitions_per_insert_block": 1,
}
"""Every setting an insert's exactness rests on: what ClickHouse does without them has changed before."""
LOOKUP_SETTINGS = {"optimize_use_projections": 1, "select_sequential_consistency": 1}

log = logging.getLogger("clickmeter.clickhouse")

Row = tuple[str, int, Event]
Key = tuple[int, int]


class Entry(msgspec.Struct, array_like=True):
    """What one insert is about to store: events that are not there, numbered from `first` in their order."""

    first: int
    batches: list[Batch]
    step: int = 1
    """From one number to the next: the shards of a cluster give out numbers in turns."""

    @property
    def last(self) -> int:
        """The number of its last row, or of the last one before when it has none."""
        return self.first + (sum(len(batch.events) for batch in self.batches) - 1) * self.step

    def rows(self) -> list[Row]:
        pairs = [(batch.property_id, event) for batch in self.batches for event in batch.events]
        return [(property_id, self.first + n * self.step, event) for n, (property_id, event) in enumerate(pairs)]


encode_entry = msgspec.msgpack.Encoder().encode
decode_entry = msgspec.msgpack.Decoder(Entry).decode


def decoded(noted: bytes) -> Entry:
    return decode_entry(lz4.frame.decompress(noted))


class EventWriter:
    """Stores batches, one holder of the lock at a time, whichever process it is in."""

    def __init__(
        self, connection: Connection, metadata: MetadataStore, *, shard: int = 0, disk: Disk | None = None
    ) -> None:
        """In a cluster `shard` is the number of the one the connection leads to; each has its own lock and journal.

        `disk` is the one beneath chDB.
        """
        self._connection = connection
        self._disk = disk
        self._metadata = metadata
        self._shard, self._step = shard, MAX_SHARDS if shard else 1
        self._lock, self._journal = (f"{name} {shard}" if shard else name for name in (LOCK, JOURNAL))
        self._table = f"{quoted(connection.database)}.{connection.own_events}"
        self._keys = Keys(metadata.secret("visitor key"))
        self._settled: bytes | None = None
        self._last = 0

    def append(self, batches: Sequence[Batch], *, adopted: bool) -> list[int | None]:
        """See `EventStore.append`, and `EventStore.adopt`."""
        with self._metadata.exclusive(self._lock):
            if not adopted:
                require_open(self._metadata.closed())
            self._settle()
            live = {id_ for id_ in {batch.property_id for batch in batches} if self._metadata.property(id_)}
            wanted = [batch for batch in batches if batch.property_id in live]
            if not adopted:
                wanted = self._metadata.not_erased(wanted)
            fresh = self._fresh(wanted)
            if any(batch.events for batch in fresh):
                self._store(Entry(self._last + self._step, fresh, self._step))
        duplicates = [len(one.events) - len(new.events) for one, new in zip(wanted, fresh, strict=True)]
        counts = iter(duplicates)
        return [next(counts) if batch.property_id in live else None for batch in batches]

    @contextmanager
    def before_removal(self) -> Iterator[None]:
        """To begin to remove rows inside: nothing of the last insert will be missed and inserted again.

        Positions are given out once: the journal keeps the last one, which may be of a row that is removed.
        """
        with self._metadata.exclusive(self._lock):
            self._settle()
            if self._last:
                self._note_last(self._last)
            yield

    def settled_position(self) -> int:
        """The number up to which everything is stored that ever will be."""
        with self._metadata.exclusive(self._lock):
            self._settle()
            return self._last

    def ordered_position(self, property_id: str) -> int:  # noqa: ARG002 - see `ShardedWriter`
        """The number up to which the order of the property's rows is final: one writer at a time makes it."""
        return NEWEST

    def positions(self, rows: int) -> int:
        """How many numbers have at most so many rows."""
        return rows

    def close(self) -> None:
        """The connection is its owner's to close."""

    def advance(self, position: int) -> None:
        """From now on number rows past a position, which another shard has reached."""
        with self._metadata.exclusive(self._lock):
            self._settle()
            reached = position - (position - self._shard) % self._step
            if self._last < reached:
                self._note_last(reached)

    def mark_erased(self, property_id: str, visitor_id: str, *, now: int) -> bool:
        """See `EventStore.mark_erased`; whoever is storing has stored before, or will see it."""
        with self._metadata.exclusive(self._lock):
            self._settle()
            return self._metadata.mark_erased(property_id, visitor_id, now=now)

    def last_position(self) -> int:
        """The number of the newest row there has ever been."""
        noted = self._metadata.note(self._journal)
        return max(self._stored_last(), decoded(noted).last if noted else 0)

    def check(self) -> None:
        """Settle what a writer before has left, and write a row that says nothing; raises when that is impossible."""
        with self._metadata.exclusive(self._lock):
            self._settle()
            with self._connection.refusing():
                self._connection.insert("store", STORE_COLUMNS, [["checked"], [""]], {"async_insert": 0})

    def _fresh(self, batches: Sequence[Batch]) -> list[Batch]:
        """The same batches with only the events that are not stored yet, each id once."""
        seen = {property_id: self._stored(property_id, events) for property_id, events in by_property(batches)}
        return [Batch(batch.property_id, list(unseen(batch.events, seen[batch.property_id]))) for batch in batches]

    def _stored(self, property_id: str, events: Sequence[Event]) -> set[Key]:
        """The keys of those events that are stored."""
        numbers = sorted({split_key(event.event_id)[0] for event in events})
        sql = f"""
            SELECT event_key, key_kind FROM {self._table}
            WHERE property_id = {{property:String}} AND event_key IN {{keys:Array(UInt128)}}
        """
        with self._connection.refusing():
            return set(self._connection.rows(sql, {"property": property_id, "keys": numbers}, LOOKUP_SETTINGS))

    def _store(self, entry: Entry) -> None:
        rows = entry.rows()
        self._settled = None
        noted = self._note(entry)
        try:
            self._insert(rows, token_of(rows))
        except Failed as failed:
            if failed.code != NEVER_SENT:
                raise self._connection.refusal(failed) from failed
            # Nothing of it can arrive any more. Whoever asked finds out which event cannot be written.
            self._note_last(self._last)
            raise
        self._settled, self._last = noted, entry.last

    def _note_last(self, position: int) -> None:
        """Note that everything up to a position is stored."""
        self._note(Entry(position + self._step, [], self._step))

    def _note(self, entry: Entry) -> bytes:
        noted: bytes = lz4.frame.compress(encode_entry(entry))
        self._metadata.set_note(self._journal, noted)
        return noted

    def _settle(self) -> None:
        """Have it known what became of the last insert, whoever made it."""
        noted = self._metadata.note(self._journal)
        if noted is not None and noted == self._settled:
            return
        stored = self._stored_last()
        entry = decoded(noted) if noted else Entry(self._shard + self._step, [], self._step)
        rows = entry.rows()
        # Whoever stored later ones had settled this one.
        if rows and entry.last >= stored:
            with self._connection.refusing():
                self._insert(list(self._missing(rows)), self._token_of_repetition(rows))
        self._settled, self._last = noted, max(stored, entry.last)

    def _stored_last(self) -> int:
        with self._connection.refusing():
            [(stored,)] = self._connection.rows(f"SELECT max(seq) FROM {self._table}")
        return int(stored)

    def _missing(self, rows: Sequence[Row]) -> Iterator[Row]:
        """The rows of those months that hold none of them: a month's rows are stored together or not at all.

        Asked rather than left to the token, since ClickHouse's memory of tokens may be lost in a power cut.
        """
        for _, of_month in groupby(sorted(rows, key=month_of), month_of):
            listed = list(of_month)
            property_id, _, event = listed[0]
            if split_key(event.event_id) not in self._stored(property_id, [event]):
                yield from listed

    def _token_of_repetition(self, rows: Sequence[Row]) -> str:
        """The first attempt's, which may still arrive; a new one in chDB, which may remember that of a broken part."""
        return secrets.token_hex() if self._disk else token_of(rows)

    def _insert(self, rows: Sequence[Row], token: str) -> None:
        """Insert the rows, a few months at a time; raises Failed.

        ClickHouse puts the month before the token: what is repeated of an entry is recognized month by month.
        """
        for months in chunks(rows):
            self._insert_once(to_columns(months, self._keys), INSERT_SETTINGS | {"insert_deduplication_token": token})
            if self._disk is not None:
                self._disk.require_sound()

    def _insert_once(self, columns: list[list[Any]], settings: dict[str, Any]) -> None:
        """Insert one chunk; the same again as long as it is not known what became of it."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._connection.insert(self._connection.own_events, COLUMNS, columns, settings)
            except Failed as failed:
                if failed.code is not None or attempt == ATTEMPTS:
                    raise
                log.warning("What became of an insert is not known; trying again. attempt=%d: %s", attempt, failed)
        return None


def by_property(batches: Sequence[Batch]) -> Iterator[tuple[str, list[Event]]]:
    """The events of each property, over all batches."""
    for property_id in {batch.property_id for batch in batches}:
        yield property_id, [event for batch in batches if batch.property_id == property_id for event in batch.events]


def unseen(events: Iterable[Event], seen: set[Key]) -> Iterator[Event]:
    """The events whose keys are not seen yet; they are now."""
    for event in events:
        key = split_key(event.event_id)
        if key not in seen:
            seen.add(key)
            yield event


def month_of(row: Row) -> int:
    """The partition of a row, as `schema.PARTITION` has it."""
    return month_of_day(row[2].ts // DAY_MS)


@lru_cache
def month_of_day(day: int) -> int:
    """The same of a UTC day since 1970-01-01."""
    moment = datetime.fromtimestamp(day * DAY_MS // 1000, UTC)
    return max(moment.year * 100 + moment.month, FIRST_MONTH)


def chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """The rows in parts of at most MAX_PARTITIONS months."""
    months = sorted({month_of(row) for row in rows})
    for at in range(0, len(months), MAX_PARTITIONS):
        wanted = {*months[at : at + MAX_PARTITIONS]}
        yield rows if len(wanted) == len(months) else [row for row in rows if month_of(row) in wanted]


def token_of(rows: Sequence[Row]) -> str:
    """What makes an insert the same as its repetition: the ids, and the place in the order of arrival."""
    hash_ = hashlib.blake2b(digest_size=16)
    for property_id, seq, event in rows:
        hash_.update(f"{property_id}\n{seq}\n{event.event_id}\n".encode())
    return hash_.hexdigest()
