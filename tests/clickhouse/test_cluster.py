"""A cluster: its statements, and that every event is on the one shard that has its place, once."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from histories import batches, questions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stores import EventStores

import moves
from clickmeter.errors import Refusal
from clickmeter.model import Batch, Event
from clickmeter.storage.clickhouse.cluster import url_at
from clickmeter.storage.clickhouse.connection import Connection, without_password
from clickmeter.storage.clickhouse.schema import claim
from clickmeter.storage.clickhouse.shards import Shard, note_of, servers
from clickmeter.storage.clickhouse.writing import ATTEMPTS, EventWriter
from clickmeter.storage.open import open_events, open_metadata
from clickmeter.storage.protocol import BEGINNING
from clickmeter.storage.sqlite.metadata import SqliteMetadata as Metadata
from clickmeter.worker import Urls
from service import sqlite_url
from shards_front import HOSTS, ShardsFront

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clickmeter.model import Property

TS = 1_770_000_000_000
LOST = 2 * ATTEMPTS
"""So many statements are cut before a writer gives up: the driver itself sends each a second time."""
BY_ENTRY_PAGE = {
    "from_": "2026-03-01",
    "to": "2026-04-30",
    "metrics": ["events", "unique_visitors", "sessions", "bounce_rate"],
    "group_by": ["entry_page"],
}
SLOW = [HealthCheck.data_too_large, HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
WRITERS, EVENTS, SHARED, GROUP = 8, 60, 30, 20


@pytest.fixture
def shards(tmp_path: Path) -> Iterator[ShardsFront]:
    running = ShardsFront(tmp_path)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventStores]:
    """Stores whose properties are all on both shards."""
    running = ShardsFront(tmp_path_factory.mktemp("shards"))
    stores = EventStores(running.database_url, f"{running.url}&spread={','.join(f'p{n}' for n in range(1_000))}")
    yield stores
    stores.close()
    running.stop()


def event(id_: str) -> Event:
    return Event(event_id=id_, type="pageview", ts=TS, received_at=TS, path="/", visitor_id="v", session_id="s")


def append(stores: EventStores, property_: Property, *ids: str) -> int | None:
    [duplicates] = stores.events.append([Batch(property_.id, [event(id_) for id_ in ids])])
    return duplicates


def stored_ids(stores: EventStores, property_: Property) -> list[str]:
    return sorted(one.event_id for _, one in stores.events.export(property_.id, after=0, limit=10_000))


def by_id(events: list[Event]) -> list[Event]:
    return sorted(events, key=lambda one: one.event_id)


def ids_of_shard(shards: ShardsFront, host: str, property_: Property) -> list[str]:
    """The ids that a shard has in its own table, as often as it has them."""
    connection = Connection(url_at(shards.url, host))
    sql = "SELECT event_id FROM `clicks`.events_local WHERE property_id = {property:String} ORDER BY 1"
    rows = connection.rows(sql, {"property": property_.id})
    connection.close()
    return [id_ for (id_,) in rows]


def spread(shards: ShardsFront, property_: Property) -> EventStores:
    """The stores of somebody who knows that the property is large."""
    return EventStores(shards.database_url, f"{shards.url}&spread={property_.id},other")


def two_of_a_large_one(shards: ShardsFront) -> tuple[Property, EventStores, EventStores]:
    """A large property, and the stores of two who know that it is."""
    stores = EventStores(shards.database_url, shards.url)
    large = stores.new_property()
    stores.close()
    return large, spread(shards, large), spread(shards, large)


@settings(max_examples=4, suppress_health_check=SLOW)
@given(sent=batches, asked=st.lists(questions(), min_size=8, max_size=8))
def test_reports_over_two_shards_are_exact(
    both: EventStores, sent: list[list[dict[str, Any]]], asked: list[tuple[str, dict[str, Any]]]
) -> None:
    property_ = both.new_property("Asia/Kolkata")
    both.append(property_, sent)
    both.check(property_, [*asked, ("metrics", BY_ENTRY_PAGE)])


def test_a_report_of_one_shard_would_be_wrong(both: EventStores, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test above must catch: a session of which each shard has a part."""
    property_ = both.new_property()
    sent = {"type": "pageview", "identity": {"session_id": "s", "visitor_id": "v"}, "ts": "2026-03-27T00:00:00Z"}
    pages = [sent | {"event_id": f"e{n}", "context": {"page": {"path": f"/{n}"}}} for n in range(8)]
    both.append(property_, [pages])
    both.check(property_, [("metrics", BY_ENTRY_PAGE)])
    rows = Connection.rows

    def of_shard(connection: Connection, sql: str, given: Any = None, more: Any = None) -> list[tuple[Any, ...]]:
        return rows(connection, sql.replace("`clicks`.events ", "`clicks`.events_local "), given, more)

    stored = both.stored(property_)
    monkeypatch.setattr(both, "stored", lambda _: stored)
    monkeypatch.setattr(Connection, "rows", of_shard)
    with pytest.raises(AssertionError):
        both.check(property_, [("metrics", BY_ENTRY_PAGE)])


def test_a_property_is_on_one_shard_and_a_spread_one_on_all(shards: ShardsFront) -> None:
    stores = EventStores(shards.database_url, shards.url)
    few = [stores.new_property() for _ in range(8)]
    for one in few:
        assert append(stores, one, "a", "b") == 0
        assert append(stores, one, "b", "c") == 1
        assert stored_ids(stores, one) == ["a", "b", "c"]
    found = {host: [ids_of_shard(shards, host, one) for one in few] for host in HOSTS}
    assert all(sorted([*map(len, pair)]) == [0, 3] for pair in zip(*found.values(), strict=True))
    assert all(any(listed) for listed in found.values())
    large = stores.new_property()
    stores.close()
    stores = spread(shards, large)
    ids = sorted(f"e{number}" for number in range(40))
    assert append(stores, large, *ids) == 0
    assert append(stores, large, *ids) == 40
    parts = [ids_of_shard(shards, host, large) for host in HOSTS]
    assert all(10 < len(part) < 30 for part in parts)
    assert sorted(parts[0] + parts[1]) == ids == stored_ids(stores, large)
    stores.close()


def test_a_place_stays_what_it_was_when_the_setting_changes(shards: ShardsFront) -> None:
    stores = EventStores(shards.database_url, shards.url)
    property_ = stores.new_property()
    append(stores, property_, *(f"e{number}" for number in range(10)))
    stores.close()
    stores = spread(shards, property_)
    assert append(stores, property_, *(f"e{number}" for number in range(20))) == 10
    assert sorted(len(ids_of_shard(shards, host, property_)) for host in HOSTS) == [0, 20]
    stores.close()


def test_a_place_that_was_forgotten_is_found_again_or_said_to_be_lost(shards: ShardsFront) -> None:
    stores = EventStores(shards.database_url, shards.url)
    properties = [stores.new_property() for _ in range(4)]
    large = stores.new_property()
    stores.close()
    stores = spread(shards, large)
    for one in [*properties, large]:
        append(stores, one, *(f"e{number}" for number in range(20)))
    stores.close()
    with closing(sqlite3.connect(shards.database_url.removeprefix("sqlite:///"))) as database:
        [(one,)] = database.execute("SELECT count(*) FROM store WHERE name = ?", (f"note:{note_of(large.id)}",))
        assert one == 1
        database.execute("DELETE FROM store WHERE name LIKE ?", (f"note:{note_of('')}%",))
        database.commit()
    stores = EventStores(shards.database_url, shards.url)
    assert [append(stores, one, "e1", "new") for one in properties] == [1] * 4
    with pytest.raises(Refusal, match="restore a newer copy"):
        append(stores, large, "e1")
    stores.close()


def test_a_list_of_shards_in_another_order_is_refused(shards: ShardsFront) -> None:
    stores = EventStores(shards.database_url, shards.url)
    stores.close()
    connection = Connection(shards.url)
    with pytest.raises(Refusal, match="is shard 1 and not 2; put ClickHouse's list in order"):
        claim(connection, identity=open_metadata(shards.database_url).secret("events identity").hex(), shard=2)
    connection.close()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("times", [3, LOST])
def test_a_lost_connection_to_a_shard_loses_and_doubles_nothing(shards: ShardsFront, when: str, times: int) -> None:
    large, stores, other = two_of_a_large_one(shards)
    ids = [f"e{number}" for number in range(20)]
    shards.fail(when, times=times, match="INSERT INTO `clicks`.`events_local`")
    if times == LOST:
        with pytest.raises(Refusal):
            append(stores, large, *ids)
    else:
        assert append(stores, large, *ids) == 0
    assert append(other, large, *ids[10:], "new") is not None
    append(stores, large, *ids)
    assert append(stores, large, *ids) == 20
    assert stored_ids(stores, large) == sorted([*ids, "new"])
    stores.close()
    other.close()


def test_an_insert_that_comes_too_late_changes_nothing_on_a_shard(shards: ShardsFront) -> None:
    large, stores, other = two_of_a_large_one(shards)
    ids = [f"e{number}" for number in range(20)]
    shards.fail("held", times=LOST, match="INSERT INTO `clicks`.`events_local`")
    with pytest.raises(Refusal):
        append(stores, large, *ids)
    append(other, large, *ids)
    assert append(other, large, "new") == 0
    shards.release()
    time.sleep(1)
    assert append(other, large, *ids) == 20
    assert stored_ids(other, large) == sorted([*ids, "new"])
    stores.close()
    other.close()


def test_writers_with_overlapping_ids_store_each_once(shards: ShardsFront) -> None:
    stores = EventStores(shards.database_url, shards.url)
    large, small = stores.new_property(), stores.new_property()
    stores.close()
    url = f"{shards.url}&spread={large.id}"
    fresh: Counter[str] = Counter()

    def write(number: int) -> None:
        events = open_events(url, metadata_url=shards.database_url)
        ids = [f"shared {n}" for n in range(SHARED)] + [f"{number} {n}" for n in range(EVENTS - SHARED)]
        for at in range(0, EVENTS, GROUP):
            given = [event(id_) for id_ in ids[at : at + GROUP]]
            duplicates = events.append([Batch(large.id, given), Batch(small.id, given)])
            for one, count in zip((large, small), duplicates, strict=True):
                assert count is not None
                fresh[one.id] += GROUP - count
        events.close()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    for one in (large, small):
        parts = [ids_of_shard(shards, host, one) for host in HOSTS]
        assert all(parts) == (one is large)
        found = Counter(parts[0] + parts[1])
        assert set(found.values()) == {1}
        assert len(found) == fresh[one.id] == SHARED + WRITERS * (EVENTS - SHARED)


def test_if_the_writers_of_a_shard_took_no_turns_an_id_would_be_stored_twice(
    shards: ShardsFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the test above must catch."""
    stores = EventStores(shards.database_url, shards.url)
    property_ = stores.new_property()
    append(stores, property_, "first")
    both_looked = threading.Barrier(2, timeout=30)
    store = EventWriter._store

    def slowly(writer: EventWriter, *given: Any) -> None:
        both_looked.wait()
        store(writer, *given)

    monkeypatch.setattr(Metadata, "exclusive", lambda *_: nullcontext())
    monkeypatch.setattr(EventWriter, "_store", slowly)

    def write(name: str) -> None:
        events = open_events(shards.url, metadata_url=shards.database_url)
        events.append([Batch(property_.id, [event(name), event("shared")])])
        events.close()

    writers = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert stored_ids(stores, property_) == ["a", "b", "first", "shared", "shared"]
    stores.close()


def test_whatever_is_read_in_order_of_arrival_misses_nothing_that_comes_later(shards: ShardsFront) -> None:
    large, stores, other = two_of_a_large_one(shards)
    seen, whole, after, position = [], [], 0, 0
    for number in range(12):
        append(other if number % 3 else stores, large, f"e{number}")
        if number % 2:
            page = stores.events.export(large.id, after=position, limit=3)
            seen += [one.event_id for _, one in page]
            position = page[-1][0]
        while rows := stores.events.whole(after=after, limit=2):
            whole += [one.event_id for _, _, one in rows]
            after = rows[-1][0]
    assert Counter(seen) == Counter(whole) == Counter(f"e{number}" for number in range(12))
    assert stores.events.last_position() == after
    stores.close()
    other.close()


def test_an_erased_visitor_is_on_no_shard_any_more(shards: ShardsFront) -> None:
    stores = EventStores(shards.database_url, shards.url)
    large = stores.new_property()
    stores.close()
    stores = spread(shards, large)
    others = [Event(event_id=f"o{n}", type="pageview", ts=TS, received_at=TS, visitor_id="w") for n in range(9)]
    append(stores, large, *(f"e{number}" for number in range(20)))
    stores.events.append([Batch(large.id, others)])
    now = TS + 1
    assert stores.events.mark_erased(large.id, "v", now=now)
    removed = 0
    after: tuple[int, int] | None = BEGINNING
    while after is not None:
        step = stores.events.erase(large.id, "v", erased_at=now, after=after, limit=1_000)
        removed, after = removed + step.removed, step.after
    assert removed == 20
    assert append(stores, large, "late") == 0
    assert stored_ids(stores, large) == sorted(one.event_id for one in others)
    assert stores.events.expire(large.id, before=now, limit=100) == 9
    stores.events.tallies(large.id)
    assert stored_ids(stores, large) == []
    stores.close()


def test_everything_is_moved_into_a_cluster_and_out_of_it(shards: ShardsFront, tmp_path: Path) -> None:
    for name in ("old", "back"):
        (tmp_path / name).mkdir()
    old, back = (Urls(url := sqlite_url(tmp_path / name), url) for name in ("old", "back"))
    new = Urls(shards.database_url, f"{shards.url}&spread={moves.SHOP}")
    moves.fill(old, events=90)
    held = moves.held(old)
    for source, destination in ((old, new), (new, back)):
        moves.copy(source, destination)
        moves.finish(source, destination)
    (was, events), (_, there), (now, here) = held, moves.held(new), moves.held(back)
    assert there[moves.BLOG] == here[moves.BLOG] == events[moves.BLOG]
    # A spread property's events are in the order of arrival on each of its shards.
    assert by_id(there[moves.SHOP]) == by_id(here[moves.SHOP]) == by_id(events[moves.SHOP])
    assert now.properties == was.properties


def test_a_shard_is_reached_through_the_replica_that_answers(shards: ShardsFront) -> None:
    stores = EventStores(shards.database_url, shards.url)
    identity = stores.events.identity()
    dead, alive = url_at(shards.url, "127.0.0.9"), shards.url
    shard = Shard(1, [dead, alive], stores.metadata, identity=identity, patience=1)
    with shard.open() as ends:
        assert ends.connection.shown == without_password(alive)
    shard.close()
    with (
        pytest.raises(Refusal, match="No replica of shard 1 can be used") as refused,
        Shard(1, [dead], stores.metadata, identity=identity, patience=1).open(),
    ):
        pass
    assert refused.value.code == "store_unavailable"
    stores.close()


def test_what_is_not_durable_on_a_server_is_said(shards: ShardsFront) -> None:
    stores = EventStores(shards.database_url, shards.url)
    assert stores.events.warnings() == []
    connection = Connection(shards.url)
    connection.command("ALTER TABLE `clicks`.events_local MODIFY SETTING fsync_after_insert = 0")
    connection.close()
    [warning] = stores.events.warnings()
    assert "table events_local lacks fsync_after_insert = 1, so that" in warning
    stores.close()


def test_a_cluster_that_clickhouse_does_not_know_is_refused(shards: ShardsFront) -> None:
    EventStores(shards.database_url, shards.url).close()
    connection = Connection(shards.url)
    with pytest.raises(Refusal, match="knows no cluster other"):
        servers(connection, "other")
    connection.close()
