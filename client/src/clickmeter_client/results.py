"""What a report answers, as frozen values: one shape per endpoint, read from the JSON body."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MetricValue = int | float | None
"""Counts are int; rates and means are float, and None where there is nothing to take a mean of."""


@dataclass(frozen=True, slots=True)
class Query:
    """The question as the server understood it, dates resolved. What an endpoint does not take is empty or None."""

    from_: date | None
    to: date | None
    timezone: str
    interval: str
    metrics: tuple[str, ...]
    group_by: tuple[str, ...]
    filters: tuple[str, ...]
    order_by: tuple[str, ...]
    limit: int | None


@dataclass(frozen=True, slots=True)
class ReportWarning:
    """Something to know before the numbers are trusted; `code` is the name to branch on."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Meta:
    """About the answer. `partial`: the range is not over yet. `unattributed`: events without that id, by its name."""

    next_cursor: str | None
    partial: bool
    unattributed: Mapping[str, int]
    warnings: tuple[ReportWarning, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `time` is the bucket's label, or None without an interval; a dimension is None where it is missing."""

    time: str | None
    dimensions: Mapping[str, str | None]
    metrics: Mapping[str, MetricValue]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same groups in the same order over the earlier range, and that range's totals."""

    query: Query
    rows: tuple[Row, ...]
    totals: Mapping[str, MetricValue]


@dataclass(frozen=True, slots=True)
class Overview:
    """The metrics of a whole range. One that was not asked for is None; `metrics` holds just those asked for."""

    property_id: str
    query: Query
    metrics: Mapping[str, MetricValue]
    pageviews: int | None
    unique_visitors: int | None
    sessions: int | None
    events: int | None
    bounce_rate: float | None
    avg_session_seconds: float | None
    views_per_session: float | None
    comparison: Comparison | None
    meta: Meta


@dataclass(frozen=True, slots=True)
class Table:
    """One page of rows. `totals` are over everything that matches, the same on every page."""

    property_id: str
    query: Query
    rows: tuple[Row, ...]
    totals: Mapping[str, MetricValue]
    comparison: Comparison | None
    meta: Meta


@dataclass(frozen=True, slots=True)
class TextPage:
    """One page of rows as CSV or NDJSON, which have no place for the cursor; it is None on the last page."""

    text: str
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Minute:
    """The pageviews of one minute; `time` is RFC 3339."""

    time: str
    pageviews: int


@dataclass(frozen=True, slots=True)
class Realtime:
    """The last `minutes` minutes."""

    property_id: str
    minutes: int
    unique_visitors: int
    pageviews: int
    rows: tuple[Minute, ...]
    meta: Meta


@dataclass(frozen=True, slots=True)
class Metric:
    """What may be counted; `kind` is ``count``, ``rate`` or ``mean``."""

    name: str
    description: str
    kind: str


@dataclass(frozen=True, slots=True)
class Dimension:
    """What rows may be grouped and filtered by."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Operator:
    """How a filter compares; those that take no value are written without one."""

    name: str
    description: str
    takes_value: bool


@dataclass(frozen=True, slots=True)
class Schema:
    """What may be asked, and of which property."""

    property_id: str
    name: str
    timezone: str
    metrics: tuple[Metric, ...]
    dimensions: tuple[Dimension, ...]
    operators: tuple[Operator, ...]
    intervals: tuple[str, ...]
    periods: tuple[str, ...]
    limits: Mapping[str, int]


def read_overview(wire: Any) -> Overview:
    """`Overview` from the body of ``overview``."""
    query = _query(wire["query"])
    metrics = {name: wire[name] for name in query.metrics}
    return Overview(
        property_id=wire["property_id"],
        query=query,
        metrics=metrics,
        pageviews=metrics.get("pageviews"),
        unique_visitors=metrics.get("unique_visitors"),
        sessions=metrics.get("sessions"),
        events=metrics.get("events"),
        bounce_rate=metrics.get("bounce_rate"),
        avg_session_seconds=metrics.get("avg_session_seconds"),
        views_per_session=metrics.get("views_per_session"),
        comparison=_comparison(wire),
        meta=_meta(wire["meta"]),
    )


def read_table(wire: Any) -> Table:
    """`Table` from the body of ``pages``, ``campaigns`` or ``metrics``."""
    query = _query(wire["query"])
    return Table(
        property_id=wire["property_id"],
        query=query,
        rows=tuple(_row(row, query) for row in wire["rows"]),
        totals=dict(wire["totals"]),
        comparison=_comparison(wire),
        meta=_meta(wire["meta"]),
    )


def read_realtime(wire: Any) -> Realtime:
    """`Realtime` from the body of ``realtime``."""
    return Realtime(
        property_id=wire["property_id"],
        minutes=wire["minutes"],
        unique_visitors=wire["unique_visitors"],
        pageviews=wire["pageviews"],
        rows=tuple(Minute(row["time"], row["pageviews"]) for row in wire["rows"]),
        meta=_meta(wire["meta"]),
    )


def read_schema(wire: Any) -> Schema:
    """`Schema` from the body of ``schema``."""
    return Schema(
        property_id=wire["property"]["id"],
        name=wire["property"]["name"],
        timezone=wire["property"]["timezone"],
        metrics=tuple(Metric(one["name"], one["description"], one["kind"]) for one in wire["metrics"]),
        dimensions=tuple(Dimension(one["name"], one["description"]) for one in wire["dimensions"]),
        operators=tuple(Operator(one["name"], one["description"], one["takes_value"]) for one in wire["operators"]),
        intervals=_names(wire, "intervals"),
        periods=_names(wire, "periods"),
        limits=dict(wire["limits"]),
    )


def _names(wire: Any, field: str) -> tuple[str, ...]:
    names = tuple(wire.get(field) or ())
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"{field} holds something else than names.")
    return names


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _query(wire: Any) -> Query:
    return Query(
        from_=_date(wire.get("from")),
        to=_date(wire.get("to")),
        timezone=wire["timezone"],
        interval=wire.get("interval", "total"),
        metrics=_names(wire, "metrics"),
        group_by=_names(wire, "group_by"),
        filters=_names(wire, "filters"),
        order_by=_names(wire, "order_by"),
        limit=wire.get("limit"),
    )


def _row(wire: Any, query: Query) -> Row:
    return Row(
        time=wire.get("time"),
        dimensions={name: wire[name] for name in query.group_by},
        metrics={name: wire[name] for name in query.metrics},
    )


def _comparison(wire: Any) -> Comparison | None:
    comparison = wire.get("comparison")
    if comparison is None:
        return None
    # Its own query gives its dates; groups and metrics are those of the question, which it need not repeat.
    query = _query({**wire["query"], **comparison["query"]})
    rows = tuple(_row(row, query) for row in comparison.get("rows", ()))
    return Comparison(query=query, rows=rows, totals=dict(comparison["totals"]))


def _meta(wire: Any) -> Meta:
    return Meta(
        next_cursor=wire.get("next_cursor"),
        partial=bool(wire.get("partial", False)),
        unattributed=dict(wire.get("unattributed") or {}),
        warnings=tuple(ReportWarning(one["code"], one["detail"]) for one in wire.get("warnings") or ()),
    )
