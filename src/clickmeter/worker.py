"""A child process that answers requests: how the server's event loop keeps disk and numpy away from itself.

Parent and child share a socket pair. A message is four bytes of length and a payload; answers come in the order of the
requests, so nothing needs a number. The child ends when the socket closes: after the parent's death it finishes what
it had taken and goes, so an acknowledgement can never outlive what was promised.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, cast

from clickmeter import logs, memory
from clickmeter.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DATABASE_URL, EVENTS_URL = "CLICKMETER_DATABASE_URL", "CLICKMETER_EVENTS_URL"
"""The variables by which a child is told where the stores are."""
LENGTH_BYTES = 4
MAX_JOINED_BYTES = 64 * 1024
"""Longer messages are not copied to be sent at once with their length."""
LONG_ANSWER = 2 * 1024 * 1024
"""No batch of events has so many bytes: what such an answer took is not needed again soon."""
START_SECONDS = 30
RESTART_PAUSE_SECONDS = 0.2

log = logging.getLogger("clickmeter.worker")


class Urls(NamedTuple):
    """Where the stores are: properties and keys, and events, which may be in the same place."""

    database: str
    events: str


class Channel(asyncio.Protocol):
    """The parent's end of one socket: requests out, answers back in their order."""

    def __init__(self, on_lost: Callable[[], None]) -> None:
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._waiting: deque[asyncio.Future[bytes]] = deque()

    @property
    def waiting(self) -> int:
        """How many requests have not been answered yet."""
        return len(self._waiting)

    @property
    def alive(self) -> bool:
        return self._transport is not None

    async def open(self, ours: socket.socket) -> asyncio.Future[bytes]:
        """Begin with a new socket; the future is done when the child says that it is ready."""
        ready = asyncio.get_running_loop().create_future()
        self._waiting.append(ready)
        ours.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        await asyncio.get_running_loop().create_connection(lambda: self, sock=ours)
        return ready

    def call(self, payload: bytes) -> asyncio.Future[bytes]:
        """Send a request; the future holds the answer, or ``store_unavailable`` when the child died before it."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if self._transport is None:
            future.set_exception(gone())
        else:
            self._waiting.append(future)
            self._transport.write(framed(payload))
        return future

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are not asyncio's by class

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(self._received[:LENGTH_BYTES], "big")
            if len(self._received) < end:
                return
            with memoryview(self._received) as received:  # an answer may have many MiB: it is copied once
                payload = bytes(received[LENGTH_BYTES:end])
            del self._received[:end]
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(payload)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._transport = None
        self._received.clear()
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(gone())
        self._on_lost()


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
        pairs = [socket.socketpair() for _ in self.channels]
        theirs = [their for _, their in pairs]
        try:
            command = [*self._command, ",".join(str(their.fileno()) for their in theirs), *self._arguments]
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own interpreter and module; it starts at once
                command,
                pass_fds=[their.fileno() for their in theirs],
                stdin=subprocess.DEVNULL,
                env=self._environment | logs.passed_on(),
            )
        finally:
            for their in theirs:
                their.close()
        ready = [await channel.open(ours) for channel, (ours, _) in zip(self.channels, pairs, strict=True)]
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


def gone() -> Refusal:
    return Refusal("store_unavailable", "The store's process ended; send the same request again.", retry_after=1)


def given_urls() -> Urls:
    """The child's side: where the stores are."""
    return Urls(os.environ[DATABASE_URL], os.environ[EVENTS_URL])


def answer_requests(handle: Callable[[bytes], bytes]) -> None:
    """The child's side: answer requests from the socket named by the first argument until it closes."""
    ignore_signals()
    memory.seldom_collect()
    answer_channel(int(sys.argv[1]), handle)


def ignore_signals() -> None:
    """Interrupts and termination are the parent's to handle; they reach the whole group from a terminal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def answer_channel(file: int, handle: Callable[[bytes], bytes]) -> None:
    """Answer requests from an open socket until it closes."""
    with socket.socket(fileno=file) as channel, channel.makefile("rb") as requests:
        try:
            channel.sendall(framed(b""))
            while head := requests.read(LENGTH_BYTES):
                sent = send(channel, handle(requests.read(int.from_bytes(head, "big"))))
                if sent > LONG_ANSWER:
                    memory.give_back()
        except (BrokenPipeError, ConnectionResetError):
            return


def send(channel: socket.socket, payload: bytes) -> int:
    """Send an answer; how long it was, in bytes."""
    if len(payload) <= MAX_JOINED_BYTES:
        channel.sendall(framed(payload))
    else:
        channel.sendall(length_of(payload))
        channel.sendall(payload)
    return len(payload)


def framed(payload: bytes) -> bytes:
    return length_of(payload) + payload


def length_of(payload: bytes) -> bytes:
    return len(payload).to_bytes(LENGTH_BYTES, "big")
