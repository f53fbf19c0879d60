"""Which questions are answered from hours instead of events, and how? In one place.

The rollups are projections of `events`: ClickHouse writes each in the very part that it is of, merges it with it, and
makes it anew when events are removed from it. So there is nothing that could differ from the events: no insert that is
in one and not in the other, nobody who is forgotten in one alone. `hours` has counts, and `people` who came: by visitor
and session an hour of events is a fourth of the rows, and nothing but numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from clickmeter.model import PAGEVIEW
from clickmeter.query.fields import METRICS
from clickmeter.query.filters import Clause, Filter, plan
from clickmeter.query.sums import Sums
from clickmeter.storage.clickhouse.schema import HOUR_MS
from clickmeter.storage.clickhouse.sql import Parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.query.query import Query
    from clickmeter.storage.clickhouse.connection import Connection
    from clickmeter.storage.clickhouse.counting import Statements

FUNCTION = "mergeTreeProjection"
PAGEVIEWS = Clause("type", (Filter("type", "is", PAGEVIEW),))
"""The only filter that rollups know, that of the pages preset."""
COUNTS = {
    "unattributed visitors": "sumIf(n, bitTest(without, 0))",
    "unattributed sessions": "sumIf(n, bitTest(without, 1))",
    "events": "sum(n)",
    "pageviews": "sumIf(n, is_view)",
}
PEOPLE = {
    "unique_visitors": "uniqExactIf(visitor_key, visitor_key != 0)",
    "sessions": "uniqExactIf(session_key, session_key != 0)",
}


class Rolled(NamedTuple):
    """What there is of one bucket."""

    unattributed: dict[str, int]
    sums: Sums


def has_rollups(connection: Connection) -> bool:
    """Whether this ClickHouse can read a projection by its name, which is of one server; raises Failed."""
    if connection.cluster is not None:
        return False
    sql = "SELECT count() FROM system.table_functions WHERE name = {name:String}"
    return connection.rows(sql, {"name": FUNCTION}) == [(1,)]


def is_rolled(query: Query, edges: Sequence[int]) -> bool:
    """Whether hours hold the answer, groups apart: whole hours, no more than counted, all events or all pageviews."""
    counted = not any(METRICS[name].sessions for name in query.metrics)
    return counted and {*plan(query.groups)} <= {PAGEVIEWS} and not any(edge % HOUR_MS for edge in edges)


class Hours:
    """The hours of a query's range, told apart by the buckets between the edges (ms)."""

    def __init__(self, query: Query, database: str, edges: Sequence[int]) -> None:
        self._query = query
        self._database = "'" + database.replace("\\", "\\\\").replace("'", "\\'") + "'"
        self._parameters = Parameters()
        add = self._parameters.add
        first, last = (add(edge // HOUR_MS, "Int32") for edge in (edges[0], edges[-1]))
        views = " AND is_view" if query.groups else ""
        bots = "" if query.include_bots else " AND bot = 0"
        self._wanted = f"property_id = {add(query.property_id)} AND hour >= {first} AND hour < {last}{bots}{views}"
        self._bucket = f"roundDown(hour * {HOUR_MS}, {add([*edges], 'Array(Int64)')})"

    def rolled(self, statements: Statements) -> dict[int, Rolled]:
        """The sums of each bucket that is not empty, by its first edge."""
        names = [name for name in PEOPLE if name in self._query.metrics]
        people = {row[0]: row[1:] for row in statements.rows(self._people(names), self._parameters.values)}
        found: dict[int, Rolled] = {}
        for bucket, visitors, sessions, events, pageviews in statements.rows(self._counts(), self._parameters.values):
            uniques = dict(zip(names, people[bucket], strict=True)) if names else {}
            sums = Sums(events=events, pageviews=pageviews, **uniques)
            found[bucket] = Rolled({"visitor_id": visitors, "session_id": sessions}, sums)
        return found

    def _counts(self) -> str:
        return f"""
            SELECT {self._bucket} AS bucket, {", ".join(COUNTS.values())} FROM (
                SELECT hour, is_view, without, finalizeAggregation(`count()`) AS n
                FROM {FUNCTION}({self._database}, 'events', 'hours') WHERE {self._wanted}
            ) GROUP BY bucket
        """

    def _people(self, names: Sequence[str]) -> str:
        return f"""
            SELECT {", ".join([f"{self._bucket} AS bucket", *(PEOPLE[name] for name in names)])}
            FROM {FUNCTION}({self._database}, 'events', 'people') WHERE {self._wanted} GROUP BY bucket
        """
