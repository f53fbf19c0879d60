"""What waits is bounded, and is told of when it cannot be sent in time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from scripted_peer import arrived

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripted_peer import Peer

    from clickmeter_client import EventSender, Failure

    SenderTo = Callable[..., EventSender]


def test_when_full_new_events_are_dropped_and_counted(peer: Peer, sender_to: SenderTo) -> None:
    told: list[Failure] = []
    go = threading.Event()
    peer.then_accept(hold=go)
    sender = sender_to(queue_events=3, on_error=told.append)
    ids = [sender.track("a") for _ in range(10)]
    assert [event_id is None for event_id in ids] == [False] * 3 + [True] * 7
    go.set()
    assert sender.flush(5)
    assert peer.accepted_ids == ids[:3]
    assert [(failure.reason, failure.count) for failure in told] == [("queue_full", 7)]
    assert sender.track("b") is not None, "there is room again"


def test_the_queue_is_bounded_in_bytes_too(peer: Peer, sender_to: SenderTo) -> None:
    go = threading.Event()
    peer.then_accept(hold=go)
    sender = sender_to(queue_bytes=50_000, batch_bytes=10_000, linger=60)
    ids = [sender.track("a", data={"text": "x" * 8000}) for _ in range(20)]
    assert 5 <= sum(event_id is not None for event_id in ids) <= 8
    go.set()


def test_when_full_the_caller_can_be_made_to_wait(peer: Peer, sender_to: SenderTo) -> None:
    sender = sender_to(queue_events=5, batch_events=2, when_full="block", on_error=pytest.fail)
    ids = [sender.track("a") for _ in range(100)]
    assert sender.flush(5)
    assert None not in ids
    assert peer.accepted_ids == ids


def test_close_sends_what_is_left_and_takes_no_more(peer: Peer, sender_to: SenderTo) -> None:
    with sender_to(linger=60) as sender:
        ids = [sender.track("a") for _ in range(3)]
    assert peer.accepted_ids == ids
    with pytest.raises(RuntimeError, match="closed"):
        sender.track("b")
    assert sender.close()


def test_close_in_time_limit_tells_what_was_not_answered(peer: Peer, sender_to: SenderTo) -> None:
    told: list[Failure] = []
    go = threading.Event()
    peer.then_refuse(422, "invalid_field", hold=go)
    sender = sender_to(on_error=told.append, batch_events=2)
    ids = [sender.track("a") for _ in range(5)]
    assert not sender.close(timeout=0.2)
    assert [(failure.reason, failure.count) for failure in told] == [("closed", 5)]
    assert [event["event_id"] for event in told[0].events] == ids
    go.set()
    time.sleep(0.1)
    assert len(told) == 1, "the batch that was on its way is told once, whatever its answer"


def test_close_does_not_wait_for_a_retry_it_cannot_reach(peer: Peer, sender_to: SenderTo) -> None:
    told: list[Failure] = []
    peer.then_refuse(503, "overloaded", headers={"Retry-After": "60"})
    sender = sender_to(on_error=told.append)
    sender.track("a")
    assert arrived(peer, 1)
    begin = time.monotonic()
    sender.close(timeout=5)
    assert time.monotonic() - begin < 10
    assert [failure.reason for failure in told] == ["closed"]


def test_flush_gives_up_waiting_but_not_the_event(peer: Peer, sender_to: SenderTo) -> None:
    go = threading.Event()
    peer.then_accept(hold=go)
    sender = sender_to(on_error=pytest.fail)
    sender.track("a")
    assert not sender.flush(0.1)
    go.set()
    assert sender.flush(5)
    assert len(peer.asked) == 1
