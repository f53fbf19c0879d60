"""The roller: reads raw events past its watermark and adds them to the segments, a step at a time.

A step is stored whole or not at all, watermark included, so a crash loses and doubles nothing. Late and very old
events go to their own day like any others. Small segments of a day are merged when there are several of a size.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clickmeter.model import PAGEVIEW
from clickmeter.segments import build
from clickmeter.segments.dictionary import Dictionaries
from clickmeter.segments.reader import stale_days
from clickmeter.storage.segment import DAY_MS, HASHED, IDS, DiscardedError, PropertyRoll, Roll

if TYPE_CHECKING:
    from clickmeter.storage.protocol import EventStore, Removal, RollupStore
    from clickmeter.storage.segment import Segment, StoredSegment

STEP_ROWS = 20_000
MERGED_AT = 8
"""So many segments of about one size and the same day become one of the next size."""
LARGE_ROWS = 128 * 1024
"""Segments of this size are left alone."""

NO_PAGEVIEW = -1
WHOLE = 2**31
REBUILD, REBUILT = "rebuild", "rebuilt"
"""Notes: the property to build anew ("" for all of them), and up to which position that is done."""
UNKNOWN = ""
"""No epoch of any store."""
UNFINISHED = "\n"
"""Follows the id of a property that is being built anew; no id holds it."""
READ = ("ts", build.BOT, *IDS)


class Step(NamedTuple):
    """What a step did: how many events it took, and whether there is more to do."""

    events: int
    more: bool


class Roller:
    """Brings the rollups of one store up to its events. One roller at a time per store."""

    def __init__(self, events: EventStore, rollups: RollupStore) -> None:
        self._events = events
        self._rollups = rollups
        self._begin()

    def _begin(self) -> None:
        """Go on from where the rollups are."""
        with self._rollups.snapshot() as watermark:
            self._watermark = watermark
            self._epoch = self._rollups.epoch()
        self._generation = 0
        self._renewed = 0
        self._unsettled: set[Removal] = set()
        self._begin_rebuild(None)

    def _begin_rebuild(self, asked: str | None) -> None:
        """Begin with what is asked for, or with nothing; what is there of an unfinished rebuild is dropped."""
        for name in self._rollups.properties():
            if name.endswith(UNFINISHED):
                self._rollups.forget(name)
        self._dictionaries = Dictionaries(self._rollups)
        self._rebuilding = asked
        self._rebuilt = 0

    @property
    def watermark(self) -> int:
        """Every event up to this position is in the segments."""
        return self._watermark

    @property
    def behind(self) -> int:
        """How many positions of raw events are past the watermark."""
        return self._events.last_position() - self._watermark

    def step(self) -> Step:
        """Roll up the next events, at most STEP_ROWS; when there are none, go on with a rebuild that was asked for."""
        try:
            return self._step()
        except DiscardedError:
            self._begin()
            return Step(0, more=True)

    def _step(self) -> Step:
        if self._rollups.epoch() != self._epoch:
            raise DiscardedError
        self._generation = self._events.generation()
        rows = self._events.arrivals(READ, after=self._watermark, limit=STEP_ROWS)
        if not rows:
            return self._rebuild()
        self._store(rows[-1][0], self._parts(rows, suffix="", wanted=None))
        return Step(len(rows), more=True)

    def forget_deleted(self) -> None:
        """Remove what is kept of properties that are deleted."""
        kept = [name for name in self._rollups.properties() if not name.endswith(UNFINISHED)]
        for name in set(kept) - self._events.live(kept):
            self._rollups.forget(name)
        self._rollups.anchor()

    def renew(self) -> None:
        """Make the segments of days anew that events were removed from; reports read such days from raw until then.

        Removals come in rows. So only those are done after which there was no other when this was called the last time.
        """
        generation = self._events.generation()
        if generation > self._renewed:
            stale = {one for one in self._events.removals(after=self._renewed) if self._is_stale(one)}
            for removal in sorted(stale & self._unsettled):
                self._renew(removal)
            self._unsettled = stale - self._unsettled
            if not stale:
                self._renewed = generation

    def _is_stale(self, removal: Removal) -> bool:
        made, renewed = self._rollups.made_after(removal.property_id)
        return bool(stale_days({removal.day: removal.generation}, made, renewed))

    def _renew(self, removal: Removal) -> None:
        property_id, day = removal.property_id, removal.day
        part = PropertyRoll(property_id, {}, {}, [], [])
        part.replaced += [one.id for one in self._rollups.segments(property_id, first_day=day, last_day=day)]
        start = day * DAY_MS
        with self._events.snapshot():
            part.renewed = self._events.removed(property_id, first_day=day, last_day=day)
            rows: list[tuple[Any, ...]] = []
            for some in self._events.scan(property_id, READ, start=start, end=start + DAY_MS, until=self._watermark):
                rows += some
                if len(rows) >= LARGE_ROWS:
                    part.segments += self._segments(part, rows)
                    rows = []
        if rows:
            part.segments += self._segments(part, rows)
        # The roller's dictionaries may know values that were only in the events removed: those stay as they are.
        self._store(self._watermark, [part])

    def _rebuild(self) -> Step:
        """The next events of a rebuild, up to the watermark; they take the place of the old ones when all are there."""
        asked = self._rollups.note(REBUILD)
        if asked != self._rebuilding:
            self._begin_rebuild(asked)
        if asked is None:
            return Step(0, more=False)
        wanted = asked or None
        rows = self._events.arrivals(READ, after=self._rebuilt, limit=STEP_ROWS)
        if rows:
            self._store(self._watermark, self._parts(rows, suffix=UNFINISHED, wanted=wanted))
            self._rebuilt = rows[-1][0]
            self._rollups.set_note(REBUILT, str(self._rebuilt))
            return Step(len(rows), more=True)
        self._finish_rebuild(wanted)
        return Step(0, more=True)

    def _finish_rebuild(self, wanted: str | None) -> None:
        kept = self._rollups.properties()
        fresh = [name for name in kept if name.endswith(UNFINISHED)]
        gone = [name for name in kept if not name.endswith(UNFINISHED) and f"{name}{UNFINISHED}" not in fresh]
        self._rollups.replace({name: name.removesuffix(UNFINISHED) for name in fresh})
        for name in gone:
            # No event of it is left in the raw store.
            if wanted in (None, name):
                self._rollups.forget(name)
        self._rollups.set_note(REBUILT, None)
        if self._rollups.note(REBUILD) == (wanted or ""):
            self._rollups.set_note(REBUILD, None)
        self._begin()

    def _parts(self, rows: list[tuple[Any, ...]], *, suffix: str, wanted: str | None) -> list[PropertyRoll]:
        """What the rows add to their properties, kept under their ids and `suffix`; to `wanted` alone, unless None."""
        by_property = groupby(sorted(rows, key=property_of), property_of)
        return [
            self._part(f"{property_id}{suffix}", [*group])
            for property_id, group in by_property
            if property_id and wanted in (None, property_id)
        ]

    def _store(self, watermark: int, parts: list[PropertyRoll]) -> None:
        try:
            self._rollups.roll(Roll(self._epoch, self._generation, watermark, parts))
        except BaseException:
            # Whether the step was stored, only the store knows: the next one begins with what is there.
            self._epoch = UNKNOWN
            raise
        self._watermark = watermark
        for part in parts:
            for column in (*part.values, *part.hashes):
                self._dictionaries.column(part.property_id, column).stored()
        self._dictionaries.forget_if_many()

    def _part(self, property_id: str, rows: list[tuple[Any, ...]]) -> PropertyRoll:
        part = PropertyRoll(property_id, {}, {}, [], [])
        for fresh in self._segments(part, [row[2:] for row in rows]):
            self._add(part, fresh, self._pageview(property_id))
        return part

    def _segments(self, part: PropertyRoll, rows: list[tuple[Any, ...]]) -> list[Segment]:
        """The segments that rows of READ make; what they add to the dictionaries is added to the part."""
        columns = dict(zip(READ, zip(*rows, strict=True), strict=True))
        encoded = {name: np.array(columns[name], np.int64) for name in ("ts", build.BOT)}
        for name in IDS:
            dictionary = self._dictionaries.column(part.property_id, name)
            encoded[name] = dictionary.encode(columns[name])
            if dictionary.new:
                (part.hashes if name in HASHED else part.values)[name] = dictionary.new
        return build.segments(encoded, pageview=self._pageview(part.property_id))

    def _pageview(self, property_id: str) -> int:
        # Not only what this roller has met: segments it merges may be from before it was started.
        known = self._dictionaries.column(property_id, "type").find(PAGEVIEW)
        return NO_PAGEVIEW if known is None else known

    def _add(self, part: PropertyRoll, fresh: Segment, pageview: int) -> None:
        """Add a segment to its day, merged with the others of its size when there are enough of them."""
        alike = joining(self._rollups.small_segments(part.property_id, fresh.day, rows=LARGE_ROWS), fresh.rows)
        if not alike:
            part.segments.append(fresh)
            return
        blobs = [self._blob(one) for one in alike]
        people = [one.people for one in alike]
        part.segments.append(build.merged(fresh.day, [*blobs, fresh.blob], [*people, fresh.people], pageview=pageview))
        part.replaced += [one.id for one in alike]

    def _blob(self, segment: StoredSegment) -> bytes:
        return self._rollups.read(segment.id, offset=0, length=WHOLE)


def property_of(row: tuple[Any, ...]) -> str:
    """Sorts the rows of deleted properties, which have none, first."""
    return row[1] or ""


def joining(small: list[StoredSegment], rows: int) -> list[StoredSegment]:
    """Which segments one of so many rows is merged with; what comes of that may be one too many of the next size."""
    chosen: list[StoredSegment] = []
    while True:
        alike = [one for one in small if one not in chosen and tier(one.rows) <= tier(rows)]
        if len(alike) + 1 < MERGED_AT:
            return chosen
        chosen += alike
        rows += sum(one.rows for one in alike)


def tier(rows: int) -> int:
    """Segments of one tier differ in size by less than MERGED_AT times."""
    size = 0
    while rows >= MERGED_AT:
        rows //= MERGED_AT
        size += 1
    return size
