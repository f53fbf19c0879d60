"""Rollups answer what they can, and nothing that they cannot; they hold what the events are."""

from __future__ import annotations

import math
from contextlib import closing
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from stores import CURSOR_KEY, RECEIVED_AT

from clickmeter.model import Batch
from clickmeter.query.query import parse
from clickmeter.storage.clickhouse import counting, rollups
from clickmeter.storage.clickhouse.counting import ClickhouseCounting
from clickmeter.storage.clickhouse.rollups import FUNCTION
from clickmeter.storage.clickhouse.schema import HOUR_MS
from clickmeter.storage.clickhouse.statements import Statements

if TYPE_CHECKING:
    from stores import EventStores, Question

    from clickmeter.model import Property

BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
RANGE = {"from_": "2026-03-28", "to": "2026-04-02"}
DAYS = ["2026-03-29", "2026-03-30", "2026-03-31", "2026-04-01", "2026-04-02"]
METRICS = ["events", "pageviews", "unique_visitors", "sessions"]
ANSWERED: list[tuple[str, dict[str, Any]]] = [
    ("overview", RANGE),
    ("overview", RANGE | {"include_bots": True}),
    ("overview", {"from_": "2026-01-01", "to": "2026-01-02"}),
    ("metrics", RANGE | {"metrics": METRICS, "interval": "day"}),
    ("metrics", RANGE | {"metrics": METRICS, "interval": "week"}),
    ("metrics", RANGE | {"metrics": METRICS, "interval": "month"}),
    ("metrics", RANGE | {"metrics": METRICS, "interval": "day", "timezone": "Europe/Berlin"}),
    ("metrics", RANGE | {"metrics": METRICS, "interval": "day", "timezone": "Europe/Berlin", "from_": "2026-03-29"}),
    ("metrics", {"metrics": METRICS, "interval": "day", "from_": "2026-01-01", "to": "2026-01-03"}),
    ("metrics", RANGE | {"metrics": ["sessions"], "interval": "hour", "timezone": "Europe/Berlin"}),
    ("metrics", RANGE | {"metrics": METRICS, "filters": ["type:is:pageview"]}),
    ("overview", RANGE | {"timezone": "America/New_York", "compare": "previous_period"}),
]
NOT_ANSWERED: list[tuple[str, dict[str, Any]]] = [
    ("metrics", RANGE | {"metrics": METRICS, "timezone": "Asia/Kolkata"}),
    ("metrics", RANGE | {"metrics": METRICS, "filters": ["type:is:signup"]}),
    ("metrics", RANGE | {"metrics": METRICS, "filters": ["type:is:pageview", "type:is:signup"]}),
    ("metrics", RANGE | {"metrics": METRICS, "filters": ["path:is:/1"]}),
    ("metrics", RANGE | {"metrics": ["bounce_rate"]}),
]


def view(number: int) -> dict[str, Any]:
    identity = {"visitor_id": f"v{number % 11}" if number % 5 else None, "session_id": f"s{number % 17}"}
    return {
        "event_id": f"e{number}",
        "type": "pageview" if number % 3 else "signup",
        "ts": f"{DAYS[number % 5]}T{number * 5 % 24:02}:{number * 7 % 60:02}:00Z",
        "identity": identity,
        "context": {"page": {"path": f"/{number % 4}"}, "user_agent": BOT if number % 13 == 0 else None},
    }


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that reports have made."""
    found: list[str] = []
    rows = Statements.rows

    def noted(self: Statements, sql: str, *given: Any) -> list[tuple[Any, ...]]:
        found.append(sql)
        return rows(self, sql, *given)

    monkeypatch.setattr(Statements, "rows", noted)
    return found


@pytest.fixture
def filled(stores: EventStores) -> Property:
    property_ = stores.new_property()
    for part in range(3):
        stores.append(property_, [[view(number) for number in range(part * 60, part * 60 + 80)]])
    return property_


@pytest.mark.parametrize("question", ANSWERED, ids=str)
def test_what_rollups_can_tell_is_asked_of_nothing_else(
    stores: EventStores, filled: Property, asked: list[str], question: tuple[str, dict[str, Any]]
) -> None:
    stores.check(filled, [question])
    assert asked
    assert all(FUNCTION in sql for sql in asked)


@pytest.mark.parametrize("question", [ANSWERED[0], ANSWERED[3]], ids=str)
def test_one_statement_asks_rollups_for_everything(
    stores: EventStores, filled: Property, asked: list[str], question: tuple[str, dict[str, Any]]
) -> None:
    stores.ask(filled, *question)
    assert len(asked) == 1


@pytest.mark.parametrize("include_bots", [False, True])
def test_daily_ids_are_known_of_the_range_whatever_is_asked_about(
    stores: EventStores, filled: Property, include_bots: bool
) -> None:
    sent = [view(number) | {"event_id": f"d{number}", "type": "signup"} for number in (13, 16)]
    of_bot, other = [msgspec.structs.replace(event, daily=True) for event in stores.accepted(filled, sent)]
    asked = RANGE | {"include_bots": include_bots}
    questions: list[Question] = [
        ("overview", asked),
        ("pages", asked),
        ("overview", asked | {"timezone": "Asia/Kolkata"}),
    ]

    def warned() -> list[bool]:
        return [bool(stores.ask(filled, *question)["meta"]["warnings"]) for question in questions]

    assert warned() == [False] * 3
    stores.events.append([Batch(filled.id, [of_bot])])
    assert warned() == [include_bots] * 3
    stores.events.append([Batch(filled.id, [other])])
    assert warned() == [True] * 3


@pytest.mark.parametrize("question", NOT_ANSWERED, ids=str)
def test_what_they_cannot_tell_is_asked_of_the_events(
    stores: EventStores, filled: Property, asked: list[str], question: tuple[str, dict[str, Any]]
) -> None:
    stores.check(filled, [question])
    assert asked
    assert not any(FUNCTION in sql for sql in asked)


def test_a_question_that_hours_cannot_answer_would_be_noticed(
    stores: EventStores, filled: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the tests above must catch."""
    monkeypatch.setattr(counting, "is_rolled", lambda *_: True)
    for question in NOT_ANSWERED[0], NOT_ANSWERED[3]:
        with pytest.raises(AssertionError):
            stores.check(filled, [question])


def test_a_first_bucket_that_is_short_and_cut_is_no_other(stores: EventStores, filled: Property) -> None:
    """A day of 23 hours, of which the first two are too old to be counted, before days of 24."""
    days = ["28T00", "29T00", "29T23", "30T23", "31T23"]
    edges = [instant(f"2026-03-{day}:00:00Z") for day in days]
    start = edges[1] + 2 * HOUR_MS
    asked = [("metrics", "events"), ("interval", "day"), ("include_bots", "true")]
    query = parse("metrics", asked, filled, now=RECEIVED_AT, cursor_key=CURSOR_KEY)
    counted = [at for number in range(200) if (at := instant(view(number)["ts"])) >= start]
    wanted = [sum(before <= at < after for at in counted) for before, after in pairwise(edges)]
    with closing(ClickhouseCounting(stores.events_url)) as opened:
        answer = opened.answer(query, start=start, end=edges[-1], deadline=math.inf)
        [found] = answer.by_bucket([()], edges)
    assert [sums.events for sums in found] == wanted
    assert wanted[0] == 0 < min(wanted[1:])


def test_a_series_by_the_minute_is_of_events_and_its_totals_are_of_rollups(
    stores: EventStores, filled: Property, asked: list[str]
) -> None:
    question = RANGE | {"metrics": METRICS, "interval": "minute", "from_": "2026-04-02"}
    stores.check(filled, [("metrics", question)])
    assert {FUNCTION in sql for sql in asked} == {True, False}


def test_pages_are_ranked_by_events_and_their_totals_are_of_rollups(
    stores: EventStores, filled: Property, asked: list[str]
) -> None:
    stores.check(filled, [("pages", RANGE)])
    assert sorted(FUNCTION in sql for sql in asked) == [False, True]


def test_without_rollups_the_answers_are_the_same(
    stores: EventStores, filled: Property, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups, "FUNCTION", "a function that this ClickHouse does not have")
    stores.reopen()
    stores.check(filled, ANSWERED)
    assert not any(FUNCTION in sql for sql in asked)
    monkeypatch.undo()
    stores.reopen()


def test_who_is_erased_leaves_the_rollups_too(stores: EventStores, filled: Property) -> None:
    now = 1_780_000_000_001
    before = stores.ask(filled, "overview", RANGE)["unique_visitors"]
    assert stores.events.mark_erased(filled.id, "v3", now=now)
    after = (-1, 0)
    while (step := stores.events.erase(filled.id, "v3", erased_at=now, after=after, limit=1)).after is not None:
        after = step.after
    assert stores.ask(filled, "overview", RANGE)["unique_visitors"] == before - 1
    stores.check(filled, ANSWERED)
