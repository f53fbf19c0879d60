"""Storing: exactly one row for every key, counts that add up, and positions that nobody ever sees out of order."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from writing import PROPERTY, TS, batch, event, new_property, query, run_all

from clickmeter.model import Batch
from clickmeter.storage.open import open_events, open_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickmeter.storage.protocol import EventStore

WRITERS = 4
IDS = 10_000

OVERLAPPING = """
import random, sys
from clickmeter.storage.open import open_events
from writing import batch
url, seed = sys.argv[1], int(sys.argv[2])
ids = [f"e{n}" for n in range(10_000)]
random.Random(seed).shuffle(ids)
events = open_events(url, server_writes=True)
duplicates = 0
for at in range(0, len(ids), 500):
    groups = [batch(ids[n : n + 50]) for n in range(at, at + 500, 50)]
    duplicates += sum(events.append(groups))
print(duplicates)
"""
"""Stores the same ids as the others, in an order of its own."""

MANY_SMALL = """
import sys
from clickmeter.storage.open import open_events
from clickmeter.storage.postgres import append
from writing import batch
url, writer, turns = sys.argv[1:]
if turns == "no":
    append.TAKE_TURN = "SELECT pg_sleep(0)"
    append.MOVE += " RETURNING pg_sleep(0.001)"
events = open_events(url, server_writes=True)
for number in range(150):
    events.append([batch(f"{writer}-{number}-{n}" for n in range(3))])
"""
"""Stores many small groups; without turns, ids are given out a little before they are committed."""

FOLLOWING = """
import sys, time
from clickmeter.storage.open import open_events
events = open_events(sys.argv[1])
position, seen, quiet = 0, 0, 0
while quiet < 40:
    rows = events.arrivals(["ts"], after=position, limit=1_000)
    quiet = 0 if rows or not seen else quiet + 1
    seen += len(rows)
    position = rows[-1][0] if rows else position
    time.sleep(0 if rows else 0.05)
print(seen)
"""
"""Follows what is stored as the roller does, by the last position seen, until nothing comes for two seconds."""


@pytest.fixture
def events(postgres_url: str) -> Iterator[EventStore]:
    new_property(postgres_url)
    with closing(open_events(postgres_url, server_writes=True)) as opened:
        yield opened


def test_writers_with_the_same_ids_in_different_orders_store_each_once(postgres_url: str) -> None:
    new_property(postgres_url)
    printed = run_all(OVERLAPPING, [(postgres_url, str(seed)) for seed in range(WRITERS)])
    assert query(postgres_url, "SELECT count(*), count(DISTINCT event_id) FROM events") == [(IDS, IDS)]
    assert query(postgres_url, "SELECT count(*) FROM event_keys") == [(IDS,)]
    assert sum(int(duplicates) for [duplicates] in printed) == (WRITERS - 1) * IDS


@pytest.mark.parametrize("turns", ["yes", "no"])
def test_nothing_is_ever_committed_behind_a_position_that_was_seen(postgres_url: str, turns: str) -> None:
    """Without the turns that writers take, the same reader misses rows: that is what they are for."""
    new_property(postgres_url)
    programs = [(MANY_SMALL, postgres_url, f"w{number}", turns) for number in range(WRITERS)] + [
        (FOLLOWING, postgres_url)
    ]
    printed = run_all("import sys; exec(sys.argv.pop(1))", programs)
    [(stored,)] = query(postgres_url, "SELECT count(*) FROM events")
    assert stored == WRITERS * 150 * 3
    [seen] = printed[-1]
    assert (int(seen) == stored) == (turns == "yes")


def test_duplicates_inside_a_group_are_counted_where_they_are(events: EventStore, postgres_url: str) -> None:
    new_property(postgres_url, "other")
    groups = [
        batch(["a", "b", "a"], "first"),
        Batch("nowhere", [event("a")]),
        batch(["b", "c"], "second"),
        Batch("other", [event("a"), event("b")]),
        batch(["c", "a", "d", "d"], "third"),
    ]
    assert events.append(groups) == [1, None, 1, 0, 3]
    assert events.append(groups) == [3, None, 2, 2, 4]
    kept = [(event.event_id, event.title) for _, event in events.export(PROPERTY, after=0, limit=100)]
    assert kept == [("a", "first"), ("b", "first"), ("c", "second"), ("d", "third")]


def test_a_group_with_an_event_that_cannot_be_stored_leaves_nothing(events: EventStore) -> None:
    with pytest.raises(Exception, match="0x00"):
        events.append([batch(["a"]), batch(["b"], "no text: \0")])
    assert events.append([batch(["a", "b"])]) == [0]


def test_an_empty_group_and_one_of_duplicates_alone_are_fine(events: EventStore) -> None:
    assert events.append([]) == []
    assert events.append([batch([])]) == [0]
    assert events.append([batch(["a"])]) == [0]
    assert events.append([batch(["a"])]) == [1]
    assert events.last_position() == 1


def test_purge_leaves_neither_rows_nor_keys(events: EventStore, postgres_url: str) -> None:
    events.append([batch(f"e{number}" for number in range(25))])
    new_property(postgres_url, "other")
    events.append([Batch("other", [event("e1")])])
    with closing(open_metadata(postgres_url)) as metadata:
        metadata.delete_property(PROPERTY, now=TS)
    assert [events.purge(limit=10) for _ in range(4)] == [10, 10, 5, 0]
    assert query(postgres_url, "SELECT count(*) FROM events") == [(1,)]
    assert query(postgres_url, "SELECT count(*) FROM event_keys") == [(1,)]
