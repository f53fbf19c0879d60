"""Which instants does a report cover? Ranges, zones and buckets; the only place where bucket edges are computed.

Dates are inclusive on both ends; instants are whole milliseconds UTC, half open. Time zones come from the tzdata
package alone, never from the machine, so every machine gives the same edges.

A date begins at the first instant at which the zone's calendar shows it or a later one. Midnight may be skipped: then
the date begins when the clocks have been put forward. Where clocks went back across midnight (00:01 to 23:01 in St
John's until 2011), the date keeps the repeated minutes, so that ranges tile time without gap or overlap.
"""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from clickmeter.errors import refuse_parameter
from clickmeter.query.fields import INTERVALS, MAX_ROWS

if TYPE_CHECKING:
    from clickmeter.errors import Refusal
    from clickmeter.model import Property
    from clickmeter.query.query import Query

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
CALM = 6 * DAY
"""No zone has ever changed its offset twice in so short a time; a test reads the whole of tzdata and says so."""

_TZDATA = files("tzdata")
_PLAIN_NAMES = ("UTC", "GMT")
ZONES = frozenset(
    name for name in (_TZDATA / "zones").read_text("ascii").split() if "/" in name or name in _PLAIN_NAMES
)
"""The names accepted as time zones: those of IANA's list with a slash, and UTC and GMT. EST5EDT and the like are rules
rather than places, or old aliases."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_MILLISECOND = timedelta(milliseconds=1)
_FIRST_KNOWN = (datetime(1, 1, 3, tzinfo=UTC) - _EPOCH) // _MILLISECOND
_LAST_KNOWN = (datetime(9999, 12, 29, tzinfo=UTC) - _EPOCH) // _MILLISECOND
_FINE = {"minute": MINUTE, "hour": HOUR}


class Buckets(NamedTuple):
    """Bucket n is labels[n] and holds edges[n] <= ts < edges[n + 1]; there is one edge more than labels."""

    labels: list[str]
    edges: list[int]


@cache
def zone(name: str) -> ZoneInfo:
    """The time zone called `name`, from the tzdata package; KeyError when it is not in `ZONES`."""
    if name not in ZONES:
        raise KeyError(name)
    with _TZDATA.joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def today(now: int, zone: ZoneInfo) -> date:
    """The date that has begun last at an instant: the one the zone's calendar shows, or shows again soon."""
    ordinal = (now + _offset(now, zone)) // DAY + _EPOCH_ORDINAL
    return date.fromordinal(ordinal + 1 if _midnight(ordinal + 1, zone) <= now else ordinal)


def rfc3339(instant: int) -> str:
    """An instant as text in UTC, always with milliseconds: ``2026-01-24T18:12:33.000Z``."""
    return (_EPOCH + instant * _MILLISECOND).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def kept_from(property_: Property, now: int) -> int:
    """The instant since which a property's events are kept: its retention in days, today being the last of them."""
    if property_.retention_days is None:
        return 0
    own = zone(property_.timezone)
    return max(0, _midnight(today(now, own).toordinal() - property_.retention_days + 1, own))


def dates(query: Query) -> tuple[date, date]:
    """The first and the last date of a query whose range is resolved; ValueError while ``all`` is not."""
    if query.from_ is None:
        raise ValueError("The period all has to be resolved with the first event's date before it can be used.")
    return date.fromisoformat(query.from_), date.fromisoformat(query.to)


def resolve(period: str, today: date) -> tuple[date | None, date]:
    """The first and the last date of a period; the first is None for ``all``, which starts at the first event."""
    if period.endswith("d"):
        return today - timedelta(days=int(period[:-1]) - 1), today
    month = today.replace(day=1)
    match period:
        case "today":
            return today, today
        case "yesterday":
            return today - timedelta(days=1), today - timedelta(days=1)
        case "12mo":
            return _months_before(month, 11), today
        case "this_week":
            return today - timedelta(days=today.weekday()), today
        case "this_month":
            return month, today
        case "last_month":
            return _months_before(month, 1), month - timedelta(days=1)
        case "this_year":
            return today.replace(month=1, day=1), today
        case "all":
            return None, today
        case _:
            raise ValueError(period)


def _months_before(day: date, months: int) -> date:
    """The same day of the month so many months earlier, or that month's last day when it is shorter."""
    index = day.year * 12 + day.month - 1 - months
    year, month = index // 12, index % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def previous(first: date, last: date, *, period: str | None, compare: str) -> tuple[date, date]:
    """The dates a range is compared with; ``invalid_parameter`` when they would begin before the year 1.

    `period` is the name the range was asked by, None for from and to. A calendar period is compared with the calendar
    period before it, as far into it as today is into this one; any other range with as many days directly before.
    """
    if compare == "previous_year" or period in {"this_year", "12mo"}:
        return _months_before(first, 12), _months_before(last, 12)
    match period:
        case "this_week":
            return first - timedelta(days=7), last - timedelta(days=7)
        case "this_month":
            return _months_before(first, 1), _months_before(last, 1)
        case "last_month":
            return _months_before(first, 1), first - timedelta(days=1)
    days = (last - first).days + 1
    if first.toordinal() <= days:
        detail = f"The {days:,} days before {first} would begin before the year 1; compare a shorter range."
        raise refuse_parameter("compare", "invalid_parameter", detail)
    return first - timedelta(days=days), first - timedelta(days=1)


def instants(first: date, last: date, zone: ZoneInfo) -> tuple[int, int]:
    """The half-open range [start, end) of the dates; empty when the zone has skipped all of them."""
    return _midnight(first.toordinal(), zone), _midnight(last.toordinal() + 1, zone)


def buckets(first: date, last: date, zone: ZoneInfo, interval: str) -> Buckets:
    """The buckets of a range, every one with at least a millisecond; check `count` before asking for fine ones.

    ``total`` is one bucket labelled "". Days and longer are labelled by the unit's first date, even before `first`;
    hours and minutes by their beginning in local time with the offset in force, a new one beginning when it changes.
    """
    start, end = instants(first, last, zone)
    if interval == "total":
        return Buckets([""], [start, end])
    if start == end:
        return Buckets([], [start])
    if interval in _FINE:
        return _fine_buckets(start, end, zone, _FINE[interval])
    return _calendar_buckets(start, end, zone, interval)


def last_minutes(minutes: int, now: int, zone: ZoneInfo) -> Buckets:
    """The minute an instant lies in, to its end, and the ones before it: so many in all, each a bucket."""
    end = now - now % MINUTE + MINUTE
    return _fine_buckets(end - minutes * MINUTE, end, zone, MINUTE)


def count(first: date, last: date, zone: ZoneInfo, interval: str) -> int:
    """How many buckets a range has, without building them: exact up to MAX_ROWS, beyond it at least so many."""
    start, end = instants(first, last, zone)
    if interval == "total" or start == end:
        return int(interval == "total")
    if interval in _FINE:
        unit = _FINE[interval]
        whole = (end - start) // unit
        return whole if whole > MAX_ROWS else sum(len(units) for _, _, units in _runs(start, end, zone, unit))
    if interval == "day":
        # A skipped date makes the range 24 hours shorter; all other changes of offset together move it far less.
        return round((end - start) / DAY)
    return _index(today(end - 1, zone), interval) - _index(today(start, zone), interval) + 1


def check_size(query: Query, groups: int) -> None:
    """Raise ``too_many_rows`` when so many groups (up to MAX_LIMIT), each with all its buckets, exceed MAX_ROWS."""
    first, last = dates(query)
    place = zone(query.timezone)
    size = count(first, last, place, query.interval)
    if groups * size > MAX_ROWS:
        coarser = (*INTERVALS[INTERVALS.index(query.interval) + 1 :], "total")
        fits = [name for name in coarser if groups * count(first, last, place, name) <= MAX_ROWS]
        raise _too_many_rows(query, groups=groups, size=size, fits=fits)


def _too_many_rows(query: Query, *, groups: int, size: int, fits: list[str]) -> Refusal:
    limit = MAX_ROWS // size
    advice = f"interval={fits[0]}" + (f" or limit={limit}" if query.group_by and limit else "")
    product = f"{groups:,} groups of {size:,} buckets" if query.group_by else f"{size:,} buckets"
    detail = f"{product} are more than {MAX_ROWS:,} rows; the finest that fits is {advice}, or take a shorter range."
    return refuse_parameter("interval", "too_many_rows", detail, fits)


def _offset(instant: int, zone: ZoneInfo) -> int:
    """Local time minus UTC at an instant, in ms. At the very ends of the calendar, that of the last day in reach."""
    if not _FIRST_KNOWN <= instant <= _LAST_KNOWN:
        instant = min(max(instant, _FIRST_KNOWN), _LAST_KNOWN)
    offset = datetime.fromtimestamp(instant // 1000, zone).utcoffset()
    assert offset is not None
    return offset // _MILLISECOND


def _change(before: int, after: int, zone: ZoneInfo) -> int:
    """The instant between two of different offsets from which the later one's is in force."""
    old = _offset(before, zone)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(middle, zone) == old:
            before = middle
        else:
            after = middle
    return after


def _midnight(ordinal: int, zone: ZoneInfo) -> int:
    """The first instant whose local date is the date of that ordinal or later; the date may lie past 9999-12-31."""
    local = (ordinal - _EPOCH_ORDINAL) * DAY
    old, new = _offset(local - DAY, zone), _offset(local + DAY, zone)
    if old == new:
        return local - old
    change = _change(local - DAY, local + DAY, zone)
    return local - old if local - old < change else max(change, local - new)


def _runs(start: int, end: int, zone: ZoneInfo, unit: int) -> list[tuple[int, int, range]]:
    """The stretches of one offset: since which instant, the offset, and the local beginnings of the units touched."""
    changes, at = [start], start
    while at < end - 1:
        ahead = min(at + CALM, end - 1)
        if _offset(at, zone) != _offset(ahead, zone):
            changes.append(_change(at, ahead, zone))
        at = ahead
    runs = []
    for since, until in zip(changes, [*changes[1:], end], strict=True):
        offset = _offset(since, zone)
        runs.append((since, offset, range((since + offset) // unit * unit, until + offset, unit)))
    return runs


def _fine_buckets(start: int, end: int, zone: ZoneInfo, unit: int) -> Buckets:
    labels, edges = [], []
    for since, offset, units in _runs(start, end, zone, unit):
        suffix, odd = _suffix(offset)
        labels += [(_EPOCH + (local + odd) * _MILLISECOND).isoformat()[:19] + suffix for local in units]
        edges += [max(since, local - offset) for local in units]
    return Buckets(labels, [*edges, end])


def _suffix(offset: int) -> tuple[str, int]:
    """An offset as ±HH:MM, and the ms to add to the local time when it has odd seconds, as Liberia's until 1972.

    RFC 3339 cannot write those; with the local time moved by them, the label still names the same instant.
    """
    minutes = abs(offset) // MINUTE
    written = minutes * MINUTE if offset >= 0 else -minutes * MINUTE
    return f"{'+' if offset >= 0 else '-'}{minutes // 60:02}:{minutes % 60:02}", written - offset


def _calendar_buckets(start: int, end: int, zone: ZoneInfo, interval: str) -> Buckets:
    labels: list[str] = []
    edges: list[int] = []
    for index in range(_index(today(start, zone), interval), _index(today(end - 1, zone), interval) + 1):
        ordinal = _opening(index, interval)
        edge = max(start, _midnight(ordinal, zone))
        if edges and edge == edges[-1]:  # the date before was skipped
            labels.pop()
            edges.pop()
        labels.append(date.fromordinal(ordinal).isoformat())
        edges.append(edge)
    return Buckets(labels, [*edges, end])


def _index(day: date, interval: str) -> int:
    """The number of the unit a date lies in, counted so that the next unit has the next number."""
    match interval:
        case "day":
            return day.toordinal()
        case "week":
            return (day.toordinal() - 1) // 7
        case "month":
            return day.year * 12 + day.month - 1
        case "year":
            return day.year
        case _:
            raise ValueError(interval)


def _opening(index: int, interval: str) -> int:
    """The ordinal of the first date of the unit of that number; Monday for weeks."""
    match interval:
        case "day":
            return index
        case "week":
            return index * 7 + 1
        case "month":
            return date(index // 12, index % 12 + 1, 1).toordinal()
        case _:
            return date(index, 1, 1).toordinal()
