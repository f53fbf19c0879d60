"""Which questions are answered from hours instead of events, and how? In one place.

The rollups are projections of `events`: ClickHouse writes each in the very part that it is of, merges it with it, and
makes it anew when events are removed from it. So there is nothing that could differ from the events: no insert that is
in one and not in the other, nobody who is forgotten in one alone. `hours` has counts, and `people` who came: by visitor
and session an hour of events is a fourth of the rows, and nothing but numbers.

One statement asks for everything: its branches run beside each other, each of them on a core, and what a statement
costs before it reads anything is paid once.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from clickmeter.query.fields import METRICS
from clickmeter.query.filters import Clause, plan
from clickmeter.query.sums import Sums
from clickmeter.storage.clickhouse.distinct import KEYS, distinct
from clickmeter.storage.clickhouse.schema import HOUR_MS
from clickmeter.storage.clickhouse.sql import IS_VIEW, Parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.query.query import Query
    from clickmeter.storage.clickhouse.connection import Connection
    from clickmeter.storage.clickhouse.statements import Statements

FUNCTION = "mergeTreeProjection"
PAGEVIEWS = Clause("type", (IS_VIEW,))
"""The only filter that rollups know, that of the pages preset."""
COUNTS = {
    "without visitor": "countMergeIf(`count()`, {wanted} AND bitTest(without, 0))",
    "without session": "countMergeIf(`count()`, {wanted} AND bitTest(without, 1))",
    "events": "countMergeIf(`count()`, {wanted})",
    "pageviews": "countMergeIf(`count()`, is_view)",
    "daily": "countMergeIf(`count()`, daily)",
}
"""Of what is asked about; the last one of everything, since it says something about the range."""
READING = {"optimize_move_to_prewhere": 0}
"""Hardly a row that is read is not of the range, so that it takes longer to look first which are."""
WHOLE = "CAST(NULL AS Nullable(Int32))"
"""The bucket of what is of the whole range."""


class Rolled(NamedTuple):
    """What there is of a range, and of its buckets that are not empty, by the hour each begins with."""

    unattributed: dict[str, int]
    has_daily_ids: bool
    total: Sums
    buckets: dict[int, Sums]


def threads_for_rollups(connection: Connection) -> int:
    """How many threads a statement has; 0 unless this is one server that reads projections by name. Raises Failed."""
    if connection.cluster is not None:
        return 0
    sql = "SELECT toUInt64(getSetting('max_threads')) FROM system.table_functions WHERE name = {name:String}"
    return sum(threads for (threads,) in connection.rows(sql, {"name": FUNCTION}))


def is_rolled(query: Query, edges: Sequence[int]) -> bool:
    """Whether hours hold the answer, groups apart: whole hours, no more than counted, all events or all pageviews."""
    counted = not any(METRICS[name].sessions for name in query.metrics)
    return counted and {*plan(query.groups)} <= {PAGEVIEWS} and not any(edge % HOUR_MS for edge in edges)


class Hours:
    """The hours of a query's range, which `edges` (ms) begin and end; those between tell its buckets apart."""

    def __init__(self, query: Query, database: str, edges: Sequence[int], *, threads: int) -> None:
        self._database = "'" + database.replace("\\", "\\\\").replace("'", "\\'") + "'"
        self._names = [name for name in KEYS if name in query.metrics]
        self._threads = threads
        self._parameters = Parameters()
        add = self._parameters.add
        hours = [edge // HOUR_MS for edge in edges]
        first, last = (add(hour, "Int32") for hour in (hours[0], hours[-1]))
        bots = "" if query.include_bots else " AND bot = 0"
        self._in_range = f"property_id = {add(query.property_id)} AND hour >= {first} AND hour < {last}{bots}"
        self._wanted = "is_view" if query.groups else "true"
        self._first = hours[0]
        self._bucket = self._bucket_of(hours) if len(edges) > 2 else ""

    def rolled(self, statements: Statements) -> Rolled:
        parts = [[*COUNTS], *([name] for name in self._names)]
        found: dict[int | None, dict[str, int]] = {}
        for part, bucket, numbers in statements.counted(self._sql, self._parameters.values, settings=READING):
            found.setdefault(bucket, {}).update(zip(parts[part], numbers, strict=True))
        whole = found.pop(None, {})
        # What is counted adds up, which distinct visitors do not.
        total = {name: sum(one.get(name, 0) for one in found.values()) for name in COUNTS} | whole
        return Rolled(
            unattributed={"visitor_id": total["without visitor"], "session_id": total["without session"]},
            has_daily_ids=total["daily"] > 0,
            total=self._sums(total),
            # The first bucket may be shorter than the others, which are as long as each other.
            buckets={max(bucket, self._first): self._sums(one) for bucket, one in found.items() if bucket is not None},
        )

    def _sums(self, numbers: dict[str, int]) -> Sums:
        return Sums(**{name: numbers.get(name, 0) for name in ("events", "pageviews", *self._names)})

    def _sql(self, way: str) -> str:
        """Rows of what is counted (0: COUNTS, then each distinct thing), a bucket, or WHOLE, and the numbers."""
        uniques = [self._unique(part, distinct(name, way)) for part, name in enumerate(self._names, start=1)]
        # Branches that all want every core wait for each other, and to be spread costs each of them half a millisecond.
        share = max(1, self._threads // max(1, len(uniques)))
        branches = [within(self._counts(), threads=1), *(within(one, threads=share) for one in uniques)]
        return f"SELECT * FROM ({' UNION ALL '.join(branches)})"

    def _counts(self) -> str:
        counts = ", ".join(count.format(wanted=self._wanted) for count in COUNTS.values())
        return f"""
            SELECT 0 AS part, {self._bucket or WHOLE} AS bucket, [{counts}] AS numbers
            FROM {FUNCTION}({self._database}, 'events', 'hours')
            WHERE {self._in_range} {"GROUP BY bucket" if self._bucket else ""}
        """

    def _unique(self, part: int, aggregate: str) -> str:
        """Of the range, and of its buckets: two sets of groups, which are read once and counted beside each other."""
        people = f"""
            FROM {FUNCTION}({self._database}, 'events', 'people')
            WHERE {self._in_range} AND {self._wanted}
        """
        if not self._bucket:
            return f"SELECT {part} AS part, {WHOLE} AS bucket, [{aggregate}] AS numbers {people}"
        return f"""
            WITH {self._bucket} AS begun
            SELECT {part} AS part, if(grouping(begun) = 0, begun, NULL) AS bucket, [{aggregate}] AS numbers {people}
            GROUP BY GROUPING SETS ((begun), ())
        """

    def _bucket_of(self, hours: Sequence[int]) -> str:
        """The hour that the bucket of an hour begins with; a remainder is a fifth of the work of a search."""
        add = self._parameters.add
        first, *widths, last = (after - before for before, after in pairwise(hours))
        if len({*widths}) != 1 or max(first, last) > widths[0]:
            return f"roundDown(hour, {add(hours, 'Array(Int32)')})"
        begun, width = add(hours[1] - widths[0], "Int32"), add(widths[0], "Int32")
        return f"(hour - (hour - {begun}) % {width})"


def within(branch: str, *, threads: int) -> str:
    return f"({branch} SETTINGS max_threads = {threads:d})"
