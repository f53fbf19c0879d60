"""Does a chart in a customer's page show what its token may read, and say what is wrong when it may not?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jwts import HOUR, Signer, now, signer
from playwright.sync_api import expect

from dashboards import Dashboard, send, traffic
from pages import document

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from pages import Sites
    from service import Service, Site

STRICT = '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; script-src {0}; connect-src {0}">'


@pytest.fixture(scope="module")
def site(collector: Service) -> Site:
    made = collector.new_site()
    send(made, traffic(days=8))
    return made


@pytest.fixture(scope="module")
def signing(site: Site) -> Signer:
    return signer(site)


def show(page: Page, sites: Sites, site: Site, token: str, attributes: str = "", *, head: str = "") -> None:
    script = f'<script defer src="{site.service.url}/clickmeter-chart.js"></script>'
    tag = f'<clickmeter-chart property="{site.id}" token="{token}" {attributes}></clickmeter-chart>'
    sites.page = document(head + script, tag)
    page.goto(sites.origin())


def test_a_line_over_time(page: Page, sites: Sites, site: Site, signing: Signer) -> None:
    show(page, sites, site, signing.reading(filters=["path:is:/pricing"]), 'metric="pageviews" period="7d"')
    chart = page.get_by_role("slider", name="Pageviews by day")
    report = Dashboard(page, site).report("metrics", period="7d", interval="day", filter="path:is:/pricing")
    for key, row in (("Home", report["rows"][0]), ("End", report["rows"][-1])):
        chart.press(key)
        assert f"Pageviews: {row['pageviews']}" in (chart.get_attribute("aria-valuetext") or "")


def test_lines_for_metrics_and_for_groups(page: Page, sites: Sites, site: Site, signing: Signer) -> None:
    show(page, sites, site, signing.reading(), 'metrics="unique_visitors,sessions" period="28d" heading="Visits"')
    expect(page.locator("clickmeter-chart figcaption")).to_have_text("Visits")
    expect(page.locator("clickmeter-chart .legend li")).to_have_text(["Visitors", "Sessions"])
    page.evaluate("Object.assign(document.querySelector('clickmeter-chart').attributes.metrics, {value: 'pageviews'})")
    page.locator("clickmeter-chart").evaluate("(chart) => chart.setAttribute('group-by', 'path')")
    page.locator("clickmeter-chart").evaluate("(chart) => chart.setAttribute('interval', 'week')")
    expect(page.locator("clickmeter-chart .legend li")).to_have_count(5)


def test_a_ranked_list(page: Page, sites: Sites, site: Site, signing: Signer) -> None:
    show(page, sites, site, signing.reading(), 'metric="unique_visitors" group-by="path" period="28d" theme="dark"')
    query = {"period": "28d", "metrics": "unique_visitors", "group_by": "path", "limit": 10}
    rows = Dashboard(page, site).report("metrics", **query)["rows"]
    expect(page.locator("clickmeter-chart .bars .name")).to_have_text([row["path"] for row in rows])
    assert page.locator("clickmeter-chart").evaluate("(chart) => getComputedStyle(chart).colorScheme") == "dark"


def test_a_page_with_a_strict_policy_can_show_it(page: Page, sites: Sites, site: Site, signing: Signer) -> None:
    show(page, sites, site, signing.reading(), head=STRICT.format(site.service.url))
    expect(page.get_by_role("slider")).to_be_visible()
    assert page.locator("clickmeter-chart").evaluate("(chart) => getComputedStyle(chart).display") == "block"


def test_what_is_wrong_is_shown_told_to_the_page_and_mended_by_another_token(
    page: Page, sites: Sites, site: Site, signing: Signer
) -> None:
    listen = "<script>addEventListener('clickmeter-problem', (event) => { window.told = event.detail; });</script>"
    show(page, sites, site, signing.reading(exp=now() - HOUR), head=listen)
    expect(page.locator("clickmeter-chart [role=status]")).to_be_visible()
    assert page.evaluate("window.told.status") == 401
    chart = page.locator("clickmeter-chart")
    chart.evaluate("(element, token) => element.setAttribute('token', token)", signing.reading())
    expect(page.get_by_role("slider")).to_be_visible()


def test_a_token_for_another_origin_shows_nothing(page: Page, sites: Sites, site: Site, signing: Signer) -> None:
    show(page, sites, site, signing.reading(origin="https://customer.example"))
    expect(page.locator("clickmeter-chart [role=status]")).to_be_visible()
    show(page, sites, site, signing.reading(origin=sites.origin()))
    expect(page.get_by_role("slider")).to_be_visible()
