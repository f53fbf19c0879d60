"""What is left on the device, and is a visitor's wish obeyed?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pages import document, snippet, stored

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from pages import Sites
    from service import Site

BLOCKED = """Object.defineProperty(window, "localStorage", {
    get() { throw new DOMException("blocked", "SecurityError"); },
});"""
FULL = """Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
const real = localStorage;
Object.defineProperty(window, "localStorage", {value: new Proxy(real, {
    set() { throw new DOMException("full", "QuotaExceededError"); },
})});"""
SIGNALS = {
    "Global Privacy Control": "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})",
    "Do Not Track": "Object.defineProperty(Navigator.prototype, 'doNotTrack', {get: () => '1'})",
}


def visit(page: Page, sites: Sites, site: Site, attributes: str = "") -> None:
    sites.page = document(snippet(site, attributes))
    page.goto(sites.origin() + "/")
    page.evaluate("clickmeter.track('event')")


def kept(page: Page) -> dict[str, str]:
    found: dict[str, str] = page.evaluate("({...localStorage})")
    return found


def test_ids_are_kept_for_the_next_page_and_nothing_else(
    context: BrowserContext, page: Page, sites: Sites, shop: Site
) -> None:
    visit(page, sites, shop)
    visit(page, sites, shop)
    rows = stored(shop, 4)
    assert len({row["visitor_id"] for row in rows}) == len({row["session_id"] for row in rows}) == 1
    page.wait_for_function("Object.keys(localStorage).length === 1")
    assert set(kept(page)) == {f"clickmeter:{shop.id}"}
    assert context.cookies() == []
    assert context.cookies(shop.service.url) == []


def test_it_makes_one_global(page: Page, sites: Sites, shop: Site) -> None:
    sites.page = document()
    page.goto(sites.origin() + "/")
    before = set(page.evaluate("Object.getOwnPropertyNames(window)"))
    visit(page, sites, shop)
    assert set(page.evaluate("Object.getOwnPropertyNames(window)")) - before == {"clickmeter"}


def test_a_visit_ends_after_half_an_hour(page: Page, sites: Sites, shop: Site) -> None:
    page.clock.install()
    visit(page, sites, shop)
    page.clock.run_for(29 * 60_000)
    page.evaluate("clickmeter.track('same visit')")
    page.clock.run_for(31 * 60_000)
    page.evaluate("clickmeter.track('next visit')")
    page.clock.run_for(1_000)
    rows = stored(shop, 4)
    first, *_, last = [row["session_id"] for row in rows]
    assert [row["session_id"] for row in rows] == [first, first, first, last]
    assert first != last
    assert len({row["visitor_id"] for row in rows}) == 1


def test_without_ids_nothing_is_kept(context: BrowserContext, page: Page, sites: Sites, shop: Site) -> None:
    page.route("**/v1/events", lambda route: route.abort())
    with page.expect_event("requestfailed"):
        visit(page, sites, shop, 'data-identity="none"')
    assert kept(page) == {}
    page.unroute("**/v1/events")
    assert {(row["visitor_id"], row["session_id"]) for row in stored(shop, 2)} == {(None, None)}
    assert kept(page) == {}
    assert context.cookies() == []


@pytest.mark.parametrize("trouble", [BLOCKED, FULL], ids=["blocked", "full"])
def test_a_device_that_keeps_nothing_is_counted(page: Page, sites: Sites, shop: Site, trouble: str) -> None:
    page.add_init_script(trouble)
    visit(page, sites, shop)
    rows = stored(shop, 2)
    assert [row["type"] for row in rows] == ["pageview", "event"]
    assert len({row["visitor_id"] for row in rows} - {None}) == 1


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_signal_is_obeyed_when_the_site_asks_for_it(page: Page, sites: Sites, shop: Site, signal: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    page.add_init_script(SIGNALS[signal])
    page.clock.install()
    visit(page, sites, shop, "data-respect-dnt")
    page.evaluate("clickmeter.consent(true)")
    page.evaluate("clickmeter.track('event')")
    page.clock.run_for(10_000)
    page.goto("about:blank")
    assert "POST" not in asked
    assert shop.stored() == []


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_signal_alone_changes_nothing(page: Page, sites: Sites, shop: Site, signal: str) -> None:
    page.add_init_script(SIGNALS[signal])
    visit(page, sites, shop)
    stored(shop, 2)


def test_nothing_is_sent_or_kept_before_consent(page: Page, sites: Sites, shop: Site) -> None:
    page.clock.install()
    visit(page, sites, shop, 'data-consent="required"')
    page.clock.run_for(10_000)
    assert kept(page) == {}
    page.evaluate("clickmeter.consent(true)")
    page.evaluate("clickmeter.track('with consent')")
    page.clock.run_for(1_000)
    assert [row["type"] for row in stored(shop, 2)] == ["pageview", "with consent"]


def test_consent_is_remembered_and_its_withdrawal_too(page: Page, sites: Sites, shop: Site) -> None:
    visit(page, sites, shop, 'data-consent="required"')
    page.evaluate("clickmeter.consent(true)")
    stored(shop, 1)
    visit(page, sites, shop, 'data-consent="required"')
    stored(shop, 3)
    page.evaluate("clickmeter.track('never sent'); clickmeter.consent(false); clickmeter.track('nor this')")
    assert set(kept(page)) == {f"clickmeter-consent:{shop.id}"}
    visit(page, sites, shop)
    page.evaluate("clickmeter.consent(true)")
    assert [row["type"] for row in stored(shop, 4)] == ["pageview", "pageview", "event", "pageview"]
    assert len({row["visitor_id"] for row in shop.stored()}) == 2, "Whoever comes back is somebody new."
