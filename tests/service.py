"""A real server in a process of its own, over a database of its own, and the keys to it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from clickmeter import keys
from clickmeter.storage.open import open_metadata
from clickmeter_client import Admin, EventSender, Reports

START_SECONDS = 30
STOP_SECONDS = 20
CERTIFICATES = False
"""For httpx: there is no TLS here, and reading the certificates of the world takes 30 ms for each request."""
STORING = re.compile(r"clickmeter\.(ingest\.storing|hosting)\b")
SERVER_SECRET = "a secret of the tests alone".replace(" ", "-").ljust(32, "!")


class Service:
    """Starts, stops, kills and restarts one server; `url` is where it answers."""

    def __init__(self, database_url: str, events_url: str = "", **settings: str) -> None:
        """`events_url` is where events are kept, if apart."""
        self.database_url = database_url
        self.events_url = events_url
        self._settings = {
            "CLICKMETER_RATE_LIMIT": "off",
            "CLICKMETER_LOG_LEVEL": "warning",
            "CLICKMETER_SECRET_KEY": SERVER_SECRET,
            **settings,
        }
        self._process: subprocess.Popen[str] | None = None
        self._port = "0"
        self.log: list[str] = []
        store = open_metadata(database_url)
        admin = keys.new_key("admin", None, now=0)
        store.create_key(admin.key)
        store.close()
        self.admin_key = admin.text

    def start(self) -> None:
        """Start on the port of the first start, so that clients find it again."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "clickmeter", "serve", "--port", self._port],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._found: list[str] = []
        self._settled = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        if not self._settled.wait(START_SECONDS) or not self._found:
            self.kill()
            raise AssertionError("The server does not start:\n" + "".join(self.log))
        self.url = self._found[0]
        self._port = self.url.rpartition(":")[2]

    def environment(self) -> dict[str, str]:
        """That of its processes, and of commands about its database."""
        others = {name: value for name, value in os.environ.items() if not name.startswith("CLICKMETER_")}
        urls = {"CLICKMETER_DATABASE_URL": self.database_url, "CLICKMETER_EVENTS_URL": self.events_url}
        return others | urls | {"PYTHONUNBUFFERED": "1", **self._settings}

    def _read(self, stream: Any) -> None:
        """Keep what the server says, and notice the address it says it answers at."""
        with stream:
            for line in stream:
                self.log.append(line)
                self._found += re.findall(r"http://[^\s,]+:\d+", line)
                if self._found:
                    self._settled.set()
        self._settled.set()

    @property
    def port(self) -> int:
        return int(self._port)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with no chance to say goodbye."""
        self._end(signal.SIGKILL)

    def kill_all(self) -> None:
        """End it and its own processes at once, with no chance for any to say goodbye."""
        for pid in (self.pid, *children_of(self.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.kill()

    def _end(self, number: int) -> int:
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            if number != signal.SIGKILL:
                self.kill_all()
            raise
        self._reader.join(STOP_SECONDS)
        return code

    def child(self, command: str | re.Pattern[str]) -> int:
        """One of the server's own processes, as soon as there is one: it is started again when it dies."""
        give_up_at = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up_at:
            for pid in children_of(self.pid):
                if re.search(command, command_of(pid)):
                    return pid
            time.sleep(0.02)
        raise AssertionError(f"The server has no process {command}.")

    def kill_child(self, module: str) -> None:
        """End one of the server's own processes, as an operator's mistake or the kernel would."""
        os.kill(self.child(module), signal.SIGKILL)

    def kill_storing(self) -> None:
        """End the process that stores events, whichever it is here."""
        os.kill(self.child(STORING), signal.SIGKILL)

    def twin(self, **settings: str) -> Service:
        """Another server of the same database, on a port of its own; not started."""
        return Service(self.database_url, self.events_url, **settings)

    def restart(self) -> None:
        self.stop()
        self.start()

    def admin(self) -> Admin:
        return Admin(self.url, admin_key=self.admin_key)

    def new_site(self, **settings: Any) -> Site:
        """A property of its own for one test: that is all the isolation there is."""
        with self.admin() as admin:
            made = admin.create_property(**{"name": "Test", **settings})
        return Site(self, made.property.id, made.write_key, made.read_key, made.property.timezone)


class Site:
    """One property with its keys, and the clients that use them."""

    def __init__(self, service: Service, id_: str, write_key: str, read_key: str, timezone: str) -> None:
        self.service = service
        self.id = id_
        self.write_key = write_key
        self.read_key = read_key
        self.timezone = timezone

    def sender(self) -> EventSender:
        return EventSender(self.service.url, property_id=self.id, write_key=self.write_key)

    def reports(self) -> Reports:
        return Reports(self.service.url, property_id=self.id, read_key=self.read_key)

    def stored(self) -> list[dict[str, Any]]:
        """Every raw event as the export shows it."""
        with self.service.admin() as admin:
            return list(admin.events(self.id))


def sqlite_url(directory: Path) -> str:
    return f"sqlite:///{directory / 'clickmeter.db'}"


def chdb_url(directory: Path) -> str:
    return f"chdb:///{directory / 'events'}"


def children_of(pid: int) -> list[int]:
    """The ids of a process's own processes: from /proc where there is one, from ps elsewhere."""
    task = Path(f"/proc/{pid}/task/{pid}/children")
    if task.exists():
        return [int(child) for child in task.read_text().split()]
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = (line.split() for line in listed.splitlines())
    return [int(child) for child, parent in pairs if parent == str(pid)]


def command_of(pid: int) -> str:
    """A process's command line; empty when it has ended."""
    if Path("/proc/self/cmdline").exists():
        with suppress(FileNotFoundError, ProcessLookupError):
            return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        return ""
    return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
