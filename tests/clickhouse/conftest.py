"""Stores whose events are in chDB, opened in this process."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING

import pytest
from stores import EventStores

from service import chdb_url, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventStores]:
    """One for all tests of this process, since chDB opens one directory at a time; each has properties of its own."""
    if importlib.util.find_spec("chdb") is None:
        assert "CI" not in os.environ, "chdb is missing."
        pytest.skip("chdb is not installed")
    directory = tmp_path_factory.mktemp("chdb")
    opened = EventStores(sqlite_url(directory), chdb_url(directory))
    yield opened
    opened.close()
