"""What is asked of a database beside Clickmeter, engine by engine: a new one, SQL over raw events, and its size."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing, contextmanager
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import apsw
import psycopg

from bench.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

Ask = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

SQLITE_HEADER = b"SQLite format 3\0"
POSTGRES_OPTIONS = {"shared_buffers": "1GB", "max_wal_size": "4GB", "max_connections": "100"}
"""What docs/postgresql.md advises for a machine of 4 GB; what makes commits durable stays as it is."""


class Known(Protocol):
    def version(self) -> tuple[str, str]:
        """Its name and which one it is."""
        ...


class Engine(Known, Protocol):
    events_at_once: int
    """How many events are stored in one transaction when a store is filled."""

    def new_database(self, directory: Path) -> str:
        """The URL of an empty database; what it keeps in files of its own goes into the directory."""
        ...

    def asking(self, url: str) -> AbstractContextManager[Ask]:
        """Over one connection: what statements give that only read and have a question mark for each value."""
        ...

    def sizes(self, url: str) -> dict[str, int]:
        """What the database consists of, and the bytes on disk of each. Nobody may be using it."""
        ...


class Sqlite:
    events_at_once = 250_000

    def version(self) -> tuple[str, str]:
        return "SQLite", f"{apsw.sqlite_lib_version()} (apsw {apsw.apsw_version()})"

    def new_database(self, directory: Path) -> str:
        return f"sqlite:///{directory / 'clickmeter.db'}"

    @contextmanager
    def asking(self, url: str) -> Iterator[Ask]:
        path = url.removeprefix("sqlite:///")
        with closing(apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            yield lambda sql, values: connection.execute(sql, values).fetchall()

    def sizes(self, url: str) -> dict[str, int]:
        """Its files, after their logs were moved into them."""
        directory = Path(url.removeprefix("sqlite:///")).parent
        for path in filter(is_database, directory.iterdir()):
            with closing(apsw.Connection(str(path))) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sizes = {path.name: path.stat().st_size for path in directory.iterdir() if path.is_file()}
        return {name: size for name, size in sizes.items() if size}


def is_database(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(SQLITE_HEADER)) == SQLITE_HEADER


class Postgres:
    """Databases of one server that was started for the bench."""

    events_at_once = 10_000

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._numbers = count()

    def version(self) -> tuple[str, str]:
        with self.asking(self._cluster.url("postgres")) as ask:
            [(version,)] = ask("SELECT current_setting('server_version')", ())
        options = ", ".join(f"{name}={value}" for name, value in POSTGRES_OPTIONS.items())
        return "PostgreSQL", f"{version} ({options}; psycopg {psycopg.__version__})"

    def new_database(self, directory: Path) -> str:  # noqa: ARG002 - it has no files there
        name = f"bench_{next(self._numbers)}"
        with psycopg.connect(self._cluster.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._cluster.url(name)

    @contextmanager
    def asking(self, url: str) -> Iterator[Ask]:
        with connected(url) as connection:
            yield lambda sql, values: connection.execute(sql.replace("?", "%s").encode(), values).fetchall()

    def sizes(self, url: str) -> dict[str, int]:
        """Its tables with their indexes, and what is too long for a row."""
        sql = """
            SELECT relname, pg_total_relation_size(oid) FROM pg_class
            WHERE relnamespace = 'clickmeter'::regnamespace AND relkind = 'r' ORDER BY 2 DESC
        """
        with self.asking(url) as ask:
            return {name: size for name, size in ask(sql, ())}  # noqa: C416 - rows are of Any


def connected(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url, autocommit=True, options="-c search_path=clickmeter")


@contextmanager
def sqlite() -> Iterator[Engine]:
    yield Sqlite()


@contextmanager
def postgres() -> Iterator[Engine]:
    # Beside the bench's other files, which PostgreSQL's own user may not enter when root runs it.
    with tempfile.TemporaryDirectory(prefix="clickmeter-bench-postgres-") as place:
        cluster = Cluster(Path(place), **POSTGRES_OPTIONS)
        cluster.create()
        cluster.start()
        try:
            yield Postgres(cluster)
        finally:
            cluster.stop()


class Chdb:
    """ClickHouse in the bench's own process; see `bench.apart`."""

    def version(self) -> tuple[str, str]:
        return "chDB", f"{version('chdb-core')} (chdb {version('chdb')})"


ENGINES = {"sqlite": sqlite, "postgres": postgres}


def engine_named(name: str) -> AbstractContextManager[Engine]:
    """An engine that is ready; ValueError for a name that is none."""
    if name not in ENGINES:
        raise ValueError(f"There is no engine {name!r}; ENGINE is one of {', '.join(ENGINES)}.")
    return ENGINES[name]()
