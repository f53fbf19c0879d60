"""Why events of a property were not stored: counted by day and reason, for its own readers, across restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from jwts import signer

from service import CERTIFICATES

if TYPE_CHECKING:
    from service import Service, Site

SENT: list[dict[str, Any]] = [
    {"event_id": "1", "type": "pageview"},
    {"event_id": "2", "type": ""},
    {"event_id": "3", "type": 5},
    {"event_id": "4", "type": "pageview", "ts": "2020-01-01T00:00:00Z"},
    {"event_id": "5", "type": "pageview", "context": {"user_agent": "Googlebot/2.1"}},
]
TOTALS = {"invalid_type": 2, "expired": 1, "bot": 1}


def ask(site: Site, key: str, query: str = "") -> httpx.Response:
    url = f"{site.service.url}/v1/properties/{site.id}/rejections{query}"
    return httpx.get(url, headers={"Authorization": f"Bearer {key}"}, verify=CERTIFICATES)


def report(site: Site, query: str = "") -> dict[str, Any]:
    answer = ask(site, site.read_key, query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_reasons_are_counted_per_property_and_survive_a_restart(own_service: Service) -> None:
    site, other = own_service.new_site(bots="drop", retention_days=7), own_service.new_site()
    with site.sender() as sender:
        for _ in range(2):
            sender.post_events(SENT)
    expected = {code: 2 * count for code, count in TOTALS.items()}
    found = report(site)
    assert found["totals"] == expected
    assert {row["code"]: row["events"] for row in found["rows"]} == expected
    assert (found["property_id"], found["days"]) == (site.id, 30)
    assert report(other)["rows"] == []
    with site.sender() as sender:
        sender.post_events(SENT)
    own_service.restart()
    assert report(site, "?days=90")["totals"] == {code: 3 * count for code, count in TOTALS.items()}


def test_a_dry_run_is_not_counted(own_service: Service) -> None:
    site = own_service.new_site(bots="drop", retention_days=7)
    with site.sender() as sender:
        tried = sender.post_events(SENT, dry_run=True)
        assert (tried.rejected, tried.filtered) == (3, 1)
    own_service.restart()
    assert report(site)["totals"] == {}
    with site.sender() as sender:
        sender.post_events(SENT)
    assert report(site)["totals"] == TOTALS


def test_readers_of_the_property_may_ask_and_nobody_else(site: Site) -> None:
    other = site.service.new_site()
    assert ask(site, site.service.admin_key).status_code == 200
    assert ask(site, site.write_key).status_code == 403
    assert ask(site, other.read_key).status_code == 404
    assert ask(site, "no key").status_code == 401


def test_a_token_that_sees_a_part_of_the_property_does_not_see_why_all_of_it_was_rejected(site: Site) -> None:
    signing = signer(site)
    assert ask(site, signing.reading()).status_code == 200
    answer = ask(site, signing.reading(filters=["path:is:/a"]))
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_key_type")


def test_a_wrong_parameter_is_told(site: Site) -> None:
    for query, code in (
        ("?days=0", "invalid_parameter"),
        ("?days=91", "invalid_parameter"),
        ("?days=x", "invalid_parameter"),
        ("?day=1", "unknown_parameter"),
        ("?days=1&days=1", "repeated_parameter"),
    ):
        answer = ask(site, site.read_key, query)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
