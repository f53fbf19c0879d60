"""Whatever is sent, in whatever order and however often, every report equals a brute-force count of the raw events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from histories import as_sent, as_stored, batches, expected_after, expected_answer, questions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from service import Service, Site

HISTORIES = max(200, settings().max_examples)
SLOW = [HealthCheck.data_too_large, HealthCheck.too_slow]
Question = tuple[Any, dict[str, Any]]
Batches = list[list[dict[str, Any]]]


def send(site: Site, sent: Batches) -> None:
    """Send every batch; each answer must account for every event of it."""
    with site.sender() as sender:
        seen: set[str] = set()
        for batch in sent:
            result = sender.post_events(batch)
            fresh = {event["event_id"] for event in batch} - seen
            assert (result.accepted, result.rejected) == (len(batch), 0)
            assert result.duplicates == len(batch) - len(fresh)
            seen |= fresh


def check_stored(site: Site, sent: Batches) -> list[dict[str, Any]]:
    stored = site.stored()
    assert {event["event_id"]: as_sent(event) for event in stored} == {
        event_id: as_stored(event) for event_id, event in expected_after(sent).items()
    }
    assert len({event["event_id"] for event in stored}) == len(stored)
    return stored


def check_answers(site: Site, stored: list[dict[str, Any]], asked: list[Question]) -> None:
    """Every page of every answer is the oracle's, key order included."""
    with site.reports() as reports:
        for endpoint, question in asked:
            offset, cursor = 0, dict[str, Any]()
            while True:
                body = reports.raw(endpoint, **question, **cursor)
                expected = expected_answer(
                    stored, endpoint, question, property_id=site.id, timezone=site.timezone, offset=offset
                )
                next_cursor = body["meta"]["next_cursor"]
                body["meta"]["next_cursor"] = next_cursor and True
                assert body == expected, (endpoint, question)
                assert list(map(str, flat(body))) == list(map(str, flat(expected)))
                if next_cursor is None or offset > 10:
                    break
                offset += question["limit"]
                cursor = {"cursor": next_cursor}


def flat(value: Any) -> list[Any]:
    """The keys and leaves in order, so that the order of keys counts."""
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in [key, *flat(item)]]
    return [leaf for item in value for leaf in flat(item)] if isinstance(value, list) else [value]


@pytest.mark.first
def test_reports_equal_a_count_of_what_was_sent(service: Service, share: Callable[[int], int]) -> None:
    @settings(max_examples=share(HISTORIES), suppress_health_check=SLOW)
    @given(
        sent=batches,
        asked=st.lists(questions(), min_size=20, max_size=20),
        zone=st.sampled_from(["UTC", "Asia/Kolkata"]),
    )
    def check(sent: Batches, asked: list[Question], zone: str) -> None:
        site = service.new_site(timezone=zone)
        send(site, sent)
        check_answers(site, check_stored(site, sent), asked)

    check()


def test_sending_again_in_any_order_changes_nothing(service: Service, share: Callable[[int], int]) -> None:
    @settings(max_examples=share(25), suppress_health_check=SLOW)
    @given(sent=batches, order=st.randoms(use_true_random=False), asked=questions())
    def check(sent: Batches, order: Any, asked: Question) -> None:
        site = service.new_site()
        send(site, sent)
        before = site.stored()
        with site.reports() as reports:
            answered = reports.raw(asked[0], **asked[1])
            again = [event | {"ts": "2026-03-27T00:00:00Z", "type": "other"} for batch in sent for event in batch]
            order.shuffle(again)
            with site.sender() as sender:
                result = sender.post_events(again)
            assert (result.accepted, result.duplicates) == (len(again), len(again))
            assert site.stored() == before
            assert reports.raw(asked[0], **asked[1]) == answered

    check()


def test_the_same_ids_in_two_properties_are_different_events(service: Service) -> None:
    one, other = service.new_site(), service.new_site()
    event = {"event_id": "e1", "type": "pageview", "ts": "2026-03-27T00:00:00Z"}
    for site in (one, other):
        with site.sender() as sender:
            assert sender.post_events([event]).duplicates == 0
        assert len(site.stored()) == 1


@settings(max_examples=4, suppress_health_check=list(HealthCheck))
@given(sent=batches, later=batches, asked=st.lists(questions(), min_size=5, max_size=5))
def test_a_restart_between_changes_nothing(
    own_service: Service, sent: Batches, later: Batches, asked: list[Question]
) -> None:
    site = own_service.new_site()
    send(site, sent)
    own_service.restart()
    with site.sender() as sender:
        for batch in sent:
            assert sender.post_events(batch).duplicates == len(batch)
        for batch in later:
            assert sender.post_events(batch).accepted == len(batch)
    check_answers(site, check_stored(site, sent + later), asked)


@pytest.mark.parametrize("endpoint", ["overview", "pages", "campaigns"])
@settings(max_examples=15, suppress_health_check=SLOW)
@given(sent=batches)
def test_the_presets_are_metrics(service: Service, endpoint: Any, sent: Batches) -> None:
    site = service.new_site()
    send(site, sent)
    spelt: dict[str, Any] = {
        "overview": {},
        "pages": {"group_by": "path", "filters": ["type:is:pageview"], "metrics": ["pageviews", "unique_visitors"]},
        "campaigns": {
            "group_by": "campaign",
            "filters": ["campaign:is_set"],
            "metrics": ["pageviews", "unique_visitors"],
        },
    }[endpoint]
    with site.reports() as reports:
        preset = reports.raw(endpoint, from_="2026-03-01", to="2026-04-30")
        metrics = reports.raw("metrics", from_="2026-03-01", to="2026-04-30", **spelt)
    if endpoint == "overview":
        assert {name: preset[name] for name in metrics["totals"]} == metrics["totals"] == metrics["rows"][0]
    else:
        assert (preset["rows"], preset["totals"]) == (metrics["rows"], metrics["totals"])
