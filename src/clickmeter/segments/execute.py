"""Counting: from the columns of a range to exact sums per group and bucket."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from clickmeter.model import PAGEVIEW
from clickmeter.query.fields import METRICS, dimension
from clickmeter.query.filters import matches, plan
from clickmeter.query.sums import Sums
from clickmeter.segments.counting import Cells, leading, numbered, weighted
from clickmeter.segments.frame import Column
from clickmeter.segments.ranking import first, metric_places, value_places

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickmeter.query.query import Query
    from clickmeter.segments.frame import Flags, Frame, Ids

Group = tuple[str | None, ...]

NO_ID = -1
SESSION_SUMS = ("whole_sessions", "bounces", "session_ms", "session_pageviews")


class Answer:
    """The events of one range that match a query, ready to be summed by group and bucket."""

    def __init__(self, query: Query, frame: Frame) -> None:
        self._query = query
        self._base = Base(frame)
        self._rows = self._matching_rows()
        self._visitors = self._of_rows(frame.ids("visitor_id"))
        self._sessions = self._of_rows(frame.ids("session_id"))
        self._is_pageview = self._of_rows(self._base.is_pageview)
        self._group_ids, self._group_keys = self._grouped()
        self._chosen: dict[Group, int] = {}
        """The numbers of the groups that came first, which are asked about next."""

    def unattributed(self) -> dict[str, int]:
        """How many matching events have no visitor id, and no session id."""
        size = len(self._visitors)
        return {
            "visitor_id": size - int(np.count_nonzero(self._visitors)),
            "session_id": size - int(np.count_nonzero(self._sessions)),
        }

    def totals(self) -> Sums:
        """Everything that matches, as one row."""
        return self._sums(np.zeros(len(self._visitors), np.uint8), 1, self._query.metrics)[0]

    def leading(self, terms: Sequence[str], count: int) -> tuple[list[Group], list[Sums]]:
        """The first `count` groups by `terms` and one more, in the order of their values; and their sums.

        The sums are of the whole range, and only of what groups are ranked by.
        """
        names = [name for name in self._query.metrics if {name, f"-{name}"}.intersection(terms)]
        counts = self._counts(Cells(self._group_ids, len(self._group_keys)), names, None)
        orders = [partial(self._places_by, term, counts) for term in (*terms, *self._query.group_by)]
        chosen = first(np.arange(len(self._group_keys)), orders, count + 1)
        groups = self._named(chosen)
        order = sorted(range(len(groups)), key=lambda at: by_value(groups[at]))
        chosen = chosen[order]
        groups = [groups[at] for at in order]
        self._chosen = dict(zip(groups, chosen.tolist(), strict=True))
        if set(names) <= counts.keys():
            sums = as_sums({name: values[chosen] for name, values in counts.items()})
        else:
            sums = self._sums(self._cells_of(chosen), len(chosen), names)
        return groups, sums

    def _places_by(self, term: str, counts: Mapping[str, Ids], groups: Ids, count: int) -> Ids:
        """Where a term of order_by puts these groups; see `ranking.first`. `counts` are of all groups."""
        name, descending = term.removeprefix("-"), term.startswith("-")
        if name in self._query.group_by:
            at = self._query.group_by.index(name)
            return value_places(self._columns[at].values, self._group_keys[groups, at], count, descending=descending)
        if name in counts:
            return metric_places(name, {name: counts[name][groups]}, descending=descending)
        counted = self._counted(self._cells_of(groups), len(groups), [name])
        return metric_places(name, counted, descending=descending)

    def _cells_of(self, groups: Ids) -> Ids:
        """For each matching event the place of its group among these, or -1."""
        if len(groups) == len(self._group_keys) and bool((groups[1:] > groups[:-1]).all()):
            return self._group_ids
        places = np.full(len(self._group_keys), -1, np.intp)
        places[groups] = np.arange(len(groups))
        return places[self._group_ids]

    def by_bucket(self, groups: Sequence[Group], edges: Sequence[int]) -> list[list[Sums]]:
        """For each of the given groups (absent ones too), the sums of each bucket between the edges."""
        width = len(edges) - 1
        if not width or not groups:
            return [[] for _ in groups]
        sums = self._sums(self._cells(groups, edges, width), len(groups) * width, self._query.metrics)
        return [sums[at : at + width] for at in range(0, len(sums), width)]

    def _cells(self, groups: Sequence[Group], edges: Sequence[int], width: int) -> Ids:
        """For each matching event its cell: the place of its group times `width` and its bucket, or -1."""
        if not self._query.group_by:
            return self._group_ids if width == 1 else self._of_rows(self._base.frame.buckets(edges))
        places = self._places(groups)[self._group_ids]
        if width == 1:
            return places
        buckets = self._of_rows(self._base.frame.buckets(edges))
        return np.where(places < 0, -1, places * width + buckets)

    def _places(self, groups: Sequence[Group]) -> Ids:
        """For each group there is, its place among the given ones, or -1."""
        keys = self._group_keys
        places = np.full(len(keys), -1, np.intp)
        if self._chosen.keys() >= set(groups):
            places[[self._chosen[group] for group in groups]] = np.arange(len(groups))
            return places
        candidates = np.arange(len(keys))
        for at, column in enumerate(self._columns):
            ids = column.values.find({group[at] for group in groups})
            candidates = candidates[np.isin(keys[candidates, at], list(ids.values()))]
        wanted = {group: place for place, group in enumerate(groups)}
        for number, group in zip(candidates, self._named(candidates), strict=True):
            places[number] = wanted.get(group, -1)
        return places

    def _of_rows(self, column: Ids) -> Ids:
        return column if self._rows is None else column[self._rows]

    def _matching_rows(self) -> Ids | None:
        """The places of the events that match; None for all of them."""
        matching: Flags | None = None
        for clause in plan(self._query.groups):
            column = self._base.dimension(clause.dimension)
            found = column.where(lambda value: any(matches(one, value) for one in clause.alternatives))  # noqa: B023 - called at once
            matching = found if matching is None else matching & found
        return None if matching is None else np.flatnonzero(matching)

    @cached_property
    def _columns(self) -> list[Column]:
        """The columns of group_by, of the matching events."""
        columns = [self._base.dimension(name) for name in self._query.group_by]
        return [Column(column.values, self._of_rows(column.ids)) for column in columns]

    def _grouped(self) -> tuple[Ids, Ids]:
        """The number of each matching event's group, and for each group the ids of its values, column by column."""
        size = len(self._visitors)
        if not self._columns:
            return np.zeros(size, np.uint8), np.zeros((1, 0), np.int64)
        numbers, keys = numbered(self._columns[0].ids, len(self._columns[0].values))
        keys = keys[:, None]
        for column in self._columns[1:]:
            width = len(column.values)
            numbers, combined = numbered(numbers.astype(np.int64) * width + column.ids, len(keys) * width)
            keys = np.column_stack([keys[combined // width], combined % width])
        return numbers, keys

    def _named(self, numbers: Ids) -> list[Group]:
        """The values of these groups."""
        keys = self._group_keys[numbers].tolist()
        return [tuple(column.values[id_] for column, id_ in zip(self._columns, key, strict=True)) for key in keys]

    def _counts(self, cells: Cells, metrics: Sequence[str], inside: Ids | None) -> dict[str, Ids]:
        """Of those metrics the ones that are counts of events, per cell; `inside` are the places of the events."""
        counts = {"events": cells.events()}
        if "pageviews" in metrics:
            views = self._is_pageview if inside is None else self._is_pageview[inside]
            # Reports of pages are of nothing but pageviews.
            counts["pageviews"] = counts["events"] if views.all() else cells.flagged(views)
        return counts

    def _sums(self, cells: Ids, size: int, metrics: Sequence[str]) -> list[Sums]:
        return as_sums(self._counted(cells, size, metrics))

    def _counted(self, cells: Ids, size: int, metrics: Sequence[str]) -> dict[str, Ids]:
        """What those metrics take, per cell; an event whose cell is negative is in none of them."""
        inside = np.flatnonzero(cells >= 0) if cells.size and cells.min() < 0 else None
        chosen = Cells(cells if inside is None else cells[inside], size)
        counted = self._counts(chosen, metrics, inside)
        for name, ids in (("unique_visitors", self._visitors), ("sessions", self._sessions)):
            if name in metrics:
                counted[name] = chosen.distinct(ids if inside is None else ids[inside])
        if any(METRICS[name].sessions for name in metrics):
            counted |= self._session_sums(cells, size)
        return counted

    def _session_sums(self, cells: Ids, size: int) -> dict[str, Ids]:
        """Whole sessions, each in the cell of its first matching event."""
        owners = cells[self._first_of_session]
        sessions = self._sessions[self._first_of_session][owners >= 0]
        owners = owners[owners >= 0]
        values = (np.ones(len(owners), np.int64), *(column[sessions] for column in self._base.session_sums))
        return {name: weighted(owners, value, size) for name, value in zip(SESSION_SUMS, values, strict=True)}

    @cached_property
    def _first_of_session(self) -> Ids:
        """Per session, the place of its first matching event; of several at that instant, of the first group's."""
        ts = self._of_rows(self._base.frame.ts)
        earliest = np.full(self._base.session_ids, np.iinfo(np.int64).max)
        np.minimum.at(earliest, self._sessions, ts)
        tied = np.flatnonzero((self._sessions > 0) & (ts == earliest[self._sessions]))
        sessions = self._sessions[tied]
        several = np.bincount(sessions)[sessions] > 1
        rank = np.zeros(len(self._group_keys), np.int64)
        numbers = np.flatnonzero(np.bincount(self._group_ids[tied[several]], minlength=len(rank)))
        groups = self._named(numbers)
        rank[numbers[sorted(range(len(groups)), key=lambda at: by_value(groups[at]))]] = np.arange(len(groups))
        tied = tied[np.lexsort((rank[self._group_ids[tied]], sessions))]
        return tied[leading(self._sessions[tied])]


class Base:
    """All events of the range that count, before filters: what sessions are made of."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def dimension(self, name: str) -> Column:
        """The column a dimension's values are in; entry and exit pages are worked out from the sessions."""
        known = dimension(name)
        assert known is not None, name
        if known.of_session:
            return self._page_of_session(last=name == "exit_page")
        return self.frame.column(known.column)

    @cached_property
    def is_pageview(self) -> Flags:
        column = self.frame.column("type")
        pageviews: Flags = column.ids == column.values.find({PAGEVIEW}).get(PAGEVIEW, NO_ID)
        return pageviews

    @cached_property
    def session_ids(self) -> int:
        """One more than the greatest id of a session."""
        return int(self._sessions.max(initial=0)) + 1

    @cached_property
    def _sessions(self) -> Ids:
        return self.frame.ids("session_id")

    @cached_property
    def session_sums(self) -> tuple[Ids, Ids, Ids]:
        """Per session id: whether it has exactly one event, last - first ts in ms, and its pageviews."""
        sessions, size, ts = self._sessions, self.session_ids, self.frame.ts
        first, last = np.full(size, np.iinfo(np.int64).max), np.full(size, np.iinfo(np.int64).min)
        np.minimum.at(first, sessions, ts)
        np.maximum.at(last, sessions, ts)
        once = (np.bincount(sessions, minlength=size) == 1).astype(np.int64)
        return once, last - first, np.bincount(sessions[self.is_pageview], minlength=size)

    def _page_of_session(self, *, last: bool) -> Column:
        """The path of each event's session's first or last pageview; ties: the smallest or the greatest path."""
        path, sessions = self.frame.column("path"), self._sessions
        # A missing path is none to begin or to end with where another has the same instant.
        rows = np.flatnonzero(self.is_pageview & (sessions > 0))
        ts = -self.frame.ts[rows] if last else self.frame.ts[rows]
        edge = np.full(self.session_ids, np.iinfo(np.int64).max)
        np.minimum.at(edge, sessions[rows], ts)
        rows = rows[(ts == edge[sessions[rows]]) & (path.ids[rows] > 0)]
        several = np.bincount(sessions[rows], minlength=1)[sessions[rows]] > 1
        present, numbers = np.unique(path.ids[rows[several]], return_inverse=True)
        place = np.zeros(len(rows), np.int64)
        place[several] = path.values.rank(present)[numbers]
        rows = rows[np.lexsort((-place if last else place, sessions[rows]))]
        rows = rows[leading(sessions[rows])]
        page = np.zeros(self.session_ids, np.int64)
        page[sessions[rows]] = path.ids[rows]
        return Column(path.values, page[sessions])


def as_sums(counted: dict[str, Ids]) -> list[Sums]:
    columns = [values.tolist() for values in counted.values()]
    return [Sums(**dict(zip(counted, values, strict=True))) for values in zip(*columns, strict=True)]


def by_value(group: Group) -> list[tuple[bool, str]]:
    """Sorts groups by their values in code point order, missing last."""
    return [(value is None, value or "") for value in group]
