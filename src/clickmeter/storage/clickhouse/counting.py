"""Counting in ClickHouse: from a query to exact sums per group and bucket, a statement for each thing asked."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from clickmeter.errors import Refusal
from clickmeter.query.fields import METRICS
from clickmeter.query.sums import Sums
from clickmeter.storage.clickhouse.connection import Connection
from clickmeter.storage.clickhouse.distinct import KEYS, SORTED, distinct
from clickmeter.storage.clickhouse.rollups import Hours, Rolled, is_rolled, threads_for_rollups
from clickmeter.storage.clickhouse.schema import HOUR_MS, quoted
from clickmeter.storage.clickhouse.sql import Matching
from clickmeter.storage.clickhouse.statements import TOO_EXPENSIVE, Statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.query.query import Query
    from clickmeter.storage.clickhouse.sql import Group

COUNTS = {"events": "count()", "pageviews": "countIf(is_view)"}
SESSION_SUMS = {
    "whole_sessions": "count()",
    "bounces": "countIf(n = 1)",
    "session_ms": "sum(ms)",
    "session_pageviews": "sum(views)",
}

Cells = dict[tuple[int | None, "Group"], Sums]
"""Sums by bucket, which is its first edge, and group."""


class ClickhouseCounting:
    """`CountingStore` over one client of its own; not to be used from two threads at once."""

    def __init__(self, url: str) -> None:
        self._connection = Connection(url)
        with self._connection.refusing():
            self._threads = threads_for_rollups(self._connection)

    def answer(self, query: Query, *, start: int, end: int, deadline: float) -> ClickhouseAnswer:
        source = Source(self._connection.database, self._threads)
        return ClickhouseAnswer(Statements(self._connection, deadline), query, source, start=start, end=end)

    def close(self) -> None:
        self._connection.close()


class Source(NamedTuple):
    """Where events are, and by how many threads their rollups are read; 0 where they cannot be."""

    database: str
    threads: int


class Total(NamedTuple):
    """Everything that matches; `has_daily_ids` is of the range, whatever matches, or None when that is not known."""

    unattributed: dict[str, int]
    has_daily_ids: bool | None
    sums: Sums


class ClickhouseAnswer:
    """A `CountedAnswer`; each number is asked for when it is wanted, and once."""

    def __init__(self, statements: Statements, query: Query, source: Source, *, start: int, end: int) -> None:
        self._statements = statements
        self._query = query
        self._source = source
        self._table = f"{quoted(source.database)}.events"
        self._range = (start, end)
        self._asks_sessions = any(METRICS[name].sessions for name in query.metrics)
        self._totals: Total | None = None
        self._known: Cells = {}

    def unattributed(self) -> dict[str, int]:
        return self._total.unattributed

    def has_daily_ids(self) -> bool | None:
        return self._total.has_daily_ids

    def totals(self) -> Sums:
        return self._total.sums

    def leading(self, terms: Sequence[str], count: int) -> tuple[list[Group], list[Sums]]:
        names = [name for name in self._query.metrics if {name, f"-{name}"}.intersection(terms)]
        order, limit = self._order(terms, count)
        in_one = limit and self._query.interval == "total" and SORTED in self._statements.ways
        counted = self._ranked(order, limit) if in_one else None
        if counted is None:
            counted = self._counted(names, order=order, limit=limit)
        groups = sorted((group for _, group in counted), key=by_value)
        whole: Cells = {}
        if any(METRICS[name].sessions for name in names):
            whole = self._session_sums(groups=groups if limit else None)
        return groups, [combined(counted[None, group], whole.get((None, group))) for group in groups]

    def by_bucket(self, groups: Sequence[Group], edges: Sequence[int]) -> list[list[Sums]]:
        width = len(edges) - 1
        if not width or not groups:
            return [[] for _ in groups]
        if not self._query.group_by:
            if width == 1:
                return [[self.totals()]]
            if (series := self._series(edges)) is not None:
                return [series]
        buckets: Sequence[int | None] = [None] if width == 1 else edges[:-1]
        counted = self._known if width == 1 and all((None, group) in self._known for group in groups) else None
        if counted is None:
            counted = self._counted(self._query.metrics, groups=groups, edges=edges)
        whole = self._session_sums(groups=groups, edges=edges) if self._asks_sessions else {}
        return [
            [combined(counted.get((bucket, group), Sums()), whole.get((bucket, group))) for bucket in buckets]
            for group in groups
        ]

    @property
    def _total(self) -> Total:
        if self._totals is None:
            rolled = self._rolled([])
            self._totals = Total(rolled.unattributed, rolled.has_daily_ids, rolled.total) if rolled else self._summed()
        return self._totals

    def _summed(self) -> Total:
        """Everything that matches, from the events."""
        names = counts_of(self._query.metrics)
        events = self._events()
        picked = events.sql()
        rows = self._statements.counted(
            lambda way: (
                f"""
                SELECT countIf(visitor_key = 0), countIf(session_key = 0), {", ".join(aggregates(names, way))}
                FROM {picked}
            """
            ),
            events.parameters.values,
        )
        [(no_visitor, no_session, *values)] = rows
        counted = Sums(**dict(zip(names, values, strict=True)))
        whole = self._session_sums(apart=False)[None, ()] if self._asks_sessions else None
        return Total({"visitor_id": no_visitor, "session_id": no_session}, None, combined(counted, whole))

    def _series(self, edges: Sequence[int]) -> list[Sums] | None:
        """The sums of each bucket between these edges, groups apart, from rollups, and the totals with them."""
        rolled = self._rolled(edges)
        if rolled is None:
            return None
        self._totals = Total(rolled.unattributed, rolled.has_daily_ids, rolled.total)
        # Of the first bucket some may be too old to be counted.
        found = {edges[max(bisect_right(edges, hour * HOUR_MS), 1) - 1]: sums for hour, sums in rolled.buckets.items()}
        return [found.get(edge, Sums()) for edge in edges[:-1]]

    def _rolled(self, edges: Sequence[int]) -> Rolled | None:
        """What rollups have of the range and of the buckets between these edges; None when they cannot tell."""
        start, end = self._range
        within = [start, *(edge for edge in edges if start < edge < end), end]
        if start >= end or not self._source.threads or not is_rolled(self._query, within):
            return None
        source = self._source
        return Hours(self._query, source.database, within, threads=source.threads).rolled(self._statements)

    def _ranked(self, order: str, limit: str) -> Cells | None:
        """The leading groups with all that is counted of them, which are few; None when that takes too much memory."""
        try:
            self._known = self._counted(self._query.metrics, order=order, limit=limit, ways=(SORTED,))
        except Refusal as refusal:
            if refusal.code != TOO_EXPENSIVE:
                raise
            return None
        return self._known

    def _counted(
        self,
        metrics: Sequence[str],
        *,
        groups: Sequence[Group] | None = None,
        edges: Sequence[int] = (),
        order: str = "",
        limit: str = "",
        ways: Sequence[str] = (),
    ) -> Cells:
        """The counts of those metrics, by bucket and group; only of `groups` if they are given."""
        names = counts_of(metrics)
        events = self._events(edges)
        picked = events.sql(where=events.in_groups(groups))
        rows = self._statements.counted(
            lambda way: (
                f"""
                SELECT {", ".join([*events.cells, *aggregates(names, way)])} FROM {picked}
                {grouped(events.cells)} {order} {limit}
            """
            ),
            events.parameters.values,
            ways=ways,
        )
        return by_cell(rows, events, names)

    def _session_sums(
        self, *, groups: Sequence[Group] | None = None, edges: Sequence[int] = (), apart: bool = True
    ) -> Cells:
        """Whole sessions, each in the bucket and group of its first matching event; all in one unless told `apart`.

        Of several first events at one instant it is the group's whose values sort first.
        """
        events = self._events(edges)
        cells = events.cells if apart else []
        first = ", ".join(["ts", *(f"{d} = '', {d}" for d in events.dimensions)])
        owners = [f"argMin({cell}, ({first})) AS {cell}_of_first" for cell in cells]
        renamed = [f"{cell}_of_first AS {cell}" for cell in cells]
        wanted = events.in_groups(groups)
        sql = f"""
            SELECT {", ".join([*renamed, *SESSION_SUMS.values()])}
            FROM (
                SELECT {", ".join(["session_key", *owners])} FROM {events.sql()} WHERE session_key != 0
                GROUP BY session_key
            ) AS owners INNER JOIN {events.sessions()} AS whole USING (session_key)
            {f"WHERE {wanted}" if wanted else ""} {grouped(cells)}
        """
        return by_cell(self._statements.rows(sql, events.parameters.values), events, list(SESSION_SUMS), apart=apart)

    def _events(self, edges: Sequence[int] = ()) -> Matching:
        """What matches, told apart by the buckets between the edges, if there are any between."""
        start, end = self._range
        return Matching(self._query, self._table, start=start, end=end, edges=edges)

    def _order(self, terms: Sequence[str], count: int) -> tuple[str, str]:
        """How to have the leading groups come first, and how many of them are enough.

        Rates are ranked as they are shown, rounded, which is not done here: all groups are needed then, or all that
        tie by the term before.
        """
        orders = [self._order_by(one) for one in terms]
        known = [one for one in orders if one is not None]
        if orders[0] is None:
            return "", ""
        if len(known) < len(orders):
            return f"ORDER BY {known[0]}", f"LIMIT {count + 1:d} WITH TIES"
        ties = [f"d{place} = '', d{place}" for place in range(len(self._query.group_by))]
        return f"ORDER BY {', '.join([*known, *ties])}", f"LIMIT {count + 1:d}"

    def _order_by(self, term: str) -> str | None:
        """One term in SQL, missing values last; None for a rate or a mean."""
        name, direction = term.removeprefix("-"), "DESC" if term.startswith("-") else "ASC"
        if name in self._query.group_by:
            d = f"d{self._query.group_by.index(name)}"
            return f"{d} = '', {d} {direction}"
        return None if METRICS[name].sessions else f"{name} {direction}"


def by_cell(rows: Sequence[tuple[Any, ...]], events: Matching, names: Sequence[str], *, apart: bool = True) -> Cells:
    """The sums of each row, by its bucket (None without buckets) and its group."""
    found: Cells = {}
    for row in rows:
        values = row[len(row) - len(names) :]
        found[events.cell(row) if apart else (None, ())] = Sums(**dict(zip(names, values, strict=True)))
    return found


def grouped(cells: Sequence[str]) -> str:
    return f"GROUP BY {', '.join(cells)}" if cells else ""


def counts_of(metrics: Sequence[str]) -> list[str]:
    """The counts that those metrics take; events always, since no events is nothing to show."""
    return ["events", *(name for name in (*COUNTS, *KEYS) if name != "events" and name in metrics)]


def aggregates(names: Sequence[str], way: str) -> list[str]:
    """What counts them, each under its own name."""
    return [f"{COUNTS.get(name) or distinct(name, way)} AS {name}" for name in names]


def combined(counted: Sums, whole: Sums | None) -> Sums:
    """Counts of events, and sums of whole sessions where there are any."""
    if whole is None:
        return counted
    return counted._replace(**{name: getattr(whole, name) for name in SESSION_SUMS})


def by_value(group: Group) -> list[tuple[bool, str]]:
    """Sorts groups by their values in code point order, missing last."""
    return [(value is None, value or "") for value in group]
