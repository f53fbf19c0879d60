"""The servers that are measured: processes of their own over a store of their own, with load sent from another."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from bench.load import Job, Tally
from bench.meanwhile import meanwhile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from bench.stores import Store

ROOT = Path(__file__).parent.parent
START_SECONDS, STOP_SECONDS = 60, 60
SAMPLE_SECONDS = 0.5
KIB_PER_MIB = 1024


class Server:
    """A running server of one store."""

    def __init__(self, store: Store, process: subprocess.Popen[str], url: str) -> None:
        self.store = store
        self._process = process
        self.host, _, port = url.removeprefix("http://").rpartition(":")
        self.port = int(port)

    def load(self, **wanted: Any) -> Tally:
        """Send events to it, as `bench.load.Job` says, and wait for the end."""
        with self.loading(**wanted) as load:
            return load.tally()

    @contextmanager
    def loading(self, **wanted: Any) -> Iterator[Load]:
        """The same, with something else done meanwhile."""
        job = Job(
            host=self.host,
            port=self.port,
            property_id=self.store.property_id,
            write_key=self.store.write_key,
            **wanted,
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.load"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with process:
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode(job))
            process.stdin.close()
            try:
                yield Load(process)
            finally:
                process.kill()

    def memory_mib(self) -> float:
        """The resident memory of all its processes; pages that they share count in each."""
        pids = [self._process.pid, *children_of(self._process.pid)]
        listed = subprocess.run(
            ["ps", "-o", "rss=", "-p", ",".join(map(str, pids))], capture_output=True, text=True, check=True
        ).stdout
        return sum(map(int, listed.split())) / KIB_PER_MIB

    @contextmanager
    def peak_memory(self) -> Iterator[list[float]]:
        """Samples of its memory while the block runs, in MiB."""
        samples = [self.memory_mib()]

        def sample(ended: Event) -> None:
            while not ended.wait(SAMPLE_SECONDS):
                samples.append(self.memory_mib())

        with meanwhile(sample):
            yield samples


class Load(NamedTuple):
    """A load generator under way."""

    process: subprocess.Popen[bytes]

    def tally(self) -> Tally:
        """Wait for its end and for what it counted."""
        assert self.process.stdout is not None
        written = self.process.stdout.read()
        if self.process.wait() != 0:
            raise RuntimeError("The load generator failed; what it said stands above.")
        return msgspec.json.decode(written, type=Tally)


@contextmanager
def serving(store: Store, module: str = "clickmeter") -> Iterator[Server]:
    """Serve a store until the block ends; ``bench.constant`` as the module serves a constant."""
    arguments = ["serve", "--port", "0"] if module == "clickmeter" else [store.url]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CLICKMETER_")}
    environment |= {
        "CLICKMETER_DATABASE_URL": store.url,
        "CLICKMETER_RATE_LIMIT": "off",
        "CLICKMETER_LOG_LEVEL": "error",
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    with process:
        watchdog = threading.Timer(START_SECONDS, process.kill)
        watchdog.start()
        try:
            url = first_url(process)
            watchdog.cancel()
            yield Server(store, process, url)
        finally:
            watchdog.cancel()
            process.terminate()
            process.wait(STOP_SECONDS)


def first_url(process: subprocess.Popen[str]) -> str:
    """Where it says it answers; what it says on stderr is shown as it is."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://[^\s,]+:\d+", line):
            return found[0]
    raise RuntimeError("The server does not start; what it said stands above.")


def children_of(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = (line.split() for line in listed.splitlines())
    return [int(child) for child, parent in pairs if parent == str(pid)]


def pause() -> None:
    """Let the machine write what it holds back and come to rest, so that one figure does not pay for another."""
    os.sync()
    time.sleep(0.5)
