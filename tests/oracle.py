"""What must a report answer? Counted from the raw events with lists, sets and dicts, sharing no code with the server.

Slow on purpose: it is written to be checked, line by line, against section 2 of the HTTP contract. It reads top to
bottom: time, dates, dimensions and filters, metrics, rows, the endpoints. Parameters are taken to be valid.
"""

from __future__ import annotations

import json
import re
from calendar import monthrange
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from datetime import timezone as fixed_offset
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, reset_tzpath

reset_tzpath(to=())  # the zones of the tzdata package, whatever the machine has

Event = Mapping[str, Any]
Group = tuple[str | None, ...]
Filters = Sequence[str]
Row = dict[str, Any]
Dates = tuple[date, date]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = 60_000
DEFAULT_METRICS = "pageviews,unique_visitors,sessions"
PRESETS = {  # endpoint: what it fixes and defaults to; group_by, metrics, filters
    "overview": ("", DEFAULT_METRICS, []),
    "pages": ("path", "pageviews,unique_visitors", ["type:is:pageview"]),
    "campaigns": ("campaign", "pageviews,unique_visitors", ["campaign:is_set"]),
    "metrics": ("", DEFAULT_METRICS, []),
}
ALTERNATIVES = {"is", "contains", "starts_with", "ends_with", "like"}


# Time: instants are whole milliseconds since 1970 in UTC.


def local(instant: int, zone: ZoneInfo) -> datetime:
    return (EPOCH + timedelta(milliseconds=instant)).astimezone(zone)


@cache
def day_start(day: date, zone: ZoneInfo) -> int:
    """The first instant whose local date is `day` or, when that day was skipped, a later one.

    Midnight read with the offset before and the offset after a change of the clock encloses it; they are mostly equal.
    """
    midnights = [datetime.combine(day, time(fold=fold), zone) for fold in (0, 1)]
    early, late = sorted((midnight - EPOCH) // timedelta(seconds=1) for midnight in midnights)
    return next(1000 * second for second in range(early, late + 1) if local(1000 * second, zone).date() >= day)


def day_of(instant: int, zone: ZoneInfo) -> date:
    """The day that has begun last: a clock set back across midnight does not return to the day before."""
    day = local(instant, zone).date()
    while day_start(day + DAY, zone) <= instant:
        day += DAY
    return day


def label(instant: int, interval: str, zone: ZoneInfo) -> str:
    """The `time` of the bucket an instant is in."""
    if interval in {"minute", "hour"}:
        moment = local(instant, zone)
        offset = moment.utcoffset() or timedelta()  # the one in force now, not when the hour began
        minute = moment.minute if interval == "minute" else 0
        begin = moment.replace(minute=minute, second=0, microsecond=0, tzinfo=fixed_offset(offset))
        # RFC 3339 has no seconds in an offset (Liberia's until 1972): the same instant is shown without them.
        return begin.astimezone(fixed_offset(timedelta(minutes=int(offset / timedelta(minutes=1))))).isoformat()
    day = day_of(instant, zone)
    monday, month, year = day - day.weekday() * DAY, day.replace(day=1), day.replace(month=1, day=1)
    labels = {"total": "", "day": str(day), "week": str(monday), "month": str(month), "year": str(year)}
    return labels[interval]


@cache
def edges(first: date, last: date, zone: ZoneInfo) -> tuple[int, int]:
    """The instants where a range of days starts and, exclusive, ends."""
    return day_start(first, zone), day_start(last + DAY, zone)


@cache
def buckets(dates: Dates, interval: str, zone: ZoneInfo) -> list[str]:
    """Every bucket with an instant in the range, in order of time; a total is one nameless bucket."""
    start, end = edges(*dates, zone)
    instants: Iterable[int] = range(start, end, MINUTE)
    if interval not in {"minute", "hour"}:
        days = (dates[0] + n * DAY for n in range((dates[1] - dates[0]).days + 1))
        instants = [day_start(day, zone) for day in days if day_start(day, zone) < end]
    return list(dict.fromkeys(label(instant, interval, zone) for instant in instants)) if interval != "total" else [""]


# Dates: `from` and `to`, both inclusive.


def months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or that month's last day when it is shorter."""
    year, month = divmod(12 * day.year + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def asked_dates(given: Mapping[str, str], events: Iterable[Event], today: date, zone: ZoneInfo) -> Dates:
    if "from" in given:
        return date.fromisoformat(given["from"]), date.fromisoformat(given["to"])
    period = given.get("period", "30d")
    if re.fullmatch(r"\d+d", period):
        return today - (int(period[:-1]) - 1) * DAY, today
    this_month = today.replace(day=1)
    periods = {
        "today": (today, today),
        "yesterday": (today - DAY, today - DAY),
        "12mo": (months_before(this_month, 11), today),
        "this_week": (today - today.weekday() * DAY, today),
        "this_month": (this_month, today),
        "last_month": (months_before(this_month, 1), this_month - DAY),
        "this_year": (today.replace(month=1, day=1), today),
        "all": (min([today, *(day_of(e["ts"], zone) for e in events if not e.get("bot"))]), today),
    }
    return periods[period]


def compared_dates(given: Mapping[str, str], dates: Dates) -> Dates:
    first, last = dates
    days = (last - first).days + 1
    if given["compare"] == "previous_year":
        return months_before(first, 12), months_before(last, 12)
    calendar_periods = {
        "this_week": (first - 7 * DAY, last - 7 * DAY),
        "this_month": (months_before(first, 1), months_before(last, 1)),
        "last_month": (months_before(first, 1), first - DAY),
        "this_year": (months_before(first, 12), months_before(last, 12)),
        "12mo": (months_before(first, 12), months_before(last, 12)),
    }
    return calendar_periods.get(given.get("period", ""), (first - days * DAY, last - days * DAY))


# Dimensions and filters.


def group_order(group: Group) -> list[tuple[bool, str]]:
    """Sorts groups by code point, null last."""
    return [(value is None, value or "") for value in group]


def data_text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":")) if isinstance(value, bool | int | float) else None


def page(visit: Iterable[Event], pick: Callable[..., Any]) -> str | None:
    """The path of a session's first (`pick` is min) or last (max) pageview; of several at that instant, likewise."""
    views = [event for event in visit if event["type"] == "pageview"]
    edge = pick((event["ts"] for event in views), default=None)
    paths = [event.get("path") for event in views if event["ts"] == edge]
    path: str | None = pick((path for path in paths if path is not None), default=None)
    return path


def dimension_value(event: Event, visit: Iterable[Event], dimension: str) -> str | None:
    if dimension.startswith("data."):
        return data_text((event.get("data") or {}).get(dimension.removeprefix("data.")))
    if dimension in {"entry_page", "exit_page"}:
        return page(visit, min if dimension == "entry_page" else max)
    if dimension == "campaign":
        return event.get("campaign_id") or event.get("utm_campaign")
    return event.get(dimension)


def holds(value: str | None, operator: str, wanted: str) -> bool:
    if value is None:
        return operator in {"is_not", "not_contains", "is_not_set"}
    pattern = ".*".join(re.escape(literal) for literal in wanted.split("*"))
    answers = {
        "is": value == wanted,
        "is_not": value != wanted,
        "contains": wanted in value,
        "not_contains": wanted not in value,
        "starts_with": value.startswith(wanted),
        "ends_with": value.endswith(wanted),
        "like": re.fullmatch(pattern, value, re.DOTALL) is not None,
        "is_set": True,
        "is_not_set": False,
    }
    return answers[operator]


def passes(event: Event, visit: Iterable[Event], filters: Iterable[str]) -> bool:
    """One group of filters: alternatives on the same dimension are OR-ed, all else is AND-ed."""
    verdicts = defaultdict(list)
    for number, text in enumerate(filters):
        dimension, operator, wanted = (*text.split(":", 2), "")[:3]
        together = dimension if operator in ALTERNATIVES else number
        verdicts[together].append(holds(dimension_value(event, visit, dimension), operator, wanted))
    return all(any(alternatives) for alternatives in verdicts.values())


# Metrics.


def ratio(part: int, whole: int, places: int) -> float | None:
    """Exact until the end, then rounded half-even, as `round` does with a Fraction; null without anything to divide."""
    return float(round(Fraction(part, whole), places)) if whole else None


def distinct(events: Iterable[Event], field: str) -> int:
    return len({event[field] for event in events if event.get(field) is not None})


def pageviews(events: Iterable[Event]) -> int:
    return sum(event["type"] == "pageview" for event in events)


def measured(metrics: Iterable[str], events: Sequence[Event], visits: Sequence[Sequence[Event]]) -> Row:
    """The metrics of a row, from the events in it and from the whole sessions that belong to it."""
    times = [[event["ts"] for event in visit] for visit in visits]
    values = {
        "pageviews": pageviews(events),
        "events": len(events),
        "unique_visitors": distinct(events, "visitor_id"),
        "sessions": distinct(events, "session_id"),
        "bounce_rate": ratio(sum(len(visit) == 1 for visit in visits), len(visits), 6),
        "avg_session_seconds": ratio(sum(max(ts) - min(ts) for ts in times), 1000 * len(visits), 3),
        "views_per_session": ratio(sum(pageviews(visit) for visit in visits), len(visits), 3),
    }
    return {metric: values[metric] for metric in metrics}


# Rows. A query is the dict that the answer echoes.


class Match(NamedTuple):
    """An event that matches, where it is counted, and all of its session in the range (empty without a session)."""

    event: Event
    bucket: str
    group: Group
    visit: list[Event]


def matches(events: Iterable[Event], query: Row, filter_groups: list[Filters], span: tuple[int, int]) -> list[Match]:
    """What matches within the span; the one that gives its session a row comes before the others of its session."""
    start, end = span
    in_range = [e for e in events if start <= e["ts"] < end and ("include_bots" in query or not e.get("bot"))]
    visits = defaultdict(list)
    for event in in_range:
        visits[event.get("session_id")].append(event)
    visits[None] = []
    found = []
    for event in in_range:
        visit = visits[event.get("session_id")]
        if all(passes(event, visit, filters) for filters in filter_groups):
            bucket = label(event["ts"], query["interval"], ZoneInfo(query["timezone"]))
            group = tuple(dimension_value(event, visit, dimension) for dimension in query["group_by"])
            found.append(Match(event, bucket, group, visit))
    return sorted(found, key=lambda match: (match.event["ts"], group_order(match.group)))


def tally(found: list[Match], metrics: list[str], row_of: Callable[[Match], Any]) -> dict[Any, Row]:
    """The metrics of every row with a matching event; a session belongs to the row of its first matching event."""
    events, visits, placed = defaultdict(list), defaultdict(list), set()
    for match in found:
        events[row_of(match)].append(match.event)
        if match.visit and match.event["session_id"] not in placed:
            placed.add(match.event["session_id"])
            visits[row_of(match)].append(match.visit)
    return {row: measured(metrics, events[row], visits[row]) for row in events}


def ranked(found: list[Match], query: Row) -> list[Group]:
    """All groups by their values over the whole range, as shown, null last; ties by the dimensions ascending."""
    if not query["group_by"]:
        return [()]
    values = tally(found, query["metrics"], lambda match: match.group)
    shown = {group: dict(zip(query["group_by"], group, strict=True)) | row for group, row in values.items()}
    order = sorted(values, key=group_order)
    terms = [term for term in query["order_by"] if term not in {"time", "-time"}] or ["-" + query["metrics"][0]]
    for term in reversed(terms):
        name = term.removeprefix("-")
        known = [group for group in order if shown[group][name] is not None]
        unknown = [group for group in order if shown[group][name] is None]
        order = sorted(known, key=lambda group: shown[group][name], reverse=term.startswith("-")) + unknown
    return order


def table(found: list[Match], query: Row, dates: Dates, groups: list[Group]) -> Row:
    """The rows of these groups, by time and then by rank, and the totals over everything that matches."""
    nothing = measured(query["metrics"], [], [])
    cells = tally(found, query["metrics"], lambda match: (match.bucket, match.group))
    times = buckets(dates, query["interval"], ZoneInfo(query["timezone"]))
    rows = []
    for bucket in reversed(times) if "-time" in query["order_by"] else times:
        for group in groups:
            if (bucket, group) in cells or not bucket or query.get("fill") != "none":
                head = ({"time": bucket} if bucket else {}) | dict(zip(query["group_by"], group, strict=True))
                rows.append(head | cells.get((bucket, group), nothing))
    return {"rows": rows, "totals": tally(found, query["metrics"], lambda match: ()).get((), nothing)}


def meta(found: list[Match], *, more: bool, partial: bool) -> Row:
    missing = {field: sum(m.event.get(field) is None for m in found) for field in ("visitor_id", "session_id")}
    return {"next_cursor": more or None, "partial": partial, "unattributed": missing, "warnings": []}


# The endpoints.


def names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def bots_asked(given: Mapping[str, str]) -> Row:
    return {"include_bots": True} if given.get("include_bots") == "true" else {}


def echoed(endpoint: str, given: Mapping[str, str], filters: Filters, dates: Dates) -> Row:
    """The query as asked, with every default filled in."""
    preset_group_by, preset_metrics, _ = PRESETS[endpoint]
    interval = given.get("interval", "total")
    metrics = names(given.get("metrics", preset_metrics))
    group_by = names(given.get("group_by", preset_group_by))
    default_order = f"-{metrics[0]}" if group_by else "time" if interval != "total" else ""
    return {
        "from": dates[0].isoformat(),
        "to": dates[1].isoformat(),
        "timezone": given["timezone"],
        "interval": interval,
        "metrics": metrics,
        "group_by": group_by,
        "filters": list(filters),
        "order_by": names(given.get("order_by", default_order)),
        "limit": int(given.get("limit", "50")),
        **bots_asked(given),
        **({"fill": "none"} if given.get("fill") == "none" else {}),
        **({"compare": given["compare"]} if "compare" in given else {}),
    }


def report(
    events: Sequence[Event], endpoint: str, given: Mapping[str, str], *, now: int, offset: int, filters: list[Filters]
) -> Row:
    zone = ZoneInfo(given["timezone"])
    dates = asked_dates(given, events, day_of(now, zone), zone)
    query = echoed(endpoint, given, filters[0], dates)
    filter_groups = [*filters, PRESETS[endpoint][2]]
    found = matches(events, query, filter_groups, edges(*dates, zone))
    groups = ranked(found, query)
    end = offset + query["limit"]
    result = table(found, query, dates, groups[offset:end])
    body = {"query": query} | (result["totals"] if endpoint == "overview" else result)
    body["meta"] = meta(found, more=len(groups) > end, partial=edges(*dates, zone)[1] > now)
    if "compare" in given:
        past = compared_dates(given, dates)
        before = matches(events, query, filter_groups, edges(*past, zone))
        echo = {"from": past[0].isoformat(), "to": past[1].isoformat()}
        body["comparison"] = {"query": echo} | table(before, query, past, groups[offset:end])
    return body


def realtime(events: Sequence[Event], given: Mapping[str, str], *, now: int, filters: list[Filters]) -> Row:
    """The current UTC minute, all of it, and those directly before."""
    minutes, zone = int(given.get("minutes", "5")), ZoneInfo(given["timezone"])
    end = now - now % MINUTE + MINUTE
    starts = range(end - minutes * MINUTE, end, MINUTE)
    query: Row = {"timezone": zone.key, "interval": "minute", "group_by": [], **bots_asked(given)}
    found = matches(events, query, filters, (starts[0], end))
    views = {start: pageviews(m.event for m in found if start <= m.event["ts"] < start + MINUTE) for start in starts}
    return {
        "minutes": minutes,
        "unique_visitors": distinct((match.event for match in found), "visitor_id"),
        "pageviews": sum(views.values()),
        "rows": [{"time": label(start, "minute", zone), "pageviews": count} for start, count in views.items()],
        "meta": meta(found, more=False, partial=True),
    }


def answer(
    events: Sequence[Event],
    endpoint: str,
    params: Iterable[tuple[str, str]],
    *,
    property_id: str,
    timezone: str,
    now: int,
    token_filters: Sequence[str] = (),
    offset: int = 0,
) -> Row:
    """The JSON body of a report over a property's raw events, one dict per stored event.

    `timezone` is the property's own, `now` in milliseconds. A cursor is `offset`, the number of groups on the pages
    before; `meta.next_cursor` is True when groups are left and None when not.
    """
    params = list(params)
    given = {"timezone": timezone} | dict(params)
    filters: list[Filters] = [[value for name, value in params if name == "filter"], token_filters]
    if endpoint == "realtime":
        return {"property_id": property_id} | realtime(events, given, now=now, filters=filters)
    return {"property_id": property_id} | report(events, endpoint, given, now=now, offset=offset, filters=filters)
