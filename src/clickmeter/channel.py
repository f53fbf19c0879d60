"""How a process and its child talk: requests one way, and answers the other in the same order, without numbers.

A message is four bytes of length and a payload, over a socket. A socket holds some 200 KiB; what is left of a message
is sent when the event loop comes round to it. A busy one takes dozens of milliseconds for that, again for each piece,
while the child waits. So a long request lies in memory that both have, where the system has such memory, and only its
length is sent.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, cast

from clickmeter import memory
from clickmeter.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

LENGTH_BYTES = 4
IN_MEMORY = 1 << 31
"""Added to the length of a request that lies in memory."""
MAX_JOINED_BYTES = 64 * 1024
"""A longer message is not copied to be sent at once with its length."""
MEMORY_BYTES = 4 * 1024 * 1024
"""Twice the usual group of 4,000 events. Nothing of it is taken before it is used."""
LONG_ANSWER = 2 * 1024 * 1024
"""No batch of events has so many bytes: what such an answer took is not needed again soon."""

Message = bytes | memoryview


class SharedMemory:
    """Room for one message at a time, in a file that is on no disk."""

    def __init__(self, file: int) -> None:
        """Of the file's descriptor nothing is kept."""
        self._room = mmap.mmap(file, MEMORY_BYTES)

    def put(self, message: bytes) -> None:
        self._room[: len(message)] = message

    def get(self, length: int) -> memoryview:
        """The message where it lies: it changes when another is put there."""
        return memoryview(self._room)[:length]


def shared_file() -> int | None:
    """The descriptor of a file for `SharedMemory`; None where the system has no such files, or no more of them."""
    if not hasattr(os, "memfd_create"):
        return None
    try:
        file = os.memfd_create("clickmeter")
    except OSError:
        return None
    os.ftruncate(file, MEMORY_BYTES)
    return file


class End:
    """What a channel begins with: our end, and the files that the child gets, which are ours until the stack ends."""

    def __init__(self, theirs: ExitStack) -> None:
        self.ours, their = socket.socketpair()
        self.files = [theirs.enter_context(their).fileno()]
        self.memory: SharedMemory | None = None
        shared = shared_file()
        if shared is not None:
            theirs.callback(os.close, shared)
            self.files.append(shared)
            self.memory = SharedMemory(shared)

    @property
    def name(self) -> str:
        """What the child is told: the numbers of the files."""
        return ":".join(map(str, self.files))


class Channel(asyncio.Protocol):
    """The parent's end of one socket: requests out, answers back in their order."""

    def __init__(self, on_lost: Callable[[], None]) -> None:
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._waiting: deque[asyncio.Future[bytes]] = deque()
        self._memory: SharedMemory | None = None
        self._in_memory: asyncio.Future[bytes] | None = None
        """Of the request that lies there."""

    @property
    def waiting(self) -> int:
        """How many requests have not been answered yet."""
        return len(self._waiting)

    @property
    def alive(self) -> bool:
        return self._transport is not None

    async def open(self, end: End) -> asyncio.Future[bytes]:
        """Begin anew, with a new child; the future is done when it says that it is ready."""
        self._memory, self._in_memory = end.memory, None
        ready = asyncio.get_running_loop().create_future()
        self._waiting.append(ready)
        end.ours.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        await asyncio.get_running_loop().create_connection(lambda: self, sock=end.ours)
        return ready

    def call(self, payload: bytes) -> asyncio.Future[bytes]:
        """Send a request; the future holds the answer, or ``store_unavailable`` when the child died before it."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if self._transport is None:
            future.set_exception(gone())
        else:
            self._waiting.append(future)
            is_for_memory = MAX_JOINED_BYTES < len(payload) <= MEMORY_BYTES
            if is_for_memory and self._memory is not None and self._in_memory is None:
                self._memory.put(payload)
                self._in_memory = future
                self._transport.write(length_of(IN_MEMORY | len(payload)))
            else:
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
            if future is self._in_memory:
                self._in_memory = None
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


def gone() -> Refusal:
    return Refusal("store_unavailable", "The store's process ended; send the same request again.", retry_after=1)


def answer_channel(name: str, handle: Callable[[Message], bytes]) -> None:
    """Answer requests from a channel until it closes; `name` is that of its `End`."""
    file, *shared = map(int, name.split(":"))
    memories = [SharedMemory(one) for one in shared]
    with socket.socket(fileno=file) as channel, channel.makefile("rb") as requests:
        try:
            channel.sendall(framed(b""))
            while head := requests.read(LENGTH_BYTES):
                length = int.from_bytes(head, "big")
                if length & IN_MEMORY:
                    sent = send(channel, handle(memories[0].get(length ^ IN_MEMORY)))
                else:
                    sent = send(channel, handle(requests.read(length)))
                if sent > LONG_ANSWER:
                    memory.give_back()
        except (BrokenPipeError, ConnectionResetError):
            return


def send(channel: socket.socket, payload: bytes) -> int:
    """Send an answer; how long it was, in bytes."""
    if len(payload) <= MAX_JOINED_BYTES:
        channel.sendall(framed(payload))
    else:
        channel.sendall(length_of(len(payload)))
        channel.sendall(payload)
    return len(payload)


def framed(payload: bytes) -> bytes:
    return length_of(len(payload)) + payload


def length_of(length: int) -> bytes:
    return length.to_bytes(LENGTH_BYTES, "big")
