"""Where events wait to be sent: a bounded queue that hands out batches and knows which events are settled.

An event is settled when the server has answered for it or when it is given up. Events are settled in the order in which
they came, so one number says how far the sender is.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from threading import Condition, Lock
from typing import NamedTuple


class Pending(NamedTuple):
    """An event on its way: its JSON, fixed when it was queued so that every retry sends the same bytes."""

    event_id: str
    encoded: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may wait, and how much goes out at once. `linger` is in seconds."""

    queue_events: int
    queue_bytes: int
    batch_events: int
    batch_bytes: int
    linger: float


class Buffer:
    """The queue between the threads that make events and the one that sends them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        lock = Lock()
        self._arrived = Condition(lock)
        self._settled_some = Condition(lock)
        self._closing = Condition(lock)
        self._waiting: deque[Pending] = deque()
        self._flying: list[Pending] = []
        self._claimed = 0
        self._bytes_waiting = 0
        self._queued = 0
        self._settled = 0
        self._dropped = 0
        self._flush_to = 0
        self._close_by: float | None = None
        self._abandoned = False

    def put(self, event: Pending, *, block: bool) -> bool:
        """Queue an event. When there is no room: wait for it with `block`, else drop the event and return False."""
        size = len(event.encoded)
        with self._arrived:
            self._refuse_when_closed()
            while not self._has_room(size):
                if not block:
                    self._dropped += 1
                    return False
                self._settled_some.wait()
                self._refuse_when_closed()
            self._waiting.append(event)
            self._bytes_waiting += size + 1
            self._queued += 1
            if len(self._waiting) == 1 or self._batch_is_full():
                self._arrived.notify()
        return True

    def take(self) -> list[Pending]:
        """The next batch, at least one event; waits for it. Empty when the buffer is closed and nothing is left."""
        with self._arrived:
            while not self._waiting and self._close_by is None:
                self._arrived.wait()
            until = time.monotonic() + self._limits.linger
            while not self._is_urgent() and (left := until - time.monotonic()) > 0:
                self._arrived.wait(left)
            self._flying = self._cut_batch()
            return self._flying

    def claim(self) -> bool:
        """Take over accounting for the batch taken last. False when `abandon` has already given it up."""
        with self._arrived:
            self._claimed, self._flying = len(self._flying), []
            return not self._abandoned

    def settle(self) -> None:
        """The claimed batch is accounted for: whoever waits for it may go on."""
        with self._settled_some:
            self._settled = min(self._settled + self._claimed, self._queued)
            self._settled_some.notify_all()

    def pause(self, seconds: float) -> bool:
        """Wait before a retry. False, at once, when the buffer closes before the wait would be over."""
        until = time.monotonic() + seconds
        with self._closing:
            while (left := until - time.monotonic()) > 0:
                if self._abandoned or (self._close_by is not None and until > self._close_by):
                    return False
                self._closing.wait(left)
            return not self._abandoned

    def flush(self, timeout: float | None) -> bool:
        """Send without lingering what is queued by now, and wait until it is settled; False when time ran out."""
        with self._arrived:
            target = self._flush_to = self._queued
            self._arrived.notify()
            return self._settled_some.wait_for(lambda: self._settled >= target, timeout)

    def close(self, timeout: float) -> bool:
        """Take no more events, and wait until all are settled; False when time ran out."""
        with self._closing:
            self._close_by = time.monotonic() + timeout
            self._arrived.notify_all()
            self._closing.notify_all()
            self._settled_some.notify_all()
            return self._settled_some.wait_for(lambda: self._settled >= self._queued, timeout)

    def abandon(self) -> list[Pending]:
        """Give up on everything not settled and return it; some of it may be on its way to the server just now."""
        with self._closing:
            left = [*self._flying, *self._waiting]
            self._abandoned = True
            self._flying = []
            self._waiting.clear()
            self._settled = self._queued
            self._closing.notify_all()
            self._settled_some.notify_all()
            return left

    def dropped(self) -> int:
        """How many events found no room since this was last asked."""
        with self._arrived:
            count, self._dropped = self._dropped, 0
            return count

    def _refuse_when_closed(self) -> None:
        if self._close_by is not None:
            raise RuntimeError("The sender is closed; make a new one to send more events.")

    def _has_room(self, size: int) -> bool:
        unsettled = self._queued - self._settled
        return unsettled == 0 or (
            unsettled < self._limits.queue_events and self._bytes_waiting + size < self._limits.queue_bytes
        )

    def _batch_is_full(self) -> bool:
        return len(self._waiting) >= self._limits.batch_events or self._bytes_waiting >= self._limits.batch_bytes

    def _is_urgent(self) -> bool:
        return self._batch_is_full() or self._flush_to > self._settled or self._close_by is not None

    def _cut_batch(self) -> list[Pending]:
        batch: list[Pending] = []
        room = self._limits.batch_bytes
        while self._waiting and len(batch) < self._limits.batch_events:
            size = len(self._waiting[0].encoded) + 1
            if batch and size > room:
                break
            room -= size
            self._bytes_waiting -= size
            batch.append(self._waiting.popleft())
        return batch
