"""The stores of one database without a server: events put in, rolled up and asked about directly, for speed."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from contextlib import closing
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec
from histories import expected_answer, parameters

from clickmeter.ingest.accept import Arrival, accept
from clickmeter.ingest.envelope import decode
from clickmeter.ingest.geo import NOWHERE
from clickmeter.ingest.user_agent import describe
from clickmeter.model import Batch, Property
from clickmeter.query.query import parse
from clickmeter.reporting import Answerer, exported
from clickmeter.segments.roller import Roller
from clickmeter.storage.open import open_events, open_metadata, open_rollups

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clickmeter.model import Event
    from clickmeter.storage.protocol import EventStore, RolledEvents

NUMBERS = defaultdict[str, Any](count)
"""Of the properties of each database: shards go by their ids, which must not depend on the tests before."""
CACHE_MB = 1
CURSOR_KEY = bytes(32)
RECEIVED_AT = 1_780_000_000_000
"""After every history, so that no timestamp is of the future."""
SECONDS = 60

Question = tuple[str, dict[str, Any]]


class EventStores:
    """Properties and events; `answerer` stays what it is while others work on them, as a server's processes do."""

    def __init__(self, url: str, events_url: str | None = None) -> None:
        """`events_url` is where events are, if apart."""
        self.url = url
        self.events_url = events_url or url
        self.open()

    def open(self) -> None:
        self.metadata = open_metadata(self.url)
        self.events = self.opened_events()
        self.answerer = Answerer(self.events_url, metadata_url=self.url, cache_mb=CACHE_MB)

    def opened_events(self) -> EventStore:
        return open_events(self.events_url, metadata_url=self.url, server_writes=True)

    def close(self) -> None:
        for opened in (self.answerer, self.events, self.metadata):
            opened.close()

    def reopen(self) -> None:
        self.close()
        self.open()

    def new_property(self, timezone: str = "UTC") -> Property:
        property_ = Property(id=f"p{next(NUMBERS[self.url])}", name="Test", timezone=timezone, created_at=0)
        self.metadata.create_property(property_, [])
        return property_

    def delete(self, property_: Property) -> None:
        """Delete a property with all its events."""
        assert self.metadata.delete_property(property_.id, now=RECEIVED_AT)
        while self.events.purge(limit=1_000):
            pass

    def append(self, property_: Property, sent: Iterable[list[dict[str, Any]]]) -> None:
        """Store batches as the server would, one transaction each."""
        for batch in sent:
            self.events.append([Batch(property_.id, self.accepted(property_, batch))])

    def accepted(self, property_: Property, sent: list[dict[str, Any]]) -> list[Event]:
        """The rows of a batch without faults."""
        agent = describe("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
        arrival = Arrival(property_, RECEIVED_AT, agent, language=None, place=NOWHERE, prefetch=False)
        outcome = accept(decode(json.dumps({"events": sent}).encode()).events, arrival)
        assert outcome.accepted == len(sent)
        return outcome.events

    def stored(self, property_: Property) -> list[dict[str, Any]]:
        """Every raw event as the export shows it."""
        page = self.events.export(property_.id, after=0, limit=100_000)
        return [json.loads(msgspec.json.encode(exported(event))) for _, event in page]

    def ask(self, property_: Property, endpoint: str, asked: dict[str, Any]) -> dict[str, Any]:
        """The body of a report."""
        now = time.time_ns() // 1_000_000
        query = parse(endpoint, parameters(asked), property_, now=now, cursor_key=CURSOR_KEY)
        body = self.answerer.body(query, now=now, cursor_key=CURSOR_KEY, seconds=SECONDS)
        decoded: dict[str, Any] = json.loads(msgspec.json.encode(body))
        return decoded

    def pages(self, property_: Property, endpoint: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
        """The bodies of a report's first pages, up to three of them."""
        bodies = [self.ask(property_, endpoint, asked)]
        while (cursor := bodies[-1]["meta"]["next_cursor"]) and len(bodies) < 3:
            bodies[-1]["meta"]["next_cursor"] = True
            bodies.append(self.ask(property_, endpoint, asked | {"cursor": cursor}))
        bodies[-1]["meta"]["next_cursor"] = bodies[-1]["meta"]["next_cursor"] and True
        return bodies

    def check(self, property_: Property, asked: Sequence[Question]) -> None:
        """Every answer is what the oracle counts from the raw events, the order of keys included."""
        stored = self.stored(property_)
        for endpoint, question in asked:
            for number, body in enumerate(self.pages(property_, endpoint, question)):
                expected = expected_answer(
                    stored,
                    endpoint,
                    question,
                    property_id=property_.id,
                    timezone=property_.timezone,
                    offset=number * question.get("limit", 0),
                )
                assert body == expected, (endpoint, question)
                assert json.dumps(body) == json.dumps(expected)


class Stores(EventStores):
    """A database whose events are rolled up by `roller`."""

    events: RolledEvents

    def opened_events(self) -> RolledEvents:
        return open_events(self.url, server_writes=True)

    def open(self) -> None:
        super().open()
        self.rollups = open_rollups(self.url, self.events)
        self.roller = Roller(self.events, self.rollups)

    def close(self) -> None:
        """End in order, as a server does."""
        self.roller.end()
        self.abandon()

    def abandon(self) -> None:
        """End as if everything had been killed."""
        self.rollups.close()
        super().close()

    def roll(self, steps: int | None = None) -> None:
        """Take so many steps, or all there are to take."""
        while steps is None or steps:
            if not self.roller.step().more:
                return
            steps = None if steps is None else steps - 1

    def watermark(self) -> int:
        with self.rollups.snapshot() as watermark:
            return watermark

    def behind(self) -> int:
        """How many events are not rolled up, as any process would find that opens the rollups now."""
        with closing(open_rollups(self.url, self.events)) as rollups:
            return len(self.events.arrivals(["ts"], after=rollups.statistics().watermark, limit=100_000))
