"""Reports are asked for with typed parameters and answered with typed values, raw bodies or text."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from clickmeter_client import ApiError, Reports, UnexpectedAnswer
from clickmeter_client.results import (
    Comparison,
    Dimension,
    Meta,
    Metric,
    Minute,
    Operator,
    ReportWarning,
    Row,
    Schema,
    TextPage,
)

if TYPE_CHECKING:
    from scripted_peer import Peer

QUERY: dict[str, Any] = {
    "from": "2026-01-19",
    "to": "2026-01-25",
    "timezone": "Europe/Berlin",
    "interval": "day",
    "metrics": ["pageviews", "unique_visitors"],
    "group_by": [],
    "filters": [],
    "order_by": ["time"],
    "limit": 50,
}
META: dict[str, Any] = {
    "next_cursor": None,
    "partial": True,
    "unattributed": {"visitor_id": 3, "session_id": 3},
    "warnings": [{"code": "visitor_ids_are_daily", "detail": "They change every day."}],
}
TABLE: dict[str, Any] = {
    "property_id": "prop_1",
    "query": QUERY,
    "rows": [{"time": "2026-01-19", "pageviews": 120, "unique_visitors": 80}],
    "totals": {"pageviews": 840, "unique_visitors": 410},
    "meta": META,
}


def reports_of(peer: Peer, property_id: str = "prop_1") -> Reports:
    return Reports(peer.url, property_id=property_id, read_key="cm_r_key")


def asked_for(peer: Peer) -> tuple[str, list[tuple[str, str]]]:
    parts = urlsplit(peer.asked[-1].target)
    return parts.path, parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))


def test_every_parameter_is_written_the_servers_way(peer: Peer) -> None:
    peer.then(TABLE)
    reports_of(peer).metrics(
        from_=date(2026, 1, 19),
        to="2026-01-25",
        period=None,
        timezone="Europe/Berlin",
        interval="day",
        metrics=["pageviews", "bounce_rate"],
        group_by=["path", "data.plan"],
        filters=["path:starts_with:/a,b&c", "country:is:DE"],
        include_bots=False,
        compare="previous_year",
        fill="none",
        order_by=["-pageviews", "path"],
        limit=10,
        cursor="abc=",
    )
    assert asked_for(peer) == (
        "/v1/properties/prop_1/metrics",
        [
            ("from", "2026-01-19"),
            ("to", "2026-01-25"),
            ("timezone", "Europe/Berlin"),
            ("interval", "day"),
            ("metrics", "pageviews,bounce_rate"),
            ("group_by", "path,data.plan"),
            ("filter", "path:starts_with:/a,b&c"),
            ("filter", "country:is:DE"),
            ("include_bots", "false"),
            ("compare", "previous_year"),
            ("fill", "none"),
            ("order_by", "-pageviews,path"),
            ("limit", "10"),
            ("cursor", "abc="),
        ],
    )
    assert peer.asked[0].headers["Authorization"] == "Bearer cm_r_key"


def test_without_parameters_nothing_is_asked_but_the_path(peer: Peer) -> None:
    peer.then(TABLE)
    reports_of(peer, "a/b ä").pages()
    assert peer.asked[0].target == "/v1/properties/a%2Fb%20%C3%A4/pages"


def test_a_table_is_read_whole(peer: Peer) -> None:
    peer.then(TABLE)
    table = reports_of(peer).metrics(interval="day")
    assert table.rows == (Row("2026-01-19", {}, {"pageviews": 120, "unique_visitors": 80}),)
    assert table.totals == {"pageviews": 840, "unique_visitors": 410}
    assert (table.query.from_, table.query.to) == (date(2026, 1, 19), date(2026, 1, 25))
    assert (table.query.timezone, table.query.interval, table.query.limit) == ("Europe/Berlin", "day", 50)
    assert table.comparison is None
    assert table.meta == Meta(
        next_cursor=None,
        partial=True,
        unattributed={"visitor_id": 3, "session_id": 3},
        warnings=(ReportWarning("visitor_ids_are_daily", "They change every day."),),
    )


@pytest.mark.parametrize(("endpoint", "dimension"), [("pages", "path"), ("campaigns", "campaign")])
def test_presets_give_rows_by_their_dimension(endpoint: str, dimension: str, peer: Peer) -> None:
    row = {dimension: "x", "pageviews": 3, "unique_visitors": 2}
    query = {**QUERY, "interval": "total", "group_by": [dimension]}
    peer.then({**TABLE, "query": query, "rows": [row, {**row, dimension: None}]})
    reports = reports_of(peer)
    table = reports.pages() if endpoint == "pages" else reports.campaigns()
    assert asked_for(peer)[0].endswith("/" + endpoint)
    assert [line.dimensions for line in table.rows] == [{dimension: "x"}, {dimension: None}]
    assert table.rows[0] == Row(None, {dimension: "x"}, {"pageviews": 3, "unique_visitors": 2})


def test_an_overview_has_a_field_per_metric(peer: Peer) -> None:
    peer.then(
        {
            "property_id": "prop_1",
            "query": {**QUERY, "metrics": ["pageviews", "bounce_rate", "later_metric"]},
            "pageviews": 840,
            "bounce_rate": 0.251208,
            "later_metric": 7,
            "meta": META,
        }
    )
    overview = reports_of(peer).overview(period="7d", metrics=["pageviews", "bounce_rate", "later_metric"])
    assert (overview.pageviews, overview.bounce_rate, overview.sessions) == (840, 0.251208, None)
    assert overview.metrics == {"pageviews": 840, "bounce_rate": 0.251208, "later_metric": 7}
    assert asked_for(peer)[1] == [("period", "7d"), ("metrics", "pageviews,bounce_rate,later_metric")]


def test_a_comparison_has_its_own_dates_and_the_same_groups(peer: Peer) -> None:
    earlier = {"from": "2026-01-12", "to": "2026-01-18"}
    row = {"path": "/a", "pageviews": 0, "unique_visitors": 0}
    query = {**QUERY, "interval": "total", "group_by": ["path"]}
    totals = {"pageviews": 1, "unique_visitors": 1}
    comparison = {"query": earlier, "rows": [row], "totals": totals}
    peer.then({**TABLE, "query": query, "rows": [row], "comparison": comparison})
    table = reports_of(peer).pages(compare="previous_period")
    assert isinstance(table.comparison, Comparison)
    assert (table.comparison.query.from_, table.comparison.query.to) == (date(2026, 1, 12), date(2026, 1, 18))
    assert table.comparison.rows == (Row(None, {"path": "/a"}, {"pageviews": 0, "unique_visitors": 0}),)
    assert table.comparison.totals == {"pageviews": 1, "unique_visitors": 1}


def test_realtime_has_a_row_per_minute(peer: Peer) -> None:
    rows = [{"time": "2026-01-24T18:12:00Z", "pageviews": 2}]
    peer.then({"property_id": "p", "minutes": 1, "unique_visitors": 1, "pageviews": 2, "rows": rows, "meta": META})
    realtime = reports_of(peer).realtime(minutes=1, filters=["path:is:/a"], include_bots=True)
    assert realtime.rows == (Minute("2026-01-24T18:12:00Z", 2),)
    assert (realtime.minutes, realtime.unique_visitors, realtime.pageviews) == (1, 1, 2)
    assert asked_for(peer)[1] == [("minutes", "1"), ("filter", "path:is:/a"), ("include_bots", "true")]


def test_the_schema_names_what_may_be_asked(peer: Peer) -> None:
    peer.then(
        {
            "property": {"id": "prop_1", "name": "Shop", "timezone": "UTC"},
            "metrics": [{"name": "pageviews", "description": "Views.", "kind": "count"}],
            "dimensions": [{"name": "path", "description": "The path."}],
            "operators": [{"name": "is_set", "description": "Is not missing.", "takes_value": False}],
            "intervals": ["total", "day"],
            "periods": ["today"],
            "limits": {"limit": 1000},
        }
    )
    schema = reports_of(peer).schema()
    assert schema == Schema(
        property_id="prop_1",
        name="Shop",
        timezone="UTC",
        metrics=(Metric("pageviews", "Views.", "count"),),
        dimensions=(Dimension("path", "The path."),),
        operators=(Operator("is_set", "Is not missing.", takes_value=False),),
        intervals=("total", "day"),
        periods=("today",),
        limits={"limit": 1000},
    )


def test_every_page_follows_the_cursors_with_the_same_parameters(peer: Peer) -> None:
    for cursor in ("one", "two", None):
        peer.then({**TABLE, "meta": {**META, "next_cursor": cursor}})
    pages = list(reports_of(peer).every_page("pages", limit=1, filters=["type:is:pageview"]))
    assert [page.meta.next_cursor for page in pages] == ["one", "two", None]
    queries = [parse_qsl(urlsplit(asked.target).query) for asked in peer.asked]
    same = [("limit", "1"), ("filter", "type:is:pageview")]
    assert queries == [same, [*same, ("cursor", "one")], [*same, ("cursor", "two")]]


def test_pages_are_asked_for_only_as_they_are_needed(peer: Peer) -> None:
    peer.then({**TABLE, "meta": {**META, "next_cursor": "one"}})
    next(reports_of(peer).every_page("metrics"))
    assert len(peer.asked) == 1


def test_raw_is_the_body_just_as_it_is(peer: Peer) -> None:
    body = {**TABLE, "something_new": [1.5, None, {"a": "ä"}]}
    peer.then(body)
    assert reports_of(peer).raw("overview", limit=3) == body
    assert asked_for(peer) == ("/v1/properties/prop_1/overview", [("limit", "3")])


def test_text_is_the_answer_in_the_format_asked_for(peer: Peer) -> None:
    csv = 'path,pageviews\r\n"a,""b""",3\r\n/ä,\r\n'
    peer.then_text(csv, content_type="text/csv; charset=utf-8")
    assert reports_of(peer).text("pages", "csv", period="today") == csv
    assert asked_for(peer)[1] == [("period", "today"), ("format", "csv")]


def test_pages_of_text_are_walked_through_with_the_cursor_of_the_header(peer: Peer) -> None:
    csv = "text/csv; charset=utf-8"
    peer.then_text("path,pageviews\r\n/a,3\r\n", content_type=csv, Clickmeter_Next_Cursor="c2")
    peer.then_text("path,pageviews\r\n/b,2\r\n", content_type=csv)
    pages = list(reports_of(peer).every_text_page("pages", "csv", limit=1))
    assert pages == [TextPage("path,pageviews\r\n/a,3\r\n", "c2"), TextPage("path,pageviews\r\n/b,2\r\n", None)]
    asked = [("limit", "1"), ("format", "csv")]
    assert sorted(asked_for(peer)[1]) == sorted([*asked, ("cursor", "c2")])
    peer.then_text('{"path":"/a"}\n', content_type="application/x-ndjson", Clickmeter_Next_Cursor="c3")
    page = reports_of(peer).text_page("pages", "ndjson", cursor="c2")
    assert page == TextPage('{"path":"/a"}\n', "c3")


def test_a_refused_parameter_is_named(peer: Peer) -> None:
    issue = {"parameter": "group_by", "code": "invalid_parameter", "detail": "Unknown: pth.", "allowed": ["path"]}
    peer.then_refuse(422, "invalid_parameter", errors=[issue])
    with pytest.raises(ApiError) as caught:
        reports_of(peer).metrics(group_by=["pth"])
    assert [(one.parameter, one.allowed) for one in caught.value.errors] == [("group_by", ("path",))]


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        None,
        {**TABLE, "query": {**QUERY, "filters": [{}]}},
        {**TABLE, "rows": [{}]},
        {**TABLE, "query": {}},
        {**TABLE, "meta": 1},
    ],
)
def test_a_success_that_is_no_report_is_named(answer: object, peer: Peer) -> None:
    peer.then(answer)
    with pytest.raises(UnexpectedAnswer):
        reports_of(peer).metrics()


def test_closing_closes_the_connection(peer: Peer) -> None:
    with reports_of(peer) as reports:
        peer.then(TABLE)
        peer.then(TABLE)
        reports.pages()
        reports.pages()
    for _ in range(2):
        peer.then(TABLE)
        reports.pages()
    assert len({asked.connection for asked in peer.asked}) == 3, "what is closed keeps no connection"
