"""From stored segments, and the events that are not in one yet, to the frame a report is counted over."""

from __future__ import annotations

import time
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pyroaring import BitMap

from clickmeter.errors import Refusal, refuse_parameter
from clickmeter.query.fields import DATA_PREFIX
from clickmeter.segments import codec
from clickmeter.segments.dictionary import Dictionary
from clickmeter.segments.frame import BUCKET, Frame, bucket_range
from clickmeter.segments.raw import RawPart
from clickmeter.segments.stale import runs, stale_days, without
from clickmeter.segments.values import NO_VALUES, Values
from clickmeter.storage.protocol import NEWEST
from clickmeter.storage.segment import COLUMNS, DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from clickmeter.segments.cache import Cache
    from clickmeter.segments.frame import Ids, Part
    from clickmeter.storage.protocol import RolledEvents, RollupStore
    from clickmeter.storage.segment import StoredSegment

Row = tuple[Any, ...]

MAX_EVENTS = 40_000_000
"""A report that tells events apart takes about 40 bytes of memory for each."""
MAX_RAW_EVENTS = 2_000_000
"""Events whose data is looked into take a few microseconds each."""
VALUES_AT_ONCE = 20_000
"""So many texts of a dictionary are read together."""
NBYTES = attrgetter("nbytes")
LOOKUPS_BYTES = 4 * 1024 * 1024
"""Of the values of a column that were looked up for raw events, so much is kept for the next report."""
NO_LIMIT = 2**62
RAW_WEIGHT = 20
"""A raw event takes as long to read as so many texts of a dictionary, or more events of segments."""
DIRECTORY_BYTES = codec.directory_bytes(len(COLUMNS))


class DearError(Exception):
    """The report looks at more than it was given; nothing much was done yet."""


class Wanted(NamedTuple):
    """What to read: a property's events with start <= ts < end (ms), these columns of them, bots or not."""

    property_id: str
    columns: tuple[str, ...]
    start: int
    end: int
    bots: bool


class Piece(NamedTuple):
    """Raw events with start <= ts < end (ms), past one position in the order of arrival and up to another."""

    start: int
    end: int
    after: int = 0
    until: int = NEWEST


class Seen(NamedTuple):
    """No event that a report wants is past the one position and up to the other."""

    after: int
    until: int


NOTHING_SEEN = Seen(0, 0)
SEEN_BYTES = 500


class Reader:
    """Reads frames at one moment of the store; to be used inside the rollups' snapshot."""

    def __init__(
        self, events: RolledEvents, rollups: RollupStore, cache: Cache, *, watermark: int, deadline: float, most: int
    ) -> None:
        """`deadline` is on the monotonic clock, in seconds; past it reading is ``report_timeout``.

        Beyond `most` events of segments and texts, each raw event being RAW_WEIGHT of them, it is DearError.
        """
        self._events = events
        self._rollups = rollups
        self._cache = cache
        self._epoch = rollups.epoch()
        self._watermark = watermark
        self._deadline = deadline
        self._left = most

    def frame(self, wanted: Wanted) -> Frame:
        """The events wanted. Those of segments, and then those past the watermark, which are read from raw."""
        if any(name.startswith(DATA_PREFIX) for name in wanted.columns):
            self._require_few(wanted, sum(part.events for part in self._segments(wanted, stale=set())))
            return self._raw_frame(wanted)
        # A removal that comes later than this moment is in neither; one before is in both, by its number.
        with self._events.snapshot():
            stale = self._stale_days(wanted)
            past = self._past_watermark(wanted)
            tail = RawPart(self, wanted, [past, *self._stale_pieces(wanted, stale)], is_rest=True)
        if not tail.events:
            self._cache.put(self._seen(wanted), Seen(self._watermark, past.until), SEEN_BYTES)
        parts: list[Part] = [*self._segments(wanted, stale=stale)]
        if tail.events:
            parts.append(tail)

        def values(column: str) -> Values:
            known = self.values(wanted.property_id, column)
            return known.followed_by([tail.new(column)]) if tail.events and tail.new(column) else known

        return Frame(parts, values)

    def _past_watermark(self, wanted: Wanted) -> Piece:
        """What is in no segment yet, but for what an earlier report has looked through and found nothing in.

        So far behind a roller can be, when another property gets events by the million, that to look through it takes
        longer than all the rest of a report.
        """
        until = self._events.settled_position()
        seen: Seen = self._cache.get(self._seen(wanted), lambda: NOTHING_SEEN, lambda _: SEEN_BYTES)
        goes_on = seen.after <= self._watermark < seen.until
        return Piece(wanted.start, wanted.end, after=seen.until if goes_on else self._watermark, until=until)

    def _seen(self, wanted: Wanted) -> tuple[str | int, ...]:
        return self._epoch, wanted.property_id, wanted.start, wanted.end, wanted.bots, "seen"

    def _require_few(self, wanted: Wanted, rolled_up: int) -> None:
        """Refuse beforehand to look into the data of too many events; those past the watermark are counted for it."""
        require_affordable(rolled_up, MAX_RAW_EVENTS)
        past = self._events.count(
            wanted.property_id,
            start=wanted.start,
            end=wanted.end,
            after=self._watermark,
            limit=MAX_RAW_EVENTS + 1 - rolled_up,
        )
        require_affordable(rolled_up + past, MAX_RAW_EVENTS)

    def _raw_frame(self, wanted: Wanted) -> Frame:
        """All of it from raw events: what data holds is in no segment."""
        raw = RawPart(self, wanted, [Piece(wanted.start, wanted.end)], is_rest=False)
        return Frame([raw], lambda column: NO_VALUES.followed_by([raw.new(column)]))

    def _stale_days(self, wanted: Wanted) -> set[int]:
        """The days of the range whose segments were made before a removal of events from them."""
        first_day, last_day = wanted.start // DAY_MS, (wanted.end - 1) // DAY_MS
        removed = self._events.removed(wanted.property_id, first_day=first_day, last_day=last_day)
        return stale_days(removed, *self._rollups.made_after(wanted.property_id)) if removed else set()

    def _stale_pieces(self, wanted: Wanted, stale: set[int]) -> Iterator[Piece]:
        """What has to be read from raw instead of the segments of stale days: nothing past the watermark."""
        for first, last in runs(stale):
            start, end = max(wanted.start, first * DAY_MS), min(wanted.end, (last + 1) * DAY_MS)
            yield Piece(start, end, until=self._watermark)

    def _segments(self, wanted: Wanted, *, stale: set[int]) -> Iterable[SegmentPart]:
        if wanted.start >= wanted.end:
            return
        first_day, last_day = wanted.start // DAY_MS, (wanted.end - 1) // DAY_MS
        for stored in self._rollups.segments(wanted.property_id, first_day=first_day, last_day=last_day):
            for start, end in without(stale, wanted.start, wanted.end):
                if start < (stored.day + stored.days) * DAY_MS and stored.day * DAY_MS < end:
                    part = SegmentPart(self, stored, wanted._replace(start=start, end=end))
                    if part.events:
                        yield part

    def values(self, property_id: str, column: str) -> Values:
        """What the stored ids of a column stand for."""
        name = (self._epoch, property_id, column)
        known: Values = self._cache.get(name, lambda: NO_VALUES, NBYTES)
        size = self._rollups.size(property_id, column)
        self.spend(size)
        if len(known) <= size:
            known = known.followed_by(self._further_values(property_id, column, len(known) - 1, size))
            self._cache.put(name, known, known.nbytes)
        return known.up_to(size)

    def dictionary(self, property_id: str, column: str) -> Dictionary:
        """What gives ids to raw values, to be kept for the next report afterwards: most of them it meets again."""
        known: Dictionary | None = self._cache.take(self._lookups(property_id, column))
        if known is None:
            return Dictionary(self._rollups, property_id, column)
        known.renew()
        return known

    def keep(self, property_id: str, column: str, dictionary: Dictionary) -> None:
        if dictionary.nbytes <= LOOKUPS_BYTES:
            self._cache.put(self._lookups(property_id, column), dictionary, dictionary.nbytes)

    def _lookups(self, property_id: str, column: str) -> tuple[str, ...]:
        return self._epoch, property_id, column, "lookups"

    def _further_values(self, property_id: str, column: str, after: int, size: int) -> Iterator[list[str]]:
        """The values of the ids past `after` and up to `size`, some at a time."""
        while after < size:
            self.check()
            texts = self._rollups.values(property_id, column, after=after, limit=min(VALUES_AT_ONCE, size - after))
            yield texts
            after += len(texts)

    def directory(self, segment: StoredSegment) -> codec.Directory:
        def read() -> codec.Directory:
            return codec.directory(self._rollups.read(segment.id, offset=0, length=DIRECTORY_BYTES))

        return self._cache.get((self._epoch, segment.id, "directory"), read, lambda _: DIRECTORY_BYTES)

    def column(self, segment: StoredSegment, name: str) -> Ids:
        """A segment's column, decoded; all of its rows."""

        def read() -> Ids:
            self.check()
            entry = self.directory(segment).columns.get(COLUMNS[name])
            data = b"" if entry is None else self._rollups.read(segment.id, offset=entry.offset, length=entry.length)
            return codec.decode(entry, data, segment.rows)

        return self._cache.get((self._epoch, segment.id, name), read, NBYTES)

    def bitmaps(self, segment: StoredSegment) -> tuple[BitMap, BitMap]:
        """The distinct visitors and sessions of a segment."""

        def read() -> tuple[BitMap, BitMap]:
            visitors, sessions = self._rollups.bitmaps(segment.id)
            return BitMap.deserialize(visitors), BitMap.deserialize(sessions)

        return self._cache.get((self._epoch, segment.id, "bitmaps"), read, lambda maps: 2 * sum(map(len, maps)) + 200)

    def scan(self, property_id: str, columns: Sequence[str], pieces: Sequence[Piece]) -> Iterator[list[Row]]:
        for piece in pieces:
            for rows in self._events.scan(property_id, columns, **piece._asdict()):
                self.check()
                self.spend(RAW_WEIGHT * len(rows))
                yield rows

    def spend(self, amount: int) -> None:
        """Say beforehand how much is going to be looked at."""
        self._left -= amount
        if self._left < 0:
            raise DearError

    def check(self) -> None:
        if time.monotonic() > self._deadline:
            raise Refusal("report_timeout", "The report took too long; ask for a shorter range or fewer groups.")


class SegmentPart:
    """What of one segment is wanted."""

    def __init__(self, reader: Reader, segment: StoredSegment, wanted: Wanted) -> None:
        self._reader = reader
        self._segment = segment
        start, end = segment.day * DAY_MS, (segment.day + segment.days) * DAY_MS
        self.first = max(start, wanted.start)
        self.last = min(end, wanted.end) - 1
        rows = segment.rows if wanted.bots else segment.people
        self._picked: slice | Ids = slice(0, rows)
        self.events = rows
        self._is_whole = self.first == start and self.last == end - 1
        if not self._is_whole:
            self._pick(self.first - start, self.last + 1 - start, rows)
        self.counted = self._is_whole and not wanted.bots

    def _pick(self, start: int, end: int, rows: int) -> None:
        """Leave only the rows of start <= ts < end, in ms of the segment."""
        ts = self._since_start()
        if rows == self._segment.people:
            low, high = np.searchsorted(ts[:rows], [start, end]).tolist()
            self._picked, self.events = slice(low, high), high - low
        else:
            self._picked = np.flatnonzero((ts >= start) & (ts < end))
            self.events = len(self._picked)

    @property
    def pageviews(self) -> int:
        return self._segment.pageviews

    @property
    def without_visitor(self) -> int:
        return self._segment.without_visitor

    @property
    def without_session(self) -> int:
        return self._segment.without_session

    def ts(self) -> Ids:
        return self._since_start()[self._picked].astype(np.int64) + self._segment.day * DAY_MS

    def buckets(self, edges: Ids) -> Ids:
        low, high = bucket_range(self, edges)
        if low == high:
            return np.full(self.events, low, BUCKET)
        between = edges[low + 1 : high + 1] - self._segment.day * DAY_MS
        ts = self._since_start()[self._picked]
        if isinstance(self._picked, slice) and self._picked.stop <= self._segment.people:
            # Sorted: where each bucket begins is found without a look at every event.
            begins = [0, *np.searchsorted(ts, between).tolist(), len(ts)]
            return np.repeat(np.arange(low, high + 1, dtype=BUCKET), np.diff(begins))
        return (low + np.searchsorted(between, ts, side="right")).astype(BUCKET)

    def ids(self, column: str) -> Ids:
        return self._reader.column(self._segment, column)[self._picked]

    def visitors(self) -> BitMap:
        return self._reader.bitmaps(self._segment)[0]

    def sessions(self) -> BitMap:
        return self._reader.bitmaps(self._segment)[1]

    def _since_start(self) -> Ids:
        """In ms since the first day of the segment began."""
        return self._reader.column(self._segment, "ts")


def require_affordable(events: int, limit: int) -> None:
    """Refuse beforehand, with ``too_expensive``, what would take more memory or time than a report may."""
    if events > limit:
        detail = (
            f"This would look at more than {limit:,} events one by one, which is the limit. Ask for a shorter range."
        )
        raise refuse_parameter("from", "too_expensive", detail)
