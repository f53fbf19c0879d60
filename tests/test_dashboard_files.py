"""Are the dashboard's files served so that a browser loads little, keeps what it may keep, and lets nothing else in?"""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import httpx
import pytest

from clickmeter.web.dashboard import FOLDER
from service import Service, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST_LOAD_BYTES = 40 * 1024
CHART_BYTES = 10 * 1024
PATHS = ("/", "/clickmeter-chart.js", *(f"/assets/{path.name}" for path in sorted((FOLDER / "assets").iterdir())))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    running = Service(sqlite_url(tmp_path_factory.mktemp("files")))
    running.start()
    with httpx.Client(base_url=running.url) as connected:
        yield connected
    running.stop()


def test_the_page_lets_nothing_in_and_is_asked_for_every_time(client: httpx.Client) -> None:
    answer = client.get("/")
    policy = dict(one.strip().partition(" ")[::2] for one in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "access-control-allow-origin" not in answer.headers


def test_the_page_names_every_asset_and_nothing_inline(client: httpx.Client) -> None:
    page = client.get("/").text
    assert set(re.findall(r'(?:src|href)="(/[^"]+)"', page)) == {path for path in PATHS if path.startswith("/assets/")}
    assert not re.search(r"<style|style=|<script(?![^>]*src=)| on\w+=", page)


def test_the_page_knows_where_the_tracker_is(client: httpx.Client, tmp_path: Path) -> None:
    assert '<meta name="clickmeter-tracker" content="/clickmeter.js">' in client.get("/").text
    running = Service(sqlite_url(tmp_path), CLICKMETER_TRACKER_PATH="/stats.js")
    running.start()
    page = httpx.get(running.url, headers={"Accept-Encoding": "identity"}).text
    running.stop()
    assert '<meta name="clickmeter-tracker" content="/stats.js">' in page
    assert "clickmeter.js" not in page


def test_assets_may_be_kept_for_ever(client: httpx.Client) -> None:
    for path in PATHS[2:]:
        assert re.fullmatch(r"/assets/app-[0-9A-Z]{8}\.(js|css)", path)
        assert client.get(path).headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("path", PATHS)
def test_a_file_is_itself_whatever_form_is_asked_for(client: httpx.Client, path: str) -> None:
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    zipped = client.get(path, headers={"Accept-Encoding": "br, gzip"})
    assert plain.content == zipped.content == (FOLDER / (path[1:] or "index.html")).read_bytes()
    assert zipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert plain.headers["etag"] != zipped.headers["etag"]
    assert plain.headers["x-content-type-options"] == "nosniff"
    head = client.head(path, headers={"Accept-Encoding": "identity"})
    assert not head.content
    assert head.headers["content-length"] == str(len(plain.content))
    for answer in (plain, zipped):
        known = {"If-None-Match": answer.headers["etag"], "Accept-Encoding": answer.request.headers["accept-encoding"]}
        again = client.get(path, headers=known)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == answer.headers["etag"]
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_pages_of_every_origin_may_load_the_chart_and_no_asset(client: httpx.Client) -> None:
    chart = client.get("/clickmeter-chart.js", headers={"Origin": "https://customer.example"})
    assert chart.headers["access-control-allow-origin"] == "*"
    assert chart.headers["cross-origin-resource-policy"] == "cross-origin"
    for path in (path for path in PATHS if path != "/clickmeter-chart.js"):
        headers = client.get(path, headers={"Origin": "https://customer.example"}).headers
        assert "access-control-allow-origin" not in headers
        assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/index.html", "/assets/", "/assets/app.js", "/assets/../index.html", "/dashboard"])
def test_what_is_not_there_is_still_a_problem_document(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_files_are_only_read(client: httpx.Client) -> None:
    answer = client.post("/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_browser_loads_little() -> None:
    def size(path: str) -> int:
        return len(gzip.compress((FOLDER / (path[1:] or "index.html")).read_bytes(), 9))

    assert sum(size(path) for path in PATHS if path != "/clickmeter-chart.js") <= FIRST_LOAD_BYTES
    assert size("/clickmeter-chart.js") <= CHART_BYTES
