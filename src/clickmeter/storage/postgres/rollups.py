"""Rollups in PostgreSQL: beside the events in the same database, read with them at one moment.

Their commits do not wait for the disk: after a crash the last of them may be gone, watermark and segments together, and
are made again.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from clickmeter.storage.postgres.dictionaries import NUMBER, Dictionaries
from clickmeter.storage.postgres.election import Election
from clickmeter.storage.postgres.moment import Moment
from clickmeter.storage.segment import (
    BLOB_VERSION,
    COLUMNS,
    MAX_DAYS,
    DiscardedError,
    PropertyRoll,
    RollupStatistics,
    Segment,
    StoredSegment,
    new_epoch,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from clickmeter.storage.postgres.events import PostgresEvents
    from clickmeter.storage.segment import Roll

VERSION = f"2.{BLOB_VERSION}"
"""Of what the rows and blobs mean."""
LONGEST = 2**31 - 1
"""Of what PostgreSQL keeps in a column, in bytes."""
STATE_LOCK = 0x436C6B6D_0004
TABLES = ("rollup_values", "rollup_sizes", "rollup_segments", "rollup_renewed")
"""Which hold rows of properties."""
SEGMENTS_AT_ONCE = 100
SWEPT_SEGMENTS, SWEPT_VALUES = 100, 5_000
"""At a time: some milliseconds."""
STORED = ", ".join(StoredSegment._fields)
REACHING = f"""
    SELECT {STORED} FROM rollup_segments WHERE property_no = {NUMBER} AND day BETWEEN %s AND %s
    UNION ALL
    SELECT {STORED} FROM rollup_segments
    WHERE property_no = {NUMBER} AND days > 1 AND day BETWEEN %s AND %s AND day + days > %s
    ORDER BY day, id
"""
"""What begins in some days, and what began before them and reaches into them."""
WITHIN = f"""
    SELECT {STORED} FROM rollup_segments
    WHERE property_no = {NUMBER} AND day BETWEEN %s AND %s AND day + days <= %s ORDER BY day, id
"""
SWEEPS = (
    f"""
        DELETE FROM rollup_segments
        WHERE id IN (SELECT id FROM rollup_segments WHERE property_no = %s LIMIT {SWEPT_SEGMENTS})
    """,
    f"""
        DELETE FROM rollup_values
        WHERE ctid = ANY(ARRAY(SELECT ctid FROM rollup_values WHERE property_no = %s LIMIT {SWEPT_VALUES}))
    """,
    "DELETE FROM rollup_sizes WHERE property_no = %s",
    "DELETE FROM rollup_renewed WHERE property_no = %s",
)
"""Each removes some of what is kept of a property; it is gone when none finds anything."""
FIELDS = Segment.__struct_fields__
INSERT_SEGMENT = f"""
    INSERT INTO rollup_segments (property_no, {", ".join(FIELDS)}) VALUES ({", ".join(["%s"] * (len(FIELDS) + 1))})
"""
INSERT_PROPERTY = "INSERT INTO rollup_properties (id, generation) VALUES (%s, %s) ON CONFLICT DO NOTHING"
RENEW = """
    INSERT INTO rollup_renewed VALUES (%s, %s, %s)
    ON CONFLICT (property_no, day) DO UPDATE SET generation = excluded.generation
"""
SET_STATE = "INSERT INTO rollup_state VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


class PostgresRollups:
    """`RollupStore` over the connection of its events; not to be used from two threads at once."""

    def __init__(self, events: PostgresEvents) -> None:
        """Rollups of other events than these, or of more than there are, are dropped at once."""
        self._events = events
        self._database = events.database
        self._dictionaries = Dictionaries(events.database)
        self._election = Election(events.database)
        self._moment: Moment | None = None
        if not self._is_ours():
            with self._write():
                if not self._is_ours():
                    self._start_afresh()

    def begin_rolling(self) -> None:
        """PostgreSQL itself sees to it that nothing is damaged."""

    def end_rolling(self) -> None:
        """Nobody needs to know."""

    @contextmanager
    def snapshot(self) -> Iterator[int]:
        with self._database.snapshot():
            self._moment = Moment(self._states(), bitmaps=self._bitmaps, blobs=self._blobs)
            try:
                yield int(self._state("watermark"))
            finally:
                self._moment = None

    def epoch(self) -> str:
        return self._state("epoch")

    def segments(self, property_id: str, *, first_day: int, last_day: int) -> list[StoredSegment]:
        given = (property_id, first_day, last_day, property_id, first_day - MAX_DAYS, first_day - 1, first_day)
        found = [StoredSegment(*row) for row in self._rows(REACHING, *given)]
        if self._moment is not None:
            self._moment.expect(found)
        return found

    def bitmaps(self, segment_id: int) -> tuple[bytes, bytes]:
        ahead = self._moment.bitmaps.get(segment_id) if self._moment else None
        return ahead or dict(self._bitmaps([segment_id]))[segment_id]

    def _bitmaps(self, ids: list[int]) -> Iterable[tuple[int, tuple[bytes, bytes]]]:
        rows = self._rows("SELECT id, visitors, sessions FROM rollup_segments WHERE id = ANY(%s)", ids)
        return ((id_, (visitors, sessions)) for id_, visitors, sessions in rows)

    def read(self, segment_id: int, *, offset: int, length: int) -> bytes:
        ahead = self._moment.blobs.get(segment_id) if self._moment else None
        if ahead is not None:
            return ahead[offset : offset + length]
        sql = "SELECT substr(blob, %s::integer, %s::integer) FROM rollup_segments WHERE id = %s"
        return bytes(self._rows(sql, offset + 1, min(length, LONGEST), segment_id)[0][0])

    def _blobs(self, ids: list[int]) -> Iterable[tuple[int, bytes]]:
        return ((id_, blob) for id_, blob in self._rows("SELECT id, blob FROM rollup_segments WHERE id = ANY(%s)", ids))

    def made_after(self, property_id: str) -> tuple[int, dict[int, int]]:
        sql = """
            SELECT made.generation, day, renewed.generation FROM rollup_properties AS made
            LEFT JOIN rollup_renewed AS renewed ON property_no = no WHERE id = %s
        """
        rows = self._rows(sql, property_id)
        return (rows[0][0] if rows else 0), {day: renewed for _, day, renewed in rows if day is not None}

    def size(self, property_id: str, column: str) -> int:
        known = self._moment.sizes.get(property_id) if self._moment else None
        if known is None:
            known = self._dictionaries.sizes(property_id)
            if self._moment is not None:
                self._moment.sizes[property_id] = known
        return known.get(COLUMNS[column], 0)

    def values(self, property_id: str, column: str, *, after: int, limit: int) -> list[str]:
        return self._dictionaries.values(property_id, column, after=after, limit=limit)

    def value_ids(self, property_id: str, column: str, values: Sequence[str | bytes]) -> dict[str | bytes, int]:
        return self._dictionaries.value_ids(property_id, column, values)

    def segments_within(
        self, property_id: str, *, first_day: int, last_day: int, rows: int | None
    ) -> list[StoredSegment] | None:
        given = (property_id, first_day, last_day, last_day + 1)
        found: list[StoredSegment] = []
        held = 0
        with self._database.hold(), self._database.cursor(WITHIN, given) as cursor:
            while some := cursor.fetchmany(SEGMENTS_AT_ONCE):
                found += [StoredSegment(*row) for row in some]
                held += sum(one.rows for one in found[-len(some) :])
                if rows is not None and held > rows:
                    return None
        return found

    def elect(self) -> int | None:
        return self._election.term()

    def roll(self, roll: Roll) -> None:
        with self._write():
            if self.epoch() != roll.epoch:
                raise DiscardedError
            for part in roll.properties:
                self._roll_property(part, roll.generation)
            self._set_state("watermark", str(roll.watermark))
            self._set_state("event", self._events.event_at(roll.watermark) or "")

    def _roll_property(self, part: PropertyRoll, generation: int) -> None:
        run = self._database.run
        run(INSERT_PROPERTY, (part.property_id, generation))
        [(number,)] = self._rows(f"SELECT {NUMBER}", part.property_id)
        if part.values or part.hashes:
            self._dictionaries.add(number, part)
        if part.replaced:
            run("DELETE FROM rollup_segments WHERE id = ANY(%s)", (part.replaced,))
        for renewed in part.renewed.items():
            run(RENEW, (number, *renewed))
        for one in part.segments:
            run(INSERT_SEGMENT, (number, *(getattr(one, name) for name in FIELDS)))

    def anchor(self) -> None:
        with self._write():
            if self._events.event_at(int(self._state("watermark"))) is None and self._state("event"):
                self._set_state("event", "")

    def forget(self, property_id: str) -> None:
        with self._write():
            self._forget(property_id)

    def _forget(self, property_id: str) -> None:
        self._database.run(
            """
                WITH gone AS (DELETE FROM rollup_properties WHERE id = %s RETURNING no)
                INSERT INTO rollup_forgotten SELECT no FROM gone
            """,
            (property_id,),
        )

    def replace(self, names: Mapping[str, str]) -> None:
        with self._write():
            for new, old in names.items():
                self._forget(old)
                self._database.run("UPDATE rollup_properties SET id = %s WHERE id = %s", (old, new))
            self._set_state("epoch", new_epoch())

    def sweep(self) -> bool:
        if not self._rows("SELECT FROM rollup_forgotten LIMIT 1"):
            return False  # as nearly always, and without waiting for a turn
        with self._write():
            [(number,)] = self._rows("SELECT min(property_no) FROM rollup_forgotten")
            if number is None:
                return False
            if not any(self._database.run(sql, (number,)).rowcount for sql in SWEEPS):
                self._database.run("DELETE FROM rollup_forgotten WHERE property_no = %s", (number,))
            return True

    def properties(self) -> list[str]:
        return [id_ for (id_,) in self._rows("SELECT id FROM rollup_properties ORDER BY id")]

    def note(self, name: str) -> str | None:
        rows = self._rows("SELECT value FROM rollup_state WHERE name = %s", f"note:{name}")
        return str(rows[0][0]) if rows else None

    def set_note(self, name: str, text: str | None) -> None:
        with self._write():
            if text is None:
                self._database.run("DELETE FROM rollup_state WHERE name = %s", (f"note:{name}",))
            else:
                self._set_state(f"note:{name}", text)

    def statistics(self) -> RollupStatistics:
        kept = "WHERE property_no NOT IN (SELECT property_no FROM rollup_forgotten)"
        [(segments, events)] = self._rows(
            f"SELECT count(*), coalesce(sum(rows), 0)::bigint FROM rollup_segments {kept}"
        )
        [(values,)] = self._rows(f"SELECT coalesce(sum(size), 0)::bigint FROM rollup_sizes {kept}")
        [(size,)] = self._rows(
            "SELECT sum(pg_total_relation_size(name::regclass))::bigint FROM unnest(%s::text[]) AS name", [*TABLES]
        )
        return RollupStatistics(
            watermark=int(self._state("watermark")),
            properties=len(self.properties()),
            segments=segments,
            events=events,
            values=values,
            bytes=size,
        )

    def discard(self) -> None:
        with self._write():
            self._start_afresh()

    def close(self) -> None:
        """The connection is closed with the events."""

    def _is_ours(self) -> bool:
        """Whether the rollups are of this program and of these events, and no further than they are."""
        state = self._states()
        if state.get("version") != VERSION or state["identity"] != self._events.identity():
            return False
        watermark = int(state["watermark"])
        return watermark <= self._events.last_position() and state["event"] == (self._events.event_at(watermark) or "")

    def _start_afresh(self) -> None:
        # Not by TRUNCATE, which would empty them for reports that began before, too.
        for table in (*TABLES, "rollup_forgotten", "rollup_properties", "rollup_state"):
            self._database.run(f"DELETE FROM {table}")
        state = {
            "version": VERSION,
            "identity": self._events.identity(),
            "epoch": new_epoch(),
            "watermark": "0",
            "event": "",
        }
        for name, value in state.items():
            self._set_state(name, value)

    @contextmanager
    def _write(self) -> Iterator[None]:
        """A change of the rollups, one at a time, as long as it takes, not waiting for the disk."""
        with self._database.transaction():
            self._database.run("SELECT pg_advisory_xact_lock(%s)", (STATE_LOCK,))
            self._database.run("SET LOCAL statement_timeout = 0")
            self._database.run("SET LOCAL synchronous_commit = off")
            yield

    def _states(self) -> dict[str, str]:
        return {name: value for name, value in self._rows("SELECT name, value FROM rollup_state")}  # noqa: C416 - as above

    def _state(self, name: str) -> str:
        if self._moment is not None:
            return self._moment.state[name]
        return str(self._rows("SELECT value FROM rollup_state WHERE name = %s", name)[0][0])

    def _set_state(self, name: str, value: str) -> None:
        self._database.run(SET_STATE, (name, value))

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._database.rows(sql, values)
