"""How an application sends events without waiting: queued at once, sent in batches by a thread in the background."""

from __future__ import annotations

import atexit
import json
import logging
import os
import random
import time
import weakref
from functools import partial
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack

from clickmeter_client.backoff import FIRST_WAIT, is_worth_retrying, wait_before_retry
from clickmeter_client.buffer import Buffer, Limits, Pending
from clickmeter_client.errors import ClickmeterError
from clickmeter_client.event import EventFields, make_event, stamped
from clickmeter_client.failure import Failure, Reason, log_failure
from clickmeter_client.ingest import Ingest, IngestResult, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from clickmeter_client.transport import Credential

log = logging.getLogger("clickmeter_client")
WhenFull = Literal["drop", "block"]
LARGEST_EVENT = 1_000_000
"""Bytes of JSON: the server takes no body above 1 MiB, so a larger event could never arrive."""

_open_senders: weakref.WeakSet[EventSender] = weakref.WeakSet()


class EventSender:
    """Sends events to one property in the background, each counted exactly once however often it is retried.

    Queuing never waits for the network. A batch goes out when it has `batch_events` events or `batch_bytes` bytes, or
    `linger` seconds after its first event. No answer, 408, 429 and 5xx are retried with the same ids for up to
    `retry_for` seconds, waiting longer each time and as long as the server asks; other refusals are final.
    At most `queue_events` events and `queue_bytes` bytes wait. Beyond that `when_full` decides: ``"drop"`` loses the
    new event, ``"block"`` makes the caller wait. Everything lost is told to `on_error`, on the sending thread or by
    `close`; it must not wait for this sender.

    Usable from any number of threads, and after a fork, where the child starts with an empty queue. Leaving the
    ``with`` block, `close`, or the end of the interpreter sends what is left, for up to `close_timeout` seconds.
    """

    def __init__(
        self,
        url: str,
        *,
        property_id: str,
        write_key: Credential,
        timeout: float = 10.0,
        linger: float = 0.2,
        batch_events: int = 500,
        batch_bytes: int = 512 * 1024,
        queue_events: int = 10_000,
        queue_bytes: int = 64 * 1024 * 1024,
        when_full: WhenFull = "drop",
        first_wait: float = FIRST_WAIT,
        retry_for: float = 3600.0,
        close_timeout: float = 10.0,
        on_error: Callable[[Failure], None] = log_failure,
    ) -> None:
        """All times are in seconds. ValueError for a URL or key that cannot be one, or a batch above the limits."""
        if not 1 <= batch_events <= 1000 or not 1 <= batch_bytes <= 1_000_000:
            raise ValueError("A batch holds 1 to 1,000 events and at most 1,000,000 bytes: the server takes no more.")
        self._new_ingest = partial(Ingest, url, property_id=property_id, write_key=write_key, timeout=timeout)
        self._ingest = self._new_ingest()
        self._limits = Limits(queue_events, queue_bytes, batch_events, batch_bytes, linger)
        self._when_full = when_full
        self._first_wait = first_wait
        self._retry_for = retry_for
        self._close_timeout = close_timeout
        self._on_error = on_error
        self._start_afresh()
        _open_senders.add(self)
        atexit.register(self.close)

    def pageview(self, **fields: Unpack[EventFields]) -> str | None:
        """Queue a pageview: ``sender.pageview(url="https://example.com/pricing", visitor_id="v_1")``. As `send`."""
        return self.track("pageview", **fields)

    def track(self, type_: str, /, **fields: Unpack[EventFields]) -> str | None:
        """Queue an event of any type: ``sender.track("signup", visitor_id="v_1", data={"plan": "pro"})``. As `send`."""
        return self.send(make_event(type_, **fields))

    def send(self, event: Mapping[str, Any]) -> str | None:
        """Queue an event in the server's own shape and return its id, or None when there was no room and it is lost.

        It gets an ``event_id`` (UUIDv7) and a ``ts`` (now) where it has none, and is copied: changing it later changes
        nothing. TypeError or ValueError for what JSON cannot hold or no request can carry; RuntimeError once closed.
        """
        complete = stamped(event)
        pending = Pending(str(complete["event_id"]), encode(complete))
        if len(pending.encoded) > LARGEST_EVENT:
            raise ValueError(f"The event has {len(pending.encoded)} bytes; the server takes no request above 1 MiB.")
        if not self._buffer.put(pending, block=self._when_full == "block"):
            return None
        self._start_thread()
        return pending.event_id

    def post_events(self, events: Iterable[Mapping[str, Any]], *, dry_run: bool = False) -> IngestResult:
        """Send these events now, past the queue, in one request without retries: see `Ingest.post_events`."""
        return self._ingest.post_events(events, dry_run=dry_run)

    def flush(self, timeout: float | None = 10.0) -> bool:
        """Wait until every event queued by now is answered for or given up. False when `timeout` seconds passed."""
        return self._buffer.flush(timeout)

    def close(self, timeout: float | None = None) -> bool:
        """Send what is left and stop. False when `timeout` (default: `close_timeout`) passed and events were lost."""
        atexit.unregister(self.close)
        _open_senders.discard(self)
        in_time = self._buffer.close(self._close_timeout if timeout is None else timeout)
        left = self._buffer.abandon()
        if left:
            self._call(_lost("closed", left, detail="The sender was closed before the server had answered."))
        self._report_dropped()
        self._ingest.close()
        return in_time

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _start_afresh(self) -> None:
        self._buffer = Buffer(self._limits)
        self._is_running = False
        self._starting = Lock()

    def _after_fork(self) -> None:
        """In the child: the thread is not here, locks may be held for ever, queue and sockets are the parent's."""
        self._ingest = self._new_ingest()
        self._start_afresh()

    def _start_thread(self) -> None:
        with self._starting:
            if not self._is_running:
                # A daemon, since Python waits for other threads before it runs what atexit has registered.
                Thread(target=self._run, name="clickmeter-sender", daemon=True).start()
                self._is_running = True

    def _run(self) -> None:
        while batch := self._buffer.take():
            self._deliver(batch)

    def _deliver(self, batch: Sequence[Pending]) -> None:
        body = self._ingest.body(event.encoded for event in batch)
        give_up_at = time.monotonic() + self._retry_for
        failures = 0
        while True:
            try:
                result = self._ingest.post_body(body)
            except ClickmeterError as error:
                failures += 1
                reason = self._wait_or_why_not(error, failures=failures, give_up_at=give_up_at)
                if reason is not None:
                    self._account(_lost(reason, batch, detail=str(error), error=error))
                    return
                self._report_dropped()
            else:
                self._account(_rejected(batch, result) if result.rejected else None)
                return

    def _wait_or_why_not(self, error: ClickmeterError, *, failures: int, give_up_at: float) -> Reason | None:
        """Wait until the next try is due and return None, or return why there is none."""
        if not is_worth_retrying(error):
            return "refused"
        seconds = wait_before_retry(error, failures=failures, jitter=random.random(), first=self._first_wait)  # noqa: S311 - no secret
        if time.monotonic() + seconds > give_up_at:
            return "gave_up"
        return None if self._buffer.pause(seconds) else "closed"

    def _account(self, failure: Failure | None) -> None:
        """Tell what was lost of the batch in hand, then settle it: what flush waited for has been told by then."""
        if self._buffer.claim():
            if failure is not None:
                self._call(failure)
            self._report_dropped()
            self._buffer.settle()

    def _report_dropped(self) -> None:
        if count := self._buffer.dropped():
            detail = f"The queue was full: {self._limits.queue_events} events or {self._limits.queue_bytes} bytes wait."
            self._call(Failure(reason="queue_full", count=count, detail=detail))

    def _call(self, failure: Failure) -> None:
        try:
            self._on_error(failure)
        except Exception:
            log.exception("on_error failed; the sender goes on. What it was told: %s", failure.detail)


def _lost(reason: Reason, batch: Sequence[Pending], *, detail: str, error: ClickmeterError | None = None) -> Failure:
    events = tuple(json.loads(event.encoded) for event in batch)
    return Failure(reason=reason, count=len(events), detail=detail, events=events, error=error)


def _rejected(batch: Sequence[Pending], result: IngestResult) -> Failure:
    listed = tuple(one for one in result.errors if 0 <= one.index < len(batch))
    first = f"{listed[0].code}: {listed[0].detail}" if listed else "The server did not say why."
    events = tuple(json.loads(batch[one.index].encoded) for one in listed)
    return Failure(reason="rejected", count=result.rejected, detail=first, events=events, rejections=listed)


def _forget_parents_queues() -> None:
    for sender in list(_open_senders):
        sender._after_fork()  # noqa: SLF001 - the same module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parents_queues)
