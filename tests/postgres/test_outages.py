"""PostgreSQL goes away: requests are refused in time, what is acknowledged is stored once, and all is well after."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
from writing import PROPERTY, batch, new_property, query

from clickmeter.storage.open import open_events
from clickmeter.storage.postgres import append
from clickmeter_client import ApiError
from clients import DAY, TS, under_load
from service import Service, children_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from clickmeter.storage.protocol import EventStore
    from clickmeter_client import EventSender
    from cluster import Cluster

ANSWER_SECONDS = 10
RECOVERY_SECONDS = 5
DISTURBED_SECONDS = 20
HANGING_SECONDS = 4
HANGING_CLIENTS = 60
GROWN_MIB = 150
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

    assert under_load(service.new_site(), disturb) <= {503}
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

    assert under_load(service.new_site(), disturb) <= {503}
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


def test_a_database_that_hangs_holds_neither_requests_nor_memory(own_cluster: Callable[..., Cluster]) -> None:
    own = own_cluster()
    service = Service(own.url("postgres"))
    service.start()
    site = service.new_site()
    statuses: list[int] = []
    ended = threading.Event()
    sent = [{"type": "pageview", "ts": TS, "data": {"filler": "x" * 500}} for _ in range(100)]

    def ask(sender: EventSender) -> None:
        while not ended.is_set():
            statuses.append(answered(lambda: sender.post_events(sent)))

    with ExitStack() as stack:
        senders = [stack.enter_context(site.sender()) for _ in range(HANGING_CLIENTS)]
        assert answered(lambda: senders[0].post_events([{"type": "pageview", "ts": TS}])) == 200
        before = memory_mib(service)
        own.signal(signal.SIGSTOP)
        pool = stack.enter_context(ThreadPoolExecutor(HANGING_CLIENTS))
        asking = [pool.submit(ask, sender) for sender in senders]
        time.sleep(HANGING_SECONDS)
        ended.set()
        for one in asking:
            one.result()
        grown = memory_mib(service) - before
        own.signal(signal.SIGCONT)
        back_at = time.monotonic()
        while answered(lambda: senders[0].post_events([{"type": "pageview", "ts": TS}])) != 200:
            assert time.monotonic() - back_at < RECOVERY_SECONDS
            time.sleep(0.1)
    assert {*statuses} == {503}
    assert grown < GROWN_MIB
    service.stop()


def memory_mib(service: Service) -> float:
    """The resident memory of all of the server's processes."""
    pids = [service.pid, *children_of(service.pid)]
    listed = subprocess.run(
        ["ps", "-o", "rss=", "-p", ",".join(map(str, pids))], capture_output=True, text=True, check=True
    ).stdout
    return sum(map(int, listed.split())) / 1024
