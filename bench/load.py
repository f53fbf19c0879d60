"""The load generator: a process that sends requests as it is told and notes what becomes of each.

``python -m bench.load`` reads a Job from stdin and writes a Tally to stdout, both as JSON. In a closed loop every
connection sends its next request when the last one is answered. In an open loop requests are due at fixed instants,
whatever the server does; their time counts from the instant they were due, so that waiting for a free connection is
part of it.
"""

from __future__ import annotations

import asyncio
import gc
import math
import sys
import time
from collections import Counter, deque
from typing import Any, cast

import msgspec
import uvloop

from bench.identifiers import IdKind
from bench.traffic import Requests

TICK_SECONDS = 0.001
DRAIN_SECONDS = 12
"""Longer than the server may take to answer anything."""
OPENED_AT_ONCE = 100


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What to send where. `rate` is in requests a second; without one the loop is closed."""

    host: str
    port: int
    property_id: str
    write_key: str
    seconds: float
    warmup: float = 0.0
    connections: int = 64
    events: int = 1
    rate: float | None = None
    ids: IdKind = "v7"
    unknown_fields: bool = False
    own_agents: bool = False


class Tally(msgspec.Struct, kw_only=True):
    """What became of it. Times are in milliseconds and of acknowledged requests; warm-up counts only in the totals."""

    seconds: float
    answered: int
    """Requests answered within the measured time, whatever the answer."""
    acknowledged: int
    refused: int
    p50: float
    p95: float
    p99: float
    refused_p99: float
    sent: int
    unsent: int
    """Requests that were due and never found a free connection."""
    statuses: dict[str, int]
    """Every answer of the whole run by its status; ``lost`` are requests whose connection ended."""
    cpu_us: float
    """What a request cost the generator itself."""


class Connection(asyncio.Protocol):
    """One kept-alive connection with at most one request under way."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._received = b""
        self.since = 0.0
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes, since: float) -> None:
        self.since, self.busy = since, True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._received:
            data = self._received + data
        end = data.find(b"\r\n\r\n") + 4
        at = data.find(b"content-length: ", 0, end) + 16
        if end < 4 or len(data) < end + int(data[at : data.find(b"\r", at)]):
            self._received = data
            return
        self._received = b""
        self.busy = False
        self._run.answered(self, data[9:12])

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._run.lost(self)

    def close(self) -> None:
        self._transport.close()


class Run:
    """One job under way."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._next = Requests(
            property_id=job.property_id,
            write_key=job.write_key,
            events=job.events,
            ids=job.ids,
            unknown_fields=job.unknown_fields,
            own_agents=job.own_agents,
        ).next
        self._connections: set[Connection] = set()
        self._idle: deque[Connection] = deque()
        self._statuses: Counter[bytes] = Counter()
        self._acknowledged: list[float] = []
        self._refused: list[float] = []
        self._answered = self._sent = 0
        self._sending = True

    async def tally(self) -> Tally:
        job = self._job
        await self._connect()
        gc.collect()
        gc.disable()
        self._start = time.perf_counter()
        self._measured = self._start + job.warmup
        self._end = self._measured + job.seconds
        cpu = time.process_time()
        self._begin()
        await asyncio.sleep(self._end - time.perf_counter())
        cpu = time.process_time() - cpu
        self._sending = False
        sent, due = self._sent, int(job.seconds * job.rate) if job.rate else self._sent
        await self._drain()
        return self._summary(cpu_us=cpu / max(1, sent) * 1e6, unsent=max(0, due - sent))

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        for first in range(0, self._job.connections, OPENED_AT_ONCE):
            count = min(OPENED_AT_ONCE, self._job.connections - first)
            made = await asyncio.gather(
                *(
                    loop.create_connection(lambda: Connection(self), self._job.host, self._job.port)
                    for _ in range(count)
                )
            )
            self._connections.update(connection for _, connection in made)
        self._idle.extend(self._connections)

    def _begin(self) -> None:
        if self._job.rate:
            self._tick()
            return
        while self._idle:
            self._send(self._idle.popleft(), time.perf_counter())

    def _tick(self) -> None:
        """Send what is due, as far as there are free connections; what is not sent now is sent late."""
        assert self._job.rate
        while self._idle and self._sending:
            due = self._start + self._sent / self._job.rate
            if due > time.perf_counter():
                break
            self._send(self._idle.popleft(), due)
        if self._sending:
            asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def _send(self, connection: Connection, since: float) -> None:
        self._sent += 1
        connection.send(self._next(), since)

    def answered(self, connection: Connection, status: bytes) -> None:
        now = time.perf_counter()
        self._statuses[status] += 1
        if self._measured <= now < self._end:
            self._answered += 1
            if status == b"200":
                self._acknowledged.append(now - connection.since)
            else:
                self._refused.append(now - connection.since)
        if self._sending and not self._job.rate:
            self._send(connection, now)
        else:
            self._idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """The server ended a connection; while requests are being sent another takes its place."""
        if connection.busy:
            self._statuses[b"lost"] += 1
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._sending:
            self._reconnecting = asyncio.ensure_future(self._replace())

    async def _replace(self) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(self), self._job.host, self._job.port)
        self._connections.add(connection)
        if self._job.rate:
            self._idle.append(connection)
        elif self._sending:
            self._send(connection, time.perf_counter())

    async def _drain(self) -> None:
        give_up_at = time.perf_counter() + DRAIN_SECONDS
        while any(connection.busy for connection in self._connections) and time.perf_counter() < give_up_at:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.01)
        for connection in self._connections:
            connection.close()

    def _summary(self, *, cpu_us: float, unsent: int) -> Tally:
        unanswered = sum(connection.busy for connection in self._connections)
        statuses = {status.decode(): count for status, count in self._statuses.items()}
        return Tally(
            seconds=self._job.seconds,
            answered=self._answered,
            acknowledged=len(self._acknowledged),
            refused=len(self._refused),
            p50=percentile(self._acknowledged, 0.5) * 1000,
            p95=percentile(self._acknowledged, 0.95) * 1000,
            p99=percentile(self._acknowledged, 0.99) * 1000,
            refused_p99=percentile(self._refused, 0.99) * 1000,
            sent=self._sent,
            unsent=unsent,
            statuses=statuses | ({"unanswered": unanswered} if unanswered else {}),
            cpu_us=cpu_us,
        )


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else 0.0


def main() -> None:
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        tally: Any = runner.run(Run(job).tally())
    sys.stdout.buffer.write(msgspec.json.encode(tally))


if __name__ == "__main__":
    main()
