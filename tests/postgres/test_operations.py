"""What an operator does with a database of PostgreSQL: the doctor, compaction, and programs of its own for copies."""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from writing import PROPERTY, batch, event, new_property, query

from clickmeter.cli import commands
from clickmeter.model import Batch
from clickmeter.storage.open import open_events, open_metadata, open_rollups

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from cluster import Cluster


def command(*words: str, url: str) -> Result:
    return CliRunner().invoke(commands, [*words, "--database-url", url])


def examine(url: str, *flags: str) -> tuple[int, list[dict[str, Any]]]:
    """The doctor's exit code, and what it says of the store that is not well."""
    done = command("doctor", "--json", "--port", "0", *flags, url=url)
    findings = json.loads(done.stdout)["findings"]
    assert all(bool(one["advice"]) == (one["level"] != "ok") for one in findings)
    return done.exit_code, [one for one in findings if one["level"] in {"warning", "problem"}]


def test_a_sound_database_has_no_findings_and_an_empty_one_is_left_empty(postgres_url: str) -> None:
    done = command("doctor", "--json", "--port", "0", url=postgres_url)
    assert [one["level"] for one in json.loads(done.stdout)["findings"] if one["level"] != "ok"] == ["note"]
    assert query(postgres_url, "SELECT count(*) FROM pg_namespace WHERE nspname = 'clickmeter'") == [(0,)]
    new_property(postgres_url)
    with closing(open_events(postgres_url)) as events:
        events.append([batch(["e1", "e2"])])
    assert examine(postgres_url, "--deep") == (0, [])


def test_keys_and_events_that_do_not_belong_together(postgres_url: str) -> None:
    new_property(postgres_url)
    with closing(open_events(postgres_url)) as events:
        events.append([batch(["e1", "e2", "e3"])])
    query(postgres_url, "DELETE FROM events WHERE id = 1")
    query(postgres_url, "DELETE FROM event_keys WHERE event_key = (SELECT event_key FROM events WHERE id = 2)")
    assert examine(postgres_url) == (0, [])
    code, [finding] = examine(postgres_url, "--deep")
    assert (code, finding["level"]) == (1, "problem")
    assert finding["what"].startswith("2 ")


def test_a_clock_that_went_back(postgres_url: str) -> None:
    new_property(postgres_url)
    late = event("e1")
    late.received_at = time.time_ns() // 1_000_000 + 86_400_000
    with closing(open_events(postgres_url)) as events:
        events.append([Batch(PROPERTY, [late])])
    code, [finding] = examine(postgres_url)
    assert code == 1
    assert "clock" in finding["what"]


def test_settings_that_lose_events(own_cluster: Callable[..., Cluster]) -> None:
    url = own_cluster(fsync="off", autovacuum="off").url("postgres")
    open_metadata(url).close()
    code, findings = examine(url)
    assert code == 1
    assert [one["level"] for one in findings] == ["problem", "warning"]
    assert "fsync=off" in findings[0]["what"]


def test_a_server_that_is_away(own_cluster: Callable[..., Cluster]) -> None:
    gone = own_cluster()
    url = gone.url("postgres")
    gone.stop()
    code, [finding] = examine(url)
    assert (code, finding["level"]) == (1, "problem")


@pytest.mark.parametrize(("words", "program"), [(("backup", "f"), "pg_dump"), (("restore", "f"), "pg_restore")])
def test_copies_are_made_by_programs_of_its_own(postgres_url: str, words: tuple[str, ...], program: str) -> None:
    done = command(*words, url=postgres_url)
    assert done.exit_code == 1
    assert program in done.output


def test_nothing_is_compacted_beside_a_server(postgres_url: str) -> None:
    new_property(postgres_url)
    with closing(open_events(postgres_url)) as events:
        events.append([batch(["e1", "e2"])])
        with closing(open_rollups(postgres_url, events)) as rollups:
            assert rollups.elect()
            refused = command("compact", url=postgres_url)
            assert refused.exit_code == 1
            assert "stop every server" in refused.output
    done = command("compact", url=postgres_url)
    assert done.exit_code == 0, done.output
    with closing(open_events(postgres_url)) as events, closing(open_rollups(postgres_url, events)) as rollups:
        assert rollups.statistics().events == 2
