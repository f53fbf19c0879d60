"""Counting in SQL equals a brute-force count of the raw events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from histories import batches, questions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores import CURSOR_KEY, RECEIVED_AT

from clickmeter.errors import Refusal
from clickmeter.query.query import parse
from clickmeter.storage.clickhouse import counting, distinct, rollups, sql, statements
from clickmeter.storage.clickhouse.distinct import SORTED

if TYPE_CHECKING:
    from stores import EventStores

    from clickmeter.model import Property

SLOW = [HealthCheck.data_too_large, HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
RANGE = {"from_": "2026-03-01", "to": "2026-04-30"}
AWKWARD = ["/100%", "/100", "/a_b", "/axb", "/a\\b", "/it's", '/"q"', "/{x:String}", "/é", "/*", "/\U0001f600"]
EVERY_METRIC = ["events", "pageviews", "unique_visitors", "sessions", "bounce_rate", "avg_session_seconds"]


@settings(max_examples=settings().max_examples // 5, suppress_health_check=SLOW)
@given(sent=batches, asked=st.lists(questions(), min_size=5, max_size=5), zone=st.sampled_from(["UTC", "Asia/Kolkata"]))
def test_reports_are_exact(
    stores: EventStores, sent: list[list[dict[str, Any]]], asked: list[tuple[str, dict[str, Any]]], zone: str
) -> None:
    property_ = stores.new_property(zone)
    stores.append(property_, sent)
    stores.check(property_, asked)


def view(number: int, path: str | None = "/", **fields: Any) -> dict[str, Any]:
    identity = {"visitor_id": f"v{number % 7}", "session_id": f"s{number % 5}"}
    event = {"event_id": f"e{number}", "type": "pageview", "ts": f"2026-03-{1 + number % 28:02}T00:00:00Z"}
    return event | {"context": {"page": {"path": path}}, "identity": identity} | fields


@pytest.mark.parametrize("operator", ["is", "is_not", "contains", "not_contains", "starts_with", "ends_with", "like"])
def test_every_character_of_a_filter_is_meant_as_it_is(stores: EventStores, operator: str) -> None:
    property_ = stores.new_property()
    paths = [*AWKWARD, None]
    stores.append(property_, [[view(number, path, data={"p": path or ""}) for number, path in enumerate(paths)]])
    for path in AWKWARD:
        for dimension in ("path", "data.p"):
            question = {**RANGE, "group_by": [dimension], "filters": [f"{dimension}:{operator}:{path}"]}
            stores.check(property_, [("metrics", question)])
            stores.check(property_, [("metrics", question | {"filters": [f"{dimension}:{operator}:{path[1:]}"]})])


def test_values_of_data_are_told_apart_as_they_are_shown(stores: EventStores) -> None:
    property_ = stores.new_property()
    values = ["", "=", "1", 1, 1.0, True, "true", None, [1], {"a": 1}, -0.5, "a\nb", 2**53 - 1]
    stores.append(property_, [[view(number, data={"k.e'y": value}) for number, value in enumerate(values)]])
    for filters in ([], ["data.k.e'y:is_set"], ["data.k.e'y:is_not_set"], ["data.k.e'y:like:*"], ["data.k.e'y:is:1"]):
        question = {**RANGE, "group_by": ["data.k.e'y"], "filters": filters, "metrics": EVERY_METRIC}
        stores.check(property_, [("metrics", question)])


def test_groups_come_a_page_at_a_time_by_any_order(stores: EventStores) -> None:
    property_ = stores.new_property()
    stores.append(property_, [[view(number, f"/{number % 23}") for number in range(300)]])
    for order in EVERY_METRIC + ["path", "-path"] + [f"-{name}" for name in EVERY_METRIC]:
        question = {**RANGE, "group_by": ["path"], "metrics": EVERY_METRIC, "order_by": [order], "limit": 7}
        stores.check(property_, [("metrics", question), ("metrics", question | {"interval": "month"})])


def ask(stores: EventStores, property_: Property, *, seconds: float) -> None:
    query = parse("overview", [("period", "all")], property_, now=RECEIVED_AT, cursor_key=CURSOR_KEY)
    stores.answerer.body(query, now=RECEIVED_AT, cursor_key=CURSOR_KEY, seconds=seconds)


def test_a_report_has_its_limits(stores: EventStores, monkeypatch: pytest.MonkeyPatch) -> None:
    property_ = stores.new_property()
    stores.append(property_, [[view(1)]])
    with pytest.raises(Refusal) as late:
        ask(stores, property_, seconds=0)
    assert late.value.code == "report_timeout"
    with monkeypatch.context() as patch:
        patch.setattr(statements, "MAX_MEMORY", 1)
        with pytest.raises(Refusal) as dear:
            ask(stores, property_, seconds=10)
    assert dear.value.code == "too_expensive"
    ask(stores, property_, seconds=10)


def test_visitors_too_many_to_be_sorted_are_hashed(stores: EventStores, monkeypatch: pytest.MonkeyPatch) -> None:
    property_ = stores.new_property()
    stores.append(property_, [[view(number, f"/{number % 5}") for number in range(60)]])
    tried: list[str] = []

    def unsortable(metric: str, way: str) -> str:
        tried.append(way)
        return "length(arrayWithConstant(1000000000000, 0))" if way == SORTED else distinct.distinct(metric, way)

    for module in (counting, rollups):
        monkeypatch.setattr(module, "distinct", unsortable)
    ranked = RANGE | {"group_by": ["path"], "order_by": ["-unique_visitors"], "limit": 2}
    for question in (RANGE, RANGE | {"interval": "day"}, RANGE | {"filters": ["path:is:/1"]}, ranked):
        stores.check(property_, [("metrics", question)])
    stores.check(property_, [("pages", RANGE)])
    assert {*tried} == {*distinct.WAYS}


def test_an_hour_that_is_not_whole_is_asked_by_the_instant(stores: EventStores) -> None:
    property_ = stores.new_property("Asia/Kolkata")
    edges = ["2026-03-01T18:29:59.999Z", "2026-03-01T18:30:00Z", "2026-03-02T18:29:59.999Z", "2026-03-02T18:30:00Z"]
    stores.append(property_, [[view(number) | {"ts": edge} for number, edge in enumerate(edges)]])
    day = {"from_": "2026-03-02", "to": "2026-03-02", "filters": ["path:is:/"]}
    assert stores.ask(property_, "metrics", day)["totals"]["pageviews"] == 2
    stores.check(property_, [("metrics", day), ("metrics", day | {"timezone": "UTC"})])


@pytest.mark.parametrize(
    ("module", "table", "name", "broken"),
    [
        (distinct, "KEYS", "unique_visitors", "session_key"),
        (counting, "SESSION_SUMS", "bounces", "countIf(n = 2)"),
        (sql, "COMPARISONS", "is_not", "({value} != {wanted} AND {present})"),
    ],
)
def test_a_wrong_count_is_noticed(
    stores: EventStores, monkeypatch: pytest.MonkeyPatch, module: Any, table: str, name: str, broken: str
) -> None:
    property_ = stores.new_property()
    events = [view(number, None if number % 3 else "/") for number in range(9)]
    stores.append(property_, [[*events, view(9, identity={}), view(10, identity={"session_id": "once"})]])
    question = ("metrics", {**RANGE, "filters": ["path:is_not:/x"], "metrics": EVERY_METRIC})
    stores.check(property_, [question])
    monkeypatch.setitem(getattr(module, table), name, broken)
    with pytest.raises(AssertionError):
        stores.check(property_, [question])
