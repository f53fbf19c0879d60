"""Stores whose events are in ClickHouse: chDB in this process, or a server that is reached over HTTP."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING

import pytest
from stores import EventStores

from front import Front
from service import chdb_url, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def chdb_is_installed() -> None:
    if importlib.util.find_spec("chdb") is None:
        assert "CI" not in os.environ, "chdb is missing."
        pytest.skip("chdb is not installed")


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventStores]:
    """In chDB; one for all tests of this process, since it opens one directory at a time."""
    directory = tmp_path_factory.mktemp("chdb")
    opened = EventStores(sqlite_url(directory), chdb_url(directory))
    yield opened
    opened.close()


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    running = Front(tmp_path)
    yield running
    running.stop()
