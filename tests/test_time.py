"""Are zones, periods, comparisons and the edges of days right, however strange a zone's clocks?"""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import pytest

from clickmeter.errors import Refusal
from clickmeter.model import Property
from clickmeter.query import fields, time
from clickmeter.query.query import Query, parse

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)


def local(instant: int, zone: ZoneInfo) -> datetime:
    return (EPOCH + timedelta(milliseconds=instant)).astimezone(zone)


def query(params: dict[str, str]) -> Query:
    site = Property(id="site", name="Site", created_at=0)
    return parse("metrics", list(params.items()), site, now=utc("2026-01-24T12:00:00Z"), cursor_key=b"k" * 32)


@pytest.mark.parametrize("name", ["Europe/Berlin", "Etc/GMT+12", "UTC", "GMT", "America/Argentina/Ushuaia"])
def test_a_place_is_a_zone(name: str) -> None:
    assert time.zone(name).key == name


@pytest.mark.parametrize(
    "name",
    ["", "Europe", "europe/berlin", "EST5EDT", "EST", "Cuba", "Factory", "localtime", "posixrules", "../x",
     "/etc/passwd", "Europe/../UTC", "+02:00", "UTC\0", "Europe/Berlin ", "posix/UTC", "right/UTC"],
)  # fmt: skip
def test_nothing_else_is(name: str) -> None:
    assert name not in time.ZONES
    with pytest.raises(KeyError):
        time.zone(name)


def offset_changes(name: str) -> list[int]:
    """The seconds at which a zone's offset changes, read straight from its TZif file."""
    data = files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    flags, standards, leaps, times, types, letters = struct.unpack_from(">6l", data, 20)
    second = 44 + times * 5 + types * 6 + letters + leaps * 8 + standards + flags
    times, types = struct.unpack_from(">2l", data, second + 32)
    instants = struct.unpack_from(f">{times}q", data, second + 44)
    kinds = data[second + 44 + times * 8 :]
    offsets = [struct.unpack_from(">l", kinds, times + 6 * kind)[0] for kind in (0, *kinds[:times])]
    return [at for at, (old, new) in zip(instants, pairwise(offsets), strict=True) if old != new]


def test_no_zone_changes_its_offset_twice_within_the_calm() -> None:
    gaps = [later - earlier for name in time.ZONES for earlier, later in pairwise(offset_changes(name))]
    assert len(gaps) > 10_000
    assert min(gaps) * 1000 > time.CALM


@pytest.mark.parametrize(
    ("period", "today", "first", "last"),
    [
        ("today", "2026-01-24", "2026-01-24", "2026-01-24"),
        ("yesterday", "2026-01-01", "2025-12-31", "2025-12-31"),
        ("7d", "2026-01-24", "2026-01-18", "2026-01-24"),
        ("28d", "2026-01-24", "2025-12-28", "2026-01-24"),
        ("30d", "2026-01-24", "2025-12-26", "2026-01-24"),
        ("90d", "2026-01-24", "2025-10-27", "2026-01-24"),
        ("12mo", "2026-01-24", "2025-02-01", "2026-01-24"),
        ("12mo", "2025-12-31", "2025-01-01", "2025-12-31"),
        ("this_week", "2026-01-24", "2026-01-19", "2026-01-24"),
        ("this_week", "2026-01-01", "2025-12-29", "2026-01-01"),
        ("this_week", "2026-01-19", "2026-01-19", "2026-01-19"),
        ("this_month", "2026-01-24", "2026-01-01", "2026-01-24"),
        ("last_month", "2026-01-24", "2025-12-01", "2025-12-31"),
        ("last_month", "2024-03-31", "2024-02-01", "2024-02-29"),
        ("this_year", "2026-01-24", "2026-01-01", "2026-01-24"),
        ("all", "2026-01-24", None, "2026-01-24"),
    ],
)
def test_periods(period: str, today: str, first: str | None, last: str) -> None:
    start = date.fromisoformat(first) if first else None
    assert time.resolve(period, date.fromisoformat(today)) == (start, date.fromisoformat(last))


def test_every_period_of_the_language_can_be_resolved_and_no_other() -> None:
    assert all(time.resolve(period, date(2026, 1, 24)) for period in fields.PERIODS)
    with pytest.raises(ValueError):
        time.resolve("last_year", date(2026, 1, 24))


@pytest.mark.parametrize(
    ("period", "compare", "dates", "wanted"),
    [
        (None, "previous_period", "2026-01-19 2026-01-25", "2026-01-12 2026-01-18"),
        (None, "previous_period", "2024-03-01 2024-03-01", "2024-02-29 2024-02-29"),
        ("today", "previous_period", "2026-01-01 2026-01-01", "2025-12-31 2025-12-31"),
        ("yesterday", "previous_period", "2026-01-23 2026-01-23", "2026-01-22 2026-01-22"),
        ("30d", "previous_period", "2025-12-26 2026-01-24", "2025-11-26 2025-12-25"),
        ("all", "previous_period", "2026-01-11 2026-01-20", "2026-01-01 2026-01-10"),
        ("this_week", "previous_period", "2026-01-19 2026-01-24", "2026-01-12 2026-01-17"),
        ("this_month", "previous_period", "2026-01-01 2026-01-24", "2025-12-01 2025-12-24"),
        ("this_month", "previous_period", "2026-03-01 2026-03-31", "2026-02-01 2026-02-28"),
        ("last_month", "previous_period", "2026-03-01 2026-03-31", "2026-02-01 2026-02-28"),
        ("last_month", "previous_period", "2026-02-01 2026-02-28", "2026-01-01 2026-01-31"),
        ("this_year", "previous_period", "2024-01-01 2024-02-29", "2023-01-01 2023-02-28"),
        ("12mo", "previous_period", "2025-02-01 2026-01-24", "2024-02-01 2025-01-24"),
        ("12mo", "previous_period", "2023-03-01 2024-02-29", "2022-03-01 2023-02-28"),
        (None, "previous_year", "2024-02-29 2024-03-01", "2023-02-28 2023-03-01"),
        ("last_month", "previous_year", "2024-02-01 2024-02-29", "2023-02-01 2023-02-28"),
        ("this_week", "previous_year", "2026-01-19 2026-01-24", "2025-01-19 2025-01-24"),
        (None, "previous_period", "1970-01-01 1970-01-31", "1969-12-01 1969-12-31"),
        (None, "previous_period", "1970-01-01 3938-12-31", "0001-01-01 1969-12-31"),
    ],
)
def test_comparisons(period: str | None, compare: str, dates: str, wanted: str) -> None:
    first, last = map(date.fromisoformat, dates.split())
    got = time.previous(first, last, period=period, compare=compare)
    assert got == tuple(map(date.fromisoformat, wanted.split()))


@pytest.mark.parametrize("last", [date(3939, 1, 1), date(9999, 12, 31)])
def test_a_comparison_before_the_year_1_is_refused(last: date) -> None:
    with pytest.raises(Refusal) as refused:
        time.previous(date(1970, 1, 1), last, period=None, compare="previous_period")
    assert (refused.value.code, refused.value.issues[0].parameter) == ("invalid_parameter", "compare")


@pytest.mark.parametrize(
    ("zone", "day", "start", "end"),
    [
        ("UTC", "2026-01-24", "2026-01-24T00:00Z", "2026-01-25T00:00Z"),
        ("Asia/Kathmandu", "2026-01-24", "2026-01-23T18:15Z", "2026-01-24T18:15Z"),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00Z", "2026-03-29T22:00Z"),
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00Z", "2018-11-05T02:00Z"),  # begins at 01:00
        ("America/Sao_Paulo", "2018-02-17", "2018-02-17T02:00Z", "2018-02-18T03:00Z"),  # 23:00 comes twice
        ("Asia/Beirut", "2022-03-27", "2022-03-26T22:00Z", "2022-03-27T21:00Z"),
        ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00Z", "2011-12-30T10:00Z"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00Z", "2011-12-30T10:00Z"),  # never was
        ("Pacific/Kiritimati", "1970-01-01", "1970-01-01T10:40Z", "1970-01-02T10:40Z"),
        ("Pacific/Auckland", "1970-01-01", "1969-12-31T12:00Z", "1970-01-01T12:00Z"),
        ("America/St_Johns", "2010-11-06", "2010-11-06T02:30Z", "2010-11-07T02:30Z"),  # 00:01 goes back to 23:01
        ("America/St_Johns", "2010-11-07", "2010-11-07T02:30Z", "2010-11-08T03:30Z"),
    ],
)
def test_a_day_begins_when_its_date_first_shows(zone: str, day: str, start: str, end: str) -> None:
    that = date.fromisoformat(day)
    assert time.instants(that, that, time.zone(zone)) == (utc(start), utc(end))


@pytest.mark.parametrize(("zone", "hours"), [("Etc/GMT+12", 12), ("UTC", 0), ("Pacific/Kiritimati", -14)])
def test_the_last_day_of_the_calendar_has_an_end(zone: str, hours: int) -> None:
    start, end = time.instants(date(9999, 12, 31), date(9999, 12, 31), time.zone(zone))
    assert end == utc("9999-12-31T00:00Z") + time.DAY + hours * time.HOUR
    assert start == end - time.DAY
    for interval in fields.INTERVALS:
        found = time.buckets(date(9999, 12, 31), date(9999, 12, 31), time.zone(zone), interval)
        assert (found.edges[0], found.edges[-1]) == (start, end)
        assert len(found.labels) == time.count(date(9999, 12, 31), date(9999, 12, 31), time.zone(zone), interval)


def test_the_repeated_minutes_of_a_date_belong_to_the_one_that_has_begun() -> None:
    zone = time.zone("America/St_Johns")
    shown_again = utc("2010-11-07T03:00Z")
    assert local(shown_again, zone).date() == date(2010, 11, 6)
    assert time.today(shown_again, zone) == date(2010, 11, 7)
    assert time.today(utc("2010-11-07T02:29:59.999Z"), zone) == date(2010, 11, 6)


def test_today_is_the_zones() -> None:
    now = utc("2026-01-24T18:12:33Z")
    assert time.today(now, time.zone("UTC")) == date(2026, 1, 24)
    assert time.today(now, time.zone("Asia/Kathmandu")) == date(2026, 1, 24)
    assert time.today(now, time.zone("Pacific/Kiritimati")) == date(2026, 1, 25)


def test_all_has_to_be_resolved_before_it_is_used() -> None:
    everything = query({"period": "all"})
    with pytest.raises(ValueError):
        time.dates(everything)
    resolved = msgspec.structs.replace(everything, from_="2015-05-17")
    assert time.dates(resolved) == (date(2015, 5, 17), date(2026, 1, 24))


@pytest.mark.parametrize(
    ("instant", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"), (1769278353007, "2026-01-24T18:12:33.007Z")],
)
def test_rfc3339(instant: int, text: str) -> None:
    assert time.rfc3339(instant) == text
