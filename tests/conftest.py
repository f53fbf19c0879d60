"""The engines under test, and a running server of each. A new engine is a line in ENGINES."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING

import hypothesis
import pytest

from service import Service, Site, chdb_url, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ENGINES: dict[str, Callable[[Path], str]] = {"sqlite": sqlite_url}
"""Those that keep everything: how the URL of a new database is made in a directory."""
APART: dict[str, tuple[str, Callable[[Path], str], str]] = {"sqlite+chdb": ("sqlite", chdb_url, "chdb")}
"""Events in an engine of their own: where everything else is, the events' URL, and the package it needs."""

# The same histories on every machine and run; make test-long looks for new ones, many of them.
hypothesis.settings.register_profile("default", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("long", deadline=None, max_examples=5_000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("CLICKMETER_TEST_EXAMPLES", "default"))


@pytest.fixture(scope="session", params=[*ENGINES, *APART])
def engine(request: pytest.FixtureRequest) -> str:
    """The name of a storage engine; tests that use it, or what follows, run on every one."""
    name: str = request.param
    if name in APART:
        require(APART[name][2])
    return name


def require(package: str) -> None:
    """Skip where a package is missing, but never in CI."""
    if importlib.util.find_spec(package) is None:
        assert "CI" not in os.environ, f"{package} is missing."
        pytest.skip(f"{package} is not installed")


def new_service(engine: str, directory: Path) -> Service:
    """A server, not started, of a database that does not exist yet."""
    if engine in ENGINES:
        return Service(ENGINES[engine](directory))
    metadata, events_url, _ = APART[engine]
    return Service(ENGINES[metadata](directory), events_url(directory))


@pytest.fixture(params=ENGINES)
def new_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Gives the URL of a database that does not exist yet, another one each time; of an engine with rollups."""
    return lambda: ENGINES[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session")
def service(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server that every test may use, and none may stop."""
    running = new_service(engine, tmp_path_factory.mktemp(engine))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def own_service(engine: str, tmp_path: Path) -> Iterator[Service]:
    """A server for one test alone, which may stop, kill and restart it."""
    running = new_service(engine, tmp_path)
    running.start()
    yield running
    running.stop()


@pytest.fixture(params=ENGINES)
def rolling_service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """The same, of an engine whose events are rolled up by a process of ours."""
    running = new_service(request.param, tmp_path)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def site(service: Service) -> Site:
    """A property of the test's own."""
    return service.new_site()
