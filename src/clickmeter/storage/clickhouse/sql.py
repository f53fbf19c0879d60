"""What is a query in SQL? Dimensions, filters and the events they pick, from the tables of `query.fields`; pure.

Every value is a parameter that the server binds. In every expression a missing value is an empty text; the values of
data, which may be empty themselves, begin with PRESENT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clickmeter.model import PAGEVIEW
from clickmeter.query.fields import DATA_PREFIX, dimension
from clickmeter.query.filters import Filter, plan
from clickmeter.storage.clickhouse.schema import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.query.filters import Clause
    from clickmeter.query.query import Query

Group = tuple[str | None, ...]

PRESENT = "="
LIKE_ESCAPES = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_", "*": "%"})

COMPARISONS = {
    "is": "{value} = {wanted}",
    "is_not": "{value} != {wanted}",
    "contains": "position({value}, {wanted}) > 0",
    "not_contains": "position({value}, {wanted}) = 0",
    "starts_with": "startsWith({value}, {wanted})",
    "ends_with": "endsWith({value}, {wanted})",
    "like": "({present} AND {value} LIKE {wanted})",
    "is_set": "{present}",
    "is_not_set": "NOT {present}",
}
"""Operator -> SQL. A missing value is an empty text and a wanted one never is, so that most need not ask."""


IS_VIEW = Filter("type", "is", PAGEVIEW)


class Parameters:
    """The values of a statement, and the names they are bound by."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def add(self, value: Any, type_: str = "String") -> str:
        """What stands for a value in the statement."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"{{{name}:{type_}}}"


class Matching:
    """The events of a range that match a query, as SQL; all its statements share one set of parameters."""

    def __init__(self, query: Query, table: str, *, start: int, end: int, edges: Sequence[int] = ()) -> None:
        """With edges between `start` and `end` events are told apart by the buckets between them, too."""
        self.parameters = Parameters()
        self._query = query
        self._table = table
        bots = "" if query.include_bots else " AND bot = 0"
        property_ = self.parameters.add(query.property_id)
        self._in_range = f"property_id = {property_} AND {self._instants(start, end)}{bots}"
        self.dimensions = [f"d{place}" for place in range(len(query.group_by))]
        has_buckets = len(edges) > 2
        self._bucket = f"roundDown(ts, {self.parameters.add(list(edges), 'Array(Int64)')})" if has_buckets else ""
        self.cells = [*(["bucket"] if has_buckets else []), *self.dimensions]

    def sql(self, *, where: str = "") -> str:
        """A subquery of one row per event: ts, is_view, visitor_key, session_key and the cells."""
        values = [f"{self._value(name)} AS {d}" for d, name in zip(self.dimensions, self._query.group_by, strict=True)]
        bucket = [f"{self._bucket} AS bucket"] if self._bucket else []
        columns = ["ts", "is_view", "visitor_key", "session_key", *bucket, *values]
        conditions = [self._in_range, *map(self._clause, plan(self._query.groups)), *([where] if where else [])]
        join = f"LEFT JOIN ({self._pages_of_sessions()}) AS pages USING (session_key)" if self._asks_pages() else ""
        return f"""(
            SELECT {", ".join(columns)} FROM {self._table} {join} WHERE {" AND ".join(conditions)}
        )"""

    def sessions(self) -> str:
        """A subquery of one row per session of the range, whatever the filters: what whole sessions are made of."""
        return f"""(
            SELECT session_key, count() AS n, max(ts) - min(ts) AS ms, countIf(is_view) AS views
            FROM {self._table} WHERE {self._in_range} AND session_key != 0 GROUP BY session_key
        )"""

    def in_groups(self, groups: Sequence[Group] | None) -> str:
        """A condition on the dimensions of a row; none without groups or dimensions."""
        names = self._query.group_by
        if groups is None or not names:
            return ""
        stored = [tuple(map(to_stored, names, group)) for group in groups]
        if len(names) == 1:
            return f"d0 IN {self.parameters.add([value for (value,) in stored], 'Array(String)')}"
        type_ = f"Array(Tuple({', '.join(['String'] * len(names))}))"
        return f"({', '.join(self.dimensions)}) IN {self.parameters.add(stored, type_)}"

    def cell(self, row: Sequence[Any]) -> tuple[int | None, Group]:
        """The bucket, which is its first edge, and the group of a row that begins with the cells."""
        bucket, values = (row[0], row[1:]) if self._bucket else (None, row)
        return bucket, tuple(map(from_stored, self._query.group_by, values))

    def _instants(self, start: int, end: int) -> str:
        """What picks the rows of a range; an hour is half as long to read as an instant, which then finds them only."""
        first, last = (self.parameters.add(edge, "Int64") for edge in (start, end))
        instants = f"ts >= {first} AND ts < {last}"
        if start % HOUR_MS or end % HOUR_MS:
            return instants
        first, last = (self.parameters.add(edge // HOUR_MS, "Int32") for edge in (start, end))
        return f"indexHint({instants}) AND hour >= {first} AND hour < {last}"

    def _asks_pages(self) -> bool:
        asked = (*self._query.group_by, *(one.dimension for group in self._query.groups for one in group))
        return any(known.of_session for name in asked if (known := dimension(name)))

    def _pages_of_sessions(self) -> str:
        """The path of each session's first and last pageview; a missing one is none where another has the instant."""
        return f"""
            SELECT session_key, argMin(path, (ts, path = '', path)) AS entry_page,
                argMax(path, (ts, path != '', path)) AS exit_page
            FROM {self._table} WHERE {self._in_range} AND session_key != 0 AND is_view
            GROUP BY session_key
        """

    def _value(self, name: str) -> str:
        """A dimension's value."""
        if name.startswith(DATA_PREFIX):
            key = self.parameters.add(name.removeprefix(DATA_PREFIX))
            return f"if(mapContains(data_values, {key}), concat('{PRESENT}', data_values[{key}]), '')"
        return name

    def _clause(self, clause: Clause) -> str:
        return f"({' OR '.join(map(self._condition, clause.alternatives))})"

    def _condition(self, condition: Filter) -> str:
        if condition == IS_VIEW:
            return "is_view"
        value, present = condition.dimension, f"({condition.dimension} != '')"
        if value.startswith(DATA_PREFIX):
            key = self.parameters.add(value.removeprefix(DATA_PREFIX))
            value, present = f"data_values[{key}]", f"mapContains(data_values, {key})"
        wanted = ""
        if condition.value is not None:
            pattern = condition.operator == "like"
            wanted = self.parameters.add(condition.value.translate(LIKE_ESCAPES) if pattern else condition.value)
        return COMPARISONS[condition.operator].format(value=value, present=present, wanted=wanted)


def to_stored(name: str, value: str | None) -> str:
    if value is None:
        return ""
    return PRESENT + value if name.startswith(DATA_PREFIX) else value


def from_stored(name: str, value: str) -> str | None:
    if not value:
        return None
    return value.removeprefix(PRESENT) if name.startswith(DATA_PREFIX) else value
