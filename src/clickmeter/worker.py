"""A child process that answers requests: how the server's event loop keeps disk and numpy away from itself.

The child ends when its channels close: after the parent's death it finishes what it had taken and goes, so an
acknowledgement can never outlive what was promised.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from clickmeter import logs, memory
from clickmeter.channel import Channel, End, answer_channel
from clickmeter.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clickmeter.channel import Message

DATABASE_URL, EVENTS_URL = "CLICKMETER_DATABASE_URL", "CLICKMETER_EVENTS_URL"
"""The variables by which a child is told where the stores are."""
START_SECONDS = 30
RESTART_PAUSE_SECONDS = 0.2

log = logging.getLogger("clickmeter.worker")


class Urls(NamedTuple):
    """Where the stores are: properties and keys, and events, which may be in the same place."""

    database: str
    events: str


class Worker:
    """Starts ``python -m module``, passes it requests through one channel or several, starts it again when it dies."""

    def __init__(self, module: str, urls: Urls, arguments: Sequence[str] = (), *, channels: int = 1) -> None:
        self._command = [sys.executable, "-m", module]
        self._arguments = list(arguments)
        # Everybody on the machine may read command lines, and a URL may hold a password.
        self._environment = {**os.environ, DATABASE_URL: urls.database, EVENTS_URL: urls.events}
        self.channels = [Channel(self._lost) for _ in range(channels)]
        self._process: subprocess.Popen[bytes] | None = None
        self._started = False
        self._stopping = False

    @property
    def waiting(self) -> int:
        """How many requests have not been answered yet."""
        return sum(channel.waiting for channel in self.channels)

    @property
    def alive(self) -> bool:
        return all(channel.alive for channel in self.channels)

    async def start(self) -> None:
        """Start the child and wait until it is ready; what it says when it cannot start is on stderr."""
        with ExitStack() as theirs:
            ends = [End(theirs) for _ in self.channels]
            command = [*self._command, ",".join(end.name for end in ends), *self._arguments]
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own interpreter and module; it starts at once
                command,
                pass_fds=[file for end in ends for file in end.files],
                stdin=subprocess.DEVNULL,
                env=self._environment | logs.passed_on(),
            )
        ready = [await channel.open(end) for channel, end in zip(self.channels, ends, strict=True)]
        await asyncio.wait_for(asyncio.gather(*ready), START_SECONDS)
        self._started = True

    def call(self, payload: bytes) -> asyncio.Future[bytes]:
        """See `Channel.call`; for a worker with one."""
        [channel] = self.channels
        return channel.call(payload)

    def kill(self) -> None:
        """End the child now, whatever it is doing; it is started again."""
        if self._process is not None:
            self._process.kill()

    async def stop(self) -> None:
        """Close the sockets and wait for the child to finish what it has taken."""
        self._stopping = True
        for channel in self.channels:
            channel.close()
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)

    def _lost(self) -> None:
        """Called for every channel of a child that died: it is started again once they all are gone."""
        if self._started and not self._stopping and not any(channel.alive for channel in self.channels):
            self._started = False
            log.error("A worker process ended by itself; starting it again. command=%s", " ".join(self._command[1:]))
            self._restart = asyncio.ensure_future(self._start_again())

    async def _start_again(self) -> None:
        while not self._stopping:
            await asyncio.sleep(RESTART_PAUSE_SECONDS)
            if self._process is not None:
                self._process.poll()  # so that the dead one does not stay in the system's list
            try:
                await self.start()
            except (OSError, TimeoutError, Refusal) as error:
                log.error("A worker process does not start: %s", error)  # noqa: TRY400 - one line, no traceback
            else:
                return


class Seat:
    """One channel of a worker that others share, for whoever would otherwise have a worker of its own.

    Starting and stopping is the sharers' business, and so is killing: a child that others rely on ends its work itself.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.call = channel.call

    @property
    def alive(self) -> bool:
        return self._channel.alive

    async def start(self) -> None:
        """It is started already."""

    async def stop(self) -> None:
        """It is stopped later."""

    def kill(self) -> None:
        """It ends its work itself."""


def given_urls() -> Urls:
    """The child's side: where the stores are."""
    return Urls(os.environ[DATABASE_URL], os.environ[EVENTS_URL])


def answer_requests(handle: Callable[[Message], bytes]) -> None:
    """The child's side: answer requests from the channel named by the first argument until it closes."""
    ignore_signals()
    memory.seldom_collect()
    answer_channel(sys.argv[1], handle)


def ignore_signals() -> None:
    """Interrupts and termination are the parent's to handle; they reach the whole group from a terminal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
