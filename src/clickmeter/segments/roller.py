"""The roller: reads raw events past its watermark and adds them to the segments, a step at a time.

A step is stored whole or not at all, watermark included, so a crash loses and doubles nothing. Late and very old
events go to the cell of their own day like any others. Small segments of a cell are merged when there are several of a
size, or when events go on to another cell.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from clickmeter.model import PAGEVIEW
from clickmeter.segments import build, layout
from clickmeter.segments.dictionary import Dictionaries
from clickmeter.segments.stale import runs, stale_days
from clickmeter.storage.segment import DAY_MS, HASHED, IDS, DiscardedError, PropertyRoll, Roll

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from clickmeter.segments.codec import Numbers
    from clickmeter.storage.protocol import Removal, RolledEvents, RollupStore
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
REMOVAL_PROPERTY = attrgetter("property_id")

Columns = dict[str, "Numbers"]


class Step(NamedTuple):
    """What a step did: how many events it took, and whether there is more to do."""

    events: int
    more: bool


class Roller:
    """Brings the rollups of one store up to its events. One roller at a time per store."""

    def __init__(self, events: RolledEvents, rollups: RollupStore) -> None:
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
            try:
                self._renew_all(stale & self._unsettled)
            except DiscardedError:
                return  # the next step begins with what is there now
            self._unsettled = stale - self._unsettled
            if not stale:
                self._renewed = generation

    def _renew_all(self, removals: Iterable[Removal]) -> None:
        for property_id, group in groupby(sorted(removals), REMOVAL_PROPERTY):
            days = [removal.day for removal in group]
            while days:
                days = self._renew(property_id, days)

    def _is_stale(self, removal: Removal) -> bool:
        made, renewed = self._rollups.made_after(removal.property_id)
        return bool(stale_days({removal.day: removal.generation}, made, renewed))

    def _renew(self, property_id: str, days: Sequence[int]) -> list[int]:
        """Make days anew, as many of them as is done in memory; the days that are left.

        Their segments may hold other days as well: what is theirs stays as it is.
        """
        days, held, left = self._lot(property_id, days)
        part = PropertyRoll(property_id, {}, {}, [], [*held])
        with self._events.snapshot():
            removed = self._events.removed(property_id, first_day=days[0], last_day=days[-1])
            part.renewed = {day: removed[day] for day in days if day in removed}
            for some in self._raw(property_id, days):
                self._pack(part, self._encode(part, some), [*held.values()])
        others = self._other_days([one for one in held.values() if one.days > 1], days)
        if others is not None:
            self._pack(part, others, [*held.values()])
        # The roller's dictionaries may know values that were only in the events removed: those stay as they are.
        self._store(self._watermark, [part])
        return left

    def _lot(self, property_id: str, days: Sequence[int]) -> tuple[Sequence[int], dict[int, StoredSegment], list[int]]:
        """The first of the days, the segments that reach into them, which have few enough rows, and the other days."""
        held: dict[int, StoredSegment] = {}
        for place, day in enumerate(days):
            found = self._rollups.segments(property_id, first_day=day, last_day=day)
            more = held | {one.id: one for one in found}
            if place and sum(one.rows for one in more.values()) > layout.LARGE_ROWS:
                return days[:place], held, [*days[place:]]
            held = more
        return days, held, []

    def _raw(self, property_id: str, days: Iterable[int]) -> Iterator[list[tuple[Any, ...]]]:
        """The events of the days that the segments should hold, some at a time."""
        rows: list[tuple[Any, ...]] = []
        for first, last in runs(days):
            start, end = first * DAY_MS, (last + 1) * DAY_MS
            for some in self._events.scan(property_id, READ, start=start, end=end, until=self._watermark):
                rows += some
                if len(rows) >= layout.LARGE_ROWS:
                    yield rows
                    rows = []
        if rows:
            yield rows

    def _other_days(self, wide: list[StoredSegment], days: Sequence[int]) -> Columns | None:
        """What the segments hold of other days than these, if anything."""
        if not wide:
            return None
        columns = build.unpacked(self._stored(wide))
        kept = np.isin(columns["ts"] // DAY_MS, days, invert=True)
        return {name: numbers[kept] for name, numbers in columns.items()} if kept.any() else None

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
        self._pack(part, self._encode(part, [row[2:] for row in rows]))
        return part

    def _encode(self, part: PropertyRoll, rows: list[tuple[Any, ...]]) -> Columns:
        """Rows of READ as columns of ids; what they add to the dictionaries is added to the part."""
        columns = dict(zip(READ, zip(*rows, strict=True), strict=True))
        encoded: Columns = {name: np.array(columns[name], np.int64) for name in ("ts", build.BOT)}
        for name in IDS:
            dictionary = self._dictionaries.column(part.property_id, name)
            encoded[name] = dictionary.encode(columns[name])
            if dictionary.new:
                (part.hashes if name in HASHED else part.values)[name] = dictionary.new
        return encoded

    def _pack(self, part: PropertyRoll, columns: Columns, going: Sequence[StoredSegment] = ()) -> None:
        """Add events to the part as segments of their cells, merged with others there when there are enough of them."""
        pageview = self._pageview(part.property_id)
        days, counts = np.unique(columns["ts"] // DAY_MS, return_counts=True)
        homes = self._homes(part.property_id, dict(zip(days.tolist(), counts.tolist(), strict=True)), going)
        for cell, fresh in zip(homes, build.segments(columns, [*homes], pageview=pageview), strict=True):
            if not homes[cell]:
                self._settle(part, cell.first - 1, pageview)
            self._add(part, fresh, homes[cell], pageview)

    def _homes(self, property_id: str, rows: dict[int, int], going: Sequence[StoredSegment] = ()) -> layout.Inside:
        """The cells for so many new rows a day, in order of time; the segments that are going take no room."""

        def within(cell: layout.Cell, rows: int | None) -> list[StoredSegment] | None:
            more = sum(one.rows for one in going if cell.first <= one.day and one.day + one.days - 1 <= cell.last)
            room = None if rows is None else rows + more
            return self._rollups.segments_within(property_id, first_day=cell.first, last_day=cell.last, rows=room)

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
        part.segments.append(build.merged([*self._stored(old), *new], pageview=pageview))
        part.replaced += [one.id for one in old]

    def _stored(self, segments: list[StoredSegment]) -> list[build.Stored]:
        return [
            build.Stored(one.day, one.people, self._rollups.read(one.id, offset=0, length=WHOLE)) for one in segments
        ]


def property_of(row: tuple[Any, ...]) -> str:
    """Sorts the rows of deleted properties, which have none, first."""
    return row[1] or ""
