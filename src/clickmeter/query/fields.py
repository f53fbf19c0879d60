"""Which metrics, dimensions, operators and parameters exist? Every name a report may use, as tables of data.

A new metric or dimension begins with a row here: the parser, the schema endpoint and the documentation read these
tables. What the numbers mean is decided where they are computed, not here.
"""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

MAX_METRICS = 7
MAX_GROUP_BY = 3
MAX_FILTERS = 50
MAX_FILTER_VALUE = 2_048
MAX_DATA_KEY = 128
MAX_LIMIT = 1_000
MAX_MINUTES = 60
MAX_ROWS = 10_000
"""Groups x buckets of one answer."""

DEFAULT_LIMIT = 50
DEFAULT_MINUTES = 5
DEFAULT_PERIOD = "30d"


class Metric(NamedTuple):
    """One number of a row: a count is 0 where there is nothing, a rate or a mean is None there."""

    name: str
    description: str
    kind: Literal["count", "rate", "mean"]
    decimals: int
    """Rounded half-even to so many; 0 for whole numbers."""
    sessions: bool = False
    """Whether it looks at whole sessions, not only at the matching events."""


class Dimension(NamedTuple):
    """One way to tell events apart."""

    name: str
    description: str
    column: str
    """The column to scan: a field of `Event`, ``campaign`` or ``data.<key>``."""
    of_session: bool = False
    """Whether the value belongs to the event's session and is found from that column of its pageviews."""


class Operator(NamedTuple):
    """One way to compare a value in a filter."""

    name: str
    description: str
    takes_value: bool = True
    alternative: bool = False
    """Whether several such filters on one dimension of one group are alternatives (OR)."""


class Endpoint(NamedTuple):
    """Which parameters have their place in an endpoint, and which metrics it answers when none are asked for."""

    parameters: tuple[str, ...]
    metrics: tuple[str, ...] = ()


class Preset(NamedTuple):
    """What an endpoint fixes: it is metrics with this group_by and these filters in a group of their own."""

    group_by: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()


_METRICS = (
    Metric("pageviews", "Events of type pageview.", "count", 0),
    Metric("unique_visitors", "Distinct visitor ids, over the whole range of the row.", "count", 0),
    Metric("sessions", "Distinct session ids, over the whole range of the row.", "count", 0),
    Metric("events", "All events, pageviews included.", "count", 0),
    Metric("bounce_rate", "Share of sessions with exactly one event.", "rate", 6, sessions=True),
    Metric("avg_session_seconds", "Mean seconds from a session's first event to its last.", "mean", 3, sessions=True),
    Metric("views_per_session", "Mean number of pageviews of a session.", "mean", 3, sessions=True),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _METRICS}

_DIMENSIONS = (
    Dimension("path", "Path of the page, as sent.", "path"),
    Dimension("hostname", "Host of the page, lower case.", "hostname"),
    Dimension("title", "Title of the page.", "title"),
    Dimension("referrer", "Full address of the referring page.", "referrer"),
    Dimension("referrer_host", "Host of the referring page; none when it is the page's own.", "referrer_host"),
    Dimension("source", "utm_source, else the name of the referring site, else its host.", "source"),
    Dimension("campaign", "campaign_id, else utm_campaign.", "campaign"),
    Dimension("campaign_id", "Campaign id as sent.", "campaign_id"),
    Dimension("utm_source", "utm_source of the event or of its page's address.", "utm_source"),
    Dimension("utm_medium", "utm_medium of the event or of its page's address.", "utm_medium"),
    Dimension("utm_campaign", "utm_campaign of the event or of its page's address.", "utm_campaign"),
    Dimension("utm_term", "utm_term of the event or of its page's address.", "utm_term"),
    Dimension("utm_content", "utm_content of the event or of its page's address.", "utm_content"),
    Dimension("type", "Type of the event; pageview, or the name of a custom event.", "type"),
    Dimension("country", "Country of the visitor's address.", "country"),
    Dimension("region", "Region of the visitor's address.", "region"),
    Dimension("city", "City of the visitor's address.", "city"),
    Dimension("device", "Kind of device.", "device"),
    Dimension("browser", "Name of the browser.", "browser"),
    Dimension("os", "Name of the operating system.", "os"),
    Dimension("language", "Language of the visitor, lower case.", "language"),
    Dimension("entry_page", "Path of the session's first pageview in the range.", "path", of_session=True),
    Dimension("exit_page", "Path of the session's last pageview in the range.", "path", of_session=True),
    Dimension("data.<key>", "Value of a top-level key of the event's data; the key may contain dots.", "data.<key>"),
)
DATA_PREFIX = "data."
_NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
DIMENSIONS: dict[str, Dimension] = {dimension.name: dimension for dimension in _DIMENSIONS}

_OPERATORS = (
    Operator("is", "Equal to the value.", alternative=True),
    Operator("is_not", "Not equal to the value, or missing."),
    Operator("contains", "Contains the value.", alternative=True),
    Operator("not_contains", "Does not contain the value, or is missing."),
    Operator("starts_with", "Begins with the value.", alternative=True),
    Operator("ends_with", "Ends with the value.", alternative=True),
    Operator(
        "like", "The whole value fits the pattern: * is any run of characters, the rest is literal.", alternative=True
    ),
    Operator("is_set", "Is not missing.", takes_value=False),
    Operator("is_not_set", "Is missing.", takes_value=False),
)
OPERATORS: dict[str, Operator] = {operator.name: operator for operator in _OPERATORS}

INTERVALS = ("total", "minute", "hour", "day", "week", "month", "year")
PERIODS = (
    "today",
    "yesterday",
    "7d",
    "28d",
    "30d",
    "90d",
    "12mo",
    "this_week",
    "this_month",
    "last_month",
    "this_year",
    "all",
)
FILLS = ("all", "none")
COMPARISONS = ("previous_period", "previous_year")
FORMATS = ("json", "csv", "ndjson")

_EVERY = ("from", "to", "period", "timezone", "filter", "include_bots", "compare", "metrics", "format")
_RANKED = ("order_by", "limit", "cursor")
ENDPOINTS: dict[str, Endpoint] = {
    "overview": Endpoint(_EVERY, ("pageviews", "unique_visitors", "sessions")),
    "pages": Endpoint((*_EVERY, *_RANKED), ("pageviews", "unique_visitors")),
    "campaigns": Endpoint((*_EVERY, *_RANKED), ("pageviews", "unique_visitors")),
    "metrics": Endpoint(
        (*_EVERY, *_RANKED, "interval", "fill", "group_by"), ("pageviews", "unique_visitors", "sessions")
    ),
    "realtime": Endpoint(("minutes", "filter", "include_bots", "format"), ("pageviews", "unique_visitors", "sessions")),
    "schema": Endpoint(()),
}
PRESETS: dict[str, Preset] = {
    "overview": Preset(),
    "pages": Preset(group_by=("path",), filters=("type:is:pageview",)),
    "campaigns": Preset(group_by=("campaign",), filters=("campaign:is_set",)),
}


def is_text(text: str) -> bool:
    """Whether `text` has neither control characters (U+0000-001F, U+007F-009F) nor lone surrogates."""
    return _NOT_TEXT.search(text) is None


def dimension(name: str) -> Dimension | None:
    """The dimension called `name`, ``data.<key>`` with its key filled in included; None when there is none."""
    if name.startswith(DATA_PREFIX):
        key = name.removeprefix(DATA_PREFIX)
        valid = 1 <= len(key) <= MAX_DATA_KEY and is_text(key)
        return DIMENSIONS["data.<key>"]._replace(name=name, column=name) if valid else None
    return DIMENSIONS.get(name)


def schema() -> dict[str, Any]:
    """What may be asked, as plain data for the schema endpoint; the property's own part is added by its caller."""
    return {
        "metrics": [{"name": m.name, "description": m.description, "kind": m.kind} for m in METRICS.values()],
        "dimensions": [{"name": d.name, "description": d.description} for d in DIMENSIONS.values()],
        "operators": [
            {"name": o.name, "description": o.description, "takes_value": o.takes_value} for o in OPERATORS.values()
        ],
        "intervals": list(INTERVALS),
        "periods": list(PERIODS),
        "limits": {
            "metrics": MAX_METRICS,
            "group_by": MAX_GROUP_BY,
            "filters": MAX_FILTERS,
            "filter_value_characters": MAX_FILTER_VALUE,
            "data_key_characters": MAX_DATA_KEY,
            "limit": MAX_LIMIT,
            "minutes": MAX_MINUTES,
            "rows": MAX_ROWS,
        },
    }
