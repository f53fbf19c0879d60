"""What tests of kills and outages share: clients that send until they are told to stop, and an account of it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from clickmeter_client import ApiError, Unreachable, new_event_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickmeter_client import EventSender
    from service import Site

CLIENTS = 6
DAY: dict[str, Any] = {"from_": "2026-03-27", "to": "2026-03-27"}
TS = "2026-03-27T10:00:00Z"
PAUSE_SECONDS = 0.05


class Client(threading.Thread):
    """Sends batches until it is told to stop, each in its own way, and knows what became of them."""

    def __init__(self, site: Site, stopping: threading.Event) -> None:
        super().__init__()
        self._site = site
        self._stopping = stopping
        self.sent: list[str] = []
        self.acknowledged: list[str] = []
        self.refused: list[ApiError | Unreachable] = []

    def run(self) -> None:
        with self._site.sender() as sender:
            number = 0
            while not self._stopping.is_set():
                number += 1
                self.send(sender, number)

    def send(self, sender: EventSender, number: int) -> None:
        """Send the batch of this number, once or more often."""
        raise NotImplementedError

    def new_ids(self, count: int) -> list[str]:
        """Ids of events that are about to be sent."""
        ids = [new_event_id() for _ in range(count)]
        self.sent += ids
        return ids

    def post(self, sender: EventSender, ids: list[str]) -> bool:
        """Send events with these ids, of one day; whether they were acknowledged."""
        try:
            sender.post_events({"event_id": id_, "type": "pageview", "ts": TS} for id_ in ids)
        except (ApiError, Unreachable) as error:
            self.refused.append(error)
            return False
        self.acknowledged += ids
        return True


class Persistent(Client):
    """Sends each batch until it is acknowledged."""

    def send(self, sender: EventSender, _: int) -> None:
        ids = self.new_ids(3)
        while not self._stopping.is_set() and not self.post(sender, ids):
            time.sleep(PAUSE_SECONDS)


def under_load(site: Site, disturb: Callable[[], None], *, recover: Callable[[], None] = lambda: None) -> set[int]:
    """Let clients send while something is disturbed; all that is acknowledged is stored once, and nothing else.

    `recover` is called when no client sends any more. Gives the statuses of what was refused, 0 for no answer.
    """
    stopping = threading.Event()
    clients = [Persistent(site, stopping) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    disturb()
    stopping.set()
    for client in clients:
        client.join(60)
    recover()
    stored = Counter(event["event_id"] for event in site.stored())
    sent = {id_ for client in clients for id_ in client.sent}
    acknowledged = {id_ for client in clients for id_ in client.acknowledged}
    assert acknowledged
    assert acknowledged <= stored.keys() <= sent
    assert set(stored.values()) == {1}
    with site.reports() as reports:
        assert reports.overview(**DAY).pageviews == len(stored)
    refused = [error for client in clients for error in client.refused]
    return {error.status if isinstance(error, ApiError) else 0 for error in refused}
