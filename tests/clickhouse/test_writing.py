"""Every event is stored once: whatever happens to the connection, and whoever else is storing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from clickmeter.errors import Refusal
from clickmeter.ingest.storing import store
from clickmeter.model import Batch, Event
from clickmeter.storage.clickhouse import writing
from clickmeter.storage.clickhouse.connection import Connection, without_password
from clickmeter.storage.clickhouse.directory import directory_of
from clickmeter.storage.clickhouse.schema import DURABLE
from clickmeter.storage.clickhouse.writing import EventWriter, chunks, month_of
from clickmeter.storage.open import open_events
from service import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stores import EventStores

    from clickmeter.model import Property
    from front import Front

TS = 1_770_000_000_000
DAY_MS = 86_400_000
MONTH_MS = 31 * DAY_MS
FROM_2015 = 1_420_070_400_000
LOST = 2 * writing.ATTEMPTS
"""So many statements are cut before a writer gives up: the driver itself sends each a second time."""
WRITERS, EVENTS, SHARED = 8, 120, 60
MANY = 20_000
"""More than the driver sends as one block."""


def event(id_: str, ts: int = TS) -> Event:
    return Event(event_id=id_, type="pageview", ts=ts, received_at=TS, path="/", visitor_id="v", session_id="s")


def append(stores: EventStores, property_: Property, *ids: str) -> int | None:
    [duplicates] = stores.events.append([Batch(property_.id, [event(id_) for id_ in ids])])
    return duplicates


def until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def stored_ids(stores: EventStores, property_: Property) -> list[str]:
    return sorted(one.event_id for _, one in stores.events.export(property_.id, after=0, limit=10_000))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_connection_loses_and_doubles_nothing(front: Front, when: str) -> None:
    stores = front.open()
    property_ = stores.new_property()
    front.fail(when, times=3)
    assert append(stores, property_, "a", "b") == 0
    assert append(stores, property_, "b", "c") == 1
    assert stored_ids(stores, property_) == ["a", "b", "c"]
    stores.close()


def test_without_the_token_an_insert_would_be_there_twice(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test above must catch."""
    stores = front.open()
    property_ = stores.new_property()
    monkeypatch.setattr(writing, "INSERT_SETTINGS", writing.INSERT_SETTINGS | {"deduplicate_insert": "disable"})
    front.fail("after")
    append(stores, property_, "a", "b")
    assert stored_ids(stores, property_) == ["a", "a", "b", "b"]
    stores.close()


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_insert_whose_outcome_stays_unknown_is_settled_by_the_next_writer(front: Front, when: str) -> None:
    stores, other = front.open(), front.open()
    property_ = stores.new_property()
    front.fail(when, times=LOST)
    with pytest.raises(Refusal) as refused:
        append(stores, property_, "a", "b")
    assert refused.value.code == "store_unavailable"
    assert "p%40ss" not in refused.value.detail
    assert append(other, property_, "b", "c") == 1
    assert append(stores, property_, "a", "d") == 1
    assert stored_ids(stores, property_) == ["a", "b", "c", "d"]
    stores.close()
    other.close()


def test_an_insert_that_arrives_when_others_have_stored_long_since_changes_nothing(front: Front) -> None:
    stores, other = front.open(), front.open()
    property_ = stores.new_property()
    front.fail("held", times=LOST)
    with pytest.raises(Refusal):
        append(stores, property_, "a", "b")
    assert append(other, property_, "a", "c") == 1
    assert append(other, property_, "d") == 0
    front.release()
    time.sleep(1)
    assert stored_ids(other, property_) == ["a", "b", "c", "d"]
    stores.close()
    other.close()


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("stored", [False, True])
def test_what_a_dead_writer_has_noted_is_stored_once(
    front: Front, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    stores, other = front.open(), front.open()
    property_ = stores.new_property()
    insert = EventWriter._insert

    def dying(writer: EventWriter, *given: Any) -> None:
        if stored:
            insert(writer, *given)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(EventWriter, "_insert", dying)
        with pytest.raises(Killed):
            append(stores, property_, "a", "b")
    assert append(other, property_, "c") == 0
    assert stored_ids(other, property_) == ["a", "b", "c"]
    stores.close()
    other.close()


def test_a_refused_insert_is_made_when_it_is_possible_again(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = front.open()
    property_ = stores.new_property()
    with monkeypatch.context() as patch:
        patch.setattr(writing, "INSERT_SETTINGS", writing.INSERT_SETTINGS | {"max_memory_usage": 1})
        with pytest.raises(Refusal):
            append(stores, property_, "a")
    assert append(stores, property_, "a", "b") == 1
    assert stored_ids(stores, property_) == ["a", "b"]
    stores.close()


def test_an_event_that_cannot_be_written_does_not_stop_the_others(stores: EventStores) -> None:
    property_ = stores.new_property()
    good, bad = (Batch(property_.id, [event(id_)]) for id_ in ("good", "bad"))
    bad.events[0].received_at = 1 << 63
    assert store(stores.events, [good, bad]) == [0, "The store refuses this batch; the log says why."]
    assert store(stores.events, [good]) == [1]
    assert stored_ids(stores, property_) == ["good"]


def parts(stores: EventStores, property_: Property) -> Counter[str]:
    """How many parts each month has of an insert whose rows are of several blocks; there were none before."""
    events = [event(f"e{number}", TS + number % 3 * MONTH_MS) for number in range(MANY)]
    assert stores.events.append([Batch(property_.id, events)]) == [0]
    connection = Connection(stores.events_url)
    sql = "SELECT partition, rows FROM system.parts WHERE database = {name:String} AND table = 'events' AND level = 0"
    found = connection.rows(sql, {"name": connection.database})
    connection.close()
    assert sum(rows for _, rows in found) == MANY
    return Counter(month for month, _ in found)


def test_a_months_rows_of_one_insert_are_stored_together(front: Front) -> None:
    stores = front.open()
    assert [*parts(stores, stores.new_property()).values()] == [1, 1, 1]
    stores.close()


def test_without_limits_of_our_own_they_might_not_be(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is half stored would then be taken for stored, when a writer dies in between."""
    lower = {"min_insert_block_size_rows": 1, "min_insert_block_size_bytes": 1}
    monkeypatch.setattr(writing, "INSERT_SETTINGS", writing.INSERT_SETTINGS | lower)
    stores = front.open()
    assert max(parts(stores, stores.new_property()).values()) > 1
    stores.close()


def test_writers_with_overlapping_ids_store_each_once(stores: EventStores) -> None:
    property_ = stores.new_property()
    fresh: list[int] = []

    def write(number: int) -> None:
        events = open_events(stores.events_url, metadata_url=stores.url)
        ids = [f"shared {n}" for n in range(SHARED)] + [f"{number} {n}" for n in range(EVENTS - SHARED)]
        for at in range(0, EVENTS, 20):
            [duplicates] = events.append([Batch(property_.id, [event(id_) for id_ in ids[at : at + 20]])])
            assert duplicates is not None
            fresh.append(20 - duplicates)
        events.close()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = Counter(stored_ids(stores, property_))
    assert set(found.values()) == {1}
    assert len(found) == sum(fresh) == SHARED + WRITERS * (EVENTS - SHARED)


def test_an_id_is_the_same_event_whatever_its_time(stores: EventStores) -> None:
    property_ = stores.new_property()
    for number in range(5):
        later = event("e", TS - number * MONTH_MS)
        assert stores.events.append([Batch(property_.id, [later, later])]) == [1 + (number > 0)]
    assert stored_ids(stores, property_) == ["e"]


def test_ids_that_only_look_alike_are_different_events(stores: EventStores) -> None:
    property_ = stores.new_property()
    ids = [
        "018f0000-0000-7000-8000-000000000000",
        "018F0000-0000-7000-8000-000000000000",
        "018f",
        "018F",
        "é",
        "e\u0301",
    ]
    assert append(stores, property_, *ids) == 0
    assert stored_ids(stores, property_) == sorted(ids)


def test_a_batch_of_more_months_than_an_insert_may_have_is_stored(stores: EventStores) -> None:
    property_ = stores.new_property()
    events = [event(f"e{number}", FROM_2015 + number * 4 * DAY_MS) for number in range(1_000)]
    assert len({month_of(("", 0, one)) for one in events}) > 120
    assert max(len({month_of(row) for row in part}) for part in chunks([("", 0, one) for one in events])) == 50
    assert stores.events.append([Batch(property_.id, events)]) == [0]
    assert stores.events.append([Batch(property_.id, events)]) == [1_000]
    assert len(stored_ids(stores, property_)) == 1_000


def test_a_month_is_the_partition_that_clickhouse_puts_it_in(stores: EventStores) -> None:
    property_ = stores.new_property()
    moments = [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2014, 12, 31, 23, tzinfo=UTC),
        datetime(2026, 2, 28, tzinfo=UTC),
    ]
    events = [event(f"e{number}", int(moment.timestamp() * 1000) + 999) for number, moment in enumerate(moments)]
    stores.events.append([Batch(property_.id, events)])
    connection = Connection(stores.events_url)
    sql = "SELECT ts, _partition_id FROM clickmeter.events WHERE property_id = {p:String}"
    found = dict(connection.rows(sql, {"p": property_.id}))
    connection.close()
    assert found == {one.ts: str(month_of(("", 0, one))) for one in events}


def test_tables_are_made_to_be_durable(stores: EventStores) -> None:
    connection = Connection(stores.events_url)
    tables = dict(connection.rows("SELECT name, create_table_query FROM system.tables WHERE database = 'clickmeter'"))
    connection.close()
    assert tables.keys() == {"events", "store"}
    for statement in tables.values():
        for name, value in DURABLE.items():
            assert f"{name} = {value}" in statement


def test_events_of_another_database_are_refused(stores: EventStores, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="do not belong together"):
        open_events(stores.events_url, metadata_url=sqlite_url(tmp_path))


def test_a_second_process_of_a_directory_is_told_so(stores: EventStores) -> None:
    property_ = stores.new_property()
    line = [sys.executable, "-m", "clickmeter", "report", "overview", property_.id]
    settings = {"CLICKMETER_DATABASE_URL": stores.url, "CLICKMETER_EVENTS_URL": stores.events_url}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLICKMETER_")}
    done = subprocess.run(line, env=environment | settings, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "is open in another process, most likely a running server, and chDB allows one" in done.stderr


def test_an_events_url_has_to_name_an_engine_that_keeps_events_alone(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="leave CLICKMETER_EVENTS_URL out"):
        open_events(sqlite_url(tmp_path / "other"), metadata_url=sqlite_url(tmp_path))
    with pytest.raises(Refusal, match="beside a CLICKMETER_DATABASE_URL"):
        open_events("chdb:///events")


def test_urls() -> None:
    assert directory_of("chdb:////var/lib/events%201") == "/var/lib/events 1"
    assert without_password("clickhouse://u:secret@host:8123/x") == "clickhouse://u@host:8123/x"
    with pytest.raises(Refusal):
        directory_of("chdb://host/events")


def test_what_is_read_in_order_of_arrival(stores: EventStores) -> None:
    property_ = stores.new_property()
    before = stores.events.last_position()
    for number in range(6):
        append(stores, property_, f"e{number}")
    columns = ["ts", "path", "title", "campaign", "bot"]
    row = (TS, "/", None, None, 0)
    arrived = stores.events.arrivals(columns, after=before + 3, limit=2)
    assert arrived == [(before + 4, property_.id, *row), (before + 5, property_.id, *row)]
    assert stores.events.last_position() == before + 6


def test_a_purge_removes_what_deleted_properties_had(stores: EventStores) -> None:
    kept, gone = stores.new_property(), stores.new_property()
    append(stores, kept, "a")
    append(stores, gone, "a", "b")
    stores.delete(gone)
    until(lambda: stored_ids(stores, gone) == [])
    assert stored_ids(stores, kept) == ["a"]
    assert append(stores, gone, "a") is None
