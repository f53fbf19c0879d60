"""One end of a move: its stores, opened, and how it is spoken of."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from clickmeter.errors import Refusal
from clickmeter.segments.roller import Roller
from clickmeter.storage.open import engine_of, is_server_running, lock_server, open_events, open_metadata, open_rollups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickmeter.storage.protocol import EventStore, MetadataStore, Progress, RollupStore

PASSWORD = re.compile(r"([?&])password=[^&]*&?")
HOLD_SECONDS = 10
LOOK_SECONDS = 0.2


class End(NamedTuple):
    """A database with its stores. `name` is its URL without a password."""

    url: str
    name: str
    metadata: MetadataStore
    events: EventStore
    rollups: RollupStore

    def roll_up(self, told: Progress) -> None:
        """Roll up every event there is."""
        if self.rollups.elect() is None:
            raise served(self.name)
        roller, target = Roller(self.events, self.rollups), self.events.last_position()
        while roller.step().more:
            told(roller.watermark, target)
        roller.renew()
        roller.end()

    def roll_up_unserved(self, told: Progress) -> None:
        """The same for a source, unless it has a server that does."""
        if not is_server_running(self.url):
            with closing(lock_server(self.url)):
                self.roll_up(told)

    def hold(self) -> None:
        """Keep others from this destination; raises when somebody is at work on it."""
        give_up_at = time.monotonic() + HOLD_SECONDS
        while self.rollups.elect() is None:
            # What a killed process held is let go of when the database notices.
            if time.monotonic() > give_up_at:
                raise served(self.name)
            time.sleep(LOOK_SECONDS)


@contextmanager
def opened_source(url: str) -> Iterator[End]:
    """The end to move from, which must be there, and may be served."""
    engine_of(url).require_store(url)
    with (
        closing(open_metadata(url)) as metadata,
        closing(open_events(url)) as events,
        closing(open_rollups(url, events)) as rollups,
    ):
        yield End(url, shown(url), metadata, events, rollups)


@contextmanager
def opened_destination(url: str) -> Iterator[End]:
    """The end to move to, made when it is not there, and kept from others: neither a server nor a second move."""
    with ExitStack() as stores:
        stores.enter_context(closing(lock_server(url)))
        metadata = stores.enter_context(closing(open_metadata(url)))
        events = stores.enter_context(closing(open_events(url, server_writes=True)))
        rollups = stores.enter_context(closing(open_rollups(url, events)))
        end = End(url, shown(url), metadata, events, rollups)
        end.hold()
        yield end


def served(name: str) -> Refusal:
    return Refusal("store_unavailable", f"A server, or another move, is at work on {name}; stop it first.")


def shown(url: str) -> str:
    """A URL without its password."""
    scheme, separator, rest = PASSWORD.sub(r"\1", url).partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    return f"{scheme}{separator}{user.partition(':')[0]}{at}{host}{slash}{path}"
