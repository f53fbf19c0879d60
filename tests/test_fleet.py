"""Do server processes that share a port end with their parent, start again when they die, and say when they cannot?

One member over an SQLite file shows all of it; several over one database are an engine's tests.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from clickmeter.config import as_environment, load
from service import children_of, command_of, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE_SECONDS = 30
PARENT = """
import asyncio, os, sys
from clickmeter.config import load
from clickmeter.web import fleet
from clickmeter.web.listening import listen
with listen("127.0.0.1", 0) as listener:
    sys.exit(asyncio.run(fleet.run(load(os.environ), listener, lambda url: print(url, flush=True))))
"""


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parent that is killed leaves its directory of figures, which then goes with the test's."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


class Parent:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.url = process.stdout.readline().strip()

    def member(self) -> int:
        [pid] = self.children("clickmeter.web.fleet")
        return pid

    def children(self, module: str) -> list[int]:
        return [pid for pid in children_of(self.process.pid) if module in command_of(pid)]


@contextmanager
def fleet_of(database_url: str) -> Iterator[Parent]:
    environment = {**os.environ, "CLICKMETER_DATABASE_URL": database_url, "CLICKMETER_LOG_LEVEL": "error"}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield Parent(process)
        finally:
            process.kill()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, ConnectionError, TimeoutError):
        return False


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_members_share_the_process_that_rolls_up(tmp_path: Path) -> None:
    with fleet_of(sqlite_url(tmp_path)) as parent:
        assert len(parent.children("clickmeter.rolling")) == 1
        modules = [command_of(pid) for pid in children_of(parent.member())]
        assert modules
        assert not [line for line in modules if "clickmeter.rolling" in line]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_members_and_then_the_parent(tmp_path: Path, number: int) -> None:
    with fleet_of(sqlite_url(tmp_path)) as parent:
        member = parent.member()
        assert answers(parent.url)
        parent.process.send_signal(number)
        assert parent.process.wait(PATIENCE_SECONDS) == number
        assert not is_alive(member)


def test_no_member_outlives_a_parent_that_was_killed(tmp_path: Path) -> None:
    with fleet_of(sqlite_url(tmp_path)) as parent:
        member = parent.member()
        parent.process.kill()
        wait_until(lambda: not is_alive(member))


def test_a_member_that_dies_is_replaced(tmp_path: Path) -> None:
    with fleet_of(sqlite_url(tmp_path)) as parent:
        member = parent.member()
        os.kill(member, signal.SIGKILL)
        wait_until(lambda: answers(parent.url))
        assert parent.member() != member


def test_a_member_that_cannot_start_says_why_and_ends_everything(tmp_path: Path) -> None:
    with fleet_of(f"sqlite:///{tmp_path}/none/clickmeter.db") as parent:
        said = parent.url + parent.process.communicate(timeout=PATIENCE_SECONDS)[0]
        assert re.search(r"Error: .*none", said)
        assert parent.process.returncode == 1


def test_settings_survive_the_way_through_the_environment() -> None:
    flags = {
        "trusted_proxies": "10.0.0.0/8,::1",
        "rate_limit": "off",
        "port": "0",
        "workers": "3",
        "secret_key": "0123456789abcdefghijklmnopqrstuvwxyz",
    }
    settings = load({}, flags)
    environ = {"CLICKMETER_PORT": "1", "CLICKMETER_GEOIP_DATABASE": "x.mmdb", "HOME": "/"}
    assert load(as_environment(settings, environ)) == settings
    assert load(as_environment(load({}), environ)) == load({})
    assert as_environment(settings, environ)["HOME"] == "/"


def test_sqlite_has_one_process(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "clickmeter", "serve", "--workers", "2", "--database-url", sqlite_url(tmp_path)]
    run = subprocess.run(line, check=False, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "Error: An SQLite file has one server process; --workers needs postgresql://.\n"
