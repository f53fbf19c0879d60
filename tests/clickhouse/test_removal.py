"""Events that are removed are gone for good: no late insert, no journal, no restart brings one back."""

from __future__ import annotations

import time
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from clickmeter.cli import commands
from clickmeter.errors import Refusal
from clickmeter.model import Batch, Event
from clickmeter.storage.clickhouse.connection import Connection
from clickmeter.storage.open import examine_events
from clickmeter.storage.protocol import BEGINNING

if TYPE_CHECKING:
    from stores import EventStores

    from clickmeter.model import Property
    from front import Front

TS = 1_770_000_000_000
DAY_MS = 86_400_000
SECONDS = 60


def event(id_: str, visitor: str | None = "v", *, ts: int = TS, received_at: int = TS) -> Event:
    return Event(event_id=id_, type="pageview", ts=ts, received_at=received_at, path="/", visitor_id=visitor)


def append(stores: EventStores, property_: Property, *events: Event) -> int | None:
    [duplicates] = stores.events.append([Batch(property_.id, [*events])])
    return duplicates


def stored_ids(stores: EventStores, property_: Property) -> list[str]:
    return [one.event_id for _, one in stores.events.export(property_.id, after=0, limit=10_000)]


def erase(stores: EventStores, property_: Property, visitor_id: str, *, now: int) -> int:
    assert stores.events.mark_erased(property_.id, visitor_id, now=now)
    give_up_at = time.monotonic() + SECONDS
    removed, after = 0, BEGINNING
    while True:
        step = stores.events.erase(property_.id, visitor_id, erased_at=now, after=after, limit=1)
        removed += step.removed
        if step.after is None:
            return removed
        assert time.monotonic() < give_up_at
        after = step.after


def expire(stores: EventStores, property_: Property, *, before: int) -> int:
    """Ask until nothing is there to be removed; how many were counted in all."""
    give_up_at = time.monotonic() + SECONDS
    removed = 0
    while [event for _, event in stores.events.export(property_.id, after=0, limit=10_000) if event.ts < before]:
        removed += stores.events.expire(property_.id, before=before, limit=1)
        assert time.monotonic() < give_up_at
    return removed


def test_a_visitor_goes_with_every_event_of_before_and_no_other(stores: EventStores) -> None:
    one, other = stores.new_property(), stores.new_property()
    theirs = [event("a"), event("b", ts=TS - 90 * DAY_MS), event("c", ts=TS + DAY_MS, received_at=TS)]
    others = [event("d", "w"), event("e", None), event("f", ts=TS + DAY_MS, received_at=TS + DAY_MS)]
    for property_ in (one, other):
        append(stores, property_, *theirs, *others)
    assert erase(stores, one, "v", now=TS + 1) == 3
    assert stored_ids(stores, one) == ["d", "e", "f"]
    assert stored_ids(stores, other) == ["a", "b", "c", "d", "e", "f"]
    # Late events are kept out and no duplicates; what comes after the erasure is stored.
    assert append(stores, one, event("g"), event("h", ts=TS + 1), event("d", "w")) == 1
    assert stored_ids(stores, one) == ["d", "e", "f", "h"]
    assert erase(stores, one, "nobody", now=TS) == 0


def test_what_is_removed_does_not_come_back_from_the_journal(stores: EventStores) -> None:
    """The last insert is repeated after a restart when its rows are missing: not those that were removed."""
    property_ = stores.new_property()
    append(stores, property_, event("a"), event("b", "w"))
    assert erase(stores, property_, "v", now=TS + 1) == 1
    stores.reopen()
    assert stored_ids(stores, property_) == ["b"]
    append(stores, property_, event("old", "w", ts=TS - 40 * DAY_MS))
    assert expire(stores, property_, before=TS - DAY_MS) == 1
    stores.reopen()
    assert stored_ids(stores, property_) == ["b"]


def test_a_journal_that_was_left_as_it_is_would_bring_it_back(
    stores: EventStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the test above must catch. ClickHouse itself forgets in a power cut that it has seen the insert."""
    property_ = stores.new_property()
    append(stores, property_, event("a"))
    monkeypatch.setattr("clickmeter.storage.clickhouse.writing.EventWriter.before_removal", lambda _: nullcontext())
    monkeypatch.setattr("clickmeter.storage.clickhouse.writing.token_of", lambda _: "another token")
    assert erase(stores, property_, "v", now=TS + 1) == 1
    stores.reopen()
    assert stored_ids(stores, property_) == ["a"]


def test_ids_of_removed_events_may_be_used_again(stores: EventStores) -> None:
    """The token of an insert is of its place, too, and no place is given out twice."""
    property_ = stores.new_property()
    last = stores.events.last_position()
    append(stores, property_, event("a"))
    expire(stores, property_, before=TS + 1)
    assert stores.events.last_position() == last + 1
    assert append(stores, property_, event("a")) == 0
    assert stored_ids(stores, property_) == ["a"]
    assert stores.events.last_position() == last + 2


def test_a_late_insert_of_an_erased_visitor_is_not_stored_again(front: Front) -> None:
    stores = front.open()
    property_ = stores.new_property()
    front.fail("held")
    append(stores, property_, event("a"), event("b", "w"))
    assert erase(stores, property_, "v", now=TS + 1) == 1
    front.release()
    time.sleep(1)
    assert stored_ids(stores, property_) == ["b"]
    stores.close()


def test_a_visitor_whose_last_insert_nobody_knows_of_is_erased(front: Front) -> None:
    stores, other = front.open(), front.open()
    property_ = stores.new_property()
    front.fail("before", times=6)
    with pytest.raises(Refusal):
        append(stores, property_, event("a"), event("b", "w"))
    assert erase(other, property_, "v", now=TS + 1) == 1
    assert append(stores, property_, event("a"), event("b", "w")) == 1
    assert stored_ids(stores, property_) == ["b"]
    for opened in (stores, other):
        opened.close()


def test_nothing_is_left_in_the_parts_that_are_read(stores: EventStores) -> None:
    property_ = stores.new_property()
    append(stores, property_, event("a", "v-Zq81TfQmW0x7"), event("b", "w"))
    erase(stores, property_, "v-Zq81TfQmW0x7", now=TS + 1)
    with closing(Connection(stores.events_url)) as connection:
        sql = "SELECT count() FROM clickmeter.events WHERE visitor_id = 'v-Zq81TfQmW0x7'"
        assert connection.rows(sql) == [(0,)]
        rows = connection.rows(
            "SELECT count() FROM mergeTreeProjection('clickmeter', 'events', 'by_key') WHERE property_id = {id:String}",
            {"id": property_.id},
        )
        assert rows == [(1,)]


def test_tables_that_may_lose_events_are_named(stores: EventStores) -> None:
    assert stores.events.warnings() == []
    with closing(Connection(stores.events_url)) as connection:
        connection.command("ALTER TABLE clickmeter.events MODIFY SETTING fsync_after_insert = 0")
        try:
            [warning] = stores.events.warnings()
        finally:
            connection.command("ALTER TABLE clickmeter.events MODIFY SETTING fsync_after_insert = 1")
    assert "run ALTER TABLE clickmeter.events MODIFY SETTING fsync_after_insert = 1" in warning
    assert stores.events.warnings() == []


def test_the_doctor_looks_at_the_events_too(front: Front) -> None:
    front.open().close()
    [found] = examine_events(front.url)
    assert found.level == "ok"
    assert "p%40ss" not in found.what


@pytest.mark.parametrize("line", [["backup", "copy"], ["restore", "copy"], ["compact"]])
def test_what_is_done_to_a_database_as_a_whole_is_clickhouses_own_business(front: Front, line: list[str]) -> None:
    flags = ["--database-url", front.database_url, "--events-url", front.url]
    done = CliRunner().invoke(commands, [*line, *flags])
    assert done.exit_code == 1
    assert "docs/clickhouse.md" in done.output


def test_the_command_line_erases_over_http(front: Front) -> None:
    stores = front.open()
    property_ = stores.new_property()
    append(stores, property_, event("a"), event("b", "w"))
    flags = ["--database-url", front.database_url, "--events-url", front.url]
    done = CliRunner().invoke(commands, ["erase", property_.id, "--visitor", "v", "--yes", *flags])
    assert (done.exit_code, "1 events were removed" in done.output) == (0, True), done.output
    assert stored_ids(stores, property_) == ["b"]
    stores.close()
