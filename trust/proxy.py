"""A stretch of network that misbehaves: it carries connections, and cuts, resets, half-closes, delays or drips them.

Each way of a connection has a fault ahead of it, drawn by chance, and after one that it survived another.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

Kind = Literal["none", "cut", "reset", "half-close", "delay", "trickle"]
KINDS: tuple[Kind, ...] = ("cut", "cut", "reset", "reset", "half-close", "delay", "trickle")
AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER for a connection that ends with a reset."""
CHUNK_BYTES = 64 * 1024
DRIPS = 40
DRIP_SECONDS = 0.005
START_SECONDS = 10


class Reach(NamedTuple):
    """Where faults are: past so many first bytes, so many bytes ahead at most; and the longest delay (s)."""

    spared: int
    longest: int
    slowest: float


class Fault(NamedTuple):
    kind: Kind
    ahead: int
    """After how many bytes."""
    seconds: float
    """Of a delay."""


NONE = Fault("none", ahead=sys.maxsize, seconds=0)


class Connection:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, to_client: asyncio.StreamWriter, to_server: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._ends = (to_client, to_server)

    def cut(self) -> None:
        for end in self._ends:
            end.transport.abort()

    def reset(self) -> None:
        for end in self._ends:
            connection: socket.socket = end.get_extra_info("socket")
            if connection.fileno() >= 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self.cut()

    async def carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Carry one way until it ends, or a fault ends it."""
        fault = self._proxy.fault(first=True)
        ahead = fault.ahead
        while data := await source.read(CHUNK_BYTES):
            if len(data) > ahead:
                await self._pass(data[:ahead], target)
                self._proxy.disturbed += 1
                if not await self._survives(fault, data[ahead:], source, target):
                    return
                fault, data = self._proxy.fault(first=False), b""
                ahead = fault.ahead
            await self._pass(data, target)
            ahead -= len(data)
        target.write_eof()

    async def _survives(
        self, fault: Fault, rest: bytes, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> bool:
        """Let a fault happen before the rest of some data is carried; whether anything is carried after it."""
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
            await self._pass(rest, target)
            return True
        if fault.kind == "trickle":
            size = max(1, len(rest) // DRIPS)
            for at in range(0, len(rest), size):
                await self._pass(rest[at : at + size], target)
                await asyncio.sleep(DRIP_SECONDS)
            return True
        if fault.kind == "half-close":
            target.write_eof()
            while await source.read(CHUNK_BYTES):
                pass  # whatever else is said this way is heard by nobody
        elif fault.kind == "reset":
            self.reset()
        else:
            self.cut()
        return False

    @staticmethod
    async def _pass(data: bytes, target: asyncio.StreamWriter) -> None:
        target.write(data)
        await target.drain()


class Proxy:
    """Carries whatever comes to its port to another one, faithfully until it is told to disturb."""

    def __init__(self, port: int | None) -> None:
        self._to = port
        self._loop: asyncio.AbstractEventLoop
        self._stopped: asyncio.Event
        self._chance: random.Random | None = None
        self._reach = Reach(0, 0, 0.0)
        self._open: set[Connection] = set()
        self.disturbed = 0
        """How many faults have happened."""
        self.port = 0

    def disturb(self, chance: random.Random, reach: Reach) -> None:
        """From now on new connections have faults; those there are, are cut."""
        self._reach, self._chance = reach, chance
        self._loop.call_soon_threadsafe(self._cut_all)

    def calm(self) -> None:
        """From now on connections have no faults; those there are, are cut."""
        self._chance = None
        self._loop.call_soon_threadsafe(self._cut_all)

    def fault(self, *, first: bool) -> Fault:
        """What comes next on one way of a connection; `first`: before anything was carried."""
        chance = self._chance
        if chance is None:
            return NONE
        # Mostly early, where a request ends and its answer begins.
        ahead = int(self._reach.longest * chance.random() ** 3) + (self._reach.spared if first else 0)
        return Fault(chance.choice(KINDS), ahead, chance.uniform(0, self._reach.slowest))

    def run(self, ready: threading.Event) -> None:
        """Carry until stopped; to be run in a thread of its own."""
        asyncio.run(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stopped.wait()
        server.close()
        while self._open:
            self._cut_all()
            await asyncio.sleep(DRIP_SECONDS)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def _accept(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            to_client.transport.abort()
            return
        connection = Connection(self, to_client, to_server)
        self._open.add(connection)
        ways = connection.carry(from_client, to_server), connection.carry(from_server, to_client)
        # Where one end has gone, an error, the other is to go as well.
        await asyncio.gather(*ways, return_exceptions=True)
        connection.cut()
        self._open.discard(connection)

    def _cut_all(self) -> None:
        for connection in self._open:
            connection.cut()


@contextmanager
def proxy(port: int | None) -> Iterator[Proxy]:
    """A proxy before a port of this machine."""
    carrying = Proxy(port)
    ready = threading.Event()
    thread = threading.Thread(target=carrying.run, args=(ready,))
    thread.start()
    assert ready.wait(START_SECONDS)
    try:
        yield carrying
    finally:
        carrying.stop()
        thread.join()
