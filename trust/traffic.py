"""Clients that send made-up events until they are told to stop, and the account of what was sent and acknowledged."""

from __future__ import annotations

import random
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from histories import CAMPAIGNS, CHROME, GOOGLEBOT, IPHONE, PATHS, REFERRERS, SESSIONS, VISITORS

from clickmeter_client import ApiError, ClickmeterError, EventSender, new_event_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service import Site

Event = dict[str, Any]
FIRST = datetime(2026, 3, 26, tzinfo=UTC)
MINUTES = 7 * 24 * 60
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RE_SENT = 0.2
PAUSE_SECONDS = 0.02
PATIENCE_SECONDS = 10
"""The server answers within ten seconds; a client that waits no longer notices when it does not."""
JOIN_SECONDS = 60


class Ledger:
    """What one property was sent. Any number of clients write into it at once."""

    def __init__(self) -> None:
        self.sent: dict[str, Event] = {}
        self.batches: list[list[Event]] = []
        self.acknowledged: set[str] = set()
        self.refused: list[int] = []
        """The statuses of refusals, 0 where there was no answer."""
        self.slowest = 0.0
        """The longest that a client waited for one (s)."""
        self.wrong: list[str] = []
        """Answers that are wrong whatever else happened, as sentences."""

    def send(self, sender: EventSender, batch: list[Event], *, first: bool) -> bool:
        """Send a batch, for the `first` time or again, and write down what came of it; whether it was acknowledged."""
        ids = {event["event_id"] for event in batch}
        known = len(ids & self.acknowledged)
        self.sent |= {event["event_id"]: event for event in batch}
        began = time.monotonic()
        try:
            result = sender.post_events(batch)
        except ClickmeterError as error:
            self.refused.append(error.status if isinstance(error, ApiError) else 0)
            return False
        finally:
            self.slowest = max(self.slowest, time.monotonic() - began)
        if (result.accepted, result.rejected) != (len(batch), 0):
            self.wrong.append(f"Of {len(batch)} good events {result.accepted} were accepted, {result.rejected} not.")
        if not known <= result.duplicates <= (0 if first else len(batch)):
            before = "they were sent for the first time" if first else f"{known} were acknowledged before"
            self.wrong.append(f"Of {len(batch)} events {result.duplicates} are said to be duplicates; {before}.")
        self.acknowledged |= ids
        return True


class Load(NamedTuple):
    """How many clients send, and how each of them does."""

    clients: int
    patience: float = PATIENCE_SECONDS
    """How long it waits for an answer (s)."""
    pause: float = 0
    """How long it rests between two batches (s)."""
    persists: bool = False
    """Whether it sends each batch until it is acknowledged, also when it is told to stop."""


class Client(threading.Thread):
    """Sends batches until it is told to stop, one in five of them again, now or much later."""

    def __init__(
        self, sender: EventSender, ledger: Ledger, stopping: threading.Event, load: Load, chance: random.Random
    ) -> None:
        super().__init__()
        self._sender = sender
        self._ledger = ledger
        self._stopping = stopping
        self._load = load
        self._chance = chance

    def run(self) -> None:
        with self._sender:
            while not self._stopping.is_set():
                if self._ledger.batches and self._chance.random() < RE_SENT:
                    self._deliver(self._chance.choice(self._ledger.batches), first=False)
                else:
                    batch = [made_up(self._chance) for _ in range(self._chance.randint(1, 5))]
                    self._deliver(batch, first=True)
                    self._ledger.batches.append(batch)
                time.sleep(self._load.pause)

    def _deliver(self, batch: list[Event], *, first: bool) -> None:
        give_up_at = time.monotonic() + JOIN_SECONDS / 2
        acknowledged = self._ledger.send(self._sender, batch, first=first)
        while not acknowledged and self._load.persists and time.monotonic() < give_up_at:
            time.sleep(PAUSE_SECONDS)
            acknowledged = self._ledger.send(self._sender, batch, first=False)


@contextmanager
def under_load(site: Site, ledger: Ledger, seed: str, load: Load, *, url: str | None = None) -> Iterator[None]:
    """Clients send to the property, at another address if one is given, until the block ends."""
    stopping = threading.Event()
    key: dict[str, Any] = {"property_id": site.id, "write_key": site.write_key}
    senders = [EventSender(url or site.service.url, **key, timeout=load.patience) for _ in range(load.clients)]
    clients = [
        Client(sender, ledger, stopping, load, random.Random(f"{seed} client {number}"))
        for number, sender in enumerate(senders)
    ]
    for client in clients:
        client.start()
    try:
        yield
    finally:
        stopping.set()
        for client in clients:
            client.join(JOIN_SECONDS)
    if any(client.is_alive() for client in clients):
        ledger.wrong.append(f"A client still waited for an answer {JOIN_SECONDS} seconds after the load had ended.")


def made_up(chance: random.Random) -> Event:
    """An event of a small alphabet, so that sessions overlap and instants tie; no other has its id."""
    moment = FIRST + timedelta(minutes=chance.choice([0, chance.randrange(MINUTES)]))
    utm = {"source": chance.choice([None, "google", "mail"]), "campaign": chance.choice([None, *CAMPAIGNS])}
    return {
        "event_id": made_up_id(chance),
        "type": chance.choice(["pageview", "pageview", "pageview", "signup"]),
        "ts": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "context": {
            "page": {
                "path": chance.choice(PATHS),
                "title": chance.choice([None, "T"]),
                "referrer": chance.choice([None, *REFERRERS]),
            },
            "campaign": {"campaign_id": chance.choice([None, None, "c1"]), "utm": utm},
            "user_agent": chance.choice([CHROME, CHROME, IPHONE, GOOGLEBOT]),
        },
        "identity": {"visitor_id": chance.choice([None, *VISITORS]), "session_id": chance.choice([None, *SESSIONS])},
        "data": chance.choice([{}, {"plan": "pro"}]),
    }


def made_up_id(chance: random.Random) -> str:
    """Of each kind that is stored in a way of its own."""
    ulid = "0" + "".join(chance.choices(CROCKFORD, k=25))
    return chance.choice([new_event_id(), ulid, f"free form {chance.getrandbits(64)} ä"])
