"""Web sites for a browser's visits: every host name of localhost on two ports, whose pages a test writes."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from service import Site

SECONDS = 8
DOCUMENT = """<!doctype html>
<html lang=en><head><meta charset=utf-8><title>{title}</title>{head}</head><body>{body}</body></html>
"""


class Sites:
    """Serves `pages` by path, else `page`. `asked` are the requests' paths and queries, in order, on every origin."""

    def __init__(self) -> None:
        self.page = document()
        self.pages: dict[str, str] = {}
        self.asked: list[str] = []
        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self)) for _ in range(2)]
        self._threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in self._servers]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()

    def origin(self, host: str = "localhost", *, port: int = 0) -> str:
        """An origin: Chromium finds every name that ends in localhost; `port` is the first (0) or the second (1)."""
        return f"http://{host}:{self._servers[port].server_port}"


def handler_of(sites: Sites) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            sites.asked.append(self.path)
            text = sites.pages.get(path, sites.page).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing."""

    return Handler


def document(head: str = "", body: str = "", *, title: str = "A page") -> str:
    return DOCUMENT.format(title=title, head=head, body=body)


def snippet(site: Site, attributes: str = "", *, script: str = "clickmeter.js") -> str:
    """The tag that the docs tell to paste."""
    return (
        f'<script defer src="{site.service.url}/{script}"'
        f' data-property="{site.id}" data-key="{site.write_key}" {attributes}></script>'
    )


def until(condition: Callable[[], bool], page: Page | None = None) -> None:
    """Wait for a condition. With a `page` its browser's news are heard meanwhile; it must stay open."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "What the test waits for does not happen."
        if page:
            page.wait_for_timeout(20)
        else:
            time.sleep(0.02)


def stored(site: Site, count: int, page: Page | None = None) -> list[dict[str, Any]]:
    """The stored events in order of arrival, once there are `count` of them."""
    until(lambda: len(site.stored()) >= count, page)
    return site.stored()


def paths(site: Site, count: int) -> list[str]:
    """The paths of the stored events, once there are `count` of them."""
    return [row["path"] for row in stored(site, count)]
