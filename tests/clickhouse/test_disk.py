"""A part that a full disk has broken is replaced by those it was made of, and a disk that is full takes no events."""

from __future__ import annotations

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


def append(stores: EventStores, property_: Property, id_: str) -> None:
    event = Event(event_id=id_, type="pageview", ts=OF_2016, received_at=OF_2016, path="/")
    assert stores.events.append([Batch(property_.id, [event])]) == [0]


def stored_ids(stores: EventStores, property_: Property) -> list[str]:
    return [event.event_id for _, event in stores.events.export(property_.id, after=0, limit=10_000)]


def break_merged_part(stores: EventStores) -> None:
    """Merge the month's parts, and leave of what they become what chDB leaves when the disk is full: empty files."""
    with closing(Connection(stores.events_url)) as connection:
        connection.command(f"OPTIMIZE TABLE clickmeter.events PARTITION {MONTH} FINAL")
        connection.command("SYSTEM DROP MARK CACHE")
        connection.command("SYSTEM DROP UNCOMPRESSED CACHE")
        sql = "SELECT path FROM system.parts WHERE partition = {month:String} AND active AND level > 0"
        [(path,)] = connection.rows(sql, {"month": MONTH})
    for file in Path(path).rglob("*"):
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
