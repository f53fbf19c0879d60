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
from clickmeter.storage.segment import HASHED, IDS, PropertyRoll, Roll

if TYPE_CHECKING:
    from clickmeter.storage.protocol import EventStore, RollupStore
    from clickmeter.storage.segment import Segment, StoredSegment

STEP_ROWS = 20_000
MERGED_AT = 8
"""So many segments of about one size and the same day become one of the next size."""
LARGE_ROWS = 128 * 1024
"""Segments of this size are left alone."""

NO_PAGEVIEW = -1
WHOLE = 2**31
READ = ("ts", build.BOT, *IDS)


class Step(NamedTuple):
    """What a step did: how many events it took, and whether there may be more."""

    events: int
    more: bool


class Roller:
    """Brings the rollups of one store up to its events. One roller at a time per store."""

    def __init__(self, events: EventStore, rollups: RollupStore) -> None:
        self._events = events
        self._rollups = rollups
        self._dictionaries = Dictionaries(rollups)
        with rollups.snapshot() as watermark:
            self._watermark = watermark

    @property
    def watermark(self) -> int:
        """Every event up to this position is in the segments."""
        return self._watermark

    def step(self) -> Step:
        """Roll up the next events, at most STEP_ROWS."""
        rows = self._events.arrivals(READ, after=self._watermark, limit=STEP_ROWS)
        if not rows:
            return Step(0, more=False)
        by_property = groupby(sorted(rows, key=property_of), property_of)
        parts = [self._part(property_id, [*group]) for property_id, group in by_property if property_id]
        watermark = rows[-1][0]
        try:
            self._rollups.roll(Roll(watermark, parts))
        except BaseException:
            # Ids given in this step were not stored; the next try gives them anew.
            self._dictionaries = Dictionaries(self._rollups)
            raise
        self._watermark = watermark
        for part in parts:
            for column in (*part.values, *part.hashes):
                self._dictionaries.column(part.property_id, column).stored()
        self._dictionaries.forget_if_many()
        return Step(len(rows), more=len(rows) == STEP_ROWS)

    def _part(self, property_id: str, rows: list[tuple[Any, ...]]) -> PropertyRoll:
        columns = dict(zip(READ, list(zip(*rows, strict=True))[2:], strict=True))
        encoded = {name: np.array(columns[name], np.int64) for name in ("ts", build.BOT)}
        part = PropertyRoll(property_id, {}, {}, [], [])
        for name in IDS:
            dictionary = self._dictionaries.column(property_id, name)
            encoded[name] = dictionary.encode(columns[name])
            if dictionary.new:
                (part.hashes if name in HASHED else part.values)[name] = dictionary.new
        pageview = self._pageview(property_id)
        for fresh in build.segments(encoded, pageview=pageview):
            self._add(part, fresh, pageview)
        return part

    def _pageview(self, property_id: str) -> int:
        return self._dictionaries.column(property_id, "type").ids.get(PAGEVIEW, NO_PAGEVIEW)

    def _add(self, part: PropertyRoll, fresh: Segment, pageview: int) -> None:
        """Add a segment to its day, merged with the others of its size when there are enough of them."""
        small = self._rollups.small_segments(part.property_id, fresh.day, rows=LARGE_ROWS)
        alike = [one for one in small if tier(one.rows) <= tier(fresh.rows)]
        if len(alike) + 1 < MERGED_AT:
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


def tier(rows: int) -> int:
    """Segments of one tier differ in size by less than MERGED_AT times."""
    size = 0
    while rows >= MERGED_AT:
        rows //= MERGED_AT
        size += 1
    return size
