"""The contract's own example, sent as it stands there, and what its sections promise of one event."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from service import CERTIFICATES

if TYPE_CHECKING:
    from service import Service, Site

DAY = "2026-01-24"
EXAMPLE: dict[str, Any] = json.loads("""
{ "schema_version": 1, "property_id": "prop_123", "sent_at": "2026-01-24T18:12:33Z",
  "events": [ { "event_id": "01HR...", "type": "pageview", "ts": "2026-01-24T18:12:33Z",
    "context": { "page": {"url": "https://example.com/products/sku1", "path": "/products/sku1", "title": "Product page",
                          "referrer": "https://google.com/"},
                 "campaign": {"campaign_id": "cmp_789",
                              "utm": {"source": "google", "medium": "cpc", "campaign": "winter-sale"}} },
    "identity": {"visitor_id": "v_abc123", "session_id": "s_def456", "user_id_hash": "sha256:..."}, "data": {} } ] }
""")


def post(site: Site, body: dict[str, Any], **headers: str) -> httpx.Response:
    authorization = {"Authorization": f"Bearer {site.write_key}"}
    return httpx.post(f"{site.service.url}/v1/events", json=body, headers=authorization | headers, verify=CERTIFICATES)


def headline(site: Site) -> tuple[int | None, int | None, int | None]:
    with site.reports() as reports:
        overview = reports.overview(from_=DAY, to=DAY)
    return overview.pageviews, overview.unique_visitors, overview.sessions


def test_the_example_counts_once_however_often_it_is_sent(own_service: Service) -> None:
    site = own_service.new_site(id_="prop_123")
    assert post(site, EXAMPLE).json() == {"accepted": 1, "rejected": 0, "errors": []}
    assert headline(site) == (1, 1, 1)
    for _ in range(4):
        assert post(site, EXAMPLE).json() == {"accepted": 1, "rejected": 0, "errors": [], "duplicates": 1}
    assert headline(site) == (1, 1, 1)
    own_service.restart()
    assert post(site, EXAMPLE).json()["duplicates"] == 1
    assert headline(site) == (1, 1, 1)


def test_the_example_is_stored_with_what_is_derived_from_it(site: Site) -> None:
    before = datetime.now(UTC)
    post(site, EXAMPLE | {"property_id": site.id}, **{"User-Agent": "curl/8.5.0", "Accept-Language": "de-AT,de;q=0.9"})
    [stored] = site.stored()
    received_at = datetime.fromisoformat(stored.pop("received_at"))
    assert (received_at - before).total_seconds() < 5
    assert stored == {
        "event_id": "01HR...",
        "type": "pageview",
        "ts": "2026-01-24T18:12:33.000Z",
        "visitor_id": "v_abc123",
        "session_id": "s_def456",
        "user_id_hash": "sha256:...",
        "url": "https://example.com/products/sku1",
        "path": "/products/sku1",
        "title": "Product page",
        "referrer": "https://google.com/",
        "campaign_id": "cmp_789",
        "utm_source": "google",
        "utm_medium": "cpc",
        "utm_campaign": "winter-sale",
        "utm_term": None,
        "utm_content": None,
        "hostname": "example.com",
        "referrer_host": "google.com",
        "source": "google",
        "browser": "curl",
        "os": None,
        "device": None,
        "language": "de-at",
        "country": None,
        "region": None,
        "city": None,
        "bot": False,
        "data": {},
        "extra": {},
        "ip": None,
        "daily": False,
    }


def test_one_id_from_many_connections_at_once_is_one_row(site: Site) -> None:
    body = EXAMPLE | {"property_id": site.id}
    answers: list[dict[str, Any]] = []
    barrier = threading.Barrier(32)

    def send() -> None:
        barrier.wait()
        answers.append(post(site, body).json())

    threads = [threading.Thread(target=send) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer["accepted"] for answer in answers] == [1] * 32
    assert sum(answer.get("duplicates", 0) for answer in answers) == 31
    assert len(site.stored()) == 1


def test_a_dry_run_stores_nothing(site: Site) -> None:
    with site.sender() as sender:
        result = sender.post_events([{"type": "pageview"}, {"type": ""}], dry_run=True)
    assert (result.accepted, result.rejected, result.dry_run) == (1, 1, True)
    assert site.stored() == []


def test_unknown_fields_are_kept_with_the_event(site: Site) -> None:
    event = {"type": "x", "shop": {"sku": [1, None]}, "context": {"page": {"lang": "de"}, "screen": "1x2"}}
    with site.sender() as sender:
        assert sender.post_events([event]).adjusted == 0
    assert site.stored()[0]["extra"] == {
        "shop": {"sku": [1, None]},
        "context": {"page": {"lang": "de"}, "screen": "1x2"},
    }


@pytest.mark.parametrize(("policy", "stored", "told"), [("flag", 2, ("bots", 1)), ("drop", 1, ("filtered", 1))])
def test_bots_are_flagged_or_dropped_and_left_out(
    service: Service, policy: str, stored: int, told: tuple[str, int]
) -> None:
    site = service.new_site(bots=policy)
    visit = {"type": "pageview", "ts": f"{DAY}T00:00:00Z"}
    crawler = {"context": {"user_agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}}
    with site.sender() as sender:
        result = sender.post_events([visit, visit | crawler])
    assert (result.accepted, getattr(result, told[0])) == (2, told[1])
    assert len(site.stored()) == stored
    assert headline(site)[0] == 1
    with site.reports() as reports:
        assert reports.overview(from_=DAY, to=DAY, include_bots=True).pageviews == stored


def test_an_acknowledged_event_is_in_the_very_next_report(site: Site) -> None:
    with site.sender() as sender, site.reports() as reports:
        for number in range(1, 51):
            sender.post_events([{"type": "pageview"}])
            assert reports.overview(period="today").pageviews == number
            assert reports.realtime().pageviews == number
