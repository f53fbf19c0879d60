"""Is every page a visitor sees counted, once, and no other?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import chromium
from pages import document, paths, snippet, stored

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from pages import Sites
    from service import Site

APP = """
<nav><a href="/">Home</a> <a href="/products">Products</a> <a href="/cart">Cart</a></nav>
<script>
  const show = () => setTimeout(() => { document.title = "The page " + location.pathname; });
  for (const link of document.querySelectorAll("nav a")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      history.pushState({}, "", link.href);
      show();
    });
  }
  addEventListener("popstate", show);
  show();
</script>
"""
"""A page that shows all others itself, and like most frameworks sets the title after the address."""


def test_an_app_is_counted_page_by_page_and_reported(page: Page, sites: Sites, shop: Site) -> None:
    sites.page = document(snippet(shop), APP)
    page.goto(sites.origin() + "/?utm_source=news&utm_campaign=winter&token=secret#part")
    page.click("text=Products")
    page.click("text=Cart")
    page.go_back()
    assert paths(shop, 4) == ["/", "/products", "/cart", "/products"]
    rows = shop.stored()
    assert [row["title"] for row in rows] == [f"The page {row['path']}" for row in rows]
    assert [row["utm_campaign"] for row in rows] == ["winter", None, None, None]
    assert [row["referrer"] for row in rows] == [
        None,
        *(f"{sites.origin()}{path}" for path in ("/", "/products", "/cart")),
    ]
    assert "secret" not in repr(rows)
    overview = shop.reports().overview(period="7d")
    assert (overview.pageviews, overview.unique_visitors, overview.sessions) == (4, 1, 1)
    pages = shop.reports().pages(period="7d")
    assert [(row.dimensions["path"], row.metrics["pageviews"]) for row in pages.rows] == [
        ("/products", 2),
        ("/", 1),
        ("/cart", 1),
    ]


def test_an_address_is_a_page_when_its_path_changes_or_a_new_query_is_pushed(
    page: Page, sites: Sites, shop: Site
) -> None:
    sites.page = document(snippet(shop))
    page.goto(sites.origin() + "/a")
    for step in (
        "history.replaceState({}, '', '/a?sort=price')",
        "history.replaceState({scrolled: 10}, '', location.href)",
        "history.pushState({}, '', '#part')",
        "location.hash = 'other'",
        "history.pushState({}, '', '/a?sort=price')",
        "history.pushState({}, '', '/a?page=2')",  # counted
        "history.replaceState({}, '', '/b')",  # counted
        "history.pushState({}, '', '/c')",  # counted
    ):
        page.evaluate(step)
    assert paths(shop, 4) == ["/a", "/a", "/b", "/c"]


THERE_AND_BACK = """
<script>
  addEventListener("pageshow", (event) => {
    fetch("/shown?from_cache=" + event.persisted);
    if (!event.persisted) setTimeout(() => { location.href = "/second"; }, 1_000);
  });
</script>
"""


def test_a_page_that_comes_back_from_the_cache_is_counted_again(
    chromium_path: str, tmp_path: Path, sites: Sites, shop: Site
) -> None:
    sites.pages["/first"] = document(snippet(shop), THERE_AND_BACK)
    sites.pages["/second"] = document(body="<script>onload = () => setTimeout(() => history.back(), 100);</script>")
    with chromium.unwatched(chromium_path, tmp_path, f"{sites.origin()}/first"):
        assert paths(shop, 2) == ["/first", "/first"]
    assert [path for path in sites.asked if "from_cache" in path] == [
        "/shown?from_cache=false",
        "/shown?from_cache=true",
    ]


RULES = (
    '<script type=speculationrules>{"prerender": [{"urls": ["/seen", "/unseen"], "eagerness": "immediate"}]}</script>'
)
GO_ON = """
<script>
  addEventListener("storage", () => {
    if (localStorage.ready_seen && localStorage.ready_unseen) setTimeout(() => { location.href = "/seen"; }, 1_000);
  });
</script>
"""
"""Goes on to a page once both say that they are prerendered, and have had more time than the tracker needs to send."""
READY = """
<script>
  fetch("/state?prerendering=" + document.prerendering);
  localStorage["ready_" + location.pathname.slice(1)] = 1;
</script>
"""


def test_a_prerendered_page_is_counted_when_it_is_seen(
    chromium_path: str, tmp_path: Path, sites: Sites, shop: Site
) -> None:
    sites.page = document(snippet(shop), READY)
    sites.pages["/start"] = document(snippet(shop) + RULES, GO_ON)
    with chromium.unwatched(chromium_path, tmp_path, f"{sites.origin()}/start"):
        assert paths(shop, 2) == ["/start", "/seen"]
    assert sites.asked.count("/state?prerendering=true") == 2
    assert "/state?prerendering=false" not in sites.asked


def test_an_event_has_the_page_and_a_copy_of_its_data(page: Page, sites: Sites, shop: Site) -> None:
    sites.page = document(snippet(shop))
    page.goto(sites.origin() + "/pricing")
    page.evaluate("""() => {
        const data = {plan: "pro", seats: 3};
        clickmeter.track("signup", data);
        data.plan = "changed later";
    }""")
    pageview, event = stored(shop, 2)
    assert (event["type"], event["data"], event["path"]) == ("signup", {"plan": "pro", "seats": 3}, "/pricing")
    assert event["session_id"] == pageview["session_id"]


LINKS = """
<a id=out href="https://other.example/path?token=secret">out</a>
<a id=file href="/report.PDF?x=1">file</a>
<a id=named href="/made" download>named</a>
<a id=own href="/own">own</a>
<script>addEventListener("click", (event) => event.preventDefault());</script>
"""


def click_all(page: Page) -> None:
    for name in ("out", "file", "named", "own"):
        page.click(f"#{name}")
    page.evaluate("clickmeter.track('last')")


def test_links_out_and_downloads_are_tracked_when_asked_for(page: Page, sites: Sites, shop: Site) -> None:
    sites.page = document(snippet(shop, "data-outbound data-downloads"), LINKS)
    page.goto(sites.origin() + "/")
    click_all(page)
    assert [(row["type"], row["data"].get("url")) for row in stored(shop, 5)] == [
        ("pageview", None),
        ("outbound_link", "https://other.example/path"),
        ("download", f"{sites.origin()}/report.PDF"),
        ("download", f"{sites.origin()}/made"),
        ("last", None),
    ]


def test_links_are_nobodys_business_otherwise(page: Page, sites: Sites, shop: Site) -> None:
    sites.page = document(snippet(shop), LINKS)
    page.goto(sites.origin() + "/")
    click_all(page)
    assert [row["type"] for row in stored(shop, 2)] == ["pageview", "last"]


def test_the_core_counts_pages_and_events_too(page: Page, sites: Sites, shop: Site) -> None:
    sites.page = document(snippet(shop, script="clickmeter.core.js"))
    page.goto(sites.origin() + "/core")
    page.evaluate("history.pushState({}, '', '/next')")
    page.evaluate("clickmeter.track('signup')")
    assert paths(shop, 3) == ["/core", "/next", "/next"]


def test_two_tags_count_once(page: Page, sites: Sites, shop: Site) -> None:
    sites.page = document(snippet(shop) + snippet(shop))
    page.goto(sites.origin() + "/")
    page.evaluate("clickmeter.track('last')")
    assert [row["type"] for row in stored(shop, 2)] == ["pageview", "last"]
