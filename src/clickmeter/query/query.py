"""What does a report request ask? Its parameters, parsed and validated into one frozen Query; no I/O, no HTTP.

Where the contract leaves a choice: time zones are the names of `time.ZONES`; a key of data that contains a comma cannot
stand in group_by, one that contains a colon not in a filter; limit may change from page to page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from clickmeter.errors import refuse_parameter
from clickmeter.query import cursor, fields, parameters, time
from clickmeter.query.filters import Filter, parse_group

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from clickmeter.model import Property

__all__ = ["Filter", "Query", "parse"]


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One report, fully decided but for what only the store knows: where the period ``all`` begins."""

    property_id: str
    endpoint: str
    from_: str | None
    """The first date, YYYY-MM-DD; None for the period ``all`` until it is replaced by the first event's date."""
    to: str
    """The last date, inclusive."""
    period: str | None
    """The period's name; None when from and to were given, and for realtime."""
    timezone: str
    interval: str
    metrics: tuple[str, ...]
    group_by: tuple[str, ...]
    filters: tuple[str, ...]
    """The request's own filters as they were given, to be shown again; `groups` is what counts."""
    groups: tuple[tuple[Filter, ...], ...]
    """The request's, the preset's and the read token's filters, those that are not empty; see `filters.plan`."""
    order_by: tuple[str, ...]
    limit: int
    offset: int
    """How many groups earlier pages have shown."""
    include_bots: bool
    fill: str
    compare: str | None
    format: str
    minutes: int | None
    """Realtime only: the minute of now and those before it, so many in all; from and to are the dates they touch."""
    kept_from: int = 0
    """The instant (ms) since which the property's events are kept; older ones count nowhere, removed yet or not."""


class _Range(NamedTuple):
    first: date | None
    last: date
    period: str | None


def parse(
    endpoint: str,
    params: Sequence[tuple[str, str]],
    property_: Property,
    *,
    now: int,
    cursor_key: bytes,
    token_filters: Sequence[str] = (),
    accept: str = "",
) -> Query:
    """Read the parameters of a request to one of `fields.ENDPOINTS`, or raise a 422 that names the first bad one.

    `params` are the decoded pairs of the query string in their order, `now` is in ms, `token_filters` are the read
    token's, `accept` is the Accept header, which counts when there is no format parameter. Codes: unknown_parameter,
    repeated_parameter, missing_parameter, invalid_parameter, invalid_timezone, invalid_cursor.
    """
    single, filters = parameters.collect(endpoint, params)
    preset = fields.PRESETS.get(endpoint, fields.Preset())
    zone_name = _timezone(single.get("timezone"), property_)
    minutes = _number(single, "minutes", fields.DEFAULT_MINUTES, fields.MAX_MINUTES) if endpoint == "realtime" else None
    range_ = _range(single, zone_name, now) if minutes is None else _last_minutes(minutes, zone_name, now)
    metrics = parameters.metrics(single["metrics"]) if "metrics" in single else fields.ENDPOINTS[endpoint].metrics
    group_by = parameters.group_by(single["group_by"]) if "group_by" in single else preset.group_by
    interval = _choice(single, "interval", fields.INTERVALS) if minutes is None else "minute"
    query = Query(
        property_id=property_.id,
        endpoint=endpoint,
        from_=range_.first.isoformat() if range_.first else None,
        to=range_.last.isoformat(),
        period=range_.period,
        timezone=zone_name,
        interval=interval,
        metrics=metrics,
        group_by=group_by,
        filters=filters,
        groups=tuple(parse_group(texts) for texts in (filters, preset.filters, token_filters) if texts),
        order_by=_order_by(single.get("order_by"), metrics=metrics, group_by=group_by, interval=interval),
        limit=_number(single, "limit", fields.DEFAULT_LIMIT, fields.MAX_LIMIT),
        offset=0,
        include_bots=parameters.boolean("include_bots", single.get("include_bots", "false")),
        fill=_choice(single, "fill", fields.FILLS),
        compare=_compare(single.get("compare"), range_),
        format=_choice(single, "format", fields.FORMATS, default=_accepted(accept)),
        minutes=minutes,
        kept_from=time.kept_from(property_, now),
    )
    return _turned_to(single["cursor"], query, cursor_key) if "cursor" in single else query


def _choice(single: Mapping[str, str], parameter: str, allowed: Sequence[str], *, default: str | None = None) -> str:
    """One of the allowed names; `default`, or else the first of them, when the parameter is not given."""
    return parameters.choice(parameter, single.get(parameter, default or allowed[0]), allowed)


def _number(single: Mapping[str, str], parameter: str, default: int, maximum: int) -> int:
    return parameters.whole_number(parameter, single.get(parameter, str(default)), maximum)


def _timezone(given: str | None, property_: Property) -> str:
    name = property_.timezone if given is None else given
    if name not in time.ZONES:
        hint = parameters.suggestion(name, sorted(time.ZONES))
        detail = f"{parameters.shown(name)} is not a time zone{hint}; use an IANA name like Europe/Berlin, or UTC."
        raise refuse_parameter("timezone", "invalid_timezone", detail)
    return name


def _range(single: Mapping[str, str], zone_name: str, now: int) -> _Range:
    given = [name for name in ("from", "to") if name in single]
    if not given:
        period = _choice(single, "period", fields.PERIODS, default=fields.DEFAULT_PERIOD)
        return _Range(*time.resolve(period, time.today(now, time.zone(zone_name))), period)
    if "period" in single:
        raise refuse_parameter("period", "invalid_parameter", "Give either period, or from and to, not both.")
    if len(given) == 1:
        missing = "to" if given == ["from"] else "from"
        raise refuse_parameter(missing, "missing_parameter", f"{given[0]} is given without {missing}; give both.")
    first, last = (parameters.calendar_date(name, single[name]) for name in given)
    if first > last:
        raise refuse_parameter("from", "invalid_parameter", f"from={first} is after to={last}; exchange them.")
    return _Range(first, last, None)


def _last_minutes(minutes: int, zone_name: str, now: int) -> _Range:
    zone = time.zone(zone_name)
    return _Range(time.today(now - (minutes - 1) * time.MINUTE, zone), time.today(now, zone), None)


def _order_by(text: str | None, *, metrics: Sequence[str], group_by: Sequence[str], interval: str) -> tuple[str, ...]:
    times = ("time",) if interval != "total" else ()
    if text is not None:
        return parameters.order_by(text, (*metrics, *group_by, *times))
    return (f"-{metrics[0]}",) if group_by else times


def _compare(text: str | None, range_: _Range) -> str | None:
    """The comparison asked for; refused when the range it needs cannot be written."""
    if text is None:
        return None
    compare = parameters.choice("compare", text, fields.COMPARISONS)
    if range_.first is not None:
        time.previous(range_.first, range_.last, period=range_.period, compare=compare)
    return compare


def _turned_to(text: str, query: Query, key: bytes) -> Query:
    """The query at the page a cursor names, about the dates its first page was about."""
    position = cursor.decode(text, query, key)
    first, last = position.first.isoformat(), position.last.isoformat()
    return msgspec.structs.replace(query, offset=position.offset, from_=first, to=last)


_MEDIA_TYPES = {
    "application/json": "json",
    "application/*": "json",
    "*/*": "json",
    "text/csv": "csv",
    "application/x-ndjson": "ndjson",
}
_QUALITY = re.compile(r"\s*q\s*=\s*(0(\.[0-9]{0,3})?|1(\.0{0,3})?)\s*", re.ASCII | re.IGNORECASE)


def _accepted(accept: str) -> str:
    """The format an Accept header prefers, the first of equals; JSON when it names none that exists."""
    best, chosen = 0.0, "json"
    for entry in accept.split(","):
        media_type, *options = entry.split(";")
        format_ = _MEDIA_TYPES.get(media_type.strip().lower())
        qualities = [float(found[1]) for found in map(_QUALITY.fullmatch, options) if found]
        quality = qualities[0] if qualities else 1.0
        if format_ and quality > best:
            best, chosen = quality, format_
    return chosen
