"""How does what is in one database get into another, and stay alike, while the one goes on changing?

Events are copied in their order of arrival, and the destination remembers up to which position. Nothing needs to be
stored together with that: what is copied again is known by its id. Events that go from the source later are found by
the numbered removals: of each day that events went from, the destination keeps what the source has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    from clickmeter.storage.protocol import EventStore, Progress

BATCH_ROWS = 10_000
MANY_MARKS = 200_000
"""So many are compared at once in memory."""


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
        """Copy events in their order of arrival, at least up to a position, and remove what was removed."""
        begun = self.move.position
        while self._step():
            told(self.move.position - begun, until - begun)
            if self.move.position >= until:
                break

    def _step(self) -> bool:
        """Take over the next removals and the next events, both of one moment; whether there were any events.

        In this order: an id that went and came again finds its place free. What goes after that moment goes next time.
        """
        with self._source.events.snapshot():
            removals = self._source.events.removals(after=self.move.generation)
            rows = self._source.events.whole(after=self.move.position, limit=BATCH_ROWS)
        for removal in removals:
            start = removal.day * DAY_MS
            self._remove(removal.property_id, start, start + DAY_MS)
            self._remember(generation=removal.generation)
        if rows:
            self._store(by_property([(property_id, event) for _, property_id, event in rows]))
            self._remember(position=rows[-1][0], anchor=rows[-1][2].event_id)
        return bool(rows)

    def _store(self, batches: list[Batch]) -> None:
        counts = self._destination.events.adopt(batches)
        unknown = [batch for batch, count in zip(batches, counts, strict=True) if count is None]
        if unknown:
            # Made a moment ago; or deleted a moment ago, and then they are not wanted.
            self.metadata()
            self._destination.events.adopt(unknown)

    def _remember(self, **changes: int | str) -> None:
        self.move = msgspec.structs.replace(self.move, **changes)
        self._destination.metadata.set_move(self.move)

    def _remove(self, property_id: str, start: int, end: int) -> None:
        """Remove from the destination what the source does not have of a range, however many events it holds."""
        source, destination = self._source.events, self._destination.events
        many = any(
            events.count(property_id, start=start, end=end, after=0, limit=MANY_MARKS) == MANY_MARKS
            for events in (source, destination)
        )
        if many and end - start > 1:
            middle = (start + end) // 2
            self._remove(property_id, start, middle)
            self._remove(property_id, middle, end)
            return
        # In this order: what is not in the source by then, has gone, even if its id has come again.
        copied = marks(destination, property_id, start, end)
        gone = sorted(id_ for id_, _ in copied - marks(source, property_id, start, end))
        for at in range(0, len(gone), BATCH_ROWS):
            destination.remove(property_id, gone[at : at + BATCH_ROWS], start=start, end=end)


def marks(events: EventStore, property_id: str, start: int, end: int) -> set[tuple[str, int]]:
    return {mark for chunk in events.marks(property_id, start=start, end=end) for mark in chunk}


def by_property(rows: Sequence[tuple[str | None, Event]]) -> list[Batch]:
    """A batch for each property that is not deleted, in the order of the rows."""
    found: dict[str, list[Event]] = {}
    for property_id, event in rows:
        if property_id is not None:
            found.setdefault(property_id, []).append(event)
    return [Batch(property_id, events) for property_id, events in found.items()]


def require_same(source: End, move: Move) -> None:
    """Raise unless the source is the one that was copied from so far."""
    anchor = source.events.event_at(move.position)
    if (
        source.events.identity() != move.source
        or source.events.last_position() < move.position
        or source.events.generation() < move.generation
        or anchor not in (None, move.anchor)
    ):
        raise Refusal(
            "store_unavailable",
            f"{source.name} is not the database that was copied so far, or it was restored from a backup since;"
            " begin with an empty destination.",
        )
