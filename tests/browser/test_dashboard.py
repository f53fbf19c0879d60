"""Does the dashboard show what the API says, and does its address say what is shown?"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import expect

from dashboards import MANY, Dashboard, day, send, traffic

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Download, Page

    from service import Service, Site

SIX = "unique_visitors,pageviews,sessions,views_per_session,bounce_rate,avg_session_seconds"


@pytest.fixture(scope="module")
def busy(collector: Service) -> Site:
    """A property with three weeks of traffic."""
    site = collector.new_site(timezone="Europe/Berlin", name="Busy")
    send(site, traffic())
    return site


@pytest.fixture
def dashboard(page: Page, busy: Site) -> Dashboard:
    return Dashboard(page, busy)


def counts(dashboard: Dashboard, **query: str) -> list[str]:
    """Visitors, pageviews and sessions as the API has them, as people read them."""
    answer = dashboard.report("overview", metrics=SIX, **query)
    return [f"{answer[name]:,}" for name in ("unique_visitors", "pageviews", "sessions")]


def shown(dashboard: Dashboard) -> list[str]:
    headline = dashboard.headline()
    return [headline[name] for name in ("Visitors", "Pageviews", "Sessions")]


def test_the_headline_is_the_api_s(dashboard: Dashboard) -> None:
    dashboard.open()
    assert shown(dashboard) == counts(dashboard, period="30d")
    assert "0" not in shown(dashboard)
    expect(dashboard.page.get_by_role("button", name="Property: Busy")).to_be_visible()
    assert dashboard.page.title() == "Busy · Clickmeter"


@pytest.mark.parametrize(("identity", "times"), [("client", 0), ("cookieless", 1)])
def test_what_the_numbers_are_not_is_said_below_them(page: Page, collector: Service, identity: str, times: int) -> None:
    site = collector.new_site(identity=identity)
    send(site, traffic())
    Dashboard(page, site).open()
    expect(page.get_by_text("visitor ids that change every day")).to_have_count(times)


@pytest.mark.parametrize(
    "query",
    [
        {"period": "7d"},
        {"period": "yesterday", "timezone": "Asia/Kolkata"},
        {"from": day(9), "to": day(4)},
        {"period": "90d", "filter": "path:starts_with:/blog"},
        {"period": "all", "filter": "source:is:Google"},
    ],
    ids=lambda query: " ".join(query.values()),
)
def test_an_address_shows_what_it_says(dashboard: Dashboard, query: dict[str, str]) -> None:
    dashboard.open(**query)
    assert shown(dashboard) == counts(dashboard, **query)


def test_a_click_on_a_row_filters_by_it_and_back_takes_it_away(dashboard: Dashboard) -> None:
    dashboard.open()
    before = shown(dashboard)
    dashboard.choose("button", "Hacker News")
    dashboard.settle()
    assert "filter=source:is:Hacker+News" in dashboard.fragment
    assert shown(dashboard) == counts(dashboard, period="30d", filter="source:is:Hacker News") != before
    assert dashboard.rows("sources") == ["Hacker News"]
    chip = dashboard.page.get_by_role("button", name="Source is Hacker News")
    expect(chip).to_be_visible()
    dashboard.page.reload()
    assert shown(dashboard) == counts(dashboard, period="30d", filter="source:is:Hacker News")
    dashboard.page.go_back()
    assert shown(dashboard) == before
    dashboard.page.go_forward()
    chip.click()
    assert shown(dashboard) == before
    assert "filter" not in dashboard.fragment


def test_filters_can_be_made_by_hand(dashboard: Dashboard) -> None:
    dashboard.open()
    dashboard.choose("button", "Filter: Add a filter")
    form = dashboard.page.get_by_role("dialog", name="Filter")
    form.get_by_label("What").select_option("path")
    form.get_by_label("How").select_option("like")
    form.get_by_label("Value").fill("/archive/*")
    form.get_by_role("button", name="Add").click()
    assert shown(dashboard) == counts(dashboard, period="30d", filter="path:like:/archive/*")
    assert dashboard.headline()["Pageviews"] == str(MANY)


def test_range_zone_comparison_and_interval_are_chosen_and_kept_in_the_address(dashboard: Dashboard) -> None:
    dashboard.open()
    dashboard.choose("button", "Range: Last 30 days")
    dashboard.choose("button", "Last 7 days")
    dashboard.page.get_by_label("Compare with").select_option("previous_period")
    dashboard.page.get_by_label("Time zone").select_option("Pacific/Auckland")
    dashboard.choose("button", "Hour")
    dashboard.settle()
    asked = {"period": "7d", "timezone": "Pacific/Auckland", "compare": "previous_period"}
    for name, value in {**asked, "interval": "hour"}.items():
        assert f"{name}={value}" in dashboard.fragment
    answer = dashboard.report("overview", metrics=SIX, **asked)
    before = answer["comparison"]["totals"]
    assert dashboard.headline()["Pageviews"] == f"{answer['pageviews']:,}, before {before['pageviews']:,}"
    chart = dashboard.page.get_by_role("slider")
    assert chart.get_attribute("aria-valuemax") == str(7 * 24)
    dashboard.page.reload()
    assert dashboard.headline()["Pageviews"] == f"{answer['pageviews']:,}, before {before['pageviews']:,}"


def test_dates_of_one_s_own(dashboard: Dashboard) -> None:
    dashboard.open()
    dashboard.choose("button", "Range: Last 30 days")
    dashboard.page.get_by_label("From", exact=True).fill(day(6))
    dashboard.page.get_by_label("To", exact=True).fill(day(3))
    dashboard.choose("button", "Show")
    assert shown(dashboard) == counts(dashboard, **{"from": day(6), "to": day(3)})
    assert f"from={day(6)}&to={day(3)}" in dashboard.fragment


def test_the_chosen_number_is_drawn_and_read_with_the_keyboard(dashboard: Dashboard) -> None:
    dashboard.open(period="7d")
    dashboard.page.get_by_role("button", name="Pageviews").first.click()
    dashboard.settle()
    rows = dashboard.report("metrics", period="7d", interval="day", metrics="pageviews")["rows"]
    chart = dashboard.page.get_by_role("slider", name="Pageviews by day")
    chart.focus()
    for key, at in (("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 6)):
        chart.press(key)
        said = chart.get_attribute("aria-valuetext") or ""
        assert f"Pageviews: {rows[at]['pageviews']:,}" in said, key
        assert ("until now" in said) == (at == 6)
        expect(dashboard.page.locator(".tooltip b")).to_have_text(f"{rows[at]['pageviews']:,}")
    chart.press("Escape")
    expect(dashboard.page.locator(".tooltip")).to_have_count(0)


def test_the_pointer_reads_the_chart_too(dashboard: Dashboard) -> None:
    dashboard.open(period="7d", compare="previous_period")
    dashboard.settle()
    dashboard.page.get_by_role("slider").hover()
    expect(dashboard.page.locator(".tooltip .key")).to_have_count(2)
    expect(dashboard.page.locator(".line.main .growing[d^=M]")).to_have_count(1)


def test_the_lists_are_the_api_s(dashboard: Dashboard) -> None:
    dashboard.open()
    pages = dashboard.report("pages", period="30d", limit=8)["rows"]
    assert dashboard.rows("pages") == [row["path"] for row in pages]
    for panel, tab, dimension in (
        ("pages", "Entry", "entry_page"),
        ("sources", "Site", "referrer_host"),
        ("campaigns", "Medium", "utm_medium"),
        ("devices", "System", "os"),
    ):
        dashboard.panel(panel).get_by_role("button", name=tab, exact=True).click()
        query = {"group_by": dimension, "filter": f"{dimension}:is_set", "limit": 8}
        metrics = "sessions" if dimension == "entry_page" else "unique_visitors"
        rows = dashboard.report("metrics", period="30d", metrics=metrics, **query)["rows"]
        expect(dashboard.panel(panel).locator("thead th").first).not_to_have_text("")
        assert dashboard.rows(panel) == [row[dimension] for row in rows]
    assert dashboard.rows("events") == ["signup"]
    expect(dashboard.panel("places")).to_contain_text("Places are not known")


def test_more_shows_all_rows_page_by_page(dashboard: Dashboard) -> None:
    dashboard.open(filter="path:starts_with:/archive/")
    dashboard.panel("pages").get_by_role("button", name="More").click()
    dialog = dashboard.page.get_by_role("dialog")
    rows = dialog.locator("tbody tr")
    expect(rows).to_have_count(50)
    for count in (100, MANY):
        dialog.get_by_role("button", name="Show 50 more").click()
        expect(rows).to_have_count(count)
    assert len(set(rows.locator("th").all_inner_texts())) == MANY
    expect(dialog.get_by_role("button", name="Show 50 more")).to_have_count(0)
    dashboard.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def table(download: Download) -> list[dict[str, str]]:
    path: Path = download.path()
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_csv_is_the_api_s_of_what_is_shown(dashboard: Dashboard) -> None:
    dashboard.open(period="7d", filter="path:is:/pricing", compare="previous_year").settle()
    with dashboard.page.expect_download() as begun:
        dashboard.page.get_by_role("button", name="CSV: Save the numbers of the chart").click()
    answer = httpx.get(
        f"{dashboard.site.service.url}/v1/properties/{dashboard.site.id}/metrics",
        params={"period": "7d", "filter": "path:is:/pricing", "interval": "day", "metrics": SIX, "format": "csv"},
        headers={"Authorization": f"Bearer {dashboard.site.read_key}"},
    )
    assert begun.value.suggested_filename == f"{dashboard.site.id}-day.csv"
    assert table(begun.value) == list(csv.DictReader(io.StringIO(answer.text)))


def test_csv_of_a_list_has_the_rows_of_the_list(dashboard: Dashboard) -> None:
    dashboard.open(filter="path:starts_with:/archive/")
    dashboard.panel("pages").get_by_role("button", name="More").click()
    dialog = dashboard.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Show 50 more").click()
    expect(dialog.locator("tbody tr")).to_have_count(100)
    with dashboard.page.expect_download() as begun:
        dialog.get_by_role("button", name="CSV").click()
    assert [row["path"] for row in table(begun.value)] == dialog.locator("tbody th").all_inner_texts()


def test_one_event_type_is_counted_by_its_events(dashboard: Dashboard) -> None:
    dashboard.open()
    dashboard.choose("button", "signup")
    answer = dashboard.report("overview", period="30d", filter="type:is:signup", metrics="events")
    dashboard.settle()
    assert dashboard.headline()["Events"] == f"{answer['events']:,}"
    assert dashboard.rows("pages") == ["/pricing"]


def test_right_now(dashboard: Dashboard) -> None:
    site = dashboard.site.service.new_site()
    now = Dashboard(dashboard.page, site)
    send(site, [{"type": "pageview", "identity": {"visitor_id": name, "session_id": name}} for name in "ab"])
    now.open().settle()
    expect(now.panel("realtime")).to_contain_text("2 visitors now")
    expect(now.panel("realtime").locator("rect.some")).to_have_count(1)


@pytest.mark.parametrize("width", [360, 820, 1440, 1920])
def test_nothing_is_wider_than_the_screen(dashboard: Dashboard, width: int) -> None:
    dashboard.page.set_viewport_size({"width": width, "height": 900})
    dashboard.open(compare="previous_period", filter="path:starts_with:/").settle()
    assert dashboard.page.evaluate("document.documentElement.scrollWidth") == width


def test_it_asks_no_one_else_and_loads_little(page: Page, busy: Site) -> None:
    asked: list[str] = []
    sizes: list[int] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on(
        "response",
        lambda answer: sizes.append(int(answer.headers.get("content-length", 0))) if "/v1/" not in answer.url else None,
    )
    Dashboard(page, busy).open().settle()
    assert len(asked) > 8
    assert all(url.startswith((f"{busy.service.url}/", "data:")) for url in asked)
    assert not [url for url in asked if busy.read_key in url]
    assert 10_000 < sum(sizes) < 150 * 1024
