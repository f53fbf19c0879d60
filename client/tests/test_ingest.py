"""One synchronous request with events, sent as they are, answered as a typed result."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from clickmeter_client import ApiError, EventSender, Ingest, IngestResult, Rejection, UnexpectedAnswer, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripted_peer import Peer


def ingest_to(peer: Peer) -> Ingest:
    return Ingest(peer.url, property_id='prop "1"', write_key="cm_w_key", timeout=5)


def test_events_are_sent_exactly_as_they_are(peer: Peer) -> None:
    result = ingest_to(peer).post_events([{"type": "a"}, {"type": "b", "ts": "x"}])
    assert result == IngestResult(accepted=2, rejected=0, errors=())
    assert json.loads(peer.asked[0].body) == {
        "schema_version": 1,
        "property_id": 'prop "1"',
        "events": [{"type": "a"}, {"type": "b", "ts": "x"}],
    }


def test_a_function_gives_each_request_its_token(peer: Peer) -> None:
    tokens = iter(["first.token", "second.token"])
    ingest = Ingest(peer.url, property_id="prop_1", write_key=lambda: next(tokens), timeout=5)
    ingest.post_events([])
    ingest.post_events([])
    assert [asked.headers["Authorization"] for asked in peer.asked] == ["Bearer first.token", "Bearer second.token"]
    with pytest.raises(Unreachable, match="StopIteration"):
        ingest.post_events([])
    with pytest.raises(Unreachable, match="line ends"):
        Ingest(peer.url, property_id="prop_1", write_key=lambda: "two\nlines", timeout=5).post_events([])
    assert len(peer.asked) == 2


def test_no_events_is_a_request_too(peer: Peer) -> None:
    assert ingest_to(peer).post_events([]).accepted == 0
    assert peer.asked[0].events == []


def test_every_number_of_the_answer_is_read(peer: Peer) -> None:
    error = {"index": 3, "event_id": None, "code": "not_an_object", "detail": "It is null.", "pointer": "/events/3"}
    counts = {"accepted": 9, "rejected": 1, "duplicates": 2, "bots": 3, "filtered": 4, "adjusted": 5}
    peer.then({**counts, "errors": [error], "dry_run": True, "later_version_field": 1})
    result = ingest_to(peer).post_events([], dry_run=True)
    assert result == IngestResult(
        accepted=9,
        rejected=1,
        errors=(Rejection(3, None, "not_an_object", "It is null.", "/events/3"),),
        duplicates=2,
        bots=3,
        filtered=4,
        adjusted=5,
        dry_run=True,
    )
    assert peer.asked[0].target == "/v1/events?dry_run=true"


def test_a_refusal_carries_everything_the_server_said(peer: Peer) -> None:
    issue = {"parameter": "interval", "code": "invalid_parameter", "detail": "No.", "allowed": ["day", "week"]}
    peer.then_refuse(503, "overloaded", headers={"Retry-After": "7"}, errors=[issue], request_id="req_1")
    with pytest.raises(ApiError) as caught:
        ingest_to(peer).post_events([{"type": "a"}])
    error = caught.value
    assert (error.status, error.code, error.title, error.detail) == (503, "overloaded", "Refused", "It is so.")
    assert (error.request_id, error.retry_after) == ("req_1", 7.0)
    assert (error.errors[0].parameter, error.errors[0].pointer) == ("interval", None)
    assert error.errors[0].allowed == ("day", "week")
    assert str(error) == "503 overloaded: It is so."
    assert len(peer.asked) == 1, "nothing is retried here"


def test_a_proxys_error_page_is_an_api_error_without_a_code(peer: Peer) -> None:
    peer.then_text("<h1>Bad gateway</h1>", content_type="text/html", status=502)
    with pytest.raises(ApiError, match="502 Bad Gateway") as caught:
        ingest_to(peer).post_events([])
    assert (caught.value.code, caught.value.errors) == (None, ())


@pytest.mark.parametrize("body", ["", "[]", "{", '{"accepted": 1}', "<html>", '{"accepted": 1, "rejected": null}'])
def test_a_success_that_is_not_ours_is_named(body: str, peer: Peer) -> None:
    peer.then_text(body, content_type="application/json")
    with pytest.raises(UnexpectedAnswer, match="Check the URL"):
        ingest_to(peer).post_events([])


def test_no_answer_is_unreachable(peer: Peer) -> None:
    peer.then_hang_up()
    with pytest.raises(Unreachable, match=r"No answer from 127\.0\.0\.1:"):
        ingest_to(peer).post_events([])


def test_no_server_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        Ingest("http://127.0.0.1:1", property_id="p", write_key="k").post_events([])


def test_a_server_that_does_not_answer_in_time_is_unreachable(peer: Peer) -> None:
    never = threading.Event()
    peer.then_accept(hold=never)
    with pytest.raises(Unreachable, match="timed out"):
        Ingest(peer.url, property_id="p", write_key="k", timeout=0.1).post_events([])
    never.set()


def test_the_connection_is_kept_and_replaced_when_the_server_closes_it(peer: Peer) -> None:
    ingest = ingest_to(peer)
    for _ in range(3):
        ingest.post_events([])
    assert len({asked.connection for asked in peer.asked}) == 1
    peer.then_text(
        json.dumps({"accepted": 0, "rejected": 0, "errors": []}), content_type="application/json", Connection="close"
    )
    for _ in range(2):
        ingest.post_events([])
    assert len({asked.connection for asked in peer.asked}) == 2


def test_a_connection_the_server_closed_while_idle_is_not_used(peer: Peer) -> None:
    ingest = ingest_to(peer)
    ingest.post_events([])
    peer.close_idle_connections()
    ingest.post_events([])
    assert len({asked.connection for asked in peer.asked}) == 2


def test_a_path_before_the_api_is_kept(peer: Peer) -> None:
    Ingest(peer.url + "/stats/", property_id="p", write_key="k").post_events([])
    assert peer.asked[0].target == "/stats/v1/events"


@pytest.mark.parametrize(
    "url", ["", "example.com", "ftp://example.com", "http://", "http://example.com/?a=1", "http://h:99999"]
)
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError):
        Ingest(url, property_id="p", write_key="k")


@pytest.mark.parametrize("key", ["", "cm_w_1\n", "cm w", "clé"])
def test_a_key_that_cannot_be_one_is_refused_at_once(key: str) -> None:
    with pytest.raises(ValueError, match="copy it again"):
        Ingest("http://127.0.0.1", property_id="p", write_key=key)


def test_the_sender_can_post_past_its_queue(peer: Peer, sender_to: Callable[..., EventSender]) -> None:
    sender = sender_to(linger=60)
    sender.track("queued")
    assert sender.post_events([{"type": "now"}], dry_run=True).accepted == 1
    assert [asked.events for asked in peer.asked] == [[{"type": "now"}]]


@pytest.mark.parametrize("limits", [{"batch_events": 0}, {"batch_events": 1001}, {"batch_bytes": 2_000_000}])
def test_batches_the_server_refuses_cannot_be_asked_for(limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="A batch holds"):
        EventSender("http://127.0.0.1", property_id="p", write_key="k", **limits)
