"""The engines under test, and a running server of each. A new engine is a line in ENGINES."""

from __future__ import annotations

import importlib.util
import os
import uuid
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import hypothesis
import pytest

import cluster
from clickmeter.storage.clickhouse.cluster import everywhere
from clickmeter.storage.clickhouse.connection import Connection
from clickmeter.worker import Urls
from front import Front
from service import Service, Site, chdb_url, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    NewUrl = Callable[[Path], str]
    """The URL of a database that does not exist yet; the directory is for whatever it keeps in files."""
    NewUrls = Callable[[Path], Urls]
    """The same, and where its events are, which may be elsewhere."""

CLICKHOUSE_VARIABLE = "CLICKMETER_TEST_CLICKHOUSE_URL"

# The same histories on every machine and run; make test-long looks for new ones, many of them.
hypothesis.settings.register_profile("default", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("long", deadline=None, max_examples=5_000, print_blob=True)
PROFILE = os.environ.get("CLICKMETER_TEST_EXAMPLES", "default")
hypothesis.settings.load_profile(PROFILE)


@contextmanager
def sqlite(_: pytest.TempPathFactory) -> Iterator[NewUrl]:
    yield sqlite_url


@contextmanager
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewUrl]:
    """Databases of one server, which all workers of the run share; they are dropped again."""
    with cluster.shared(tmp_path_factory) as server_url:
        made: list[str] = []

        def new_url(_: Path) -> str:
            made.append(cluster.create_database(server_url))
            return made[-1]

        yield new_url
        for url in made:
            cluster.drop_database(server_url, url)


@contextmanager
def chdb(_: pytest.TempPathFactory) -> Iterator[NewUrls]:
    """Events in chDB, everything else in SQLite."""
    require("chdb")
    yield lambda directory: Urls(sqlite_url(directory), chdb_url(directory))


@contextmanager
def clickhouse(_: pytest.TempPathFactory) -> Iterator[NewUrls]:
    """Events in databases of their own of a ClickHouse server or cluster; they are dropped again."""
    server = urlsplit(os.environ[CLICKHOUSE_VARIABLE])
    made: list[str] = []

    def new_urls(directory: Path) -> Urls:
        made.append(server._replace(path=f"/test_{uuid.uuid4().hex}").geturl())
        return Urls(sqlite_url(directory), made[-1])

    yield new_urls
    for url in made:
        with closing(Connection(url)) as connection:
            name, cluster_ = connection.database, connection.cluster
            connection.command(f"DROP DATABASE IF EXISTS {name}{everywhere(cluster_)} SYNC")


ENGINES = {"sqlite": sqlite, "postgres": postgres}
"""Those that keep everything, and whose events are rolled up by a process of ours."""
APART = {"chdb": chdb} | ({"clickhouse": clickhouse} if CLICKHOUSE_VARIABLE in os.environ else {})
"""Those that keep events alone; servers only where there are some (`.ci/clickhouse`)."""
SPARED = {"chdb"}
"""Where every event and report is dear: fewer histories are tried there, and the plain run tries less of the same."""
SHARE = 10
LEAST = 4


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for the long run, and on an engine that is spared what is asked by another test as well.

    The longest tests come first: at the end one core would wait for them.
    """
    left_out = {item for item in items if is_left_out(item)}
    config.hook.pytest_deselected(items=[*left_out])
    items[:] = sorted(
        (item for item in items if item not in left_out), key=lambda item: item.get_closest_marker("first") is None
    )


def is_left_out(item: pytest.Item) -> bool:
    is_spared = item.get_closest_marker("spared") and engine_of(item) in SPARED
    return PROFILE == "default" and bool(is_spared or item.get_closest_marker("long"))


def engine_of(item: pytest.Item) -> str | None:
    """The name of the engine that a test runs on, where it runs on several."""
    called_with = getattr(item, "callspec", None)  # of what is parametrized alone
    return called_with and called_with.params.get("engine")


def require(package: str) -> None:
    """Skip where a package is missing, but never in CI."""
    if importlib.util.find_spec(package) is None:
        assert "CI" not in os.environ, f"{package} is missing."
        pytest.skip(f"{package} is not installed")


@pytest.fixture(scope="session", params=ENGINES)
def rolling_engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewUrl]:
    """A storage engine whose events are rolled up by a process of ours."""
    with ENGINES[request.param](tmp_path_factory) as new_url:
        yield new_url


@pytest.fixture(scope="session", params=[*ENGINES, *APART])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewUrls]:
    """A storage engine; tests that use it, or what follows, run on every one."""
    if request.param in APART:
        with APART[request.param](tmp_path_factory) as new_urls:
            yield new_urls
    else:
        with ENGINES[request.param](tmp_path_factory) as new_url:
            yield lambda directory: Urls(url := new_url(directory), url)


@pytest.fixture
def new_url(rolling_engine: NewUrl, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Gives the URL of a database that does not exist yet, another one each time; of an engine with rollups."""
    return lambda: rolling_engine(tmp_path_factory.mktemp("database"))


@pytest.fixture(scope="session")
def service(engine: NewUrls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server that every test may use, and none may stop."""
    running = Service(*engine(tmp_path_factory.mktemp("database")))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def share(engine: NewUrls, request: pytest.FixtureRequest) -> Callable[[int], int]:
    """Gives how many of so many histories or rounds are tried on this engine: all, or a tenth where it is spared."""
    spared = engine_of(request.node) in SPARED
    return lambda number: min(number, max(LEAST, number // SHARE)) if spared else number


@pytest.fixture
def new_service(engine: NewUrls, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts the server of one test, with the given settings."""
    with ExitStack() as started:

        def start(**settings: str) -> Service:
            running = Service(*engine(tmp_path), **settings)
            running.start()
            started.callback(running.stop)
            return running

        yield start


@pytest.fixture
def own_service(new_service: Callable[..., Service]) -> Service:
    """A server for one test alone, which may stop, kill and restart it."""
    return new_service()


@pytest.fixture
def rolling_service(rolling_engine: NewUrl, tmp_path: Path) -> Iterator[Service]:
    """The same, of an engine whose events are rolled up by a process of ours."""
    running = Service(rolling_engine(tmp_path))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def site(service: Service) -> Site:
    """A property of the test's own."""
    return service.new_site()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with cluster.shared(tmp_path_factory) as server_url:
        yield server_url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database."""
    made = cluster.create_database(postgres_server)
    yield made
    cluster.drop_database(postgres_server, made)


@pytest.fixture
def new_postgres(postgres_server: str) -> Iterator[list[str]]:
    """Two empty PostgreSQL databases."""
    made = [cluster.create_database(postgres_server) for _ in range(2)]
    yield made
    for url in made:
        cluster.drop_database(postgres_server, url)


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """ClickHouse as HTTP shows it, with as many databases as are named."""
    require("chdb")
    running = Front(tmp_path_factory.mktemp("clickhouse"))
    yield running
    running.stop()


@pytest.fixture
def own_cluster() -> Iterator[Callable[..., cluster.Cluster]]:
    """Starts PostgreSQL servers, with the given settings, that the test may stop and kill."""
    with ExitStack() as started:
        yield lambda **options: started.enter_context(cluster.own(**options))
