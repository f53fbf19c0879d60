"""Answers queries from a store that keeps rows: opens it at one moment, reads what a query needs, counts."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from clickmeter.query.fields import dimension
from clickmeter.segments.execute import Answer
from clickmeter.segments.headline import HeadlineAnswer, is_headline
from clickmeter.segments.reader import MAX_EVENTS, Reader, Wanted, require_affordable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickmeter.query.query import Query
    from clickmeter.segments.cache import Cache
    from clickmeter.storage.protocol import RolledEvents, RollupStore


class Executor:
    """A `report.Executor` over one moment of the store."""

    def __init__(self, events: RolledEvents, reader: Reader) -> None:
        self._events = events
        self._reader = reader

    def first_event(self, query: Query) -> int | None:
        return self._events.first_event(query.property_id, include_bots=query.include_bots, since=query.kept_from)

    def has_daily_ids(self, query: Query, *, start: int, end: int) -> bool:
        return self._events.has_daily_ids(
            query.property_id, start=max(start, query.kept_from), end=end, include_bots=query.include_bots
        )

    def answer(self, query: Query, *, start: int, end: int) -> Answer | HeadlineAnswer:
        """Read what the query needs of start <= ts < end (ms), and match it."""
        kept = max(start, query.kept_from)
        wanted = Wanted(query.property_id, columns_of(query), kept, end, query.include_bots)
        frame = self._reader.frame(wanted)
        if is_headline(query, start=start):
            return HeadlineAnswer(frame)
        self._reader.spend(len(frame))
        require_affordable(len(frame), MAX_EVENTS)
        return Answer(query, frame)


@contextmanager
def executor(
    events: RolledEvents, rollups: RollupStore, cache: Cache, *, deadline: float, most: int
) -> Iterator[Executor]:
    """An executor to use inside the block; see `Reader` for when it gives up."""
    with rollups.snapshot() as watermark:
        yield Executor(events, Reader(events, rollups, cache, watermark=watermark, deadline=deadline, most=most))


def columns_of(query: Query) -> tuple[str, ...]:
    """The columns that answering a query takes."""
    names = {"type", "visitor_id", "session_id"}
    for name in (*query.group_by, *(one.dimension for group in query.groups for one in group)):
        known = dimension(name)
        assert known is not None, name
        names.add(known.column)
    return tuple(sorted(names))
