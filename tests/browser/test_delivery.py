"""Does every event arrive exactly once, when pages end, networks fail, answers are lost and tabs share a queue?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pages import document, snippet, stored, until

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Route

    from pages import Sites
    from service import Service, Site

EVENTS = "**/v1/events"
TRACK = "(type) => clickmeter.track(type)"
WAITING = "Object.keys(localStorage).filter((key) => key.split(':').length === 3).length"
"""How many events are kept on the device."""


def types(site: Site, count: int, page: Page | None = None) -> list[str]:
    return sorted(row["type"] for row in stored(site, count, page))


def settled(page: Page) -> None:
    """Wait until nothing is kept on the device any more: the server has answered for all of it."""
    page.wait_for_function(f"{WAITING} === 0")


def open_page(page: Page, sites: Sites, site: Site, attributes: str = "") -> None:
    """Open a page and wait until its view has been answered for."""
    sites.page = document(snippet(site, attributes))
    with page.expect_response(EVENTS):
        page.goto(sites.origin() + "/")


def test_what_was_tracked_as_the_page_went_away_arrives(page: Page, sites: Sites, shop: Site) -> None:
    open_page(page, sites, shop)
    page.evaluate("clickmeter.track('click'); location.href = 'about:blank'")
    assert types(shop, 2) == ["click", "pageview"]


def test_what_was_tracked_as_the_tab_was_closed_arrives(page: Page, sites: Sites, shop: Site) -> None:
    open_page(page, sites, shop)
    page.evaluate(TRACK, "click")
    page.close(run_before_unload=True)
    assert types(shop, 2) == ["click", "pageview"]


def test_without_ids_it_arrives_as_the_page_goes_away(page: Page, sites: Sites, shop: Site) -> None:
    """Nothing is kept on the device then, so no later page could send it."""
    open_page(page, sites, shop, 'data-identity="none"')
    page.evaluate("clickmeter.track('click'); location.href = 'about:blank'")
    assert types(shop, 2) == ["click", "pageview"]


OLD_BROWSER = """
delete Request.prototype.keepalive;
const send = navigator.sendBeacon;
navigator.sendBeacon = function (url, body) {
    localStorage.beacon = typeof body;
    return send.call(this, url, body);
};
"""


def test_without_keepalive_a_beacon_carries_it(context: BrowserContext, page: Page, sites: Sites, shop: Site) -> None:
    page.add_init_script(OLD_BROWSER)
    open_page(page, sites, shop, 'data-identity="none"')
    assert page.evaluate("localStorage.beacon") is None
    sites.page = document()
    page.evaluate("clickmeter.track('click'); location.href = '/elsewhere'")
    assert types(shop, 2) == ["click", "pageview"]
    page.wait_for_url("**/elsewhere")
    assert page.evaluate("localStorage.beacon") == "string"


def test_offline_then_online_everything_arrives_once(
    context: BrowserContext, page: Page, sites: Sites, shop: Site
) -> None:
    open_page(page, sites, shop)
    context.set_offline(True)
    with page.expect_event("requestfailed"):
        page.evaluate(TRACK, "first")
    page.evaluate(TRACK, "second")
    made = page.evaluate(WAITING)
    context.set_offline(False)
    rows = stored(shop, 3)
    settled(page)
    assert made >= 1
    assert [row["type"] for row in shop.stored()] == ["pageview", "first", "second"]
    assert all(row["ts"] < row["received_at"] for row in rows)


def test_a_lost_answer_is_asked_for_with_the_same_ids(page: Page, sites: Sites, shop: Site) -> None:
    """The server has stored the events, the page has not heard it."""
    bodies: list[dict[str, Any]] = []

    def lose_the_first(route: Route) -> None:
        bodies.append(json.loads(route.request.post_data or ""))
        if len(bodies) == 1:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route(EVENTS, lose_the_first)
    sites.page = document(snippet(shop))
    page.goto(sites.origin() + "/")
    until(lambda: len(bodies) >= 2, page)
    settled(page)
    assert bodies[0] == bodies[1]
    assert [row["event_id"] for row in shop.stored()] == [bodies[0]["events"][0]["event_id"]]


def test_the_next_page_sends_what_the_last_one_could_not(
    context: BrowserContext, page: Page, sites: Sites, shop: Site
) -> None:
    open_page(page, sites, shop)
    page.route(EVENTS, lambda route: route.abort())
    with page.expect_event("requestfailed"):
        page.evaluate(TRACK, "while unreachable")
    page.close()
    other = context.new_page()
    open_page(other, sites, shop)
    settled(other)
    assert types(shop, 3) == ["pageview", "pageview", "while unreachable"]


def test_two_tabs_lose_nothing_and_send_nothing_twice(
    context: BrowserContext, page: Page, sites: Sites, shop: Site
) -> None:
    """Both keep events while the server cannot be reached; the third tab has all of them, and so have they."""
    open_page(page, sites, shop)
    second = context.new_page()
    open_page(second, sites, shop)
    context.set_offline(True)
    for tab, type_ in ((page, "from the first"), (second, "from the second")):
        with tab.expect_event("requestfailed"):
            tab.evaluate(TRACK, type_)
    context.set_offline(False)
    third = context.new_page()
    open_page(third, sites, shop)
    for tab in (page, second, third):
        settled(tab)
        tab.evaluate(TRACK, "after")
    assert types(shop, 8) == sorted(["pageview"] * 3 + ["from the first", "from the second"] + ["after"] * 3)
    for tab in (page, second, third):
        settled(tab)
    assert len(shop.stored()) == 8


def test_it_gives_up_with_one_warning_where_the_origin_is_not_allowed(
    page: Page, sites: Sites, collector: Service
) -> None:
    site = collector.new_site(allowed_origins=[sites.origin("shop.localhost")])
    warnings: list[ConsoleMessage] = []
    tries: list[str] = []
    page.on("console", lambda message: warnings.append(message) if message.type == "warning" else None)
    page.on("requestfailed", lambda request: tries.append(request.url))
    page.clock.install()
    sites.page = document(snippet(site))
    page.goto(sites.origin() + "/")

    def has_given_up() -> bool:
        page.clock.run_for(20_000)
        return bool(warnings)

    until(has_given_up, page)
    page.evaluate(TRACK, "later")
    page.clock.run_for(3_600_000)
    assert tries == [f"{collector.url}/v1/events"] * 5
    [warning] = [message.text for message in warnings]
    assert "allowed_origins" in warning
    assert sites.origin() in warning
    assert collector.url in warning
    assert site.stored() == []
    assert page.evaluate(WAITING) == 2, "The events are kept for a visit after the origin is allowed."


def test_many_events_are_sent_in_batches(page: Page, sites: Sites, shop: Site) -> None:
    sizes: list[int] = []
    page.on("request", lambda request: sizes.append(len(request.post_data or "")) if request.method == "POST" else None)
    open_page(page, sites, shop)
    page.evaluate("for (let n = 0; n < 120; n++) clickmeter.track('many', {text: 'x'.repeat(1000)})")
    assert types(shop, 121, page) == ["many"] * 120 + ["pageview"]
    # What is stored may be known here before the browser has told of its request.
    until(lambda: len(sizes) >= 1 + 4, page)
    assert max(sizes) <= 50 * 1024
    assert len(sizes) == 1 + 4


def test_what_the_server_refuses_is_said_once_and_not_sent_again(page: Page, sites: Sites, shop: Site) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "warning" else None)
    open_page(page, sites, shop)
    page.evaluate("clickmeter.track('large', {text: 'x'.repeat(17_000)})")
    until(lambda: bool(said), page)
    page.evaluate(TRACK, "small")
    assert types(shop, 2) == ["pageview", "small"]
    assert len(said) == 1
    assert "data_too_large" in said[0]
