"""What tests of moving share: a database with one of everything, what two databases hold, and the command itself."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from click.testing import CliRunner

from clickmeter import keys
from clickmeter.cli import commands
from clickmeter.model import Batch, Event, Property, Rejections
from clickmeter.moving import move
from clickmeter.moving.end import opened_destination, opened_source
from clickmeter.storage.open import open_events, open_metadata
from clickmeter.storage.protocol import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from click.testing import Result

    from clickmeter.moving.end import End
    from clickmeter.storage.protocol import MetadataStore, Progress
    from clickmeter.worker import Urls

DAY_MS = 86_400_000
NOW = 20_540 * DAY_MS
"""In 2026, and not ahead of any clock."""
SECONDS = 120
KINDS: list[Any] = [
    lambda n: f"018f{n:04x}-0000-7000-8000-{n:012x}",
    lambda n: f"01HRZ000000000000000{n:06}",
    lambda n: f"free form {n} ä",
]
SHOP, BLOG, GONE = "shop", "blog", "gone"


def event(number: int, **fields: Any) -> Event:
    """An event no two of whose columns say the same: nothing of it can be derived from the rest."""
    chosen = random.Random(number)
    texts = {
        name: chosen.choice([None, f"{name} {chosen.randrange(4)}", "ä\N{PILE OF POO}'\"\\%"])
        for name in Event.__struct_fields__[4:]
        if name not in ("bot", "data", "extra", "daily")
    }
    values: dict[str, Any] = {
        "event_id": KINDS[number % len(KINDS)](number),
        "type": chosen.choice(["pageview", "pageview", "signup"]),
        "ts": NOW - chosen.randrange(40 * DAY_MS),
        "received_at": NOW + number,
        **texts,
        "visitor_id": chosen.choice([None, f"v{chosen.randrange(20)}"]),
        "session_id": chosen.choice([None, f"s{chosen.randrange(40)}"]),
        "url": chosen.choice([None, "https://other.example/not?the=path", "https://hostname 1path 2?x"]),
        "bot": chosen.random() < 0.1,
        "data": chosen.choice([None, '{"plan":"pro","n":1}', '{"n":1.50}']),
        "extra": chosen.choice([None, '{"b":1,"a":[null]}']),
        "daily": chosen.random() < 0.2,
    }
    return Event(**(values | fields))


def events_of(urls: Urls) -> AbstractContextManager[Any]:
    """The events at an end, opened; `Any`, since tests of engines with rollups ask for more than others have."""
    return closing(open_events(urls.events, metadata_url=urls.database))


def metadata_of(urls: Urls) -> AbstractContextManager[MetadataStore]:
    return closing(open_metadata(urls.database))


def fill(urls: Urls, *, events: int = 300) -> None:
    """One of everything that a database may hold."""
    with metadata_of(urls) as metadata, events_of(urls) as store:
        metadata.create_key(keys.new_key("admin", None, now=1).key)
        for id_, fields in (
            (SHOP, {"timezone": "Asia/Kathmandu", "allowed_origins": ("https://a.example",), "tokens_only": True}),
            (BLOG, {"identity": "cookieless", "retention_days": 36_000, "bots": "drop"}),
            (GONE, {"ip": "full"}),
        ):
            made = [keys.new_key("write", id_, now=2), keys.new_key("read", id_, now=3)]
            made.append(keys.new_signing_key(id_, now=4, server_secrets=()))
            metadata.create_property(
                msgspec.convert({"id": id_, "name": f"{id_} ä", "created_at": 5, **fields}, Property),
                [one.key for one in made],
            )
            metadata.revoke_key(made[1].key.id, now=6)
            metadata.count_rejections([Rejections(id_, "2026-03-27", "invalid_field", 3)], keep_from="2026-01-01")
            metadata.salt(id_, "2026-03-27", now=NOW)
        for name in ("cursor", "visitor"):
            metadata.secret(name)
        append(store, range(events))
        erase(store, SHOP, "v3", now=NOW)
        metadata.delete_property(GONE, now=7)


def append(store: Any, numbers: Sequence[int], *, at_once: int = 40) -> None:
    """Store events of three properties in turn, a few at a time."""
    for at in range(0, len(numbers), at_once):
        batches: dict[str, list[Event]] = {}
        for number in numbers[at : at + at_once]:
            batches.setdefault((SHOP, BLOG, GONE)[number % 3], []).append(event(number))
        store.append([Batch(id_, found) for id_, found in batches.items()])


def erase(store: Any, property_id: str, visitor_id: str, *, now: int) -> None:
    assert store.mark_erased(property_id, visitor_id, now=now)
    after = BEGINNING
    while True:
        step = store.erase(property_id, visitor_id, erased_at=now, after=after, limit=100)
        if step.after is None:
            return
        after = step.after


def held(urls: Urls) -> tuple[Any, dict[str, list[Event]]]:
    """What a database holds: everything beside the events, and those of each property in the order of arrival."""
    with metadata_of(urls) as metadata, events_of(urls) as events:
        contents = metadata.contents(salts=False)
        live = [one.property.id for one in contents.properties if one.deleted_at is None]
        return contents, {id_: [found for _, found in events.export(id_, after=0, limit=10**7)] for id_ in live}


@contextmanager
def watch(_: str) -> Iterator[Progress]:
    yield lambda done, total: None


@contextmanager
def ends(source: Urls, destination: Urls) -> Iterator[tuple[End, End]]:
    with opened_source(source) as old, opened_destination(destination) as new:
        yield old, new


def copy(source: Urls, destination: Urls) -> None:
    with ends(source, destination) as (old, new):
        move.copy(old, new, watch)


def finish(source: Urls, destination: Urls) -> None:
    with ends(source, destination) as (old, new):
        move.finish(old, new, watch)


def words_of(source: Urls, destination: Urls | None = None) -> list[str]:
    """How the command is told of the ends."""
    words = ["--from", source.database]
    if source.events != source.database:
        words += ["--from-events", source.events]
    if destination:
        words += ["--to", destination.database]
        if destination.events != destination.database:
            words += ["--to-events", destination.events]
    return words


def command(*words: str) -> Result:
    return CliRunner().invoke(commands, ["move", *words])


def process(*words: str) -> subprocess.Popen[bytes]:
    """The command in a process of its own, which may be killed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLICKMETER_")}
    return subprocess.Popen(
        [sys.executable, "-m", "clickmeter", "move", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
    )
