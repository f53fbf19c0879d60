"""Several server processes on one port: they count as one, whichever of them a connection leads to, and survive."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from clickmeter_client import ApiError
from clients import DAY, TS, under_load
from service import CERTIFICATES, Service, Site, children_of, command_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickmeter_client import EventSender

WORKERS = 3
SAME_IDS = 600
EFFECTIVE_SECONDS = 5
PATIENCE_SECONDS = 30
LOAD_SECONDS = 1.5


@pytest.fixture
def service(postgres_url: str) -> Iterator[Service]:
    running = fleet(postgres_url)
    yield running
    running.stop()


def fleet(url: str) -> Service:
    started = Service(url, CLICKMETER_WORKERS=str(WORKERS), CLICKMETER_REPORT_WORKERS="1")
    started.start()
    return started


def members(service: Service) -> list[int]:
    return [pid for pid in children_of(service.pid) if "clickmeter.web.fleet" in command_of(pid)]


@contextmanager
def alone(service: Service, member: int) -> Iterator[None]:
    """Whoever connects meanwhile is taken in by this process; the connection stays with it."""
    others = [pid for pid in members(service) if pid != member]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def one_sender_each(site: Site) -> Iterator[list[EventSender]]:
    """For each process of the site's server a client whose connection it has."""
    with ExitStack() as stack:
        senders = []
        for member in members(site.service):
            with alone(site.service, member):
                sender = stack.enter_context(site.sender())
                assert sender.post_events([{"type": "pageview", "ts": TS}], dry_run=True).accepted == 1
                senders.append(sender)
        yield senders


def test_the_same_ids_through_every_process_of_two_servers_are_counted_once(service: Service) -> None:
    twin = fleet(service.database_url)
    site = service.new_site()
    there = Site(twin, site.id, site.write_key, site.read_key, site.timezone)
    duplicates: list[int] = []

    def send(sender: EventSender, seed: int) -> None:
        ids = [f"e{number}" for number in range(SAME_IDS)]
        random.Random(seed).shuffle(ids)
        for at in range(0, SAME_IDS, 50):
            answer = sender.post_events([{"event_id": id_, "type": "pageview", "ts": TS} for id_ in ids[at : at + 50]])
            duplicates.append(answer.duplicates)

    with one_sender_each(site) as here, one_sender_each(there) as others:
        senders = [*here, *others]
        threads = [threading.Thread(target=send, args=(sender, seed)) for seed, sender in enumerate(senders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(duplicates) == 2 * WORKERS * SAME_IDS / 50
    assert sum(duplicates) == (2 * WORKERS - 1) * SAME_IDS
    for view in (site, there):
        with view.reports() as reports:
            assert reports.overview(**DAY).pageviews == SAME_IDS
    assert twin.stop() == 128 + signal.SIGTERM


def test_a_key_revoked_through_one_process_is_refused_by_each_of_them(service: Service) -> None:
    site = service.new_site()

    def is_refused(sender: EventSender) -> bool:
        try:
            sender.post_events([{"type": "pageview", "ts": TS}])
        except ApiError as error:
            return error.status == 401
        return False

    with one_sender_each(site) as senders, service.admin() as admin:
        assert len(senders) == WORKERS
        assert not any(map(is_refused, senders))
        [key] = [key.id for key in admin.keys(site.id) if key.type == "write"]
        admin.revoke_key(site.id, key)
        give_up_at = time.monotonic() + EFFECTIVE_SECONDS
        while not all(map(is_refused, senders)):
            assert time.monotonic() < give_up_at
            time.sleep(0.05)


def test_processes_that_are_killed_are_replaced_and_lose_nothing_acknowledged(service: Service) -> None:
    first = members(service)

    def disturb() -> None:
        for victim in first:
            time.sleep(LOAD_SECONDS)
            os.kill(victim, signal.SIGKILL)
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while len(members(service)) < WORKERS or {*members(service)} & {*first}:
            assert time.monotonic() < give_up_at
            time.sleep(0.05)

    assert under_load(service.new_site(), disturb) <= {0, 503}


def sample(service: Service, name: str) -> float:
    """A metric, as whichever process tells it."""
    text = httpx.get(
        f"{service.url}/metrics", headers={"Authorization": f"Bearer {service.admin_key}"}, verify=CERTIFICATES
    ).text
    [line] = re.findall(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(line)


def wait_for(service: Service, name: str, value: float) -> None:
    """Return when scrape after scrape tells this value of a metric, which a second later each process does."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while (found := {sample(service, name) for _ in range(5 * WORKERS)}) != {value}:
        assert time.monotonic() < give_up_at, found


def test_metrics_are_sums_over_all_processes_and_no_death_takes_them_back(service: Service) -> None:
    accepted, rejected = "clickmeter_events_accepted_total", 'clickmeter_events_rejected_total{code="invalid_type"}'
    with one_sender_each(service.new_site()) as senders:
        for sender in senders:
            sender.post_events([{"type": "pageview", "ts": TS}, {"type": "pageview", "ts": TS}, {"type": ""}])
    wait_for(service, accepted, 2 * WORKERS)
    for name, value in ((rejected, WORKERS), ("clickmeter_commit_seconds_count", WORKERS)):
        assert sample(service, name) == value
    assert sample(service, "clickmeter_roller_lag_events") >= 0
    first = members(service)
    os.kill(first[0], signal.SIGKILL)
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while len({*members(service)} - {first[0]}) < WORKERS:
        assert sample(service, accepted) == 2 * WORKERS
        assert time.monotonic() < give_up_at
    wait_for(service, accepted, 2 * WORKERS)
    assert sample(service, rejected) == WORKERS


def test_all_that_was_acknowledged_before_a_signal_is_stored(service: Service) -> None:
    codes: list[int] = []

    def disturb() -> None:
        time.sleep(LOAD_SECONDS)
        codes.append(service.stop())

    assert under_load(service.new_site(), disturb, recover=service.start) <= {0, 503}
    assert codes == [128 + signal.SIGTERM]
