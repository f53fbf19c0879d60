"""Erasing a visitor whose events are on their way: what is not seen yet must not stay."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

from writing import DAY_MS, PROPERTY, TS, batch, new_property, query

from clickmeter.storage.open import open_events
from clickmeter.storage.postgres import append
from clickmeter.storage.protocol import BEGINNING

if TYPE_CHECKING:
    import pytest

VISITOR = "e1"
"""Events of `writing` are of a visitor with their own id."""


def erase_while_an_event_is_stored(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event is known not to be of an erased visitor, and then, before it can be seen, the visitor is erased."""
    looked, go_on = threading.Event(), threading.Event()
    copy = append.copy

    def paused(*given: Any) -> None:
        looked.set()
        assert go_on.wait(60)
        copy(*given)

    def store() -> None:
        with closing(open_events(url, server_writes=True)) as events:
            events.append([batch([VISITOR])])

    monkeypatch.setattr(append, "copy", paused)
    with closing(open_events(url)) as events:
        storing = threading.Thread(target=store)
        storing.start()
        assert looked.wait(60)
        threading.Timer(0.5, go_on.set).start()
        assert events.mark_erased(PROPERTY, VISITOR, now=TS + 1)
        step = events.erase(PROPERTY, VISITOR, erased_at=TS + 1, after=BEGINNING, limit=100)
        assert step.after is None
        go_on.set()
        storing.join()


def test_an_event_on_its_way_is_erased_too(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    new_property(postgres_url)
    erase_while_an_event_is_stored(postgres_url, monkeypatch)
    assert query(postgres_url, "SELECT count(*) FROM events") == [(0,)]
    assert query(postgres_url, "SELECT count(*) FROM event_keys") == [(0,)]


def test_without_waiting_for_it_the_event_would_stay(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    new_property(postgres_url)
    monkeypatch.setattr(append, "HELD", "SELECT 1")
    erase_while_an_event_is_stored(postgres_url, monkeypatch)
    assert query(postgres_url, "SELECT count(*) FROM events") == [(1,)]


def test_removals_are_numbered_whoever_makes_them(postgres_url: str) -> None:
    new_property(postgres_url)
    with closing(open_events(postgres_url)) as one, closing(open_events(postgres_url)) as other:
        one.append([batch(f"e{number}" for number in range(40))])
        for events in (one, other) * 2:
            assert events.expire(PROPERTY, before=TS + 1, limit=5) == 5
        assert one.generation() == other.generation() == 4
        day = TS // DAY_MS
        assert one.removed(PROPERTY, first_day=day, last_day=day) == {day: 4}
        assert other.removals(after=3) == [(PROPERTY, day, 4)]
        assert other.removals(after=4) == []
    # Keys go with their events.
    assert query(postgres_url, "SELECT count(*) FROM event_keys") == [(20,)]
