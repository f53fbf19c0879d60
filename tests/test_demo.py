"""Is the demo's traffic the same every time, realistic enough to look at, and safe to store twice?"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from clickmeter.cli.demonstration import create_properties, fill
from clickmeter.config import load
from clickmeter.demo import SITES, Site, days, events
from clickmeter.model import PAGEVIEW
from clickmeter.query import time
from clickmeter.storage.open import open_events
from service import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from clickmeter.model import Event

MONDAY = date(2026, 1, 19)
WEEK = [MONDAY + timedelta(days=number) for number in range(7)]
NOON = time.instants(MONDAY, MONDAY, time.zone("UTC"))[0] + 12 * time.HOUR
FOR_EVER = 4_000_000_000_000

by_site = pytest.mark.parametrize("site", SITES, ids=lambda site: site.id)


def of(site: Site, dates: Iterable[date] = WEEK, *, until: int = FOR_EVER) -> list[Event]:
    return [event for day in dates for event in events(site, day, until=until)]


@by_site
def test_a_day_is_the_same_in_every_run_and_no_event_is_there_twice(site: Site) -> None:
    def described(found: list[Event]) -> list[tuple[object, ...]]:
        return [tuple(getattr(event, name) for name in event.__struct_fields__) for event in found]

    first = of(site)
    assert described(of(site)) == described(first)
    assert len({event.event_id for event in first}) == len(first)


def test_another_process_makes_the_same_day() -> None:
    code = (
        "from datetime import date; from clickmeter.demo import SITES, events;"
        f"day = date.fromisoformat('{MONDAY}');"
        f"print([event.event_id for event in events(SITES[0], day, until={FOR_EVER})][:5])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{[event.event_id for event in of(SITES[0], [MONDAY])[:5]]}\n"


@by_site
def test_nothing_happens_after_now_and_what_happened_stays(site: Site) -> None:
    early = of(site, [MONDAY], until=NOON)
    assert 0 < len(early) < len(of(site, [MONDAY]))
    assert all(event.ts < NOON for event in early)
    assert {event.event_id for event in early} < {event.event_id for event in of(site, [MONDAY])}


@by_site
def test_it_looks_like_traffic(site: Site) -> None:
    found = of(site)
    people = [event for event in found if not event.bot]
    paths = Counter(event.path for event in people if event.type == PAGEVIEW)
    assert 0 < len(found) - len(people) < len(found) / 5, "a few bots"
    assert paths["/"] > 5 * sorted(paths.values())[len(paths) // 2], "few pages have most of the views"
    sessions, visitors = ({getattr(event, name) for event in people} for name in ("session_id", "visitor_id"))
    assert len(people) > 1.2 * len(sessions) > 1.2 * len(visitors) * 1.01, "sessions have pages, visitors return"
    assert any(event.utm_campaign for event in people)
    assert len({event.source for event in people}) > 5
    assert len({event.country for event in people}) > 5
    assert {event.device for event in people} >= {"desktop", "mobile"}
    assert {event.type for event in people} == {PAGEVIEW, *site.actions}
    assert all(json.loads(event.data) for event in people if event.data)
    weekday = Counter(time.today(event.ts, time.zone(site.timezone)).weekday() for event in people)
    assert weekday[1] > weekday[5], "weekends are quieter"
    hours = Counter((event.ts + 5 * time.HOUR) // time.HOUR % 24 for event in people)
    assert max(hours.values()) > 3 * min(hours.values()), "nights are quieter"


def test_the_last_days_end_today_in_the_zone_of_the_site() -> None:
    late = NOON + 10 * time.HOUR  # 22:00 UTC: Tuesday in Kolkata, Monday in New York
    ends = {site.timezone: days(site, count=3, now=late)[-1] for site in SITES}
    assert ends == {"Europe/Berlin": MONDAY, "America/New_York": MONDAY, "Asia/Kolkata": WEEK[1]}
    assert days(SITES[0], count=3, now=late) == [MONDAY - timedelta(days=back) for back in (2, 1, 0)]


def test_filling_twice_adds_nothing_and_later_only_what_is_new(tmp_path: Path) -> None:
    settings = load({}, {"database_url": sqlite_url(tmp_path)})
    assert [property_.id for property_ in create_properties(settings, NOON)] == [site.id for site in SITES]
    expected = sum(len(of(site, days(site, count=3, now=NOON), until=NOON)) for site in SITES)
    assert fill(settings, 3, NOON) == expected
    assert create_properties(settings, NOON + 1)[0].created_at == NOON
    assert fill(settings, 3, NOON) == 0
    assert 0 < fill(settings, 3, NOON + time.HOUR) < expected / 5
    store = open_events(settings.database_url)
    assert store.purge(limit=1) == 0
    store.close()


def test_the_command_serves_with_new_keys_each_time(tmp_path: Path) -> None:
    shown = [serve_demo(tmp_path) for _ in range(2)]
    found = [re.findall(r"cm_[wr]_\w+", said) for said in shown]
    assert all(len(set(keys)) == 2 * len(SITES) for keys in found)
    assert not set(found[0]) & set(found[1])
    assert (tmp_path / "clickmeter-demo.db").exists()
    added = [int(re.findall(r"^Added ([\d,]+) events", said, re.MULTILINE)[0].replace(",", "")) for said in shown]
    assert added[0] > 100
    assert added[1] < added[0] / 5
    assert "--database-url sqlite:///clickmeter-demo.db" in shown[1]


def serve_demo(directory: Path) -> str:
    """Run the command until it serves and has answered the printed line; what it said."""
    command = [sys.executable, "-m", "clickmeter", "demo", "--days", "2", "--port", "0"]
    with subprocess.Popen(
        command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={}
    ) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        _, read = re.findall(r"^  (curl .*)$", said, re.MULTILINE)
        answer = subprocess.run(["sh", "-c", f"{read} -sS"], capture_output=True, text=True, check=True)
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert json.loads(answer.stdout)["pageviews"] > 100
    return said
