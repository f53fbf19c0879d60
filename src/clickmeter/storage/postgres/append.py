"""Storing a group of batches: one transaction, exactly one row for each event key, positions in the order of commit.

1. The keys go into ``event_keys``, sorted. Whoever has one of them under way already is waited for here, and nowhere
   else; which keys were new is known afterwards.
2. The rows of the new ones are copied into a temporary table.
3. In one message to the server: take the turn to commit, move the rows into ``events``, where they get their ids, and
   commit. Ids are given and committed by one writer at a time, so nobody ever sees one and later a smaller one. The
   message is whole when the server begins with it: a client that hangs or dies cannot keep the turn.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg

from clickmeter.storage.event_key import event_key
from clickmeter.storage.move import require_open
from clickmeter.storage.postgres.contents import CLOSED, HELD
from clickmeter.storage.postgres.removal import not_erased
from clickmeter.storage.rows import STORED_AS_THEY_ARE, to_keyed_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clickmeter.model import Batch, Event
    from clickmeter.storage.postgres.connection import Database

APPEND_SECONDS = 6.5
"""After so long it is not tried again: the clients do, who are answered after eight."""
PAUSE_SECONDS = 0.05
COMMIT_LOCK = 0x436C6B6D_0002
INTEGERS, FLAGS = ("ts", "received_at"), ("bot", "daily")
COPIED = ("property_no", "event_key", "event_id", *STORED_AS_THEY_ARE)
TYPES = [
    "int4",
    "int4",
    "bytea",
    "text",
    *("int8" if name in INTEGERS else "bool" if name in FLAGS else "text" for name in STORED_AS_THEY_ARE),
]
NAMES = ", ".join(COPIED)
STAGE = f"CREATE TEMPORARY TABLE staged ON COMMIT DELETE ROWS AS SELECT 0 AS place, {NAMES} FROM events WITH NO DATA"
"""To be run once on every connection that appends."""
PROPERTIES = f"""
    SELECT id, no, erasures, pg_current_xact_id()::text, ({CLOSED})
    FROM properties WHERE id = ANY(%s) AND deleted_at IS NULL
"""
KEYS = """
    INSERT INTO event_keys
    SELECT * FROM unnest(%s::integer[], %s::bytea[]) AS given (property_no, event_key)
    ORDER BY property_no, event_key
    ON CONFLICT DO NOTHING
    RETURNING property_no, event_key
"""
TAKE_TURN = f"SELECT pg_advisory_xact_lock({COMMIT_LOCK})"
MOVE = f"INSERT INTO events ({NAMES}) SELECT {NAMES} FROM staged ORDER BY place"
"""A table of many pages is not read in the order it was written in."""

Key = tuple[int, bytes]
Counts = list[int | None]


class First(NamedTuple):
    """The first event of the group with its key: the one that is stored, if the key is new."""

    batch: int
    event: Event


class Attempt:
    """One try at storing a group. What is known of it is here when it fails."""

    def __init__(self, database: Database, batches: Sequence[Batch], *, adopted: bool) -> None:
        self._database = database
        self._batches = batches
        self._adopted = adopted
        self.counts: Counts = []
        self.transaction: str | None = None
        """Its number, by which to ask later whether it was committed."""

    def run(self) -> Counts:
        """How many duplicates each batch has, None where its property is gone; PostgreSQL's own errors."""
        self._database.once(STAGE)
        with self._database.untranslated() as session:
            numbers, batches = self._look_up(session)
            firsts = firsts_of(batches, numbers)
            new = self._store_keys(firsts)
            self.counts = counts_of(batches, numbers, [firsts[key].batch for key in new])
            if new:
                # In the order they came in, not in that of the keys.
                kept = [(key, first.event) for key, first in firsts.items() if key in new]
                copy(session, kept)
                commit(session)
        return self.counts

    def _look_up(self, session: psycopg.Connection[Any]) -> tuple[dict[str, int], Sequence[Batch]]:
        """The numbers of the properties, and the batches without the events of erased visitors."""
        # Two statements in one round trip: the second must not have begun before the first has waited.
        with session.pipeline():
            self._database.run(HELD)
            found = self._database.run(PROPERTIES, ([*{batch.property_id for batch in self._batches}],))
        rows = found.fetchall()
        self.transaction = rows[0][3] if rows else None
        numbers = {id_: number for id_, number, *_ in rows}
        if self._adopted or not rows:
            return numbers, self._batches
        require_open(rows[0][4])
        erasures = {id_: number for id_, number, erased, *_ in rows if erased}
        return numbers, not_erased(self._database, self._batches, erasures) if erasures else self._batches

    def _store_keys(self, firsts: dict[Key, First]) -> set[Key]:
        if not firsts:
            return set()
        return {*self._database.run(KEYS, literals(firsts)).fetchall()}


def literals(keys: Iterable[Key]) -> tuple[str, str]:
    """The numbers and the keys as arrays in PostgreSQL's text: a third of the time psycopg takes for lists of bytes."""
    numbers, texts = zip(*((str(number), f'"\\\\x{key.hex()}"') for number, key in keys), strict=True)
    return f"{{{','.join(numbers)}}}", f"{{{','.join(texts)}}}"


def append(database: Database, batches: Sequence[Batch], *, adopted: bool) -> Counts:
    """Store the batches and return their counts; try again what another writer or a lost connection cut short.

    `adopted`: they are of another store, and nothing is in their way.
    """
    give_up_at = time.monotonic() + APPEND_SECONDS
    while True:
        attempt = Attempt(database, batches, adopted=adopted)
        try:
            return attempt.run()
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
            if time.monotonic() > give_up_at:
                raise
        except psycopg.OperationalError:
            if not database.is_lost or time.monotonic() > give_up_at:
                raise
            if was_committed(database, attempt.transaction, give_up_at=give_up_at):
                return attempt.counts
        time.sleep(PAUSE_SECONDS * random.random())  # noqa: S311 - so that two writers do not meet again


def was_committed(database: Database, transaction: str | None, *, give_up_at: float) -> bool:
    """Whether a transaction whose connection was lost is stored after all.

    When nobody knows any more, it is not taken for stored: what is stored already is found to be when it is tried
    again, and counted as duplicates.
    """
    while transaction is not None:
        try:
            [(status,)] = database.rows("SELECT pg_xact_status(%s::xid8)", (transaction,))
        except psycopg.DataError:
            return False  # another server has taken over, which has never been so far
        if status != "in progress" or time.monotonic() > give_up_at:
            return bool(status == "committed")
        time.sleep(PAUSE_SECONDS)
    return False


def firsts_of(batches: Sequence[Batch], numbers: dict[str, int]) -> dict[Key, First]:
    """The events that are the first of the group with their key, by key, in the order they came in."""
    firsts: dict[Key, First] = {}
    for place, batch in enumerate(batches):
        number = numbers.get(batch.property_id)
        if number is not None:
            for event in batch.events:
                firsts.setdefault((number, event_key(event.event_id)), First(place, event))
    return firsts


def counts_of(batches: Sequence[Batch], numbers: dict[str, int], stored: Sequence[int]) -> Counts:
    """Duplicates of each batch; `stored` has the batch's place once for each of its events that is stored."""
    new = [0] * len(batches)
    for place in stored:
        new[place] += 1
    return [
        len(batch.events) - new[place] if batch.property_id in numbers else None for place, batch in enumerate(batches)
    ]


def copy(session: psycopg.Connection[Any], events: Sequence[tuple[Key, Event]]) -> None:
    with session.cursor() as cursor, cursor.copy(b"COPY staged FROM STDIN (FORMAT binary)") as into:
        into.set_types(TYPES)
        for place, ((number, key), event) in enumerate(events):
            into.write_row((place, *to_keyed_row(number, key, event)))


def commit(session: psycopg.Connection[Any]) -> None:
    """The last three statements, sent as one."""
    with session.pipeline():
        for statement in (TAKE_TURN, MOVE, "COMMIT"):
            last = session.execute(statement.encode())
    assert last.statusmessage == "COMMIT"
