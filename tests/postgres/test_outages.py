"""PostgreSQL goes away: requests are refused in time, what is acknowledged is stored once, and all is well after."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from writing import PROPERTY, batch, new_property, query

from clickmeter.storage.open import open_events
from clickmeter.storage.postgres import append
from clickmeter_client import ApiError, Unreachable, new_event_id
from service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from clickmeter.storage.protocol import EventStore
    from cluster import Cluster
    from service import Site

ANSWER_SECONDS = 10
RECOVERY_SECONDS = 5
DISTURBED_SECONDS = 6
CLIENTS = 6
DAY: dict[str, Any] = {"from_": "2026-03-27", "to": "2026-03-27"}
TS = "2026-03-27T10:00:00Z"
OURS = "application_name = 'clickmeter' AND datname = current_database()"


@pytest.fixture
def events(postgres_url: str) -> Iterator[EventStore]:
    new_property(postgres_url)
    with closing(open_events(postgres_url, server_writes=True)) as opened:
        yield opened


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_connection_lost_around_the_commit_is_no_error_and_no_duplicate(
    events: EventStore, postgres_url: str, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    commit = append.commit
    calls = []

    def cut(session: psycopg.Connection[object]) -> None:
        calls.append(session)
        if moment == "after":
            commit(session)
        if len(calls) == 1:
            query(postgres_url, f"SELECT pg_terminate_backend({session.info.backend_pid}, 5000)")
        commit(session)

    monkeypatch.setattr(append, "commit", cut)
    assert events.append([batch(["a", "b", "a"])]) == [1]
    assert len(calls) == (1 if moment == "after" else 2)
    assert [event.event_id for _, event in events.export(PROPERTY, after=0, limit=10)] == ["a", "b"]


def test_taking_a_lost_commit_for_undone_would_be_noticed(
    events: EventStore, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the test above must catch: without the question, the retry counts its own events as duplicates."""
    monkeypatch.setattr(append, "was_committed", lambda *_, **__: False)
    with pytest.raises(AssertionError, match=r"\[3\] == \[1\]"):
        test_a_connection_lost_around_the_commit_is_no_error_and_no_duplicate(
            events, postgres_url, monkeypatch, "after"
        )


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


def under_load(site: Site, disturb: Callable[[], None]) -> None:
    """Let clients send while PostgreSQL is disturbed; all that is acknowledged is stored once, and nothing else."""
    stopping = threading.Event()
    clients = [Client(site, stopping) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    disturb()
    stopping.set()
    for client in clients:
        client.join(60)
    stored = Counter(event["event_id"] for event in site.stored())
    sent = {id_ for client in clients for id_ in client.sent}
    acknowledged = {id_ for client in clients for id_ in client.acknowledged}
    assert acknowledged
    assert acknowledged <= stored.keys() <= sent
    assert set(stored.values()) == {1}
    assert {status for client in clients for status in client.refused} <= {503}
    with site.reports() as reports:
        assert reports.overview(**DAY).pageviews == len(stored)


def test_connections_that_are_ended_at_random_lose_and_double_nothing(postgres_url: str) -> None:
    service = Service(postgres_url)
    service.start()
    ended = 0

    def disturb() -> None:
        nonlocal ended
        chance = random.Random(5)
        end = time.monotonic() + DISTURBED_SECONDS
        while time.monotonic() < end:
            pids = [pid for (pid,) in query(postgres_url, f"SELECT pid FROM pg_stat_activity WHERE {OURS}")]
            if pids:
                query(postgres_url, f"SELECT pg_terminate_backend({chance.choice(pids)})")
                ended += 1
            time.sleep(chance.uniform(0.01, 0.1))

    under_load(service.new_site(), disturb)
    assert ended > 10
    service.stop()


def test_a_server_that_is_killed_loses_nothing_acknowledged(own_cluster: Callable[..., Cluster]) -> None:
    own = own_cluster()
    service = Service(own.url("postgres"))
    service.start()

    def disturb() -> None:
        for _ in range(2):
            time.sleep(1)
            own.kill()
            own.start()
        time.sleep(1)

    under_load(service.new_site(), disturb)
    assert own.log.read_text().count("was not properly shut down") == 2
    service.stop()


def answered(ask: Callable[[], object]) -> int:
    """The status of the answer, which came in time; 503 says when to come again."""
    began, status, retry_after = time.monotonic(), 200, None
    try:
        ask()
    except ApiError as error:
        status, retry_after = error.status, error.retry_after
    assert time.monotonic() - began < ANSWER_SECONDS
    assert (retry_after is None) == (status == 200)
    return status


def test_requests_are_refused_while_it_is_away_and_answered_soon_after_it_is_back(
    own_cluster: Callable[..., Cluster],
) -> None:
    own = own_cluster()
    service = Service(own.url("postgres"))
    service.start()
    site = service.new_site()
    with site.sender() as sender, site.reports() as reports:
        asks: list[Callable[[], object]] = [
            lambda: sender.post_events([{"event_id": "once", "type": "pageview", "ts": TS}]),
            lambda: reports.overview(**DAY),
        ]
        for _ in range(2):
            assert [answered(ask) for ask in asks] == [200, 200]
            own.stop()
            assert [answered(ask) for ask in asks] == [503, 503]
            own.start()
            back_at = time.monotonic()
            while [answered(ask) for ask in asks] != [200, 200]:
                assert time.monotonic() - back_at < RECOVERY_SECONDS
                time.sleep(0.1)
        assert reports.overview(**DAY).pageviews == 1
    service.stop()
