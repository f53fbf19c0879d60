"""Who gets in, with what, and what is said to those who do not?"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import httpx
import pytest
from jwts import HOUR, Signer, now, signer
from playwright.sync_api import expect

from dashboards import Dashboard, send, traffic
from service import Service, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from service import Site

STORED = "JSON.stringify([{...sessionStorage}, {...localStorage}])"


@pytest.fixture(scope="module")
def site(collector: Service) -> Site:
    made = collector.new_site(name="Mine")
    send(made, traffic(days=3))
    return made


@pytest.fixture(scope="module")
def signing(site: Site) -> Signer:
    return signer(site)


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server that limits how often a key may ask, and may be stopped."""
    running = Service(sqlite_url(tmp_path_factory.mktemp("limited")), CLICKMETER_RATE_LIMIT="on")
    running.start()
    yield running
    running.stop()


def log_in(page: Page, *, property_id: str | None, key: str, remember: bool = False) -> None:
    if property_id is not None:
        page.get_by_label("Property").fill(property_id)
    page.get_by_label("Read key").fill(key)
    if remember:
        page.get_by_label("Remember on this device").check()
    page.get_by_role("button", name="Open", exact=True).click()


def opened(page: Page, name: str) -> None:
    expect(page.get_by_role("button", name=f"Property: {name}")).to_be_visible()
    expect(page.locator(".tile").first).to_be_visible()


def test_a_key_opens_its_property_until_one_logs_out(page: Page, site: Site) -> None:
    page.goto(f"{site.service.url}/#/{site.id}")
    log_in(page, property_id=None, key=f" {site.read_key}\n")
    opened(page, "Mine")
    assert site.read_key not in page.url
    kept, on_device = page.evaluate("[JSON.stringify(sessionStorage), JSON.stringify(localStorage)]")
    assert site.read_key in kept
    assert site.read_key not in on_device
    page.reload()
    opened(page, "Mine")
    page.get_by_role("button", name="Property: Mine").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Read key")).to_be_visible()
    assert site.read_key not in page.evaluate(STORED)


def test_a_key_is_remembered_on_the_device_only_when_asked(page: Page, site: Site) -> None:
    page.goto(site.service.url)
    log_in(page, property_id=site.id, key=site.read_key, remember=True)
    opened(page, "Mine")
    another = page.context.new_page()
    another.goto(f"{site.service.url}/#/{site.id}")
    opened(another, "Mine")


@pytest.mark.parametrize(
    ("property_id", "key", "said"),
    [
        (None, "cm_r_0123456789ab_nonsense", "This key is not valid"),
        (None, "write", "Read keys begin with cm_r_"),
        ("prop_unknown", "read", "does not open a property called prop_unknown"),
    ],
    ids=["not a key", "a write key", "another property"],
)
def test_a_refusal_says_what_to_do(page: Page, site: Site, property_id: str | None, key: str, said: str) -> None:
    page.goto(f"{site.service.url}/#/{site.id}")
    log_in(page, property_id=property_id, key={"write": site.write_key, "read": site.read_key}.get(key, key))
    expect(page.get_by_role("alert")).to_contain_text(said)


def test_an_admin_key_opens_every_property_and_stays_in_the_tab(page: Page, site: Site) -> None:
    other = site.service.new_site(name="Another one")
    page.goto(site.service.url)
    log_in(page, property_id=site.id, key=site.service.admin_key)
    opened(page, "Mine")
    page.get_by_role("button", name="Property: Mine").click()
    page.get_by_role("button", name=f"Another one {other.id}").click()
    expect(page.get_by_role("button", name="Property: Another one")).to_be_visible()
    assert site.service.admin_key not in page.evaluate("JSON.stringify(localStorage)")


def test_a_share_link_opens_what_its_filters_let_through_and_nothing_else(
    page: Page, site: Site, signing: Signer
) -> None:
    token = signing.reading(filters=["path:is:/pricing"])
    page.goto(f"{site.service.url}/#/share/{token}?period=90d")
    shared = Dashboard(page, site)
    assert shared.rows("pages") == ["/pricing"]
    expected = shared.report("overview", period="90d", filter="path:is:/pricing")
    assert shared.headline()["Pageviews"] == str(expected["pageviews"])
    shared.choose("button", "newsletter")
    shared.settle()
    assert "filter=source:is:newsletter" in shared.fragment
    assert token in page.url
    expect(page.get_by_role("button", name="Property: Mine")).to_have_count(0)
    assert token not in page.evaluate(STORED)


@pytest.mark.parametrize(
    ("expired", "said"), [(True, "This share link has ended"), (False, "may not read")], ids=["expired", "it writes"]
)
def test_a_share_link_that_opens_nothing_says_so(
    page: Page, site: Site, signing: Signer, *, expired: bool, said: str
) -> None:
    token = signing.reading(exp=now() - HOUR) if expired else signing.token()
    page.goto(f"{site.service.url}/#/share/{token}")
    expect(page.get_by_role("alert").first).to_contain_text(said)


def test_half_a_share_link_says_so(page: Page, site: Site, signing: Signer) -> None:
    page.goto(f"{site.service.url}/#/share/{signing.reading()[:60]}")
    expect(page.get_by_role("alert")).to_contain_text("not complete")


def test_a_key_that_is_revoked_while_one_looks(page: Page, site: Site) -> None:
    with site.service.admin() as admin:
        made = admin.create_key(site.id, type_="read")
        page.goto(f"{site.service.url}/#/{site.id}")
        log_in(page, property_id=None, key=made.key)
        opened(page, "Mine")
        admin.revoke_key(site.id, made.id)
    page.wait_for_timeout(5_100)  # a revocation is effective everywhere within five seconds
    page.reload()
    expect(page.get_by_role("heading", name="The key is not valid any more")).to_be_visible()
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_label("Read key")).to_be_visible()


def test_a_view_that_cannot_be_asked_says_why_and_leads_back(page: Page, site: Site) -> None:
    dashboard = Dashboard(page, site).open(period="31d")
    expect(page.get_by_role("alert")).to_contain_text("31d")
    dashboard.choose("button", "Show the last 30 days")
    opened(page, "Mine")


def test_a_server_that_is_away_and_comes_back(page: Page, limited: Service) -> None:
    site = limited.new_site(name="Away")
    send(site, traffic(days=2))
    dashboard = Dashboard(page, site).open().settle()
    limited.stop()
    dashboard.choose("button", "Range: Last 30 days")
    dashboard.choose("button", "Last 7 days")
    expect(page.get_by_role("heading", name="No answer")).to_be_visible()
    limited.start()
    dashboard.choose("button", "Try again")
    opened(page, "Away")


def test_too_many_questions_are_asked_again_when_the_server_says(page: Page, limited: Service) -> None:
    site = limited.new_site(name="Asked")
    send(site, traffic(days=2))
    refused, stop = threading.Event(), threading.Event()
    asking = threading.Thread(target=ask_on_and_on, args=(site, refused, stop))
    asking.start()
    try:
        assert refused.wait(30)
        Dashboard(page, site).open()
        expect(page.get_by_text("It is asked again in").first).to_be_visible()
    finally:
        stop.set()
        asking.join()
    expect(page.get_by_role("alert")).to_have_count(0, timeout=10_000)
    opened(page, "Asked")


def ask_on_and_on(site: Site, refused: threading.Event, stop: threading.Event) -> None:
    """Ask more than the key may, until told to stop."""
    with httpx.Client(headers={"Authorization": f"Bearer {site.read_key}"}) as client:
        while not stop.is_set():
            if client.get(f"{site.service.url}/v1/properties/{site.id}/schema").status_code == 429:
                refused.set()
