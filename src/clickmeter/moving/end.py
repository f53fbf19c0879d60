"""One end of a move: its stores, opened, and how it is spoken of."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from clickmeter.errors import Refusal
from clickmeter.reporting import Answerer
from clickmeter.segments.roller import Roller
from clickmeter.storage.open import (
    engine_of,
    is_server_running,
    lock_server,
    open_events,
    open_metadata,
    open_rollups,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickmeter.storage.protocol import EventStore, MetadataStore, Progress, RolledEvents, RollupStore
    from clickmeter.worker import Urls

PASSWORD = re.compile(r"([?&])password=[^&]*&?")
HOLD_SECONDS = 10
LOOK_SECONDS = 0.2
CACHE_MB = 192
LOCK = "move"


class Rolled(NamedTuple):
    """Events that are rolled up, whose removals are numbered, and the rollups."""

    events: RolledEvents
    rollups: RollupStore


class End(NamedTuple):
    """A database with its stores."""

    urls: Urls
    metadata: MetadataStore
    events: EventStore
    rolled: Rolled | None = None
    """The same events, where rollups are made of them."""

    @property
    def name(self) -> str:
        """Where it is, without passwords."""
        database, events = map(shown, self.urls)
        return database if events == database else f"{database} with {events}"

    def answerer(self) -> Answerer:
        """What answers reports of it."""
        return Answerer(self.urls.events, metadata_url=self.urls.database, cache_mb=CACHE_MB)

    def roll_up(self, told: Progress) -> None:
        """Roll up every event there is."""
        if self.rolled is None:
            return
        if self.rolled.rollups.elect() is None:
            raise served(self.name)
        roller, target = Roller(*self.rolled), self.events.last_position()
        while roller.step().more:
            told(roller.watermark, target)
        roller.renew()
        roller.end()

    def roll_up_unserved(self, told: Progress) -> None:
        """The same for a source, unless it has a server that does."""
        if self.rolled is not None and not is_server_running(self.urls.database):
            with closing(lock_server(self.urls.database)):
                self.roll_up(told)


@contextmanager
def opened_source(urls: Urls) -> Iterator[End]:
    """The end to move from, which must be there, and may be served."""
    engine_of(urls.database).require_store(urls.database)
    with opened(urls) as end:
        yield end


@contextmanager
def opened_destination(urls: Urls) -> Iterator[End]:
    """The end to move to, made when it is not there, and kept from others: neither a server nor a second move."""
    with closing(lock_server(urls.database)), opened(urls, writes=True) as end:
        if end.rolled is None:
            with held(end):
                yield end
        else:
            hold(end.rolled.rollups, end.name)
            yield end


@contextmanager
def opened(urls: Urls, *, writes: bool = False) -> Iterator[End]:
    with ExitStack() as stores:
        metadata = stores.enter_context(closing(open_metadata(urls.database)))
        if urls.events != urls.database:
            apart = stores.enter_context(closing(open_events(urls.events, metadata_url=urls.database)))
            yield End(urls, metadata, apart)
            return
        events = stores.enter_context(closing(open_events(urls.database, server_writes=writes)))
        rollups = stores.enter_context(closing(open_rollups(urls.database, events)))
        yield End(urls, metadata, events, Rolled(events, rollups))


@contextmanager
def held(end: End) -> Iterator[None]:
    """Keep other moves away, where no rollups are there to be elected for."""
    with ExitStack() as lock:
        try:
            lock.enter_context(end.metadata.exclusive(LOCK))
        except Refusal:
            raise served(end.name) from None
        yield


def hold(rollups: RollupStore, name: str) -> None:
    """Keep others away for as long as the rollups are open; raises when somebody is at work."""
    give_up_at = time.monotonic() + HOLD_SECONDS
    while rollups.elect() is None:
        # What a killed process held is let go of when the database notices.
        if time.monotonic() > give_up_at:
            raise served(name)
        time.sleep(LOOK_SECONDS)


def served(name: str) -> Refusal:
    return Refusal("store_unavailable", f"A server, or another move, is at work on {name}; stop it first.")


def shown(url: str) -> str:
    """A URL without its password."""
    scheme, separator, rest = PASSWORD.sub(r"\1", url).partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    return f"{scheme}{separator}{user.partition(':')[0]}{at}{host}{slash}{path}"
