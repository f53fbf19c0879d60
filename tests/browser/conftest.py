"""A browser, a collector, and web sites on several origins of localhost for its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import chromium
from pages import Sites
from service import Service, Site, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page


@pytest.fixture(scope="session")
def chromium_path() -> str:
    return chromium.executable()


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    with chromium.launched(chromium_path) as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor who has never been here. No page of theirs may have a script fail unnoticed."""
    errors: list[str] = []
    visitor = browser.new_context(user_agent=chromium.USER_AGENT)
    visitor.on("weberror", lambda error: errors.append(str(error.error)))
    yield visitor
    visitor.close()
    assert not errors


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server that says why it refuses; no test may stop it. What a browser does is the same on every engine."""
    running = Service(sqlite_url(tmp_path_factory.mktemp("collector")), CLICKMETER_LOG_LEVEL="debug")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def shop(collector: Service) -> Site:
    """A property of the test's own."""
    return collector.new_site()


@pytest.fixture
def sites() -> Iterator[Sites]:
    with Sites() as running:
        yield running
