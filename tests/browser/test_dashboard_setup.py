"""From a property without events to the first one: the snippet, the green light, and the test of the setup."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from dashboards import Dashboard, send

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from pages import Sites
    from service import Service, Site


def findings(page: Page) -> list[str]:
    """What the test of the setup found, once it is done."""
    expect(page.get_by_role("button", name="Send the test event")).to_be_enabled()
    expect(page.locator(".findings li").first).to_be_visible()
    return [" ".join(text.split()) for text in page.locator(".findings li").all_inner_texts()]


def test_a_new_property_shows_its_snippet_and_turns_green_with_the_first_event(
    page: Page, sites: Sites, shop: Site
) -> None:
    Dashboard(page, shop).open()
    expect(page.get_by_role("heading", name="Count the first visit")).to_be_visible()
    expect(page.get_by_text("Waiting for the first event")).to_be_visible()
    code = page.get_by_label("the snippet").locator("code")
    expect(code).to_contain_text('data-key="YOUR_WRITE_KEY"')
    page.get_by_label("Paste it here").fill(shop.write_key)
    expect(code).to_contain_text(f'data-key="{shop.write_key}"')
    sites.page = f"<!doctype html><title>Mine</title>{code.inner_text()}"
    visitor = page.context.new_page()
    visitor.goto(f"{sites.origin()}/hello")
    expect(page.get_by_text("Events arrive.")).to_be_visible(timeout=10_000)
    page.get_by_role("button", name="Open the reports").click()
    dashboard = Dashboard(page, shop)
    assert dashboard.rows("pages") == ["/hello"]
    assert "period=today" in dashboard.fragment
    assert shop.write_key not in page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")


def test_my_setup_works(page: Page, shop: Site) -> None:
    Dashboard(page, shop).open(f"{shop.id}/setup")
    expect(page.get_by_role("button", name="Send the test event")).to_be_disabled()
    page.get_by_label("Paste it here").fill(shop.write_key)
    page.get_by_role("button", name="Send the test event").click()
    assert findings(page) == [
        f"✓ 200: key and origin are right The key opens this property, and pages of {shop.service.url} may send.",
        "✓ Accepted accepted 1, rejected 0.",
        "✓ Sent twice, counted once Known by its id the second time: duplicates 1. A retry is never counted twice.",
        "✓ In the report Test events of the last 7 days: 0 before, 1 is there now.",
    ]
    [stored] = shop.stored()
    assert (stored["type"], stored["visitor_id"], stored["path"]) == ("setup_test", None, None)


@pytest.mark.parametrize(
    ("settings", "key", "found"),
    [
        ({"allowed_origins": ["https://shop.example"]}, None, "✕ 403: origin_not_allowed"),
        ({}, "cm_w_000000000000_nonsense", "✕ 401: invalid_credential"),
        ({}, "another's", "✕ 403: key_property_mismatch"),
    ],
    ids=["origin", "key", "another property's key"],
)
def test_my_setup_does_not_work(
    page: Page, collector: Service, settings: dict[str, list[str]], key: str | None, found: str
) -> None:
    site = collector.new_site(**settings)
    text = collector.new_site().write_key if key == "another's" else key or site.write_key
    Dashboard(page, site).open(f"{site.id}/setup")
    page.get_by_label("Paste it here").fill(text)
    page.get_by_role("button", name="Send the test event").click()
    [finding] = findings(page)
    assert finding.startswith(found)
    assert not site.stored()


def test_a_quiet_time_and_filters_that_fit_nothing_say_what_to_do(page: Page, shop: Site) -> None:
    send(shop, [{"type": "pageview", "context": {"page": {"path": "/"}}, "identity": {"visitor_id": "v"}}])
    dashboard = Dashboard(page, shop).open(**{"from": "2020-01-01", "to": "2020-01-31"})
    expect(page.get_by_role("heading", name="A quiet time")).to_be_visible()
    dashboard.choose("button", "Show all time")
    assert dashboard.rows("pages") == ["/"]
    page.goto(f"{page.url}&filter=path:is:/nowhere")
    expect(page.get_by_role("heading", name="Nothing fits these filters")).to_be_visible()
    dashboard.choose("button", "Take all filters away")
    assert dashboard.rows("pages") == ["/"]
