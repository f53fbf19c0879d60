"""Which parameters a report takes, with their types, and how they are written in a query string."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

Period = Literal[
    "today", "yesterday", "7d", "28d", "30d", "90d", "12mo", "this_week", "this_month", "last_month", "this_year", "all"
]
Interval = Literal["total", "minute", "hour", "day", "week", "month", "year"]
Compare = Literal["previous_period", "previous_year"]
Fill = Literal["all", "none"]
TextFormat = Literal["csv", "ndjson"]
Endpoint = Literal["overview", "pages", "campaigns", "metrics", "realtime", "schema"]
TableEndpoint = Literal["pages", "campaigns", "metrics"]


class OverviewParameters(TypedDict, total=False):
    """Every report: whole days `from_` to `to`, both inclusive, or a `period`; None is the same as leaving one out.

    `timezone` is an IANA name (default: the property's). `filters` are texts like ``path:starts_with:/blog``, AND-ed,
    except that positive filters on one dimension are alternatives. `metrics` are names as in `Reports.schema`.
    """

    from_: date | str | None
    to: date | str | None
    period: Period | None
    timezone: str | None
    filters: Sequence[str] | None
    include_bots: bool | None
    metrics: Sequence[str] | None
    compare: Compare | None


class TableParameters(OverviewParameters, total=False):
    """Reports with rows: `order_by` is ``["-pageviews", "path"]``; `limit` counts groups (50 unless given, ≤ 1,000).

    `cursor` is the `next_cursor` of the page before, with otherwise the same parameters.
    """

    order_by: Sequence[str] | None
    limit: int | None
    cursor: str | None


class MetricsParameters(TableParameters, total=False):
    """The general report: up to three dimensions in `group_by`, and one row per bucket of `interval`.

    `fill="none"` leaves empty buckets out.
    """

    interval: Interval | None
    fill: Fill | None
    group_by: Sequence[str] | None


class RealtimeParameters(TypedDict, total=False):
    """The last `minutes` (1 to 60, 5 unless given)."""

    minutes: int | None
    filters: Sequence[str] | None
    include_bots: bool | None


class AnyParameters(MetricsParameters, total=False):
    """What any of the reports takes; a parameter where it has no place is refused by the server."""

    minutes: int | None


def encode(parameters: Mapping[str, object]) -> list[tuple[str, str]]:
    """The pairs of the query string, in the order given: one ``filter`` each, other lists joined by commas."""
    pairs: list[tuple[str, str]] = []
    for name, value in parameters.items():
        if value is None:
            continue
        if name == "filters":
            pairs += [("filter", one) for one in _texts(value)]
        else:
            pairs.append(("from" if name == "from_" else name, ",".join(_texts(value))))
    return pairs


def _texts(value: object) -> list[str]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [str(one) for one in value]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [value.isoformat() if isinstance(value, date) else str(value)]
