"""What happens to the rollups of an SQLite database when its files are deleted, exchanged, damaged or restored?"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import pytest
from stores import Stores

from clickmeter.errors import Refusal
from clickmeter.segments.roller import REBUILD
from clickmeter.storage.sqlite import dictionaries, rollups
from clickmeter.storage.sqlite import rollup_file as file_of_rollups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickmeter.model import Property

DAYS = {"from_": "2026-03-01", "to": "2026-03-31"}
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("overview", {**DAYS, "metrics": ["events", "pageviews", "unique_visitors", "sessions"]}),
    ("metrics", {**DAYS, "group_by": ["path"], "metrics": ["events", "unique_visitors", "bounce_rate"]}),
    ("metrics", {**DAYS, "interval": "day", "filters": ["path:is_not:/3"]}),
]
TOGETHER = ("", "-wal", "-shm")


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    opened = Stores(f"sqlite:///{tmp_path / 'clickmeter.db'}")
    yield opened
    opened.close()


def add(stores: Stores, property_: Property, numbers: range) -> None:
    sent = [
        {
            "event_id": f"e{number}",
            "type": "pageview",
            "ts": f"2026-03-{1 + number % 20:02}T12:00:00Z",
            "context": {"page": {"path": f"/{number % 5}"}},
            "identity": {"visitor_id": f"v{number % 17}", "session_id": f"s{number % 19}"},
        }
        for number in numbers
    ]
    stores.append(property_, [sent])


def rolled_up(stores: Stores) -> Property:
    property_ = stores.new_property()
    add(stores, property_, range(100))
    stores.roll()
    assert stores.behind() == 0
    return property_


def raw_file(stores: Stores) -> Path:
    return Path(stores.url.removeprefix("sqlite:///"))


def rollup_file(stores: Stores) -> Path:
    return raw_file(stores).with_name("clickmeter.db-rollup")


def remove(path: Path) -> None:
    for suffix in TOGETHER:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def damage(path: Path, *, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"not a page of a database" * 300)


def checked_afresh(stores: Stores, property_: Property) -> None:
    """The rollups were begun anew, and reports are exact before, while and after they are made again."""
    assert stores.watermark() == 0
    stores.check(property_, ASKED)
    stores.roll()
    assert stores.behind() == 0
    stores.check(property_, ASKED)


def test_rollups_are_kept_from_one_start_to_the_next(stores: Stores) -> None:
    property_ = rolled_up(stores)
    stores.reopen()
    assert stores.watermark() == stores.events.last_position()
    stores.check(property_, ASKED)


def test_the_file_may_be_deleted(stores: Stores) -> None:
    property_ = rolled_up(stores)
    stores.close()
    remove(rollup_file(stores))
    stores.open()
    checked_afresh(stores, property_)


def test_the_file_is_its_owners_alone(stores: Stores) -> None:
    assert rollup_file(stores).stat().st_mode & 0o777 == 0o600


def test_the_file_of_another_database_is_not_used(stores: Stores, tmp_path: Path) -> None:
    property_ = rolled_up(stores)
    (tmp_path / "other").mkdir()
    other = Stores(f"sqlite:///{tmp_path / 'other' / 'clickmeter.db'}")
    # As many events, with the same ids, of a property with the same id: only the store is another.
    other.metadata.create_property(property_, [])
    add(other, property_, range(100))
    other.roll()
    other.close()
    stores.close()
    remove(rollup_file(stores))
    shutil.copy(rollup_file(other), rollup_file(stores))
    stores.open()
    checked_afresh(stores, property_)


@pytest.mark.parametrize("more", [range(200, 210), range(200, 400)], ids=["shorter", "longer"])
def test_an_older_copy_of_the_events_is_noticed(stores: Stores, tmp_path: Path, more: range) -> None:
    """Fewer events than are rolled up; and more of them, but not the same, restored and filled without a server."""
    property_ = rolled_up(stores)
    stores.close()
    copy = shutil.copy(raw_file(stores), tmp_path / "copy.db")
    stores.open()
    add(stores, property_, range(100, 200))
    stores.roll()
    assert stores.watermark() == 200
    stores.close()
    remove(raw_file(stores))
    shutil.copy(copy, raw_file(stores))
    kept = rollup_file(stores).rename(tmp_path / "kept")
    stores.open()
    add(stores, property_, more)
    stores.close()
    remove(rollup_file(stores))
    kept.rename(rollup_file(stores))
    stores.open()
    checked_afresh(stores, property_)


def test_newest_events_that_were_deleted_are_noticed(stores: Stores) -> None:
    property_ = rolled_up(stores)
    stores.close()
    with sqlite3.connect(raw_file(stores)) as connection:
        connection.execute("DELETE FROM events WHERE id > 90")
    connection.close()
    stores.open()
    assert stores.watermark() == 0
    add(stores, property_, range(300, 320))
    checked_afresh(stores, property_)


@pytest.mark.parametrize("at", [0, 8_192], ids=["head", "state"])
def test_a_damaged_file_is_begun_anew(stores: Stores, at: int, caplog: pytest.LogCaptureFixture) -> None:
    property_ = rolled_up(stores)
    stores.close()
    damage(rollup_file(stores), at=at)
    stores.open()
    assert "is made anew from the events" in caplog.text
    checked_afresh(stores, property_)


@pytest.mark.parametrize("written", [b"", b"This is no database. " * 1_000])
def test_any_file_in_its_place_is_begun_anew(stores: Stores, written: bytes) -> None:
    property_ = rolled_up(stores)
    stores.close()
    remove(rollup_file(stores))
    rollup_file(stores).write_bytes(written)
    stores.open()
    checked_afresh(stores, property_)


def test_a_file_of_another_version_is_begun_anew(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    property_ = rolled_up(stores)
    monkeypatch.setattr(file_of_rollups, "VERSION", "another")
    stores.reopen()
    checked_afresh(stores, property_)


def test_a_file_of_an_older_codec_is_begun_anew(stores: Stores) -> None:
    """As this program's predecessor left it: its segments are never read, whatever they hold."""
    property_ = rolled_up(stores)
    stores.close()
    with sqlite3.connect(rollup_file(stores)) as connection:
        connection.execute("UPDATE state SET value = '1.1' WHERE name = 'version'")
        connection.execute("UPDATE segments SET blob = x'01'")
    connection.close()
    stores.open()
    checked_afresh(stores, property_)


def after_an_unclean_stop(stores: Stores, monkeypatch: pytest.MonkeyPatch, *, same_run: bool) -> None:
    """All processes are gone without an end; the machine was started again, or it was not."""
    if not same_run:
        monkeypatch.setattr(rollups, "machine_run", lambda: "another run")
    stores.open()


def abandoned(stores: Stores, *, damaged: bool) -> Property:
    property_ = rolled_up(stores)
    stores.abandon()
    if damaged:
        for table in ("segments", "texts", "hashes"):
            damage(rollup_file(stores), at=page_of(rollup_file(stores), table))
    return property_


def page_of(path: Path, table: str) -> int:
    """Where a table begins in the file; what is said at the start of it is looked at whenever the file is opened."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [(page,)] = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,))
    connection.close()
    return 8_192 * (int(page) - 1)


def test_damage_from_when_the_machine_went_down_is_found_before_anything_is_read(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    property_ = abandoned(stores, damaged=True)
    after_an_unclean_stop(stores, monkeypatch, same_run=False)
    assert stores.watermark() == 0
    stores.check(property_, ASKED)
    assert caplog.text == ""
    stores.roll()
    assert "is damaged and is made anew" in caplog.text
    assert stores.behind() == 0
    stores.check(property_, ASKED)


def test_a_whole_file_is_kept_when_the_machine_went_down(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    property_ = abandoned(stores, damaged=False)
    after_an_unclean_stop(stores, monkeypatch, same_run=False)
    epoch = stores.rollups.epoch()
    assert stores.watermark() == 0
    add(stores, property_, range(100, 110))
    stores.check(property_, ASKED)
    stores.roll()
    assert (stores.watermark(), stores.rollups.epoch()) == (110, epoch)
    stores.check(property_, ASKED)


def test_a_process_that_is_killed_casts_no_doubt_on_the_file(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    property_ = abandoned(stores, damaged=False)
    after_an_unclean_stop(stores, monkeypatch, same_run=True)
    assert stores.watermark() == 100
    stores.check(property_, ASKED)


def test_a_server_that_ends_in_order_casts_no_doubt_on_the_file(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    property_ = rolled_up(stores)
    stores.close()
    after_an_unclean_stop(stores, monkeypatch, same_run=False)
    assert stores.watermark() == 100
    stores.check(property_, ASKED)


def test_damage_that_nobody_looks_for_would_be_met_by_a_report(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    property_ = abandoned(stores, damaged=True)
    after_an_unclean_stop(stores, monkeypatch, same_run=True)
    with pytest.raises(Refusal, match="cannot be used"):
        stores.check(property_, ASKED)
    stores.abandon()
    remove(rollup_file(stores))
    stores.open()


def kept_values(stores: Stores) -> int:
    # Not through the standard library's SQLite: two of them in one process let go of each other's locks.
    with closing(apsw.Connection(str(rollup_file(stores)))) as connection:
        tables = ("texts", "hashes", "new_hashes")
        return sum(int(connection.execute(f"SELECT count(*) FROM {table}").get) for table in tables)


def test_what_is_forgotten_goes_in_small_transactions(stores: Stores) -> None:
    """However many values a property had: a step of the roller that comes after waits for none of it."""
    property_ = stores.new_property()
    stores.append(
        property_,
        [
            [
                {"event_id": f"e{n}", "type": "pageview", "context": {"page": {"path": f"/{n}", "title": f"t{n}"}}}
                for n in range(first, first + 500)
            ]
            for first in range(0, 6_000, 500)
        ],
    )
    stores.roll()
    stores.rollups.set_note(REBUILD, "")
    stores.rollups.forget(property_.id)
    assert stores.rollups.statistics()[1:5] == (0, 0, 0, 0)
    before, sweeps = kept_values(stores), 0
    while stores.rollups.sweep():
        after = kept_values(stores)
        assert before - after <= dictionaries.SWEPT_VALUES
        before, sweeps = after, sweeps + 1
    assert before == 0
    assert sweeps > 3
    stores.roll()
    assert kept_values(stores) > 12_000
    stores.check(property_, ASKED)


def test_a_directory_in_its_place_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "clickmeter.db-rollup").mkdir()
    with pytest.raises(Refusal, match="is a directory"):
        Stores(f"sqlite:///{tmp_path / 'clickmeter.db'}")


def test_a_store_that_trusts_any_file_would_be_noticed(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    property_ = rolled_up(stores)
    stores.close()
    with sqlite3.connect(raw_file(stores)) as connection:
        connection.execute("DELETE FROM events WHERE id > 90")
    connection.close()
    monkeypatch.setattr(rollups, "is_ours", lambda connection, events: True)
    stores.open()
    with pytest.raises(AssertionError):
        stores.check(property_, ASKED)
