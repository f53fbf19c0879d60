"""How does what is in one database get into another, and stay alike, while the one goes on changing?

Events are copied in their order of arrival, and the destination remembers up to which position. Nothing needs to be
stored together with that: what is copied again is known by its id. Events that go from the source later are found by
the numbered removals, or, where those have no numbers, by counting once the source is closed: of each day that events
went from, the destination keeps what the source has.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from clickmeter.errors import Refusal
from clickmeter.model import Batch
from clickmeter.storage.protocol import NEWEST
from clickmeter.storage.segment import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.model import Event
    from clickmeter.moving.end import End
    from clickmeter.storage.move import Move
    from clickmeter.storage.protocol import EventStore, Progress, Removal

    Arrival = tuple[int, str | None, Event]

BATCH_ROWS = 20_000
MANY_MARKS = 200_000
"""So many are compared at once in memory."""


class News(NamedTuple):
    """What is new in a source: numbered removals, and events in their order of arrival."""

    removals: list[Removal]
    rows: list[Arrival]


class Copying:
    """Follows a source. `move` is the destination's record, as it was written last."""

    def __init__(self, source: End, destination: End, move: Move) -> None:
        self._source = source
        self._destination = destination
        self.move = move

    def catch_up(self, told: Progress) -> None:
        """Copy what there is, until little comes while that is done."""
        self.metadata()
        backlog = NEWEST
        while True:
            target = self._source.events.last_position()
            before, backlog = backlog, target - self.move.position
            self.events(target, told)
            if backlog <= BATCH_ROWS or backlog > before // 2:
                return

    def metadata(self, *, salts: bool = False) -> None:
        """Make properties, keys, secrets, erasures and counts of rejections what they are in the source."""
        self._destination.metadata.adopt(self._source.metadata.contents(salts=salts))

    def events(self, until: int, told: Progress) -> None:
        """Copy events in their order of arrival, at least up to a position, and remove what was removed.

        While some are stored the next ones are read, by the source's only user at that time.
        """
        begun = self.move.position
        with ThreadPoolExecutor(max_workers=1) as reader:
            news = self._news(begun, self.move.generation)
            self._follow(news.removals)
            while news.rows:
                last = news.rows[-1][0]
                coming = reader.submit(self._news, last, self.move.generation) if last < until else None
                self._store(news.rows)
                told(last - begun, until - begun)
                if coming is None:
                    break
                news = coming.result()
                self._follow(news.removals)

    def settle(self) -> None:
        """Remove what was removed from a closed source without a number, and copy what had no place before.

        Everything that is in the source is copied: where a day has as many events, it is the same ones, unless an id
        went and came again.
        """
        if self._source.rolled is not None:
            return
        properties = [one for one in self._source.metadata.contents(salts=False).properties if one.deleted_at is None]
        differing = [(one.property.id, day) for one in properties for day in self._differing_days(one.property.id)]
        # First everywhere, since what came again may have come on another day.
        for property_id, day in differing:
            self._remove(property_id, day * DAY_MS, (day + 1) * DAY_MS)
        if differing:
            self._remember(position=0, anchor=None)
            self.events(self._source.events.last_position(), lambda *_: None)

    def _differing_days(self, property_id: str) -> list[int]:
        ends = (self._source, self._destination)
        there, copied = (end.events.tallies(property_id) for end in ends)
        return sorted(day for day in there.keys() | copied.keys() if there.get(day) != copied.get(day))

    def _news(self, position: int, generation: int) -> News:
        """The removals after a number and the next events after a position, both of one moment.

        The removals are to be done first: an id that went and came again finds its place free. What goes after that
        moment is in the next news. Where removals have no numbers, `settle` follows them at the end.
        """
        if self._source.rolled is None:
            return News([], self._source.events.whole(after=position, limit=BATCH_ROWS))
        events = self._source.rolled.events
        with events.snapshot():
            return News(events.removals(after=generation), events.whole(after=position, limit=BATCH_ROWS))

    def _follow(self, removals: list[Removal]) -> None:
        for removal in removals:
            start = removal.day * DAY_MS
            self._remove(removal.property_id, start, start + DAY_MS)
            self._remember(generation=removal.generation)

    def _store(self, rows: list[Arrival]) -> None:
        batches = by_property([(property_id, event) for _, property_id, event in rows])
        counts = self._destination.events.adopt(batches)
        unknown = [batch for batch, count in zip(batches, counts, strict=True) if count is None]
        if unknown:
            # Made a moment ago; or deleted a moment ago, and then they are not wanted.
            self.metadata()
            self._destination.events.adopt(unknown)
        self._remember(position=rows[-1][0], anchor=rows[-1][2].event_id)

    def _remember(self, **changes: int | str | None) -> None:
        self.move = msgspec.structs.replace(self.move, **changes)
        self._destination.metadata.set_move(self.move)

    def _remove(self, property_id: str, start: int, end: int) -> None:
        """Remove from the destination what the source does not have of a range, however many events it holds."""
        source, destination = self._source.events, self._destination.events
        # In this order: what is not in the source by then, has gone, even if its id has come again.
        copied = marks(destination, property_id, start, end)
        there = copied and marks(source, property_id, start, end)
        if copied is None or there is None:
            middle = (start + end) // 2
            self._remove(property_id, start, middle)
            self._remove(property_id, middle, end)
            return
        gone = sorted(id_ for id_, _ in copied - there)
        for at in range(0, len(gone), BATCH_ROWS):
            destination.remove(property_id, gone[at : at + BATCH_ROWS], start=start, end=end)


def marks(events: EventStore, property_id: str, start: int, end: int) -> set[tuple[str, int]] | None:
    """What tells the events of a range from all others; None when they are too many to be looked at together."""
    found: set[tuple[str, int]] = set()
    for chunk in events.marks(property_id, start=start, end=end):
        found.update(chunk)
        if len(found) > MANY_MARKS and end - start > 1:
            return None
    return found


def by_property(rows: Sequence[tuple[str | None, Event]]) -> list[Batch]:
    """A batch for each property that is not deleted, in the order of the rows."""
    found: dict[str, list[Event]] = {}
    for property_id, event in rows:
        if property_id is not None:
            found.setdefault(property_id, []).append(event)
    return [Batch(property_id, events) for property_id, events in found.items()]


def require_same(source: End, move: Move) -> None:
    """Raise unless the source is the one that was copied from so far."""
    events = source.events
    generation = source.rolled.events.generation() if source.rolled else 0
    next_ones = events.whole(after=move.position - 1, limit=1) if move.position else []
    # The event there may have been removed since.
    is_other = any(position == move.position and one.event_id != move.anchor for position, _, one in next_ones)
    is_behind = events.last_position() < move.position or generation < move.generation
    if is_other or is_behind or events.identity() != move.source:
        raise Refusal(
            "store_unavailable",
            f"{source.name} is not the database that was copied so far, or it was restored from a backup since;"
            " begin with an empty destination.",
        )
