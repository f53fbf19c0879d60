"""Group commit: the batches of many requests in one durable transaction, without ever making one wait for others.

While a group is being committed the next one gathers; no request lingers. What waits is bounded in events and bytes;
beyond that a batch is refused at once, so a client hears 503 while it can still do something about it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from clickmeter.errors import Refusal
from clickmeter.ingest.storing import Append, Check, Purge, Request, Result, Warn, decode_results, encode
from clickmeter.measures import Durations

if TYPE_CHECKING:
    from clickmeter.model import Batch
    from clickmeter.worker import Seat, Worker

MAX_WAITING_EVENTS = 12_000
MAX_WAITING_BYTES = 32 * 1024 * 1024
USUAL_EVENTS = 100
MAX_GROUP_EVENTS = 4_000
MAX_GROUP_BYTES = 8 * 1024 * 1024
GROUPS_UNDER_WAY = 1
"""The next group gathers meanwhile. With two, groups are half as large and commits twice as many: 5 % slower."""
PATIENCE_SECONDS = 8
"""A request is answered within ten seconds even when the store does not."""
PURGE_EVERY_SECONDS = 2
PURGE_PAUSE_SECONDS = 0.05
PURGE_ROWS = 1_000

STORE_MODULE = "clickmeter.ingest.storing"


class Waiting(NamedTuple):
    batch: Batch
    bytes: int
    since: float
    future: asyncio.Future[int | None]


class Writer:
    """Takes batches from any number of requests and hands them to the process that owns the store's write side."""

    def __init__(self, worker: Worker | Seat) -> None:
        """`worker` is a process of STORE_MODULE, or a seat in one that stores, too."""
        self._worker = worker
        self._waiting: deque[Waiting] = deque()
        self._under_way: deque[list[Waiting]] = deque()
        self._events = 0
        self._bytes = 0
        self._scheduled = False
        self._failing = False
        self._sent_at = 0.0
        self.commits = Durations()
        self.warnings: list[str] = []
        """Which settings of the store may lose what was acknowledged, as it was when the process started."""
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self._worker.start()
        self.warnings = [str(warning) for warning in await self.ask(Warn())]
        self._tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._purge())]

    async def stop(self) -> None:
        """Wait for everything that was submitted to be answered, then end the process."""
        for task in self._tasks:
            task.cancel()
        everything = [waiting.future for group in (*self._under_way, self._waiting) for waiting in group]
        await asyncio.gather(*everything, return_exceptions=True)
        await self._worker.stop()

    @property
    def queued_events(self) -> int:
        return self._events

    @property
    def queued_bytes(self) -> int:
        return self._bytes

    @property
    def is_full(self) -> bool:
        """Whether so much is waiting that a batch of usual size would be refused, so that none need be looked at."""
        return self._events + USUAL_EVENTS > MAX_WAITING_EVENTS or self._bytes > MAX_WAITING_BYTES

    async def check(self) -> None:
        """Return when events can be stored, else raise ``store_unavailable``; asks the store only after a failure."""
        if self._failing or not self._worker.alive:
            [result] = await self.ask(Check())
            if isinstance(result, str):
                raise Refusal("store_unavailable", result, retry_after=1)
            self._failing = False

    def submit(self, batch: Batch, *, size: int) -> asyncio.Future[int | None]:
        """Store a batch; `size` is about its bytes. The future holds how many of its events were duplicates.

        None when its property is gone. It fails with ``store_unavailable``, and nothing is known to be stored; the
        caller gets ``overloaded`` at once when too much is waiting already.
        """
        if self._events + len(batch.events) > MAX_WAITING_EVENTS or self._bytes + size > MAX_WAITING_BYTES:
            raise Refusal("overloaded", "More events arrive than can be stored; send again later.", retry_after=1)
        loop = asyncio.get_running_loop()
        waiting = Waiting(batch, size, loop.time(), loop.create_future())
        self._waiting.append(waiting)
        self._events += len(batch.events)
        self._bytes += size
        if not self._scheduled and len(self._under_way) < GROUPS_UNDER_WAY:
            # Requests that arrived in the same turn of the loop join the group.
            self._scheduled = True
            loop.call_soon(self._send)
        return waiting.future

    def _send(self) -> None:
        self._scheduled = False
        while self._waiting and len(self._under_way) < GROUPS_UNDER_WAY:
            group = self._next_group()
            self._under_way.append(group)
            self._sent_at = time.monotonic()
            call = self._worker.call(encode(Append([waiting.batch for waiting in group])))
            call.add_done_callback(self._answered)

    def _next_group(self) -> list[Waiting]:
        group: list[Waiting] = []
        events = size = 0
        while self._waiting and (not group or (events < MAX_GROUP_EVENTS and size < MAX_GROUP_BYTES)):
            waiting = self._waiting.popleft()
            group.append(waiting)
            events += len(waiting.batch.events)
            size += waiting.bytes
        return group

    def _answered(self, call: asyncio.Future[bytes]) -> None:
        group = self._under_way.popleft()
        self.commits.add(time.monotonic() - self._sent_at)
        error = call.exception()
        results: list[Result] = [str(error)] * len(group) if error else decode_results(call.result())
        self._failing = all(isinstance(result, str) for result in results)
        for waiting, result in zip(group, results, strict=True):
            self._events -= len(waiting.batch.events)
            self._bytes -= waiting.bytes
            if waiting.future.done():
                continue
            if isinstance(result, str):
                waiting.future.set_exception(Refusal("store_unavailable", result, retry_after=1))
            else:
                waiting.future.set_result(result)
        self._send()

    async def _watch(self) -> None:
        """Answer requests whose turn does not come; what is under way may still be stored, which a retry finds out."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1)
            late = loop.time() - PATIENCE_SECONDS
            for group in (*self._under_way, self._waiting):
                for waiting in group:
                    if waiting.since > late:
                        break
                    if not waiting.future.done():
                        waiting.future.set_exception(
                            Refusal("store_unavailable", "The store does not answer; send again later.", retry_after=5)
                        )

    async def _purge(self) -> None:
        """Remove the events of deleted properties, a little at a time so that nobody waits for it."""
        while True:
            await asyncio.sleep(PURGE_EVERY_SECONDS)
            try:
                while await self.ask(Purge(PURGE_ROWS)) == [PURGE_ROWS]:  # noqa: ASYNC110 - a pause, not a wait
                    await asyncio.sleep(PURGE_PAUSE_SECONDS)
            except Refusal:
                continue  # the store is away; there will be another time

    async def ask(self, request: Request) -> list[Result]:
        """Let the storing process do something else in between."""
        return decode_results(await self._worker.call(encode(request)))
