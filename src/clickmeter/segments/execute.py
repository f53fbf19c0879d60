"""Counting: from the columns of a range to exact sums per group and bucket."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from clickmeter.model import PAGEVIEW
from clickmeter.query.fields import METRICS, dimension
from clickmeter.query.filters import matches, plan
from clickmeter.query.sums import Sums
from clickmeter.segments.columns import Column, Events, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.query.query import Query
    from clickmeter.segments.columns import Flags, Ids
    from clickmeter.storage.protocol import EventStore

Group = tuple[str | None, ...]

SESSION_SUMS = ("whole_sessions", "bounces", "session_ms", "session_pageviews")


class Answer:
    """The events of one range that match a query, ready to be summed by group and bucket."""

    def __init__(self, query: Query, events: Events) -> None:
        self._query = query
        counted = np.ones(len(events.ts), np.bool_) if query.include_bots else ~events.bot
        self._base = Base(events, counted)
        self._rows = np.flatnonzero(self._matching())
        self._ts = self._base.ts[self._rows]
        self._visitors = self._base.column("visitor_id").ids[self._rows]
        self._sessions = self._base.column("session_id").ids[self._rows]
        self._is_pageview = self._base.is_pageview[self._rows]
        self._group_ids, self.groups = self._grouped()

    def unattributed(self) -> dict[str, int]:
        """How many matching events have no visitor id, and no session id."""
        return {
            "visitor_id": int(np.count_nonzero(self._visitors == 0)),
            "session_id": int(np.count_nonzero(self._sessions == 0)),
        }

    def totals(self) -> Sums:
        """Everything that matches, as one row."""
        return self._sums(np.zeros(len(self._rows), np.int64), 1)[0]

    def by_group(self) -> list[Sums]:
        """The whole range, for each of `groups`."""
        return self._sums(self._group_ids, len(self.groups))

    def by_bucket(self, groups: Sequence[Group], edges: Sequence[int]) -> list[list[Sums]]:
        """For each of the given groups (absent ones too), the sums of each bucket between the edges."""
        places = {group: place for place, group in enumerate(groups)}
        place_of = np.array([places.get(group, -1) for group in self.groups], np.int64)
        width = len(edges) - 1
        if not width or not groups:
            return [[] for _ in groups]
        bucket = np.searchsorted(np.array(edges, np.int64), self._ts, side="right") - 1
        place = place_of[self._group_ids] if len(self._group_ids) else self._group_ids
        sums = self._sums(np.where(place < 0, -1, place * width + bucket), len(groups) * width)
        return [sums[at : at + width] for at in range(0, len(sums), width)]

    def _matching(self) -> Flags:
        matching = np.ones(len(self._base.ts), np.bool_)
        for clause in plan(self._query.groups):
            column = self._base.dimension(clause.dimension)
            matching &= column.where(lambda value: any(matches(one, value) for one in clause.alternatives))  # noqa: B023 - called at once
        return matching

    def _grouped(self) -> tuple[Ids, list[Group]]:
        """The id of each matching event's group, and the groups in the order of their values, missing last."""
        columns = [self._base.dimension(name) for name in self._query.group_by]
        if not columns:
            return np.zeros(len(self._rows), np.int64), [()]
        combined = np.zeros(len(self._rows), np.int64)
        for column in columns:
            # Ids of groups so far times the places of this column: renumbered each time, so it cannot overflow.
            _, combined = np.unique(combined, return_inverse=True)
            combined = combined * len(column.values) + column.order()[column.ids[self._rows]]
        _, first, ids = np.unique(combined, return_index=True, return_inverse=True)
        rows = self._rows[first]
        groups = list(zip(*([column.values[id_] for id_ in column.ids[rows]] for column in columns), strict=True))
        return ids, groups

    def _sums(self, cells: Ids, size: int) -> list[Sums]:
        """Sums per cell; an event whose cell is negative is in none of them."""
        inside = cells >= 0
        counted = {
            "pageviews": np.bincount(cells[inside & self._is_pageview], minlength=size),
            "events": np.bincount(cells[inside], minlength=size),
            "unique_visitors": distinct(cells, self._visitors, size),
            "sessions": distinct(cells, self._sessions, size),
        }
        if any(METRICS[name].sessions for name in self._query.metrics):
            counted |= self._session_sums(cells, size)
        return [
            Sums(**dict(zip(counted, map(int, values), strict=True))) for values in zip(*counted.values(), strict=True)
        ]

    def _session_sums(self, cells: Ids, size: int) -> dict[str, Ids]:
        """Whole sessions, each in the cell of its first matching event."""
        owners = cells[self._first_of_session]
        sessions = self._sessions[self._first_of_session][owners >= 0]
        owners = owners[owners >= 0]
        base = self._base.session_sums
        values = (np.ones(len(owners), np.int64), *(column[sessions] for column in base))
        return {name: weighted(owners, value, size) for name, value in zip(SESSION_SUMS, values, strict=True)}

    @cached_property
    def _first_of_session(self) -> Ids:
        """Per session, the place of its first matching event; of several at that instant, of the first group's."""
        order = np.lexsort((self._group_ids, self._ts, self._sessions))
        order = order[self._sessions[order] > 0]
        return order[leading(self._sessions[order])]


class Base:
    """All events of the range that count, before filters: what sessions are made of."""

    def __init__(self, events: Events, counted: Flags) -> None:
        self._columns = {name: Column(column.values, column.ids[counted]) for name, column in events.columns.items()}
        self.ts = events.ts[counted]

    def column(self, name: str) -> Column:
        return self._columns[name]

    def dimension(self, name: str) -> Column:
        """The column a dimension's values are in; entry and exit pages are worked out from the sessions."""
        known = dimension(name)
        assert known is not None, name
        if known.of_session:
            return self._page_of_session(last=name == "exit_page")
        return self._columns[known.column]

    @cached_property
    def is_pageview(self) -> Flags:
        return self._columns["type"].where(lambda type_: type_ == PAGEVIEW)

    @cached_property
    def session_sums(self) -> tuple[Ids, Ids, Ids]:
        """Per session id: whether it has exactly one event, last - first ts in ms, and its pageviews."""
        session = self._columns["session_id"]
        size = len(session.values)
        first, last = np.full(size, np.iinfo(np.int64).max), np.full(size, np.iinfo(np.int64).min)
        np.minimum.at(first, session.ids, self.ts)
        np.maximum.at(last, session.ids, self.ts)
        once = (np.bincount(session.ids, minlength=size) == 1).astype(np.int64)
        return once, last - first, np.bincount(session.ids[self.is_pageview], minlength=size)

    def _page_of_session(self, *, last: bool) -> Column:
        """The path of each event's session's first or last pageview; ties: the smallest or the greatest path."""
        path, session = self._columns["path"], self._columns["session_id"]
        rows = np.flatnonzero(self.is_pageview & (session.ids > 0))
        place = path.order()[path.ids[rows]]
        if last:
            # A missing path loses in both directions, so it comes before all others here.
            place = np.where(path.ids[rows] == 0, len(path.values), -place)
        ts = -self.ts[rows] if last else self.ts[rows]
        rows = rows[np.lexsort((place, ts, session.ids[rows]))]
        rows = rows[leading(session.ids[rows])]
        page = np.zeros(len(session.values), np.int64)
        page[session.ids[rows]] = path.ids[rows]
        return Column(path.values, page[session.ids])


class Executor:
    """Answers queries from a store that keeps rows, each within a time limit."""

    def __init__(self, store: EventStore, *, deadline: float) -> None:
        """`deadline` is on the monotonic clock, in seconds; past it a report is ``report_timeout``."""
        self._store = store
        self._deadline = deadline

    def first_event(self, property_id: str) -> int | None:
        return self._store.first_event(property_id)

    def answer(self, query: Query, *, start: int, end: int) -> Answer:
        """Read what the query needs of start <= ts < end (ms), and match it."""
        names = {"type", "visitor_id", "session_id"}
        for name in (*query.group_by, *(one.dimension for group in query.groups for one in group)):
            known = dimension(name)
            assert known is not None, name
            names.add(known.column)
        events = read(self._store, query.property_id, sorted(names), start=start, end=end, deadline=self._deadline)
        return Answer(query, events)


def distinct(cells: Ids, ids: Ids, size: int) -> Ids:
    """Per cell, how many different ids that are not 0 it holds."""
    counted = (cells >= 0) & (ids > 0)
    if not counted.any():
        return np.zeros(size, np.int64)
    width = int(ids.max()) + 1
    pairs = np.sort(cells[counted] * width + ids[counted])
    return np.bincount(pairs[leading(pairs)] // width, minlength=size)


def leading(values: Ids) -> Flags:
    """Which of the sorted values are the first of their run."""
    first = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return first


def weighted(cells: Ids, weights: Ids, size: int) -> Ids:
    """Integer sums of the weights per cell: bincount's own would be floats."""
    sums = np.zeros(size, np.int64)
    np.add.at(sums, cells, weights)
    return sums
