"""The process that owns the store's write side: one group of batches, one durable transaction, one answer.

A group that the store refuses for a definite reason is halved until the one batch that causes it is found; only that
batch fails, and it is logged. A store that is locked, full or away fails the group, and every client sends again.
"""

from __future__ import annotations

import logging
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import msgspec

from clickmeter import logs
from clickmeter.errors import Refusal
from clickmeter.model import Batch
from clickmeter.storage.open import open_events
from clickmeter.worker import answer_requests, given_urls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from clickmeter.channel import Message
    from clickmeter.storage.protocol import EventStore
    from clickmeter.worker import Urls

log = logging.getLogger("clickmeter.storing")

Result = int | str | None
"""Of one batch: how many duplicates, None when its property is gone, or in one sentence why it is not stored."""


class Append(msgspec.Struct, tag="append", array_like=True):
    """Store these batches together; answered with a Result for each."""

    batches: list[Batch]


class Purge(msgspec.Struct, tag="purge", array_like=True):
    """Remove up to `limit` events of deleted properties; answered with one Result, how many were removed."""

    limit: int


class Check(msgspec.Struct, tag="check", array_like=True):
    """See whether events can be stored; answered with one Result, 0 when they can."""


class Warn(msgspec.Struct, tag="warn", array_like=True):
    """Say which settings of the store may lose what was acknowledged; answered with a sentence for each."""


class MarkErased(msgspec.Struct, tag="mark", array_like=True):
    """Keep a visitor's late events out; answered with one Result, 1, or 0 when the property is gone."""

    property_id: str
    visitor_id: str
    now: int


class Erase(msgspec.Struct, tag="erase", array_like=True):
    """Take one step of an erasure; answered with how many events it removed and, unless it is done, where it is."""

    property_id: str
    visitor_id: str
    erased_at: int
    after: tuple[int, int]
    limit: int


class Expire(msgspec.Struct, tag="expire", array_like=True):
    """Remove up to `limit` events older than `before`; answered with one Result, how many were removed."""

    property_id: str
    before: int
    limit: int


Request = Append | Purge | Check | Warn | MarkErased | Erase | Expire
decode_request = msgspec.msgpack.Decoder(Request).decode
encode = msgspec.msgpack.Encoder().encode
decode_results: Callable[[bytes], list[Result]] = msgspec.msgpack.Decoder(list[Result]).decode


def answer(events: EventStore, request: Request) -> Sequence[Result]:
    """What the process does with one request; a store that is away is a sentence, not an error."""
    if isinstance(request, Append):
        return store(events, request.batches)
    try:
        return events.warnings() if isinstance(request, Warn) else [*remove(events, request)]
    except Refusal as refusal:
        return [refusal.detail]


def remove(events: EventStore, request: Purge | Check | MarkErased | Erase | Expire) -> Sequence[int]:
    match request:
        case Purge(limit):
            return [events.purge(limit=limit)]
        case MarkErased(property_id, visitor_id, now):
            return [int(events.mark_erased(property_id, visitor_id, now=now))]
        case Erase(property_id, visitor_id, erased_at, after, limit):
            step = events.erase(property_id, visitor_id, erased_at=erased_at, after=after, limit=limit)
            return [step.removed, *(step.after or ())]
        case Expire(property_id, before, limit):
            return [events.expire(property_id, before=before, limit=limit)]
    events.check()
    return [0]


def store(events: EventStore, batches: Sequence[Batch]) -> list[Result]:
    try:
        return list(events.append(batches))
    except Refusal as refusal:
        return [refusal.detail] * len(batches)
    except Exception:
        if len(batches) == 1:
            log.exception("A batch cannot be stored. property=%s", batches[0].property_id)
            return ["The store refuses this batch; the log says why."]
        middle = len(batches) // 2
        return store(events, batches[:middle]) + store(events, batches[middle:])


@contextmanager
def opened(urls: Urls) -> Iterator[Callable[[Message], bytes]]:
    """The events, opened to be stored in: what answers a request."""
    with closing(open_events(urls.events, metadata_url=urls.database, server_writes=True)) as events:
        yield lambda payload: encode(answer(events, decode_request(payload)))


def main() -> None:
    """``python -m clickmeter.ingest.storing CHANNEL``; started by the server alone."""
    logs.configure_as()
    with opened(given_urls()) as handle:
        answer_requests(handle)


if __name__ == "__main__":
    main()
