"""Does any parameter of a report give a fault, a wrong number, or an answer nobody understands?"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from hostile import Wire, assert_problem, batch
from hostile_events import event
from hostile_parameters import ALL, NO_PATHS, RANGE, Asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service import Service, Site


@pytest.fixture(scope="module")
def wire(service: Service) -> Iterator[Wire]:
    with Wire(service) as connected:
        yield connected


PATHS = ["=1+1", "+2", "-3", "@x", '/a"b', "/a,b", "/a_b", "/axb", "/a%b", "/a\\b", "/' OR 1=1--", "/*", "/A", "/a"]


@pytest.fixture(scope="module")
def filled(service: Service, wire: Wire) -> Site:
    """One pageview for each of PATHS, on 2026-01-24."""
    site = service.new_site()
    views = [event(ts="2026-01-24T12:00:00Z", context={"page": {"path": path}}) for path in PATHS]
    assert wire.post(site, batch(site.id, *views)).json()["accepted"] == len(PATHS)
    return site


def test_there_are_many_cases_and_none_twice() -> None:
    assert len(ALL) == len({(case.endpoint, case.query) for case in ALL})
    assert len(ALL) >= 250


@pytest.mark.spared
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_a_query(wire: Wire, filled: Site, case: Asked) -> None:
    answer = wire.get(f"/v1/properties/{filled.id}/{case.endpoint}?{case.query}", filled.read_key)
    if case.code:
        assert_problem(answer, 422, case.code, parameter=case.parameter)
    else:
        assert answer.status_code == 200, answer.text
        assert answer.json()["property_id"] == filled.id


def test_reports_are_as_before_after_all_of_it(wire: Wire, filled: Site) -> None:
    for case in ALL:
        answer = wire.get(f"/v1/properties/{filled.id}/{case.endpoint}?{case.query}", filled.read_key)
        assert answer.status_code == (422 if case.code else 200), (case.id, answer.text)
    answer = wire.get(f"/v1/properties/{filled.id}/overview?{RANGE}", filled.read_key).json()
    assert (answer["pageviews"], answer["unique_visitors"]) == (len(PATHS), 0)


@pytest.mark.parametrize("path", PATHS)
def test_a_filter_means_what_it_says(wire: Wire, filled: Site, path: str) -> None:
    """No wildcard, quote or escape in a value is anything but itself."""
    with filled.reports() as reports:
        table = reports.pages(from_="2026-01-24", to="2026-01-24", filters=[f"path:is:{path}"])
    assert [(row.dimensions["path"], row.metrics["pageviews"]) for row in table.rows] == [(path, 1)]


def test_csv_is_no_spreadsheet_program(wire: Wire, filled: Site) -> None:
    answer = wire.get(f"/v1/properties/{filled.id}/pages?{RANGE}&format=csv&order_by=path", filled.read_key)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    header, *lines = csv.reader(io.StringIO(answer.text, newline=""))
    assert header == ["path", "pageviews", "unique_visitors"]
    guarded = [f"'{path}" if path[0] in "=+-@" else path for path in sorted(PATHS)]
    assert [line[0] for line in lines] == guarded
    assert answer.text.count("\r\n") == len(PATHS) + 1


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/xml", "application/json"),
        ("*/*;q=0", "application/json"),
        ("x" * 10_000, "application/json"),
        (";;;,,,", "application/json"),
        ("text/csv;q=nan", "text/csv; charset=utf-8"),
        ("text/csv;q=0.1, application/json;q=0.2", "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
    ],
    ids=["xml", "nothing", "10-kB", "signs", "nan", "weights", "ndjson"],
)
def test_accept_never_refuses(wire: Wire, filled: Site, accept: str, content_type: str) -> None:
    path = f"/v1/properties/{filled.id}/overview?{RANGE}"
    answer = wire.get(path, filled.read_key, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)


def test_a_cursor_fits_only_the_query_it_was_made_for(wire: Wire, service: Service, filled: Site) -> None:
    base = f"/v1/properties/{filled.id}"
    cursor = wire.get(f"{base}/pages?{RANGE}&limit=2", filled.read_key).json()["meta"]["next_cursor"]
    assert wire.get(f"{base}/pages?{RANGE}&limit=5&cursor={cursor}", filled.read_key).status_code == 200
    other = service.new_site()
    flipped = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    asked = [
        (f"{base}/pages?{RANGE}&cursor={flipped}", filled.read_key),
        (f"{base}/pages?{RANGE}&cursor={cursor[:-1]}", filled.read_key),
        (f"{base}/pages?{RANGE}&cursor={cursor}A", filled.read_key),
        (f"{base}/pages?{RANGE}&cursor={cursor}&order_by=path", filled.read_key),
        (f"{base}/pages?{RANGE}&cursor={cursor}&filter=path:is:/a", filled.read_key),
        (f"{base}/pages?{RANGE}&cursor={cursor}&include_bots=true", filled.read_key),
        (f"{base}/pages?{RANGE}&cursor={cursor}&timezone=Asia/Tokyo", filled.read_key),
        (f"{base}/pages?from=2026-01-01&to=2026-01-30&cursor={cursor}", filled.read_key),
        (f"{base}/campaigns?{RANGE}&cursor={cursor}", filled.read_key),
        (f"/v1/properties/{other.id}/pages?{RANGE}&cursor={cursor}", other.read_key),
    ]
    for path, key in asked:
        assert_problem(wire.get(path, key), 422, "invalid_cursor", parameter="cursor")


@pytest.mark.spared
@pytest.mark.parametrize("path", NO_PATHS)
def test_a_path_that_is_none(wire: Wire, filled: Site, path: str) -> None:
    for method in ("GET", "POST"):
        answer = wire.http.request(method, wire.service.url + path, headers={"Authorization": "Bearer x"})
        assert answer.status_code in (401, 404, 405), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    answer = wire.get(wire.service.url + path, filled.read_key, headers={"X-Original-URL": "/healthz"})
    assert answer.status_code in (404, 405), answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_reports_are_only_got(wire: Wire, filled: Site, method: str) -> None:
    headers = {"Authorization": f"Bearer {filled.read_key}", "X-HTTP-Method-Override": "GET"}
    answer = wire.http.request(method, f"/v1/properties/{filled.id}/overview", headers=headers)
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, OPTIONS"
