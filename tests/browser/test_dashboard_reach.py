"""Can everybody use the dashboard: with the keyboard, with a screen reader, in both themes?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

import node
from dashboards import Dashboard, send, traffic

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from service import Service, Site

AXE = "node_modules/axe-core/axe.min.js"
STEPS = 150


@pytest.fixture(scope="module")
def site(collector: Service) -> Site:
    made = collector.new_site(name="Reached")
    send(made, traffic(days=6))
    return made


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The axe-core of the lock file: from here where npm has been, else installed for the tests."""
    root = node.ROOT if (node.ROOT / AXE).exists() else node.workspace(tmp_path_factory.mktemp("axe"))
    return (root / AXE).read_text(encoding="utf-8")


def violations(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)
    found: list[dict[str, Any]] = page.evaluate("axe.run().then((result) => result.violations)")
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


def reports(dashboard: Dashboard) -> None:
    dashboard.open(compare="previous_period", filter="path:starts_with:/").settle()


def ranges(dashboard: Dashboard) -> None:
    dashboard.open().settle()
    dashboard.choose("button", "Range: Last 30 days")


def filters(dashboard: Dashboard) -> None:
    dashboard.open().settle()
    dashboard.choose("button", "Filter: Add a filter")


def menu(dashboard: Dashboard) -> None:
    dashboard.open().settle()
    dashboard.choose("button", "Property: Reached")


def details(dashboard: Dashboard) -> None:
    dashboard.open().settle()
    dashboard.panel("pages").get_by_role("button", name="More").click()
    expect(dashboard.page.get_by_role("dialog").locator("tbody tr")).to_have_count(50)


def setup(dashboard: Dashboard) -> None:
    dashboard.open(f"{dashboard.site.id}/setup")
    dashboard.page.get_by_label("Paste it here").fill(dashboard.site.write_key)
    dashboard.page.get_by_role("button", name="Send the test event").click()
    expect(dashboard.page.locator(".findings li")).to_have_count(4)


def trouble(dashboard: Dashboard) -> None:
    dashboard.open(period="31d")
    expect(dashboard.page.get_by_role("alert")).to_be_visible()


def quiet(dashboard: Dashboard) -> None:
    dashboard.open(**{"from": "2020-01-01", "to": "2020-01-02"})
    expect(dashboard.page.get_by_role("heading", name="A quiet time")).to_be_visible()


def door(dashboard: Dashboard) -> None:
    dashboard.page.goto(f"{dashboard.site.service.url}/#/share/half")
    expect(dashboard.page.get_by_role("alert")).to_be_visible()


SCREENS = (reports, ranges, filters, menu, details, setup, trouble, quiet, door)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.__name__)
def test_axe_finds_nothing(page: Page, site: Site, axe: str, theme: Any, screen: Callable[[Dashboard], None]) -> None:
    # Without motion nothing is half faded in while its contrast is measured.
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    screen(Dashboard(page, site))
    assert violations(page, axe) == []


def test_axe_would_find_something(page: Page, site: Site, axe: str) -> None:
    reports(Dashboard(page, site))
    page.evaluate("document.querySelector('.choice .unseen').remove()")
    page.evaluate("document.documentElement.style.setProperty('--soft', '#ccc')")
    found = {one.partition(":")[0] for one in violations(page, axe)}
    assert {"select-name", "color-contrast"} <= found


def focused(page: Page) -> str:
    active = "document.activeElement"
    name: str = page.evaluate(f"{active}.getAttribute('aria-label') || {active}.innerText || ''")
    return " ".join(name.split())


def test_the_tab_key_reaches_everything_in_the_order_it_is_seen_and_shows_where_it_is(page: Page, site: Site) -> None:
    Dashboard(page, site).open(filter="path:starts_with:/").settle()
    walked = []
    for _ in range(STEPS):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        walked.append(focused(page))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        seen = outline != "none" or page.evaluate("document.activeElement.matches('.themes input')")
        assert seen, walked[-1][:60]
    wanted = [
        "Property: Reached",
        "Range: Last 30 days",
        "Filter: Add a filter",
        "Day",
        "CSV: Save the numbers of the chart",
        "Entry",
        "/pricing",
        "More about Pages",
        "newsletter",
        "winter",
        "Language",
        "signup",
    ]
    places = [walked.index(name) for name in wanted]
    assert places == sorted(places)


def test_enter_filters_and_escape_closes_and_gives_the_focus_back(page: Page, site: Site) -> None:
    dashboard = Dashboard(page, site).open().settle()
    button = page.get_by_role("button", name="Range: Last 30 days")
    button.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page) == "Today"
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert focused(page) == "Range: Last 30 days"
    dashboard.panel("pages").get_by_role("button", name="/pricing").press("Enter")
    assert dashboard.rows("pages") == ["/pricing"]
    dashboard.panel("pages").get_by_role("button", name="More").press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert focused(page).startswith("More")


def test_the_theme_is_chosen_and_kept(page: Page, site: Site) -> None:
    page.emulate_media(color_scheme="light")
    Dashboard(page, site).open().settle()
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.get_by_label("Dark").check(force=True)
    dark = page.evaluate(colour)
    assert dark != light
    page.reload()
    assert page.evaluate(colour) == dark
    page.get_by_label("As the system").check(force=True)
    assert page.evaluate(colour) == light


def test_nothing_moves_for_those_who_ask_for_it(page: Page, site: Site) -> None:
    page.emulate_media(reduced_motion="reduce")
    Dashboard(page, site).open().settle()
    assert page.evaluate("document.getAnimations().length") == 0
