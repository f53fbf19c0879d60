"""Whose pages may write, by every way a browser has of sending, and can an allowed page read the answer?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pages import document, until
from service import Service, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Frame, Page

    from pages import Sites
    from service import Site

WAYS = {
    "fetch": "(url, body) => fetch(url, {method: 'POST', body, credentials: 'omit'}).catch(() => 0)",
    "fetch JSON": """(url, body) =>
        fetch(url, {method: 'POST', body, headers: {'Content-Type': 'application/json'}}).catch(() => 0)""",
    "keepalive": "(url, body) => fetch(url, {method: 'POST', body, keepalive: true}).catch(() => 0)",
    "no-cors": "(url, body) => fetch(url, {method: 'POST', body, mode: 'no-cors'}).catch(() => 0)",
    "beacon": "(url, body) => navigator.sendBeacon(url, body)",
    "beacon JSON": "(url, body) => navigator.sendBeacon(url, new Blob([body], {type: 'application/json'}))",
    "image": """(url, body) => new Promise((done) => {
        const image = new Image();
        image.onload = image.onerror = done;
        image.src = url + '?body=' + encodeURIComponent(body);
    })""",
}
STORING = [way for way in WAYS if way != "image"]
"""An image asks with GET, which stores nothing anywhere."""
SEND = "async ([way, url, body]) => {{ await ({{{ways}}})[way](url, body); }}"
REFUSED = "code=origin_not_allowed"


def send(frame: Frame, site: Site, way: str, event_id: str) -> None:
    """Send one event from the page that is open, in one of the ways."""
    ways = ", ".join(f"{json.dumps(name)}: {function}" for name, function in WAYS.items())
    body = json.dumps({"property_id": site.id, "key": site.write_key, "events": [{"type": "x", "event_id": event_id}]})
    frame.evaluate(SEND.format(ways=ways), [way, f"{site.service.url}/v1/events", body])


def origins(sites: Sites) -> dict[str, str]:
    """A page of each kind of origin, by name; that of null is in a sandbox there."""
    return {
        "listed": sites.origin("shop.localhost"),
        "listed by its sub-domain": sites.origin("a.b.many.localhost"),
        "not listed": sites.origin("other.localhost"),
        "another port": sites.origin("shop.localhost", port=1),
        "a sub-domain": sites.origin("www.shop.localhost"),
        "the domain of the sub-domains": sites.origin("many.localhost"),
        "begins alike": sites.origin("shop.localhost.evil.localhost"),
        "null": sites.origin(),
    }


def send_from_everywhere(page: Page, sites: Sites, site: Site) -> None:
    sites.pages["/sandbox"] = document(body='<iframe src="/" sandbox="allow-scripts"></iframe>')
    for name, origin in origins(sites).items():
        page.goto(origin + ("/sandbox" if name == "null" else "/"))
        for way in WAYS:
            send(page.frames[-1], site, way, f"{name}, {way}")


def ids(site: Site) -> set[str]:
    return {row["event_id"] for row in site.stored()}


def test_what_is_stored_is_what_the_listed_origins_sent(
    page: Page, sites: Sites, collector: Service, null_is_listed: bool
) -> None:
    listed = [sites.origin("shop.localhost"), sites.origin("*.many.localhost"), *(["null"] if null_is_listed else [])]
    site = collector.new_site(allowed_origins=listed)
    refused_before = sum(REFUSED in line for line in collector.log)
    send_from_everywhere(page, sites, site)
    allowed = ["listed", "listed by its sub-domain", *(["null"] if null_is_listed else [])]
    expected = {f"{name}, {way}" for name in allowed for way in STORING}
    refusals = (len(origins(sites)) - len(allowed)) * len(STORING)
    until(lambda: ids(site) >= expected)
    until(lambda: sum(REFUSED in line for line in collector.log) == refused_before + refusals)
    assert ids(site) == expected


@pytest.fixture(params=[False, True], ids=["null is not listed", "null is listed"])
def null_is_listed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_without_a_list_every_origin_is_stored(page: Page, sites: Sites, shop: Site) -> None:
    """The control: each of these pages does reach the server in each of these ways."""
    send_from_everywhere(page, sites, shop)
    everything = {f"{name}, {way}" for name in origins(sites) for way in STORING}
    until(lambda: ids(shop) >= everything)
    assert ids(shop) == everything


READ = """async ([url, body, headers]) => {
    try {
        const answer = await fetch(url, {method: "POST", body, headers});
        const {code, accepted} = await answer.json();
        const retryAfter = Number(answer.headers.get("Retry-After"));
        return [answer.status, code ?? accepted, retryAfter > 0, answer.headers.get("X-Request-Id") !== null];
    } catch (error) {
        return error.name;
    }
}"""


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Service]:
    """A server with its rate limits on."""
    running = Service(sqlite_url(tmp_path), CLICKMETER_RATE_LIMIT="on")
    running.start()
    yield running
    running.stop()


def test_an_allowed_page_can_read_every_answer(page: Page, sites: Sites, limited: Service) -> None:
    site = limited.new_site(allowed_origins=[sites.origin()])
    good: dict[str, Any] = {"property_id": site.id, "key": site.write_key, "events": [{"type": "x"}]}

    def answer(body: str, headers: dict[str, str] | None = None) -> Any:
        return page.evaluate(READ, [f"{limited.url}/v1/events", body, headers or {}])

    page.goto(sites.origin())
    assert answer(json.dumps(good)) == [200, 1, False, False]
    assert answer("{") == [400, "malformed_json", False, True]
    assert answer(json.dumps({**good, "key": site.read_key})) == [403, "wrong_key_type", False, True]
    assert answer("x" * (1024 * 1024 + 1)) == [413, "body_too_large", False, True]
    assert answer(json.dumps({**good, "events": [{"type": "x"}] * 1_001})) == [413, "too_many_events", False, True]
    assert answer(json.dumps(good), {"Content-Type": "text/csv"}) == [415, "unsupported_media_type", False, True]
    assert answer(json.dumps({**good, "events": {}})) == [422, "invalid_field", False, True]
    for _ in range(20):
        assert answer(json.dumps({**good, "key": "cm_w_nobody"})) == [401, "invalid_credential", False, True]
    assert answer(json.dumps({**good, "key": "cm_w_nobody"})) == [429, "rate_limited", True, True]
    assert answer(json.dumps(good)) == [200, 1, False, False]


def test_a_page_that_is_not_allowed_can_read_none(page: Page, sites: Sites, collector: Service) -> None:
    site = collector.new_site(allowed_origins=[sites.origin("shop.localhost")])
    body = json.dumps({"property_id": site.id, "key": site.write_key, "events": [{"type": "x"}]})
    page.goto(sites.origin())
    assert page.evaluate(READ, [f"{collector.url}/v1/events", body, {}]) == "TypeError"
    assert site.stored() == []
