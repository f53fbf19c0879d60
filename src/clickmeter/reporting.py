"""The processes that answer reports, and the pool the server asks them through.

A report may take seconds of numpy or disk; in a process of its own it never holds up the taking in of events. Each
process answers one request at a time; the pool keeps the queue, and lets one process answer all that are dear.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from clickmeter import logs, memory, rendering, report
from clickmeter.errors import Issue, Refusal
from clickmeter.query.query import Query
from clickmeter.query.time import rfc3339
from clickmeter.segments.cache import Cache
from clickmeter.segments.executor import executor
from clickmeter.segments.reader import NO_LIMIT, DearError
from clickmeter.storage.open import open_counting, open_events, open_rollups
from clickmeter.worker import answer_requests, given_urls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from clickmeter.channel import Message
    from clickmeter.model import Event
    from clickmeter.storage.protocol import Answer, CountedAnswer, CountingStore, EventStore, RolledEvents, RollupStore
    from clickmeter.worker import Seat, Urls, Worker

REPORT_SECONDS = 10
GRACE_SECONDS = 2
QUEUE_SECONDS = 10
MAX_QUEUED = 200
LIGHT = 250_000
"""A report that looks at more events and texts is dear: some ten milliseconds, some dozens of MiB."""
MEBIBYTE = 1024 * 1024
NICENESS = 3
USUAL_COLUMN, SPARE_BYTES = 16 * MEBIBYTE, 32 * MEBIBYTE
"""A report makes and drops dozens of MiB of columns. To get their memory anew each time takes as long as counting."""

MODULE = "clickmeter.reporting"


class ReportRequest(msgspec.Struct, tag="report", array_like=True):
    query: Query
    now: int
    cursor_key: bytes
    may_be_dear: bool = False


class ExportRequest(msgspec.Struct, tag="export", array_like=True):
    property_id: str
    after: int
    limit: int
    kept_from: int


class Answered(msgspec.Struct, tag="answered", array_like=True):
    """A body ready to be sent, and where the next page begins, if there is one."""

    body: memoryview
    """Of many MiB, perhaps: on its way through processes it is not copied where that can be avoided."""
    media_type: str
    next_cursor: str | None = None


class Refused(msgspec.Struct, tag="refused", array_like=True):
    code: str
    detail: str
    issues: tuple[Issue, ...]
    retry_after: int | None


class Dear(msgspec.Struct, tag="dear", array_like=True):
    """The report would be dear, and this process was not asked to answer such a one."""


Request = ReportRequest | ExportRequest
encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(Request).decode
Reply = Answered | Refused | Dear
decode_reply: Callable[[bytes], Reply] = msgspec.msgpack.Decoder(Reply).decode


class ReportPool:
    """The server's side: as many processes as the settings say, and a queue before them.

    Dear reports all go to the first process, one at a time. What they take in memory is taken once, and the other
    processes are left to those who ask for little. Whether a report is dear, a process finds out when it begins.
    """

    def __init__(self, workers: Sequence[Worker | Seat]) -> None:
        """Each is a process of MODULE, or a seat in one that answers reports, too."""
        self._for_dear, *others = self._workers = [*workers]
        self._for_light = [*others, self._for_dear]
        self._idle: set[Worker | Seat] = set()
        self._waiting: list[asyncio.Future[None]] = []
        self._queued = 0

    async def start(self) -> None:
        await asyncio.gather(*(worker.start() for worker in self._workers))
        self._idle.update(self._workers)

    async def stop(self) -> None:
        await asyncio.gather(*(worker.stop() for worker in self._workers))

    @property
    def alive(self) -> bool:
        return any(worker.alive for worker in self._workers)

    async def ask(self, request: Request) -> Answered:
        """The answer; raises the refusal the process gives, ``overloaded`` or ``report_timeout``."""
        if isinstance(request, ReportRequest) and len(self._workers) == 1:
            request = msgspec.structs.replace(request, may_be_dear=True)
        reply = await self._answer(request, self._for_light)
        if isinstance(reply, Dear):
            assert isinstance(request, ReportRequest)
            reply = await self._answer(msgspec.structs.replace(request, may_be_dear=True), [self._for_dear])
        if isinstance(reply, Answered):
            return reply
        assert isinstance(reply, Refused)
        raise Refusal(reply.code, reply.detail, issues=reply.issues, retry_after=reply.retry_after)

    async def _answer(self, request: Request, workers: Sequence[Worker | Seat]) -> Reply:
        """What the first of these processes that has nothing to do replies."""
        if self._queued >= MAX_QUEUED:
            raise overloaded()
        self._queued += 1
        try:
            worker = await asyncio.wait_for(self._free(workers), QUEUE_SECONDS)
        except TimeoutError:
            raise overloaded() from None
        finally:
            self._queued -= 1
        try:
            return await self._ask(worker, request)
        finally:
            self._release(worker)

    async def _free(self, workers: Sequence[Worker | Seat]) -> Worker | Seat:
        """One of these that has nothing to do: the first, by preference.

        When none of them is alive it is any other; and a dead one, which refuses, only when all are dead.
        """
        while True:
            fit = [one for one in workers if one.alive] or [one for one in self._workers if one.alive]
            for worker in fit or self._workers:
                if worker in self._idle:
                    self._idle.remove(worker)
                    return worker
            released: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(released)
            await released

    def _release(self, worker: Worker | Seat) -> None:
        self._idle.add(worker)
        waiting, self._waiting = self._waiting, []
        for released in waiting:
            if not released.done():
                released.set_result(None)

    async def _ask(self, worker: Worker | Seat, request: Request) -> Reply:
        try:
            return decode_reply(await asyncio.wait_for(worker.call(encode(request)), REPORT_SECONDS + GRACE_SECONDS))
        except TimeoutError:
            worker.kill()
            raise Refusal("report_timeout", "The report took too long; ask for a shorter range.") from None


def overloaded() -> Refusal:
    return Refusal("overloaded", "Too many reports are waiting; ask again later.", retry_after=2)


class Answerer:
    """What a report process holds: the stores, and how they are counted."""

    def __init__(self, events_url: str, *, metadata_url: str | None = None, cache_mb: int) -> None:
        """`metadata_url` is where properties are, if elsewhere; `cache_mb` is for decoded columns, in MiB."""
        self._events: EventStore
        self._counting: Counting
        if metadata_url in (None, events_url):
            self._events = rolled = open_events(events_url)
            self._counting = CountedFromSegments(rolled, open_rollups(events_url, rolled), cache_mb)
        else:
            self._events = open_events(events_url, metadata_url=metadata_url)
            self._counting = CountedByEngine(self._events, open_counting(events_url))

    def answer(self, request: Request) -> Answered:
        if isinstance(request, ExportRequest):
            return export(self._events, request)
        query = request.query
        most = NO_LIMIT if request.may_be_dear else LIGHT
        body = self.body(query, now=request.now, cursor_key=request.cursor_key, seconds=REPORT_SECONDS, most=most)
        rendered = rendering.render(body, query.format, query.metrics)
        return Answered(memoryview(rendered), rendering.MEDIA_TYPES[query.format], body["meta"]["next_cursor"])

    def body(
        self, query: Query, *, now: int, cursor_key: bytes, seconds: float, most: int = NO_LIMIT
    ) -> dict[str, Any]:
        """A report's body; ``report_timeout`` when it takes longer than so many seconds, DearError beyond `most`."""
        deadline = time.monotonic() + seconds
        with self._counting.executor(deadline, most) as executor:
            return report.run(executor, query, now=now, cursor_key=cursor_key)

    def close(self) -> None:
        self._counting.close()
        self._events.close()


class Counting(Protocol):
    """How the events of a store are counted."""

    def executor(self, deadline: float, most: int) -> AbstractContextManager[report.Executor]:
        """An executor to use inside the block; `deadline` is on the monotonic clock, in seconds.

        Where it can tell beforehand it raises DearError when it would look at more than `most` events and texts.
        """
        ...

    def close(self) -> None: ...


class CountedFromSegments:
    """By this process, from segments and raw events."""

    def __init__(self, events: RolledEvents, rollups: RollupStore, cache_mb: int) -> None:
        self._events = events
        self._rollups = rollups
        self._cache = Cache(cache_mb * MEBIBYTE)

    def executor(self, deadline: float, most: int) -> AbstractContextManager[report.Executor]:
        return executor(self._events, self._rollups, self._cache, deadline=deadline, most=most)

    def close(self) -> None:
        self._rollups.close()


class CountedByEngine(NamedTuple):
    """By the engine itself."""

    events: EventStore
    counted: CountingStore

    @contextmanager
    def executor(self, deadline: float, most: int) -> Iterator[report.Executor]:
        del most  # the engine's own business
        yield EngineExecutor(self.events, self.counted, deadline)

    def close(self) -> None:
        self.counted.close()


class EngineExecutor:
    """A `report.Executor` for one report, until a deadline."""

    def __init__(self, events: EventStore, counted: CountingStore, deadline: float) -> None:
        self._events = events
        self._counted = counted
        self._deadline = deadline
        self._answers: dict[tuple[int, int], CountedAnswer] = {}

    def first_event(self, query: Query) -> int | None:
        return self._events.first_event(query.property_id, include_bots=query.include_bots, since=query.kept_from)

    def has_daily_ids(self, query: Query, *, start: int, end: int) -> bool:
        answer = self._answers.get((start, end))
        found = answer.has_daily_ids() if answer else None
        if found is not None:
            return found
        return self._events.has_daily_ids(
            query.property_id, start=max(start, query.kept_from), end=end, include_bots=query.include_bots
        )

    def answer(self, query: Query, *, start: int, end: int) -> Answer:
        first = max(start, query.kept_from)
        answer = self._counted.answer(query, start=first, end=end, deadline=self._deadline)
        self._answers[start, end] = answer
        return answer


def export(store: EventStore, request: ExportRequest) -> Answered:
    """Raw events as NDJSON; the cursor is the last one's place in the order of arrival."""
    page = store.export(request.property_id, after=request.after, limit=request.limit, since=request.kept_from)
    body = bytearray()
    for _, event in page:
        body += msgspec.json.encode(exported(event)) + b"\n"
    more = str(page[-1][0]) if len(page) == request.limit else None
    return Answered(memoryview(body), rendering.MEDIA_TYPES["ndjson"], more)


def exported(event: Event) -> dict[str, Any]:
    """A raw event as it is shown: every stored field by its name, instants as RFC 3339, data and extra as objects."""
    fields = msgspec.structs.asdict(event)
    fields["ts"], fields["received_at"] = rfc3339(event.ts), rfc3339(event.received_at)
    fields["data"] = msgspec.Raw(event.data.encode()) if event.data else {}
    fields["extra"] = msgspec.Raw(event.extra.encode()) if event.extra else {}
    return fields


@contextmanager
def opened(urls: Urls, *, cache_mb: int) -> Iterator[Callable[[Message], bytes]]:
    """The stores, opened to be asked: what answers a request."""
    answerer = Answerer(urls.events, metadata_url=urls.database, cache_mb=cache_mb)

    def handle(payload: Message) -> bytes:
        try:
            return encode(answerer.answer(decode_request(payload)))
        except DearError:
            return encode(Dear())
        except Refusal as refusal:
            return encode(Refused(refusal.code, refusal.detail, refusal.issues, refusal.retry_after))

    with closing(answerer):
        yield handle


def main() -> None:
    """``python -m clickmeter.reporting CHANNEL CACHE_MB``; started by the server alone."""
    logs.configure_as()
    # A dear report may take a core for seconds; whoever takes events in goes first.
    os.nice(NICENESS)
    memory.set_thresholds(apart=USUAL_COLUMN, spare=SPARE_BYTES)
    with opened(given_urls(), cache_mb=int(sys.argv[2])) as handle:
        answer_requests(handle)


if __name__ == "__main__":
    main()
