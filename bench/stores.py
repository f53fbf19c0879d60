"""Stores of any size: a year of visits, the same in every run but for the day it ends on.

They are filled through the engine, not over HTTP. Every event has an id as its client would have made it: a UUIDv7 of
its own time, or a UUIDv4.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.traffic import AGENTS, CAMPAIGNS, HOST, PAGES, PLACES, REFERRERS, SitePage, campaign_id, site_page
from clickmeter import keys
from clickmeter.model import Batch, Event, Property
from clickmeter.storage.open import open_events, open_metadata
from clickmeter.storage.rows import STORED_AS_THEY_ARE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from bench.engines import Engine
    from bench.identifiers import IdKind

SEED = 20_260_124
DAYS = 365
DAY_MS = 86_400_000
EVENTS_PER_SESSION = 4
SESSION_MS = 600_000
NEW_VISITOR = 0.7
"""Share of sessions by somebody new; the others are Zipf-like by somebody who came before."""
CAMPAIGN_SHARE = 0.3
TRANSACTION_EVENTS = 250_000
TEXTS = [name for name in STORED_AS_THEY_ARE if name not in ("ts", "received_at", "bot", "daily")]


class Store(NamedTuple):
    """A database with its first property, and the keys to all of it. `events` is how many it was filled with."""

    engine: Engine
    url: str
    property_id: str
    write_key: str
    admin_key: str
    events: int = 0

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self.engine.asking(self.url) as ask:
            return ask(sql, values)

    def count_after(self, position: int) -> int:
        """How many events arrived after the one at a position."""
        [(count,)] = self.rows("SELECT count(*) FROM events WHERE id > ?", (position,))
        return int(count)

    def last_position(self) -> int:
        [(last,)] = self.rows("SELECT max(id) FROM events")
        return last or 0

    def text_bytes(self) -> float:
        """The mean text of an event, its id apart, over those that are newest."""
        lengths = " + ".join(f"coalesce(length({name}), 0)" for name in TEXTS)
        newest = "SELECT * FROM events ORDER BY id DESC LIMIT 10000"
        [(mean,)] = self.rows(f"SELECT avg({lengths}) FROM ({newest}) AS newest")
        return float(mean)


def property_name(number: int) -> str:
    return f"bench_{number:04d}"


def new_store(engine: Engine, directory: Path, *, properties: int = 1) -> Store:
    """An empty store with so many properties; the first one has a write key."""
    directory.mkdir()
    now = time.time_ns() // 1_000_000
    first = property_name(0)
    write, admin = keys.new_key("write", first, now=now), keys.new_key("admin", None, now=now)
    store = Store(engine, engine.new_database(directory), first, write.text, admin.text)
    with closing(open_metadata(store.url)) as metadata:
        for number in range(properties):
            made = Property(id=property_name(number), name="Bench", created_at=now)
            metadata.create_property(made, [write.key] if number == 0 else [])
        metadata.create_key(admin.key)
    return store


def filled_store(
    engine: Engine,
    directory: Path,
    events: int,
    *,
    ids: IdKind = "v7",
    properties: int = 1,
    on_progress: Callable[[int], None],
) -> Store:
    """A store with `events` events of the year before now; with many properties each gets as many."""
    store = new_store(engine, directory, properties=properties)
    end = time.time_ns() // 1_000_000
    done = 0
    with closing(open_events(store.url, server_writes=True)) as writer:
        for listed in year(events, end=end, ids=ids):
            for at in range(0, len(listed), engine.events_at_once):
                writer.append(batches(listed[at : at + engine.events_at_once], properties))
            done += len(listed)
            on_progress(done)
    return store._replace(events=done)


def copied_store(engine: Engine, directory: Path, store: Store) -> Store:
    """A store with the events of another one's first property."""
    made = new_store(engine, directory)
    position = 0
    with closing(open_events(store.url)) as reader, closing(open_events(made.url, server_writes=True)) as writer:
        while page := reader.export(store.property_id, after=position, limit=engine.events_at_once):
            writer.append([Batch(made.property_id, [event for _, event in page])])
            position = page[-1][0]
    return made._replace(events=made.count_after(0))


def add_distinct_paths(store: Store, property_id: str, count: int) -> None:
    """So many more events of one property, within the 24 hours before now, no two of them on the same path."""
    end = time.time_ns() // 1_000_000
    path = 0
    with closing(open_events(store.url, server_writes=True)) as writer:
        for listed in year(count, end=end, ids="v7", days=1):
            for event in listed:
                path += 1
                event.path = f"/search/results/{scattered(path):016x}"
                event.url = f"https://{HOST}{event.path}"
            for at in range(0, len(listed), store.engine.events_at_once):
                writer.append([Batch(property_id, listed[at : at + store.engine.events_at_once])])


def batches(listed: list[Event], properties: int) -> list[Batch]:
    return [Batch(property_name(number), listed[number::properties]) for number in range(properties)]


def year(events: int, *, end: int, ids: IdKind, days: int = DAYS) -> Iterator[list[Event]]:
    """The events of a year, or of so many days, in order of time, in lists that fit one transaction.

    Sessions overlap: each event belongs to one of those that are going on within ten minutes.
    """
    at_once = max(1, events * SESSION_MS // (days * DAY_MS * EVENTS_PER_SESSION))
    block = at_once * EVENTS_PER_SESSION
    size = max(1, TRANSACTION_EVENTS // block) * block
    parts = Parts(visitors=max(1, events // EVENTS_PER_SESSION))
    for first in range(0, events, size):
        count = min(size, events - first)
        rows = np.arange(first, first + count)
        chance = np.random.default_rng((SEED, first))
        sessions = rows // block * at_once + chance.integers(0, at_once, count)
        spacing = days * DAY_MS / events
        ts = end - days * DAY_MS + (rows * spacing + chance.random(count) * spacing).astype(np.int64)
        yield parts.events(ts.tolist(), sessions, ids_at(ts, chance, ids), chance)


def ids_at(ts: np.ndarray[tuple[int], np.dtype[np.int64]], chance: np.random.Generator, kind: IdKind) -> list[str]:
    """Ids of their kind for events at these instants. Random ones are sorted, which only makes storing them faster."""
    noise = chance.bytes(16 * len(ts)).hex()
    pieces = [noise[at : at + 32] for at in range(0, len(noise), 32)]
    if kind == "v4":
        return [f"{p[:8]}-{p[8:12]}-4{p[13:16]}-8{p[17:20]}-{p[20:]}" for p in sorted(pieces)]
    hours = [f"{t:012x}" for t in ts.tolist()]
    return [f"{t[:8]}-{t[8:]}-7{p[:3]}-8{p[3:6]}-{p[6:18]}" for t, p in zip(hours, pieces, strict=True)]


class Parts:
    """What events are put together from, made once."""

    def __init__(self, *, visitors: int) -> None:
        self._visitors = visitors
        self._pages: Sequence[SitePage] = [site_page(number) for number in range(PAGES)]
        self._campaigns = [(campaign_id(n), f"spring-{n:02d}") for n in range(CAMPAIGNS)]

    def events(
        self,
        instants: list[int],
        sessions: np.ndarray[tuple[int], np.dtype[np.int64]],
        ids: list[str],
        chance: np.random.Generator,
    ) -> list[Event]:
        count = len(instants)
        pages = (PAGES ** chance.random(count) - 1).astype(np.int64).tolist()
        kinds = chance.random(count) < 0.9
        rows = zip(ids, instants, pages, kinds.tolist(), sessions.tolist(), strict=True)
        visits = {number: self._visit(number) for number in np.unique(sessions).tolist()}
        return [self._event(id_, ts, self._pages[page], visits[s], pageview) for id_, ts, page, pageview, s in rows]

    def _visit(self, session: int) -> Visit:
        """What all events of a session have in common: a function of its number."""
        mixed = scattered(session)
        returning = (mixed & 0xFFFF) / 0x10000 >= NEW_VISITOR
        visitor = int(self._visitors ** ((mixed >> 16 & 0xFFFF) / 0x10000)) if returning else session
        other = scattered(visitor + 1)
        campaign = None
        if (mixed >> 32 & 0xFFFF) / 0x10000 < CAMPAIGN_SHARE:
            campaign = self._campaigns[int(CAMPAIGNS ** ((mixed >> 48) / 0x10000)) - 1]
        return Visit(
            f"v_{other:016x}",
            f"s_{mixed:016x}",
            AGENTS[other % 4],
            PLACES[other >> 2 & 3],
            REFERRERS[mixed & 3],
            campaign,
        )

    def _event(self, id_: str, ts: int, page: SitePage, visit: Visit, pageview: bool) -> Event:  # noqa: FBT001 - a row
        referrer, referrer_host, source = visit.referrer
        campaign, name = visit.campaign or (None, None)
        browser, system, device, _ = visit.agent
        language, country = visit.place
        return Event(
            event_id=id_,
            type="pageview" if pageview else "add_to_cart",
            ts=ts,
            received_at=ts,
            visitor_id=visit.visitor_id,
            session_id=visit.session_id,
            url=page.url,
            path=page.path,
            title=page.title,
            referrer=referrer,
            campaign_id=campaign,
            utm_source="newsletter" if campaign else None,
            utm_medium="email" if campaign else None,
            utm_campaign=name,
            hostname=HOST,
            referrer_host=referrer_host,
            source="newsletter" if campaign else source,
            browser=browser,
            os=system,
            device=device,
            language=language,
            country=country,
            data=page.data,
        )


class Visit(NamedTuple):
    visitor_id: str
    session_id: str
    agent: tuple[str, str, str, str]
    place: tuple[str, str]
    referrer: tuple[str | None, str | None, str | None]
    campaign: tuple[str, str] | None


def scattered(number: int) -> int:
    """64 bits in which nothing of the number's order is left (SplitMix64)."""
    mask = (1 << 64) - 1
    z = (number * 0x9E3779B97F4A7C15 + SEED) & mask
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
    return z ^ z >> 31
