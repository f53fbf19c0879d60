"""A part that a full disk has broken is replaced by those it was made of, and a disk that is full takes no events."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clickmeter.errors import Refusal
from clickmeter.model import Batch, Event
from clickmeter.storage.clickhouse import disk
from clickmeter.storage.clickhouse.connection import Connection

if TYPE_CHECKING:
    from stores import EventStores

    from clickmeter.model import Property

OF_2016 = 1_455_000_000_000
MONTH = "201602"
"""A month of which no other test has events."""
QUESTIONS = 30


def event(id_: str) -> Event:
    return Event(event_id=id_, type="pageview", ts=OF_2016, received_at=OF_2016, path="/")


def append(stores: EventStores, property_: Property, id_: str) -> None:
    assert stores.events.append([Batch(property_.id, [event(id_)])]) == [0]


def stored_ids(stores: EventStores, property_: Property) -> list[str]:
    return [stored.event_id for _, stored in stores.events.export(property_.id, after=0, limit=10_000)]


def break_merged_part(stores: EventStores) -> None:
    """Merge the month's parts, and leave of what they become what chDB leaves when the disk is full: empty files."""
    with closing(Connection(stores.events_url)) as connection:
        connection.command(f"OPTIMIZE TABLE clickmeter.events PARTITION {MONTH} FINAL")
        connection.command("SYSTEM DROP MARK CACHE")
        connection.command("SYSTEM DROP UNCOMPRESSED CACHE")
        sql = "SELECT path FROM system.parts WHERE partition = {month:String} AND active AND level > 0"
        [(path,)] = connection.rows(sql, {"month": MONTH})
    leave_empty(path)


def leave_empty(part: str) -> None:
    for file in Path(part).rglob("*"):
        if file.is_file():
            file.write_bytes(b"")


def test_a_part_that_cannot_be_read_is_replaced_by_those_it_was_made_of(
    stores: EventStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "PAUSE_SECONDS", 0)
    property_ = stores.new_property()
    for number in range(3):
        append(stores, property_, f"{number}")
    break_merged_part(stores)
    with pytest.raises(Refusal, match="cannot be used"):
        stored_ids(stores, property_)
    append(stores, property_, "3")
    assert stored_ids(stores, property_) == ["0", "1", "2", "3"]
    stores.reopen()
    assert stored_ids(stores, property_) == ["0", "1", "2", "3"]


def test_what_is_stored_while_the_disk_fills_up_is_not_acknowledged_and_stored_again(
    stores: EventStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "PAUSE_SECONDS", 0)
    property_ = stores.new_property()
    rooms = iter([2**62, 0])
    with monkeypatch.context() as filling:
        filling.setattr(disk, "free_bytes", lambda _: next(rooms))
        with pytest.raises(Refusal, match="send the same events again"):
            append(stores, property_, "0")
    with closing(Connection(stores.events_url)) as connection:
        sql = """
            SELECT path FROM system.parts WHERE active
            AND name IN (SELECT _part FROM clickmeter.events WHERE property_id = {property:String})
        """
        [(path,)] = connection.rows(sql, {"property": property_.id})
    leave_empty(path)
    stores.events.append([Batch(property_.id, [event("0")])])
    assert stored_ids(stores, property_) == ["0"]
    stores.reopen()
    assert stored_ids(stores, property_) == ["0"]


def test_nobody_who_asks_notices_that_the_tables_are_attached_anew(
    stores: EventStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "PAUSE_SECONDS", 0)
    property_ = stores.new_property()
    append(stores, property_, "0")

    def ask() -> set[int]:
        return {len(stored_ids(stores, property_)) for _ in range(QUESTIONS)}

    with closing(Connection(stores.events_url)) as connection, ThreadPoolExecutor(1) as other:
        assert connection.directory is not None
        answers = other.submit(ask)
        while not answers.done():
            connection.directory.is_doubted = True
            with closing(stores.opened_events()) as events:
                events.check()
            assert not connection.directory.is_doubted
        assert answers.result() == {1}


def test_a_disk_with_hardly_any_room_takes_no_events(stores: EventStores, monkeypatch: pytest.MonkeyPatch) -> None:
    property_ = stores.new_property()
    append(stores, property_, "0")
    with monkeypatch.context() as full:
        full.setattr(disk, "LEAST_BYTES", 2**62)
        with pytest.raises(Refusal, match="is full; make room"):
            append(stores, property_, "1")
        with pytest.raises(Refusal, match="is full; make room"):
            stores.events.check()
        assert stored_ids(stores, property_) == ["0"]
    append(stores, property_, "1")
    assert stored_ids(stores, property_) == ["0", "1"]
