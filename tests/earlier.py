"""Databases as earlier versions left them, one of every schema there has been, and what each of them was sent."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import psycopg

from clickmeter.storage.sqlite.file import path_of

PLACE = Path(__file__).parent / "data" / "schemas"
ZONES = {"shop": "Europe/Berlin", "blog": "UTC"}
"""The properties of each, with their time zones."""
KEYS: dict[str, dict[str, str]] = json.loads((PLACE / "keys.json").read_text())
"""The write keys of each, by property."""


def schemas(engine: str) -> list[str]:
    """Their names, oldest first: the engine, and the version of its schema."""
    return sorted(name for name in KEYS if name.startswith(f"{engine}-"))


def sent() -> dict[str, list[dict[str, Any]]]:
    """The events that each of them holds, by property."""
    found: dict[str, list[dict[str, Any]]] = json.loads(gzip.decompress((PLACE / "sent.json.gz").read_bytes()))
    return found


def fill(url: str, name: str) -> None:
    """Put the database, rollups included, where there is none yet."""
    if name.startswith("sqlite-"):
        for part in PLACE.glob(f"{name}.*.gz"):
            file = path_of(url) + part.name.removeprefix(f"{name}.db").removesuffix(".gz")
            Path(file).write_bytes(gzip.decompress(part.read_bytes()))
    else:
        with psycopg.connect(url) as connection:
            connection.execute(gzip.decompress((PLACE / f"{name}.sql.gz").read_bytes()))
