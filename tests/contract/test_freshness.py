"""An acknowledged event is in the very next report, whatever the process that rolls up is doing; and its commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from clickmeter.cli import commands
from clickmeter.storage.open import open_events, open_rollups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service import Service, Site

ROLLING = "clickmeter.rolling"
DAY = "2026-03-27"
RANGE: dict[str, Any] = {"from_": DAY, "to": DAY}
ROUNDS = 25
SECONDS = 30


def leave(service: Service, number: int) -> None:
    """The process rolls up, as ever."""


def kill_now_and_then(service: Service, number: int) -> None:
    if number % 5 == 0:
        os.kill(service.child(ROLLING), signal.SIGKILL)


def stop_and_go(service: Service, number: int) -> None:
    """Stopped for five rounds, then for five not."""
    os.kill(service.child(ROLLING), signal.SIGCONT if number // 5 % 2 else signal.SIGSTOP)


@contextmanager
def continued(service: Service) -> Iterator[None]:
    """A process that is stopped when the test ends would never end."""
    try:
        yield
    finally:
        os.kill(service.child(ROLLING), signal.SIGCONT)


@pytest.mark.parametrize("disturb", [leave, kill_now_and_then, stop_and_go])
def test_every_event_is_in_the_very_next_report(
    rolling_service: Service, disturb: Callable[[Service, int], None]
) -> None:
    site = rolling_service.new_site()
    with site.sender() as sender, site.reports() as reports, continued(rolling_service):
        for number in range(ROUNDS):
            disturb(rolling_service, number)
            sender.post_events(
                [{"type": "pageview", "ts": f"{DAY}T10:00:00Z", "identity": {"visitor_id": f"v{number}"}}]
            )
            answer = reports.overview(**RANGE)
            assert (answer.pageviews, answer.unique_visitors) == (number + 1, number + 1)
            rows = reports.raw("pages", **RANGE, metrics=["pageviews", "bounce_rate"])["totals"]
            assert rows["pageviews"] == number + 1


def test_an_event_whose_rolling_up_is_cut_short_is_in_the_next_report(rolling_service: Service) -> None:
    site = rolling_service.new_site()
    events = 0
    with site.sender() as sender, site.reports() as reports:
        for number in range(8):
            batch = [{"type": "pageview", "ts": f"{DAY}T10:00:00Z"} for _ in range(900)]
            child = rolling_service.child(ROLLING)
            sender.post_events(batch)
            events += len(batch)
            # A report asks for a stint; it is killed somewhere within it, a little later each time.
            asking = threading.Thread(target=reports.overview, kwargs=RANGE)
            asking.start()
            time.sleep(0.002 * number)
            os.kill(child, signal.SIGKILL)
            asking.join(SECONDS)
            assert reports.overview(**RANGE).pageviews == events
    await_rolled_up(rolling_service)
    with site.reports() as reports:
        assert reports.overview(**RANGE).pageviews == events


def await_rolled_up(service: Service) -> None:
    give_up_at = time.monotonic() + SECONDS
    while status(service)["behind"]:
        assert time.monotonic() < give_up_at
        time.sleep(0.1)


def command(service: Service, *words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "clickmeter", "rollup", *words, "--database-url", service.database_url]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLICKMETER_")}
    return subprocess.run(line, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS)


def status(service: Service) -> dict[str, Any]:
    """What the command says, which is asked so often that a process of its own each time would be most of the test."""
    done = CliRunner().invoke(commands, ["rollup", "status", "--json", "--database-url", service.database_url])
    assert (done.exit_code, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def epoch(service: Service) -> str:
    """Changes with a rebuild."""
    events = open_events(service.database_url)
    rollups = open_rollups(service.database_url, events)
    found = rollups.epoch()
    rollups.close()
    events.close()
    return found


def send(site: Site, count: int, prefix: str = "e") -> None:
    with site.sender() as sender:
        batch = [{"event_id": f"{prefix}{n}", "type": "pageview", "ts": f"{DAY}T10:00:00Z"} for n in range(count)]
        assert sender.post_events(batch).accepted == count


def test_status_says_what_is_rolled_up_and_what_is_not(rolling_service: Service) -> None:
    site = rolling_service.new_site()
    send(site, 30)
    await_rolled_up(rolling_service)
    known = status(rolling_service)
    assert {name: known[name] for name in ("events", "behind", "segments", "properties", "rebuilding")} == {
        "events": 30,
        "behind": 0,
        "segments": 1,
        "properties": 1,
        "rebuilding": False,
    }
    # What was there already is no event that waits.
    send(site, 30)
    assert status(rolling_service)["behind"] == 0
    with continued(rolling_service):
        os.kill(rolling_service.child(ROLLING), signal.SIGSTOP)
        send(site, 5, prefix="more")
        behind = status(rolling_service)
        assert behind["events"] == 30
        assert behind["behind"] >= 5
        assert "Reports count the events behind from raw" in command(rolling_service, "status").stdout
    await_rolled_up(rolling_service)
    rolling_service.stop()
    assert status(rolling_service)["events"] == 35
    assert "behind             0" in command(rolling_service, "status").stdout
    rolling_service.start()


@pytest.mark.parametrize("running", [True, False], ids=["beside a server", "without a server"])
@pytest.mark.parametrize("whole", [True, False], ids=["everything", "one property"])
def test_rebuild(rolling_service: Service, running: bool, whole: bool) -> None:
    one, other = rolling_service.new_site(), rolling_service.new_site()
    send(one, 30)
    send(other, 20)
    await_rolled_up(rolling_service)
    before = epoch(rolling_service)
    if not running:
        rolling_service.stop()
    done = command(rolling_service, "rebuild", *([] if whole else ["--property", one.id]))
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"All events{'' if whole else f' of {one.id}'} are rolled up anew.\n",
        "",
    )
    assert epoch(rolling_service) != before
    found = status(rolling_service)
    assert (found["events"], found["behind"], found["properties"], found["rebuilding"]) == (50, 0, 2, False)
    if not running:
        rolling_service.start()
    for site, count in ((one, 30), (other, 20)):
        with site.reports() as reports:
            assert reports.overview(**RANGE).pageviews == count


def test_rebuilding_a_property_that_is_not_there_is_a_sentence(rolling_service: Service) -> None:
    done = command(rolling_service, "rebuild", "--property", "nowhere")
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert status(rolling_service)["rebuilding"] is False


def test_reports_are_exact_while_everything_is_rebuilt_and_events_come_in(rolling_service: Service) -> None:
    site = rolling_service.new_site()
    for number in range(20):
        send(site, 1_000, prefix=f"before{number}-")
    acknowledged = 20_000
    await_rolled_up(rolling_service)
    rebuilds = [subprocess_of_rebuild(rolling_service)]
    answered = 0
    with site.sender() as sender, site.reports() as reports:
        while len(rebuilds) < 4 or rebuilds[-1].poll() is None:
            if rebuilds[-1].poll() is not None:
                rebuilds.append(subprocess_of_rebuild(rolling_service))
            sender.post_events([{"type": "pageview", "ts": f"{DAY}T10:00:00Z"} for _ in range(7)])
            acknowledged += 7
            assert reports.overview(**RANGE).pageviews == acknowledged
            answered += 1
    for one in rebuilds:
        assert one.wait(SECONDS) == 0
    assert answered > 20
    await_rolled_up(rolling_service)
    assert status(rolling_service)["events"] == acknowledged


def subprocess_of_rebuild(service: Service) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "clickmeter", "rollup", "rebuild", "--database-url", service.database_url]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL)
