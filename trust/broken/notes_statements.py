"""Nothing is broken: every text that is handed to an engine as SQL is written down, once by each process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import apsw
import psycopg

from clickmeter.storage.clickhouse.connection import Connection

known: set[str] = set()
file = (Path(os.environ["CLICKMETER_TEST_STATEMENTS"]) / str(os.getpid())).open("a", encoding="utf-8")


def note(text: Any) -> None:
    shown = text.decode() if isinstance(text, bytes) else str(text)
    if shown not in known:
        known.add(shown)
        file.write(json.dumps(shown) + "\n")
        file.flush()


def traced(_: apsw.Cursor, text: str, __: Any) -> bool:
    note(text)
    return True


def watch(connection: apsw.Connection) -> None:
    connection.exec_trace = traced


def noting(method: Any) -> Any:
    def noted(self: Any, query: Any, *given: Any, **named: Any) -> Any:
        note(query)
        return method(self, query, *given, **named)

    return noted


apsw.connection_hooks.append(watch)
for kind, names in (
    (psycopg.Cursor, ("execute", "executemany", "copy")),
    (psycopg.ServerCursor, ("execute",)),
    (Connection, ("rows", "command")),
):
    for name in names:
        setattr(kind, name, noting(getattr(kind, name)))
