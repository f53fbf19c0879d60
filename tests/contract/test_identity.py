"""Whose is an event, and what is kept of whoever sent it? The identity modes, addresses and dropped bots."""

from __future__ import annotations

import json
import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from jwts import signer

from clickmeter.ingest.visitor import daily_id, kept_address
from clickmeter.model import Property
from clickmeter.query.time import today, zone
from clickmeter.storage.open import open_metadata
from clickmeter.web.salts import KEPT_MS
from files import files_of
from service import CERTIFICATES, Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import NewUrls
    from service import Site

HOUR = 3_600_000
ADDRESSES = ["198.51.100.7", "198.51.100.8", "2001:db8:1:2:3:4:5:6"]
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
OTHER_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:141.0) Gecko/20100101 Firefox/141.0"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
DAY = "2026-01-24"


@pytest.fixture(scope="module")
def proxied(engine: NewUrls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server behind a proxy that says whose requests it passes on."""
    running = Service(*engine(tmp_path_factory.mktemp("database")), CLICKMETER_TRUSTED_PROXIES="127.0.0.1")
    running.start()
    yield running
    running.stop()


def event(event_id: str, **more: Any) -> dict[str, Any]:
    identity = {"visitor_id": f"v-{event_id}", "session_id": f"s-{event_id}", "user_id_hash": "sha256:abc", "who": "me"}
    return {"event_id": event_id, "type": "pageview", "ts": "2026-01-24T12:00:00Z", "identity": identity, **more}


def send(site: Site, *events: dict[str, Any], address: str = ADDRESSES[0], agent: str = AGENT) -> dict[str, Any]:
    answer = httpx.post(
        f"{site.service.url}/v1/events",
        headers={"X-Write-Key": site.write_key, "X-Forwarded-For": address, "User-Agent": agent},
        json={"property_id": site.id, "events": events},
        verify=CERTIFICATES,
    )
    assert answer.status_code == 200, answer.text
    decoded: dict[str, Any] = answer.json()
    return decoded


def overview(site: Site) -> Any:
    with site.reports() as reports:
        return reports.overview(from_=DAY, to=DAY)


def test_by_default_the_clients_ids_count_and_no_address_is_stored(proxied: Service) -> None:
    site = proxied.new_site()
    send(site, event("1"), event("2"))
    found = site.stored()
    assert [one["visitor_id"] for one in found] == ["v-1", "v-2"]
    assert {one["ip"] for one in found} == {None}
    assert not any(one["daily"] for one in found)
    assert overview(site).meta.warnings == ()


def test_cookieless_tells_visitors_apart_by_address_and_user_agent(proxied: Service) -> None:
    site = proxied.new_site(identity="cookieless")
    for address in ADDRESSES:
        send(site, event(f"{address}-1"), event(f"{address}-2"), address=address)
    send(site, event("other agent"), agent=OTHER_AGENT)
    relayed = event("relayed", context={"user_agent": OTHER_AGENT})
    send(site, relayed, agent="backend/1.0")
    found = {one["event_id"]: one for one in site.stored()}
    assert len({one["visitor_id"] for one in found.values()}) == len(ADDRESSES) + 1
    assert found["relayed"]["visitor_id"] == found["other agent"]["visitor_id"]
    for one in found.values():
        assert one["session_id"] == one["visitor_id"]
        assert one["user_id_hash"] is None
        assert one["extra"] == {}
        assert one["daily"] is True
    shown = overview(site)
    assert shown.unique_visitors == shown.sessions == len(ADDRESSES) + 1
    assert [warning.code for warning in shown.meta.warnings] == ["visitor_ids_are_daily"]


def test_the_same_visitor_has_other_ids_in_another_property(proxied: Service) -> None:
    ids = set()
    for _ in range(2):
        site = proxied.new_site(identity="cookieless")
        send(site, event("1"))
        ids |= {one["visitor_id"] for one in site.stored()}
    assert len(ids) == 2


def test_a_restarted_server_knows_the_visitors_of_the_day(new_url: Callable[[], str]) -> None:
    running = Service(new_url())
    running.start()
    try:
        site = running.new_site(identity="cookieless", timezone="UTC")
        send(site, event("1"))
        running.restart()
        send(site, event("2"))
        assert len({one["visitor_id"] for one in site.stored()}) == 1
    finally:
        running.stop()


def test_a_warning_is_for_reports_whose_range_holds_such_an_event(proxied: Service) -> None:
    site = proxied.new_site(identity="cookieless")
    send(site, event("1"))
    with site.service.admin() as admin:
        admin.update_property(site.id, identity="client")
    send(site, event("2", ts="2026-01-20T12:00:00Z"))
    with site.reports() as reports:
        assert reports.overview(from_="2026-01-20", to="2026-01-20").meta.warnings == ()
        assert reports.overview(from_="2026-01-20", to="2026-01-24").meta.warnings
        compared = reports.overview(from_="2026-01-25", to="2026-01-25", compare="previous_period")
        assert compared.meta.warnings


def test_a_token_does_not_bring_back_who_somebody_is(proxied: Service) -> None:
    found: dict[str, dict[str, Any]] = {}
    for identity in ("client", "cookieless", "none"):
        site = proxied.new_site(identity=identity)
        sent = httpx.post(
            f"{proxied.url}/v1/events",
            headers={"X-Write-Key": signer(site).token(visitor_id="vouched"), "User-Agent": AGENT},
            json={"property_id": site.id, "events": [event("1")]},
            verify=CERTIFICATES,
        )
        assert sent.status_code == 200, sent.text
        [found[identity]] = site.stored()
        # Whom the event names is no matter, where nobody is known by name.
        assert sent.json().get("adjusted", 0) == (identity == "client")
    assert found["client"]["visitor_id"] == "vouched"
    assert found["cookieless"]["daily"]
    assert found["cookieless"]["visitor_id"] not in {"vouched", "v-1", None}
    assert found["none"]["visitor_id"] is None
    assert "vouched" not in json.dumps([found["cookieless"], found["none"]])


def test_none_knows_no_visitors(proxied: Service) -> None:
    site = proxied.new_site(identity="none")
    send(site, event("1"))
    [found] = site.stored()
    assert [found[name] for name in ("visitor_id", "session_id", "user_id_hash", "daily")] == [None, None, None, False]
    assert found["extra"] == {}
    shown = overview(site)
    assert (shown.pageviews, shown.unique_visitors) == (1, 0)


def test_neither_address_nor_agent_of_a_cookieless_visitor_is_in_any_file(new_url: Callable[[], str]) -> None:
    running = Service(new_url(), CLICKMETER_TRUSTED_PROXIES="127.0.0.1", CLICKMETER_LOG_LEVEL="debug")
    running.start()
    try:
        cookieless, control = running.new_site(identity="cookieless"), running.new_site(ip="full")
        marked = "Mozilla/5.0 (Unheard-Of 77.77)"
        send(cookieless, event("of-somebody"), address="203.0.113.77", agent=marked)
        send(control, event("of-a-control"), address="203.0.113.78", agent=marked)
        files = b"".join(files_of(running.database_url).values())
        assert b"203.0.113.77" not in files
        assert b"v-of-somebody" not in files
        assert b"Unheard-Of" not in files
        # The search finds what is there.
        assert b"203.0.113.78" in files
        assert b"v-of-a-control" in files
        assert "203.0.113" not in "".join(running.log)
    finally:
        running.stop()


@pytest.mark.parametrize(
    ("policy", "kept"),
    [("none", [None] * 3), ("truncated", ["198.51.100.0", "198.51.100.0", "2001:db8:1::"]), ("full", ADDRESSES)],
)
def test_of_an_address_is_stored_what_the_property_says(proxied: Service, policy: Any, kept: list[str | None]) -> None:
    site = proxied.new_site(ip=policy)
    for number, address in enumerate(ADDRESSES):
        send(site, event(str(number)), address=address)
    assert [one["ip"] for one in site.stored()] == kept


def test_cookieless_and_addresses_contradict_each_other(proxied: Service) -> None:
    site = proxied.new_site(identity="cookieless")
    headers = {"Authorization": f"Bearer {proxied.admin_key}"}
    answer = httpx.patch(
        f"{proxied.url}/v1/properties/{site.id}", headers=headers, json={"ip": "full"}, verify=CERTIFICATES
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")
    made = {"name": "x", "identity": "cookieless", "ip": "truncated"}
    assert (
        httpx.post(f"{proxied.url}/v1/properties", headers=headers, json=made, verify=CERTIFICATES).status_code == 422
    )


def test_dropped_bots_are_accepted_and_filtered_and_not_stored(proxied: Service) -> None:
    site = proxied.new_site(bots="drop")
    answer = send(site, event("1"), event("2", context={"user_agent": BOT}))
    assert (answer["accepted"], answer["filtered"]) == (2, 1)
    assert [one["event_id"] for one in site.stored()] == ["1"]


def test_salts_are_of_a_day_of_the_property_and_are_deleted(new_url: Callable[[], str]) -> None:
    url = new_url()
    with closing(open_metadata(url)) as metadata, closing(open_metadata(url)) as another_servers:
        metadata.create_property(Property(id="p", name="p", created_at=0), [])
        made_at = 1_790_000_000_000
        first = metadata.salt("p", "2026-09-21", now=made_at)
        assert first == another_servers.salt("p", "2026-09-21", now=made_at + HOUR)
        assert first != metadata.salt("p", "2026-09-22", now=made_at + 24 * HOUR)
        assert metadata.salt("no such", "2026-09-21", now=made_at) is None
        metadata.drop_salts(before=made_at)
        assert metadata.salt("p", "2026-09-21", now=made_at) == first
        metadata.drop_salts(before=made_at + 1)
        assert metadata.salt("p", "2026-09-21", now=made_at) != first
    assert KEPT_MS < 48 * HOUR


def test_no_file_holds_a_salt_that_was_dropped(new_url: Callable[[], str]) -> None:
    url = new_url()
    with closing(open_metadata(url)) as metadata:
        metadata.create_property(Property(id="p", name="p", created_at=0), [])
        salt = metadata.salt("p", "2026-09-21", now=0)
        assert salt is not None
        assert salt in b"".join(files_of(url).values())
        metadata.drop_salts(before=1)
        assert salt not in b"".join(files_of(url).values())


def test_a_day_is_the_propertys_own() -> None:
    instant = 1_790_000_000_000  # 2026-09-21T14:13:20Z
    assert today(instant, zone("Pacific/Kiritimati")).isoformat() == "2026-09-22"
    assert today(instant, zone("America/New_York")).isoformat() == "2026-09-21"


def test_ids_depend_on_every_part_and_on_the_salt() -> None:
    salts = [os.urandom(32), os.urandom(32)]
    ids = {daily_id(salt, *parts) for salt in salts for parts in [("p", "a", "u"), ("pa", "", "u"), ("p", "a", "")]}
    assert len(ids) == 6
    assert all(len(one) == 22 and json.dumps(one) for one in ids)
    assert daily_id(salts[0], "p", "a", "\ud800")


def test_what_is_no_address_is_not_stored() -> None:
    assert kept_address("", "full") is None
    assert kept_address("unix:/run/x", "truncated") is None
