"""Is the oracle itself right? Small histories whose answers are worked out by hand from the HTTP contract."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from oracle import Event, Row, answer

NUMBERS = count()
NOW = "2026-07-15T12:00:00Z"


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


def view(when: str | int, path: str | None = "/", **fields: Any) -> Event:
    number, ts = next(NUMBERS), at(when) if isinstance(when, str) else when
    row = {"event_id": f"e{number}", "type": "pageview", "ts": ts, "received_at": number, "path": path, "bot": False}
    return row | fields


def ask(events: list[Event], endpoint: str = "metrics", zone: str = "UTC", now: str = NOW, **options: Any) -> Row:
    """`from_` is `from`; a list is a repeated parameter."""
    position = {name: options.pop(name) for name in ("offset", "token_filters") if name in options}
    params = [
        (name.rstrip("_"), text)
        for name, value in options.items()
        for text in (value if isinstance(value, list) else [value])
    ]
    return answer(events, endpoint, params, property_id="p", timezone=zone, now=at(now), **position)


def day(date: str) -> dict[str, str]:
    return {"from_": date, "to": date}


def july(**options: Any) -> dict[str, Any]:
    return {"from_": "2026-07-01", "to": "2026-07-31"} | options


def times(body: Row) -> list[str]:
    return [row["time"] for row in body["rows"]]


def column(body: Row, name: str) -> list[Any]:
    return [row[name] for row in body["rows"]]


# Time


def test_a_day_has_23_or_25_hours_when_the_clock_changes() -> None:
    spring = ask([view("2026-03-29T01:15:00Z")], zone="Europe/Berlin", interval="hour", **day("2026-03-29"))
    assert len(spring["rows"]) == 23
    assert times(spring)[1:3] == ["2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"]
    assert column(spring, "pageviews") == [0, 0, 1] + 20 * [0]

    repeated = [view("2026-10-25T00:59:59.999Z"), view("2026-10-25T01:00:00Z"), view("2026-10-25T01:30:00Z")]
    autumn = ask(repeated, zone="Europe/Berlin", interval="hour", **day("2026-10-25"))
    assert len(autumn["rows"]) == 25
    assert times(autumn)[2:4] == ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]
    assert column(autumn, "pageviews")[2:5] == [1, 2, 0]


def test_minutes_are_labelled_with_the_offset_in_force() -> None:
    body = ask([view("2026-03-29T01:00:59Z")], zone="Europe/Berlin", interval="minute", **day("2026-03-29"))
    assert len(body["rows"]) == 23 * 60
    assert [row["time"] for row in body["rows"] if row["pageviews"]] == ["2026-03-29T03:00:00+02:00"]


def test_a_clock_change_of_half_an_hour_makes_a_short_hour() -> None:
    autumn = ask([], zone="Australia/Lord_Howe", interval="hour", **day("2026-04-05"))
    assert len(autumn["rows"]) == 25
    assert times(autumn)[1:4] == [
        "2026-04-05T01:00:00+11:00",
        "2026-04-05T01:00:00+10:30",
        "2026-04-05T02:00:00+10:30",
    ]
    spring = ask([view("2026-10-03T15:30:00Z")], zone="Australia/Lord_Howe", interval="hour", **day("2026-10-04"))
    assert len(spring["rows"]) == 24
    assert times(spring)[1:3] == ["2026-10-04T01:00:00+10:30", "2026-10-04T02:00:00+11:00"]
    assert column(spring, "pageviews")[1:3] == [0, 1]


def test_an_offset_with_seconds_is_shown_without_them() -> None:
    body = ask([view("1971-06-01T01:44:30Z")], zone="Africa/Monrovia", interval="hour", **day("1971-06-01"))
    assert len(body["rows"]) == 24
    assert times(body)[:2] == ["1971-06-01T00:00:30-00:44", "1971-06-01T01:00:30-00:44"]
    assert column(body, "pageviews")[:3] == [0, 1, 0]


@pytest.mark.parametrize(
    ("zone", "date", "first", "last"),
    [
        ("UTC", "2026-01-24", "2026-01-24T00:00:00Z", "2026-01-24T23:59:59.999Z"),
        ("Asia/Kathmandu", "2026-01-24", "2026-01-23T18:15:00Z", "2026-01-24T18:14:59.999Z"),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59.999Z"),
        # The clock went from 24:00 to 01:00, so this day has no midnight.
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T01:59:59.999Z"),
        # The clock went from 23:30 on the 30th to 00:30.
        ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00Z", "1919-04-01T03:59:59.999Z"),
        # At 00:01 the clock went back to 23:01; what follows is already the new day's.
        ("America/St_Johns", "2010-11-07", "2010-11-07T02:30:00Z", "2010-11-08T03:29:59.999Z"),
        # The clock went from 24:00 on the 29th to 00:00 on the 31st.
        ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00Z", "2011-12-30T09:59:59.999Z"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z", "2011-12-31T09:59:59.999Z"),
    ],
)
def test_a_day_is_local(zone: str, date: str, first: str, last: str) -> None:
    inside = [view(first), view(at(first) + 30 * 60_000), view(last)]
    outside = [view(at(first) - 1), view(at(last) + 1)]
    assert ask(inside + outside, "overview", zone, **day(date))["pageviews"] == 3
    assert ask(inside + outside, zone=zone, interval="day", **day(date))["rows"] == [
        {"time": date, "pageviews": 3, "unique_visitors": 0, "sessions": 0}
    ]


def test_a_day_that_does_not_exist_has_no_bucket() -> None:
    events = [view("2011-12-30T09:59:59Z"), view("2011-12-30T10:00:00Z")]
    body = ask(events, zone="Pacific/Apia", interval="day", from_="2011-12-29", to="2011-12-31")
    assert times(body) == ["2011-12-29", "2011-12-31"]
    assert column(body, "pageviews") == [1, 1]
    assert ask(events, zone="Pacific/Apia", interval="day", **day("2011-12-30"))["rows"] == []
    assert ask(events, zone="Pacific/Apia", **day("2011-12-30"))["rows"][0]["pageviews"] == 0


def test_weeks_months_and_years_are_labelled_by_their_first_day_even_before_the_range() -> None:
    events = [view(f"{date}T12:00:00Z") for date in ("2025-12-30", "2025-12-31", "2026-01-04", "2026-01-05")]
    expected = {
        "week": {"2025-12-29": 2, "2026-01-05": 1},
        "month": {"2025-12-01": 1, "2026-01-01": 2},
        "year": {"2025-01-01": 1, "2026-01-01": 2},
    }
    for interval, counts in expected.items():
        body = ask(events, interval=interval, from_="2025-12-31", to="2026-01-05")
        assert dict(zip(times(body), column(body, "pageviews"), strict=True)) == counts


@pytest.mark.parametrize(
    ("period", "first", "last", "previous_first", "previous_last", "year_first", "year_last"),
    [
        ("today", "2024-02-29", "2024-02-29", "2024-02-28", "2024-02-28", "2023-02-28", "2023-02-28"),
        ("yesterday", "2024-02-28", "2024-02-28", "2024-02-27", "2024-02-27", "2023-02-28", "2023-02-28"),
        ("7d", "2024-02-23", "2024-02-29", "2024-02-16", "2024-02-22", "2023-02-23", "2023-02-28"),
        ("28d", "2024-02-02", "2024-02-29", "2024-01-05", "2024-02-01", "2023-02-02", "2023-02-28"),
        ("30d", "2024-01-31", "2024-02-29", "2024-01-01", "2024-01-30", "2023-01-31", "2023-02-28"),
        ("90d", "2023-12-02", "2024-02-29", "2023-09-03", "2023-12-01", "2022-12-02", "2023-02-28"),
        ("12mo", "2023-03-01", "2024-02-29", "2022-03-01", "2023-02-28", "2022-03-01", "2023-02-28"),
        ("this_week", "2024-02-26", "2024-02-29", "2024-02-19", "2024-02-22", "2023-02-26", "2023-02-28"),
        ("this_month", "2024-02-01", "2024-02-29", "2024-01-01", "2024-01-29", "2023-02-01", "2023-02-28"),
        ("last_month", "2024-01-01", "2024-01-31", "2023-12-01", "2023-12-31", "2023-01-01", "2023-01-31"),
        ("this_year", "2024-01-01", "2024-02-29", "2023-01-01", "2023-02-28", "2023-01-01", "2023-02-28"),
        ("all", "2024-02-19", "2024-02-29", "2024-02-08", "2024-02-18", "2023-02-19", "2023-02-28"),
    ],
)
def test_periods_and_what_they_are_compared_with(
    period: str,
    first: str,
    last: str,
    previous_first: str,
    previous_last: str,
    year_first: str,
    year_last: str,
) -> None:
    events = [view("2024-02-18T23:00:00Z"), view("2024-02-25T23:00:00Z"), view("2024-01-01T00:00:00Z", bot=True)]
    for compare, dates in (
        ("previous_period", {"from": previous_first, "to": previous_last}),
        ("previous_year", {"from": year_first, "to": year_last}),
    ):
        # 23:30 UTC is already the 29th in Berlin, and the first event is of the 19th there.
        body = ask(events, "overview", "Europe/Berlin", "2024-02-28T23:30:00Z", period=period, compare=compare)
        assert (body["query"]["from"], body["query"]["to"]) == (first, last)
        assert body["comparison"]["query"] == dates


def test_months_of_other_lengths() -> None:
    for period, now, dates in (
        ("this_month", "2026-03-31T12:00:00Z", {"from": "2026-02-01", "to": "2026-02-28"}),
        ("last_month", "2026-03-31T12:00:00Z", {"from": "2026-01-01", "to": "2026-01-31"}),
    ):
        assert ask([], "overview", now=now, period=period, compare="previous_period")["comparison"]["query"] == dates


def test_the_default_is_30_days_and_all_of_nothing_is_today() -> None:
    assert (ask([])["query"]["from"], ask([])["query"]["to"]) == ("2026-06-16", "2026-07-15")
    assert ask([], period="all")["query"]["from"] == "2026-07-15"


def test_partial_until_the_range_has_ended() -> None:
    for now, partial in (("2026-07-15T21:59:59.999Z", True), ("2026-07-15T22:00:00Z", False)):
        body = ask([], zone="Europe/Berlin", now=now, **day("2026-07-15"))
        assert body["meta"]["partial"] is partial


# Filters


@pytest.mark.parametrize(
    ("operator", "matching"),
    [
        ("is:a/b", ["a/b"]),
        ("is_not:a/b", ["A/b", "a/b/c", "x*y", None]),
        ("contains:/b", ["A/b", "a/b", "a/b/c"]),
        ("not_contains:/b", ["x*y", None]),
        ("starts_with:a", ["a/b", "a/b/c"]),
        ("ends_with:b", ["A/b", "a/b"]),
        ("like:a*", ["a/b", "a/b/c"]),
        ("like:*/b", ["A/b", "a/b"]),
        ("like:a/.", []),
        ("is:x*y", ["x*y"]),
        ("is_set", ["A/b", "a/b", "a/b/c", "x*y"]),
        ("is_not_set:", [None]),
    ],
)
def test_operators(operator: str, matching: list[str | None]) -> None:
    events = [view("2026-07-01T00:00:00Z", path) for path in ("a/b", "A/b", "a/b/c", "x*y", None)]
    assert column(ask(events, group_by="path", filter=[f"path:{operator}"], **july()), "path") == matching


def test_a_value_is_everything_after_the_second_colon() -> None:
    events = [view("2026-07-01T00:00:00Z", referrer="https://a.example/x:y")]
    assert ask(events, "overview", filter=["referrer:is:https://a.example/x:y"], **july())["pageviews"] == 1


def test_or_within_a_dimension_and_everywhere_else() -> None:
    events = [
        view("2026-07-01T00:00:00Z", path, country=country)
        for path, country in (("/a", "DE"), ("/b", "DE"), ("/c", "DE"), ("/a", "FR"), ("/ab", "FR"))
    ]

    def pageviews(*filters: str, token_filters: tuple[str, ...] = ()) -> int:
        body = ask(events, "overview", filter=list(filters), token_filters=token_filters, **july())
        assert body["query"]["filters"] == list(filters)
        count: int = body["pageviews"]
        return count

    assert pageviews("path:is:/a", "path:is:/b") == 3
    assert pageviews("path:is:/a", "country:is:DE", "path:ends_with:b") == 2
    assert pageviews("path:starts_with:/a", "path:is_not:/ab") == 2
    assert pageviews("path:is_not:/a", "path:is_not:/b") == 2
    assert pageviews("path:is:/a", token_filters=("path:is:/b",)) == 0
    assert pageviews("path:is:/a", "path:is:/b", token_filters=("path:is:/b", "path:is:/c")) == 1


def test_a_preset_can_only_be_narrowed() -> None:
    events = [view("2026-07-01T00:00:00Z", "/a"), view("2026-07-01T00:00:00Z", "/b", type="click")]
    assert column(ask(events, "pages", **july()), "path") == ["/a"]
    assert ask(events, "pages", filter=["type:is:click"], **july())["rows"] == []


def test_campaigns_fall_back_to_utm_campaign() -> None:
    when = "2026-07-01T00:00:00Z"
    events = [view(when, campaign_id="c", utm_campaign="u"), view(when, utm_campaign="u"), view(when, type="click")]
    assert ask([*events, view(when, type="click", utm_campaign="u")], "campaigns", **july())["rows"] == [
        {"campaign": "c", "pageviews": 1, "unique_visitors": 0},
        {"campaign": "u", "pageviews": 1, "unique_visitors": 0},
    ]


def test_data_values_are_text() -> None:
    kinds = ["b", "", 1, 1.5, -0.25, True, False, None, [1], {"a": 1}]
    events: list[Event] = [view("2026-07-01T00:00:00Z", data={"k": kind}) for kind in kinds]
    events += [view("2026-07-01T00:00:00Z", data=None), view("2026-07-01T00:00:00Z")]
    body = ask(events, group_by="data.k", order_by="data.k", **july())
    assert column(body, "data.k") == ["", "-0.25", "1", "1.5", "b", "false", "true", None]
    assert column(body, "pageviews")[-1] == 5
    assert ask(events, "overview", filter=["data.k:is:true"], **july())["pageviews"] == 1


# Metrics


def test_distinct_over_the_whole_range_and_row() -> None:
    events = [
        view("2026-07-01T10:00:00Z", "/a", visitor_id="v", session_id="s"),
        view("2026-07-02T10:00:00Z", "/a", visitor_id="v", session_id="t"),
        view("2026-07-02T10:00:00Z", "/b", visitor_id="w"),
        view("2026-07-02T11:00:00Z", "/b", visitor_id=None, type="click"),
    ]
    options = {"from_": "2026-07-01", "to": "2026-07-02", "metrics": "events,pageviews,unique_visitors,sessions"}
    body = ask(events, interval="day", **options)
    assert body["rows"] == [
        {"time": "2026-07-01", "events": 1, "pageviews": 1, "unique_visitors": 1, "sessions": 1},
        {"time": "2026-07-02", "events": 3, "pageviews": 2, "unique_visitors": 2, "sessions": 1},
    ]
    assert body["totals"] == {"events": 4, "pageviews": 3, "unique_visitors": 2, "sessions": 2}
    assert body["meta"]["unattributed"] == {"visitor_id": 1, "session_id": 2}
    narrow = ask(events, filter=["path:is:/b"], **options)
    assert narrow["meta"]["unattributed"] == {"visitor_id": 1, "session_id": 2}
    assert narrow["rows"] == [narrow["totals"]]


SESSION_METRICS = "sessions,bounce_rate,avg_session_seconds,views_per_session"


def test_a_session_is_taken_whole_and_belongs_to_the_row_of_its_first_matching_event() -> None:
    events = [
        view("2026-07-01T23:59:50Z", "/a", session_id="s"),
        view("2026-07-02T00:00:10Z", "/b", session_id="s"),
        view("2026-07-02T00:00:20.500Z", "/c", session_id="s", type="click"),
        view("2026-07-02T05:00:00Z", "/b", session_id="t"),
        view("2026-06-30T23:59:59Z", "/b", session_id="t"),
    ]
    by_path = ask(events, group_by="path", order_by="path", metrics=SESSION_METRICS, **july())
    assert by_path["rows"] == [
        {"path": "/a", "sessions": 1, "bounce_rate": 0.0, "avg_session_seconds": 30.5, "views_per_session": 2.0},
        {"path": "/b", "sessions": 2, "bounce_rate": 1.0, "avg_session_seconds": 0.0, "views_per_session": 1.0},
        {"path": "/c", "sessions": 1, "bounce_rate": None, "avg_session_seconds": None, "views_per_session": None},
    ]
    totals = {"sessions": 2, "bounce_rate": 0.5, "avg_session_seconds": 15.25, "views_per_session": 1.5}
    assert by_path["totals"] == totals
    by_day = ask(events, interval="day", metrics=SESSION_METRICS, from_="2026-07-01", to="2026-07-02")
    assert column(by_day, "sessions") == [1, 2]
    assert column(by_day, "bounce_rate") == [0.0, 1.0]
    late = ask(events, interval="day", metrics=SESSION_METRICS, filter=["path:is:/b"], **day("2026-07-02"))
    assert late["totals"] == {
        "sessions": 2,
        "bounce_rate": 0.5,
        "avg_session_seconds": 5.25,
        "views_per_session": 1.0,
    }
    filtered = ask(events, interval="day", fill="none", metrics=SESSION_METRICS, filter=["path:is:/c"], **july())
    assert filtered["rows"] == [
        {
            "time": "2026-07-02",
            "sessions": 1,
            "bounce_rate": 0.0,
            "avg_session_seconds": 30.5,
            "views_per_session": 2.0,
        }
    ]


def test_events_of_one_instant_give_the_session_to_the_row_that_sorts_first() -> None:
    events = [
        view("2026-07-01T10:00:00Z", "/a", session_id="s", country=None),
        view("2026-07-01T10:00:00Z", "/b", session_id="s", country="DE"),
        view("2026-07-01T10:00:00Z", "/a", session_id="s", country="FR"),
        view("2026-07-01T11:00:00Z", "/", session_id="s", country="AT"),
    ]
    metrics = {"metrics": "bounce_rate,events", "group_by": "path,country", "order_by": "bounce_rate"}
    for order in (events, events[::-1]):
        rows = ask(order, **july(**metrics))["rows"]
        assert [(row["path"], row["country"], row["bounce_rate"]) for row in rows] == [
            ("/a", "FR", 0.0),
            ("/", "AT", None),
            ("/a", None, None),
            ("/b", "DE", None),
        ]


def test_entry_and_exit_page_come_from_the_session_in_the_range_before_filters() -> None:
    events = [
        view("2026-06-30T23:59:59Z", "/before", session_id="s"),
        view("2026-07-01T09:00:00Z", "/bot", session_id="s", bot=True),
        view("2026-07-01T09:30:00Z", "/click", session_id="s", type="click"),
        view("2026-07-01T10:00:00Z", "/b", session_id="s"),
        view("2026-07-01T10:00:00Z", "/a", session_id="s"),
        view("2026-07-01T10:00:00Z", None, session_id="s"),
        view("2026-07-01T11:00:00Z", "/x", session_id="s"),
        view("2026-07-01T11:00:00Z", "/y", session_id="s"),
        view("2026-07-01T11:00:00Z", None, session_id="s"),
        view("2026-07-01T11:00:00Z", "/alone"),
        view("2026-07-01T11:00:00Z", "/only-click", session_id="t", type="click"),
    ]
    grouped = {"metrics": "events", "group_by": "entry_page,exit_page"}
    assert ask(events, **july(**grouped))["rows"] == [
        {"entry_page": "/a", "exit_page": "/y", "events": 7},
        {"entry_page": None, "exit_page": None, "events": 2},
    ]
    clicks = ask(events, filter=["type:is:click"], **july(**grouped))
    assert column(clicks, "entry_page") == ["/a", None]
    assert ask(events, "overview", filter=["exit_page:is:/y", "entry_page:is:/a"], **july())["pageviews"] == 6
    with_bots = ask(events, include_bots="true", **july(**grouped))
    assert column(with_bots, "entry_page") == ["/bot", None]


def test_bots_are_left_out_unless_asked_for() -> None:
    events = [view("2026-07-01T10:00:00Z", session_id="s"), view("2026-07-01T10:01:00Z", session_id="s", bot=True)]
    options = july(metrics="pageviews,bounce_rate,avg_session_seconds")
    without = ask(events, include_bots="false", **options)
    assert without["rows"] == [{"pageviews": 1, "bounce_rate": 1.0, "avg_session_seconds": 0.0}]
    assert "include_bots" not in without["query"]
    with_bots = ask(events, include_bots="true", **options)
    assert with_bots["rows"] == [{"pageviews": 2, "bounce_rate": 0.0, "avg_session_seconds": 60.0}]
    assert with_bots["query"]["include_bots"] is True


@pytest.mark.parametrize(("milliseconds", "mean"), [(1, 0.0), (3, 0.002), (5, 0.002), (7, 0.004), (2001, 1.0)])
def test_seconds_are_rounded_half_even(milliseconds: int, mean: float) -> None:
    events = [
        view("2026-07-01T00:00:00Z", session_id="s"),
        view(at("2026-07-01T00:00:00Z") + milliseconds, session_id="s"),
        view("2026-07-01T00:00:00Z", session_id="t"),
    ]
    assert ask(events, "overview", metrics="avg_session_seconds", **july())["avg_session_seconds"] == mean


def test_rates_have_six_decimals_and_views_three_rounded_half_even() -> None:
    when = "2026-07-01T00:00:00Z"
    for bounces, rate in ((1, 0.007812), (3, 0.023438)):  # 0.0078125 and 0.0234375
        sessions = [view(when, session_id=f"{n}") for n in range(128)]
        more = [view(when, session_id=f"{n}") for n in range(bounces, 128)]
        assert ask(sessions + more, "overview", metrics="bounce_rate", **july())["bounce_rate"] == rate
    for views, mean in ((1, 0.062), (3, 0.188)):  # 0.0625 and 0.1875
        clicks = [view(when, session_id=f"{n}", type="click") for n in range(16)]
        events = clicks + [view(when, session_id=f"{n}") for n in range(views)]
        assert ask(events, "overview", metrics="views_per_session", **july())["views_per_session"] == mean


# Rows


def test_ranking_nulls_last_and_ties_by_dimensions_ascending() -> None:
    paths = ["/b", "/b", "/a", "/a", None, None, None, "/Z", "/é"]
    events = [view("2026-07-01T00:00:00Z", path) for path in paths]

    def order(*order_by: str) -> list[str | None]:
        given = {"order_by": ",".join(order_by)} if order_by else {}
        body = ask(events, group_by="path", **july(**given))
        assert body["query"]["order_by"] == list(order_by or ["-pageviews"])
        return column(body, "path")

    assert order() == [None, "/a", "/b", "/Z", "/é"]
    assert order("pageviews") == ["/Z", "/é", "/a", "/b", None]
    assert order("path") == ["/Z", "/a", "/b", "/é", None]
    assert order("-path") == ["/é", "/b", "/a", "/Z", None]
    assert order("-pageviews", "-path") == [None, "/b", "/a", "/é", "/Z"]


def test_ranking_compares_the_values_as_shown() -> None:
    def session(path: str, name: str, milliseconds: int) -> list[Event]:
        start = view("2026-07-01T00:00:00Z", path, session_id=name)
        return [start, {**start, "ts": start["ts"] + milliseconds}]

    # Means of 1.0002 and 1.0004 seconds are both shown as 1.0, so the paths decide.
    rest = [event for path in ("/a", "/b") for n in range(4) for event in session(path, f"{path}{n}", 1000)]
    events = rest + session("/a", "a", 1001) + session("/b", "b", 1002)
    body = ask(events, group_by="path", order_by="-avg_session_seconds", metrics="avg_session_seconds", **july())
    assert body["rows"] == [{"path": "/a", "avg_session_seconds": 1.0}, {"path": "/b", "avg_session_seconds": 1.0}]


def test_missing_rates_come_last_in_both_directions() -> None:
    events = [
        view("2026-07-01T00:00:00Z", "/none"),
        view("2026-07-01T00:00:00Z", "/bounced", session_id="s"),
        view("2026-07-01T00:00:00Z", "/stayed", session_id="t"),
        view("2026-07-01T00:00:00Z", "/stayed", session_id="t"),
    ]
    options = july(group_by="path", metrics="pageviews,bounce_rate")
    assert column(ask(events, order_by="bounce_rate", **options), "bounce_rate") == [0.0, 1.0, None]
    assert column(ask(events, order_by="-bounce_rate", **options), "bounce_rate") == [1.0, 0.0, None]


def test_paging_counts_groups_each_with_all_its_buckets() -> None:
    events = [
        view(f"2026-07-0{number}T00:00:00Z", path)
        for path, days in (("/a", (1, 2, 2)), ("/b", (1, 1)), ("/c", (2,)))
        for number in days
    ]
    options = {"group_by": "path", "interval": "day", "from_": "2026-07-01", "to": "2026-07-02", "metrics": "events"}
    first = ask(events, limit="2", **options)
    assert first["rows"] == [
        {"time": "2026-07-01", "path": "/a", "events": 1},
        {"time": "2026-07-01", "path": "/b", "events": 2},
        {"time": "2026-07-02", "path": "/a", "events": 2},
        {"time": "2026-07-02", "path": "/b", "events": 0},
    ]
    assert first["meta"]["next_cursor"] is True
    second = ask(events, limit="2", offset=2, **options)
    assert [(row["time"], row["path"], row["events"]) for row in second["rows"]] == [
        ("2026-07-01", "/c", 0),
        ("2026-07-02", "/c", 1),
    ]
    assert second["meta"]["next_cursor"] is None
    assert first["totals"] == second["totals"] == {"events": 6}
    assert len(ask(events, limit="2", fill="none", **options)["rows"]) == 3
    assert ask(events, limit="3", **options)["meta"]["next_cursor"] is None


def test_time_only_turns_the_buckets_round() -> None:
    events = [view("2026-07-01T00:00:00Z", "/b"), view("2026-07-01T00:00:00Z", "/b")]
    events += [view("2026-07-02T00:00:00Z", "/a", session_id="s")]
    options = {"interval": "day", "from_": "2026-07-01", "to": "2026-07-02", "metrics": "events,sessions"}
    assert times(ask(events, order_by="-time", **options)) == ["2026-07-02", "2026-07-01"]
    assert times(ask(events, order_by="-events", **options)) == ["2026-07-01", "2026-07-02"]
    for order_by, paths in (("-time", ["/b", "/a"]), ("-time,path", ["/a", "/b"])):
        body = ask(events, order_by=order_by, group_by="path", **options)
        assert column(body, "path") == 2 * paths
        assert times(body) == ["2026-07-02", "2026-07-02", "2026-07-01", "2026-07-01"]


def test_empty_buckets_are_filled_or_left_out() -> None:
    options = {"interval": "day", "from_": "2026-07-01", "to": "2026-07-02", "metrics": "events,bounce_rate"}
    event = view("2026-07-02T00:00:00Z")
    empty = {"time": "2026-07-01", "events": 0, "bounce_rate": None}
    full = {"time": "2026-07-02", "events": 1, "bounce_rate": None}
    assert ask([event], **options)["rows"] == [empty, full]
    bare = ask([event], fill="none", **options)
    assert bare["rows"] == [full]
    assert bare["query"]["fill"] == "none"
    assert ask([event], fill="all", **options) == ask([event], **options)
    assert ask([], fill="none", **options)["rows"] == []
    assert ask([], fill="none", **(options | {"interval": "total"}))["rows"] == [{"events": 0, "bounce_rate": None}]
    assert ask([], group_by="path", **options)["rows"] == []


def test_a_comparison_has_the_same_groups_and_its_own_buckets() -> None:
    events = [
        view("2026-07-03T00:00:00Z", "/a"),
        view("2026-07-04T00:00:00Z", "/b"),
        view("2026-07-04T00:00:00Z", "/b"),
        view("2026-07-02T00:00:00Z", "/a"),
        view("2026-07-02T00:00:00Z", "/gone"),
    ]
    options = {"from_": "2026-07-03", "to": "2026-07-04", "metrics": "events", "group_by": "path"}
    body = ask(events, compare="previous_period", **options)
    assert column(body, "path") == ["/b", "/a"]
    assert body["comparison"] == {
        "query": {"from": "2026-07-01", "to": "2026-07-02"},
        "rows": [{"path": "/b", "events": 0}, {"path": "/a", "events": 1}],
        "totals": {"events": 2},
    }
    daily = ask(events, compare="previous_period", interval="day", **options)["comparison"]
    assert [(row["time"], row["path"], row["events"]) for row in daily["rows"]] == [
        ("2026-07-01", "/b", 0),
        ("2026-07-01", "/a", 0),
        ("2026-07-02", "/b", 0),
        ("2026-07-02", "/a", 1),
    ]


def test_a_comparison_may_have_fewer_buckets() -> None:
    body = ask([], interval="day", from_="2024-02-01", to="2024-02-29", compare="previous_year")
    assert len(body["rows"]) == 29
    assert times(body["comparison"])[-1] == "2023-02-28"
    assert len(body["comparison"]["rows"]) == 28


# Whole bodies, with the order of their keys


def test_the_body_of_metrics() -> None:
    body = ask([view("2026-07-15T10:00:00Z", visitor_id="v")], zone="Europe/Berlin", interval="day", period="today")
    assert json.dumps(body) == json.dumps(
        {
            "property_id": "p",
            "query": {
                "from": "2026-07-15",
                "to": "2026-07-15",
                "timezone": "Europe/Berlin",
                "interval": "day",
                "metrics": ["pageviews", "unique_visitors", "sessions"],
                "group_by": [],
                "filters": [],
                "order_by": ["time"],
                "limit": 50,
            },
            "rows": [{"time": "2026-07-15", "pageviews": 1, "unique_visitors": 1, "sessions": 0}],
            "totals": {"pageviews": 1, "unique_visitors": 1, "sessions": 0},
            "meta": {
                "next_cursor": None,
                "partial": True,
                "unattributed": {"visitor_id": 0, "session_id": 1},
                "warnings": [],
            },
        }
    )


def test_the_body_of_overview_has_the_metrics_at_the_top() -> None:
    body = ask([], "overview", timezone="Asia/Tokyo", compare="previous_year", include_bots="true", **july())
    assert list(body) == [
        "property_id",
        "query",
        "pageviews",
        "unique_visitors",
        "sessions",
        "meta",
        "comparison",
    ]
    assert body["query"]["timezone"] == "Asia/Tokyo"
    assert body["query"]["order_by"] == []
    assert list(body["query"])[-3:] == ["limit", "include_bots", "compare"]


def test_a_preset_equals_metrics_but_for_the_echo_of_its_filter() -> None:
    events = [view("2026-07-01T00:00:00Z", path, campaign_id=path) for path in ("/a", "/b", "/a")]
    for endpoint, dimension, preset in (
        ("pages", "path", "type:is:pageview"),
        ("campaigns", "campaign", "campaign:is_set"),
    ):
        body = ask(events, endpoint, **july())
        asked = {"group_by": dimension, "metrics": "pageviews,unique_visitors", "filter": [preset]}
        same = ask(events, **july(**asked))
        assert body["query"]["filters"] == []
        assert {**body, "query": {**body["query"], "filters": [preset]}} == same


def test_realtime_ends_with_all_of_the_current_minute() -> None:
    events = [
        view("2026-07-15T11:57:59.999Z", visitor_id="early"),
        view("2026-07-15T11:58:00Z", visitor_id="v"),
        view("2026-07-15T12:00:30Z", visitor_id="v"),
        view("2026-07-15T12:00:59.999Z", visitor_id="w", session_id="s"),
        view("2026-07-15T12:00:00Z", type="click"),
        view("2026-07-15T12:00:00Z", bot=True),
        view("2026-07-15T12:01:00Z", visitor_id="late"),
    ]
    body = ask(events, "realtime", "Asia/Kathmandu", "2026-07-15T12:00:40Z", minutes="3")
    assert json.dumps(body) == json.dumps(
        {
            "property_id": "p",
            "minutes": 3,
            "unique_visitors": 2,
            "pageviews": 3,
            "rows": [
                {"time": "2026-07-15T17:43:00+05:45", "pageviews": 1},
                {"time": "2026-07-15T17:44:00+05:45", "pageviews": 0},
                {"time": "2026-07-15T17:45:00+05:45", "pageviews": 2},
            ],
            "meta": {
                "next_cursor": None,
                "partial": True,
                "unattributed": {"visitor_id": 1, "session_id": 3},
                "warnings": [],
            },
        }
    )
    assert len(ask(events, "realtime")["rows"]) == 5
    assert ask(events, "realtime", now="2026-07-15T12:00:40Z", include_bots="true")["pageviews"] == 5
    assert ask(events, "realtime", filter=["type:is:click"], token_filters=("path:is:/",))["pageviews"] == 0


def test_no_answer_depends_on_the_order_of_arrival() -> None:
    dice = random.Random(7)
    events = [
        view(f"2026-07-01T00:00:0{dice.randrange(3)}Z", dice.choice(["/a", "/b", None]), session_id=dice.choice("stu"))
        for _ in range(40)
    ]
    options = july(group_by="path,exit_page", metrics=SESSION_METRICS, interval="day", fill="none")
    expected = ask(events, **options)
    for _ in range(20):
        dice.shuffle(events)
        assert ask(events, **options) == expected
