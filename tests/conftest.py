"""The engines under test, and a running server of each. A new engine is a line in ENGINES."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import hypothesis
import pytest

from service import Service, Site, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ENGINES: dict[str, Callable[[Path], str]] = {"sqlite": sqlite_url}

# The same histories on every machine and run; make test-long looks for new ones, many of them.
hypothesis.settings.register_profile("default", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("long", deadline=None, max_examples=5_000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("CLICKMETER_TEST_EXAMPLES", "default"))


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """The name of a storage engine; tests that use it, or what follows, run on every one."""
    name: str = request.param
    return name


@pytest.fixture
def new_url(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Gives the URL of a database that does not exist yet, another one each time."""
    return lambda: ENGINES[engine](tmp_path_factory.mktemp(engine))


@pytest.fixture(scope="session")
def service(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server that every test may use, and none may stop."""
    running = Service(ENGINES[engine](tmp_path_factory.mktemp(engine)))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def own_service(engine: str, tmp_path: Path) -> Iterator[Service]:
    """A server for one test alone, which may stop, kill and restart it."""
    running = Service(ENGINES[engine](tmp_path))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def site(service: Service) -> Site:
    """A property of the test's own."""
    return service.new_site()
