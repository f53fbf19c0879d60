"""The server connects to nobody: every process of it is watched from its first instruction on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from clickmeter.cli import commands
from service import Service, children_of, sqlite_url

WATCHED = Path(__file__).parent / "data" / "watched"
LISTENING = "socket.getaddrinfo ('127.0.0.1', 0"
"""The one thing that is looked up: the address to listen on, which is a number."""


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything lands that processes started from now on connect to or look up."""
    file = tmp_path / "watch"
    file.touch()
    path = os.pathsep.join((str(WATCHED), *filter(None, [os.environ.get("PYTHONPATH")])))
    monkeypatch.setenv("PYTHONPATH", path)
    return file


def noted(watch: Path) -> list[str]:
    return watch.read_text(encoding="utf-8").splitlines()


def test_a_server_at_work_connects_to_nobody(watch: Path, tmp_path: Path) -> None:
    service = Service(sqlite_url(tmp_path), CLICKMETER_TEST_WATCH=str(watch))
    service.start()
    try:
        site = service.new_site(identity="cookieless", retention_days=30)
        with site.sender() as sender:
            sender.post_events(
                {
                    "type": "pageview",
                    "context": {"page": {"url": "https://example.com/", "referrer": "https://example.org/x"}},
                }
                for _ in range(100)
            )
        with site.reports() as reports:
            for period in ("today", "all"):
                assert reports.overview(period=period).pageviews == 100
            reports.pages()
            reports.realtime()
        with service.admin() as admin:
            admin.erase(site.id, "nobody")
        assert len(children_of(service.pid)) == 4, "All of these are watched."
        time.sleep(6)  # longer than what the server does by itself takes to come round
        backup = ["backup", str(tmp_path / "backup.db"), "--database-url", service.database_url]
        assert CliRunner().invoke(commands, backup).exit_code == 0
    finally:
        service.stop()
    found = noted(watch)
    assert found, "Listening is noted, so the watch was on."
    assert [line for line in found if not line.startswith(LISTENING)] == []


def test_a_connection_would_be_noticed(watch: Path) -> None:
    script = "import socket; s = socket.socket(); s.settimeout(1); s.connect_ex(('127.0.0.1', 9))"
    environment = os.environ | {"CLICKMETER_TEST_WATCH": str(watch)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    assert any(line.startswith("socket.connect ") and "('127.0.0.1', 9)" in line for line in noted(watch))


@pytest.fixture
def traced(tmp_path: Path) -> Path:
    if not shutil.which("strace"):
        pytest.skip("There is no strace here; the audit hooks of Python have to do.")
    return tmp_path / "trace"


def test_no_process_makes_the_system_call(traced: Path, tmp_path: Path) -> None:
    """What native code does without Python knowing is seen here."""
    command = [sys.executable, "-m", "clickmeter", "serve", "--port", "0", "--database-url", sqlite_url(tmp_path)]
    tracing = ["strace", "-f", "-qq", "-e", "trace=connect,sendto", "-o", str(traced)]
    with subprocess.Popen([*tracing, *command], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert "serves on" in server.stdout.readline()
        [traced_server] = children_of(server.pid)
        os.kill(traced_server, signal.SIGTERM)
    calls = traced.read_text(encoding="utf-8").splitlines()
    assert [line for line in calls if "sin_addr" in line or "sin6_addr" in line] == []
