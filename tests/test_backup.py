"""Backups are of one moment, also under load; what is restored answers every report as the original would have."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from stores import Stores
from test_rollups import EVERYTHING, history

from clickmeter.cli import commands
from clickmeter.model import Property
from clickmeter.storage.open import open_events, open_metadata, open_rollups
from clickmeter_client import new_event_id
from service import Service, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Service]:
    service = Service(sqlite_url(tmp_path))
    service.start()
    yield service
    service.stop()


def command(*words: str, url: str) -> Result:
    return CliRunner().invoke(commands, [*words, "--database-url", url])


def elsewhere(directory: Path) -> str:
    other = directory / "other"
    other.mkdir(exist_ok=True)
    return sqlite_url(other)


def test_a_backup_under_load_is_of_one_moment(running: Service, tmp_path: Path) -> None:
    site = running.new_site()
    acknowledged: list[str] = []
    stopping = threading.Event()

    def send() -> None:
        with site.sender() as sender:
            while not stopping.is_set():
                ids = [new_event_id() for _ in range(50)]
                sender.post_events({"event_id": id_, "type": "pageview", "ts": "2026-03-27T00:00:00Z"} for id_ in ids)
                acknowledged.extend(ids)

    load = threading.Thread(target=send)
    load.start()
    time.sleep(0.5)
    before = list(acknowledged)
    done = command("backup", str(tmp_path / "backup.db"), url=running.database_url)
    sent_by_then = len(acknowledged)
    time.sleep(0.3)
    stopping.set()
    load.join()
    assert done.exit_code == 0, done.output
    url = elsewhere(tmp_path)
    restored = command("restore", str(tmp_path / "backup.db"), url=url)
    assert restored.exit_code == 0, restored.output
    with closing(open_events(url)) as events, closing(open_rollups(url, events)) as rollups:
        kept = [event.event_id for _, event in events.export(site.id, after=0, limit=10**6)]
        assert rollups.statistics().events == len(kept)
    # In the order of arrival: a beginning of what was sent, with all that had been acknowledged when it began.
    assert len(before) <= len(kept) <= sent_by_then + 50
    assert kept[: len(before)] == before
    assert kept == acknowledged[: len(kept)]


def test_what_is_restored_answers_alike(tmp_path: Path) -> None:
    stores = Stores(sqlite_url(tmp_path))
    one, other = history(stores)
    stores.roll()
    assert command("backup", str(tmp_path / "backup.db"), url=stores.url).exit_code == 0
    expected = [stores.ask(one, *question) for question in EVERYTHING]
    url = elsewhere(tmp_path)
    assert command("restore", str(tmp_path / "backup.db"), url=url).exit_code == 0
    restored = Stores(url)
    assert restored.watermark() == stores.watermark() > 0
    assert [restored.ask(one, *question) for question in EVERYTHING] == expected
    restored.check(other, EVERYTHING)
    restored.close()
    stores.close()


def refused(result: Result) -> str:
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.stderr
    return result.stderr


def test_nothing_is_overwritten(running: Service, tmp_path: Path) -> None:
    file = str(tmp_path / "backup.db")
    assert command("backup", file, url=running.database_url).exit_code == 0
    assert "is there already" in refused(command("backup", file, url=running.database_url))
    assert "A server runs on" in refused(command("restore", file, url=running.database_url))
    running.stop()
    assert "is there already" in refused(command("restore", file, url=running.database_url))
    running.start()


def test_rollups_of_another_database_are_not_taken_over(running: Service, tmp_path: Path) -> None:
    assert command("backup", str(tmp_path / "backup.db"), url=running.database_url).exit_code == 0
    url = elsewhere(tmp_path)
    (tmp_path / "other" / "clickmeter.db-rollup").write_bytes(b"")
    assert "clickmeter.db-rollup is there already" in refused(command("restore", str(tmp_path / "backup.db"), url=url))


@pytest.mark.parametrize("damage", ["cut", "torn", "text", "other", "missing"])
def test_a_file_that_is_no_whole_backup_is_refused_and_leaves_nothing(tmp_path: Path, damage: str) -> None:
    stores = Stores(sqlite_url(tmp_path))
    history(stores)
    stores.close()
    file = tmp_path / "backup.db"
    assert command("backup", str(file), url=sqlite_url(tmp_path)).exit_code == 0
    content = file.read_bytes()
    if damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "torn":
        file.write_bytes(content[:8192] + bytes(len(content) - 8192))
    elif damage == "text":
        file.write_bytes(b"This is a letter.\n" * 1_000)
    elif damage == "other":
        file.unlink()
        with closing(sqlite3.connect(file)) as other:
            other.execute("CREATE TABLE t (a)")
    else:
        file.unlink()
    url = elsewhere(tmp_path)
    assert str(file) in refused(command("restore", str(file), url=url))
    assert not (tmp_path / "other" / "clickmeter.db").exists()
    assert not (tmp_path / "other" / "clickmeter.db.partial").exists()


def test_a_backup_holds_no_salt_and_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    with closing(open_metadata(url)) as metadata:
        metadata.create_property(Property(id="p", name="p", created_at=0), [])
        salt = metadata.salt("p", "2026-01-24", now=0)
        assert salt is not None
        assert command("backup", str(tmp_path / "backup.db"), url=url).exit_code == 0
    assert salt not in (tmp_path / "backup.db").read_bytes()
    assert (tmp_path / "backup.db").stat().st_mode & 0o777 == 0o600
    assert not any("partial" in path.name or "backup.db-" in path.name for path in tmp_path.iterdir())


def test_a_database_that_does_not_exist_is_not_made_by_a_backup(tmp_path: Path) -> None:
    assert "does not exist" in refused(command("backup", str(tmp_path / "b.db"), url=sqlite_url(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_compaction_is_refused_while_a_server_runs(running: Service) -> None:
    assert "already served" in refused(command("compact", url=running.database_url))


def events_of(url: str, property_id: str) -> list[Any]:
    with closing(open_events(url)) as events:
        return events.export(property_id, after=0, limit=1_000)


def test_a_compaction_keeps_every_event_and_gives_space_back(tmp_path: Path) -> None:
    stores = Stores(sqlite_url(tmp_path))
    one, other = history(stores)
    stores.append(one, [[{"event_id": f"x{n}", "type": "y" * 60, "data": {"a": "b" * 9_000}} for n in range(500)]])
    assert stores.events.expire(one.id, before=2**60, limit=1_000) == 540
    stores.close()
    before, file = events_of(stores.url, other.id), tmp_path / "clickmeter.db"
    size = file.stat().st_size
    done = command("compact", url=stores.url)
    assert done.exit_code == 0, done.output
    assert file.stat().st_size < size / 10
    assert events_of(stores.url, other.id) == before
