"""Several servers of one database: they count as one, answer as one, and one of them rolls up."""

from __future__ import annotations

import random
import threading
import time
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import pytest
from histories import (
    CAMPAIGNS,
    CHROME,
    CLOCK_CHANGES,
    GOOGLEBOT,
    IPHONE,
    PATHS,
    REFERRERS,
    SESSIONS,
    VISITORS,
    parameters,
    questions,
)
from hypothesis import HealthCheck, given, settings
from writing import query

from clickmeter.errors import Refusal
from clickmeter.storage.open import is_server_running, open_events, open_metadata, open_rollups
from clickmeter_client import ApiError
from service import CERTIFICATES, Service, Site, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DAY: dict[str, Any] = {"from_": "2026-03-27", "to": "2026-03-27"}
TS = "2026-03-27T10:00:00Z"
TAKEOVER_SECONDS = 10
EFFECTIVE_SECONDS = 5
SAME_IDS = 1_500
QUERIES = 200
EVENTS = 600
END_HOLDERS = """
    SELECT pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
"""Of locks in this database alone: other tests have theirs in the same server."""


@pytest.fixture
def two(postgres_url: str) -> Iterator[tuple[Service, Service]]:
    """Two servers of one database, and an administrator who is known to both."""
    one = Service(postgres_url)
    other = one.twin()
    for service in (one, other):
        service.start()
    yield one, other
    for service in (one, other):
        service.stop()


def seen_from(site: Site, service: Service) -> Site:
    return Site(service, site.id, site.write_key, site.read_key, site.timezone)


def until(condition: Callable[[], bool], seconds: float) -> None:
    give_up_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def behind(url: str) -> int:
    with closing(open_events(url)) as events, closing(open_rollups(url, events)) as rollups:
        return len(events.arrivals(["ts"], after=rollups.statistics().watermark, limit=100_000))


def test_the_same_ids_through_two_servers_are_counted_once(two: tuple[Service, Service]) -> None:
    site = two[0].new_site()
    duplicates: list[int] = []

    def send(service: Service, seed: int) -> None:
        ids = [f"e{number}" for number in range(SAME_IDS)]
        random.Random(seed).shuffle(ids)
        with seen_from(site, service).sender() as sender:
            for at in range(0, len(ids), 50):
                batch = [{"event_id": id_, "type": "pageview", "ts": TS} for id_ in ids[at : at + 50]]
                answer = sender.post_events(batch)
                assert answer.accepted == len(batch)
                duplicates.append(answer.duplicates)

    threads = [threading.Thread(target=send, args=(two[number % 2], number)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(duplicates) == 3 * SAME_IDS
    for service in two:
        with seen_from(site, service).reports() as reports:
            assert reports.overview(**DAY).pageviews == SAME_IDS


def test_an_event_is_in_the_very_next_report_of_any_server(two: tuple[Service, Service]) -> None:
    site = two[0].new_site()
    views = [seen_from(site, service) for service in two]
    with views[0].sender() as a, views[1].sender() as b, views[0].reports() as c, views[1].reports() as d:
        for number in range(20):
            (a, b)[number % 2].post_events([{"type": "pageview", "ts": TS}])
            assert (d, c)[number % 2].overview(**DAY).pageviews == number + 1


def test_what_one_server_changes_is_in_force_at_the_other(two: tuple[Service, Service]) -> None:
    one, other = two
    site = one.new_site()
    there = seen_from(site, other)
    with there.sender() as sender, there.reports() as reports, one.admin() as admin:
        assert sender.post_events([{"type": "pageview", "ts": TS}]).accepted == 1
        assert reports.schema().timezone == "UTC"
        admin.update_property(site.id, timezone="Asia/Kolkata")
        until(lambda: reports.schema().timezone == "Asia/Kolkata", EFFECTIVE_SECONDS)
        [key] = [key.id for key in admin.keys(site.id) if key.type == "write"]
        admin.revoke_key(site.id, key)

        def refused() -> bool:
            try:
                sender.post_events([{"type": "pageview", "ts": TS}])
            except ApiError as error:
                return error.status == 401
            return False

        until(refused, EFFECTIVE_SECONDS)


def test_another_server_rolls_up_when_the_one_that_did_dies(two: tuple[Service, Service]) -> None:
    url = two[0].database_url
    site = two[0].new_site()
    until(lambda: is_server_running(url), TAKEOVER_SECONDS)
    # Whose child holds the lock is not to be seen from here: the servers die in turn, and come back.
    for service, survivor in (two, two[::-1]):
        service.kill()
        with seen_from(site, survivor).sender() as sender:
            sender.post_events([{"type": "pageview", "ts": TS} for _ in range(40)])
        until(lambda: behind(url) == 0, TAKEOVER_SECONDS)
        service.start()
    with site.reports() as reports:
        assert reports.overview(**DAY).pageviews == 80
    assert query(url, "SELECT sum(rows) FROM rollup_segments") == [(80,)]


def test_a_former_roller_stores_no_further_step(postgres_url: str) -> None:
    with (
        closing(open_events(postgres_url)) as events,
        closing(open_events(postgres_url)) as others,
        closing(open_rollups(postgres_url, events)) as one,
        closing(open_rollups(postgres_url, others)) as other,
    ):
        first = one.elect()
        assert first is not None
        assert one.elect() == first
        assert other.elect() is None
        query(postgres_url, END_HOLDERS)
        until(lambda: other.elect() is not None, TAKEOVER_SECONDS)
        for _ in range(2):
            with pytest.raises(Refusal):
                one.set_note("late", "no")
        assert other.note("late") is None
        assert one.elect() is None
        others.close()
        until(lambda: one.elect() is not None, TAKEOVER_SECONDS)
        assert one.elect() != first


def test_a_secret_that_two_make_at_once_is_one(postgres_url: str) -> None:
    stores = [open_metadata(postgres_url) for _ in range(4)]
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda store=store: found.append(store.secret("x"))) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert len(found) == 4
    assert len(set(found)) == 1


def made_up(chance: random.Random) -> dict[str, Any]:
    moment = CLOCK_CHANGES[0] + timedelta(minutes=chance.randint(-4_000, 4_000), milliseconds=chance.randint(0, 999))
    pick = chance.choice
    return {
        "event_id": f"e{chance.randint(0, EVENTS)}",
        "type": pick(["pageview", "pageview", "signup"]),
        "ts": moment.isoformat(timespec="milliseconds"),
        "context": {
            "page": {
                "url": pick([None, "https://site.example/from-url?utm_term=t"]),
                "path": pick([None, *PATHS]),
                "title": pick([None, "T", "t", "Ü\\n\"'"]),
                "referrer": pick([None, *REFERRERS]),
            },
            "campaign": {"campaign_id": pick([None, "c1"]), "utm": {"campaign": pick([None, *CAMPAIGNS])}},
            "user_agent": pick([CHROME, CHROME, IPHONE, GOOGLEBOT]),
            "language": pick([None, "de", "en-US"]),
        },
        "identity": {"visitor_id": pick([None, *VISITORS]), "session_id": pick([None, *SESSIONS])},
        "data": pick([{}, {"plan": "pro"}, {"n": 1.5}, {"n": True}]),
    }


class Pair:
    """The same property and events in SQLite, behind one server, and in PostgreSQL, behind two."""

    def __init__(self, sqlite: str, postgres: str) -> None:
        with closing(open_metadata(sqlite)) as file, closing(open_metadata(postgres)):
            secret = file.secret("cursor").hex()
        query(postgres, f"INSERT INTO store VALUES ('secret:cursor', '{secret}')")
        self.services = [Service(sqlite), Service(postgres), Service(postgres)]
        for service in self.services:
            service.start()
        settings = {"id": "same", "timezone": "Europe/Berlin"}
        here, there = (service.new_site(**settings) for service in self.services[:2])
        self.sites = [here, there, seen_from(there, self.services[2])]
        chance = random.Random(3)
        batches = [[made_up(chance) for _ in range(chance.randint(1, 20))] for _ in range(EVENTS // 10)]
        for number, batch in enumerate(batches):
            for site in (self.sites[0], self.sites[1 + number % 2]):
                with site.sender() as sender:
                    sender.post_events(batch)

    def ask(self, endpoint: str, asked: dict[str, Any]) -> list[bytes]:
        """The bodies of the three servers' answers."""
        bodies = []
        for site in self.sites:
            answer = httpx.get(
                f"{site.service.url}/v1/properties/same/{endpoint}",
                params=httpx.QueryParams(urlencode(parameters(asked))),
                headers={"Authorization": f"Bearer {site.read_key}"},
                timeout=60,
                verify=CERTIFICATES,
            )
            assert answer.status_code == 200
            bodies.append(answer.content)
        return bodies

    def stop(self) -> None:
        for service in self.services:
            service.stop()


def test_reports_are_the_same_to_the_byte_as_those_of_sqlite(postgres_url: str, tmp_path: Path) -> None:
    pair = Pair(sqlite_url(tmp_path), postgres_url)
    different: set[bytes] = set()

    @settings(max_examples=QUERIES, suppress_health_check=[HealthCheck.too_slow])
    @given(asked=questions())
    def compare(asked: tuple[str, dict[str, Any]]) -> None:
        one, *others = pair.ask(*asked)
        assert others == [one, one]
        different.add(one)

    compare()
    pair.stop()
    assert len(different) > QUERIES // 2
