"""Acknowledged means on disk, and counted once: servers are killed in the middle of their work, again and again."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from clickmeter_client import ApiError, Unreachable
from clients import Client

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickmeter_client import EventSender
    from service import Service, Site

ROUNDS = 20
CLIENTS = 8


class Repeating(Client):
    """Sends batches of one to five events, every fifth batch twice, as long as there is a server."""

    def send(self, sender: EventSender, number: int) -> None:
        ids = self.new_ids(1 + number % 5)
        for _ in range(2 if number % 5 == 0 else 1):
            if not self.post(sender, ids) and isinstance(self.refused[-1], Unreachable):
                self._stopping.wait()


def load(site: Site) -> tuple[list[Repeating], threading.Event]:
    stopping = threading.Event()
    clients = [Repeating(site, stopping) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    return clients, stopping


def await_acknowledgement(clients: list[Repeating]) -> None:
    """The first event takes longest, and there is nothing to lose before it is acknowledged."""
    give_up_at = time.monotonic() + 30
    while not any(client.acknowledged for client in clients):
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def finish(clients: list[Repeating], stopping: threading.Event) -> None:
    stopping.set()
    for client in clients:
        client.join(30)
        assert not client.is_alive()


def codes(clients: list[Repeating]) -> set[str | None]:
    """How servers refused."""
    return {error.code for client in clients for error in client.refused if isinstance(error, ApiError)}


@pytest.mark.first
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
    assert not codes(clients)


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
    assert codes(clients) <= {"store_unavailable"}
    with site.sender() as sender:
        assert sender.post_events([{"type": "pageview"}]).accepted == 1
