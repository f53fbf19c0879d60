"""Does the load generator of the bench do what it says? As many events are stored as it counts acknowledged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest

from service import sqlite_url

if TYPE_CHECKING:
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
