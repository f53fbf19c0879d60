"""Rollups in SQLite: a file of their own beside the events, which may lose its last commits but not its senses.

Its commits do not wait for the disk: after a power cut the last of them may be gone, watermark and segments together,
and are made again. The file names the events it was made from; with any others it starts afresh.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import apsw

from clickmeter.storage.segment import (
    MAX_DAYS,
    DiscardedError,
    PropertyRoll,
    RollupStatistics,
    Segment,
    StoredSegment,
    new_epoch,
)
from clickmeter.storage.sqlite.copying import shrink
from clickmeter.storage.sqlite.dictionaries import Dictionaries
from clickmeter.storage.sqlite.file import BUSY_TIMEOUT_MS, PAGE_BYTES, create, translated
from clickmeter.storage.sqlite.rollup_file import (
    NOBODY,
    empty,
    is_ours,
    is_sound,
    machine_run,
    start_afresh,
)
from clickmeter.storage.sqlite.transaction import transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clickmeter.storage.protocol import RolledEvents
    from clickmeter.storage.segment import Roll

log = logging.getLogger("clickmeter.storage")

CHECKPOINT_PAGES = 4_000
CACHE_KIB = 16 * 1024
"""What reports use again, they keep decoded."""
SWEPT_SEGMENTS = 100
"""At a time: some milliseconds."""

STORED = ", ".join(StoredSegment._fields)
REACHING = f"""
    SELECT {STORED} FROM segments INDEXED BY segments_by_day WHERE property_no = ? AND day BETWEEN ? AND ?
    UNION ALL
    SELECT {STORED} FROM segments INDEXED BY wide_segments
    WHERE property_no = ? AND days > 1 AND day BETWEEN ? AND ? AND day + days > ?
    ORDER BY day, id
"""
"""What begins in some days, and what began before them and reaches into them."""
WITHIN = f"""
    SELECT {STORED} FROM segments WHERE property_no = ? AND day BETWEEN ? AND ? AND day + days <= ? ORDER BY day, id
"""
SWEEPS = (
    f"DELETE FROM segments WHERE id IN (SELECT id FROM segments WHERE property_no = ? LIMIT {SWEPT_SEGMENTS})",
    "DELETE FROM renewed WHERE property_no = ?",
)
"""Each removes some of what is kept of a property; it is gone when none finds anything, and no dictionary does."""
FIELDS = Segment.__struct_fields__
INSERT_SEGMENT = (
    f"INSERT INTO segments (property_no, {', '.join(FIELDS)}) VALUES ({', '.join('?' * (len(FIELDS) + 1))})"
)


class SqliteRollups:
    """`RollupStore` over one connection of its own; not to be used from two threads at once."""

    def __init__(self, path: str, events: RolledEvents) -> None:
        """Rollups of other events than these, or of more than there are, are dropped at once, as are damaged ones."""
        self._path = path
        self._events = events
        with translated(path):
            create(path)
            self._connection = apsw.Connection(path)
            self._connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            try:
                self._begin()
            except (apsw.CorruptError, apsw.NotADBError) as error:
                log.warning("%s cannot be read and is made anew from the events: %s", path, error)
                empty(self._connection)
                self._begin()

    def _begin(self) -> None:
        for name, value in (
            ("page_size", PAGE_BYTES),
            ("journal_mode", "wal"),
            ("synchronous", "normal"),
            ("wal_autocheckpoint", CHECKPOINT_PAGES),
            ("cache_size", -CACHE_KIB),
        ):
            self._connection.pragma(name, value)
        self._dictionaries = Dictionaries(self._connection)
        self._doubted = False
        if not is_ours(self._connection, self._events):
            with transaction(self._connection):
                if not is_ours(self._connection, self._events):
                    start_afresh(self._connection, self._events)

    def begin_rolling(self) -> None:
        with translated(self._path):
            if self._is_in_doubt() and not is_sound(self._connection):
                log.warning("%s is damaged and is made anew from the events.", self._path)
                empty(self._connection)
                self._begin()
            self._set_state("rolled_on", machine_run())
        self._doubted = False

    def end_rolling(self) -> None:
        with translated(self._path):
            self._set_state("rolled_on", NOBODY)

    def _is_in_doubt(self) -> bool:
        return self._state("rolled_on") not in (NOBODY, machine_run())

    @contextmanager
    def snapshot(self) -> Iterator[int]:
        self._connection.execute("BEGIN")
        try:
            self._doubted = self._is_in_doubt()
            yield 0 if self._doubted else int(self._state("watermark"))
        finally:
            # Not COMMIT, which fails when what was read is damaged; reading from a failing disk may have ended it.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def epoch(self) -> str:
        return str(self._state("epoch"))

    def segments(self, property_id: str, *, first_day: int, last_day: int) -> list[StoredSegment]:
        number = self._number(property_id)
        given = (number, first_day, last_day, number, first_day - MAX_DAYS, first_day - 1, first_day)
        return [StoredSegment(*row) for row in self._rows(REACHING, given)]

    def bitmaps(self, segment_id: int) -> tuple[bytes, bytes]:
        [(visitors, sessions)] = self._rows("SELECT visitors, sessions FROM segments WHERE id = ?", (segment_id,))
        return visitors, sessions

    def read(self, segment_id: int, *, offset: int, length: int) -> bytes:
        sql = "SELECT substr(blob, ?, ?) FROM segments WHERE id = ?"
        return bytes(self._rows(sql, (offset + 1, length, segment_id))[0][0])

    def made_after(self, property_id: str) -> tuple[int, dict[int, int]]:
        number = self._number(property_id)
        rows = self._rows("SELECT generation FROM properties WHERE no = ?", (number,))
        days = self._rows("SELECT day, generation FROM renewed WHERE property_no = ?", (number,))
        return (int(rows[0][0]) if rows else 0), dict(days)

    def size(self, property_id: str, column: str) -> int:
        with translated(self._path):
            return self._dictionaries.size(self._number(property_id), column)

    def values(self, property_id: str, column: str, *, after: int, limit: int) -> list[str]:
        with translated(self._path):
            return self._dictionaries.values(self._number(property_id), column, after=after, limit=limit)

    def value_ids(self, property_id: str, column: str, values: Sequence[str | bytes]) -> dict[str | bytes, int]:
        with translated(self._path):
            return self._dictionaries.value_ids(self._number(property_id), column, values)

    def segments_within(
        self, property_id: str, *, first_day: int, last_day: int, rows: int | None
    ) -> list[StoredSegment] | None:
        found: list[StoredSegment] = []
        held = 0
        with translated(self._path):
            for row in self._connection.execute(WITHIN, (self._number(property_id), first_day, last_day, last_day + 1)):
                found.append(StoredSegment(*row))
                held += found[-1].rows
                if rows is not None and held > rows:
                    return None
        return found

    def elect(self) -> int | None:
        return 1  # whoever rolls up belongs to the one server of the file, or holds its lock

    def roll(self, roll: Roll) -> None:
        with translated(self._path):
            with transaction(self._connection):
                if self.epoch() != roll.epoch:
                    raise DiscardedError
                for part in roll.properties:
                    self._roll_property(part, roll.generation)
                self._set_state("watermark", roll.watermark)
                self._set_state("event", self._events.event_at(roll.watermark) or "")
            self._dictionaries.settle()

    def _roll_property(self, part: PropertyRoll, generation: int) -> None:
        execute, executemany = self._connection.execute, self._connection.executemany
        execute(
            "INSERT INTO properties (id, generation) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (part.property_id, generation),
        )
        number = self._number(part.property_id)
        self._dictionaries.add(number, part)
        executemany("DELETE FROM segments WHERE id = ?", [(id_,) for id_ in part.replaced])
        executemany("REPLACE INTO renewed VALUES (?, ?, ?)", [(number, *renewed) for renewed in part.renewed.items()])
        executemany(INSERT_SEGMENT, [(number, *(getattr(one, name) for name in FIELDS)) for one in part.segments])

    def anchor(self) -> None:
        with translated(self._path), transaction(self._connection):
            if self._events.event_at(int(self._state("watermark"))) is None and self._state("event"):
                self._set_state("event", "")

    def forget(self, property_id: str) -> None:
        with translated(self._path), transaction(self._connection):
            self._forget(property_id)

    def _forget(self, property_id: str) -> None:
        self._connection.execute("INSERT INTO forgotten SELECT no FROM properties WHERE id = ?", (property_id,))
        self._connection.execute("DELETE FROM properties WHERE id = ?", (property_id,))

    def replace(self, names: Mapping[str, str]) -> None:
        with translated(self._path), transaction(self._connection):
            for new, old in names.items():
                self._forget(old)
                self._connection.execute("UPDATE properties SET id = ? WHERE id = ?", (old, new))
            self._set_state("epoch", new_epoch())

    def sweep(self) -> bool:
        with translated(self._path), transaction(self._connection):
            number = self._connection.execute("SELECT min(property_no) FROM forgotten").get
            if number is None:
                return False
            if self._dictionaries.sweep(number):
                return True
            for sql in SWEEPS:
                self._connection.execute(sql, (number,))
                if self._connection.changes():
                    return True
            self._connection.execute("DELETE FROM forgotten WHERE property_no = ?", (number,))
            return True

    def properties(self) -> list[str]:
        return [id_ for (id_,) in self._rows("SELECT id FROM properties ORDER BY id", ())]

    def note(self, name: str) -> str | None:
        rows = self._rows("SELECT value FROM state WHERE name = ?", (f"note:{name}",))
        return str(rows[0][0]) if rows else None

    def set_note(self, name: str, text: str | None) -> None:
        with translated(self._path), transaction(self._connection):
            if text is None:
                self._connection.execute("DELETE FROM state WHERE name = ?", (f"note:{name}",))
            else:
                self._connection.execute("REPLACE INTO state VALUES (?, ?)", (f"note:{name}", text))

    def statistics(self) -> RollupStatistics:
        kept = "WHERE property_no NOT IN (SELECT property_no FROM forgotten)"
        [(segments, events)] = self._rows(f"SELECT count(*), coalesce(sum(rows), 0) FROM segments {kept}", ())
        [(values,)] = self._rows(f"SELECT coalesce(sum(size), 0) FROM sizes {kept}", ())
        pages = self._connection.pragma("page_count")
        return RollupStatistics(
            watermark=int(self._state("watermark")),
            properties=len(self.properties()),
            segments=segments,
            events=events,
            values=values,
            bytes=int(pages) * PAGE_BYTES,
        )

    def compact(self) -> None:
        """Write the file anew without what was dropped, and leave no log."""
        with translated(self._path):
            shrink(self._connection)

    def discard(self) -> None:
        with translated(self._path), transaction(self._connection):
            start_afresh(self._connection, self._events)

    def close(self) -> None:
        self._connection.close()

    def _state(self, name: str) -> Any:
        return self._rows("SELECT value FROM state WHERE name = ?", (name,))[0][0]

    def _set_state(self, name: str, value: str | int) -> None:
        self._connection.execute("UPDATE state SET value = ? WHERE name = ?", (value, name))

    def _number(self, property_id: str) -> int:
        """The property's number in this file; 0, which no property has, when nothing of it is rolled up for sure."""
        if self._doubted:
            return 0
        rows = self._rows("SELECT no FROM properties WHERE id = ?", (property_id,))
        return int(rows[0][0]) if rows else 0

    def _rows(self, sql: str, values: Sequence[Any]) -> list[Any]:
        with translated(self._path):
            return self._connection.execute(sql, tuple(values)).fetchall()
