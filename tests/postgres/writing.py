"""What tests of the storage's write side share: events with given ids, and processes that store them."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from clickmeter.model import Batch, Event, Property
from clickmeter.storage.open import open_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PROPERTY = "site"
SECONDS = 120
DAY_MS = 86_400_000
TS = 20_000 * DAY_MS


def event(event_id: str, title: str | None = None) -> Event:
    return Event(event_id=event_id, type="pageview", ts=TS, received_at=TS, path="/", title=title, visitor_id=event_id)


def batch(ids: Iterable[str], title: str | None = None) -> Batch:
    return Batch(PROPERTY, [event(id_, title) for id_ in ids])


def new_property(url: str, id_: str = PROPERTY) -> None:
    with closing(open_metadata(url)) as metadata:
        metadata.create_property(Property(id=id_, name="Test", created_at=0), [])


def run_all(program: str, arguments: Sequence[Sequence[str]]) -> list[list[str]]:
    """Run a program in as many processes at once; the lines that each of them printed."""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    with ExitStack() as running:
        processes = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", program, *one], stdout=subprocess.PIPE, text=True, env=environment
                )
            )
            for one in arguments
        ]
        printed = [process.communicate(timeout=SECONDS)[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return printed


def query(url: str, sql: str) -> list[tuple[object, ...]]:
    """What a person with psql would see."""
    with psycopg.connect(url, autocommit=True, options="-c search_path=clickmeter") as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []
