"""The same rows as JSON, CSV and NDJSON, and the pages of a long answer in each."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from service import CERTIFICATES

if TYPE_CHECKING:
    from service import Site

DAY = "2026-03-27"
PATHS = ["/", "/a", '=1+1,"x"', "@sum", "-1", "line", "/ä"]


@pytest.fixture
def filled(site: Site) -> Site:
    with site.sender() as sender:
        sender.post_events(
            {"type": "pageview", "ts": f"{DAY}T0{number}:00:00Z", "context": {"page": {"path": path}}}
            for number, path in enumerate(PATHS)
        )
        sender.post_events([{"type": "signup", "ts": f"{DAY}T00:00:00Z", "data": {"plan": "pro"}}])
    return site


def get(site: Site, endpoint: str, accept: str = "", **parameters: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {site.read_key}"} | ({"Accept": accept} if accept else {})
    url = f"{site.service.url}/v1/properties/{site.id}/{endpoint}"
    answer = httpx.get(url, params={"from": DAY, "to": DAY, **parameters}, headers=headers, verify=CERTIFICATES)
    assert answer.status_code == 200, answer.text
    return answer


def guarded(value: Any) -> str:
    """A cell as CSV has it."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value[0] in "=+-@" else str(value)


@pytest.mark.parametrize(
    ("endpoint", "parameters"),
    [
        ("pages", {}),
        ("metrics", {"group_by": "path,data.plan", "metrics": "pageviews,bounce_rate", "interval": "hour"}),
        ("metrics", {"filter": "path:is:/nowhere", "group_by": "path"}),
    ],
    ids=["pages", "series", "empty"],
)
def test_every_format_has_the_same_rows(filled: Site, endpoint: str, parameters: dict[str, str]) -> None:
    rows = get(filled, endpoint, **parameters).json()["rows"]
    lines = get(filled, endpoint, format="ndjson", **parameters)
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in lines.text.splitlines()] == rows
    table = get(filled, endpoint, format="csv", **parameters)
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert table.headers["content-disposition"].startswith("attachment")
    assert table.headers["x-content-type-options"] == "nosniff"
    assert table.text.endswith("\r\n")
    head, *cells = csv.reader(io.StringIO(table.text, newline=""))
    assert cells == [[guarded(row[name]) for name in head] for row in rows]


def test_an_overview_is_one_row(filled: Site) -> None:
    body = get(filled, "overview").json()
    assert get(filled, "overview", format="csv").text == "pageviews,unique_visitors,sessions\r\n7,0,0\r\n"
    assert json.loads(get(filled, "overview", format="ndjson").text) == {
        name: body[name] for name in ("pageviews", "unique_visitors", "sessions")
    }


def test_the_accept_header_chooses_where_no_parameter_does(filled: Site) -> None:
    assert get(filled, "pages", "text/csv").headers["content-type"].startswith("text/csv")
    assert get(filled, "pages", "text/csv", format="json").headers["content-type"] == "application/json"
    assert get(filled, "pages", "text/html").headers["content-type"] == "application/json"


@pytest.mark.parametrize("format_", ["json", "csv", "ndjson"])
def test_the_next_page_is_named_in_the_head_in_every_format(filled: Site, format_: str) -> None:
    seen, cursor = 0, None
    while True:
        answer = get(filled, "pages", format=format_, limit="3", **({"cursor": cursor} if cursor else {}))
        rows = answer.json()["rows"] if format_ == "json" else answer.text.splitlines()
        seen += len(rows) - (format_ == "csv")
        cursor = answer.headers.get("clickmeter-next-cursor")
        if format_ == "json":
            assert answer.json()["meta"]["next_cursor"] == cursor
        if cursor is None:
            break
    assert seen == len(PATHS)


def test_the_schema_says_what_may_be_asked(site: Site) -> None:
    url = f"{site.service.url}/v1/properties/{site.id}/schema"
    body = httpx.get(url, headers={"Authorization": f"Bearer {site.read_key}"}, verify=CERTIFICATES).json()
    assert body["property"] == {"id": site.id, "name": "Test", "timezone": "UTC"}
    with site.reports() as reports:
        for metric in body["metrics"]:
            reports.metrics(metrics=[metric["name"]])
        for dimension in body["dimensions"]:
            name = dimension["name"].replace("<key>", "plan")
            for operator in body["operators"]:
                value = ":x" if operator["takes_value"] else ""
                reports.metrics(filters=[f"{name}:{operator['name']}{value}"], period="today")


def test_the_client_walks_through_pages_of_text(filled: Site) -> None:
    with filled.reports() as reports:
        asked: dict[str, Any] = {"from_": DAY, "to": DAY, "limit": 2}
        pages = list(reports.every_text_page("pages", "ndjson", **asked))
        assert len(pages) == (len(PATHS) + 1) // 2
        rows = [json.loads(line) for page in pages for line in page.text.splitlines()]
        assert rows == reports.raw("pages", from_=DAY, to=DAY)["rows"]
        first = reports.text_page("pages", "csv", **asked)
        second = reports.text_page("pages", "csv", **asked, cursor=first.next_cursor)
        assert reports.text("pages", "csv", from_=DAY, to=DAY, limit=4) == first.text + second.text.partition("\r\n")[2]
