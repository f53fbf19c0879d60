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
from typing import TYPE_CHECKING, cast

from clickmeter import logs
from clickmeter.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DATABASE_URL = "CLICKMETER_DATABASE_URL"
"""The variable by which a child is told where the stores are."""
LENGTH_BYTES = 4
START_SECONDS = 30
RESTART_PAUSE_SECONDS = 0.2

log = logging.getLogger("clickmeter.worker")


class Worker(asyncio.Protocol):
    """The parent's side: starts ``python -m module``, passes it requests, starts it again when it dies."""

    def __init__(self, module: str, database_url: str, arguments: Sequence[str] = ()) -> None:
        self._command = [sys.executable, "-m", module]
        self._arguments = list(arguments)
        # Everybody on the machine may read command lines, and the URL may hold a password.
        self._environment = {**os.environ, DATABASE_URL: database_url}
        self._transport: asyncio.Transport | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._received = bytearray()
        self._waiting: deque[asyncio.Future[bytes]] = deque()
        self._started = False
        self._stopping = False

    @property
    def waiting(self) -> int:
        """How many requests have not been answered yet."""
        return len(self._waiting)

    @property
    def alive(self) -> bool:
        return self._transport is not None

    async def start(self) -> None:
        """Start the child and wait until it is ready; what it says when it cannot start is on stderr."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with theirs:
            command = [*self._command, str(theirs.fileno()), *self._arguments]
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own interpreter and module; it starts at once
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=self._environment | logs.passed_on()
            )
        ours.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        ready = loop.create_future()
        self._waiting.append(ready)
        await loop.create_connection(lambda: self, sock=ours)
        await asyncio.wait_for(ready, START_SECONDS)
        self._started = True

    def call(self, payload: bytes) -> asyncio.Future[bytes]:
        """Send a request; the future holds the answer, or ``store_unavailable`` when the child died before it."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if self._transport is None:
            future.set_exception(gone())
        else:
            self._waiting.append(future)
            self._transport.write(framed(payload))
        return future

    def kill(self) -> None:
        """End the child now, whatever it is doing; it is started again."""
        if self._process is not None:
            self._process.kill()

    async def stop(self) -> None:
        """Close the socket and wait for the child to finish what it has taken."""
        self._stopping = True
        if self._transport is not None:
            self._transport.close()
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are not asyncio's by class

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(self._received[:LENGTH_BYTES], "big")
            if len(self._received) < end:
                return
            payload = bytes(self._received[LENGTH_BYTES:end])
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
        if self._started and not self._stopping:
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


def gone() -> Refusal:
    return Refusal("store_unavailable", "The store's process ended; send the same request again.", retry_after=1)


def database_url() -> str:
    """The child's side: where the stores are."""
    return os.environ[DATABASE_URL]


def answer_requests(handle: Callable[[bytes], bytes]) -> None:
    """The child's side: answer requests from the socket named by the first argument until it closes.

    Interrupts and termination are the parent's to handle; they reach the whole group from a terminal.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as channel, channel.makefile("rb") as requests:
        try:
            channel.sendall(framed(b""))
            while head := requests.read(LENGTH_BYTES):
                channel.sendall(framed(handle(requests.read(int.from_bytes(head, "big")))))
        except (BrokenPipeError, ConnectionResetError):
            return


def framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload
