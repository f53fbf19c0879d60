"""Acknowledged means on disk, and counted once: servers are killed in the middle of their work, again and again."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from clickmeter_client import ApiError, Unreachable, new_event_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from service import Service, Site

ROUNDS = 20
CLIENTS = 8
TS = "2026-03-27T00:00:00Z"


class Client(threading.Thread):
    """Sends batches of one to five events until told to stop; every fifth batch again."""

    def __init__(self, site: Site, stopping: threading.Event) -> None:
        super().__init__()
        self._site = site
        self._stopping = stopping
        self.sent: list[str] = []
        self.acknowledged: list[str] = []
        self.refused: list[str] = []

    def run(self) -> None:
        with self._site.sender() as sender:
            number = 0
            while not self._stopping.is_set():
                number += 1
                ids = [new_event_id() for _ in range(1 + number % 5)]
                self.sent += ids
                for _ in range(2 if number % 5 == 0 else 1):
                    try:
                        sender.post_events({"event_id": id_, "type": "pageview", "ts": TS} for id_ in ids)
                    except Unreachable:
                        return
                    except ApiError as error:
                        self.refused.append(str(error.code))
                        continue
                    self.acknowledged += ids


def load(site: Site) -> tuple[list[Client], threading.Event]:
    stopping = threading.Event()
    clients = [Client(site, stopping) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    return clients, stopping


def await_acknowledgement(clients: list[Client]) -> None:
    """The first event takes longest, and there is nothing to lose before it is acknowledged."""
    give_up_at = time.monotonic() + 30
    while not any(client.acknowledged for client in clients):
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def finish(clients: list[Client], stopping: threading.Event) -> None:
    stopping.set()
    for client in clients:
        client.join(30)
        assert not client.is_alive()


def test_kill_9_under_load_loses_nothing_acknowledged_and_doubles_nothing(
    own_service: Service, share: Callable[[int], int]
) -> None:
    site = own_service.new_site()
    rounds = share(ROUNDS)
    sent: set[str] = set()
    acknowledged: set[str] = set()
    for number in range(rounds):
        clients, stopping = load(site)
        await_acknowledgement(clients)
        time.sleep(0.15 + 0.02 * (number % 5))
        own_service.kill()
        finish(clients, stopping)
        own_service.start()
        sent.update(id_ for client in clients for id_ in client.sent)
        acknowledged.update(id_ for client in clients for id_ in client.acknowledged)
    stored = Counter(event["event_id"] for event in site.stored())
    assert len(acknowledged) > rounds * CLIENTS
    assert acknowledged <= stored.keys() <= sent
    assert set(stored.values()) == {1}
    with site.reports() as reports:
        assert reports.overview(from_="2026-03-27", to="2026-03-27").pageviews == len(stored)


def test_terminating_answers_what_it_has_taken(own_service: Service) -> None:
    site = own_service.new_site()
    clients, stopping = load(site)
    await_acknowledgement(clients)
    time.sleep(0.2)
    assert own_service.stop() == 128 + 15
    finish(clients, stopping)
    own_service.start()
    stored = {event["event_id"] for event in site.stored()}
    acknowledged = {id_ for client in clients for id_ in client.acknowledged}
    assert acknowledged
    assert acknowledged <= stored
    assert not any(client.refused for client in clients)


def test_a_killed_storing_process_is_started_again_and_nothing_is_lost(own_service: Service) -> None:
    site = own_service.new_site()
    clients, stopping = load(site)
    await_acknowledgement(clients)
    for _ in range(3):
        time.sleep(0.4)
        own_service.kill_storing()
    time.sleep(1.5)
    finish(clients, stopping)
    stored = Counter(event["event_id"] for event in site.stored())
    acknowledged = {id_ for client in clients for id_ in client.acknowledged}
    assert acknowledged <= stored.keys()
    assert set(stored.values()) == {1}
    assert {code for client in clients for code in client.refused} <= {"store_unavailable"}
    with site.sender() as sender:
        assert sender.post_events([{"type": "pageview"}]).accepted == 1
