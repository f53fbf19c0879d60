"""Is tracked text ever more than text, in the dashboard or in an embedded chart?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jwts import signer
from playwright.sync_api import expect

from dashboards import Dashboard, send
from pages import document

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from pages import Sites
    from service import Service, Site

MARKUP = "<img src=x onerror=\"window.hacked='{0}'\"><script>window.hacked='{0}'</script>'\"><svg onload=hacked=1>{0}"
LINK = "javascript:window.hacked='{0}'//"
PANELS = ("pages", "sources", "campaigns", "places", "devices", "events")
HACKED = "window.hacked"


def hostile_event() -> dict[str, Any]:
    """An event that tries it in every field that anybody may send."""
    utm = {name: MARKUP.format(name) for name in ("source", "medium", "campaign", "term", "content")}
    page = {
        "url": f"https://{MARKUP.format('url')}/",
        "path": f"/{MARKUP.format('path')}",
        "title": MARKUP.format("title"),
        "referrer": LINK.format("referrer"),
    }
    return {
        "event_id": MARKUP.format("id")[:128],
        "type": "<img src=x onerror=window.hacked='type'>",
        "context": {
            "page": page,
            "campaign": {"campaign_id": MARKUP.format("campaign_id"), "utm": utm},
            "language": MARKUP.format("language"),
            "user_agent": MARKUP.format("agent"),
        },
        "identity": {"visitor_id": MARKUP.format("visitor"), "session_id": MARKUP.format("session")},
        "data": {"plan": MARKUP.format("data"), MARKUP.format("key")[:100]: 1},
        MARKUP.format("extra"): MARKUP.format("extra"),
    }


@pytest.fixture(scope="module")
def attacked(collector: Service) -> Site:
    site = collector.new_site(name=MARKUP.format("name")[:200])
    event = hostile_event()
    view = {**event, "event_id": "view", "type": "pageview"}
    referrer = f"https://host.example/{MARKUP.format('referrer')}"
    linked = {**view, "event_id": "linked", "context": {"page": {**view["context"]["page"], "referrer": referrer}}}
    send(site, [event, view, linked])
    return site


def test_tracked_text_is_text_in_every_list(page: Page, attacked: Site) -> None:
    dashboard = Dashboard(page, attacked).open().settle()
    seen = ""
    for panel in PANELS:
        seen += dashboard.panel(panel).inner_text()
        for tab in dashboard.panel(panel).locator(".tabs button").all():
            tab.click()
            dashboard.settle()
            seen += dashboard.panel(panel).inner_text()
    for field in ("path", "source", "medium", "campaign_id", "term", "content", "referrer", "language", "type"):
        assert f"window.hacked='{field}'" in seen, field
    assert page.evaluate(HACKED) is None
    assert page.locator("#app img, #app script, #app [onload], #app [onerror], #app a[href^=javascript]").count() == 0


@pytest.mark.parametrize("panel", ["pages", "sources", "campaigns", "events"])
def test_tracked_text_is_text_in_filters_dialogs_and_the_address(page: Page, attacked: Site, panel: str) -> None:
    dashboard = Dashboard(page, attacked).open().settle()
    dashboard.panel(panel).locator("tbody th button").first.click()
    dashboard.settle()
    expect(page.locator(".chip b")).to_contain_text("<img src=x")
    dashboard.panel(panel).get_by_role("button", name="More").click()
    expect(page.get_by_role("dialog").locator("tbody tr")).not_to_have_count(0)
    page.reload()
    dashboard.settle()
    expect(page.locator(".chip b")).to_contain_text("<img src=x")
    assert page.evaluate(HACKED) is None


@pytest.mark.parametrize("attribute", ['metric="pageviews"', 'group-by="path"', 'group-by="source" interval="day"'])
def test_tracked_text_is_text_in_an_embedded_chart(page: Page, sites: Sites, attacked: Site, attribute: str) -> None:
    token = signer(attacked).reading()
    chart = f'property="{attacked.id}" token="{token}" heading="&lt;b&gt;" {attribute}'
    tag = f"<clickmeter-chart {chart}></clickmeter-chart>"
    sites.page = document(f'<script defer src="{attacked.service.url}/clickmeter-chart.js"></script>', tag)
    page.goto(sites.origin())
    expect(page.locator("clickmeter-chart .line-chart, clickmeter-chart .bars")).to_be_visible()
    expect(page.locator("clickmeter-chart figcaption")).to_have_text("<b>")
    assert page.evaluate(HACKED) is None
    assert page.locator("clickmeter-chart img, clickmeter-chart script").count() == 0


def test_the_page_lets_no_script_in_even_when_markup_gets_there(page: Page, attacked: Site) -> None:
    """The second wall: what the policy forbids does not happen, whatever the first one lets through."""
    Dashboard(page, attacked).open().settle()
    refused = page.evaluate(
        """() => {
          try { document.body.insertAdjacentHTML("beforeend", "<img src=x onerror=window.hacked=1>"); }
          catch (error) { return error.name; }
        }"""
    )
    assert refused == "TypeError"
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          try { script.text = "window.hacked = 2"; } catch { return; }
          document.body.append(script);
        }"""
    )
    assert page.evaluate(HACKED) is None
