"""Is the tracker's script served so that browsers and proxies keep it, check it, and never keep an old one too long?"""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

import httpx
import pytest

from clickmeter.config import ConfigError, load
from clickmeter.web import tracker
from service import Service, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VARIANTS = {"clickmeter.js": "", "clickmeter.core.js": ".core"}
PLAIN = {"Accept-Encoding": "identity"}
HOUR, EVER = "public, max-age=3600", "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, headers=PLAIN) as connected:
        yield connected


def built(name: str) -> bytes:
    return (tracker.FILES / name).read_bytes()


@pytest.mark.parametrize("name", VARIANTS)
def test_any_page_may_load_and_check_it(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/{name}", headers={"Origin": "https://shop.example"})
    assert answer.status_code == 200
    assert answer.content == built(name)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == HOUR
    assert answer.headers["vary"] == "Accept-Encoding"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("name", VARIANTS)
def test_its_version_is_kept_for_ever(client: httpx.Client, name: str) -> None:
    version = hashlib.sha256(built(name)).hexdigest()[:16]
    location = client.get(f"/{name}").headers["content-location"]
    assert location == f"{name.removesuffix('.js')}-{version}.js"
    answer = client.get(f"/{location}")
    assert answer.content == built(name)
    assert answer.headers["cache-control"] == EVER


@pytest.mark.parametrize("name", VARIANTS)
def test_an_unknown_version_is_answered_with_the_current_one_for_an_hour(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/{name.removesuffix('.js')}-0123456789abcdef.js")
    assert answer.content == built(name)
    assert answer.headers["cache-control"] == HOUR


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_browser_that_has_it_is_told_so(client: httpx.Client, encoding: str) -> None:
    first = client.get("/clickmeter.js", headers={"Accept-Encoding": encoding})
    etag = first.headers["etag"]
    for tags in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = client.get("/clickmeter.js", headers={"Accept-Encoding": encoding, "If-None-Match": tags})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        assert again.headers["cache-control"] == HOUR
        assert again.headers["access-control-allow-origin"] == "*"
    assert client.get("/clickmeter.js", headers={"If-None-Match": '"other"'}).status_code == 200


def test_it_is_compressed_for_those_who_ask(client: httpx.Client) -> None:
    def sent(accepted: str) -> tuple[str | None, bytes]:
        with client.stream("GET", "/clickmeter.js", headers={"Accept-Encoding": accepted}) as answer:
            return answer.headers.get("content-encoding"), b"".join(answer.iter_raw())

    script = built("clickmeter.js")
    for accepted in ("gzip, deflate, br, zstd", "br;q=1.0, gzip;q=0.2", "GZIP"):
        encoding, content = sent(accepted)
        assert encoding == "gzip"
        assert gzip.decompress(content) == script
    for accepted in ("", "br", "gzip;q=0", "gzip; q=0.000", "x-gzip2"):
        assert sent(accepted) == (None, script)


def test_each_encoding_has_a_tag_of_its_own(client: httpx.Client) -> None:
    tags = {client.get("/clickmeter.js", headers={"Accept-Encoding": name}).headers["etag"] for name in ("gzip", "br")}
    assert len(tags) == 2


def test_head_has_the_headers_of_get(client: httpx.Client) -> None:
    got, asked = client.get("/clickmeter.js"), client.head("/clickmeter.js")
    assert asked.content == b""
    same = ("etag", "content-length", "content-type", "cache-control")
    assert [asked.headers[name] for name in same] == [got.headers[name] for name in same]


def test_other_methods_are_refused(client: httpx.Client) -> None:
    answer = client.post("/clickmeter.js", content=b"x")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_the_path_is_a_setting(tmp_path: Path) -> None:
    service = Service(sqlite_url(tmp_path), CLICKMETER_TRACKER_PATH="/stats.js")
    service.start()
    try:
        with httpx.Client(base_url=service.url, headers=PLAIN) as client:
            assert client.get("/stats.js").content == built("clickmeter.js")
            assert client.get("/stats.core.js").content == built("clickmeter.core.js")
            location = client.get("/stats.js").headers["content-location"]
            assert client.get(f"/{location}").headers["cache-control"] == EVER
            assert client.get("/clickmeter.js").status_code == 404
    finally:
        service.stop()


@pytest.mark.parametrize(
    "path", ["", "stats.js", "/stats", "/a/b.js", "/{version}.js", "/.js", "/ä.js", "/a.js?x", "/a.js\n"]
)
def test_a_path_that_cannot_be_served_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="CLICKMETER_TRACKER_PATH"):
        load({"CLICKMETER_TRACKER_PATH": path})
