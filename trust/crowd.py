"""Clients that take their time, or all the server has: a thousand at once, in a process of their own.

They tell when and how they were cut off, which is what the trial is about.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import resource
import socket
import time
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from trust.wire import bearer, request

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from multiprocessing.connection import Connection

MEBIBYTE = 1024 * 1024
DRIP_SECONDS = 1.0
SMALL_BUFFER = 2_048
ANSWERING_SECONDS = 30.0
AT_ONCE = 50
"""Connections that are being made at a time; more would only wait in the line of the listening socket."""


class Crowd(NamedTuple):
    """How many clients of each kind there are, and what they need to know."""

    port: int
    heads: int
    bodies: int
    readers: int
    greedy: int
    seconds: float
    """How long the slow ones stay; those who do not read from the moment when their answer begins."""
    greedy_seconds: float
    write_key: str
    big_answer: bytes
    """A request whose answer is too long for the buffers of the two machines."""
    property_id: str


class Fate(NamedTuple):
    """What became of a client: after how long it was answered or cut off (None: never), and what came of an answer."""

    kind: str
    seconds: float | None
    answer: bytes


def run(crowd: Crowd, results: Connection) -> None:
    """Be the crowd, in a process of its own; the fates are sent when it is over."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    junk = greed(crowd)  # it takes seconds, in which nobody would be waited for
    results.send(asyncio.run(everybody(crowd, junk)))


async def everybody(crowd: Crowd, junk: list[bytes]) -> list[Fate]:
    gate = asyncio.Semaphore(AT_ONCE)
    head = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nX-Slow: "
    counted = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n{"
    chunked = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n{"
    clients: list[Coroutine[None, None, list[Fate]]] = [
        *(slow("head", crowd, gate, head) for _ in range(crowd.heads)),
        *(slow("body", crowd, gate, (counted, chunked)[number % 2]) for number in range(crowd.bodies)),
        *(reader(crowd, gate) for _ in range(crowd.readers)),
        *(greedy(crowd, junk[number % len(junk) :] + junk[: number % len(junk)]) for number in range(crowd.greedy)),
    ]
    return [*chain.from_iterable(await asyncio.gather(*clients))]


async def connected(crowd: Crowd, gate: asyncio.Semaphore, *, buffer: int | None = None) -> tuple[socket.socket, float]:
    """A connection, and when it was asked for: the server's clock does not begin before."""
    connection = socket.socket()
    connection.setblocking(False)  # noqa: FBT003 - the standard library's own signature
    if buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    async with gate:
        begun = time.monotonic()
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", crowd.port))
    return connection, begun


async def slow(kind: str, crowd: Crowd, gate: asyncio.Semaphore, beginning: bytes) -> list[Fate]:
    """Begin a request and go on with it a byte at a time."""
    loop = asyncio.get_running_loop()
    connection, begun = await connected(crowd, gate)
    with connection:
        await loop.sock_sendall(connection, beginning)
        dripping = asyncio.create_task(drip(connection))
        try:
            answer = await asyncio.wait_for(loop.sock_recv(connection, 65_536), crowd.seconds)
        except TimeoutError:
            return [Fate(kind, None, b"")]
        except ConnectionError:
            answer = b""
        finally:
            dripping.cancel()
        return [Fate(kind, time.monotonic() - begun, answer)]


async def drip(connection: socket.socket) -> None:
    while True:
        await asyncio.sleep(DRIP_SECONDS)
        try:
            await asyncio.get_running_loop().sock_sendall(connection, b"x")
        except OSError:
            return


async def reader(crowd: Crowd, gate: asyncio.Semaphore) -> list[Fate]:
    """Ask for a long answer, and read none of it until the time is over; how much there is then shows who was cut."""
    loop = asyncio.get_running_loop()
    connection, _ = await connected(crowd, gate, buffer=SMALL_BUFFER)
    with connection:
        await loop.sock_sendall(connection, crowd.big_answer)
        await begun(connection)
        await asyncio.sleep(crowd.seconds)
        received = 0
        try:
            while part := await asyncio.wait_for(loop.sock_recv(connection, MEBIBYTE), 5):
                received += len(part)
        except (ConnectionError, TimeoutError):
            pass
        return [Fate("reader", None, str(received).encode())]


async def begun(connection: socket.socket) -> None:
    """Return when something of an answer is there, unread, or when there will be none."""
    for _ in range(int(ANSWERING_SECONDS)):
        await asyncio.sleep(1)
        try:
            if connection.recv(1, socket.MSG_PEEK):
                return
        except BlockingIOError:
            continue
        except ConnectionError:
            return


async def greedy(crowd: Crowd, junk: list[bytes]) -> list[Fate]:
    """Send as much as goes down the line, over and over."""
    until = time.monotonic() + crowd.greedy_seconds
    fates = []
    while time.monotonic() < until:
        begun = time.monotonic()
        streams = await asyncio.open_connection("127.0.0.1", crowd.port)
        for content in junk:
            try:
                fates.append(Fate("greedy", time.monotonic() - begun, await asked(*streams, content)))
            except (ConnectionError, asyncio.IncompleteReadError):
                break
        streams[1].close()
    return fates


async def asked(reading: asyncio.StreamReader, writing: asyncio.StreamWriter, content: bytes) -> bytes:
    """The first line of the answer to a request."""
    writing.write(content)
    await writing.drain()
    head = await reading.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    await reading.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0)
    return head.partition(b"\r\n")[0]


def greed(crowd: Crowd) -> list[bytes]:
    """Bodies that cost as much as can be asked for: bombs, noise, and JSON that is nearly what is wanted."""
    bomb = gzip.compress(bytes(100 * MEBIBYTE), 9)
    envelope = f'{{"property_id": "{crowd.property_id}", "events": ['.encode()
    key = bearer(crowd.write_key)
    zipped = [("Content-Encoding", "gzip")]
    batches = [
        (b"0," * MEBIBYTE)[: MEBIBYTE - 100] + b"0",
        b",".join([b'{"x":' + b"[" * 400 + b"]" * 400 + b"}"] * 999),
        b'{"data":{' + b",".join(b'"%x":1' % number for number in range(90_000)) + b"}}",
        b",".join([b'{"type":"a","context":{"page":{"url":"' + b"\\ud800" * 150 + b'"}}}'] * 990),
    ]
    return [
        request("POST", "/v1/events", zipped, bomb),
        request("POST", "/v1/events", [], random.randbytes(MEBIBYTE)),
        request("POST", "/v1/events", [], b"x" * MEBIBYTE),
        request("POST", "/v1/events", [], b"[" * MEBIBYTE),
        *(request("POST", "/v1/events", key, envelope + batch + b"]}") for batch in batches),
    ]
