"""What tests of outages share: clients that send until they are told to stop, and an account of what became of it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from clickmeter_client import ApiError, Unreachable, new_event_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from service import Site

CLIENTS = 6
DAY: dict[str, Any] = {"from_": "2026-03-27", "to": "2026-03-27"}
TS = "2026-03-27T10:00:00Z"


class Client(threading.Thread):
    """Sends batches until told to stop, each one again until it is acknowledged."""

    def __init__(self, site: Site, stopping: threading.Event) -> None:
        super().__init__()
        self._site = site
        self._stopping = stopping
        self.sent: list[str] = []
        self.acknowledged: list[str] = []
        self.refused: list[int] = []

    def run(self) -> None:
        with self._site.sender() as sender:
            while not self._stopping.is_set():
                ids = [new_event_id() for _ in range(3)]
                self.sent += ids
                while not self._stopping.is_set():
                    try:
                        sender.post_events({"event_id": id_, "type": "pageview", "ts": TS} for id_ in ids)
                    except (ApiError, Unreachable) as error:
                        self.refused.append(error.status if isinstance(error, ApiError) else 0)
                        time.sleep(0.05)
                    else:
                        self.acknowledged += ids
                        break


def under_load(site: Site, disturb: Callable[[], None], *, recover: Callable[[], None] = lambda: None) -> set[int]:
    """Let clients send while something is disturbed; all that is acknowledged is stored once, and nothing else.

    `recover` is called when no client sends any more. Gives the statuses of what was refused, 0 for no answer.
    """
    stopping = threading.Event()
    clients = [Client(site, stopping) for _ in range(CLIENTS)]
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
    return {status for client in clients for status in client.refused}
