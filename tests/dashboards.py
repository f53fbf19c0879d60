"""The dashboard in a browser, as the owner of a property uses it, and traffic worth looking at."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import httpx
from playwright.sync_api import expect

from service import CERTIFICATES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

    from service import Site

DAYS = 20
PAGES = ("/", "/pricing", "/blog/a-long-way", "/docs?x".partition("?")[0], "/about")
REFERRERS = ("https://www.google.com/", "https://news.ycombinator.com/item?id=1", None)
MANY = 120
"""So many pages are needed to fill more than two pages of a list."""
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


def traffic(*, days: int = DAYS) -> Iterator[dict[str, Any]]:
    """Some visits on each of the last days, at noon UTC and at 23:30 UTC, and one of many pages yesterday."""
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    for back in range(1, days + 1):
        for number in range(2 + back % 4):
            yield from visit(today - timedelta(days=back), number, back)
        yield pageview(today - timedelta(days=back) + timedelta(hours=11.5), f"late{back}", "/late")
    for number in range(MANY):
        yield pageview(today - timedelta(days=1), "reader", f"/archive/{number:03}")


def visit(start: datetime, number: int, day: int) -> Iterator[dict[str, Any]]:
    who = f"v{number}-{day % 5}"
    first = pageview(start + timedelta(minutes=number), who, PAGES[(number + day) % len(PAGES)])
    first["context"]["page"]["referrer"] = REFERRERS[number % len(REFERRERS)]
    if number % 2:
        first["context"]["campaign"] = {"utm": {"source": "newsletter", "medium": "email", "campaign": "winter"}}
    yield first
    if number % 3:
        yield pageview(start + timedelta(minutes=number + 2), who, "/pricing")
        yield {**pageview(start + timedelta(minutes=number + 3), who, "/pricing"), "type": "signup"}


def pageview(at: datetime, who: str, path: str) -> dict[str, Any]:
    page = {"url": f"https://site.example{path}", "path": path, "title": f"Title of {path}"}
    return {
        "type": "pageview",
        "ts": at.isoformat(),
        "identity": {"visitor_id": who, "session_id": f"{who} {at.date()}"},
        "context": {"page": page, "user_agent": FIREFOX, "language": "de"},
    }


def send(site: Site, events: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> None:
    with site.sender() as sender:
        sender.post_events(events)


def keys_of(site: Site) -> str:
    """The script that logs in before the page's own runs."""
    kept = json.dumps({"read": {site.id: site.read_key}, "admin": ""})
    return f"sessionStorage.setItem('clickmeter.keys', {json.dumps(kept)})"


class Dashboard:
    """One property's dashboard, opened with its key or by a link."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.site = site

    def open(self, fragment: str | None = None, **view: str) -> Dashboard:
        """Log in and open a view; its parameters are those of the fragment."""
        self.page.add_init_script(keys_of(self.site))
        query = f"?{urlencode(view)}" if view else ""
        self.page.goto(f"{self.site.service.url}/#/{fragment or quote(self.site.id)}{query}")
        return self

    def settle(self) -> Dashboard:
        """Wait until everything that was asked is answered."""
        expect(self.page.locator("main")).to_be_visible()
        self.page.evaluate("new Promise(requestAnimationFrame)")
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)
        return self

    @property
    def fragment(self) -> str:
        return self.page.evaluate("decodeURIComponent(location.hash)")  # type: ignore[no-any-return]  # playwright's Any

    def panel(self, name: str) -> Locator:
        return self.page.locator(f"[data-panel={name}]")

    def rows(self, name: str) -> list[str]:
        """What a list's rows are called, as shown."""
        self.settle()
        return self.panel(name).locator("tbody th").all_inner_texts()

    def headline(self) -> dict[str, str]:
        """The headline numbers, exactly, by their names."""
        self.settle()
        tiles = self.page.locator(".tile").all()
        return {tile.locator(".what").inner_text(): tile.get_attribute("title") or "" for tile in tiles}

    def choose(self, role: Any, name: str) -> None:
        self.page.get_by_role(role, name=name, exact=True).click()

    def report(self, endpoint: str, **query: Any) -> dict[str, Any]:
        """What the API answers, with the same key."""
        answer = httpx.get(
            f"{self.site.service.url}/v1/properties/{self.site.id}/{endpoint}",
            params=query,
            headers={"Authorization": f"Bearer {self.site.read_key}"},
            verify=CERTIFICATES,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]  # any JSON


def day(back: int) -> str:
    """The date so many days ago, UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - back * 86_400))
