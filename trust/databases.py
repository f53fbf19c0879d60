"""The engines on trial: how a new, empty database of each is made, as the arguments of a server of it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Protocol

import cluster
from service import chdb_url, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator


class Database(Protocol):
    def new(self, directory: Path) -> dict[str, Any]:
        """Where a server keeps everything: a database that does not exist yet; files go into the directory."""
        ...


class Sqlite:
    def new(self, directory: Path) -> dict[str, Any]:
        return {"database_url": sqlite_url(Path(mkdtemp(dir=directory)))}


class Postgres:
    """Databases of one server, which ends with the trial."""

    def __init__(self, server: cluster.Cluster) -> None:
        self.server = server

    def new(self, directory: Path) -> dict[str, Any]:
        del directory  # it has no files there
        return {"database_url": cluster.create_database(self.server.url("postgres"))}


class Chdb:
    """Events in chDB, everything else in SQLite."""

    def new(self, directory: Path) -> dict[str, Any]:
        place = Path(mkdtemp(dir=directory))
        return {"database_url": sqlite_url(place), "events_url": chdb_url(place)}


@contextmanager
def sqlite() -> Iterator[Database]:
    yield Sqlite()


@contextmanager
def postgres() -> Iterator[Database]:
    with cluster.own() as server:
        yield Postgres(server)


@contextmanager
def chdb() -> Iterator[Database]:
    yield Chdb()


DATABASES = {"sqlite": sqlite, "postgres": postgres, "chdb": chdb}
