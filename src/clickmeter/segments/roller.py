"""The roller: reads raw events past its watermark and adds them to the segments, a step at a time.

A step is stored whole or not at all, watermark included, so a crash loses and doubles nothing. Late and very old
events go to the cell of their own day like any others. Small segments of a cell are merged when there are several of a
size, or when events go on to another cell.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clickmeter.model import PAGEVIEW
from clickmeter.segments import build, layout
from clickmeter.segments.dictionary import Dictionaries
from clickmeter.storage.segment import DAY_MS, HASHED, IDS, DiscardedError, PropertyRoll, Roll

if TYPE_CHECKING:
    from clickmeter.storage.protocol import EventStore, RollupStore
    from clickmeter.storage.segment import Segment, StoredSegment

STEP_ROWS = 20_000
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
        """Nothing is read before the first step."""
        self._events = events
        self._rollups = rollups
        self._epoch = UNKNOWN

    def _begin(self) -> None:
        """Go on from where the rollups are."""
        self._rollups.begin_rolling()
        with self._rollups.snapshot() as watermark:
            self._watermark = watermark
            self._epoch = self._rollups.epoch()
        self._begin_rebuild(None)

    def _begin_rebuild(self, asked: str | None) -> None:
        """Begin with what is asked for, or with nothing; what is there of an unfinished rebuild is dropped."""
        for name in self._rollups.properties():
            if name.endswith(UNFINISHED):
                self._rollups.forget(name)
        self._dictionaries = Dictionaries(self._rollups)
        self._rebuilding = asked
        self._rebuilt = 0

    def step(self) -> Step:
        """Roll up the next events, at most STEP_ROWS; when there are none, go on with a rebuild that was asked for."""
        try:
            if self._rollups.epoch() != self._epoch:
                self._begin()
            return self._step()
        except DiscardedError:
            self._epoch = UNKNOWN
            return Step(0, more=True)

    def end(self) -> None:
        """No step follows."""
        if self._epoch != UNKNOWN:
            self._rollups.end_rolling()

    def _step(self) -> Step:
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

    def _rebuild(self) -> Step:
        """The next events of a rebuild, up to the watermark; they take the place of the old ones when all are there."""
        asked = self._rollups.note(REBUILD)
        if asked != self._rebuilding:
            self._begin_rebuild(asked)
        if asked is None:
            return Step(0, more=self._rollups.sweep())
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
        self._epoch = UNKNOWN

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
            self._rollups.roll(Roll(self._epoch, watermark, parts))
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
        columns = dict(zip(READ, list(zip(*rows, strict=True))[2:], strict=True))
        encoded = {name: np.array(columns[name], np.int64) for name in ("ts", build.BOT)}
        part = PropertyRoll(property_id, {}, {}, [], [])
        for name in IDS:
            dictionary = self._dictionaries.column(property_id, name)
            encoded[name] = dictionary.encode(columns[name])
            if dictionary.new:
                (part.hashes if name in HASHED else part.values)[name] = dictionary.new
        pageview = self._pageview(property_id)
        days, counts = np.unique(encoded["ts"] // DAY_MS, return_counts=True)
        homes = self._homes(property_id, dict(zip(days.tolist(), counts.tolist(), strict=True)))
        for cell, fresh in zip(homes, build.segments(encoded, [*homes], pageview=pageview), strict=True):
            if not homes[cell]:
                self._settle(part, cell.first - 1, pageview)
            self._add(part, fresh, homes[cell], pageview)
        return part

    def _homes(self, property_id: str, rows: dict[int, int]) -> layout.Inside:
        """The cells for so many new rows a day, in order of time."""

        def within(cell: layout.Cell, rows: int | None) -> list[StoredSegment] | None:
            return self._rollups.segments_within(property_id, first_day=cell.first, last_day=cell.last, rows=rows)

        return dict(sorted(layout.homes(rows, within).items()))

    def _pageview(self, property_id: str) -> int:
        # Not only what this roller has met: segments it merges may be from before it was started.
        known = self._dictionaries.column(property_id, "type").find(PAGEVIEW)
        return NO_PAGEVIEW if known is None else known

    def _settle(self, part: PropertyRoll, day: int, pageview: int) -> None:
        """Make one segment of those that stand beside each other in a day's cell: events go on to another now."""
        [held] = self._homes(part.property_id, {day: 0}).values()
        settling = layout.settling([one for one in held if one.id not in part.replaced])
        if settling:
            self._merge(part, settling, [], pageview)

    def _add(self, part: PropertyRoll, fresh: Segment, held: list[StoredSegment], pageview: int) -> None:
        """Add a segment to a cell, merged with the others of its size there when there are enough of them."""
        alike = layout.joining([one for one in held if one.id not in part.replaced], fresh.rows)
        if alike:
            self._merge(part, alike, [build.Stored(fresh.day, fresh.people, fresh.blob)], pageview)
        else:
            part.segments.append(fresh)

    def _merge(self, part: PropertyRoll, old: list[StoredSegment], new: list[build.Stored], pageview: int) -> None:
        stored = [build.Stored(one.day, one.people, self._rollups.read(one.id, offset=0, length=WHOLE)) for one in old]
        part.segments.append(build.merged([*stored, *new], pageview=pageview))
        part.replaced += [one.id for one in old]


def property_of(row: tuple[Any, ...]) -> str:
    """Sorts the rows of deleted properties, which have none, first."""
    return row[1] or ""
