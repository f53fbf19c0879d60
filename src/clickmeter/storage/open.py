"""From a database URL to its stores: the one place that knows which engines there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from clickmeter.errors import Refusal
from clickmeter.storage.clickhouse import engine as clickhouse
from clickmeter.storage.sqlite import engine as sqlite

if TYPE_CHECKING:
    from clickmeter.storage.protocol import CountingStore, EventStore, MetadataStore, RollupStore


class Lock(Protocol):
    def release(self) -> None: ...


class Engine(Protocol):
    """What an engine's folder offers: its stores at a URL, and the lock of a server of that URL."""

    MANY_SERVERS: bool
    """Whether several servers may share one database."""

    def open_metadata(self, url: str) -> MetadataStore: ...

    def open_events(self, url: str, *, server_writes: bool) -> EventStore: ...

    def open_rollups(self, url: str, events: EventStore) -> RollupStore: ...

    def lock_server(self, url: str) -> Lock: ...

    def is_server_running(self, url: str) -> bool: ...


class EventEngine(Protocol):
    """What the folder of an engine offers that keeps events alone: properties and keys are in another database."""

    def open_events(self, url: str, metadata: MetadataStore, *, server_writes: bool) -> EventStore: ...

    def open_counting(self, url: str) -> CountingStore: ...

    def is_of_one_process(self, url: str) -> bool: ...


ENGINES: dict[str, Engine] = {"sqlite": sqlite}
EVENT_ENGINES: dict[str, EventEngine] = {"clickhouse": clickhouse, "clickhouses": clickhouse, "chdb": clickhouse}


def scheme_of(url: str) -> str:
    return url.partition(":")[0]


def keeps_events_alone(url: str) -> bool:
    """Whether the engine of a URL keeps events and nothing else; it counts them itself, without rollups."""
    return scheme_of(url) in EVENT_ENGINES


def is_of_one_process(events_url: str) -> bool:
    """Whether whatever stores and counts these events has to be in one process."""
    return keeps_events_alone(events_url) and EVENT_ENGINES[scheme_of(events_url)].is_of_one_process(events_url)


def engine_of(url: str) -> Engine:
    """The engine a URL names by its scheme; ``store_unavailable`` for one that is not known."""
    scheme = scheme_of(url)
    if scheme in EVENT_ENGINES:
        sentence = f"{scheme}: keeps events alone; make it CLICKMETER_EVENTS_URL, beside a CLICKMETER_DATABASE_URL."
        raise Refusal("store_unavailable", sentence)
    if scheme not in ENGINES:
        raise Refusal("store_unavailable", f"There is no engine for {scheme}: URLs; known are {', '.join(ENGINES)}.")
    return ENGINES[scheme]


def open_metadata(url: str) -> MetadataStore:
    """Properties and keys at `url`, migrated; ``store_unavailable`` with one sentence when that is impossible."""
    return engine_of(url).open_metadata(url)


def open_events(url: str, *, metadata_url: str | None = None, server_writes: bool = False) -> EventStore:
    """Events at `url`, migrated; ``store_unavailable`` with one sentence when that is impossible.

    `metadata_url` is where their properties are, if elsewhere. `server_writes` is for the one process of a server that
    stores events.
    """
    if metadata_url in (None, url):
        return engine_of(url).open_events(url, server_writes=server_writes)
    if not keeps_events_alone(url):
        names = ", ".join(EVENT_ENGINES)
        sentence = f"Events apart from the rest are kept in {names} only; leave CLICKMETER_EVENTS_URL out otherwise."
        raise Refusal("store_unavailable", sentence)
    assert metadata_url is not None
    return EVENT_ENGINES[scheme_of(url)].open_events(url, open_metadata(metadata_url), server_writes=server_writes)


def open_counting(url: str) -> CountingStore:
    """The events at `url`, to be counted by their engine, which is one that keeps events alone."""
    return EVENT_ENGINES[scheme_of(url)].open_counting(url)


def open_rollups(url: str, events: EventStore) -> RollupStore:
    """The rollups of the events at `url`; emptied when they are of others."""
    return engine_of(url).open_rollups(url, events)


def allows_many_servers(url: str) -> bool:
    """Whether several servers may share the database at `url`."""
    return engine_of(url).MANY_SERVERS


def is_server_running(url: str) -> bool:
    """Whether a server keeps the rollups of `url` up to date now."""
    return engine_of(url).is_server_running(url)


def lock_server(url: str) -> Lock:
    """Become the server of `url` until released; ``store_unavailable`` when its engine allows one and there is one."""
    return engine_of(url).lock_server(url)
