"""Fixtures of the client's tests: a peer that answers as told, and senders to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clickmeter_client import EventSender

sys.path.insert(0, str(Path(__file__).parent))  # the test runner leaves sys.path alone; scripted_peer lives here

from scripted_peer import Peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as server:
        yield server


@pytest.fixture
def sender_to(peer: Peer) -> Iterator[Callable[..., EventSender]]:
    """Makes senders to the peer that retry fast, and closes them after the test."""
    made: list[EventSender] = []

    def make(**settings: Any) -> EventSender:
        wanted = {"property_id": "prop_1", "write_key": "cm_w_key", "first_wait": 0.01, "linger": 0.02, **settings}
        made.append(EventSender(peer.url, **wanted))
        return made[-1]

    yield make
    for sender in made:
        sender.close(timeout=1)
