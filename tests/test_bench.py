"""Does the bench do what it says? As many events are stored as are counted, and every engine is asked the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest

from bench.engines import Postgres, Sqlite
from bench.questions import QUESTIONS
from bench.stores import copied_store, filled_store
from bench.writers import copy_rate, newest_rows
from service import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster import Cluster
    from service import Site

ROOT = Path(__file__).parent.parent
SECONDS = 0.5


def load(site: Site, **wanted: Any) -> dict[str, Any]:
    """Run the generator against a property, and return what it counted."""
    host, _, port = site.service.url.removeprefix("http://").rpartition(":")
    address = {"host": host, "port": int(port), "property_id": site.id, "write_key": site.write_key}
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        cwd=ROOT,
        input=json.dumps({"connections": 4, "seconds": SECONDS} | address | wanted),
        capture_output=True,
        text=True,
        check=True,
    )
    tally: dict[str, Any] = json.loads(done.stdout)
    return tally


@pytest.mark.parametrize("events", [1, 50])
@pytest.mark.parametrize("ids", ["v7", "v4"])
def test_as_many_events_are_stored_as_were_sent(site: Site, ids: str, events: int) -> None:
    tally = load(site, events=events, ids=ids)
    stored = [event["event_id"] for event in site.stored()]
    assert tally["statuses"] == {"200": tally["sent"]}
    assert len(set(stored)) == len(stored) == tally["sent"] * events > 0
    assert {UUID(id_).version for id_ in stored} == {int(ids[1])}
    assert 0 < tally["p50"] <= tally["p95"] <= tally["p99"]


def test_an_open_loop_sends_what_is_due_and_no_more(site: Site) -> None:
    tally = load(site, rate=40, events=2)
    assert 0 <= tally["sent"] + tally["unsent"] - 40 * SECONDS <= 1, "the last is due as the time ends"
    assert tally["statuses"] == {"200": tally["sent"]}
    assert len(site.stored()) == tally["sent"] * 2


def test_events_can_have_unknown_fields_and_requests_agents_of_their_own(site: Site) -> None:
    tally = load(site, unknown_fields=True, own_agents=True, rate=20)
    stored = site.stored()
    assert len(stored) == tally["sent"] > 0
    assert all("experiment" in event["extra"] for event in stored)
    assert {event["browser"] for event in stored} == {"Chrome"}


def test_what_is_refused_is_not_counted_as_acknowledged(site: Site) -> None:
    tally = load(site, write_key="not-a-key", rate=20)
    assert tally["statuses"] == {"401": tally["sent"]}
    assert tally["acknowledged"] == len(site.stored()) == 0


def test_the_constant_server_answers(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.constant", sqlite_url(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        answer = httpx.post(f"{url}/v1/events", content=b"{}")
        process.terminate()
    assert answer.json() == {"accepted": 1, "rejected": 0, "errors": []}


def test_what_several_senders_send_is_counted_once(site: Site) -> None:
    host, _, port = site.service.url.removeprefix("http://").rpartition(":")
    address = {"host": host, "port": int(port), "property_id": site.id, "write_key": site.write_key}
    tallies = [
        json.loads(
            subprocess.run(
                [sys.executable, "-m", "bench.repeating"],
                cwd=ROOT,
                input=json.dumps({"ids": 120, "seed": seed} | address),
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for seed in range(2)
    ]
    assert tallies == [{"duplicates": 0, "errors": 0}, {"duplicates": 120, "errors": 0}]
    assert {event["event_id"] for event in site.stored()} == {f"same-{number}" for number in range(120)}


def test_every_engine_answers_the_questions_of_the_bench_alike(
    own_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    engine = Postgres(own_cluster(fsync="off"))
    filled = filled_store(engine, tmp_path / "filled", 2_000, on_progress=lambda _: None)
    stores = [filled, copied_store(Sqlite(), tmp_path / "copied", filled)]
    for question in QUESTIONS:
        one, other = (store.rows(question.statement(), question.arguments(store)) for store in stores)
        assert one == other != []
    assert len({round(store.text_bytes(), 6) for store in stores}) == 1
    assert [store.count_after(0) for store in stores] == [2_000, 2_000]
    sizes = [store.engine.sizes(store.url) for store in stores]
    assert sizes[0]["events"] > sizes[0]["event_keys"] > 0
    assert sizes[1]["clickmeter.db"] > 0


def test_copy_is_measured_over_rows_that_are_stored(own_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    engine = Postgres(own_cluster(fsync="off"))
    store = filled_store(engine, tmp_path / "filled", 500, on_progress=lambda _: None)
    rows = newest_rows(store)
    assert {table: len(lines) for table, lines in rows.items()} == {"events": 500, "event_keys": 500}
    assert copy_rate(store, rows, batch=50, connections=4) > 0
    assert store.count_after(0) == 500
    assert not [name for name in engine.sizes(store.url) if name.startswith("copied")]
