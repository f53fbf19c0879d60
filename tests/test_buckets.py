"""Do buckets tile a range, hold what the local calendar and clock say, and stay within the limit of rows?"""

from __future__ import annotations

import time as clock
from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from datetime import timezone as fixed_offset
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clickmeter.errors import Refusal
from clickmeter.model import Property
from clickmeter.query import fields, time
from clickmeter.query.query import Query, parse

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STRANGE_ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
    "Australia/Eucla", "Pacific/Apia", "Pacific/Kiritimati", "Pacific/Kwajalein", "Pacific/Chatham", "Antarctica/Troll",
    "America/Sao_Paulo", "America/Caracas", "Asia/Beirut", "Asia/Gaza", "Asia/Pyongyang", "Africa/Casablanca",
]  # fmt: skip
STRANGE_DAYS = [
    date(2026, 3, 29), date(2026, 10, 25), date(2026, 4, 5), date(2026, 10, 4), date(2011, 12, 30), date(2018, 2, 17),
    date(2018, 11, 4), date(2023, 3, 26), date(1994, 12, 31), date(1993, 8, 20), date(2007, 12, 9), date(2016, 5, 1),
    date(1970, 1, 1), date(2018, 5, 4), date(2026, 2, 15),
]  # fmt: skip

zones = st.sampled_from(STRANGE_ZONES).map(time.zone)
starts = st.sampled_from(STRANGE_DAYS) | st.dates(date(1970, 1, 1), date(2120, 1, 1))


def utc(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)


def local(instant: int, zone: ZoneInfo) -> datetime:
    return (EPOCH + timedelta(milliseconds=instant)).astimezone(zone)


def wanted_label(instant: int, zone: ZoneInfo, interval: str) -> str:
    moment = local(instant, zone)
    day = moment.date()
    starts_of = {
        "day": day,
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
        "year": day.replace(month=1, day=1),
    }
    if interval in starts_of:
        return starts_of[interval].isoformat()
    offset = moment.utcoffset()
    assert offset is not None
    cut = moment.replace(second=0, microsecond=0, tzinfo=fixed_offset(offset))
    return (cut.replace(minute=0) if interval == "hour" else cut).isoformat()


def query(params: dict[str, str]) -> Query:
    site = Property(id="site", name="Site", created_at=0)
    return parse("metrics", list(params.items()), site, now=utc("2026-01-24T12:00:00Z"), cursor_key=b"k" * 32)


def labels(zone: str, first: str, last: str, interval: str) -> list[str]:
    return time.buckets(date.fromisoformat(first), date.fromisoformat(last), time.zone(zone), interval).labels


def test_the_skipped_hour_has_no_bucket_and_the_repeated_one_has_two() -> None:
    spring = labels("Europe/Berlin", "2026-03-29", "2026-03-29", "hour")
    assert spring[1:3] == ["2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"]
    autumn = labels("Europe/Berlin", "2026-10-25", "2026-10-25", "hour")
    assert autumn[2:4] == ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]
    assert (len(spring), len(autumn)) == (23, 25)
    assert len(labels("Europe/Berlin", "2026-03-29", "2026-03-29", "minute")) == 23 * 60


def test_half_an_hour_back_makes_a_bucket_of_its_own() -> None:
    found = time.buckets(date(2026, 4, 5), date(2026, 4, 5), time.zone("Australia/Lord_Howe"), "hour")
    assert found.labels[1:3] == ["2026-04-05T01:00:00+11:00", "2026-04-05T01:00:00+10:30"]
    assert [later - earlier for earlier, later in pairwise(found.edges)][1:3] == [time.HOUR, time.HOUR // 2]


def test_an_offset_with_seconds_is_written_as_the_same_instant_in_whole_minutes() -> None:
    found = time.buckets(date(1970, 1, 1), date(1970, 1, 1), time.zone("Africa/Monrovia"), "hour")
    assert found.labels[:2] == ["1970-01-01T00:00:30-00:44", "1970-01-01T01:00:30-00:44"]
    assert [utc(label) for label in found.labels] == found.edges[:-1]


def test_days_and_longer_are_labelled_by_their_first_date_even_before_the_range() -> None:
    assert labels("UTC", "2026-01-01", "2026-01-05", "week") == ["2025-12-29", "2026-01-05"]
    assert labels("UTC", "2026-01-31", "2026-02-01", "month") == ["2026-01-01", "2026-02-01"]
    assert labels("UTC", "2025-12-31", "2026-01-01", "year") == ["2025-01-01", "2026-01-01"]
    assert labels("Pacific/Apia", "2011-12-29", "2011-12-31", "day") == ["2011-12-29", "2011-12-31"]


@pytest.mark.parametrize("interval", fields.INTERVALS)
def test_a_range_of_skipped_days_only_has_a_total_and_nothing_else(interval: str) -> None:
    skipped = date(2011, 12, 30), date(2011, 12, 30), time.zone("Pacific/Apia")
    assert len(labels("Pacific/Apia", "2011-12-30", "2011-12-30", interval)) == int(interval == "total")
    assert time.count(*skipped, interval) == int(interval == "total")


def assert_exact(first: date, last: date, zone: ZoneInfo, interval: str) -> None:
    """The buckets tile the range, and each holds just the instants whose local calendar says its label."""
    found = time.buckets(first, last, zone, interval)
    assert len(found.edges) == len(found.labels) + 1
    assert (found.edges[0], found.edges[-1]) == time.instants(first, last, zone)
    assert all(earlier < later for earlier, later in pairwise(found.edges))
    assert len(set(found.labels)) == len(found.labels) == time.count(first, last, zone, interval)
    for label, (start, end) in zip(found.labels, pairwise(found.edges), strict=True):
        for instant in (start, (start + end) // 2, end - 1):
            assert wanted_label(instant, zone, interval) == label
    if found.labels:
        assert wanted_label(found.edges[0] - 1, zone, "day") < first.isoformat()
        assert wanted_label(found.edges[-1], zone, "day") > last.isoformat()


@settings(deadline=None)
@given(starts, st.integers(0, 800), zones, st.sampled_from(["day", "week", "month", "year"]))
@example(date(2011, 12, 30), 0, time.zone("Pacific/Apia"), "week")
@example(date(1994, 12, 31), 5, time.zone("Pacific/Kiritimati"), "month")
@example(date(1994, 12, 28), 3, time.zone("Pacific/Kiritimati"), "day")
@example(date(2011, 12, 31), 400, time.zone("Pacific/Apia"), "year")
def test_calendar_buckets_hold_what_the_calendar_says(first: date, more: int, zone: ZoneInfo, interval: str) -> None:
    assert_exact(first, first + timedelta(days=more), zone, interval)


@settings(deadline=None)
@given(starts, st.integers(0, 40), zones)
def test_hours_hold_what_the_local_clock_says(first: date, more: int, zone: ZoneInfo) -> None:
    assert_exact(first - timedelta(days=1), first + timedelta(days=more), zone, "hour")


@settings(deadline=None, max_examples=60)
@given(starts, zones)
def test_minutes_hold_what_the_local_clock_says(first: date, zone: ZoneInfo) -> None:
    assert_exact(first, first, zone, "minute")


@settings(deadline=None)
@given(starts, st.integers(0, 90), zones, st.sampled_from(fields.INTERVALS[1:]), st.data())
def test_every_instant_of_the_range_is_in_its_bucket(
    first: date, more: int, zone: ZoneInfo, interval: str, data: st.DataObject
) -> None:
    found = time.buckets(first, first + timedelta(days=more % 5 if interval == "minute" else more), zone, interval)
    if found.labels:
        instant = data.draw(st.integers(found.edges[0], found.edges[-1] - 1))
        assert found.labels[bisect_right(found.edges, instant) - 1] == wanted_label(instant, zone, interval)


@pytest.mark.parametrize("name", sorted(time.ZONES))
def test_every_zone_of_the_list_tiles_half_a_century(name: str) -> None:
    found = time.buckets(date(1970, 1, 1), date(2026, 12, 31), time.zone(name), "month")
    assert len(found.labels) == 57 * 12
    assert all(27 * time.DAY < later - earlier < 32 * time.DAY for earlier, later in pairwise(found.edges))


def test_counting_the_minutes_of_eight_thousand_years_takes_no_time() -> None:
    everything = date(1970, 1, 1), date(9999, 12, 31), time.zone("America/New_York")
    time.count(*everything, "minute")
    began = clock.perf_counter()
    sizes = [time.count(*everything, interval) for interval in fields.INTERVALS]
    assert clock.perf_counter() - began < 5
    assert sizes[0] == 1
    assert sizes[1] > sizes[2] > sizes[3] > sizes[4] > sizes[5] > sizes[6] == 8030


def refusal_of(params: dict[str, str], groups: int) -> Refusal:
    with pytest.raises(Refusal) as refused:
        time.check_size(query(params), groups)
    assert (refused.value.code, refused.value.status) == ("too_many_rows", 422)
    assert refused.value.issues[0].parameter == "interval"
    return refused.value


def test_too_many_rows_name_the_finest_interval_and_the_largest_limit_that_fit() -> None:
    january = {"from": "2026-01-01", "to": "2026-01-31"}
    refusal = refusal_of({**january, "interval": "hour", "group_by": "path"}, 50)
    assert refusal.issues[0].allowed == ("day", "week", "month", "year", "total")
    assert "interval=day or limit=13," in refusal.detail
    refusal = refusal_of({**january, "interval": "minute"}, 1)
    assert "interval=hour," in refusal.detail
    assert "limit" not in refusal.detail
    refusal = refusal_of({**january, "interval": "minute", "group_by": "path"}, 1000)
    assert "interval=week," in refusal.detail
    assert "limit" not in refusal.detail


def test_the_limit_of_rows_itself_fits_and_one_more_does_not() -> None:
    ten_days = {"from": "2026-01-01", "to": "2026-01-10", "interval": "day", "group_by": "path", "limit": "1000"}
    time.check_size(query(ten_days), 1000)
    assert "limit=909," in refusal_of({**ten_days, "to": "2026-01-11"}, 1000).detail
