"""Events reach the server in batches, with the same ids on every try, and what is lost is told."""

from __future__ import annotations

import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from scripted_peer import arrived

from clickmeter_client import ApiError, Failure, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripted_peer import Peer

    from clickmeter_client import EventSender

    SenderTo = Callable[..., EventSender]


def test_a_pageview_arrives_with_its_credential_and_a_uuid7(peer: Peer, sender_to: SenderTo) -> None:
    event_id = sender_to().pageview(url="https://example.com/pricing", visitor_id="v_1")
    assert arrived(peer, 1)
    asked = peer.asked[0]
    assert (asked.method, asked.target) == ("POST", "/v1/events")
    assert asked.headers["Authorization"] == "Bearer cm_w_key"
    assert asked.headers["User-Agent"].startswith("clickmeter-client/")
    assert asked.body.startswith(b'{"schema_version":1,"property_id":"prop_1","events":[')
    assert asked.ids == [event_id]
    assert uuid.UUID(event_id).version == 7
    assert asked.events[0]["context"] == {"page": {"url": "https://example.com/pricing"}}


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_retries_send_the_same_bytes(status: int, peer: Peer, sender_to: SenderTo) -> None:
    peer.then_refuse(status, "overloaded")
    peer.then_hang_up()
    sender = sender_to(on_error=pytest.fail)
    event_id = sender.track("signup", data={"plan": "pro"})
    assert sender.flush(5)
    assert len(peer.asked) == 3
    assert {asked.body for asked in peer.asked} == {peer.asked[0].body}
    assert peer.asked[2].ids == [event_id]


def test_retry_after_is_waited_out(peer: Peer, sender_to: SenderTo) -> None:
    peer.then_refuse(429, "rate_limited", headers={"Retry-After": "1"})
    sender = sender_to()
    sender.track("a")
    begin = time.monotonic()
    assert sender.flush(5)
    assert 1.0 <= time.monotonic() - begin < 10
    assert len(peer.asked) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_definite_refusal_is_not_retried_and_is_told(status: int, peer: Peer, sender_to: SenderTo) -> None:
    told: list[Failure] = []
    peer.then_refuse(status, "invalid_field", errors=[{"pointer": "/property_id", "code": "invalid_field"}])
    sender = sender_to(on_error=told.append)
    event_id = sender.track("a")
    assert sender.flush(5)
    assert len(peer.asked) == 1
    assert (told[0].reason, told[0].count) == ("refused", 1)
    assert [event["event_id"] for event in told[0].events] == [event_id]
    assert isinstance(told[0].error, ApiError)
    assert told[0].error.status == status
    sender.track("b")
    assert sender.flush(5)
    assert len(peer.asked) == 2, "the next batch is sent all the same"


def test_rejected_events_are_told_with_their_reasons(peer: Peer, sender_to: SenderTo) -> None:
    told: list[Failure] = []
    error = {"index": 1, "event_id": "b", "code": "invalid_id", "detail": "Too long.", "pointer": "/events/1/identity"}
    peer.then({"accepted": 2, "rejected": 1, "errors": [error]})
    sender = sender_to(on_error=told.append)
    for event_id in "abc":
        sender.track("x", event_id=event_id)
    assert sender.flush(5)
    assert len(told) == 1
    assert (told[0].reason, told[0].count) == ("rejected", 1)
    assert told[0].events[0]["event_id"] == "b"
    assert told[0].rejections[0].pointer == "/events/1/identity"
    assert len(peer.asked) == 1


def test_retries_end_after_the_time_given_and_the_events_are_told(peer: Peer, sender_to: SenderTo) -> None:
    told: list[Failure] = []
    for _ in range(50):
        peer.then_hang_up()
    sender = sender_to(on_error=told.append, retry_for=0.2, first_wait=0.02)
    event_id = sender.track("a")
    assert sender.flush(5)
    assert [(failure.reason, failure.events[0]["event_id"]) for failure in told] == [("gave_up", event_id)]
    assert isinstance(told[0].error, Unreachable)
    assert 2 <= len(peer.asked) < 50


def test_a_strange_200_is_no_acknowledgement(peer: Peer, sender_to: SenderTo) -> None:
    peer.then_text("<h1>Please log in to the WiFi</h1>", content_type="text/html")
    sender = sender_to()
    sender.track("a")
    assert sender.flush(5)
    assert len(peer.asked) == 2


def test_batches_hold_at_most_500_events_and_all_arrive_once_in_order(peer: Peer, sender_to: SenderTo) -> None:
    sender = sender_to()
    ids = [sender.track("a") for _ in range(1201)]
    assert sender.flush(10)
    assert peer.accepted_ids == ids
    assert max(len(asked.ids) for asked in peer.asked) <= 500


def test_a_full_batch_goes_out_without_lingering(peer: Peer, sender_to: SenderTo) -> None:
    sender = sender_to(linger=60)
    for _ in range(500):
        sender.track("a")
    assert arrived(peer, 1)
    assert len(peer.asked[0].ids) == 500


def test_batches_hold_at_most_512_kib(peer: Peer, sender_to: SenderTo) -> None:
    sender = sender_to()
    ids = [sender.track("a", data={"text": "x" * 10_000}) for _ in range(150)]
    assert sender.flush(10)
    assert peer.accepted_ids == ids
    assert max(len(asked.body) for asked in peer.asked) <= 512 * 1024 + 200
    assert len(peer.asked) >= 3


def test_lingering_gathers_events_into_one_request(peer: Peer, sender_to: SenderTo) -> None:
    sender = sender_to(linger=0.3)
    begin = time.monotonic()
    for _ in range(3):
        sender.track("a")
        time.sleep(0.02)
    assert arrived(peer, 1)
    assert 0.25 <= time.monotonic() - begin < 10
    assert len(peer.asked[0].ids) == 3


def test_flush_does_not_linger(peer: Peer, sender_to: SenderTo) -> None:
    sender = sender_to(linger=60)
    sender.track("a")
    begin = time.monotonic()
    assert sender.flush(5)
    assert time.monotonic() - begin < 10
    assert len(peer.asked) == 1


def test_large_bodies_are_compressed_and_small_ones_not(peer: Peer, sender_to: SenderTo) -> None:
    sender = sender_to()
    sender.track("a")
    assert sender.flush(5)
    sender.track("a", data={"text": "x" * 10_000})
    assert sender.flush(5)
    small, large = peer.asked
    assert "Content-Encoding" not in small.headers
    assert large.headers["Content-Encoding"] == "gzip"
    assert large.sent_bytes < 1000
    assert large.events[0]["data"]["text"] == "x" * 10_000


def test_a_failing_on_error_does_not_stop_the_sender(
    peer: Peer, sender_to: SenderTo, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(failure: Failure) -> None:
        raise KeyError(failure.reason)

    peer.then_refuse(422, "invalid_field")
    sender = sender_to(on_error=broken)
    sender.track("a")
    assert sender.flush(5)
    sender.track("b")
    assert sender.flush(5)
    assert len(peer.asked) == 2
    assert "on_error failed" in caplog.text


def test_without_on_error_losses_are_logged(peer: Peer, sender_to: SenderTo, caplog: pytest.LogCaptureFixture) -> None:
    peer.then_refuse(403, "wrong_key_type")
    sender = sender_to()
    sender.track("a")
    assert sender.flush(5)
    assert "1 event(s) lost (refused): 403 wrong_key_type: It is so." in caplog.text


def test_an_event_is_copied_when_it_is_queued(peer: Peer, sender_to: SenderTo) -> None:
    sender = sender_to(linger=60)
    event: dict[str, Any] = {"type": "a", "data": {"n": 1}}
    sender.send(event)
    event["data"]["n"] = 2
    assert sender.flush(5)
    assert peer.asked[0].events[0]["data"] == {"n": 1}
    assert event == {"type": "a", "data": {"n": 2}}


def test_events_no_request_can_carry_are_refused_where_they_are_made(peer: Peer, sender_to: SenderTo) -> None:
    sender = sender_to()
    for data in ({"n": float("nan")}, {"n": float("inf")}, {"text": "x" * 1_100_000}):
        with pytest.raises(ValueError):
            sender.track("a", data=data)
    with pytest.raises(TypeError):
        sender.track("a", data={"n": object()})
    sender.track("a", data={"text": "\ud800 é 😀"})
    assert sender.flush(5)
    assert peer.asked[0].events[0]["data"] == {"text": "\ud800 é 😀"}


def test_many_threads_lose_nothing(peer: Peer, sender_to: SenderTo) -> None:
    sender = sender_to(batch_events=50)
    ids: list[str | None] = []

    def work() -> None:
        ids.extend(sender.track("a") for _ in range(200))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sender.flush(10)
    assert None not in ids
    assert sorted(peer.accepted_ids) == sorted(one for one in ids if one is not None)
