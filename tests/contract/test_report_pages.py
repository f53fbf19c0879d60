"""Does a page on another origin read a report with a read token, in a real browser, and with nothing else?"""

from __future__ import annotations

import os
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from jwts import Signer, signer
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from service import Service, Site

FETCH = """async ([url, credential]) => {
  try {
    const answer = await fetch(url, {headers: {Authorization: `Bearer ${credential}`}});
    const body = await answer.json();
    const cursor = answer.headers.get("Clickmeter-Next-Cursor");
    return {status: answer.status, code: body.code, pageviews: body.pageviews, cursor};
  } catch (error) {
    return {failed: error.name};
  }
}"""
UNREADABLE = {"failed": "TypeError"}


class EmptyPage(BaseHTTPRequestHandler):
    """A web site of one empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>A page</title>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """A web site on an origin of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), EmptyPage)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def page(origin: str) -> Iterator[Page]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None and not os.environ.get("CI"):
        pytest.skip("There is no Chromium on the path.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        opened = browser.new_page()
        opened.goto(origin)
        yield opened
        browser.close()


@pytest.fixture(scope="module")
def shop(service: Service) -> Site:
    site = service.new_site()
    with site.sender() as sender:
        sender.post_events({"type": "pageview", "context": {"page": {"path": path}}} for path in ("/a", "/a", "/b"))
    return site


@pytest.fixture(scope="module")
def own(shop: Site) -> Signer:
    return signer(shop)


def fetched(page: Page, site: Site, credential: str, report: str = "overview") -> dict[str, Any]:
    url = f"{site.service.url}/v1/properties/{site.id}/{report}"
    found: dict[str, Any] = page.evaluate(FETCH, [url, credential])
    return found


def test_a_page_reads_with_a_token(page: Page, shop: Site, own: Signer, origin: str) -> None:
    for token in (own.reading(), own.reading(origin=origin)):
        assert fetched(page, shop, token)["pageviews"] == 3
    assert fetched(page, shop, own.reading(filters=["path:is:/a"]))["pageviews"] == 2
    assert fetched(page, shop, own.reading(), "realtime")["pageviews"] == 3
    assert fetched(page, shop, own.reading(), "pages?limit=1&format=json")["cursor"]


def test_a_page_does_not_read_with_a_key_or_elsewhere(page: Page, shop: Site, own: Signer) -> None:
    for credential in (shop.read_key, shop.service.admin_key, own.reading(origin="https://other.example"), "wrong"):
        assert fetched(page, shop, credential) == UNREADABLE


def test_a_page_reads_why_its_token_is_refused(page: Page, shop: Site, own: Signer) -> None:
    assert fetched(page, shop, own.reading(exp=1))["code"] == "token_expired"
    assert fetched(page, shop, own.reading(), "overview?form=x")["code"] == "unknown_parameter"
    assert fetched(page, shop, own.token())["code"] == "wrong_key_type"
