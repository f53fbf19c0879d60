"""From a database URL to its stores: the one place that knows which engines there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, overload

from clickmeter.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from clickmeter.storage.protocol import (
        CountingStore,
        EventStore,
        Finding,
        MetadataStore,
        Progress,
        RolledEvents,
        RollupStore,
    )


class Lock(Protocol):
    def close(self) -> None: ...


class Engine(Protocol):
    """What an engine's folder offers: its stores at a URL, and the lock of a server of that URL."""

    MANY_SERVERS: bool
    """Whether several servers may share one database."""

    def open_metadata(self, url: str) -> MetadataStore: ...

    def open_events(self, url: str, *, server_writes: bool) -> RolledEvents: ...

    def open_rollups(self, url: str, events: RolledEvents) -> RollupStore: ...

    def lock_server(self, url: str) -> Lock: ...

    def is_server_running(self, url: str) -> bool: ...

    def require_store(self, url: str) -> None:
        """Raise ``store_unavailable`` where no database is yet, instead of making one."""
        ...

    def backup(self, url: str, file: str, told: Progress) -> None:
        """Copy everything that is not derived to `file`, at one moment, while others work; it must not be there yet."""
        ...

    def restore(self, url: str, file: str, told: Progress) -> None:
        """Make a database from what `backup` made, checked first; there may be none at `url` yet."""
        ...

    def examine(self, url: str, *, deep: bool, now: int) -> Iterable[Finding]:
        """What an operator should know of the store; `deep` reads all of it. `now` is in ms."""
        ...

    def compact(self, url: str) -> None:
        """Leave nothing of removed events in the store, and give their space back; for the holder of the lock."""
        ...


class EventEngine(Protocol):
    """What the folder of an engine offers that keeps events alone: properties and keys are in another database."""

    def open_events(self, url: str, metadata: MetadataStore, *, server_writes: bool) -> EventStore: ...

    def open_counting(self, url: str) -> CountingStore: ...

    def is_of_one_process(self, url: str) -> bool: ...

    def examine(self, url: str) -> Iterable[Finding]:
        """What an operator should know of the events at `url`."""
        ...


def sqlite() -> Engine:
    from clickmeter.storage.sqlite import engine  # noqa: PLC0415 - see ENGINES

    return engine


def postgres() -> Engine:
    try:
        from clickmeter.storage.postgres import engine  # noqa: PLC0415 - see ENGINES
    except ImportError:
        raise Refusal(
            "store_unavailable", "PostgreSQL needs the library psycopg; run: pip install 'clickmeter[postgres]'."
        ) from None
    return engine


def clickhouse() -> EventEngine:
    try:
        from clickmeter.storage.clickhouse import engine  # noqa: PLC0415 - see ENGINES
    except ImportError:
        raise Refusal(
            "store_unavailable",
            "ClickHouse needs its client; run: pip install 'clickmeter[clickhouse]', or 'clickmeter[chdb]' for chDB.",
        ) from None
    return engine


ENGINES: dict[str, Callable[[], Engine]] = {"sqlite": sqlite, "postgresql": postgres, "postgres": postgres}
"""By the scheme of their URLs; each is imported when it is asked for, as its driver may not be installed."""
EVENT_ENGINES: dict[str, Callable[[], EventEngine]] = {
    "clickhouse": clickhouse,
    "clickhouses": clickhouse,
    "chdb": clickhouse,
}
"""The same for the URLs of events that are kept apart."""


def scheme_of(url: str) -> str:
    return url.partition(":")[0]


def keeps_events_alone(url: str) -> bool:
    """Whether the engine of a URL keeps events and nothing else; it counts them itself, without rollups."""
    return scheme_of(url) in EVENT_ENGINES


def is_of_one_process(events_url: str) -> bool:
    """Whether whatever stores and counts these events has to be in one process."""
    return keeps_events_alone(events_url) and EVENT_ENGINES[scheme_of(events_url)]().is_of_one_process(events_url)


def engine_of(url: str) -> Engine:
    """The engine a URL names by its scheme; ``store_unavailable`` for one that is not known."""
    scheme = scheme_of(url)
    if scheme in EVENT_ENGINES:
        sentence = f"{scheme}: keeps events alone; make it CLICKMETER_EVENTS_URL, beside a CLICKMETER_DATABASE_URL."
        raise Refusal("store_unavailable", sentence)
    if scheme not in ENGINES:
        raise Refusal("store_unavailable", f"There is no engine for {scheme}: URLs; known are {', '.join(ENGINES)}.")
    return ENGINES[scheme]()


def open_metadata(url: str) -> MetadataStore:
    """Properties and keys at `url`, migrated; ``store_unavailable`` with one sentence when that is impossible."""
    return engine_of(url).open_metadata(url)


@overload
def open_events(url: str, *, server_writes: bool = False) -> RolledEvents: ...


@overload
def open_events(url: str, *, metadata_url: str | None, server_writes: bool = False) -> EventStore: ...


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
    return EVENT_ENGINES[scheme_of(url)]().open_events(url, open_metadata(metadata_url), server_writes=server_writes)


def examine_events(url: str) -> Iterable[Finding]:
    """What an operator should know of events that are kept apart, at `url`."""
    return EVENT_ENGINES[scheme_of(url)]().examine(url)


def open_counting(url: str) -> CountingStore:
    """The events at `url`, to be counted by their engine, which is one that keeps events alone."""
    return EVENT_ENGINES[scheme_of(url)]().open_counting(url)


def open_rollups(url: str, events: RolledEvents) -> RollupStore:
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
