"""What a metadata store does for events that are kept elsewhere: notes, turns, erasures, deleted properties."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from clickmeter.model import Batch, Event, Property
from clickmeter.storage.open import open_metadata

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS, TAKERS = 20, 4
DYING = """
import os, sys
from clickmeter.storage.open import open_metadata
with open_metadata(sys.argv[1]).exclusive("turn"):
    os._exit(9)
"""


def test_a_note_is_what_was_kept_last_and_no_change_of_the_revision(new_url: Callable[[], str]) -> None:
    url = new_url()
    with closing(open_metadata(url)) as store, closing(open_metadata(url)) as other:
        before = store.revision()
        assert store.note("journal") is None
        for content in (b"first", os.urandom(3_000_000), b"\x00\xff", b""):
            store.set_note("journal", content)
            assert other.note("journal") == content
        assert other.note("another") is None
        assert store.revision() == before


def test_one_holder_of_a_name_at_a_time(new_url: Callable[[], str]) -> None:
    url = new_url()
    inside: list[int] = []
    most: list[int] = []

    def take_turns() -> None:
        with closing(open_metadata(url)) as store:
            for _ in range(TURNS):
                with store.exclusive("turn"):
                    inside.append(1)
                    most.append(len(inside))
                    # Read, think, write: what only a holder may do.
                    count = int(store.note("count") or b"0")
                    time.sleep(0.001)
                    store.set_note("count", str(count + 1).encode())
                    inside.pop()

    takers = [threading.Thread(target=take_turns) for _ in range(TAKERS)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert max(most) == 1
    with closing(open_metadata(url)) as store:
        assert store.note("count") == str(TURNS * TAKERS).encode()


def test_names_do_not_wait_for_each_other_and_an_error_lets_go(new_url: Callable[[], str]) -> None:
    url = new_url()
    with closing(open_metadata(url)) as store, closing(open_metadata(url)) as other:
        with store.exclusive("one"), other.exclusive("two"):
            pass
        with pytest.raises(ZeroDivisionError), store.exclusive("one"):
            raise ZeroDivisionError
        with other.exclusive("one"):
            pass


def test_a_holder_that_dies_holds_nothing(new_url: Callable[[], str]) -> None:
    url = new_url()
    with closing(open_metadata(url)) as store:
        for _ in range(2):
            assert subprocess.run([sys.executable, "-c", DYING, url], check=False).returncode == 9
            with store.exclusive("turn"):
                store.set_note("journal", b"mine")


def test_events_of_the_erased_are_kept_out_and_deleted_properties_known(new_url: Callable[[], str]) -> None:
    with ExitStack() as opened:
        url = new_url()
        store, other = [opened.enter_context(closing(open_metadata(url))) for _ in range(2)]
        for id_ in ("one", "two"):
            store.create_property(Property(id=id_, name="Test", created_at=0), [])
        events = [
            Event(event_id=f"{visitor}{ts}", type="pageview", ts=ts, received_at=900, visitor_id=visitor)
            for visitor in ("v", "w", None)
            for ts in (499, 500)
        ]
        batches = [Batch("one", events), Batch("two", events)]
        assert store.not_erased(batches) == batches
        assert other.mark_erased("one", "v", now=500)
        assert not other.mark_erased("nobody", "v", now=500)
        kept = [event for event in events if (event.visitor_id, event.ts) != ("v", 499)]
        assert store.not_erased(batches) == [Batch("one", kept), Batch("two", events)]
        assert store.deleted_properties() == []
        assert store.delete_property("one", now=1)
        assert other.deleted_properties() == ["one"]
